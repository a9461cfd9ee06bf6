//! The pods that this process deleted so that they start anew. Until the watch shows that they go, plans are told: a plan that took a
//! deleted pod for a running pod would let the next pod go as well.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::PropagationPolicy;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::watch::ObjectRef;

use crate::lock::lock;

/// The deleted pods of one resource.
#[derive(Debug, Default)]
struct OfResource {
    /// UIDs of pods of which the API server said that they go, and the watch may not have.
    known: BTreeSet<String>,
    /// UIDs and names of pods whose deletion was not answered: they count as deleted until the API server says more.
    unanswered: BTreeMap<String, String>,
}

/// The deleted pods of all resources of a kind.
#[derive(Debug, Default)]
pub(crate) struct DeletedPods(Mutex<HashMap<ObjectRef, OfResource>>);

impl DeletedPods {
    /// Deletes a pod of a resource, this very one; `false`: it went meanwhile, or another one has its name, and the watch event of that
    /// is on its way. The caller has checked that this process leads.
    ///
    /// # Errors
    /// When the API server refuses it, or does not answer.
    pub(crate) async fn delete(
        &self,
        applier: &Applier,
        key: &ObjectRef,
        pod: &Pod,
    ) -> Result<bool, ApplyError> {
        let (name, uid) = (pod.name_any(), pod.uid());
        let pod_key = ObjectRef::new(&key.namespace, &name);
        let deleted =
            match applier.delete::<Pod>(&pod_key, uid.as_deref(), PropagationPolicy::Background).await {
                Ok(deleted) => deleted,
                Err(error) if error.is_conflict() => false,
                Err(error) => {
                    // Without an answer it may have been deleted all the same.
                    if error.code().is_none() {
                        self.change(key, |pods| pods.unanswered.extend(uid.map(|uid| (uid, name))));
                    }
                    return Err(error);
                }
            };
        self.change(key, |pods| pods.known.extend(uid));
        Ok(deleted)
    }

    /// UIDs of those of a resource that the watch still shows: `live` are the UIDs of all its pods. Of pods whose deletion was not answered the API
    /// server is asked.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub(crate) async fn still_shown(
        &self,
        applier: &Applier,
        key: &ObjectRef,
        live: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, ApplyError> {
        if !lock(&self.0).contains_key(key) {
            return Ok(BTreeSet::new());
        }
        let unanswered = self.change(key, |pods| {
            pods.known.retain(|uid| live.contains(uid));
            pods.unanswered.retain(|uid, _| live.contains(uid));
            pods.unanswered.clone()
        });
        for (uid, pod) in unanswered {
            if still_runs(applier, &ObjectRef::new(&key.namespace, pod), &uid).await? {
                self.change(key, |pods| drop(pods.unanswered.remove(&uid)));
            }
        }
        let mut all = lock(&self.0);
        let left =
            all.get(key).map(|pods| pods.known.iter().chain(pods.unanswered.keys()).cloned().collect());
        let left: BTreeSet<String> = left.unwrap_or_default();
        if left.is_empty() {
            all.remove(key);
        }
        Ok(left)
    }

    /// Forgets a resource that is gone.
    pub(crate) fn forget(&self, key: &ObjectRef) {
        lock(&self.0).remove(key);
    }

    fn change<T>(&self, key: &ObjectRef, act: impl FnOnce(&mut OfResource) -> T) -> T {
        act(lock(&self.0).entry(key.clone()).or_default())
    }
}

/// The UIDs of pods.
pub(crate) fn uids<'a>(pods: impl IntoIterator<Item = &'a Arc<Pod>>) -> BTreeSet<String> {
    pods.into_iter().filter_map(|pod| pod.metadata.uid.clone()).collect()
}

/// Whether a pod is still there and not being deleted, past the cache.
async fn still_runs(applier: &Applier, pod: &ObjectRef, uid: &str) -> Result<bool, ApplyError> {
    let found = applier.metadata::<Pod>(pod).await?;
    Ok(found.is_some_and(|found| found.uid.as_deref() == Some(uid) && found.deletion_timestamp.is_none()))
}
