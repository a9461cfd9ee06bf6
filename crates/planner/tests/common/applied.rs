//! What the API server makes of an apply.

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

/// What an apply of a Secret does not name stays: its data where it says nothing of these, and the `strimzi.io/force-` annotations.
pub(crate) fn keep_what_is_not_named(live: &Secret, object: &mut Value) {
    if object["data"].is_null() {
        object["data"] = json!(live.data);
        object["metadata"]["annotations"] = json!(live.metadata.annotations);
        return;
    }
    for (key, value) in live.metadata.annotations.iter().flatten() {
        if key.starts_with("strimzi.io/force-") && object["metadata"]["annotations"][key].is_null() {
            object["metadata"]["annotations"][key] = json!(value);
        }
    }
}
