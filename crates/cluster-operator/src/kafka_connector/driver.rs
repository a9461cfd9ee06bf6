//! The pass over a connector.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use api::conditions::events;
use api::{KafkaConnect, KafkaConnector, annotations};
use connect_client::model::Listed;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::events::{self as publishing, Events, Note, Severity};
use operator_runtime::leader::Lapsed;
use operator_runtime::watch::{Cache, ObjectRef};
use planner::completion::{NeverComplete, Observation as _};
use planner::kafka_connector::actual::{Actual, Part, State};
use planner::kafka_connector::asked::Annotation;
use planner::kafka_connector::call::Call;
use planner::kafka_connector::observed::{Answer, Cluster, Need, Observed, Plan, Seen as SeenOfConnect};
use planner::kafka_connector::offsets::{Holder, KEY};
use planner::kafka_connector::transition::Doing;
use prometheus::Counter;
use serde_json::json;
use thiserror::Error;
use tokio::time::Instant;

use super::apis::{Apis, Look};
use super::calls::{self, Failed, Subject};
use super::memory::{Memories, Memory};
use super::resources::{self, Resources};
use crate::kind::{AnswersOf, Kind, Seen};

/// How old a list of connectors may be for a pass that nothing was called for in between: events that come together share one.
const RECENT: Duration = Duration::from_secs(1);

/// When to look what became of a call.
const NEXT: Duration = Duration::from_millis(100);

/// What can go wrong with a pass over a connector.
#[derive(Debug, Error)]
pub(super) enum Error {
    /// A request to Kubernetes failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Another process may lead.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
    /// The plan asks again and again.
    #[error(transparent)]
    NeverComplete(#[from] NeverComplete),
    /// Kafka Connect did not do what it was asked for.
    #[error(transparent)]
    Call(#[from] Failed),
}

/// Looks after connectors.
pub(super) struct Connectors {
    resources: Resources,
    applier: Applier,
    apis: Arc<Apis>,
    memories: Arc<Memories>,
    events: Events,
    auto_restarts: Counter,
}

impl Connectors {
    /// From its parts.
    pub(super) fn new(
        resources: Resources,
        applier: Applier,
        apis: Arc<Apis>,
        memories: Arc<Memories>,
        events: Events,
        auto_restarts: Counter,
    ) -> Self {
        Self { resources, applier, apis, memories, events, auto_restarts }
    }

    /// Where a connector is to run, and the key of that cluster.
    fn cluster(&self, key: &ObjectRef, connector: &KafkaConnector) -> (Cluster, Option<ObjectRef>) {
        let Some(cluster) = resources::cluster(key, connector) else { return (Cluster::Unnamed, None) };
        let name = cluster.name.clone();
        let kind = match self.resources.connects.get(&cluster) {
            None => Cluster::Unknown { name, exists: None },
            Some(facts) if !facts.uses_resources => Cluster::WithoutResources { name },
            Some(facts) if facts.workers == 0 => Cluster::WithoutWorkers { name },
            Some(_) => Cluster::Usable { name },
        };
        (kind, Some(cluster))
    }

    /// What Connect says of a connector, from a list that everybody who wants to know shares.
    async fn see(&self, key: &ObjectRef, cluster: &ObjectRef, memory: &Memory) -> SeenOfConnect {
        let recent = Instant::now().checked_sub(RECENT).unwrap_or_else(Instant::now);
        let not_before = memory.not_before.map_or(recent, |not_before| not_before.max(recent));
        match self.apis.of(cluster).look(not_before).await {
            Look::Away { since } => SeenOfConnect::Away { since },
            Look::Unusable(why) => SeenOfConnect::Unusable(why),
            Look::Here(all) => {
                let listed = all.get(&key.name);
                self.memories.change(key, |memory| memory.shown = Some(fingerprint(listed)));
                SeenOfConnect::Here(listed.map(actual))
            }
        }
    }

    /// Takes an annotation off whose work is done, unless it asks for something else by now.
    async fn take_off(
        &self,
        key: &ObjectRef,
        observed: &KafkaConnector,
        done: &Annotation,
    ) -> Result<(), ApplyError> {
        let mut version = observed.metadata.resource_version.clone();
        for _ in 0..3 {
            let patch = json!({"metadata": {
                "resourceVersion": version, "annotations": {done.key: null},
            }});
            match self.applier.merge::<KafkaConnector>(key, &patch).await {
                Err(error) if error.is_conflict() => {}
                other => return other.map(drop),
            }
            let fresh = self.applier.get::<KafkaConnector>(key).await?;
            let value = |fresh: &KafkaConnector| fresh.metadata.annotations.as_ref()?.get(done.key).cloned();
            match fresh {
                Some(fresh) if value(&fresh).as_ref() == Some(&done.value) => {
                    version = fresh.metadata.resource_version;
                }
                _ => return Ok(()),
            }
        }
        // The annotation is known to be answered, and the next pass takes it off.
        Ok(())
    }

    async fn write_status(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        plan: &Plan,
    ) -> Result<(), ApplyError> {
        let Some(status) = &plan.status else { return Ok(()) };
        let live = observed.connector.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
        self.applier.patch_status::<KafkaConnector>(key, live.as_ref(), status).await?;
        Ok(())
    }

    /// Notes a call that was made, and tells of it where that is of interest.
    fn note_made(&self, key: &ObjectRef, observed: &Observed, doing: &Doing) {
        self.memories.change(key, |memory| {
            memory.past.note_made(&doing.call, clock::now());
            if doing.restarts.is_some() {
                memory.past.restarted.clone_from(&doing.restarts);
            }
            memory.answered.extend(doing.answers.clone());
            memory.not_before = Some(Instant::now());
        });
        tracing::info!(connector = %key, call = words(&doing.call), "Kafka Connect was called");
        let Some(count) = doing.restarts.as_ref().and_then(|restarts| restarts.count) else { return };
        self.auto_restarts.inc();
        self.events.publish(Note {
            regarding: publishing::reference(&*observed.connector),
            related: None,
            reason: events::CONNECTOR_RESTARTED.to_owned(),
            action: events::MANAGE_CONNECTOR.to_owned(),
            text: format!(
                "what has failed of connector {} was restarted, for the {count}. time in a row",
                key.name
            ),
            severity: Severity::Warning,
        });
    }
}

impl Kind for Connectors {
    const NAME: &'static str = "KafkaConnector";
    type Resource = KafkaConnector;
    type Observed = Observed;
    type Said = ();
    type Error = Error;

    fn resources(&self) -> &Cache<KafkaConnector> {
        &self.resources.connectors
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<Observed>, Error> {
        let Some(connector) = self.resources.connectors.get(key) else {
            self.memories.forget(key);
            return Ok(Seen::Settled(Outcome::Done));
        };
        // The resource goes, and then nobody declares its connector. A resource that cannot be read leaves its connector as it is.
        if connector.metadata.deletion_timestamp.is_some()
            || self.resources.connectors.unreadable(key).is_some()
        {
            return Ok(Seen::Settled(Outcome::Done));
        }
        let mut memory = self.memories.of(key, connector.metadata.uid.as_deref());
        let present = connector.metadata.annotations.clone().unwrap_or_default();
        memory.answered.retain(|done| present.get(done.key) == Some(&done.value));
        let (cluster, named) = self.cluster(key, &connector);
        let is_paused = annotations::is_true(Some(&present), annotations::PAUSE_RECONCILIATION);
        let seen = match (&cluster, named) {
            (Cluster::Usable { .. }, Some(named)) if !is_paused => self.see(key, &named, &memory).await,
            _ => SeenOfConnect::Unasked,
        };
        let answered = memory.answered.clone();
        let mut observed = Observed {
            connector,
            cluster,
            seen,
            past: memory.past,
            answered: memory.answered,
            topics_wanted: memory.topics_wanted,
            topics: None,
        };
        observed.prepare(clock::now());
        let past = observed.past.clone();
        self.memories.change(key, |memory| {
            memory.past = past;
            memory.answered = answered;
            memory.waits = false;
        });
        Ok(Seen::Live(observed))
    }

    async fn answer(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        needs: Vec<Need>,
    ) -> Result<AnswersOf<Self>, Error> {
        let mut answers = Vec::with_capacity(needs.len());
        for need in needs {
            let answer = match &need {
                Need::ConnectNamed(name) => {
                    let cluster = ObjectRef::new(&key.namespace, name);
                    let exists = self.applier.metadata::<KafkaConnect>(&cluster).await?.is_some();
                    Answer::Exists(exists)
                }
                Need::Topics => {
                    self.memories.change(key, |memory| memory.topics_wanted = false);
                    let cluster = resources::cluster(key, &observed.connector);
                    let topics = match cluster.map(|cluster| self.apis.of(&cluster)) {
                        Some(api) => calls::topics(&api, &key.name).await.ok(),
                        None => None,
                    };
                    Answer::Topics(topics)
                }
            };
            answers.push((need, answer));
        }
        Ok(answers)
    }

    async fn write(&self, _: &ObjectRef, _: &Observed, _: &mut Plan) -> Result<(), Error> {
        Ok(())
    }

    async fn call(&self, key: &ObjectRef, observed: &Observed, doing: &Doing) -> Result<(), Error> {
        let Some(cluster) = resources::cluster(key, &observed.connector) else { return Ok(()) };
        let api = self.apis.of(&cluster);
        let holder = Holder::of(&*observed.connector);
        let subject = Subject { holder, name: &key.name, offsets_key: KEY };
        Ok(calls::make(&api, &self.applier, &subject, &doing.call).await?)
    }

    async fn finish(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        plan: &Plan,
        said: Vec<Result<(), Error>>,
    ) -> Result<Outcome, Error> {
        for done in &plan.take_off {
            self.take_off(key, &observed.connector, done).await?;
        }
        let Some((doing, said)) = plan.calls.first().zip(said.into_iter().next()) else {
            self.memories.change(key, |memory| {
                memory.waits = plan.waits_for_connect;
                if plan.again.is_some() {
                    memory.not_before = Some(Instant::now());
                }
            });
            self.write_status(key, observed, plan).await?;
            return Ok(plan.again.map_or(Outcome::Done, Outcome::Again));
        };
        match said {
            Ok(()) => {
                self.note_made(key, observed, doing);
                self.write_status(key, observed, plan).await?;
                if let Some(done) = &doing.answers {
                    self.take_off(key, &observed.connector, done).await?;
                }
                Ok(Outcome::Again(NEXT))
            }
            Err(Error::Call(failed)) => {
                tracing::debug!(connector = %key, error = %failed, "a call about a connector was not made");
                let mut observed = observed.clone();
                let now = clock::now();
                self.memories.change(key, |memory| {
                    memory.past.note_failed(&doing.call, failed.kind, failed.message, now);
                    memory.not_before = Some(Instant::now());
                    observed.past = memory.past.clone();
                });
                observed.topics_wanted = false;
                // What the status says of it is planned as ever.
                let told = observed.plan(now);
                self.write_status(key, &observed, &told).await?;
                Ok(Outcome::Again(told.again.unwrap_or(NEXT)))
            }
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn words(call: &Call) -> &'static str {
    match call {
        Call::Create { .. } => "create",
        Call::Configure { .. } => "configure",
        Call::Resume => "resume",
        Call::Pause => "pause",
        Call::Stop => "stop",
        Call::Restart { automatic: true, .. } => "restart by itself",
        Call::Restart { .. } => "restart",
        Call::RestartTask { .. } => "restart task",
        Call::ListOffsets { .. } => "list offsets",
        Call::AlterOffsets { .. } => "alter offsets",
        Call::ResetOffsets => "reset offsets",
    }
}

/// Tells whether a connector changed in Connect.
pub(super) fn fingerprint(listed: Option<&Listed>) -> u64 {
    let mut hasher = DefaultHasher::new();
    listed.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn actual(listed: &Listed) -> Actual {
    let part = |condition: &connect_client::model::Condition| Part {
        state: State::of(condition.state.as_str()),
        worker: condition.worker_id.clone(),
        trace: condition.trace.clone(),
        version: condition.version.clone(),
    };
    let Listed { info, status } = listed;
    Actual {
        config: info.config.clone(),
        type_: status.type_.clone().or_else(|| info.type_.clone()),
        connector: part(&status.connector),
        tasks: status.tasks.iter().map(|task| (task.id, part(&task.condition))).collect(),
    }
}
