//! Takes annotations off whose work is done.

use kube::Resource;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::watch::ObjectRef;
use serde_json::{Map, Value, json};

/// Takes annotations off a resource, as it was observed. `false`: it changed meanwhile and may ask for something else by now; the next
/// pass knows.
pub(crate) async fn take_off<K>(
    applier: &Applier,
    key: &ObjectRef,
    observed: &K,
    annotations: impl IntoIterator<Item = &'static str>,
) -> Result<bool, ApplyError>
where
    K: Resource<DynamicType = ()>,
{
    let gone: Map<String, Value> = annotations.into_iter().map(|key| (key.to_owned(), Value::Null)).collect();
    if gone.is_empty() {
        return Ok(true);
    }
    let version = &observed.meta().resource_version;
    let patch = json!({"metadata": {"resourceVersion": version, "annotations": gone}});
    match applier.merge::<K>(key, &patch).await {
        Err(error) if error.is_conflict() => Ok(false),
        other => other.map(|_| true),
    }
}
