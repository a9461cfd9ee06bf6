//! What the drivers of all kinds with workers of Kafka Connect do in the same way: they look at the workers, answer what their plan
//! asks for, and restart one.

pub(crate) mod observe;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::api::PropagationPolicy;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::events::{self, Events, Note, Severity};
use operator_runtime::watch::{ObjectRef, OwnerRef};
use planner::workers::need::{Answer, Need};
use planner::workers::roll::WorkerRestart;

use crate::caches::Caches;
use crate::{holders, key_making};

/// UIDs of pods that were deleted and that the watch may still show, by resource.
#[derive(Debug, Default)]
pub(crate) struct Restarted(Mutex<HashMap<ObjectRef, BTreeSet<String>>>);

impl Restarted {
    fn change<T>(&self, act: impl FnOnce(&mut HashMap<ObjectRef, BTreeSet<String>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Those of a resource that the watch still shows.
    pub(crate) fn still_shown(&self, caches: &Caches, owner: &OwnerRef) -> BTreeSet<String> {
        let pods = caches.pods_of(owner);
        let live: BTreeSet<&String> = pods.values().filter_map(|pod| pod.metadata.uid.as_ref()).collect();
        self.change(|all| {
            let Some(uids) = all.get_mut(&owner.object) else { return BTreeSet::new() };
            uids.retain(|uid| live.contains(uid));
            let left = uids.clone();
            if left.is_empty() {
                all.remove(&owner.object);
            }
            left
        })
    }

    /// Forgets a resource that is gone.
    pub(crate) fn forget(&self, key: &ObjectRef) {
        self.change(|all| drop(all.remove(key)));
    }

    fn note(&self, key: &ObjectRef, uid: Option<String>) {
        self.change(|all| all.entry(key.clone()).or_default().extend(uid));
    }
}

/// What the restart of a worker takes.
pub(crate) struct Restarter<'a> {
    pub applier: &'a Applier,
    pub events: &'a Events,
    pub restarted: &'a Restarted,
}

impl Restarter<'_> {
    /// Deletes the pod of a worker: the pod set makes it anew.
    pub(crate) async fn restart(
        &self,
        key: &ObjectRef,
        resource: &ObjectReference,
        pod: &Pod,
        restart: &WorkerRestart,
    ) -> Result<(), ApplyError> {
        let pod_key = ObjectRef::new(&key.namespace, &restart.pod);
        let (uid, background) = (restart.uid.as_deref(), PropagationPolicy::Background);
        match self.applier.delete::<Pod>(&pod_key, uid, background).await {
            Ok(true) => {
                tracing::info!(resource = %key, pod = restart.pod, notes = restart.notes.join("; "), "pod restarts");
                self.announce(&resource, pod, restart);
            }
            // It went meanwhile, or another one has its name: its watch event is on its way.
            Ok(false) => {}
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
        self.restarted.note(key, restart.uid.clone());
        Ok(())
    }

    fn announce(&self, resource: &ObjectReference, pod: &Pod, restart: &WorkerRestart) {
        for reason in &restart.reasons {
            self.events.publish(Note {
                regarding: resource.clone(),
                related: Some(events::reference(pod)),
                reason: reason.as_str().to_owned(),
                action: events::POD_RESTART.to_owned(),
                text: restart.notes.join("; "),
                severity: Severity::Normal,
            });
        }
    }
}

/// Answers what the plan of workers asks for.
pub(crate) async fn answer(applier: &Applier, caches: &Caches, needs: Vec<Need>) -> Vec<(Need, Answer)> {
    let mut answers = Vec::with_capacity(needs.len());
    let mut materials = Vec::new();
    for need in needs {
        match need {
            Need::Material(request) => materials.push(*request),
            Need::Holders(objects) => {
                let found = holders::of(applier, caches, &objects).await;
                let answer = found.map_or_else(Answer::Unknown, Answer::Holders);
                answers.push((Need::Holders(objects), answer));
            }
        }
    }
    for (request, made) in key_making::make(materials).await {
        let answer = made.map_or_else(|error| Answer::Unknown(error.into()), Answer::Material);
        answers.push((Need::Material(Box::new(request)), answer));
    }
    answers
}
