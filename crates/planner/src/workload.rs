//! What the pods of every workload share, whatever runs in them: templates of the user, probes, security, the volume
//! with the token of the service account, revisions. Knows nothing of Kafka.

pub mod templates;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::Deployment;
use objects::{DesiredObject, Difference, canonical, compare};
use serde_json::{Map, Value, json};

use crate::fingerprint;

/// Labels or annotations.
type Pairs = BTreeMap<String, String>;

/// Where a service account's token is looked for.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Name of the volume with the token.
const TOKEN_VOLUME: &str = "kube-api-access";
/// Size of `/tmp` unless the template says otherwise.
const TMP_SIZE: &str = "5Mi";
/// Fields of a pod template that replace those of the pod as they are.
const REPLACING: &[&str] = &[
    "imagePullSecrets",
    "securityContext",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "priorityClassName",
    "schedulerName",
    "hostAliases",
    "dnsPolicy",
    "dnsConfig",
    "enableServiceLinks",
    "hostUsers",
];

/// Security of a container that needs nothing: no new privileges, no capabilities, a file system that stays as it is.
pub fn container_security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    })
}

/// Security of a pod that runs as an ordinary user. `group` owns the volumes.
pub fn pod_security(user: i64, group: Option<i64>) -> Value {
    let mut context = json!({
        "runAsNonRoot": true,
        "runAsUser": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    if let Some(group) = group {
        context["runAsGroup"] = json!(group);
        context["fsGroup"] = json!(group);
    }
    context
}

/// The volume with the token, for pods that talk to the API server; it is never mounted by default.
pub fn token_volume() -> Value {
    json!({
        "name": TOKEN_VOLUME,
        "projected": {
            "defaultMode": 420,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3600, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [
                    {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                ]}},
            ],
        },
    })
}

/// The mount of [`token_volume`].
pub fn token_mount() -> Value {
    json!({"name": TOKEN_VOLUME, "mountPath": TOKEN_PATH, "readOnly": true})
}

/// A volume in memory.
pub fn memory_volume(name: &str, size: &str) -> Value {
    json!({"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": size}})
}

/// `/tmp` in memory, as large as the pod template says.
pub fn tmp_volume(name: &str, pod_template: &Value) -> Value {
    memory_volume(name, pod_template["tmpDirSizeLimit"].as_str().unwrap_or(TMP_SIZE))
}

/// Lays the user's pod template over the specification of a pod. `placeholders` are replaced in the names that the
/// template's `templatedVolumes` refer to.
pub fn apply_pod_template(spec: &mut Map<String, Value>, template: &Value, placeholders: &[(&str, String)]) {
    for field in REPLACING {
        if !template[*field].is_null() {
            spec.insert((*field).to_owned(), template[*field].clone());
        }
    }
    if template["affinity"].is_object() {
        let merged = merge_affinity(template["affinity"].clone(), spec.get("affinity"));
        spec.insert("affinity".to_owned(), merged);
    }
    let mut further: Vec<Value> = template["volumes"].as_array().cloned().unwrap_or_default();
    for volume in template["templatedVolumes"].as_array().into_iter().flatten() {
        let mut volume = volume.clone();
        for (kind, name) in
            [("secret", "secretName"), ("configMap", "name"), ("persistentVolumeClaim", "claimName")]
        {
            if let Some(Value::String(text)) = volume.get_mut(kind).and_then(|source| source.get_mut(name)) {
                for (placeholder, value) in placeholders {
                    *text = text.replace(placeholder, value);
                }
            }
        }
        further.push(volume);
    }
    if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.extend(further);
    }
}

/// The user's affinity with our required node terms added to each of the user's.
fn merge_affinity(mut affinity: Value, ours: Option<&Value>) -> Value {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    let Some(our_terms) =
        ours.and_then(|ours| ours["nodeAffinity"][REQUIRED]["nodeSelectorTerms"].as_array())
    else {
        return affinity;
    };
    let Some(expressions) = our_terms.first().and_then(|term| term["matchExpressions"].as_array()).cloned()
    else {
        return affinity;
    };
    let terms = &mut affinity["nodeAffinity"][REQUIRED]["nodeSelectorTerms"];
    match terms.as_array_mut().filter(|terms| !terms.is_empty()) {
        Some(terms) => {
            for term in terms.iter_mut() {
                match term["matchExpressions"].as_array_mut() {
                    Some(existing) => existing.extend(expressions.iter().cloned()),
                    None => term["matchExpressions"] = Value::Array(expressions.clone()),
                }
            }
        }
        None => *terms = Value::Array(our_terms.clone()),
    }
    affinity
}

/// Lays the user's container template over a container: variables that the operator does not set itself, mounts, and
/// the security context as a whole.
pub fn apply_container_template(container: &mut Value, template: &Value) {
    for variable in template["env"].as_array().into_iter().flatten() {
        add_variable(container, variable.clone());
    }
    if let Some(mounts) = container["volumeMounts"].as_array_mut() {
        mounts.extend(template["volumeMounts"].as_array().into_iter().flatten().cloned());
    }
    if !template["securityContext"].is_null() {
        container["securityContext"] = template["securityContext"].clone();
    }
}

/// Adds variables to a container unless it has them.
pub fn add_environment(container: &mut Value, variables: &BTreeMap<String, String>) {
    for (name, value) in variables {
        add_variable(container, json!({"name": name, "value": value}));
    }
}

/// The names in a list of volumes or environment variables.
pub fn names_in(list: &[Value]) -> BTreeSet<String> {
    list.iter().filter_map(|item| item["name"].as_str()).map(str::to_owned).collect()
}

fn add_variable(container: &mut Value, variable: Value) {
    let Some(existing) = container["env"].as_array_mut() else { return };
    if !existing.iter().any(|known| known["name"] == variable["name"]) {
        existing.push(variable);
    }
}

/// The Deployment with those inherited labels on its pods that the running pods have, if nothing else of them changes: a
/// label of the custom resource is worth no restart, and reaches the pods with the next one. `own` are the labels of the
/// pods that are not inherited.
pub fn keep_inherited_labels(
    desired: DesiredObject,
    own: &Pairs,
    live: Option<&Deployment>,
) -> DesiredObject {
    const LABELS: &[&str] = &["spec", "template", "metadata", "labels"];
    let Some(running) = live.and_then(|live| live.spec.as_ref()?.template.metadata.as_ref()?.labels.as_ref())
    else {
        return desired;
    };
    let wanted: Pairs = desired
        .object
        .pointer("/spec/template/metadata/labels")
        .and_then(|labels| serde_json::from_value(labels.clone()).ok())
        .unwrap_or_default();
    let Some(live) = live.filter(|_| wanted != *running).and_then(|live| serde_json::to_value(live).ok())
    else {
        return desired;
    };
    let owned = compare::owned_keys(&live, LABELS);
    let is_ours =
        |key: &String| wanted.contains_key(key) || owned.as_ref().is_none_or(|all| all.contains(key));
    let mut labels = own.clone();
    for (key, value) in running.iter().filter(|(key, _)| is_ours(key)) {
        labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let mut kept = desired.clone();
    if let Some(place) = kept.object.pointer_mut("/spec/template/metadata/labels") {
        *place = json!(labels);
    }
    let restarts = |difference: &Difference| difference.path.starts_with("spec.template");
    if compare::differences(&live, &kept.object).iter().any(restarts) { desired } else { kept }
}

/// Takes the resources of all containers out of a pod and says what identifies both parts: the pod without
/// resources, and the resources alone. Another spelling of the same pod has the same revisions.
pub fn revisions(pod: &Value) -> (String, String) {
    let mut rest = pod.clone();
    let mut resources = Vec::new();
    for list in ["initContainers", "containers"] {
        for container in rest["spec"][list].as_array_mut().into_iter().flatten() {
            let taken = container.as_object_mut().and_then(|fields| fields.remove("resources"));
            let path = ["spec", list, "resources"];
            resources.push(canonical::text(&taken.unwrap_or(Value::Null), &path));
        }
    }
    (
        fingerprint::short(canonical::text(&rest, &[]).as_bytes()),
        fingerprint::short(resources.join("\n").as_bytes()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_affinity_and_ours_must_both_hold() {
        let ours = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]}}});
        let theirs = json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}]}}}});
        let mut spec = json!({"affinity": ours, "volumes": []}).as_object().cloned().unwrap();
        apply_pod_template(&mut spec, &theirs, &[]);
        let terms = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        let keys: Vec<_> = terms["nodeSelectorTerms"][0]["matchExpressions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|expression| expression["key"].as_str().unwrap())
            .collect();
        assert_eq!(keys, ["disk", "zone"]);
    }

    #[test]
    fn a_users_variable_never_replaces_one_of_ours() {
        let mut container = json!({"env": [{"name": "A", "value": "ours"}], "volumeMounts": []});
        apply_container_template(
            &mut container,
            &json!({"env": [{"name": "A", "value": "x"}, {"name": "B", "value": "y"}]}),
        );
        assert_eq!(container["env"], json!([{"name": "A", "value": "ours"}, {"name": "B", "value": "y"}]));
    }

    #[test]
    fn resources_have_a_revision_of_their_own() {
        let small = json!({"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "1"}}}]}});
        let large = json!({"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "2"}}}]}});
        let (first, second) = (revisions(&small), revisions(&large));
        assert_eq!(first.0, second.0);
        assert_ne!(first.1, second.1);
    }
}
