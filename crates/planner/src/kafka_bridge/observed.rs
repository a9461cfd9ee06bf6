//! What a pass over a KafkaBridge has in view.

use std::sync::Arc;

use api::KafkaBridge;
use jiff::Timestamp;

use super::plan::{self, BridgePlan};
use crate::view::{self, LookedAfter};
use crate::workers::need::{WorkerAnswer, WorkerNeed};
use crate::workers::observed::ObservedWorkers;

/// What stands behind the name of a KafkaBridge.
pub type BridgeView = view::View<LiveBridge>;

/// A resource that is looked after.
#[derive(Debug, Clone)]
pub struct LiveBridge {
    /// The resource.
    pub bridge: Arc<KafkaBridge>,
    /// What was seen of its objects and of what it refers to.
    pub observed: ObservedWorkers,
}

impl LookedAfter for LiveBridge {
    type Resource = KafkaBridge;
    type Plan = BridgePlan;
    type Answer = WorkerAnswer;

    fn resource(&self) -> &Arc<KafkaBridge> {
        &self.bridge
    }

    fn plan(&self, now: Timestamp) -> BridgePlan {
        plan::plan(&self.bridge, &self.observed, now)
    }

    fn answer(&mut self, need: WorkerNeed, answer: WorkerAnswer) {
        self.observed.answer(need, answer);
    }
}
