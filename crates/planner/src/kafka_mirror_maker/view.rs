//! What a pass over a KafkaMirrorMaker has in view.

use std::sync::Arc;

use api::KafkaMirrorMaker;
use jiff::Timestamp;

use super::observed::Live;
use super::plan::{self, Plan};
use crate::view::{self, LookedAfter};
use crate::workers::need::{Answer, Need};

/// What stands behind the name of a KafkaMirrorMaker.
pub type View = view::View<Live>;

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
