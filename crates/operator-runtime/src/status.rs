//! Writes of the status sub-resource: only what differs, and never only because of a transition time.

use kube::Resource;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, Request};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::apply::{Applier, ApplyError, Subject};
use crate::watch::{Event, ObjectRef};

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

/// Whether an event is more than a write of the status: an operator's own status writes must not bring passes.
pub fn more_than_status_changed<K: Resource>(event: &Event<'_, K>) -> bool {
    let Event::Applied { old: Some(old), new, .. } = event else { return true };
    let (old, new) = (old.meta(), new.meta());
    old.uid != new.uid
        || old.generation != new.generation
        || old.labels != new.labels
        || old.annotations != new.annotations
        || old.deletion_timestamp != new.deletion_timestamp
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
            let request = Request::new(api.resource_url());
            let request = request.patch_subresource("status", &key.name, &params, &Patch::Merge(&patch));
            match self.send(ACTION, &subject, request).await {
                Ok(()) => return Ok(true),
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
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_transition_time_alone_is_no_difference() {
        let one = json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "a"}]});
        let other = json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "b"}]});
        assert!(same_status(&one, &other));
        let more = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "x"}]});
        assert!(!same_status(&one, &more));
        assert!(same_status(&json!({}), &json!({"a": null})));
    }

    /// What a server does with a merge patch (RFC 7396).
    fn merged(target: &Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else { return patch.clone() };
        let mut result = target.as_object().cloned().unwrap_or_default();
        for (name, value) in patch {
            if value.is_null() {
                result.remove(name);
            } else {
                let old = result.get(name).cloned().unwrap_or_default();
                result.insert(name.clone(), merged(&old, value));
            }
        }
        Value::Object(result)
    }

    /// Statuses: nested objects with few names, so that they often share some.
    fn status() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..3).prop_map(Value::from),
            Just(json!([1, {"a": null}]))
        ];
        let tree = leaf.prop_recursive(3, 20, 4, |inner| {
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|fields| json!(fields))
        });
        prop::collection::btree_map("[a-d]", tree, 0..4).prop_map(|fields| json!(fields))
    }

    proptest! {
        #[test]
        fn the_patch_turns_any_status_into_any_other(live in status(), desired in status()) {
            prop_assert_eq!(merged(&live, &merge_patch(&live, &desired)), desired);
        }
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
