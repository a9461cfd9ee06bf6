//! A sound resource of every kind that the cluster operator looks after, for tests that hold for all of them.

use serde_json::{Value, json};

use crate::connectors::{connect, connector};
use crate::world::{kafka, pool};

/// The KafkaConnect of all connectors.
pub(crate) const HOME: &str = "home";

/// A kind, and what its resources need.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// As its resources say it.
    pub kind: &'static str,
    /// What names of its resources may begin with.
    pub prefix: &'static str,
    /// A sound resource of this name.
    pub make: fn(&str) -> Value,
    /// What else has to be there, for a resource of this name.
    pub beside: fn(&str) -> Option<Value>,
}

/// All of them. What runs Kafka comes first.
pub(crate) const KINDS: [Sample; 8] = [
    Sample { kind: "Kafka", prefix: "k", make: small_kafka, beside: |name| Some(pool(name, &of(name), 1)) },
    Sample {
        kind: "KafkaNodePool",
        prefix: "p",
        make: |name| pool(&of(name), name, 1),
        beside: |name| Some(small_kafka(&of(name))),
    },
    Sample { kind: "StrimziPodSet", prefix: "s", make: pod_set, beside: |_| None },
    Sample { kind: "KafkaConnect", prefix: "c", make: connect, beside: |_| None },
    Sample {
        kind: "KafkaConnector",
        prefix: "o",
        make: |name| connector(HOME, name, &json!({})),
        beside: |_| None,
    },
    Sample { kind: "KafkaMirrorMaker2", prefix: "m", make: mirrors, beside: |_| None },
    Sample { kind: "KafkaBridge", prefix: "b", make: bridge, beside: |_| None },
    Sample { kind: "KafkaMirrorMaker", prefix: "n", make: older_mirror, beside: |_| None },
];

pub(crate) fn sample(kind: &str) -> Sample {
    *KINDS.iter().find(|sample| sample.kind == kind).unwrap()
}

/// The resource that a cluster or a pool needs, which speaks for a pool.
pub(crate) fn of(name: &str) -> String {
    format!("of-{name}")
}

fn small_kafka(name: &str) -> Value {
    let mut small = kafka(name);
    small["spec"]["kafka"]["config"] = json!({});
    small
}

/// A pod set made by hand.
fn pod_set(name: &str) -> Value {
    json!({"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": "sets", "strimzi.io/kind": "Kafka"}},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "pods": []}})
}

fn mirrors(name: &str) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaMirrorMaker2", "metadata": {"name": name},
        "spec": {"replicas": 1,
            "target": {"alias": "there", "bootstrapServers": "there:9092", "groupId": name,
                "configStorageTopic": format!("{name}-c"), "statusStorageTopic": format!("{name}-s"),
                "offsetStorageTopic": format!("{name}-o")},
            "mirrors": [{"source": {"alias": "here", "bootstrapServers": "here:9092"}, "sourceConnector": {}}]}})
}

/// Of MirrorMaker 1.
fn older_mirror(name: &str) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaMirrorMaker", "metadata": {"name": name},
        "spec": {"replicas": 1, "include": "orders", "consumer": {"bootstrapServers": "here:9092", "groupId": name},
            "producer": {"bootstrapServers": "there:9092"}}})
}

fn bridge(name: &str) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaBridge", "metadata": {"name": name},
        "spec": {"replicas": 1, "bootstrapServers": "kafka:9092", "http": {"port": 8080}}})
}

/// A kind that is new is looked at by these tests, too.
#[test]
fn there_is_a_sample_of_every_kind_that_the_operator_looks_after() {
    // Topics and users have operators of their own, and nobody looks after the last one yet.
    let others = ["KafkaTopic", "KafkaUser", "KafkaRebalance"];
    let mut defined: Vec<String> =
        api::crds::all().unwrap().into_iter().map(|file| file.crd.spec.names.kind).collect();
    defined.retain(|kind| !others.contains(&kind.as_str()));
    defined.sort();
    let mut sampled = KINDS.map(|sample| sample.kind);
    sampled.sort_unstable();
    assert_eq!(sampled.to_vec(), defined);
}
