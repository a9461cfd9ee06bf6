//! What was seen of a KafkaMirrorMaker before planning.

use std::sync::Arc;

use api::{KafkaMirrorMaker, KafkaMirrorMaker2};
use jiff::Timestamp;

use super::plan::{self, Plan};
use crate::view::{self, LookedAfter};
use crate::workers::need::{Answer, Need};
use crate::workers::observed::Observed;

/// What stands behind the name of a KafkaMirrorMaker.
pub type View = view::View<Live>;

/// A resource that is looked after.
#[derive(Debug, Clone)]
pub struct Live {
    /// The resource.
    pub resource: Arc<KafkaMirrorMaker>,
    /// The KafkaMirrorMaker2 of its name, whoever made it.
    pub made: Option<Arc<KafkaMirrorMaker2>>,
    /// What there is of Strimzi's MirrorMaker 1.
    pub observed: Observed,
}

impl LookedAfter for Live {
    type Resource = KafkaMirrorMaker;
    type Plan = Plan;
    type Answer = Answer;

    fn resource(&self) -> &Arc<KafkaMirrorMaker> {
        &self.resource
    }

    fn plan(&self, now: Timestamp) -> Plan {
        plan::plan(self, now)
    }

    fn answer(&mut self, need: Need, answer: Answer) {
        self.observed.answer(need, answer);
    }
}
