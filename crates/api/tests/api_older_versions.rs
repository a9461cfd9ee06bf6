//! Objects of older versions in a real API server: nothing of them is lost, whichever version they are read and written through.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests may stop at a surprise too"
)]

#[path = "common/sample.rs"]
mod sample;
#[allow(dead_code, reason = "another test uses the rest")]
#[path = "common/server.rs"]
mod server;

use std::path::Path;

use api::crds::older;
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use sample::Contract;
use server::{create, definitions, endpoint_of, manifest};

/// A kind in one of its older versions.
struct Served {
    client: Client,
    namespace: String,
    group: String,
    kind: String,
    version: String,
}

impl Served {
    fn through(&self, version: &str) -> kube::Api<kube::api::DynamicObject> {
        endpoint_of(self.client.clone(), &self.namespace, &self.group, version, &self.kind)
    }

    /// The object as a version shows it.
    async fn read(&self, name: &str, version: &str) -> Value {
        let read = serde_json::to_value(self.through(version).get(name).await.unwrap()).unwrap();
        assert_eq!(read["apiVersion"], format!("{}/{version}", self.group));
        read
    }

    /// The object as both versions show it.
    async fn shown(&self, name: &str) -> Value {
        let (old, new) = (self.read(name, &self.version).await, self.read(name, "v1").await);
        let name = format!("{} {}", self.kind, self.version);
        assert_eq!(first_difference(&old["spec"], &new["spec"], &format!("{name} spec")), None);
        assert_eq!(first_difference(&old["status"], &new["status"], &format!("{name} status")), None);
        new
    }

    async fn patch(&self, name: &str, version: &str, patch: Value) {
        let what = format!("{} {} through {version}", self.kind, self.version);
        let answer = self.through(version).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        answer.unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    async fn patch_status(&self, name: &str, version: &str, status: &Value) {
        let what = format!("the status of {} {} through {version}", self.kind, self.version);
        let patch = Patch::Merge(json!({ "status": status }));
        let answer = self.through(version).patch_status(name, &PatchParams::default(), &patch).await;
        answer.unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    /// Stores an object through the older version, writes to it through both, and finds all of it in both.
    async fn survives(&self, name: &str, manifest: &Value, status: Option<&Value>) {
        let created = create(&self.client, &self.namespace, manifest).await;
        let created = created.unwrap_or_else(|error| panic!("{} {}: {error}", self.kind, self.version));
        let what = format!("{} {}", self.kind, self.version);
        assert_eq!(first_difference(&manifest["spec"], &created["spec"], &what), None);
        assert_eq!(first_difference(&manifest["spec"], &self.shown(name).await["spec"], &what), None);
        if let Some(status) = status {
            self.patch_status(name, &self.version, status).await;
            assert_eq!(first_difference(status, &self.shown(name).await["status"], &what), None);
        }
        let later = json!({ "observedGeneration": 12 });
        self.patch_status(name, "v1", &later).await;
        self.patch(name, "v1", json!({ "metadata": { "labels": { "written-through": "v1" } } })).await;
        self.patch(
            name,
            &self.version,
            json!({ "metadata": { "annotations": { "written-through": "old" } } }),
        )
        .await;
        let read = self.shown(name).await;
        assert_eq!(first_difference(&manifest["spec"], &read["spec"], &what), None);
        let mut expected = status.cloned().unwrap_or_else(|| json!({}));
        expected["observedGeneration"] = json!(12);
        assert_eq!(first_difference(&expected, &read["status"], &what), None);
        assert_eq!(read["metadata"]["labels"]["written-through"], "v1");
        assert_eq!(read["metadata"]["annotations"]["written-through"], "old");
    }
}

/// The path of the first value that differs, for a readable failure of large values.
fn first_difference(expected: &Value, found: &Value, path: &str) -> Option<String> {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let lost = a.iter().find_map(|(name, value)| match b.get(name) {
                None => Some(format!("{path}.{name} is lost")),
                Some(other) => first_difference(value, other, &format!("{path}.{name}")),
            });
            lost.or_else(|| {
                b.keys()
                    .find(|name| !a.contains_key(*name))
                    .map(|name| format!("{path}.{name} was not there"))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).find_map(|(a, b)| first_difference(a, b, &format!("{path}[]")))
        }
        (a, b) => (a != b).then(|| format!("{path}: {a} became {b}")),
    }
}

#[tokio::test]
async fn every_property_of_the_contract_survives_in_every_older_version() {
    let server = server::server().await;
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("survive").await.unwrap();
    let mut properties = 0;
    for file in definitions() {
        let crd = file.crd;
        let (group, kind) = (crd.spec.group, crd.spec.names.kind);
        let contract = Contract::of(&kind);
        for version in older::versions(&kind) {
            let name = format!("all-{version}");
            let mut manifest = contract.sample("spec");
            if kind == "KafkaUser" {
                manifest["authentication"]["renewalDays"] = json!(1);
            }
            let manifest = json!({
                "apiVersion": format!("{group}/{version}"), "kind": kind, "metadata": { "name": name },
                "spec": manifest,
            });
            let status = contract.sample("status");
            properties += contract.len();
            let served = Served {
                client: client.clone(),
                namespace: namespace.clone(),
                group: group.clone(),
                kind: kind.clone(),
                version: (*version).to_owned(),
            };
            served.survives(&name, &manifest, Some(&status)).await;
        }
    }
    assert!(properties > 5_000, "{properties}");
}

#[tokio::test]
async fn manifests_of_older_versions_survive() {
    let server = server::server().await;
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("manifests").await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/older-manifests");
    let mut kinds = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let manifest = manifest(&format!("older-manifests/{file}"));
        let (group, version) = manifest["apiVersion"].as_str().unwrap().split_once('/').unwrap();
        let served = Served {
            client: client.clone(),
            namespace: namespace.clone(),
            group: group.to_owned(),
            kind: manifest["kind"].as_str().unwrap().to_owned(),
            version: version.to_owned(),
        };
        served.survives(manifest["metadata"]["name"].as_str().unwrap(), &manifest, None).await;
        kinds.insert(format!("{} {version}", served.kind));
    }
    assert_eq!(kinds.len(), 10 + 4, "one manifest at least for each kind and version: {kinds:?}");
}

#[tokio::test]
async fn v1_refuses_what_it_dropped() {
    let server = server::server().await;
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("dropped").await.unwrap();
    for (file, says) in [
        ("kafka-everything.yaml", "spec.kafka.authorization.type: Unsupported value: \"keycloak\""),
        ("kafka-connect.yaml", "spec.groupId: Required value"),
        ("kafka-mirror-maker2.yaml", "spec.mirrors[0].source: Required value"),
        ("kafka-bridge.yaml", "spec.replicas: Required value"),
        ("kafka-user-v1beta2.yaml", "spec.authorization.acls[0].operations: Required value"),
    ] {
        let mut manifest = manifest(&format!("older-manifests/{file}"));
        manifest["apiVersion"] = "kafka.strimzi.io/v1".into();
        if file != "kafka-everything.yaml" {
            // The server says what is missing only when everything else is in order.
            for section in ["authentication", "tracing"] {
                manifest["spec"].as_object_mut().unwrap().remove(section);
            }
        }
        let error = create(&client, &namespace, &manifest).await.expect_err(file);
        assert!(error.contains(says), "{file}: {error}");
    }
}

#[tokio::test]
async fn kinds_of_older_versions_scale() {
    let server = server::server().await;
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("scale-old").await.unwrap();
    let manifest = manifest("older-manifests/kafka-node-pool.yaml");
    create(&client, &namespace, &manifest).await.unwrap();
    let pools = server::endpoint(client.clone(), &namespace, &manifest);
    let patch = Patch::Merge(json!({ "spec": { "replicas": 5 } }));
    pools.patch_scale("old", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(pools.get("old").await.unwrap().data["spec"]["replicas"], 5);
}
