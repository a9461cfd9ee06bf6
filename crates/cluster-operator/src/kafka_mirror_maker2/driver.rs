//! What the steps of a pass (see [`crate::kind`]) mean for a KafkaMirrorMaker2 resource.

use std::sync::Arc;
use std::time::Duration;

use api::annotations::{CONNECTOR_OFFSETS, MIRRORMAKER_CONNECTOR};
use api::conditions::{events as words_of_events, reasons};
use api::{KafkaMirrorMaker2, KafkaMirrorMaker2Status};
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::batches::Interruption;
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::events::{self, Events, Note, Severity};
use operator_runtime::leader::{Lapsed, Mandate};
use operator_runtime::watch::{Cache, ObjectRef, OwnerRef};
use planner::completion::{NeverComplete, Observation as _};
use planner::kafka_connector::asked::Annotation;
use planner::kafka_connector::offsets::Holder;
use planner::kafka_connector::transition::Doing;
use planner::kafka_mirror_maker2::observed::{Connect, Live};
use planner::kafka_mirror_maker2::plan::{Call, Plan};
use planner::kafka_mirror_maker2::view::View;
use planner::kafka_mirror_maker2::{form, references, status};
use planner::pod_words::is_ready;
use planner::workers::need::Need;
use serde_json::json;
use thiserror::Error;
use tokio::time::Instant;

use super::memory::{Memories, Memory};
use super::others::{bytes_of_connectors, see_others};
use crate::caches::{self, Caches, KAFKA_MIRROR_MAKER2};
use crate::carry_out::{self, PlannedFor};
use crate::kafka_connector::apis::{Apis, Look};
use crate::kafka_connector::calls::{self, Failed, Subject};
use crate::kafka_connector::driver::{actual, words};
use crate::kind::{AnswersOf, Kind, Seen};
use crate::workers::observe::{Observer, Repeated};
use crate::workers::{self, Restarted, Restarter};

/// When to try again what the caches were behind for: the watch brings what changed, and this is for the case that it brought it
/// already.
const OUTDATED: Duration = Duration::from_secs(1);
/// When to look again for what is left of a resource while nothing is known of its kind.
const KIND_UNKNOWN: Duration = Duration::from_mins(1);
/// How old a list of connectors may be for a pass that nothing was called for in between: events that come together share one.
const RECENT: Duration = Duration::from_secs(1);
/// When to look what became of a call.
const NEXT: Duration = Duration::from_millis(100);

/// What can end a pass early. The pass is repeated with back-off.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// Kubernetes refused something.
    #[error(transparent)]
    Kubernetes(#[from] ApplyError),
    /// A plan could not be carried out.
    #[error(transparent)]
    Apply(#[from] carry_out::Error),
    /// The plan asks again and again.
    #[error(transparent)]
    NeverComplete(#[from] NeverComplete),
    /// Another process may lead.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
    /// Kafka Connect did not do what it was asked for.
    #[error(transparent)]
    Call(#[from] Failed),
    /// A connector that the resource does not ask for was not removed.
    #[error(transparent)]
    Removal(Failed),
}

impl Error {
    /// Reason of the condition that tells of it.
    fn reason(&self) -> &'static str {
        match self {
            Self::Kubernetes(_) | Self::Apply(_) => reasons::KUBERNETES_ERROR,
            Self::NeverComplete(_) | Self::Lapsed(_) => reasons::INTERNAL_ERROR,
            Self::Call(_) | Self::Removal(_) => reasons::CONNECT_REST,
        }
    }
}

/// The parts that all passes share.
pub(crate) struct Parts {
    pub caches: Caches,
    pub applier: Applier,
    pub observer: Observer,
    pub events: Events,
    pub mandate: Mandate,
    pub apis: Arc<Apis>,
    /// Counts automatic restarts of connectors.
    pub auto_restarts: prometheus::Counter,
}

/// Looks after KafkaMirrorMaker2 resources. One for the whole process.
pub(crate) struct MirrorMakers {
    parts: Parts,
    restarted: Restarted,
    memories: Memories,
}

impl MirrorMakers {
    /// From its parts.
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts, restarted: Restarted::default(), memories: Memories::default() }
    }

    async fn write_status(
        &self,
        key: &ObjectRef,
        status: &KafkaMirrorMaker2Status,
    ) -> Result<(), ApplyError> {
        carry_out::status(&self.parts.applier, &self.parts.caches.mirror_makers, key, status).await
    }

    /// Says in the status why a pass failed.
    async fn tell(
        &self,
        key: &ObjectRef,
        resource: &KafkaMirrorMaker2,
        plan: Option<&Plan>,
        reason: &str,
        why: &str,
    ) {
        let planned = plan.and_then(|plan| plan.status.as_ref());
        let status = status::failed(resource, planned, reason, why, clock::now());
        if let Err(unwritten) = self.write_status(key, &status).await {
            tracing::warn!(mirror_maker = %key, error = %unwritten, "cannot say in the status why the pass failed");
        }
    }

    async fn look(&self, owner: &OwnerRef, resource: &Arc<KafkaMirrorMaker2>) -> Result<Live, ApplyError> {
        let (key, parts) = (&owner.object, &self.parts);
        let restarted = self.restarted.still_shown(&parts.caches, owner);
        let bytes = parts.caches.mirror_makers.bytes_when_read(key);
        let connectors = bytes_of_connectors(resource, bytes);
        let repeated = Repeated { workers: resource.spec.replicas, bytes, connectors };
        let (mut observed, _) =
            parts.observer.observe(owner, references::of(resource), repeated, restarted).await?;
        observed.sharing = parts.caches.sharing_of_mirror_maker(key, resource);
        let mut memory = self.memories.of(key, resource.metadata.uid.as_deref());
        let present = resource.metadata.annotations.clone().unwrap_or_default();
        memory.answered.retain(|done| done.is_in(&present));
        let has_worker = observed.pods.values().any(|pod| is_ready(pod));
        let connect = if has_worker {
            let pods = observed.fingerprint_of_pods();
            self.ask(key, resource, pods, &mut memory).await
        } else {
            Connect::Unasked
        };
        let Memory { past, answered, removals, .. } = memory.clone();
        self.memories.change(key, |known| {
            (known.removals, known.wanted, known.plugins) = (memory.removals, memory.wanted, memory.plugins);
        });
        Ok(Live { resource: Arc::clone(resource), observed, connect, past, answered, removals })
    }

    /// What Connect says of its connectors.
    async fn ask(
        &self,
        key: &ObjectRef,
        resource: &KafkaMirrorMaker2,
        pods: String,
        memory: &mut Memory,
    ) -> Connect {
        let recent = Instant::now().checked_sub(RECENT).unwrap_or_else(Instant::now);
        let not_before = memory.not_before.map_or(recent, |not_before| not_before.max(recent));
        let api = match self.parts.apis.of(key, resource.metadata.uid.as_deref()) {
            Ok(api) => api,
            Err(why) => return Connect::Unusable(why),
        };
        match api.look(not_before).await {
            Look::Away { since } => Connect::Away { since },
            Look::Unusable(why) => Connect::Unusable(why),
            Look::Here(all) => {
                let wanted = form::connector_names(resource);
                see_others(key, &api, &all, &wanted, memory).await;
                // What workers offer changes only when one starts.
                if memory.plugins.as_ref().is_none_or(|(known, _)| *known != pods)
                    && let Ok(plugins) = api.connector_plugins().await
                {
                    memory.plugins = Some((pods, plugins));
                }
                let plugins = memory.plugins.as_ref().map(|(_, plugins)| plugins.clone());
                let found = wanted.into_iter().filter_map(|name| {
                    let found = actual(all.get(&name)?);
                    Some((name, found))
                });
                Connect::Here { connectors: found.collect(), plugins }
            }
        }
    }

    /// Takes an annotation off whose work is done, unless it asks for something else by now.
    async fn take_off(
        &self,
        key: &ObjectRef,
        resource: &KafkaMirrorMaker2,
        done: &Annotation,
    ) -> Result<(), ApplyError> {
        let applier = &self.parts.applier;
        let mut version = resource.metadata.resource_version.clone();
        for _ in 0..3 {
            let mut gone = json!({done.key: null});
            if done.key == CONNECTOR_OFFSETS {
                gone[MIRRORMAKER_CONNECTOR] = json!(null);
            }
            let patch = json!({"metadata": {"resourceVersion": version, "annotations": gone}});
            match applier.merge::<KafkaMirrorMaker2>(key, &patch).await {
                Err(error) if error.is_conflict() => {}
                other => return other.map(drop),
            }
            let fresh = applier.get::<KafkaMirrorMaker2>(key).await?;
            let value =
                |fresh: &KafkaMirrorMaker2| fresh.metadata.annotations.as_ref()?.get(done.key).cloned();
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

    /// Notes a call about a connector that was made, and tells of it where that is of interest.
    fn note_made(&self, key: &ObjectRef, resource: &KafkaMirrorMaker2, name: &str, doing: &Doing) {
        self.memories.change(key, |memory| {
            let past = memory.past.entry(name.to_owned()).or_default();
            past.note_made(&doing.call, clock::now());
            if doing.restarts.is_some() {
                past.restarted.clone_from(&doing.restarts);
            }
            memory.answered.extend(doing.answers.clone());
        });
        tracing::info!(mirror_maker = %key, connector = name, call = words(&doing.call), "Kafka Connect was called");
        let Some(count) = doing.restarts.as_ref().and_then(|restarts| restarts.count) else { return };
        self.parts.auto_restarts.inc();
        let text =
            format!("what has failed of connector {name} was restarted, for the {count}. time in a row");
        self.publish(resource, words_of_events::CONNECTOR_RESTARTED, text, Severity::Warning);
    }

    fn publish(&self, resource: &KafkaMirrorMaker2, reason: &str, text: String, severity: Severity) {
        self.parts.events.publish(Note {
            regarding: events::reference(resource),
            related: None,
            reason: reason.to_owned(),
            action: words_of_events::MANAGE_CONNECTOR.to_owned(),
            text,
            severity,
        });
    }

    /// The status after calls that were not made: planned as ever, so that it counts no restart that was none.
    fn told(&self, key: &ObjectRef, live: &Live) -> Option<KafkaMirrorMaker2Status> {
        let mut live = live.clone();
        let memory = self.memories.of(key, live.resource.metadata.uid.as_deref());
        (live.past, live.removals) = (memory.past, memory.removals);
        View::Live(Box::new(live)).plan(clock::now()).status
    }

    /// Notes what came of the calls; whether all were made. The first error that is none of a call ends the pass.
    async fn note(
        &self,
        key: &ObjectRef,
        live: &Live,
        plan: &Plan,
        said: Vec<Result<(), Error>>,
    ) -> Result<bool, Error> {
        let resource = live.resource.as_ref();
        let mut all_made = true;
        for (call, said) in plan.calls.iter().zip(said) {
            match (call, said) {
                (Call::Connector { name, doing, .. }, Ok(())) => {
                    self.note_made(key, resource, name, doing);
                    if let Some(done) = &doing.answers {
                        self.take_off(key, resource, done).await?;
                    }
                }
                (Call::Connector { name, doing, .. }, Err(Error::Call(failed))) => {
                    tracing::debug!(mirror_maker = %key, connector = name, error = %failed, "a call was not made");
                    all_made = false;
                    self.memories.change(key, |memory| {
                        let past = memory.past.entry(name.clone()).or_default();
                        past.note_failed(&doing.call, failed.kind, failed.message, clock::now());
                    });
                }
                (Call::Remove { name }, Ok(())) => {
                    self.memories.change(key, |memory| memory.removals.note_gone(name));
                }
                (Call::Remove { name }, Err(Error::Removal(Failed { kind, message }))) => {
                    tracing::warn!(mirror_maker = %key, connector = name, error = message, "a connector was not removed");
                    all_made = false;
                    self.memories.change(key, |memory| {
                        memory.removals.note_failed(name, kind, message, clock::now());
                    });
                }
                (_, said) => said?,
            }
        }
        Ok(all_made)
    }
}

impl Kind for MirrorMakers {
    const NAME: &'static str = KAFKA_MIRROR_MAKER2;
    /// A call that takes long keeps no other call of the pass from being made.
    const CALLS_AT_A_TIME: usize = 64;
    type Resource = KafkaMirrorMaker2;
    type Observed = View;
    type Said = ();
    type Error = Error;

    fn resources(&self) -> &Cache<KafkaMirrorMaker2> {
        &self.parts.caches.mirror_makers
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<View>, Error> {
        let resources = &self.parts.caches.mirror_makers;
        if resources.unreadable(key).is_some() {
            // It is there. What runs is left as it is; its status says so already.
            return Ok(Seen::Settled(Outcome::Done));
        }
        let owner = caches::mirror_maker(key);
        let Some(resource) = resources.get(key) else {
            self.restarted.forget(key);
            self.memories.forget(key);
            self.parts.apis.forget(key);
            if !resources.is_ready() {
                return Ok(Seen::Settled(Outcome::Again(KIND_UNKNOWN)));
            }
            return Ok(match self.parts.observer.left_behind::<KafkaMirrorMaker2>(&owner).await? {
                Some(left) if !left.is_empty() => Seen::Live(View::Leaving(left)),
                _ => Seen::Settled(Outcome::Done),
            });
        };
        if resource.metadata.deletion_timestamp.is_some() {
            return Ok(Seen::Settled(Outcome::Done));
        }
        let annotations = resource.metadata.annotations.as_ref();
        if api::annotations::is_true(annotations, api::annotations::PAUSE_RECONCILIATION) {
            return Ok(Seen::Live(View::Paused(resource)));
        }
        match self.look(&owner, &resource).await {
            Ok(live) => {
                let mut view = View::Live(Box::new(live));
                view.prepare(clock::now());
                if let View::Live(live) = &view {
                    let (past, answered) = (live.past.clone(), live.answered.clone());
                    self.memories.change(key, |memory| (memory.past, memory.answered) = (past, answered));
                }
                Ok(Seen::Live(view))
            }
            Err(error) => {
                self.parts.mandate.check()?;
                let error = Error::from(error);
                self.tell(key, &resource, None, error.reason(), &error.to_string()).await;
                Err(error)
            }
        }
    }

    async fn answer(&self, _: &ObjectRef, _: &View, needs: Vec<Need>) -> Result<AnswersOf<Self>, Error> {
        Ok(workers::answer(&self.parts.applier, &self.parts.caches, needs).await)
    }

    async fn write(&self, key: &ObjectRef, view: &View, plan: &mut Plan) -> Result<(), Error> {
        let Parts { caches, applier, mandate, .. } = &self.parts;
        if let View::Live(live) = view {
            let owner = PlannedFor::new(&caches.mirror_makers, key, &*live.resource);
            let written = carry_out::writes(applier, owner, std::mem::take(&mut plan.apply)).await?;
            if let Some(failed) = written.failed {
                return Err(failed.into());
            }
        }
        carry_out::deletions(applier, mandate, &plan.delete).await?;
        Ok(())
    }

    async fn call(&self, key: &ObjectRef, view: &View, call: &Call) -> Result<(), Error> {
        let View::Live(live) = view else { return Ok(()) };
        let Parts { applier, events, mandate, apis, .. } = &self.parts;
        mandate.check()?;
        let api = || apis.of(key, live.resource.metadata.uid.as_deref()).map_err(Failed::unasked);
        match call {
            Call::Restart(restart) => {
                let Some(pod) = live.observed.pods.get(&restart.pod) else { return Ok(()) };
                let restarter = Restarter { applier, events, restarted: &self.restarted };
                Ok(restarter.restart(key, &events::reference(&*live.resource), pod, restart).await?)
            }
            Call::Connector { name, offsets_key, doing } => {
                let holder = Holder::of(&*live.resource);
                let subject = Subject { holder, name, offsets_key };
                Ok(calls::make(&*api()?, mandate, applier, &subject, &doing.call).await?)
            }
            Call::Remove { name } => {
                let api = api().map_err(Error::Removal)?;
                let removed = calls::remove(&api, name, || mandate.check().is_ok()).await;
                if removed.map_err(|error| Error::Removal(error.into()))? {
                    tracing::info!(mirror_maker = %key, connector = name, "removed a connector that the resource does not ask for");
                    let text =
                        format!("connector {name} was removed, since the resource does not ask for it");
                    self.publish(&live.resource, words_of_events::CONNECTOR_REMOVED, text, Severity::Normal);
                }
                Ok(())
            }
        }
    }

    async fn finish(
        &self,
        key: &ObjectRef,
        view: &View,
        plan: &Plan,
        said: Vec<Result<(), Error>>,
    ) -> Result<Outcome, Error> {
        let (mut again, mut status) = (plan.again, plan.status.clone());
        if let View::Live(live) = view {
            for done in &plan.take_off {
                self.take_off(key, &live.resource, done).await?;
            }
            let mut made = plan.calls.iter().zip(&said).filter(|(_, said)| said.is_ok());
            let has_called = made.any(|(call, _)| !matches!(call, Call::Restart(_)));
            if !self.note(key, live, plan, said).await? {
                status = self.told(key, live);
            }
            if has_called {
                again = Some(NEXT);
            }
            self.memories.change(key, |memory| memory.not_before = Some(Instant::now()));
        }
        if let Some(status) = &status {
            self.write_status(key, status).await?;
        }
        for reason in &plan.waiting_for {
            tracing::debug!(mirror_maker = %key, reason, "waiting");
        }
        Ok(again.map_or(Outcome::Done, Outcome::Again))
    }

    async fn failed(
        &self,
        key: &ObjectRef,
        view: &View,
        plan: Option<&Plan>,
        error: Error,
    ) -> Result<Outcome, Error> {
        match (error, view) {
            (Error::Apply(carry_out::Error::Outdated { kind, name }), _) => {
                tracing::debug!(mirror_maker = %key, kind, name, "the caches are behind");
                Ok(Outcome::Again(OUTDATED))
            }
            (error @ (Error::Lapsed(_) | Error::Apply(carry_out::Error::Lapsed(_))), _) => Err(error),
            (error, View::Live(live)) => {
                self.tell(key, &live.resource, plan, error.reason(), &error.to_string()).await;
                Err(error)
            }
            (error, _) => Err(error),
        }
    }

    async fn interrupted(&self, key: &ObjectRef, why: &Interruption) {
        let Some(resource) = self.parts.caches.mirror_makers.get(key) else { return };
        let why = format!("the pass over the resource did not come to its end and is made again: {why}");
        self.tell(key, &resource, None, reasons::INTERNAL_ERROR, &why).await;
    }
}
