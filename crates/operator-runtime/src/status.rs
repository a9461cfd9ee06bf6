//! Writes of the status sub-resource: only what differs, and never only because of a transition time.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use kube::Resource;
use kube::api::{Patch, PatchParams};
use kube::core::object::HasStatus;
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

/// What the statuses of a kind were last wanted to be by this process.
///
/// A pass compares the status that it wants with the one in the cache, and an earlier write of the same process may come there only after that:
/// the pass found nothing to write, and the earlier status would stay. So every status that comes to the cache is compared with the last
/// wanted one.
#[derive(Debug, Default)]
pub struct WantedStatuses(Mutex<HashMap<ObjectRef, u64>>);

impl WantedStatuses {
    /// Notes what the status of an object is to be, before it is written.
    pub fn note(&self, key: &ObjectRef, status: &impl Serialize) {
        let sum = sum_of(status);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), sum);
    }

    /// This process has no say in the status of an object any more.
    pub fn forget(&self, key: &ObjectRef) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Whether an event brings another status than was last wanted, and nothing else that would bring a pass. Forgets objects that are gone.
    pub fn differ<K>(&self, event: &Event<'_, K>) -> bool
    where
        K: Resource + HasStatus<Status: Serialize>,
    {
        let new = match event {
            Event::Applied { new, .. } => new,
            Event::Deleted { key, .. } => {
                self.forget(key);
                return false;
            }
        };
        if more_than_status_changed(event) {
            return false;
        }
        let wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(event.key()).copied();
        wanted.is_some_and(|wanted| new.status().map_or(0, sum_of) != wanted)
    }
}

/// Two statuses for which [`same_status`] holds have the same.
fn sum_of(status: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    // What cannot be written as JSON is not written as a status either.
    hash(&serde_json::to_value(status).unwrap_or_default(), &mut hasher);
    hasher.finish()
}

fn hash(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(fields) => {
            let mut said: Vec<_> = fields
                .iter()
                .filter(|(name, value)| *name != "lastTransitionTime" && !value.is_null())
                .collect();
            said.sort_by_key(|(name, _)| *name);
            said.len().hash(hasher);
            for (name, value) in said {
                name.hash(hasher);
                hash(value, hasher);
            }
        }
        Value::Array(items) => {
            items.len().hash(hasher);
            for item in items {
                hash(item, hasher);
            }
        }
        other => other.to_string().hash(hasher),
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
    use std::sync::Arc;

    use api::StrimziPodSet;
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

        #[test]
        fn statuses_have_one_sum_where_they_say_the_same(one in status(), mut other in status()) {
            prop_assert_eq!(same_status(&one, &other), sum_of(&one) == sum_of(&other));
            other = one.clone();
            other["lastTransitionTime"] = json!("now");
            other["e"] = Value::Null;
            prop_assert!(same_status(&one, &other) && sum_of(&one) == sum_of(&other));
        }
    }

    /// A pod set of which the status counts so many current pods.
    fn pod_set(generation: i64, current: i32) -> Arc<StrimziPodSet> {
        let set = json!({"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet",
            "metadata": {"name": "a", "namespace": "ns", "uid": "1", "generation": generation},
            "spec": {"selector": {}, "pods": []}, "status": {"currentPods": current}});
        Arc::new(serde_json::from_value(set).unwrap())
    }

    #[test]
    fn a_status_that_was_written_before_and_comes_late_is_told_from_the_wanted_one() {
        let (statuses, key) = (WantedStatuses::default(), ObjectRef::new("ns", "a"));
        let comes = |old: &Arc<StrimziPodSet>, new: &Arc<StrimziPodSet>| {
            statuses.differ(&Event::Applied { key: &key, old: Some(old), new })
        };
        let (one, none) = (pod_set(1, 1), pod_set(1, 0));
        assert!(!comes(&one, &none), "nothing is wanted");
        // The pass that wants the second status finds it in the cache, since the write of the first is not there yet.
        statuses.note(&key, &none.status);
        statuses.note(&key, &one.status);
        assert!(comes(&one, &none), "the write of the first status comes");
        assert!(!comes(&none, &one), "it is as wanted");
        assert!(!comes(&one, &pod_set(2, 0)), "what is wished changed, which brings a pass anyway");
        statuses.differ(&Event::Deleted { key: &key, old: &one, told: None });
        assert!(!comes(&one, &none), "it is forgotten");
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
