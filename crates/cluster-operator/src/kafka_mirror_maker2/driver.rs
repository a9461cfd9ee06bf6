//! What the steps of a pass (see [`crate::kind`]) mean for a KafkaMirrorMaker2 resource.

use std::sync::Arc;
use std::time::Duration;

use api::annotations::{CONNECTOR_OFFSETS, MIRRORMAKER_CONNECTOR};
use api::{KafkaMirrorMaker2, KafkaMirrorMaker2Status};
use k8s_openapi::api::core::v1::Pod;
use operator_runtime::apply::ApplyError;
use operator_runtime::clock;
use operator_runtime::watch::{Cache, ObjectRef, OwnerRef};
use planner::completion::Observation as _;
use planner::kafka_connector::asked::Annotation;
use planner::kafka_connector::offsets::Holder;
use planner::kafka_connector::transition::Doing;
use planner::kafka_mirror_maker2::observed::{Connect, LiveMirrorMaker2};
use planner::kafka_mirror_maker2::plan::{MirrorMaker2Call, MirrorMaker2Plan};
use planner::kafka_mirror_maker2::view::MirrorMaker2View;
use planner::kafka_mirror_maker2::{form, references};
use planner::pod_words::is_ready;
use planner::workers::need::WorkerNeed;
use planner::workers::plan_size::Repeated;
use planner::workers::sharing::Sharing;
use tokio::time::Instant;

use super::memory::{Memories, Memory};
use super::others::{bytes_of_connectors, see_others};
use super::progress::Progresses;
use crate::caches::{self, Caches, KAFKA_MIRROR_MAKER2};
use crate::deleted_pods::DeletedPods;
use crate::kafka_connector::apis::{Apis, Look};
use crate::kafka_connector::calls::{self, Failed, Subject};
use crate::kafka_connector::driver::{actual, words};
use crate::kafka_connector::plugins::KnownPlugins;
use crate::kafka_connector::sharers::Sharers;
use crate::kafka_connector::take_off::take_off;
use crate::kind::{After, AnswersOf, Done, Error, Kind, Means, Seen, StatusAfter};
use crate::room::{BUSY, Place};
use crate::workers::observe::Observer;
use crate::workers::{self, Found};

/// How old a list of connectors may be for a pass that nothing was called for in between: events that come together share one.
const RECENT: Duration = Duration::from_secs(1);
/// When to look what became of a call.
const NEXT: Duration = Duration::from_millis(100);

/// What came of a call.
#[derive(Debug)]
pub(crate) enum Made {
    /// Whether the pod of a worker was deleted.
    Restart(bool),
    /// Whether a call about a connector was made.
    Connector(Result<(), Failed>),
    /// Whether there was a connector to remove.
    Removal(Result<bool, Failed>),
}

/// The parts that all passes share.
pub(crate) struct Parts {
    pub caches: Caches,
    pub means: Means,
    pub observer: Observer,
    pub apis: Arc<Apis>,
    /// Who has the same connectors.
    pub sharers: Arc<Sharers>,
    pub plugins: KnownPlugins,
    pub progress: Progresses,
    /// Counts automatic restarts of connectors.
    pub auto_restarts: prometheus::Counter,
}

/// Looks after KafkaMirrorMaker2 resources. One for the whole process.
pub(crate) struct MirrorMakers {
    parts: Parts,
    deleted_pods: DeletedPods,
    memories: Memories,
}

impl MirrorMakers {
    /// From its parts.
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts, deleted_pods: DeletedPods::default(), memories: Memories::default() }
    }

    async fn look(
        &self,
        owner: &OwnerRef,
        resource: &Arc<KafkaMirrorMaker2>,
    ) -> Result<Option<(LiveMirrorMaker2, Place)>, ApplyError> {
        let (key, parts) = (&owner.object, &self.parts);
        let mut memory = self.memories.of(key, resource.metadata.uid.as_deref());
        let present = resource.metadata.annotations.clone().unwrap_or_default();
        memory.answered.retain(|done| done.is_in(&present));
        // Before room is taken for the plan, since Connect may take its time.
        let has_worker = parts.caches.pods_of(owner).values().any(|pod| is_ready(pod));
        let mut sharing = parts.caches.sharing_of_mirror_maker(key, resource);
        let connect = if has_worker {
            self.ask(owner, resource, &mut memory, &mut sharing).await
        } else {
            Connect::Unasked
        };
        let bytes = parts.caches.mirror_makers.bytes_when_read(key);
        let connectors = bytes_of_connectors(resource, bytes);
        let repeated = Repeated { workers: resource.spec.replicas, bytes, connectors };
        let references = references::of(resource);
        let seen = parts.observer.observe(owner, references, repeated, &self.deleted_pods).await?;
        let Some((mut observed, place)) = seen else { return Ok(None) };
        observed.sharing = sharing;
        let pods = observed.fingerprint_of_pods();
        observed.plugins = parts.plugins.of(key, &pods);
        observed.missing_plug_ins = parts.plugins.missing(key, &pods);
        let Memory { past, answered, removals, wanted, .. } = memory;
        self.memories.change(key, |known| {
            (known.removals, known.wanted) = (removals.clone(), wanted);
        });
        let progress = parts.progress.of(key, resource);
        let resource = Arc::clone(resource);
        Ok(Some((
            LiveMirrorMaker2 { resource, observed, connect, past, answered, progress, removals },
            place,
        )))
    }

    /// What Connect says of its connectors. What is found out of others is noted, and who of them has the same, where that matters.
    async fn ask(
        &self,
        owner: &OwnerRef,
        resource: &KafkaMirrorMaker2,
        memory: &mut Memory,
        sharing: &mut [Sharing],
    ) -> Connect {
        let key = &owner.object;
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
                if memory.removals.due(clock::now()).next().is_some() {
                    self.parts.sharers.judge(owner, &all, sharing).await;
                }
                let found = wanted.into_iter().filter_map(|name| {
                    let found = actual(all.get(&name)?);
                    Some((name, found))
                });
                Connect::Here(found.collect())
            }
        }
    }

    /// Notes a call about a connector that was made.
    fn note_made(&self, key: &ObjectRef, name: &str, doing: &Doing) {
        self.memories.change(key, |memory| {
            let past = memory.past.entry(name.to_owned()).or_default();
            past.note_made(&doing.call, clock::now());
            if doing.restarts.is_some() {
                past.restarted.clone_from(&doing.restarts);
            }
            memory.answered.extend(doing.answers.clone());
        });
        tracing::info!(mirror_maker = %key, connector = name, call = words(&doing.call), "Kafka Connect was called");
        if doing.event(name, 0).is_some() {
            self.parts.auto_restarts.inc();
        }
    }

    /// Notes what came of a call; `false`: a call about a connector was not made, of which the status is to tell.
    fn note(&self, key: &ObjectRef, call: &MirrorMaker2Call, made: Made) -> bool {
        match (call, made) {
            (MirrorMaker2Call::Connector { name, doing, .. }, Made::Connector(Ok(()))) => {
                self.note_made(key, name, doing);
            }
            (MirrorMaker2Call::Connector { name, doing, .. }, Made::Connector(Err(failed))) => {
                tracing::debug!(mirror_maker = %key, connector = name, error = %failed, "a call was not made");
                self.memories.change(key, |memory| {
                    let past = memory.past.entry(name.clone()).or_default();
                    past.note_failed(&doing.call, failed.kind, failed.message, clock::now());
                });
                return false;
            }
            (MirrorMaker2Call::Remove { name }, Made::Removal(Ok(_))) => {
                self.memories.change(key, |memory| memory.removals.note_gone(name));
            }
            (MirrorMaker2Call::Remove { name }, Made::Removal(Err(Failed { kind, message }))) => {
                tracing::warn!(mirror_maker = %key, connector = name, error = message, "a connector was not removed");
                self.memories.change(key, |memory| {
                    memory.removals.note_failed(name, kind, message, clock::now());
                });
                return false;
            }
            _ => {}
        }
        true
    }
}

/// The annotations that ask for something, of some of which the work is done.
fn keys(done: &[Annotation]) -> Vec<&'static str> {
    let mut keys: Vec<_> = done.iter().map(|done| done.key).collect();
    if keys.contains(&CONNECTOR_OFFSETS) {
        keys.push(MIRRORMAKER_CONNECTOR);
    }
    keys
}

impl Kind for MirrorMakers {
    const NAME: &'static str = KAFKA_MIRROR_MAKER2;
    /// A call that takes long keeps no other call of the pass from being made.
    const CALLS_AT_A_TIME: usize = 64;
    type Resource = KafkaMirrorMaker2;
    type Observed = MirrorMaker2View;
    type Said = Made;

    fn resources(&self) -> &Cache<KafkaMirrorMaker2> {
        &self.parts.caches.mirror_makers
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<MirrorMaker2View>, Error> {
        let owner = caches::mirror_maker(key);
        let resource =
            match workers::find::<LiveMirrorMaker2>(self.resources(), &self.parts.observer, &owner).await? {
                Found::Live(resource) => resource,
                Found::Other(seen) => return Ok(seen),
            };
        let Some((live, place)) = self.look(&owner, &resource).await? else {
            return Ok(Seen::Settled(BUSY));
        };
        let mut view = MirrorMaker2View::Live(Box::new(live));
        view.prepare(clock::now());
        if let MirrorMaker2View::Live(live) = &view {
            let (past, answered) = (live.past.clone(), live.answered.clone());
            self.memories.change(key, |memory| (memory.past, memory.answered) = (past, answered));
        }
        Ok(Seen::Placed(view, place))
    }

    fn looked_after<'a>(&self, view: &'a MirrorMaker2View) -> Option<&'a Arc<KafkaMirrorMaker2>> {
        view.looked_after()
    }

    fn pod<'a>(&self, view: &'a MirrorMaker2View, name: &str) -> Option<&'a Arc<Pod>> {
        let MirrorMaker2View::Live(live) = view else { return None };
        live.observed.pods.get(name)
    }

    async fn answer(
        &self,
        key: &ObjectRef,
        view: &MirrorMaker2View,
        needs: Vec<WorkerNeed>,
    ) -> Result<AnswersOf<Self>, Error> {
        let Parts { means, caches, plugins, .. } = &self.parts;
        let uid = view.looked_after().and_then(|resource| resource.metadata.uid.clone());
        let observed = if let MirrorMaker2View::Live(live) = view { Some(&live.observed) } else { None };
        let (mut answers, others) = plugins.answer(key, uid.as_deref(), observed, needs);
        answers.extend(workers::answer(&means.applier, caches, others).await);
        Ok(answers)
    }

    async fn call(
        &self,
        key: &ObjectRef,
        view: &MirrorMaker2View,
        call: &MirrorMaker2Call,
    ) -> Result<Made, Error> {
        let Parts { means, apis, .. } = &self.parts;
        let Means { applier, mandate, .. } = means;
        mandate.check()?;
        let MirrorMaker2View::Live(live) = view else {
            return Err(Error::Told("the resource is not looked after".to_owned()));
        };
        let api = || apis.of(key, live.resource.metadata.uid.as_deref());
        Ok(match call {
            MirrorMaker2Call::Restart(restart) => {
                let Some(pod) = self.pod(view, &restart.pod) else { return Ok(Made::Restart(false)) };
                Made::Restart(workers::restart(means, &self.deleted_pods, key, pod, restart).await?)
            }
            MirrorMaker2Call::Connector { name, offsets_key, doing } => {
                let subject = Subject { holder: Holder::of(&*live.resource), name, offsets_key };
                Made::Connector(match api() {
                    Ok(api) => calls::make(&api, mandate, applier, &subject, &doing.call).await,
                    Err(why) => Err(Failed::unasked(why)),
                })
            }
            MirrorMaker2Call::Remove { name } => Made::Removal(match api() {
                Ok(api) => calls::remove(&api, name, || mandate.check().is_ok()).await.map_err(Failed::from),
                Err(why) => Err(Failed::unasked(why)),
            }),
        })
    }

    fn has_done(made: &Made) -> bool {
        matches!(made, Made::Restart(true) | Made::Connector(Ok(())) | Made::Removal(Ok(true)))
    }

    async fn after(
        &self,
        key: &ObjectRef,
        view: &MirrorMaker2View,
        plan: &MirrorMaker2Plan,
        done: Done<Made>,
    ) -> Result<After<KafkaMirrorMaker2Status>, Error> {
        let MirrorMaker2View::Live(live) = view else { return Ok(After::default()) };
        let mut after = After::default();
        let mut answered = plan.take_off.clone();
        let mut failed = None;
        for (call, said) in plan.calls.iter().zip(done.said) {
            let made = match said {
                Ok(made) => made,
                Err(error) => {
                    failed.get_or_insert(error);
                    continue;
                }
            };
            let pause = match &made {
                Made::Restart(_) => None,
                Made::Connector(_) | Made::Removal(_) => Some(NEXT),
            };
            after.look_again = after.look_again.into_iter().chain(pause).min();
            let has_called = Self::has_done(&made);
            if !self.note(key, call, made) {
                // It would count restarts that were not made. The next pass knows more.
                after.status = StatusAfter::Left;
            }
            if let (true, MirrorMaker2Call::Connector { doing, .. }) = (has_called, call) {
                answered.extend(doing.answers.clone());
            }
        }
        self.memories.change(key, |memory| memory.not_before = Some(Instant::now()));
        if plan.asks_progress {
            let question =
                || planner::kafka_mirror_maker2::progress::question(&live.resource, &live.observed);
            self.parts.progress.look(key, &live.resource, question);
        }
        if !take_off(&self.parts.means.applier, key, &*live.resource, keys(&answered)).await? {
            after.look_again = Some(NEXT);
        }
        failed.map_or(Ok(after), Err)
    }

    fn forget(&self, key: &ObjectRef) {
        self.deleted_pods.forget(key);
        self.memories.forget(key);
        self.parts.apis.forget(key);
        self.parts.sharers.forget(&caches::mirror_maker(key));
        self.parts.plugins.forget(key);
        self.parts.progress.forget(key);
    }
}
