//! What a pass over a KafkaConnect has in view.

use std::sync::Arc;

use api::KafkaConnect;
use jiff::Timestamp;

use super::plan::{self, ConnectPlan};
use crate::view::{self, LookedAfter};
use crate::workers::need::{WorkerAnswer, WorkerNeed};
use crate::workers::observed::ObservedWorkers;

/// What stands behind the name of a KafkaConnect.
pub type ConnectView = view::View<LiveConnect>;

/// A resource that is looked after.
#[derive(Debug, Clone)]
pub struct LiveConnect {
    /// The resource.
    pub connect: Arc<KafkaConnect>,
    /// What was seen of its workers.
    pub observed: ObservedWorkers,
}

impl LookedAfter for LiveConnect {
    type Resource = KafkaConnect;
    type Plan = ConnectPlan;
    type Answer = WorkerAnswer;

    fn resource(&self) -> &Arc<KafkaConnect> {
        &self.connect
    }

    fn plan(&self, now: Timestamp) -> ConnectPlan {
        plan::plan(&self.connect, &self.observed, now)
    }

    fn answer(&mut self, need: WorkerNeed, answer: WorkerAnswer) {
        self.observed.answer(need, answer);
    }
}
