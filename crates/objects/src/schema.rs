//! What is known of the fields of the kinds that the operators write: quantities, lists with keys, maps and lists that the
//! API server stores as a whole, values that it drops or fills in.
//!
//! Fields are known by their names: a path holds the names from the root of an object on, members of lists left out.
//! The test `api_apply` of operator-runtime compares all this with the definitions of a real API server.

use serde_json::Value;

/// Metadata that identifies the object or that the server keeps.
pub const SERVER_METADATA: &[&str] =
    &["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"];

/// Field names whose children's values are Kubernetes quantities.
const QUANTITY_MAPS: &[&str] = &["limits", "requests", "capacity", "hard", "overhead"];
/// Field names whose values are Kubernetes quantities.
const QUANTITY_FIELDS: &[&str] = &["sizeLimit", "divisor"];

/// Names of maps whose keys are no field names.
const WORD_MAPS: &[&str] =
    &["annotations", "binaryData", "data", "labels", "matchLabels", "nodeSelector", "stringData"];

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

/// Maps and structures of built-in kinds that the server stores as a whole (`x-kubernetes-map-type: atomic`): whoever
/// writes one of their keys owns all of them.
const ATOMIC_MAPS: &[&str] = &[
    "configMapKeyRef",
    "dataSource",
    "fieldRef",
    "fileKeyRef",
    "labelSelector",
    "namespaceSelector",
    "nodePublishSecretRef",
    "nodeSelector",
    "podSelector",
    "preference",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "resourceFieldRef",
    "roleRef",
    "secretKeyRef",
    "secretRef",
    "selector",
];

/// The last name of a path and the one before.
pub(crate) fn ends<'a>(path: &[&'a str]) -> (&'a str, &'a str) {
    let from_end = |index: usize| {
        path.len().checked_sub(index).and_then(|index| path.get(index)).copied().unwrap_or_default()
    };
    (from_end(1), from_end(2))
}

/// Whether the map at the path holds words of the users': each key is theirs, and an empty value is a value.
pub(crate) fn is_word_map(path: &[&str]) -> bool {
    WORD_MAPS.contains(&ends(path).0)
}

/// Whether the value at the path is a Kubernetes quantity.
pub(crate) fn is_quantity(path: &[&str]) -> bool {
    let (name, parent) = ends(path);
    QUANTITY_MAPS.contains(&parent) || QUANTITY_FIELDS.contains(&name) && !WORD_MAPS.contains(&parent)
}

/// Whether `false` or `0` in a field of this name differs from nothing.
pub(crate) fn zero_matters(name: &str) -> bool {
    ZERO_MATTERS.contains(&name)
}

/// Whether the server stores the map or structure at the path as a whole. Holds for built-in kinds only.
pub fn is_atomic_map(path: &[&str]) -> bool {
    let (name, parent) = ends(path);
    ATOMIC_MAPS.contains(&name)
        // Where an Ingress leads to.
        || matches!((parent, name), ("service", "port") | ("backend" | "defaultBackend", "resource"))
}

/// Whether the server fills the value into members of lists and into maps that it stores as a whole.
pub(crate) fn is_filled_in(field: &str, value: &Value) -> bool {
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

/// Whether a value says no more than its absence, in most places.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(|value| matches!(value, Value::Null)),
    }
}

/// Fields by which the members of a list are told apart; the second part is the value when a member lacks the field.
pub type Keys = &'static [(&'static str, Option<&'static str>)];

/// Whether two members of a list have the same key. A member without its key is the same as no other.
pub fn is_same_member(one: &Value, other: &Value, keys: Keys) -> bool {
    keys.iter().all(|(field, missing)| match (one.get(field), other.get(field)) {
        (Some(one), Some(other)) => one == other,
        (Some(part), None) | (None, Some(part)) => missing.is_some_and(|missing| part == missing),
        (None, None) => missing.is_some(),
    })
}

/// How the members of a list are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// By these fields; members of others may stand beside ours.
    Keyed(Keys),
    /// They are words; words of others may stand beside ours.
    Words,
    /// They are words without an order, and the server stores the list as a whole.
    WholeWords,
    /// By position; the server stores the list as a whole.
    Whole,
}

/// The kind of the list at the path.
pub fn list_kind(path: &[&str]) -> ListKind {
    let (name, parent) = ends(path);
    match name {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "resourceClaims"
        | "schedulingGates"
        | "secrets" => ListKind::Keyed(&[("name", None)]),
        // Of a pod. Those of a ServiceAccount are one value.
        "imagePullSecrets" if parent == "spec" => ListKind::Keyed(&[("name", None)]),
        "claims" if parent == "resources" => ListKind::Keyed(&[("name", None)]),
        "volumeMounts" => ListKind::Keyed(&[("mountPath", None)]),
        "volumeDevices" => ListKind::Keyed(&[("devicePath", None)]),
        "ownerReferences" => ListKind::Keyed(&[("uid", None)]),
        "hostAliases" => ListKind::Keyed(&[("ip", None)]),
        "topologySpreadConstraints" => ListKind::Keyed(&[("topologyKey", None), ("whenUnsatisfiable", None)]),
        "ports" if matches!(parent, "containers" | "initContainers" | "ephemeralContainers") => {
            ListKind::Keyed(&[("containerPort", None), ("protocol", Some("TCP"))])
        }
        // Of a Service. The ports of a NetworkPolicy are one value.
        "ports" if path == ["spec", "ports"] => ListKind::Keyed(&[("port", None), ("protocol", Some("TCP"))]),
        "finalizers" => ListKind::Words,
        "values" if parent == "exitCodes" => ListKind::Words,
        "loadBalancerSourceRanges" | "accessModes" => ListKind::WholeWords,
        _ => ListKind::Whole,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_the_same_by_their_keys_and_without_a_key_they_are_none() {
        let ListKind::Keyed(ports) = list_kind(&["spec", "ports"]) else { unreachable!("it has keys") };
        let same = |one: Value, other: Value| is_same_member(&one, &other, ports);
        assert!(same(json!({"port": 1}), json!({"port": 1, "protocol": "TCP", "name": "a"})));
        assert!(!same(json!({"port": 1}), json!({"port": 1, "protocol": "UDP"})));
        assert!(!same(json!({"port": 1}), json!({"port": 2})));
        assert!(!same(json!({"name": "a"}), json!({"name": "a"})));
    }
}
