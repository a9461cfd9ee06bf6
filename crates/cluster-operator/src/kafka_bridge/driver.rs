//! What the steps of a pass (see [`crate::kind`]) mean for a KafkaBridge resource.

use std::sync::Arc;

use api::KafkaBridge;
use operator_runtime::watch::{Cache, ObjectRef};
use planner::kafka_bridge::observed::{BridgeView, LiveBridge};
use planner::kafka_bridge::references;
use planner::workers::need::WorkerNeed;
use planner::workers::plan_size::Repeated;

use crate::caches::{self, Caches, KAFKA_BRIDGE};
use crate::deleted_pods::DeletedPods;
use crate::kind::{AnswersOf, Error, Kind, Means, Seen};
use crate::room::BUSY;
use crate::workers::observe::Observer;
use crate::workers::{self, Found};

/// Looks after KafkaBridge resources. One for the whole process.
pub(crate) struct Bridges {
    caches: Caches,
    means: Means,
    observer: Observer,
}

impl Bridges {
    /// From the parts that all passes share.
    pub(crate) fn new(caches: Caches, means: Means, observer: Observer) -> Self {
        Self { caches, means, observer }
    }
}

impl Kind for Bridges {
    const NAME: &'static str = KAFKA_BRIDGE;
    type Resource = KafkaBridge;
    type Observed = BridgeView;
    type Said = ();

    fn resources(&self) -> &Cache<KafkaBridge> {
        &self.caches.bridges
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<BridgeView>, Error> {
        let owner = caches::bridge(key);
        let bridge = match workers::find::<LiveBridge>(&self.caches.bridges, &self.observer, &owner).await? {
            Found::Live(bridge) => bridge,
            Found::Other(seen) => return Ok(seen),
        };
        // A Deployment says once what all of its pods repeat, and Kubernetes restarts these by itself.
        let repeated =
            Repeated { workers: Some(1), bytes: self.caches.bridges.bytes_when_read(key), connectors: 0 };
        let (references, deleted_pods) = (references::of(&bridge), DeletedPods::default());
        let seen = self.observer.observe(&owner, references, repeated, &deleted_pods).await?;
        let Some((observed, place)) = seen else { return Ok(Seen::Settled(BUSY)) };
        Ok(Seen::Placed(BridgeView::Live(Box::new(LiveBridge { bridge, observed })), place))
    }

    fn looked_after<'a>(&self, view: &'a BridgeView) -> Option<&'a Arc<KafkaBridge>> {
        view.looked_after()
    }

    async fn answer(
        &self,
        _: &ObjectRef,
        _: &BridgeView,
        needs: Vec<WorkerNeed>,
    ) -> Result<AnswersOf<Self>, Error> {
        Ok(workers::answer(&self.means.applier, &self.caches, needs).await)
    }

    /// There are none: Kubernetes restarts the pods of a Deployment by itself.
    async fn call(&self, _: &ObjectRef, _: &BridgeView, (): &()) -> Result<(), Error> {
        Ok(())
    }
}
