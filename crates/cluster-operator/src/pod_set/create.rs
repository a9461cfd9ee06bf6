//! Makes a pod, and finds out who has its name where it cannot be made. No policy.

use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::core::ApiResource;
use operator_runtime::apply::Applier;
use operator_runtime::watch::ObjectRef;
use planner::pod_set::taken_name::{self, Taken};
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

/// Looks past the cache at the pod that has the name, and does what [`taken_name`] says.
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
    let lost = match taken_name::judge(wanted.meta(), &found, set_uid) {
        Taken::Known => return Ok(()),
        Taken::Stranger(why) => return Err(why),
        Taken::LacksLabels(lost) => lost,
    };
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
