//! What a pass over a KafkaBridge has in view.

use std::sync::Arc;

use ::objects::Deletion;
use api::KafkaBridge;
use jiff::Timestamp;

use super::plan::{self, Plan};
use super::status;
use crate::completion::Observation;
use crate::live_object::LiveObjects;
use crate::workers::need::{Answer, Need};
use crate::workers::observed::Observed;

/// What stands behind the name of a KafkaBridge.
#[derive(Debug)]
pub enum View {
    /// A resource that is looked after.
    Live(Box<Live>),
    /// One whose pods are left as they are, because it asks for that.
    Paused(Arc<KafkaBridge>),
    /// What is left of a KafkaBridge that is being deleted or is gone: its cluster-wide objects, which Kubernetes does not collect.
    Leaving(LiveObjects),
}

/// A resource that is looked after.
#[derive(Debug, Clone)]
pub struct Live {
    /// The resource.
    pub bridge: Arc<KafkaBridge>,
    /// What was seen of its objects and of what it refers to.
    pub observed: Observed,
}

impl Observation for View {
    type Plan = Plan;
    type Answer = Answer;

    fn plan(&self, now: Timestamp) -> Plan {
        match self {
            Self::Live(live) => plan::plan(&live.bridge, &live.observed, now),
            Self::Paused(bridge) => Plan { status: Some(status::paused(bridge, now)), ..Plan::default() },
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
