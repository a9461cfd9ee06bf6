//! What the steps of a pass (see [`crate::kind`]) mean for a KafkaConnect resource.

use std::sync::Arc;
use std::time::Duration;

use api::KafkaConnect;
use api::conditions::reasons;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::batches::Interruption;
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::events::{self, Events};
use operator_runtime::leader::{Lapsed, Mandate};
use operator_runtime::watch::{Cache, ObjectRef};
use planner::completion::NeverComplete;
use planner::kafka_connect::observed::{Live, View};
use planner::kafka_connect::plan::Plan;
use planner::kafka_connect::{references, status};
use planner::workers::need::{Answer, Need, Silence, SilenceKind};
use planner::workers::roll::WorkerRestart;
use thiserror::Error;

use super::plugins::KnownPlugins;
use crate::caches::{self, Caches, KAFKA_CONNECT};
use crate::carry_out::{self, PlannedFor};
use crate::kind::{AnswersOf, Kind, Seen};
use crate::room::BUSY;
use crate::workers::observe::{Observer, Repeated};
use crate::workers::{self, Places, Restarted, Restarter};

/// When to try again what the caches were behind for: the watch brings what changed, and this is for the case that it brought it
/// already.
const OUTDATED: Duration = Duration::from_secs(1);
/// When to look again for what is left of a resource while nothing is known of its kind.
const KIND_UNKNOWN: Duration = Duration::from_mins(1);

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
}

impl Error {
    /// Reason of the condition that tells of it.
    fn reason(&self) -> &'static str {
        match self {
            Self::Kubernetes(_) | Self::Apply(_) => reasons::KUBERNETES_ERROR,
            Self::NeverComplete(_) | Self::Lapsed(_) => reasons::INTERNAL_ERROR,
        }
    }
}

/// Looks after KafkaConnect resources. One for the whole process.
pub(crate) struct Connects {
    caches: Caches,
    applier: Applier,
    observer: Observer,
    events: Events,
    mandate: Mandate,
    /// What workers said of their plug-ins.
    plugins: KnownPlugins,
    places: Places,
    restarted: Restarted,
}

impl Connects {
    /// From the parts that all passes share.
    pub(crate) fn new(
        caches: Caches,
        applier: Applier,
        observer: Observer,
        events: Events,
        plugins: KnownPlugins,
        room: crate::room::Room,
        mandate: Mandate,
    ) -> Self {
        let restarted = Restarted::default();
        Self { caches, applier, observer, events, mandate, plugins, places: Places::of(room), restarted }
    }

    async fn write_status(
        &self,
        key: &ObjectRef,
        status: &api::kafka_connect::KafkaConnectStatus,
    ) -> Result<(), ApplyError> {
        carry_out::status(&self.applier, &self.caches.connects, key, status).await
    }

    /// Says in the status why a pass failed.
    async fn tell(
        &self,
        key: &ObjectRef,
        connect: &KafkaConnect,
        plan: Option<&Plan>,
        reason: &str,
        why: &str,
    ) {
        let planned = plan.and_then(|plan| plan.status.as_ref());
        let status = status::failed(connect, planned, reason, why, clock::now());
        if let Err(unwritten) = self.write_status(key, &status).await {
            tracing::warn!(connect = %key, error = %unwritten, "cannot say in the status why the pass failed");
        }
    }
}

impl Kind for Connects {
    const NAME: &'static str = KAFKA_CONNECT;
    type Resource = KafkaConnect;
    type Observed = View;
    type Said = ();
    type Error = Error;

    fn resources(&self) -> &Cache<KafkaConnect> {
        &self.caches.connects
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<View>, Error> {
        if self.caches.connects.unreadable(key).is_some() {
            // It is there. What runs is left as it is; its status says so already.
            return Ok(Seen::Settled(Outcome::Done));
        }
        let Some(connect) = self.caches.connects.get(key) else {
            self.restarted.forget(key);
            self.plugins.forget(key);
            if !self.caches.connects.is_ready() {
                return Ok(Seen::Settled(Outcome::Again(KIND_UNKNOWN)));
            }
            return Ok(match self.observer.left_behind::<KafkaConnect>(&caches::connect(key)).await? {
                Some(left) if !left.is_empty() => Seen::Live(View::Leaving(left)),
                _ => Seen::Settled(Outcome::Done),
            });
        };
        if connect.metadata.deletion_timestamp.is_some() {
            return Ok(Seen::Settled(Outcome::Done));
        }
        let annotations = connect.metadata.annotations.as_ref();
        if api::annotations::is_true(annotations, api::annotations::PAUSE_RECONCILIATION) {
            return Ok(Seen::Live(View::Paused(connect)));
        }
        let owner = caches::connect(key);
        let restarted = self.restarted.still_shown(&self.caches, &owner);
        let bytes = self.caches.connects.bytes_when_read(key);
        let repeated = Repeated { workers: connect.spec.replicas, bytes, connectors: 0 };
        if !self.places.take_to_read(key, self.caches.bytes_of(&owner)) {
            return Ok(Seen::Settled(BUSY));
        }
        match self.observer.observe(&owner, references::of(&connect), repeated, restarted).await {
            Ok((mut observed, bytes)) => {
                if !self.places.widen(key, bytes) {
                    return Ok(Seen::Settled(BUSY));
                }
                observed.sharing = self.caches.sharing(key, &connect);
                observed.plugins = self.plugins.of(key, &observed.fingerprint_of_pods());
                Ok(Seen::Live(View::Live(Box::new(Live { connect, observed }))))
            }
            Err(error) => {
                self.places.leave(key);
                self.mandate.check()?;
                let error = Error::from(error);
                self.tell(key, &connect, None, error.reason(), &error.to_string()).await;
                Err(error)
            }
        }
    }

    async fn answer(&self, key: &ObjectRef, view: &View, needs: Vec<Need>) -> Result<AnswersOf<Self>, Error> {
        let (of_plugins, others): (Vec<_>, Vec<_>) =
            needs.into_iter().partition(|need| matches!(need, Need::Plugins(_)));
        let mut answers = workers::answer(&self.applier, &self.caches, others).await;
        for need in of_plugins {
            if let (Need::Plugins(pods), View::Live(live)) = (&need, view) {
                self.plugins.ask(key, live.connect.metadata.uid.clone(), pods);
            }
            // The pass that its answer brings knows it.
            let silence = Silence::new(SilenceKind::UnderWay, "Kafka Connect is being asked");
            answers.push((need, Answer::Unknown(silence)));
        }
        Ok(answers)
    }

    async fn write(&self, key: &ObjectRef, view: &View, plan: &mut Plan) -> Result<(), Error> {
        if let View::Live(live) = view {
            let owner = PlannedFor::new(&self.caches.connects, key, &*live.connect);
            let written = carry_out::writes(&self.applier, owner, std::mem::take(&mut plan.apply)).await?;
            if let Some(failed) = written.failed {
                return Err(failed.into());
            }
        }
        carry_out::deletions(&self.applier, &self.mandate, &plan.delete).await?;
        Ok(())
    }

    /// Deletes the pod of a worker: the pod set makes it anew.
    async fn call(&self, key: &ObjectRef, view: &View, restart: &WorkerRestart) -> Result<(), Error> {
        let View::Live(live) = view else { return Ok(()) };
        let Some(pod) = live.observed.pods.get(&restart.pod) else { return Ok(()) };
        self.mandate.check()?;
        let restarter =
            Restarter { applier: &self.applier, events: &self.events, restarted: &self.restarted };
        Ok(restarter.restart(key, &events::reference(&*live.connect), pod, restart).await?)
    }

    async fn finish(
        &self,
        key: &ObjectRef,
        _: &View,
        plan: &Plan,
        said: Vec<Result<(), Error>>,
    ) -> Result<Outcome, Error> {
        self.places.leave(key);
        for said in said {
            said?;
        }
        if let Some(status) = &plan.status {
            self.write_status(key, status).await?;
        }
        for reason in &plan.waiting_for {
            tracing::debug!(connect = %key, reason, "waiting");
        }
        Ok(plan.requeue_seconds.map_or(Outcome::Done, |seconds| Outcome::Again(Duration::from_secs(seconds))))
    }

    async fn failed(
        &self,
        key: &ObjectRef,
        view: &View,
        plan: Option<&Plan>,
        error: Error,
    ) -> Result<Outcome, Error> {
        self.places.leave(key);
        match (error, view) {
            (Error::Apply(carry_out::Error::Outdated { kind, name }), _) => {
                tracing::debug!(connect = %key, kind, name, "the caches are behind");
                Ok(Outcome::Again(OUTDATED))
            }
            (error @ (Error::Lapsed(_) | Error::Apply(carry_out::Error::Lapsed(_))), _) => Err(error),
            (error, View::Live(live)) => {
                self.tell(key, &live.connect, plan, error.reason(), &error.to_string()).await;
                Err(error)
            }
            (error, _) => Err(error),
        }
    }

    async fn interrupted(&self, key: &ObjectRef, why: &Interruption) {
        self.places.leave(key);
        let Some(connect) = self.caches.connects.get(key) else { return };
        let connect = Arc::clone(&connect);
        let why = format!("the pass over the resource did not come to its end and is made again: {why}");
        self.tell(key, &connect, None, reasons::INTERNAL_ERROR, &why).await;
    }
}
