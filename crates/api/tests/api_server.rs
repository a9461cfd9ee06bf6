//! The definitions in a real API server: it takes them, keeps what they describe, and refuses what they forbid.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests may stop at a surprise too"
)]

#[path = "common/server.rs"]
mod server;

use std::path::Path;

use api::{KafkaConnector, KafkaNodePool, KafkaTopic, KafkaTopicStatus};
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use server::{create, server};

fn manifest(name: &str) -> Value {
    server::manifest(&format!("manifests/{name}"))
}

#[tokio::test]
async fn manifests_of_all_kinds_are_kept_as_they_are() {
    let server = server().await;
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("keep").await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let manifest = manifest(&name);
        let created = create(&client, &namespace, &manifest).await.unwrap();
        assert_eq!(created["spec"], manifest["spec"], "{name}");
        seen += 1;
    }
    assert!(seen >= 10);
}

#[tokio::test]
async fn nothing_of_the_examples_is_refused_or_dropped() {
    let server = server().await;
    let client = server.client().await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let namespace = server.create_namespace("examples").await.unwrap();
        for part in text.split("\n---\n") {
            let manifest: Value = serde_saphyr::from_str(part).unwrap();
            // Objects of Kubernetes itself have no definition of ours.
            if manifest["apiVersion"].as_str().unwrap().contains('/') {
                let created = create(&client, &namespace, &manifest).await.unwrap();
                assert_eq!(created["spec"], manifest["spec"], "{}", path.display());
            }
        }
        seen += 1;
    }
    assert!(seen >= 7);
}

#[tokio::test]
async fn statuses_are_kept_in_the_sub_resource() {
    let server = server().await;
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("status").await.unwrap();
    create(&client, &namespace, &manifest("kafka-topic.yaml")).await.unwrap();
    let topics: Api<KafkaTopic> = Api::namespaced(client, &namespace);
    let status = KafkaTopicStatus {
        topic_id: Some("abc".to_owned()),
        observed_generation: Some(1),
        conditions: Some(vec![api::Condition::ready()]),
        ..KafkaTopicStatus::default()
    };
    let patch = Patch::Merge(json!({ "status": status }));
    topics.patch_status("orders", &PatchParams::default(), &patch).await.unwrap();
    let read = topics.get("orders").await.unwrap();
    assert_eq!(read.status, Some(status));
    assert_eq!(read.spec.topic_name.as_deref(), Some("Orders"));
}

#[tokio::test]
async fn node_pools_and_connectors_scale() {
    let server = server().await;
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("scale").await.unwrap();
    create(&client, &namespace, &manifest("kafka-node-pool.yaml")).await.unwrap();
    create(&client, &namespace, &manifest("kafka-connector.yaml")).await.unwrap();
    let patch = Patch::Merge(json!({ "spec": { "replicas": 5 } }));
    let pools: Api<KafkaNodePool> = Api::namespaced(client.clone(), &namespace);
    pools.patch_scale("dual", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(pools.get("dual").await.unwrap().spec.replicas, 5);
    let connectors: Api<KafkaConnector> = Api::namespaced(client, &namespace);
    connectors.patch_scale("source", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(connectors.get("source").await.unwrap().spec.tasks_max, Some(5));
}

/// A manifest with one value changed (`null` removes it), and what the refusal must say.
struct Refused {
    manifest: &'static str,
    pointer: &'static str,
    value: Value,
    says: &'static str,
}

#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn refused() -> Vec<Refused> {
    let case = |manifest, pointer, value, says| Refused { manifest, pointer, value, says };
    let volume = json!({ "name": "two", "emptyDir": {}, "secret": { "secretName": "x" } });
    let no_value = json!({ "name": "A" });
    let key = json!({ "name": "a", "key": "b" });
    let both_values = json!({ "name": "A", "value": "x", "valueFrom": { "secretKeyRef": key } });
    let both_sources = json!({ "name": "A", "valueFrom": { "secretKeyRef": key, "configMapKeyRef": key } });
    let templated = json!([{ "name": "two", "configMap": { "name": "x" }, "secret": { "secretName": "x" } }]);
    let needs_source = json!({ "type": "jmxPrometheusExporter" });
    let reporter = json!({ "type": "strimziMetricsReporter" });
    let by_variable = json!({ "type": "environment-variable" });
    vec![
        // Rules.
        case("kafka.yaml", "/spec/kafka/rack", json!({}), "topologyKey property is required"),
        case(
            "kafka.yaml",
            "/spec/kafka/rack",
            json!({ "topologyKey": "" }),
            "topologyKey property is required",
        ),
        case("kafka.yaml", "/spec/kafka/rack", by_variable.clone(), "envVarName property is required"),
        case(
            "kafka.yaml",
            "/spec/kafka/metricsConfig",
            needs_source.clone(),
            "valueFrom property is required",
        ),
        case(
            "kafka.yaml",
            "/spec/cruiseControl/metricsConfig",
            needs_source.clone(),
            "valueFrom property is required",
        ),
        case("kafka.yaml", "/spec/cruiseControl/metricsConfig", reporter, "value type not supported"),
        case("kafka-connect.yaml", "/spec/rack", by_variable.clone(), "envVarName property is required"),
        case("kafka-connect.yaml", "/spec/rack", json!({}), "topologyKey property is required"),
        case("kafka-mirror-maker2.yaml", "/spec/rack", json!({}), "topologyKey property is required"),
        case("kafka-bridge.yaml", "/spec/rack", json!({}), "topologyKey property is required"),
        case(
            "kafka-connect.yaml",
            "/spec/metricsConfig",
            needs_source.clone(),
            "valueFrom property is required",
        ),
        case(
            "kafka-mirror-maker2.yaml",
            "/spec/rack",
            by_variable.clone(),
            "envVarName property is required",
        ),
        case(
            "kafka-mirror-maker2.yaml",
            "/spec/metricsConfig",
            needs_source.clone(),
            "valueFrom property is required",
        ),
        case("kafka-bridge.yaml", "/spec/rack", by_variable, "envVarName property is required"),
        case("kafka-bridge.yaml", "/spec/metricsConfig", needs_source, "valueFrom property is required"),
        case(
            "kafka-user-scram.yaml",
            "/spec/authentication/validityDays",
            json!(5),
            "only with authentication type tls",
        ),
        case("kafka-user.yaml", "/spec/authentication/renewalDays", Value::Null, "both or not at all"),
        case(
            "kafka-user.yaml",
            "/spec/authentication/renewalDays",
            json!(90),
            "renewalDays must be less than validityDays",
        ),
        // Numbers that no operator can read.
        case("kafka-user.yaml", "/spec/quotas/requestPercentage", json!(3_000_000_000_u32), "2147483647"),
        case("kafka-user.yaml", "/spec/quotas/producerByteRate", json!(1e30), "less than or equal to 9.2"),
        case("kafka-topic.yaml", "/spec/partitions", json!(3_000_000_000_u32), "2147483647"),
        case("kafka.yaml", "/spec/kafka/listeners/0/port", json!(3_000_000_000_u32), "2147483647"),
        // Properties that exclude each other.
        case(
            "kafka.yaml",
            "/spec/kafka/template/pod/volumes/0",
            volume,
            "must validate one and only one schema",
        ),
        case(
            "kafka.yaml",
            "/spec/kafka/template/kafkaContainer/env/0",
            no_value,
            "must validate one and only one schema",
        ),
        case(
            "kafka.yaml",
            "/spec/kafka/template/kafkaContainer/env/0",
            both_values,
            "one and only one schema",
        ),
        case(
            "kafka.yaml",
            "/spec/kafka/template/kafkaContainer/env/0",
            both_sources,
            "one and only one schema",
        ),
        case(
            "kafka.yaml",
            "/spec/kafka/template/pod/templatedVolumes",
            templated,
            "must validate one and only one schema",
        ),
        case(
            "kafka-connect.yaml",
            "/spec/tls/trustedCertificates/0/pattern",
            Value::Null,
            "one and only one schema",
        ),
        // Types, bounds, enumerations, required properties.
        case("kafka.yaml", "/spec", Value::Null, "spec: Required value"),
        case("kafka.yaml", "/spec/kafka/listeners", json!([]), "should have at least 1 items"),
        case("kafka.yaml", "/spec/kafka/listeners/0/port", json!(9091), "greater than or equal to 9092"),
        case("kafka.yaml", "/spec/kafka/listeners/0/name", json!("Too-Long-Name"), "should match"),
        case("kafka-node-pool.yaml", "/spec/roles/0", json!("zookeeper"), "Unsupported value"),
        case("kafka-node-pool.yaml", "/spec/storage", Value::Null, "spec.storage: Required value"),
        case("kafka-node-pool.yaml", "/spec/resources/limits/memory", json!("lots"), "should match"),
        case("kafka-topic.yaml", "/spec/partitions", json!(0), "greater than or equal to 1"),
        case("kafka-topic.yaml", "/spec/replicas", json!(32768), "less than or equal to 32767"),
        case("kafka-topic.yaml", "/spec/partitions", json!("six"), "must be of type integer"),
        case("kafka-user.yaml", "/spec/authorization/acls/0/operations/0", json!("Eat"), "Unsupported value"),
        case(
            "kafka-rebalance.yaml",
            "/spec/moveReplicasOffVolumes/0/volumeIds",
            json!([]),
            "at least 1 items",
        ),
    ]
}

fn set(manifest: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer} does not exist"));
    match parent {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        Value::Object(object) if value.is_null() => {
            object.remove(name);
        }
        Value::Object(object) => {
            object.insert(name.to_owned(), value);
        }
        _ => panic!("{pointer} is neither in a list nor in an object"),
    }
}

#[tokio::test]
async fn what_the_definitions_forbid_is_refused_with_a_reason() {
    let server = server().await;
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("refuse").await.unwrap();
    for case in refused() {
        let mut manifest = manifest(case.manifest);
        set(&mut manifest, case.pointer, case.value);
        let answer = create(&client, &namespace, &manifest).await;
        let error = answer.expect_err(&format!("{} with another {} was taken", case.manifest, case.pointer));
        assert!(error.contains(case.says), "{} {}: {error}", case.manifest, case.pointer);
    }
}

#[tokio::test]
async fn unknown_properties_are_pruned_but_free_ones_are_kept() {
    let server = server().await;
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("prune").await.unwrap();
    let mut topic = manifest("kafka-topic.yaml");
    topic["spec"]["unknown"] = json!(1);
    topic["spec"]["config"]["deep"] = json!({ "a": [1] });
    let created = create(&client, &namespace, &topic).await.unwrap();
    assert!(created["spec"].get("unknown").is_none());
    assert_eq!(created["spec"]["config"]["deep"], json!({ "a": [1] }));
}

/// Every document of every example is taken by the API server as it is written: nothing is refused, nothing is dropped.
#[tokio::test]
async fn every_example_is_kept_as_it_is() {
    let server = server().await;
    let client = server.client().await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut applied = 0;
    for (number, entry) in std::fs::read_dir(folder).unwrap().enumerate() {
        let path = entry.unwrap().path();
        let namespace = server.create_namespace(&format!("example-{number}")).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for part in text.split("\n---\n") {
            let document: Value = serde_saphyr::from_str(part).unwrap();
            let what = format!("{} {}", path.display(), document["metadata"]["name"]);
            let object: DynamicObject = serde_json::from_value(document.clone()).unwrap();
            let (group, version) =
                document["apiVersion"].as_str().unwrap().split_once('/').unwrap_or(("", "v1"));
            let kind = document["kind"].as_str().unwrap();
            let endpoint = server::endpoint_of(client.clone(), &namespace, group, version, kind);
            let created = endpoint.create(&PostParams::default(), &object).await;
            let created = created.unwrap_or_else(|error| panic!("{what}: {error}"));
            if !group.is_empty() {
                assert_eq!(created.data["spec"], document["spec"], "{what}");
            }
            applied += 1;
        }
    }
    assert!(applied >= 30, "{applied}");
}
