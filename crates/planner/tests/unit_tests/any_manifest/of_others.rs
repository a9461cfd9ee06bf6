//! The kinds beside Kafka: whatever their definitions let through is read, judged by itself and planned, in a bounded time and with a
//! plan of a bounded size.

use std::sync::Arc;
use std::time::Instant;

use api::{KafkaBridge, KafkaConnect, KafkaConnector, KafkaMirrorMaker2};
use planner::completion::Observation as _;
use planner::kafka_connector::observed::{Cluster, ObservedConnector, SeenInConnect};
use planner::kafka_connector::past::Past;
use planner::{kafka_bridge, kafka_connect, kafka_connector, kafka_mirror_maker2};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::generate::{Random, odd_metadata, value};
use super::{LARGEST, LONGEST, caught};
use crate::common;
use crate::common::bridge::Bridge;
use crate::common::connect::Connect;
use crate::common::mirror::Mirror;
use crate::paths::table;

/// Each kind with its definition and a resource that can be carried out.
const KINDS: [(&str, &str, &str); 4] = [
    (
        "KafkaConnect",
        "041-Crd-kafkaconnect.yaml",
        r#"{"bootstrapServers": "shop-kafka-bootstrap:9092", "groupId": "g", "configStorageTopic": "c",
            "statusStorageTopic": "s", "offsetStorageTopic": "o"}"#,
    ),
    ("KafkaConnector", "047-Crd-kafkaconnector.yaml", r#"{"class": "org.example.A", "tasksMax": 1}"#),
    (
        "KafkaMirrorMaker2",
        "048-Crd-kafkamirrormaker2.yaml",
        r#"{"target": {"alias": "b", "bootstrapServers": "b:9092", "groupId": "g", "configStorageTopic": "c",
            "statusStorageTopic": "s", "offsetStorageTopic": "o"},
            "mirrors": [{"source": {"alias": "a", "bootstrapServers": "a:9092"}, "sourceConnector": {}}]}"#,
    ),
    ("KafkaBridge", "046-Crd-kafkabridge.yaml", r#"{"bootstrapServers": "shop-kafka-bootstrap:9092"}"#),
];

/// A resource of a kind out of a number: some parts of a usual one are replaced, now and then all of it.
fn manifest(kind: usize, seed: u64) -> Value {
    let mut random = Random(seed);
    let (_, file, spec) = KINDS[kind];
    let schema = &table::schema(file)["properties"]["spec"];
    let mut spec: Value = serde_json::from_str(spec).unwrap();
    if random.happens(20) {
        spec = value(schema, "spec", &mut random, 0);
    }
    let properties: Vec<(&String, &Value)> = schema["properties"].as_object().unwrap().iter().collect();
    for _ in 0..random.below(5) {
        let (name, property) = properties[random.below(properties.len())];
        spec[name] = value(property, &format!("spec.{name}"), &mut random, 1);
    }
    let mut manifest = usual(kind);
    manifest["spec"] = spec;
    odd_metadata(&mut manifest, &mut random);
    manifest
}

/// A resource of a kind that can be carried out.
fn usual(kind: usize) -> Value {
    let (name, _, spec) = KINDS[kind];
    let spec: Value = serde_json::from_str(spec).unwrap();
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": name, "spec": spec,
        "metadata": {"name": "some", "namespace": "ns", "uid": "some-uid", "generation": 1,
            "labels": {"strimzi.io/cluster": "shop"}},
    })
}

/// Judges and plans a resource; whether it is refused by itself. What an older field holds that no type reads makes the resource
/// unreadable: its status says so, and it is not planned.
fn drive(kind: usize, manifest: &Value) -> bool {
    let began = Instant::now();
    let settings = common::settings();
    let usual = usual(kind).to_string();
    let (findings, plan, status) = match KINDS[kind].0 {
        "KafkaConnect" => {
            let Ok(resource) = serde_json::from_value::<KafkaConnect>(manifest.clone()) else { return true };
            let mut world = Connect::new(&usual);
            world.resource = manifest.clone();
            let plan = world.plan();
            let status = json!(plan.status);
            (
                kafka_connect::validate::alone(&resource, &settings),
                serde_json::to_vec(&plan).unwrap().len(),
                status,
            )
        }
        "KafkaMirrorMaker2" => {
            let Ok(resource) = serde_json::from_value::<KafkaMirrorMaker2>(manifest.clone()) else {
                return true;
            };
            let mut world = Mirror::new(&usual);
            world.resource = manifest.clone();
            let plan = world.plan();
            let status = json!(plan.common.status);
            let size = serde_json::to_vec(&plan.common.apply).unwrap().len();
            (kafka_mirror_maker2::validate::alone(&resource, &settings), size, status)
        }
        "KafkaBridge" => {
            let Ok(resource) = serde_json::from_value::<KafkaBridge>(manifest.clone()) else { return true };
            let mut world = Bridge::new(&usual);
            world.resource = manifest.clone();
            let plan = world.plan();
            let status = json!(plan.status);
            (
                kafka_bridge::validate::alone(&resource, &settings),
                serde_json::to_vec(&plan).unwrap().len(),
                status,
            )
        }
        _ => {
            let Ok(resource) = serde_json::from_value::<KafkaConnector>(manifest.clone()) else {
                return true;
            };
            let findings = kafka_connector::validate::alone(&resource);
            let observed = ObservedConnector {
                connector: Arc::new(resource),
                cluster: Cluster::Usable { name: "shop".to_owned() },
                seen: SeenInConnect::Here(None),
                past: Past::default(),
                answered: Vec::new(),
                topics_wanted: false,
                topics: None,
            };
            let plan = observed.plan("2026-06-01T00:00:00Z".parse().unwrap());
            (findings, 0, json!(plan.common.status))
        }
    };
    assert!(plan < LARGEST, "a plan of {plan} bytes");
    // A connector says nothing while it has been on its way for moments.
    assert!(
        status["conditions"].is_array() || KINDS[kind].0 == "KafkaConnector",
        "the status says something: {status}"
    );
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    let is_refused = !findings.problems.is_empty();
    let reason = &status["conditions"][0]["reason"];
    assert!(
        !is_refused
            || is_paused(manifest)
            || reason == "InvalidResourceException"
            || reason == "InvalidConfigurationException",
        "what is wrong by itself is refused by the plan: {:?} {status}",
        findings.problems
    );
    is_refused
}

fn is_paused(manifest: &Value) -> bool {
    let asked = &manifest["metadata"]["annotations"]["strimzi.io/pause-reconciliation"];
    asked.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_definitions_of_other_kinds_let_through_is_judged_and_planned(seed in any::<u64>()) {
        for kind in 0..KINDS.len() {
            let manifest = manifest(kind, seed);
            if let Err(why) = caught(|| drive(kind, &manifest)) {
                return Err(TestCaseError::fail(format!("{why}\n{manifest}")));
            }
        }
    }
}

#[test]
fn the_usual_resource_of_each_kind_is_accepted_and_one_that_lacks_what_it_needs_is_not() {
    for (kind, (name, ..)) in KINDS.into_iter().enumerate() {
        let mut manifest = usual(kind);
        assert!(!drive(kind, &manifest), "{name}");
        let wrong = match name {
            "KafkaConnector" => json!({"class": "", "tasksMax": 1}),
            "KafkaBridge" => json!({"bootstrapServers": "a:1", "http": {"port": 1}}),
            _ => {
                let mut spec = manifest["spec"].clone();
                spec["replicas"] = json!(-1);
                spec
            }
        };
        manifest["spec"] = wrong;
        assert!(drive(kind, &manifest), "{name}");
    }
}
