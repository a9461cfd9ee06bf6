//! Whether a live object already says everything that is desired: the comparison that keeps an idle pass from writing.
//!
//! Three questions, all structural:
//! 1. Does the live object have every desired value? It knows quantities (`1` is `1000m`), lists with keys (containers by name, ports by
//!    number and protocol, …), and values that the server drops or fills in.
//! 2. Do we own a field that is no longer desired (a label or a port that left the plan)? Read from our entry in the managed fields.
//! 3. Do we own anything at all? An object made by somebody else is written once, so that question 2 can be answered later.

use serde_json::{Map, Value};

use crate::quantity;

/// Whether writing `desired` would change nothing. `live` should carry our managed-fields entry (`operator_runtime::apply::own_entry`); if it
/// has no managed fields at all, only the values are compared.
pub fn covers(live: &Value, desired: &Value) -> bool {
    let own = own_fields(live);
    match own {
        Own::Unknown => value_covers(live, desired, &mut Vec::new(), None),
        Own::Nothing => false,
        Own::Fields(fields) => {
            value_covers(live, desired, &mut Vec::new(), Some(fields)) && !owns_undesired(fields, desired)
        }
    }
}

enum Own<'a> {
    /// The managed fields were dropped.
    Unknown,
    /// There are managed fields, none of them ours.
    Nothing,
    Fields(&'a Value),
}

fn own_fields(live: &Value) -> Own<'_> {
    let Some(entries) = live.pointer("/metadata/managedFields").and_then(Value::as_array) else {
        return Own::Unknown;
    };
    for entry in entries {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("manager") == api::FIELD_MANAGER
            && text("operation") == "Apply"
            && text("subresource").is_empty()
            && let Some(fields) = entry.get("fieldsV1")
        {
            return Own::Fields(fields);
        }
    }
    Own::Nothing
}

/// Metadata that identifies the object or that the server keeps.
pub const SERVER_METADATA: &[&str] =
    &["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"];

/// Field names whose values (or whose children's values) are Kubernetes quantities.
const QUANTITY_MAPS: &[&str] = &["limits", "requests", "capacity", "hard", "overhead"];
const QUANTITY_FIELDS: &[&str] = &["sizeLimit", "divisor"];

/// Optional fields where `false` or `0` differs from nothing; elsewhere the server drops such values.
const ZERO_MATTERS: &[&str] = &[
    "allocateLoadBalancerNodePorts",
    "allowPrivilegeEscalation",
    "automountServiceAccountToken",
    "blockOwnerDeletion",
    "controller",
    "defaultMode",
    "enableServiceLinks",
    "fsGroup",
    "hostUsers",
    "immutable",
    "maxSurge",
    "maxUnavailable",
    "minAvailable",
    "optional",
    "privileged",
    "progressDeadlineSeconds",
    "readOnlyRootFilesystem",
    "replicas",
    "revisionHistoryLimit",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "shareProcessNamespace",
    "suspend",
    "terminationGracePeriodSeconds",
    "tolerationSeconds",
];

/// Values that the server fills into members of lists that it treats as a whole.
fn is_filled_in(field: &str, value: &Value) -> bool {
    match field {
        "protocol" => value == "TCP",
        "apiVersion" => value == "v1",
        "apiGroup" => value == "rbac.authorization.k8s.io",
        "expirationSeconds" => value == 3600,
        "defaultMode" => value == 420,
        "divisor" => value == "0",
        "pathType" => value == "ImplementationSpecific",
        // An empty object is a choice of its own: `namespaceSelector: {}` opens a policy to all namespaces.
        _ => is_empty(value) && !value.is_object(),
    }
}

/// How the members of a list are told apart.
enum ListKind {
    /// By these fields; the second part is the value when a member lacks the field.
    Keyed(&'static [(&'static str, Option<&'static str>)]),
    /// A set of words.
    Set,
    /// By position; the server stores it as a whole.
    Whole,
}

fn list_kind(path: &[&str], desired: &[Value]) -> ListKind {
    let name = path.last().copied().unwrap_or_default();
    let parent = path.len().checked_sub(2).and_then(|index| path.get(index)).copied().unwrap_or_default();
    match name {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets" => ListKind::Keyed(&[("name", None)]),
        "volumeMounts" => ListKind::Keyed(&[("mountPath", None)]),
        "volumeDevices" => ListKind::Keyed(&[("devicePath", None)]),
        "ownerReferences" => ListKind::Keyed(&[("uid", None)]),
        "hostAliases" => ListKind::Keyed(&[("ip", None)]),
        "topologySpreadConstraints" => ListKind::Keyed(&[("topologyKey", None), ("whenUnsatisfiable", None)]),
        "ports" if parent == "containers" || parent == "initContainers" => {
            ListKind::Keyed(&[("containerPort", None), ("protocol", Some("TCP"))])
        }
        // Of a Service. The ports of a NetworkPolicy are one value.
        "ports" if path == ["spec", "ports"] => ListKind::Keyed(&[("port", None), ("protocol", Some("TCP"))]),
        "finalizers" | "loadBalancerSourceRanges" | "accessModes" if desired.iter().all(Value::is_string) => {
            ListKind::Set
        }
        _ => ListKind::Whole,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(|value| matches!(value, Value::Null)),
    }
}

/// Question 1. `path` holds field names only (list members are skipped); `own` is our part of the managed fields, as far as known.
fn value_covers<'a>(live: &Value, desired: &'a Value, path: &mut Vec<&'a str>, own: Option<&Value>) -> bool {
    match (live, desired) {
        (_, Value::Null) => true,
        (Value::Object(live), Value::Object(desired)) => {
            for (name, wanted) in desired {
                if path.as_slice() == ["metadata"] && SERVER_METADATA.contains(&name.as_str()) {
                    continue;
                }
                let owned = own.and_then(|fields| fields.get(format!("f:{name}")));
                path.push(name);
                let covered = match live.get(name) {
                    Some(value) => value_covers(value, wanted, path, owned),
                    None => absence_covers(name, wanted, own.is_some(), owned.is_some()),
                };
                path.pop();
                if !covered {
                    return false;
                }
            }
            true
        }
        (Value::Array(live), Value::Array(desired)) => list_covers(live, desired, path, own),
        (live, desired) => scalar_equal(live, desired, path),
    }
}

/// Whether a field that the live object lacks need not be written.
fn absence_covers(name: &str, wanted: &Value, own_is_known: bool, owned: bool) -> bool {
    if !is_empty(wanted) {
        return false;
    }
    // An empty object can be a choice of its own (`emptyDir: {}`), and the server keeps it.
    if wanted.is_null() || wanted.as_array().is_some_and(Vec::is_empty) || wanted.as_str() == Some("") {
        return true;
    }
    // We wrote it before and the server dropped it: it will drop it again.
    if own_is_known && owned {
        return true;
    }
    match wanted {
        Value::Object(_) => matches!(name, "labels" | "annotations"),
        _ => !ZERO_MATTERS.contains(&name),
    }
}

fn list_covers<'a>(
    live: &[Value],
    desired: &'a [Value],
    path: &mut Vec<&'a str>,
    own: Option<&Value>,
) -> bool {
    match list_kind(path, desired) {
        ListKind::Keyed(keys) => desired.iter().all(|wanted| {
            let found = live.iter().find(|item| same_key(item, wanted, keys));
            let owned = own.and_then(|fields| member_fields(fields, wanted));
            found.is_some_and(|item| value_covers(item, wanted, path, owned))
        }),
        ListKind::Set => desired.iter().all(|wanted| live.contains(wanted)),
        ListKind::Whole => {
            // Admission adds tolerations of its own to pods.
            let additions = path.last() == Some(&"tolerations");
            let lengths = if additions { live.len() >= desired.len() } else { live.len() == desired.len() };
            lengths && live.iter().zip(desired).all(|(item, wanted)| whole_equal(item, wanted, path))
        }
    }
}

/// Both ways: what stands in a list that the server stores as a whole is ours alone, except for what the server fills in.
fn whole_equal<'a>(live: &Value, desired: &'a Value, path: &mut Vec<&'a str>) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            let added = live.iter().any(|(name, value)| {
                desired.get(name).is_none_or(Value::is_null) && !is_filled_in(name, value)
            });
            if added {
                return false;
            }
            for (name, wanted) in desired {
                path.push(name);
                let same = match live.get(name) {
                    Some(value) => wanted.is_null() || whole_equal(value, wanted, path),
                    None => is_empty(wanted) && (wanted.is_null() || !wanted.is_object()),
                };
                path.pop();
                if !same {
                    return false;
                }
            }
            true
        }
        (Value::Array(live), Value::Array(desired)) => {
            live.len() == desired.len()
                && live.iter().zip(desired).all(|(item, wanted)| whole_equal(item, wanted, path))
        }
        (live, desired) => scalar_equal(live, desired, path),
    }
}

fn scalar_equal(live: &Value, desired: &Value, path: &[&str]) -> bool {
    if live == desired {
        return true;
    }
    if let (Some(one), Some(other)) = (live.as_f64(), desired.as_f64()) {
        return one.to_bits() == other.to_bits();
    }
    let name = path.last().copied().unwrap_or_default();
    let parent = path.len().checked_sub(2).and_then(|index| path.get(index)).copied().unwrap_or_default();
    if QUANTITY_MAPS.contains(&parent) || QUANTITY_FIELDS.contains(&name) {
        return matches!((text(live), text(desired)), (Some(one), Some(other)) if quantity::equal(&one, &other));
    }
    // An int-or-string field: 80 and "80" mean the same port, and a port's name has a letter.
    match (live, desired) {
        (Value::Number(number), Value::String(word)) | (Value::String(word), Value::Number(number)) => {
            number.to_string() == *word
        }
        _ => false,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn same_key(one: &Value, other: &Value, keys: &[(&str, Option<&str>)]) -> bool {
    keys.iter().all(|(name, missing)| {
        let of = |item: &'_ Value| item.get(name).cloned().or_else(|| missing.map(Value::from));
        of(one) == of(other)
    })
}

/// Our managed fields of one member of a keyed list.
fn member_fields<'a>(fields: &'a Value, member: &Value) -> Option<&'a Value> {
    let fields = fields.as_object()?;
    fields.iter().find_map(|(name, owned)| {
        let key: Map<String, Value> = serde_json::from_str(name.strip_prefix("k:")?).ok()?;
        key_matches(&key, member).then_some(owned)
    })
}

fn key_matches(key: &Map<String, Value>, member: &Value) -> bool {
    key.iter().all(|(name, value)| match member.get(name) {
        Some(have) => have == value,
        // Filled in by the server before it took the key.
        None => name == "protocol" && value == "TCP",
    })
}

/// Question 2: whether the managed fields hold a path that `desired` lacks.
fn owns_undesired(fields: &Value, desired: &Value) -> bool {
    let Some(fields) = fields.as_object() else { return false };
    fields.iter().any(|(name, below)| {
        if name == "." {
            return false;
        }
        let found = if let Some(field) = name.strip_prefix("f:") {
            desired.get(field).filter(|value| !value.is_null())
        } else if let Some(key) = name.strip_prefix("k:") {
            let Ok(key) = serde_json::from_str::<Map<String, Value>>(key) else { return true };
            desired.as_array().and_then(|items| items.iter().find(|item| key_matches(&key, item)))
        } else if let Some(word) = name.strip_prefix("v:") {
            let Ok(word) = serde_json::from_str::<Value>(word) else { return true };
            desired.as_array().and_then(|items| items.iter().find(|item| **item == word))
        } else if let Some(index) = name.strip_prefix("i:") {
            index.parse::<usize>().ok().and_then(|index| desired.get(index))
        } else {
            return true;
        };
        match found {
            None => true,
            Some(value) => owns_undesired(below, value),
        }
    })
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
