//! Writes against a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Patch, PatchParams, PostParams, PropagationPolicy};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, Request};
use kube::{Api, Client};
use objects::schema::{self, ListKind};
use objects::{DesiredObject, Live, ObjectId, Precondition, Write};
use operator_runtime::apply::{Applied, Applier, ApplyError};
use operator_runtime::watch::ObjectRef;
use serde_json::{Value, json};
use test_support::ApiServer;

async fn setup() -> (Applier, String) {
    let server = ApiServer::shared().await.unwrap();
    let namespace = server.create_namespace("apply").await.unwrap();
    (Applier::new(server.client().await.unwrap()), namespace)
}

/// The object as the server has it, with what a watch would keep of the managed fields.
async fn live(client: &Client, like: &Value) -> Value {
    let (group, version) = like["apiVersion"]
        .as_str()
        .unwrap()
        .split_once('/')
        .unwrap_or(("", like["apiVersion"].as_str().unwrap()));
    let resource =
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, like["kind"].as_str().unwrap()));
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), like["metadata"]["namespace"].as_str().unwrap(), &resource);
    let mut object = api.get(like["metadata"]["name"].as_str().unwrap()).await.unwrap();
    object.metadata.managed_fields =
        object.metadata.managed_fields.take().and_then(operator_runtime::apply::own_entry);
    serde_json::to_value(object).unwrap()
}

/// Writes an object as a plan says that saw this live one; `None`: it saw that there is none.
async fn write(applier: &Applier, desired: &Value, live: Option<&Value>) -> Result<Applied, ApplyError> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let reference = ObjectId {
        api_version: text(&desired["apiVersion"]),
        kind: text(&desired["kind"]),
        namespace: Some(text(&desired["metadata"]["namespace"])),
        name: text(&desired["metadata"]["name"]),
    };
    let (object, precondition) = (desired.clone(), Precondition::None);
    let desired = DesiredObject { reference, object, precondition, beside: false };
    let live = live.map_or(Live::Absent, |live| Live::Object(live.clone()));
    applier.write(&Write::of(desired, &live)).await
}

/// Objects of the kinds that the operators write, with fields that the server fills in, respells or drops.
fn kinds(namespace: &str) -> Vec<Value> {
    let labels = json!({"strimzi.io/cluster": "c", "empty": ""});
    let meta = |name: &str| json!({"name": name, "namespace": namespace, "labels": labels, "annotations": {"a": "b"}});
    let pod = json!({
        "serviceAccountName": "x", "automountServiceAccountToken": false, "hostNetwork": false, "restartPolicy": "Always",
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "c", "image": "i:1", "args": ["a"], "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"memory": 1_073_741_824}},
            "env": [{"name": "E", "value": ""}, {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
            "ports": [{"name": "p", "containerPort": 9090}, {"name": "u", "containerPort": 9090, "protocol": "UDP"}],
            "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": false}, {"name": "t", "mountPath": "/t"}],
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            "livenessProbe": {"exec": {"command": ["x"]}, "initialDelaySeconds": 0, "timeoutSeconds": 5},
        }],
        "volumes": [
            {"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "5120Ki"}},
            {"name": "e", "emptyDir": {}},
            {"name": "t", "projected": {"sources": [
                {"serviceAccountToken": {"path": "token"}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}]}},
            {"name": "s", "secret": {"secretName": "s"}},
        ],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "podAffinityTerm": {"topologyKey": "z", "labelSelector": {"matchLabels": {"a": "b"}}}}]}},
    });
    vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("cm"), "data": {"k": "v"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta("sec"), "type": "Opaque", "data": {"k": "MQ=="}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("sa"), "automountServiceAccountToken": false}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("headless"), "spec": {"type": "ClusterIP", "clusterIP": "None",
            "publishNotReadyAddresses": true, "selector": labels, "ports": [{"name": "tcp-a", "port": 9090, "protocol": "TCP", "targetPort": 9090}, {"name": "tcp-b", "port": 9091}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("plain"), "spec": {"publishNotReadyAddresses": false,
            "selector": labels, "ports": [{"name": "tcp-a", "port": 9090, "targetPort": "p"}]}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta("pvc"), "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1024Mi"}}}}),
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta("pdb"), "spec": {"minAvailable": 0, "selector": {"matchLabels": labels}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta("np"), "spec": {"podSelector": {"matchLabels": labels},
            "policyTypes": ["Ingress"], "ingress": [
                {"ports": [{"port": 9090, "protocol": "TCP"}, {"port": 8443}], "from": [{"podSelector": {"matchLabels": labels}, "namespaceSelector": {}}]},
                {"ports": [{"port": 9404}]}]}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta("role"), "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta("rb"),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "role"}, "subjects": [{"kind": "ServiceAccount", "name": "sa", "namespace": namespace}]}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("dep"), "spec": {"replicas": 0, "selector": {"matchLabels": labels},
            "strategy": {"type": "Recreate"}, "template": {"metadata": {"labels": labels}, "spec": pod}}}),
    ]
}

#[tokio::test]
async fn applying_the_same_again_writes_nothing_whatever_the_server_fills_in() {
    let (applier, namespace) = setup().await;
    for desired in kinds(&namespace) {
        let kind = desired["kind"].as_str().unwrap();
        assert_eq!(write(&applier, &desired, None).await.unwrap(), Applied::Created, "{kind}");
        let seen = live(applier.client(), &desired).await;
        // The comparison itself: with a client that reaches nobody, a request would be an error.
        let nowhere = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
        let offline = Applier::new(Client::try_from(nowhere).unwrap());
        let result = write(&offline, &desired, Some(&seen)).await;
        assert_eq!(result.ok(), Some(Applied::Unchanged), "{kind} would be written again; live {seen:#}");
    }
}

#[tokio::test]
async fn drift_made_by_hand_is_repaired_for_every_kind() {
    let (applier, namespace) = setup().await;
    let by_hand = PatchParams::default();
    for desired in kinds(&namespace) {
        write(&applier, &desired, None).await.unwrap();
        let seen = live(applier.client(), &desired).await;
        let name = desired["metadata"]["name"].as_str().unwrap();
        let kind = desired["kind"].as_str().unwrap();
        let (group, version) = desired["apiVersion"].as_str().unwrap().split_once('/').unwrap_or(("", "v1"));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(applier.client().clone(), &namespace, &resource);
        let drift = json!({"metadata": {"annotations": {"a": "changed"}, "labels": {"strimzi.io/cluster": null, "foreign": "kept"}}});
        api.patch(name, &by_hand, &Patch::Merge(&drift)).await.unwrap();
        let drifted = live(applier.client(), &desired).await;
        assert_eq!(write(&applier, &desired, Some(&drifted)).await.unwrap(), Applied::Updated, "{kind}");
        let repaired = live(applier.client(), &desired).await;
        assert_eq!(repaired["metadata"]["annotations"]["a"], "b", "{kind}");
        assert_eq!(repaired["metadata"]["labels"]["strimzi.io/cluster"], "c", "{kind}");
        assert_eq!(repaired["metadata"]["labels"]["foreign"], "kept", "{kind}");
        assert_eq!(repaired["spec"], seen["spec"], "{kind}");
    }
}

#[tokio::test]
async fn what_leaves_the_plan_leaves_the_object() {
    let (applier, namespace) = setup().await;
    let service = |ports: Value, labels: Value| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": namespace, "labels": labels},
            "spec": {"selector": {"a": "b"}, "ports": ports}})
    };
    let first =
        service(json!([{"name": "a", "port": 1}, {"name": "b", "port": 2}]), json!({"x": "1", "y": "2"}));
    write(&applier, &first, None).await.unwrap();
    let seen = live(applier.client(), &first).await;
    let second = service(json!([{"name": "b", "port": 2}]), json!({"y": "2"}));
    assert_eq!(write(&applier, &second, Some(&seen)).await.unwrap(), Applied::Updated);
    let seen = live(applier.client(), &second).await;
    assert_eq!(seen["metadata"]["labels"], json!({"y": "2"}));
    assert_eq!(seen["spec"]["ports"].as_array().unwrap().len(), 1);
    assert_eq!(write(&applier, &second, Some(&seen)).await.unwrap(), Applied::Unchanged);
}

#[tokio::test]
async fn fields_of_another_manager_are_taken_over() {
    let (applier, namespace) = setup().await;
    let api: Api<ConfigMap> = Api::namespaced(applier.client().clone(), &namespace);
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"k": "theirs", "t": "1"}});
    api.patch("cm", &PatchParams::apply("somebody"), &Patch::Apply(&theirs)).await.unwrap();
    let ours = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": namespace}, "data": {"k": "ours"}});
    let seen = live(applier.client(), &ours).await;
    assert_eq!(write(&applier, &ours, Some(&seen)).await.unwrap(), Applied::Updated);
    let data = api.get("cm").await.unwrap().data.unwrap();
    assert_eq!((data["k"].as_str(), data["t"].as_str()), ("ours", "1"));
}

#[tokio::test]
async fn deleting_is_safe_against_a_successor_of_the_same_name_and_against_absence() {
    let (applier, namespace) = setup().await;
    let key = ObjectRef::new(namespace.clone(), "cm");
    assert!(!applier.delete::<ConfigMap>(&key, None, PropagationPolicy::Background).await.unwrap());
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": namespace}});
    write(&applier, &object, None).await.unwrap();
    let error = applier
        .delete::<ConfigMap>(&key, Some("another-uid"), PropagationPolicy::Background)
        .await
        .unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert!(error.to_string().starts_with(&format!("delete ConfigMap {namespace}/cm: ")), "{error}");
    let uid = applier.get::<ConfigMap>(&key).await.unwrap().unwrap().metadata.uid.unwrap();
    assert!(applier.delete::<ConfigMap>(&key, Some(&uid), PropagationPolicy::Background).await.unwrap());
    assert!(applier.get::<ConfigMap>(&key).await.unwrap().is_none());
}

#[tokio::test]
async fn refusals_name_the_object_and_say_why() {
    let (applier, namespace) = setup().await;
    let bad = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": namespace}, "spec": {"ports": [{"port": 99_999}]}});
    let error = write(&applier, &bad, None).await.unwrap_err();
    assert!(
        error.is_invalid() && error.to_string().contains(&format!("apply Service {namespace}/s: ")),
        "{error}"
    );
    let server = ApiServer::shared().await.unwrap();
    let poor = Applier::new(server.client_for_service_account(&namespace, "nobody").await.unwrap());
    let good =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": namespace}});
    let error = write(&poor, &good, None).await.unwrap_err();
    assert!(error.is_forbidden(), "{error}");
}

#[tokio::test]
async fn a_status_is_written_only_when_it_differs_and_loses_what_left() {
    let (applier, namespace) = setup().await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": namespace},
        "spec": {"containers": [{"name": "c", "image": "i"}]}});
    write(&applier, &pod, None).await.unwrap();
    let key = ObjectRef::new(namespace.clone(), "p");
    let condition = |time: &str| json!({"type": "Ready", "status": "True", "lastTransitionTime": time});
    let first =
        json!({"phase": "Running", "message": "hello", "conditions": [condition("2026-01-01T00:00:00Z")]});
    assert!(applier.patch_status::<Pod>(&key, None, &first).await.unwrap());
    let seen = serde_json::to_value(applier.get::<Pod>(&key).await.unwrap().unwrap().status).unwrap();
    let mut again = seen.clone();
    again["conditions"][0]["lastTransitionTime"] = "2026-02-02T00:00:00Z".into();
    assert!(!applier.patch_status::<Pod>(&key, Some(&seen), &again).await.unwrap());
    again.as_object_mut().unwrap().remove("message");
    assert!(applier.patch_status::<Pod>(&key, Some(&seen), &again).await.unwrap());
    let status = applier.get::<Pod>(&key).await.unwrap().unwrap().status.unwrap();
    assert_eq!((status.message, status.phase.as_deref()), (None, Some("Running")));
    let gone = ObjectRef::new(namespace, "gone");
    assert!(!applier.patch_status::<Pod>(&gone, None, &first).await.unwrap());
}

/// Between plan and write another client made an object of the name; with the same content, so that nothing conflicts.
#[tokio::test]
async fn what_somebody_made_since_it_was_seen_that_there_is_none_stays_as_it_was_made() {
    let (applier, namespace) = setup().await;
    for desired in kinds(&namespace) {
        let (kind, name) = (desired["kind"].as_str().unwrap(), desired["metadata"]["name"].as_str().unwrap());
        let (group, version) = desired["apiVersion"].as_str().unwrap().split_once('/').unwrap_or(("", "v1"));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(applier.client().clone(), &namespace, &resource);
        let mut theirs = desired.clone();
        theirs["metadata"] = json!({"name": name, "labels": {"empty": ""}});
        let params = PostParams { field_manager: Some("somebody".to_owned()), ..PostParams::default() };
        let made = api.create(&params, &serde_json::from_value(theirs).unwrap()).await.unwrap();
        let error = write(&applier, &desired, None).await.unwrap_err();
        assert!(error.is_conflict(), "{kind}: {error}");
        let found = api.get(name).await.unwrap();
        assert_eq!(found.metadata.labels, made.metadata.labels, "{kind}");
        assert_eq!(found.metadata.annotations, made.metadata.annotations, "{kind}");
        assert_eq!(found.data, made.data, "{kind}");
        let mut managers = found.metadata.managed_fields.iter().flatten();
        assert!(managers.all(|entry| entry.manager.as_deref() == Some("somebody")), "{kind}: {found:?}");
    }
}

#[tokio::test]
async fn a_list_in_pages_brings_every_object_once_and_a_kind_that_does_not_exist_is_an_error() {
    let (applier, namespace) = setup().await;
    let map = |index: usize| {
        let labels = json!({"even": index.is_multiple_of(2).to_string()});
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("m-{index:03}"), "namespace": namespace, "labels": labels}})
    };
    let maps: Vec<Value> = (0..520).map(map).collect();
    for some in maps.chunks(40) {
        futures::future::join_all(some.iter().map(|map| write(&applier, map, None))).await;
    }
    let names = async |labels: Option<&str>, fields: Option<&str>| {
        let mut names = Vec::new();
        let each = |meta: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta| names.extend(meta.name);
        applier.each_metadata::<ConfigMap>(&namespace, labels, fields, each).await.unwrap();
        names
    };
    let all = names(None, None).await;
    assert_eq!(all, (0..520).map(|index| format!("m-{index:03}")).collect::<Vec<_>>());
    assert_eq!(names(Some("even=true"), None).await.len(), 260);
    assert_eq!(names(None, Some("metadata.name=m-007")).await, ["m-007"]);
    assert!(names(None, Some("metadata.name=none")).await.is_empty());

    // A server without the custom resources: that is not the same as having none.
    let bare = ApiServer::start().await.unwrap();
    let applier = Applier::new(bare.client().await.unwrap());
    let error = applier.each_metadata::<api::Kafka>("default", None, None, |_| {}).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn a_key_that_somebody_adds_to_a_selector_is_taken_away_again() {
    let (applier, namespace) = setup().await;
    for desired in kinds(&namespace) {
        let kind = desired["kind"].as_str().unwrap();
        let patch = match kind {
            "Service" => json!({"spec": {"selector": {"app": "nothing"}}}),
            "NetworkPolicy" => json!({"spec": {"podSelector": {"matchLabels": {"app": "nothing"}}}}),
            // That of a Deployment cannot be changed.
            "PodDisruptionBudget" => json!({"spec": {"selector": {"matchLabels": {"app": ""}}}}),
            _ => continue,
        };
        write(&applier, &desired, None).await.unwrap();
        let before = live(applier.client(), &desired).await;
        let (group, version) = desired["apiVersion"].as_str().unwrap().split_once('/').unwrap_or(("", "v1"));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(applier.client().clone(), &namespace, &resource);
        let name = desired["metadata"]["name"].as_str().unwrap();
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        let drifted = live(applier.client(), &desired).await;
        assert_ne!(drifted["spec"], before["spec"], "{kind}");
        assert_eq!(write(&applier, &desired, Some(&drifted)).await.unwrap(), Applied::Updated, "{kind}");
        let repaired = live(applier.client(), &desired).await;
        assert_eq!(repaired["spec"], before["spec"], "{kind}");
        assert_eq!(write(&applier, &desired, Some(&repaired)).await.unwrap(), Applied::Unchanged);
    }
}

/// What the definitions of a server say about the fields of the kinds that the operators write.
struct Definitions {
    all: Value,
    atomic: Vec<Vec<String>>,
    granular: Vec<Vec<String>>,
    lists: Vec<(Vec<String>, String, Vec<String>)>,
}

impl Definitions {
    fn walk(&mut self, schema: &Value, path: &[String]) {
        let schema = match schema["$ref"].as_str() {
            Some(reference) => self.all["definitions"][reference.rsplit('/').next().unwrap()].clone(),
            None => schema.clone(),
        };
        // Names of a status are never written, and a volume's own claim repeats those of a claim.
        if matches!(path.last().map(String::as_str), Some("status" | "ephemeral")) || path.len() > 20 {
            return;
        }
        if schema["x-kubernetes-map-type"] == "atomic" {
            self.atomic.push(path.to_vec());
        } else if schema["type"] == "object" {
            self.granular.push(path.to_vec());
        }
        if schema["type"] == "array" {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().map(text);
            self.lists.push((path.to_vec(), text(&schema["x-kubernetes-list-type"]), keys.collect()));
            let items = schema["items"].clone();
            self.walk(&items, path);
            // A member that is a whole itself is compared as its list is.
            self.atomic.retain(|whole| whole != path);
            self.granular.retain(|part| part != path);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let mut path = path.to_vec();
            path.push(name.clone());
            self.walk(property, &path);
        }
    }
}

#[tokio::test]
async fn what_the_comparison_knows_of_lists_and_maps_is_what_the_server_says() {
    let (applier, namespace) = setup().await;
    let request = Request::new("/openapi").get("v2", &kube::api::GetParams::default()).unwrap();
    let text = applier.client().request_text(request).await.unwrap();
    let mut definitions = Definitions {
        all: serde_json::from_str(&text).unwrap(),
        atomic: Vec::new(),
        granular: Vec::new(),
        lists: Vec::new(),
    };
    let mut kinds: Vec<(String, String)> = kinds(&namespace)
        .iter()
        .map(|object| {
            (object["apiVersion"].as_str().unwrap().to_owned(), object["kind"].as_str().unwrap().to_owned())
        })
        .collect();
    kinds.push(("networking.k8s.io/v1".to_owned(), "Ingress".to_owned()));
    kinds.sort();
    kinds.dedup();
    let all = definitions.all["definitions"].as_object().unwrap().clone();
    for (api_version, kind) in kinds {
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let is_it = |definition: &&Value| {
            definition["x-kubernetes-group-version-kind"].as_array().is_some_and(|all| {
                all.iter().any(|gvk| {
                    gvk["group"] == group && gvk["version"] == version && gvk["kind"] == kind.as_str()
                })
            })
        };
        let definition = all.values().find(is_it).unwrap_or_else(|| panic!("{kind} is not defined"));
        definitions.walk(definition, &[]);
    }
    assert!(definitions.atomic.len() > 20 && definitions.lists.len() > 50);
    for path in &definitions.atomic {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        assert!(schema::is_atomic_map(&names), "the server stores {} as a whole", path.join("."));
    }
    // Within a list that is a whole, maps are parts of it.
    let in_whole_list = |path: &Vec<String>| {
        let whole = |kind: &str| matches!(kind, "atomic" | "");
        definitions.lists.iter().any(|(list, kind, _)| whole(kind) && path.starts_with(list))
    };
    for path in definitions.granular.iter().filter(|path| !in_whole_list(path)) {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        assert!(!schema::is_atomic_map(&names), "the server does not store {} as a whole", path.join("."));
    }
    for (path, kind, keys) in &definitions.lists {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let known = schema::list_kind(&names);
        let right = match (kind.as_str(), known) {
            ("map", ListKind::Keyed(known)) => {
                known.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>() == *keys
            }
            ("set", ListKind::Words) | ("atomic" | "", ListKind::Whole | ListKind::WholeWords) => true,
            _ => false,
        };
        assert!(right, "{}: {kind} {keys:?} for the server, {known:?} for us", path.join("."));
    }
}
