//! What a pass over a KafkaConnect has in view.

use std::sync::Arc;

use api::KafkaConnect;
use jiff::Timestamp;

use super::plan::{self, Plan};
use crate::view::{self, LookedAfter};
use crate::workers::need::{Answer, Need};
use crate::workers::observed::Observed;

/// What stands behind the name of a KafkaConnect.
pub type View = view::View<Live>;

/// A resource that is looked after.
#[derive(Debug, Clone)]
pub struct Live {
    /// The resource.
    pub connect: Arc<KafkaConnect>,
    /// What was seen of its workers.
    pub observed: Observed,
}

impl LookedAfter for Live {
    type Resource = KafkaConnect;
    type Plan = Plan;
    type Answer = Answer;

    fn resource(&self) -> &Arc<KafkaConnect> {
        &self.connect
    }

    fn plan(&self, now: Timestamp) -> Plan {
        plan::plan(&self.connect, &self.observed, now)
    }

    fn answer(&mut self, need: Need, answer: Answer) {
        self.observed.answer(need, answer);
    }
}
