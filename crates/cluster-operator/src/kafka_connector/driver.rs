//! The pass over a connector.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use api::kinds;
use api::{KafkaConnect, KafkaConnector, KafkaConnectorStatus};
use connect_client::model::Listed;
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::watch::{Cache, ObjectRef};
use planner::completion::Observation as _;
use planner::kafka_connector::actual::{Actual, Part, State};
use planner::kafka_connector::call::ConnectorCall;
use planner::kafka_connector::observed::{
    Cluster, ConnectorAnswer, ConnectorNeed, ConnectorPlan, ObservedConnector, SeenInConnect,
};
use planner::kafka_connector::offsets::{Holder, KEY};
use planner::kafka_connector::transition::Doing;
use planner::view::is_paused;
use prometheus::Counter;
use tokio::time::Instant;

use super::apis::{Api, Apis, Look};
use super::calls::{self, Failed, Subject};
use super::memory::{Memories, Memory};
use super::resources::{self, Resources};
use super::take_off::take_off;
use crate::kind::{After, AnswersOf, Done, Error, Kind, Means, Seen, StatusAfter};

/// How old a list of connectors may be for a pass that nothing was called for in between: events that come together share one.
const RECENT: Duration = Duration::from_secs(1);

/// When to look what became of a call.
const NEXT: Duration = Duration::from_millis(100);

/// Looks after connectors.
pub(super) struct Connectors {
    resources: Resources,
    means: Means,
    apis: Arc<Apis>,
    memories: Arc<Memories>,
    auto_restarts: Counter,
}

impl Connectors {
    /// From its parts.
    pub(super) fn new(
        resources: Resources,
        means: Means,
        apis: Arc<Apis>,
        memories: Arc<Memories>,
        auto_restarts: Counter,
    ) -> Self {
        Self { resources, means, apis, memories, auto_restarts }
    }

    /// Where a connector is to run, and the key of that cluster.
    fn cluster(&self, key: &ObjectRef, connector: &KafkaConnector) -> (Cluster, Option<ObjectRef>) {
        let Some(cluster) = resources::cluster(key, connector) else { return (Cluster::Unnamed, None) };
        let name = cluster.name.clone();
        let kind = match self.resources.clusters.get(&cluster) {
            None => Cluster::Unknown { name, exists: None },
            Some(facts) if !facts.uses_resources => Cluster::WithoutResources { name },
            Some(facts) if facts.workers == 0 => Cluster::WithoutWorkers { name },
            Some(facts) => match self.apis.of(&cluster, facts.uid.as_deref()) {
                Ok(_) => Cluster::Usable { name },
                Err(why) => Cluster::WithoutService { name, why },
            },
        };
        (kind, Some(cluster))
    }

    /// The API of the cluster that a connector names, if it can be asked.
    fn api(&self, cluster: &ObjectRef) -> Option<Arc<Api>> {
        let facts = self.resources.clusters.get(cluster)?;
        self.apis.of(cluster, facts.uid.as_deref()).ok()
    }

    /// What Connect says of a connector, from a list that everybody who wants to know shares.
    async fn see(&self, key: &ObjectRef, cluster: &ObjectRef, memory: &Memory) -> SeenInConnect {
        let recent = Instant::now().checked_sub(RECENT).unwrap_or_else(Instant::now);
        let not_before = memory.not_before.map_or(recent, |not_before| not_before.max(recent));
        let Some(api) = self.api(cluster) else { return SeenInConnect::Unasked };
        match api.look(not_before).await {
            Look::Away { since } => SeenInConnect::Away { since },
            Look::Unusable(why) => SeenInConnect::Unusable(why),
            Look::Here(all) => {
                let listed = all.get(&key.name);
                self.memories.change(key, |memory| memory.shown = Some(fingerprint(listed)));
                SeenInConnect::Here(listed.map(actual))
            }
        }
    }

    /// Notes a call that was made.
    fn note_made(&self, key: &ObjectRef, doing: &Doing) {
        self.memories.change(key, |memory| {
            memory.past.note_made(&doing.call, clock::now());
            if doing.restarts.is_some() {
                memory.past.restarted.clone_from(&doing.restarts);
            }
            memory.answered.extend(doing.answers.clone());
            memory.not_before = Some(Instant::now());
        });
        tracing::info!(connector = %key, call = words(&doing.call), "Kafka Connect was called");
        if doing.event(&key.name, 0).is_some() {
            self.auto_restarts.inc();
        }
    }
}

impl Kind for Connectors {
    const NAME: &'static str = kinds::KAFKA_CONNECTOR;
    type Resource = KafkaConnector;
    type Observed = ObservedConnector;
    type Said = Result<(), Failed>;

    fn resources(&self) -> &Cache<KafkaConnector> {
        &self.resources.connectors
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<ObservedConnector>, Error> {
        let Some(connector) = self.resources.connectors.get(key) else {
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
        let is_paused = is_paused(&*connector);
        let seen = match (&cluster, named) {
            (Cluster::Usable { .. }, Some(named)) if !is_paused => self.see(key, &named, &memory).await,
            _ => SeenInConnect::Unasked,
        };
        let answered = memory.answered.clone();
        let mut observed = ObservedConnector {
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

    fn looked_after<'a>(&self, observed: &'a ObservedConnector) -> Option<&'a Arc<KafkaConnector>> {
        Some(&observed.connector)
    }

    async fn answer(
        &self,
        key: &ObjectRef,
        observed: &ObservedConnector,
        needs: Vec<ConnectorNeed>,
    ) -> Result<AnswersOf<Self>, Error> {
        let mut answers = Vec::with_capacity(needs.len());
        for need in needs {
            let answer = match &need {
                ConnectorNeed::ConnectNamed(name) => {
                    let cluster = ObjectRef::new(&key.namespace, name);
                    let exists = self.means.applier.metadata::<KafkaConnect>(&cluster).await?.is_some();
                    ConnectorAnswer::Exists(exists)
                }
                ConnectorNeed::Topics => {
                    self.memories.change(key, |memory| memory.topics_wanted = false);
                    let cluster = resources::cluster(key, &observed.connector);
                    let topics = match cluster.and_then(|cluster| self.api(&cluster)) {
                        Some(api) => calls::topics(&api, &key.name).await.ok(),
                        None => None,
                    };
                    ConnectorAnswer::Topics(topics)
                }
            };
            answers.push((need, answer));
        }
        Ok(answers)
    }

    async fn call(
        &self,
        key: &ObjectRef,
        observed: &ObservedConnector,
        doing: &Doing,
    ) -> Result<Result<(), Failed>, Error> {
        let Some(cluster) = resources::cluster(key, &observed.connector) else { return Ok(Ok(())) };
        // Its Service may have gone since it was looked at.
        let Some(api) = self.api(&cluster) else {
            return Ok(Err(Failed::unasked(format!("{} cannot be asked", cluster.name))));
        };
        let holder = Holder::of(&*observed.connector);
        let subject = Subject { holder, name: &key.name, offsets_key: KEY };
        let Means { applier, mandate, .. } = &self.means;
        let made = calls::make(&api, mandate, applier, &subject, &doing.call).await;
        if made.is_err() {
            mandate.check()?;
        }
        Ok(made)
    }

    fn has_done(made: &Result<(), Failed>) -> bool {
        made.is_ok()
    }

    async fn after(
        &self,
        key: &ObjectRef,
        observed: &ObservedConnector,
        plan: &ConnectorPlan,
        done: Done<Result<(), Failed>>,
    ) -> Result<After<KafkaConnectorStatus>, Error> {
        let mut after = After::default();
        let mut answered: Vec<_> = plan.take_off.iter().map(|done| done.key).collect();
        match plan.calls.first().zip(done.said.into_iter().next()) {
            None => self.memories.change(key, |memory| {
                memory.waits = plan.waits_for_connect;
                if plan.look_again.is_some() {
                    memory.not_before = Some(Instant::now());
                }
            }),
            Some((doing, said)) => {
                after.look_again = Some(NEXT);
                match said? {
                    Ok(()) => {
                        self.note_made(key, doing);
                        answered.extend(doing.answers.as_ref().map(|done| done.key));
                    }
                    Err(failed) => {
                        tracing::debug!(connector = %key, error = %failed, "a call about a connector was not made");
                        self.memories.change(key, |memory| {
                            memory.past.note_failed(&doing.call, failed.kind, failed.message, clock::now());
                            memory.not_before = Some(Instant::now());
                        });
                        // It says that the call was made. The next pass says what came of it.
                        after.status = StatusAfter::Left;
                    }
                }
            }
        }
        if !take_off(&self.means.applier, key, &*observed.connector, answered).await? {
            after.look_again = Some(NEXT);
        }
        Ok(after)
    }

    fn forget(&self, key: &ObjectRef) {
        self.memories.forget(key);
    }
}

pub(crate) fn words(call: &ConnectorCall) -> &'static str {
    match call {
        ConnectorCall::Create { .. } => "create",
        ConnectorCall::Configure { .. } => "configure",
        ConnectorCall::Resume => "resume",
        ConnectorCall::Pause => "pause",
        ConnectorCall::Stop => "stop",
        ConnectorCall::Restart { automatic: true, .. } => "restart by itself",
        ConnectorCall::Restart { .. } => "restart",
        ConnectorCall::RestartTask { .. } => "restart task",
        ConnectorCall::ListOffsets { .. } => "list offsets",
        ConnectorCall::AlterOffsets { .. } => "alter offsets",
        ConnectorCall::ResetOffsets => "reset offsets",
    }
}

/// Tells whether a connector changed in Connect.
pub(super) fn fingerprint(listed: Option<&Listed>) -> u64 {
    let mut hasher = DefaultHasher::new();
    listed.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn actual(listed: &Listed) -> Actual {
    /// Characters of a stack: more than any status repeats.
    const LONGEST_TRACE: usize = 4000;

    let part = |condition: &connect_client::model::Condition| Part {
        state: State::of(condition.state.as_str()),
        worker: condition.worker_id.clone(),
        trace: condition.trace.as_deref().map(|trace| trace.chars().take(LONGEST_TRACE).collect()),
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
