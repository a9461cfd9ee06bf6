//! What a pass over a KafkaBridge has in view.

use std::sync::Arc;

use api::KafkaBridge;
use jiff::Timestamp;

use super::plan::{self, Plan};
use crate::view::{self, LookedAfter};
use crate::workers::need::{Answer, Need};
use crate::workers::observed::Observed;

/// What stands behind the name of a KafkaBridge.
pub type View = view::View<Live>;

/// A resource that is looked after.
#[derive(Debug, Clone)]
pub struct Live {
    /// The resource.
    pub bridge: Arc<KafkaBridge>,
    /// What was seen of its objects and of what it refers to.
    pub observed: Observed,
}

impl LookedAfter for Live {
    type Resource = KafkaBridge;
    type Plan = Plan;
    type Answer = Answer;

    fn resource(&self) -> &Arc<KafkaBridge> {
        &self.bridge
    }

    fn plan(&self, now: Timestamp) -> Plan {
        plan::plan(&self.bridge, &self.observed, now)
    }

    fn answer(&mut self, need: Need, answer: Answer) {
        self.observed.answer(need, answer);
    }
}
