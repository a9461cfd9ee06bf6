//! What one StrimziPodSet needs. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::StrimziPodSet;
use api::conditions::reasons;
use api::strimzi_pod_set::StrimziPodSetStatus;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube_core::ResourceExt;
use objects::{Owner, json};
use serde::Serialize;
use serde_json::Value;

use super::pod_error::PodAction;
use crate::plan::{self, Never};
use crate::pod_words::is_ready;
use crate::status::failed;
pub use crate::workload::resizing::ResizeCall;
use crate::workload::resizing::Resizing;

/// What a pass over a pod set does: its calls, and its status.
pub type PodSetPlan = plan::Plan<Never, PodCall, Option<StrimziPodSetStatus>>;

/// What is done to one pod.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum PodCall {
    /// This complete pod is made.
    Create(Value),
    /// It goes, if it still has the UID.
    Delete(String, Option<String>),
    /// It lost the reference to its set, and gets it back.
    Adopt(String),
    /// It is of the current revision and lacks labels of its set's: it gets these, for which it needs no restart.
    Relabel(String, BTreeMap<String, String>),
    /// It differs from the listed one in its resources alone, and gets those without a restart.
    Resize(ResizeCall),
}

impl PodCall {
    /// What is done.
    pub fn action(&self) -> PodAction {
        match self {
            Self::Create(_) => PodAction::Create,
            Self::Delete(..) => PodAction::Delete,
            Self::Adopt(_) => PodAction::Adopt,
            Self::Relabel(..) => PodAction::Relabel,
            Self::Resize(_) => PodAction::Resize,
        }
    }

    /// The name of the pod.
    pub fn pod(&self) -> &str {
        match self {
            Self::Create(pod) => pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default(),
            Self::Delete(name, _) | Self::Adopt(name) | Self::Relabel(name, _) => name,
            Self::Resize(call) => &call.pod,
        }
    }
}

/// The owner reference of every pod of a set.
pub fn owner_reference(set: &StrimziPodSet) -> OwnerReference {
    OwnerReference { controller: Some(true), block_owner_deletion: Some(false), ..Owner::of(set).reference() }
}

/// Plans one set. `pods` are all pods of the namespace that match the selector of the set, or that the set owns.
pub fn plan(set: &StrimziPodSet, pods: &[Arc<Pod>]) -> PodSetPlan {
    let live: BTreeMap<String, &Arc<Pod>> = pods.iter().map(|pod| (pod.name_any(), pod)).collect();
    let mut listed = BTreeSet::new();
    let (mut ready, mut current) = (0, 0);
    let (mut creations, mut deletions, mut adoptions, mut labels) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let resizing = Resizing::asked(set.metadata.annotations.as_ref());
    let mut resizes = Vec::new();
    for desired in &set.spec.pods {
        let Some(name) = desired.pointer("/metadata/name").and_then(Value::as_str) else { continue };
        listed.insert(name.to_owned());
        let Some(pod) = live.get(name) else {
            creations.push(PodCall::Create(complete(set, desired)));
            continue;
        };
        if is_finished(pod) && pod.metadata.deletion_timestamp.is_none() {
            // The next pass, which the deletion brings, creates it again.
            deletions.push(PodCall::Delete(name.to_owned(), pod.uid()));
            continue;
        }
        if !is_owned(set, pod) {
            adoptions.push(PodCall::Adopt(name.to_owned()));
        }
        ready += i32::from(is_ready(pod));
        if revision(desired) == pod.annotations().get(api::annotations::REVISION).map(String::as_str) {
            current += 1;
            resizes.extend(resizing.and_then(|resizing| resizing.call(pod, desired)).map(PodCall::Resize));
            let lacking = lacking_labels(desired, pod);
            if !lacking.is_empty() && pod.metadata.deletion_timestamp.is_none() {
                labels.push(PodCall::Relabel(name.to_owned(), lacking));
            }
        }
    }
    for (name, pod) in &live {
        if !listed.contains(name) && pod.metadata.deletion_timestamp.is_none() {
            deletions.push(PodCall::Delete(name.clone(), pod.uid()));
        }
    }
    let status = StrimziPodSetStatus {
        conditions: None,
        observed_generation: set.metadata.generation,
        pods: Some(listed.len() as i32),
        ready_pods: Some(ready),
        current_pods: Some(current),
    };
    let calls = [creations, deletions, adoptions, labels, resizes].concat();
    PodSetPlan { calls, status: Some(status), ..PodSetPlan::default() }
}

/// The plan of a set whose pods take too much memory to be looked at together: its status says why, and they are left as they are.
pub fn too_large(set: &StrimziPodSet, why: &str, now: Timestamp) -> PodSetPlan {
    PodSetPlan {
        status: Some(failed(set, None, reasons::INVALID_CONFIGURATION, why, now)),
        ..PodSetPlan::default()
    }
}

/// The pod as it is created: the listed one with the reference to its set.
fn complete(set: &StrimziPodSet, desired: &Value) -> Value {
    let mut pod = desired.clone();
    if let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("namespace".to_owned(), set.namespace().unwrap_or_default().into());
        metadata.insert("ownerReferences".to_owned(), json(&[owner_reference(set)]));
    }
    pod
}

fn revision(desired: &Value) -> Option<&str> {
    desired.pointer("/metadata/annotations")?.get(api::annotations::REVISION)?.as_str()
}

/// The labels of the listed pod that the live one has not, or with another value.
fn lacking_labels(desired: &Value, pod: &Pod) -> BTreeMap<String, String> {
    let wanted = desired.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    wanted
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .filter(|(key, value)| pod.labels().get(key) != Some(value))
        .collect()
}

fn is_owned(set: &StrimziPodSet, pod: &Pod) -> bool {
    pod.owner_references().iter().any(|owner| Some(&owner.uid) == set.metadata.uid.as_ref())
}

/// A pod that ended for good: its containers will not be started again.
fn is_finished(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(names: &[&str]) -> StrimziPodSet {
        serde_json::from_value(json!({
            "apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet",
            "metadata": {"name": "c-p", "namespace": "ns", "uid": "set-uid", "generation": 3},
            "spec": {
                "selector": {"matchLabels": {"strimzi.io/pod-set": "c-p"}},
                "pods": names.iter().map(|name| json!({
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": name, "annotations": {"strimzi.io/revision": "r1"}},
                    "spec": {"containers": []},
                })).collect::<Vec<_>>(),
            },
        }))
        .unwrap()
    }

    fn pod(name: &str, phase: &str, owner: &str, revision: &str) -> Arc<Pod> {
        let ready = if phase == "Running" { "True" } else { "False" };
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {
                    "name": name, "uid": format!("{name}-uid"), "annotations": {"strimzi.io/revision": revision},
                    "ownerReferences": [
                        {"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet", "name": "c-p", "uid": owner}],
                },
                "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
            }))
            .unwrap(),
        )
    }

    #[test]
    fn a_missing_pod_is_created_under_its_set() {
        let plan = plan(&set(&["c-p-0", "c-p-1"]), &[pod("c-p-0", "Running", "set-uid", "r1")]);
        let [PodCall::Create(created)] = &plan.calls[..] else { panic!("{:?}", plan.calls) };
        assert_eq!(created.pointer("/metadata/name"), Some(&json!("c-p-1")));
        assert_eq!(created.pointer("/metadata/namespace"), Some(&json!("ns")));
        assert_eq!(created.pointer("/metadata/ownerReferences/0/uid"), Some(&json!("set-uid")));
        let status = plan.status.unwrap();
        assert_eq!((status.pods, status.ready_pods, status.current_pods), (Some(2), Some(1), Some(1)));
    }

    #[test]
    fn a_pod_that_is_not_listed_goes() {
        let plan = plan(&set(&[]), &[pod("c-p-0", "Running", "set-uid", "r1")]);
        assert_eq!(plan.calls, [PodCall::Delete("c-p-0".to_owned(), Some("c-p-0-uid".to_owned()))]);
    }

    #[test]
    fn a_finished_pod_is_replaced() {
        for phase in ["Failed", "Succeeded"] {
            let plan = plan(&set(&["c-p-0"]), &[pod("c-p-0", phase, "set-uid", "r1")]);
            let deletion = PodCall::Delete("c-p-0".to_owned(), Some("c-p-0-uid".to_owned()));
            assert_eq!(plan.calls, [deletion], "it can be created only when the old one is gone");
        }
    }

    #[test]
    fn another_revision_is_counted_and_left_alone() {
        let plan = plan(&set(&["c-p-0"]), &[pod("c-p-0", "Running", "set-uid", "r0")]);
        assert!(plan.calls.is_empty());
        let status = plan.status.unwrap();
        assert_eq!((status.ready_pods, status.current_pods), (Some(1), Some(0)));
    }

    #[test]
    fn a_running_pod_gets_the_labels_of_its_set_without_a_restart() {
        let labelled = |mut set: StrimziPodSet, labels: Value| {
            set.spec.pods[0]["metadata"]["labels"] = labels;
            set
        };
        let running = pod("c-p-0", "Running", "set-uid", "r1");
        let team = labelled(set(&["c-p-0"]), json!({"team": "a"}));
        let wanted = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
        assert_eq!(
            plan(&team, &[Arc::clone(&running)]).calls,
            [PodCall::Relabel("c-p-0".to_owned(), wanted)]
        );
        let mut has_it = running.as_ref().clone();
        has_it.metadata.labels =
            Some([("team".to_owned(), "a".to_owned()), ("other".to_owned(), "x".to_owned())].into());
        assert!(plan(&team, &[Arc::new(has_it)]).calls.is_empty());
        // A pod of another revision is about to be replaced.
        assert!(plan(&team, &[pod("c-p-0", "Running", "set-uid", "r0")]).calls.is_empty());
    }

    #[test]
    fn an_orphan_is_adopted() {
        let plan = plan(&set(&["c-p-0"]), &[pod("c-p-0", "Running", "other", "r1")]);
        assert_eq!(plan.calls, [PodCall::Adopt("c-p-0".to_owned())]);
    }
}
