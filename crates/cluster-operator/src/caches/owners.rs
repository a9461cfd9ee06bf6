//! What objects say of the resources that they belong to.

use api::kinds;
use api::names::entity_operator as names;
use api::{Kafka, KafkaNodePool, StrimziPodSet};
use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, ResourceExt};
use operator_runtime::watch::ObjectRef;
use serde_json::Value;

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
    let owner =
        set.metadata.owner_references.iter().flatten().find(|owner| owner.kind == kinds::KAFKA_NODE_POOL)?;
    Some(ObjectRef::new(set.namespace()?, &owner.name))
}

/// The namespace of the cluster whose entity operator gets rights in another namespace by an object there: a binding of its
/// own, or the Role that goes with it. What else names an account of another namespace is nothing that this operator made, and
/// counts as that of its own namespace: whoever may make RoleBindings would fill the memory of any cluster with them.
pub fn elsewhere(kind: &str, namespace: &str, name: &str, cluster: &str, object: &Value) -> Option<String> {
    let account = names::deployment(cluster);
    let of = match kind {
        "Role" => name.strip_suffix(&account)?.strip_suffix('.')?,
        "RoleBinding" => {
            let [subject] = object["subjects"].as_array()?.as_slice() else { return None };
            (subject["kind"] == "ServiceAccount" && subject["name"] == account.as_str()).then_some(())?;
            let of = subject["namespace"].as_str()?;
            let bindings =
                [names::topic_operator_role_binding(cluster), names::user_operator_role_binding(cluster)];
            // Those of the older name are given up by the next pass.
            bindings.iter().find(|own| name == *own || name == names::elsewhere(of, own))?;
            of
        }
        _ => return None,
    };
    (of != namespace && !of.is_empty() && !of.contains('.')).then(|| of.to_owned())
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
    fn rights_in_another_namespace_are_a_clusters_only_if_they_are_what_it_makes() {
        let binding = |account: &str, namespace: &str| json!({"subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]});
        let of = |kind: &str, name: &str, object: &Value| elsewhere(kind, "guests", name, "c", object);
        let ours = binding("c-entity-operator", "a");
        for name in [
            "a.c-entity-topic-operator-role",
            "a.c-entity-user-operator-role",
            "c-entity-topic-operator-role",
        ] {
            assert_eq!(of("RoleBinding", name, &ours).as_deref(), Some("a"), "{name}");
        }
        for name in ["b.c-entity-topic-operator-role", "mine", "a.d-entity-topic-operator-role"] {
            assert_eq!(of("RoleBinding", name, &ours), None, "{name}");
        }
        let name = "a.c-entity-topic-operator-role";
        assert_eq!(of("RoleBinding", name, &binding("default", "a")), None, "another account");
        assert_eq!(
            of("RoleBinding", "guests.c-entity-topic-operator-role", &binding("c-entity-operator", "guests")),
            None
        );
        let mut more = ours.clone();
        more["subjects"].as_array_mut().unwrap().push(json!({"kind": "User", "name": "eve"}));
        assert_eq!(of("RoleBinding", name, &more), None, "somebody else has the rights too");
        assert_eq!(of("Role", "a.c-entity-operator", &json!({})).as_deref(), Some("a"));
        for name in
            ["c-entity-operator", "guests.c-entity-operator", ".c-entity-operator", "a.b.c-entity-operator"]
        {
            assert_eq!(of("Role", name, &json!({})), None, "{name}");
        }
        assert_eq!(of("Service", "a.c-entity-operator", &ours), None);
    }

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
