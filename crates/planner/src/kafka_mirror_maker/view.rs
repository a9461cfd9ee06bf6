//! What a pass over a KafkaMirrorMaker has in view.

use std::sync::Arc;

use api::KafkaMirrorMaker;
use jiff::Timestamp;

use super::observed::LiveMirrorMaker;
use super::plan::{self, MirrorMakerPlan};
use crate::view::{self, LookedAfter};
use crate::workers::need::{WorkerAnswer, WorkerNeed};

/// What stands behind the name of a KafkaMirrorMaker.
pub type MirrorMakerView = view::View<LiveMirrorMaker>;

impl LookedAfter for LiveMirrorMaker {
    type Resource = KafkaMirrorMaker;
    type Plan = MirrorMakerPlan;
    type Answer = WorkerAnswer;

    fn resource(&self) -> &Arc<KafkaMirrorMaker> {
        &self.resource
    }

    fn plan(&self, now: Timestamp) -> MirrorMakerPlan {
        plan::plan(self, now)
    }

    fn answer(&mut self, need: WorkerNeed, answer: WorkerAnswer) {
        self.observed.answer(need, answer);
    }
}
