//! What the drivers of all kinds with workers of Kafka Connect do in the same way: they look at the workers, answer what their plan
//! asks for, and restart one.

pub(crate) mod agents;
pub(crate) mod observe;

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::Resource as _;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::controller::Outcome;
use operator_runtime::watch::{Cache, ObjectRef, OwnerRef};
use planner::view::{LookedAfter, View, is_paused};
use planner::workers::need::{WorkerAnswer, WorkerNeed};
use planner::workers::roll::WorkerRestart;

use self::observe::Observer;
use crate::caches::Caches;
use crate::deleted_pods::DeletedPods;
use crate::kind::{Error, Means, Seen};
use crate::{holders, key_making};

/// When to look again for what is left of a resource while nothing is known of its kind.
const KIND_UNKNOWN: Outcome = Outcome::Again(std::time::Duration::from_mins(1));

/// What stands behind the name of a resource.
pub(crate) enum Found<L: LookedAfter> {
    /// A resource that is to be looked at.
    Live(Arc<L::Resource>),
    /// Something else.
    Other(Seen<View<L>>),
}

/// Finds the resource of a name.
pub(crate) async fn find<L: LookedAfter>(
    resources: &Cache<L::Resource>,
    observer: &Observer,
    owner: &OwnerRef,
) -> Result<Found<L>, ApplyError>
where
    L::Resource: Send + Sync + 'static,
{
    let key = &owner.object;
    if resources.unreadable(key).is_some() {
        // It is there. What runs is left as it is; its status says so already.
        return Ok(Found::Other(Seen::Settled(Outcome::Done)));
    }
    let Some(resource) = resources.get(key) else {
        if !resources.is_ready() {
            return Ok(Found::Other(Seen::Settled(KIND_UNKNOWN)));
        }
        let left = observer.left_behind::<L::Resource>(owner).await?.filter(|left| !left.is_empty());
        let left = left.map(|left| Seen::Live(View::Leaving(left)));
        return Ok(Found::Other(left.unwrap_or(Seen::Settled(Outcome::Done))));
    };
    if resource.meta().deletion_timestamp.is_some() {
        return Ok(Found::Other(Seen::Settled(Outcome::Done)));
    }
    if is_paused(&*resource) {
        return Ok(Found::Other(Seen::Live(View::Paused(resource))));
    }
    Ok(Found::Live(resource))
}

/// Deletes the pod of a worker, while this process leads: the pod set makes it anew. `false`: it went meanwhile.
pub(crate) async fn restart(
    means: &Means,
    deleted_pods: &DeletedPods,
    key: &ObjectRef,
    pod: &Pod,
    restart: &WorkerRestart,
) -> Result<bool, Error> {
    means.mandate.check()?;
    let deleted = deleted_pods.delete(&means.applier, key, pod).await?;
    if deleted {
        tracing::info!(resource = %key, pod = restart.pod, notes = restart.notes.join("; "), "pod restarts");
    }
    Ok(deleted)
}

/// Answers what the plan of workers asks for.
pub(crate) async fn answer(
    applier: &Applier,
    caches: &Caches,
    needs: Vec<WorkerNeed>,
) -> Vec<(WorkerNeed, WorkerAnswer)> {
    let mut answers = Vec::with_capacity(needs.len());
    let mut materials = Vec::new();
    for need in needs {
        match need {
            WorkerNeed::Material(request) => materials.push(*request),
            // The kind asks for them beside its passes.
            WorkerNeed::Plugins(_) => {}
            WorkerNeed::Holders(objects) => {
                let found = holders::of(applier, caches, &objects).await;
                let answer = found.map_or_else(WorkerAnswer::Unknown, WorkerAnswer::Holders);
                answers.push((WorkerNeed::Holders(objects), answer));
            }
        }
    }
    for (request, made) in key_making::make(materials).await {
        let answer = made.map_or_else(|error| WorkerAnswer::Unknown(error.into()), WorkerAnswer::Material);
        answers.push((WorkerNeed::Material(Box::new(request)), answer));
    }
    answers
}
