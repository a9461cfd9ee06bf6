//! What a pass over a KafkaMirrorMaker2 has in view.

use std::sync::Arc;

use api::KafkaMirrorMaker2;
use jiff::Timestamp;
use objects::Deletion;

use super::form;
use super::observed::{Connect, Live};
use super::plan::{self, Plan};
use super::status;
use crate::completion::Observation;
use crate::live_object::LiveObjects;
use crate::workers::need::{Answer, Need};

/// What stands behind the name of a KafkaMirrorMaker2.
#[derive(Debug)]
pub enum View {
    /// A resource that is looked after.
    Live(Box<Live>),
    /// One whose workers and connectors are left as they are, because it asks for that.
    Paused(Arc<KafkaMirrorMaker2>),
    /// What is left of a KafkaMirrorMaker2 that is being deleted or is gone: its cluster-wide objects, which Kubernetes does not collect.
    Leaving(LiveObjects),
}

impl Observation for View {
    type Plan = Plan;
    type Answer = Answer;

    fn prepare(&mut self, now: Timestamp) {
        let Self::Live(live) = self else { return };
        let Connect::Here { connectors, .. } = &live.connect else { return };
        // What is remembered is of connectors that the resource asks for: others may be as many as Connect likes.
        let wanted = form::connector_names(&live.resource);
        live.past.retain(|name, _| wanted.contains(name));
        for name in wanted {
            let state = connectors.get(&name).map(|actual| &actual.connector.state);
            live.past.entry(name).or_default().see(state, now);
        }
        // Restarts are remembered until the status shows them: later it says of them what is known.
        let told = live.resource.status.as_ref().and_then(|status| status.auto_restart_statuses.as_deref());
        for past in live.past.values_mut() {
            if past.restarted.as_ref().is_some_and(|restarted| told.unwrap_or_default().contains(restarted)) {
                past.restarted = None;
            }
        }
    }

    fn plan(&self, now: Timestamp) -> Plan {
        match self {
            Self::Live(live) => plan::plan(live, now),
            Self::Paused(resource) => Plan { status: Some(status::paused(resource, now)), ..Plan::default() },
            Self::Leaving(left) => {
                let beyond = left
                    .iter()
                    .filter(|(object, facts)| object.namespace.is_none() && facts.made_by_operator);
                let delete = beyond
                    .map(|(object, facts)| Deletion { object: object.clone(), uid: facts.uid.clone() })
                    .collect();
                Plan { delete, ..Plan::default() }
            }
        }
    }

    fn answer(&mut self, need: Need, answer: Answer) {
        if let Self::Live(live) = self {
            live.observed.answer(need, answer);
        }
    }
}
