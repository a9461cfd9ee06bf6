//! What objects say of the resources that they belong to.

use api::{Kafka, KafkaNodePool, StrimziPodSet};
use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, ResourceExt};
use operator_runtime::watch::ObjectRef;

/// Value of the label `strimzi.io/cluster`.
pub fn cluster_of<K: Resource>(object: &K) -> Option<&str> {
    object.meta().labels.as_ref()?.get(api::labels::CLUSTER).map(String::as_str)
}

/// The id of the cluster that a Kafka resource describes.
pub fn cluster_id(kafka: &Kafka) -> Option<&str> {
    kafka.status.as_ref()?.cluster_id.as_deref()
}

/// The id of the cluster that a pool has nodes in, as its status says.
pub fn cluster_id_of_pool(pool: &KafkaNodePool) -> Option<&str> {
    pool.status.as_ref()?.cluster_id.as_deref()
}

/// The pool that owns a pod set.
pub fn pool_of(set: &StrimziPodSet) -> Option<ObjectRef> {
    let owner = set.metadata.owner_references.iter().flatten().find(|owner| owner.kind == "KafkaNodePool")?;
    Some(ObjectRef::new(set.namespace()?, &owner.name))
}

/// The pod set that controls a pod, by its labels: they outlive the owner reference.
pub fn pod_set_of(pod: &Pod) -> Option<ObjectRef> {
    let labels = pod.metadata.labels.as_ref()?;
    if labels.get(api::labels::CONTROLLER)? != api::labels::CONTROLLER_POD_SET {
        return None;
    }
    Some(ObjectRef::new(pod.namespace()?, labels.get(api::labels::CONTROLLER_NAME)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_leads_to_its_pod_set() {
        let pod = |controller: &str| -> Pod {
            let labels = json!({"strimzi.io/controller": controller, "strimzi.io/controller-name": "c-p"});
            serde_json::from_value(json!({"metadata": {"namespace": "ns", "labels": labels}})).unwrap()
        };
        assert_eq!(pod_set_of(&pod("strimzipodset")), Some(ObjectRef::new("ns", "c-p")));
        assert_eq!(pod_set_of(&pod("other")), None);
    }
}
