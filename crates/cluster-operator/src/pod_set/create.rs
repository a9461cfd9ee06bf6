//! Makes a pod, and finds out who has its name where it cannot be made. No policy.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::ApiResource;
use operator_runtime::apply::Applier;
use operator_runtime::watch::ObjectRef;
use serde_json::{Value, json};

/// Creates a pod for the pod set with this UID; else says why it cannot be.
pub(super) async fn create(
    applier: &Applier,
    namespace: &str,
    set_uid: Option<&str>,
    wanted: &Value,
) -> Result<(), String> {
    let name = wanted.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let pod: Pod = match objects::typed(wanted) {
        Ok(pod) => pod,
        Err(error) => return Err(format!("it is not a valid pod: {error}")),
    };
    match applier.create(namespace, &pod).await {
        Ok(()) => {
            tracing::info!(pod = name, "pod created");
            Ok(())
        }
        Err(error) if error.is_conflict() => {
            let key = ObjectRef::new(namespace, &name);
            name_is_taken(applier, &key, set_uid, &pod).await
        }
        Err(error) => Err(error.why()),
    }
}

/// Looks past the cache at the pod that has the name. The cache may be behind; or the pod lost its labels, and is in no cache:
/// where it is the set's, it gets them back. Else it is somebody else's, and why nothing goes on has to be said.
async fn name_is_taken(
    applier: &Applier,
    key: &ObjectRef,
    set_uid: Option<&str>,
    wanted: &Pod,
) -> Result<(), String> {
    let found = applier.ownership(&ApiResource::erase::<Pod>(&()), key).await;
    let Some(found) = found.map_err(|error| error.to_string())? else {
        // It went meanwhile: the next pass makes the pod.
        return Err("a pod of its name was there a moment ago".to_owned());
    };
    let lost = lost_labels(wanted.meta(), &found);
    if lost.is_empty() {
        return Ok(());
    }
    let is_ours = set_uid.is_some()
        && found.owner_references.iter().flatten().any(|owner| Some(owner.uid.as_str()) == set_uid);
    if !is_ours {
        return Err(format!(
            "a pod of its name exists{} and does not belong to the pod set: delete that pod, or give the node pool or the \
             cluster another name",
            made_by(&found)
        ));
    }
    let patch = json!({"metadata": {"labels": lost, "uid": found.uid}});
    match applier.merge::<Pod>(key, &patch).await {
        Ok(_) => {
            tracing::info!(pod = %key, "a pod that had lost its labels got them back");
            Ok(())
        }
        Err(error) => {
            Err(format!("it lost the labels by which it is found, and cannot get them back: {error}"))
        }
    }
}

/// Strimzi's labels that a pod lacks, or has with another value.
fn lost_labels(wanted: &ObjectMeta, found: &ObjectMeta) -> BTreeMap<String, String> {
    let has = |name: &String| found.labels.as_ref().and_then(|labels| labels.get(name));
    let wanted = wanted.labels.iter().flatten();
    let of_strimzi = wanted.filter(|(name, _)| name.starts_with("strimzi.io/"));
    let lost = of_strimzi.filter(|(name, value)| has(name) != Some(*value));
    lost.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Who made an object, in words behind its name.
fn made_by(found: &ObjectMeta) -> String {
    let owner = found.owner_references.iter().flatten().next();
    let owner = owner.map(|owner| format!(", made by {} {},", owner.kind, owner.name));
    let manager = || found.managed_fields.iter().flatten().find_map(|entry| entry.manager.as_ref());
    owner.or_else(|| Some(format!(", made by {},", manager()?))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(value: Value) -> ObjectMeta {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_labels_by_which_a_pod_is_found_count_as_lost() {
        let wanted =
            meta(json!({"labels": {"strimzi.io/cluster": "c", "strimzi.io/kind": "Kafka", "app": "x"}}));
        let found = meta(json!({"labels": {"strimzi.io/cluster": "c"}}));
        assert_eq!(lost_labels(&wanted, &found), [("strimzi.io/kind".to_owned(), "Kafka".to_owned())].into());
        assert!(lost_labels(&wanted, &wanted).is_empty());
    }

    #[test]
    fn who_made_a_pod_is_said_as_far_as_it_is_known() {
        let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "mine", "uid": "u"});
        let managers = json!([{"manager": "kubectl-create"}]);
        assert_eq!(
            made_by(&meta(json!({"ownerReferences": [owner], "managedFields": managers}))),
            ", made by StatefulSet mine,"
        );
        assert_eq!(made_by(&meta(json!({"managedFields": managers}))), ", made by kubectl-create,");
        assert_eq!(made_by(&ObjectMeta::default()), "");
    }
}
