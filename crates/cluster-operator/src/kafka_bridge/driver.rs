//! What the steps of a pass (see [`crate::kind`]) mean for a KafkaBridge resource.

use std::collections::BTreeSet;
use std::time::Duration;

use api::KafkaBridge;
use api::conditions::reasons;
use api::kafka_bridge::KafkaBridgeStatus;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::batches::Interruption;
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::leader::{Lapsed, Mandate};
use operator_runtime::watch::{Cache, ObjectRef};
use planner::completion::NeverComplete;
use planner::kafka_bridge::observed::{Live, View};
use planner::kafka_bridge::plan::Plan;
use planner::kafka_bridge::{references, status};
use planner::workers::need::Need;
use thiserror::Error;

use crate::caches::{self, Caches, KAFKA_BRIDGE};
use crate::carry_out::{self, PlannedFor};
use crate::kind::{AnswersOf, Kind, Seen};
use crate::workers;
use crate::workers::observe::{Observer, Repeated};

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

/// Looks after KafkaBridge resources. One for the whole process.
pub(crate) struct Bridges {
    caches: Caches,
    applier: Applier,
    observer: Observer,
    mandate: Mandate,
}

impl Bridges {
    /// From the parts that all passes share.
    pub(crate) fn new(caches: Caches, applier: Applier, observer: Observer, mandate: Mandate) -> Self {
        Self { caches, applier, observer, mandate }
    }

    async fn write_status(&self, key: &ObjectRef, status: &KafkaBridgeStatus) -> Result<(), ApplyError> {
        carry_out::status(&self.applier, &self.caches.bridges, key, status).await
    }

    /// Says in the status why a pass failed.
    async fn tell(
        &self,
        key: &ObjectRef,
        bridge: &KafkaBridge,
        plan: Option<&Plan>,
        reason: &str,
        why: &str,
    ) {
        let planned = plan.and_then(|plan| plan.status.as_ref());
        let status = status::failed(bridge, planned, reason, why, clock::now());
        if let Err(unwritten) = self.write_status(key, &status).await {
            tracing::warn!(bridge = %key, error = %unwritten, "cannot say in the status why the pass failed");
        }
    }
}

impl Kind for Bridges {
    const NAME: &'static str = KAFKA_BRIDGE;
    type Resource = KafkaBridge;
    type Observed = View;
    type Said = ();
    type Error = Error;

    fn resources(&self) -> &Cache<KafkaBridge> {
        &self.caches.bridges
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<View>, Error> {
        if self.caches.bridges.unreadable(key).is_some() {
            // It is there. What runs is left as it is; its status says so already.
            return Ok(Seen::Settled(Outcome::Done));
        }
        let owner = caches::bridge(key);
        let Some(bridge) = self.caches.bridges.get(key) else {
            if !self.caches.bridges.is_ready() {
                return Ok(Seen::Settled(Outcome::Again(KIND_UNKNOWN)));
            }
            return Ok(match self.observer.left_behind::<KafkaBridge>(&owner).await? {
                Some(left) if !left.is_empty() => Seen::Live(View::Leaving(left)),
                _ => Seen::Settled(Outcome::Done),
            });
        };
        if bridge.metadata.deletion_timestamp.is_some() {
            return Ok(Seen::Settled(Outcome::Done));
        }
        let annotations = bridge.metadata.annotations.as_ref();
        if api::annotations::is_true(annotations, api::annotations::PAUSE_RECONCILIATION) {
            return Ok(Seen::Live(View::Paused(bridge)));
        }
        // A Deployment says once what all of its pods repeat.
        let repeated =
            Repeated { workers: Some(1), bytes: self.caches.bridges.bytes_when_read(key), connectors: 0 };
        match self.observer.observe(&owner, references::of(&bridge), repeated, BTreeSet::new()).await {
            Ok((observed, _)) => Ok(Seen::Live(View::Live(Box::new(Live { bridge, observed })))),
            Err(error) => {
                self.mandate.check()?;
                let error = Error::from(error);
                self.tell(key, &bridge, None, error.reason(), &error.to_string()).await;
                Err(error)
            }
        }
    }

    async fn answer(&self, _: &ObjectRef, _: &View, needs: Vec<Need>) -> Result<AnswersOf<Self>, Error> {
        Ok(workers::answer(&self.applier, &self.caches, needs).await)
    }

    async fn write(&self, key: &ObjectRef, view: &View, plan: &mut Plan) -> Result<(), Error> {
        if let View::Live(live) = view {
            let owner = PlannedFor::new(&self.caches.bridges, key, &*live.bridge);
            let written = carry_out::writes(&self.applier, owner, std::mem::take(&mut plan.apply)).await?;
            if let Some(failed) = written.failed {
                return Err(failed.into());
            }
        }
        carry_out::deletions(&self.applier, &self.mandate, &plan.delete).await?;
        Ok(())
    }

    /// There are none: Kubernetes restarts the pods of a Deployment by itself.
    async fn call(&self, _: &ObjectRef, _: &View, (): &()) -> Result<(), Error> {
        Ok(())
    }

    async fn finish(
        &self,
        key: &ObjectRef,
        _: &View,
        plan: &Plan,
        _: Vec<Result<(), Error>>,
    ) -> Result<Outcome, Error> {
        if let Some(status) = &plan.status {
            self.write_status(key, status).await?;
        }
        for reason in &plan.waiting_for {
            tracing::debug!(bridge = %key, reason, "waiting");
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
        match (error, view) {
            (Error::Apply(carry_out::Error::Outdated { kind, name }), _) => {
                tracing::debug!(bridge = %key, kind, name, "the caches are behind");
                Ok(Outcome::Again(OUTDATED))
            }
            (error @ (Error::Lapsed(_) | Error::Apply(carry_out::Error::Lapsed(_))), _) => Err(error),
            (error, View::Live(live)) => {
                self.tell(key, &live.bridge, plan, error.reason(), &error.to_string()).await;
                Err(error)
            }
            (error, _) => Err(error),
        }
    }

    async fn interrupted(&self, key: &ObjectRef, why: &Interruption) {
        let Some(bridge) = self.caches.bridges.get(key) else { return };
        let why = format!("the pass over the resource did not come to its end and is made again: {why}");
        self.tell(key, &bridge, None, reasons::INTERNAL_ERROR, &why).await;
    }
}
