//! What a pass over a KafkaMirrorMaker2 has in view.

use std::sync::Arc;

use api::KafkaMirrorMaker2;
use jiff::Timestamp;

use super::form;
use super::observed::{Connect, LiveMirrorMaker2};
use super::plan::{self, MirrorMaker2Plan};
use crate::view::{self, LookedAfter};
use crate::workers::need::{WorkerAnswer, WorkerNeed};

/// What stands behind the name of a KafkaMirrorMaker2.
pub type MirrorMaker2View = view::View<LiveMirrorMaker2>;

impl LookedAfter for LiveMirrorMaker2 {
    type Resource = KafkaMirrorMaker2;
    type Plan = MirrorMaker2Plan;
    type Answer = WorkerAnswer;

    fn resource(&self) -> &Arc<KafkaMirrorMaker2> {
        &self.resource
    }

    fn prepare(&mut self, now: Timestamp) {
        let Connect::Here(connectors) = &self.connect else { return };
        // What is remembered is of connectors that the resource asks for: others may be as many as Connect likes.
        let wanted = form::connector_names(&self.resource);
        self.past.retain(|name, _| wanted.contains(name));
        for name in wanted {
            let state = connectors.get(&name).map(|actual| &actual.connector.state);
            self.past.entry(name).or_default().see(state, now);
        }
        // Restarts are remembered until the status shows them: later it says of them what is known.
        let told = self.resource.status.as_ref().and_then(|status| status.auto_restart_statuses.as_deref());
        for past in self.past.values_mut() {
            if past.restarted.as_ref().is_some_and(|restarted| told.unwrap_or_default().contains(restarted)) {
                past.restarted = None;
            }
        }
    }

    fn plan(&self, now: Timestamp) -> MirrorMaker2Plan {
        plan::plan(self, now)
    }

    fn answer(&mut self, need: WorkerNeed, answer: WorkerAnswer) {
        self.observed.answer(need, answer);
    }
}
