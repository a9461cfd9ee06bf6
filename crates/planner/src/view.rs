//! What stands behind the name of a resource that owns objects, and what is planned of it: the resource is looked after, asks to be left
//! alone, or is gone and has left objects behind. The same for every kind but Kafka, of which more is left behind.

use std::sync::Arc;

use api::annotations;
use jiff::Timestamp;
use kube_core::Resource;
use kube_core::object::HasStatus;
use objects::Deletion;

use crate::completion::{NeedOf, Observation, Planned};
use crate::live_object::LiveObjects;
use crate::status::{WithStatus, paused};

/// A resource that is looked after, with what was seen of it.
pub trait LookedAfter {
    /// The resource.
    type Resource: WithStatus;
    /// What comes of it.
    type Plan: Planned<Statuses = Option<StatusOf<Self>>> + Default;
    /// The answer to what a plan asks for.
    type Answer;

    /// The resource.
    fn resource(&self) -> &Arc<Self::Resource>;

    /// Adds what follows from what was observed, before the first plan.
    fn prepare(&mut self, _now: Timestamp) {}

    /// Plans, as far as the answers so far allow. Pure.
    fn plan(&self, now: Timestamp) -> Self::Plan;

    /// Takes an answer in.
    fn answer(&mut self, need: <Self::Plan as Planned>::Need, answer: Self::Answer);
}

/// The status of a resource that is looked after.
type StatusOf<L> = <<L as LookedAfter>::Resource as HasStatus>::Status;

/// What stands behind the name of a resource.
#[derive(Debug)]
pub enum View<L: LookedAfter> {
    /// A resource that is looked after.
    Live(Box<L>),
    /// A resource that asks to be left alone ([`is_paused`]): what runs stays as it is.
    Paused(Arc<L::Resource>),
    /// What is left of a resource that is gone: its cluster-wide objects, which Kubernetes does not collect.
    Leaving(LiveObjects),
}

impl<L: LookedAfter> View<L> {
    /// The resource, if it is looked after.
    pub fn looked_after(&self) -> Option<&Arc<L::Resource>> {
        match self {
            Self::Live(live) => Some(live.resource()),
            Self::Paused(_) | Self::Leaving(_) => None,
        }
    }
}

impl<L: LookedAfter> Observation for View<L> {
    type Plan = L::Plan;
    type Answer = L::Answer;

    fn prepare(&mut self, now: Timestamp) {
        if let Self::Live(live) = self {
            live.prepare(now);
        }
    }

    fn plan(&self, now: Timestamp) -> L::Plan {
        let mut plan = L::Plan::default();
        match self {
            Self::Live(live) => return live.plan(now),
            Self::Paused(resource) => plan.common_mut().status = Some(paused(&**resource, now)),
            Self::Leaving(left) => plan.common_mut().delete = beyond_namespaces(left),
        }
        plan
    }

    fn answer(&mut self, need: NeedOf<Self>, answer: L::Answer) {
        if let Self::Live(live) = self {
            live.answer(need, answer);
        }
    }
}

/// The deletion of what the operator made outside namespaces.
fn beyond_namespaces(left: &LiveObjects) -> Vec<Deletion> {
    let beyond = left.iter().filter(|(object, facts)| object.namespace.is_none() && facts.made_by_operator);
    beyond.map(|(object, facts)| Deletion { object: object.clone(), uid: facts.uid.clone() }).collect()
}

/// Whether a resource asks to be left alone.
pub fn is_paused(resource: &impl Resource) -> bool {
    annotations::is_true(resource.meta().annotations.as_ref(), annotations::PAUSE_RECONCILIATION)
}
