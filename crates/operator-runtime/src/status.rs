//! Writes of the status sub-resource: only what differs, and never only because of a transition time.

use kube::Resource;
use kube::api::{Patch, PatchParams};
use kube::core::ApiResource;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::apply::{Applier, ApplyError, Subject};
use crate::watch::ObjectRef;

/// Whether two statuses say the same, `lastTransitionTime` of conditions aside.
pub fn same_status(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names = one.keys().chain(other.keys());
            names.filter(|name| *name != "lastTransitionTime").all(|name| {
                same_status(one.get(name).unwrap_or(&Value::Null), other.get(name).unwrap_or(&Value::Null))
            })
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same_status(a, b))
        }
        _ => one == other,
    }
}

/// The JSON merge patch that turns `live` into `desired`: changed fields, and `null` for fields that left. Lists are sent whole.
pub fn merge_patch(live: &Value, desired: &Value) -> Value {
    let (Value::Object(live), Value::Object(desired)) = (live, desired) else { return desired.clone() };
    let mut patch = Map::new();
    for name in live.keys().filter(|name| desired.get(*name).is_none_or(Value::is_null)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in desired.iter().filter(|(_, value)| !value.is_null()) {
        match live.get(name) {
            Some(old) if old == value => {}
            Some(old) if old.is_object() && value.is_object() => {
                patch.insert(name.clone(), merge_patch(old, value));
            }
            _ => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    Value::Object(patch)
}

impl Applier {
    /// Writes the status of an object of type `K`, if it differs from `live` (the status in the cache; `None`: there is none). Says whether
    /// something was written. An object that is gone is no error.
    pub async fn patch_status<K>(
        &self,
        key: &ObjectRef,
        live: Option<&Value>,
        desired: &impl Serialize,
    ) -> Result<bool, ApplyError>
    where
        K: Resource,
        K::DynamicType: Default,
    {
        const ACTION: &str = "write the status of";
        let resource = ApiResource::erase::<K>(&K::DynamicType::default());
        let subject = Subject { kind: resource.kind.clone(), key: key.clone() };
        let malformed = |error: serde_json::Error| ApplyError::Malformed {
            action: ACTION,
            subject: subject.clone(),
            why: error.to_string(),
        };
        let desired = serde_json::to_value(desired).map_err(malformed)?;
        let empty = Value::Object(Map::new());
        let live = live.unwrap_or(&empty);
        if same_status(live, &desired) {
            return Ok(false);
        }
        let patch = serde_json::json!({ "status": merge_patch(live, &desired) });
        let params = PatchParams { field_manager: Some(self.manager().to_owned()), ..PatchParams::default() };
        let api = self.api(&resource, &key.namespace);
        // A merge patch without a resource version meets a conflict only when the server loses a race with itself: once more then.
        for last in [false, true] {
            match self
                .request(ACTION, &subject, api.patch_status(&key.name, &params, &Patch::Merge(&patch)))
                .await
            {
                Ok(_) => return Ok(true),
                Err(error) if error.is_not_found() => return Ok(false),
                Err(error) if error.is_conflict() && !last => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_transition_time_alone_is_no_difference() {
        let one = json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "a"}]});
        let other = json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "b"}]});
        assert!(same_status(&one, &other));
        let more = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "x"}]});
        assert!(!same_status(&one, &more));
        assert!(same_status(&json!({}), &json!({"a": null})));
    }

    #[test]
    fn the_patch_removes_what_left() {
        let live = json!({"a": 1, "b": {"c": 1, "d": 2}, "l": [1, 2]});
        let desired = json!({"b": {"d": 3}, "l": [2], "n": true});
        assert_eq!(
            merge_patch(&live, &desired),
            json!({"a": null, "b": {"c": null, "d": 3}, "l": [2], "n": true})
        );
    }
}
