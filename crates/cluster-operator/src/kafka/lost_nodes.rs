//! How the Kubernetes nodes are of pods that do not go or cannot be scheduled: each is read when a plan asks. No policy.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Node;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::watch::ObjectRef;
use planner::kafka::kubernetes_node_state::KubernetesNode;

/// How they are, by name; `None`: the operator has not the right to know.
pub(super) async fn look(
    applier: &Applier,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Option<KubernetesNode>>, ApplyError> {
    let mut found = BTreeMap::new();
    for name in names {
        let known = match applier.get::<Node>(&ObjectRef::new("", name)).await {
            Ok(node) => Some(KubernetesNode::of(node.as_ref())),
            Err(error) if error.is_forbidden() => None,
            Err(error) => return Err(error),
        };
        found.insert(name.clone(), known);
    }
    Ok(found)
}
