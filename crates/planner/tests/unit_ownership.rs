//! Objects of other people's that have names which a cluster needs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::{World, condition, warning_with};
use objects::Change;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

fn wants(plan: &Plan, kind: &str, name: &str) -> bool {
    plan.apply.iter().any(|object| object.reference.kind == kind && object.reference.name == name)
}

fn not_ready(plan: &Plan) -> String {
    condition(plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned()
}

fn named(kind: &'static str, name: &'static str, metadata: Value) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.strangers.insert((kind, name), metadata);
    world
}

#[test]
fn an_object_of_nobody_is_left_alone_and_named_and_the_rest_is_made() {
    let made = json!({"managedFields": [{"manager": "helm", "operation": "Update"}]});
    for (kind, name) in [
        ("Service", "my-kafka-bootstrap"),
        ("PodDisruptionBudget", "my-kafka"),
        ("Role", "my-entity-operator"),
        ("Deployment", "my-entity-operator"),
        ("ConfigMap", "my-entity-topic-operator-config"),
    ] {
        let mut world = named(kind, name, made.clone());
        let plan = world.plan();
        assert!(!wants(&plan, kind, name), "{kind} {name}");
        let message = not_ready(&plan);
        for word in [&format!("{kind} {name}"), "helm", "strimzi.io/cluster: my", "delete it"] {
            assert!(message.contains(word), "{word}: {message}");
        }
        assert!(warning_with(&plan, "ForeignObject").unwrap().contains(name));
        assert!(wants(&plan, "StrimziPodSet", "my-dual"), "{kind} {name} keeps no pod from being made");
        assert!(wants(&plan, "Service", "my-kafka-brokers") && wants(&plan, "Secret", "my-cluster-ca"));
        assert_eq!(wants(&plan, "Deployment", "my-entity-operator"), !name.starts_with("my-entity"));
        assert!(plan.requeue_seconds.is_some_and(|seconds| seconds <= 15), "nothing says that it goes");
        // It went.
        world.strangers.clear();
        let plan = world.settle();
        assert!(wants(&plan, kind, name) && condition(&plan, "Ready").is_some());
    }
}

#[test]
fn pods_do_not_start_on_what_belongs_to_somebody_else() {
    for (kind, name) in [
        ("ServiceAccount", "my-kafka"),
        ("ConfigMap", "my-dual-1"),
        ("Secret", "my-dual-1"),
        ("Secret", "my-trustbundle"),
        ("Secret", "my-cluster-ca"),
        ("Service", "my-kafka-brokers"),
        ("NetworkPolicy", "my-network-policy-kafka"),
    ] {
        let mut world = named(kind, name, json!({}));
        let plan = world.plan();
        assert!(!wants(&plan, kind, name) && !wants(&plan, "StrimziPodSet", "my-dual"), "{kind} {name}");
        assert!(wants(&plan, "Service", "my-kafka-bootstrap"), "{kind} {name}");
        let authority = name == "my-cluster-ca";
        assert_eq!(
            wants(&plan, "Secret", "my-dual-0"),
            !authority,
            "nothing is signed with a key that is not kept"
        );
        assert_eq!(wants(&plan, "Deployment", "my-entity-operator"), !authority, "{kind} {name}");
    }
}

#[test]
fn a_running_cluster_goes_on_and_restarts_nothing_until_the_object_is_its_own() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    // Somebody replaced it by his own, without labels and owner.
    world.observed.config_maps.remove("my-dual-1");
    world.strangers.insert(("ConfigMap", "my-dual-1"), json!({}));
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["queued.max.requests"] = json!(400));
    let plan = world.plan();
    assert!(plan.delete.is_empty(), "what waits is no orphan: {:?}", plan.delete);
    assert!(!plan.roll.wanted.is_empty() && plan.roll.now.is_empty());
    assert!(warning_with(&plan, "RollingUpdateWaits").unwrap().contains("belong to somebody else"));
    // What the pods that stay may use is not deleted either.
    world.kafka(|kafka| drop(kafka["spec"].as_object_mut().unwrap().remove("entityOperator")));
    assert_eq!(world.plan().delete, []);
    world.strangers.clear();
    let plan = world.plan();
    assert_eq!(plan.roll.now.len(), 1);
    assert!(plan.delete.iter().any(|unwanted| unwanted.object.name == "my-entity-operator"));
}

#[test]
fn whose_it_is_stands_in_the_message() {
    let controlled = json!({"labels": {"strimzi.io/cluster": "my", "strimzi.io/kind": "Kafka"}, "ownerReferences": [
        {"apiVersion": "example.com/v1", "kind": "Gateway", "name": "edge", "uid": "1", "controller": true}]});
    let user = json!({"labels": {"strimzi.io/cluster": "my", "strimzi.io/kind": "KafkaUser"}, "ownerReferences": [
        {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "name": "alice", "uid": "1"}]});
    let other = json!({"labels": {"strimzi.io/cluster": "other", "strimzi.io/kind": "Kafka"}});
    for (metadata, whose) in [(controlled, "Gateway edge"), (user, "KafkaUser alice"), (other, "Kafka other")]
    {
        let mut world = named("Service", "my-kafka-bootstrap", metadata);
        let plan = world.plan();
        assert!(!wants(&plan, "Service", "my-kafka-bootstrap"), "{whose}");
        let message = not_ready(&plan);
        assert!(message.contains(&format!("Service my-kafka-bootstrap belongs to {whose}")), "{message}");
    }
    // The same when a cache shows it, because it has the labels of the cluster.
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    let service = world.observed.others.iter_mut().find(|(id, _)| id.name == "my-kafka-bootstrap").unwrap().1;
    let gateway = json!({"ownerReferences": [
        {"apiVersion": "example.com/v1", "kind": "Gateway", "name": "edge", "uid": "1", "controller": true}]});
    let metadata = serde_json::from_value(gateway).unwrap();
    service.controller = planner::live_object::LiveObject::of(&metadata).controller;
    assert!(not_ready(&world.plan()).contains("Service my-kafka-bootstrap belongs to Gateway edge"));
}

#[test]
fn what_was_the_clusters_is_its_own_again() {
    let kafka = |controller: bool| {
        json!([{"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "Kafka", "name": "my", "uid": "of another time",
            "controller": controller, "blockOwnerDeletion": false}])
    };
    for metadata in [
        // Strimzi's, or one that `--cascade=orphan` left, or that a user made on purpose.
        json!({"labels": {"strimzi.io/cluster": "my", "strimzi.io/kind": "Kafka"}, "ownerReferences": kafka(false)}),
        json!({"labels": {"strimzi.io/cluster": "my", "strimzi.io/kind": "Kafka"}}),
        // Somebody took the labels off.
        json!({"ownerReferences": kafka(false)}),
        json!({"ownerReferences": kafka(true)}),
        json!({"managedFields": [{"manager": "strimzi-kafka-operator", "operation": "Apply"}]}),
    ] {
        for (kind, name) in [
            ("Service", "my-kafka-brokers"),
            ("ConfigMap", "my-dual-0"),
            ("Deployment", "my-entity-operator"),
        ] {
            let mut world = named(kind, name, metadata.clone());
            let plan = world.plan();
            assert!(wants(&plan, kind, name) && wants(&plan, "StrimziPodSet", "my-dual"), "{metadata}");
            assert!(warning_with(&plan, "ForeignObject").is_none());
        }
    }
}

#[test]
fn what_carries_the_labels_is_not_asked_about() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    let held = |need: &planner::kafka::need::Need| matches!(need, planner::kafka::need::Need::Holders(_));
    assert!(!world.asked.iter().any(held), "{:?}", world.asked);
}

#[test]
fn a_cluster_wide_binding_is_that_of_its_subject() {
    let binding = |labels: Value, namespace: &str| {
        let mut found = json!({"metadata": {"name": "strimzi-myproject-my-kafka-init", "labels": labels},
            "subjects": [{"kind": "ServiceAccount", "name": "my-kafka", "namespace": namespace}]});
        found["labels"] = found["metadata"]["labels"].clone();
        found
    };
    let racked = |found: Value| {
        let mut world = World::load("dual-role.input.yaml");
        let namespace = world.observed.kafka.as_ref().unwrap().metadata.namespace.clone().unwrap();
        world.kafka(|kafka| {
            kafka["spec"]["kafka"]["rack"] = json!({"topologyKey": "topology.kubernetes.io/zone"});
        });
        let name: &'static str = format!("strimzi-{namespace}-my-kafka-init").leak();
        let found: Value = serde_json::from_str(&found.to_string().replace("myproject", &namespace)).unwrap();
        world.strangers.insert(("ClusterRoleBinding", name), found);
        (world.plan(), name)
    };
    let of_kafka = |cluster: &str| json!({"strimzi.io/cluster": cluster, "strimzi.io/kind": "Kafka"});
    // Cluster `b-c` of namespace `a` and cluster `c` of namespace `a-b` need one name.
    let (plan, name) = racked(binding(of_kafka("b-c"), "a"));
    assert!(!wants(&plan, "ClusterRoleBinding", name) && !wants(&plan, "StrimziPodSet", "my-dual"));
    assert!(
        not_ready(&plan).contains(&format!("{name} belongs to Kafka b-c of namespace a")),
        "{}",
        not_ready(&plan)
    );
    // Ours, made by an administrator for an operator that could not; and ours that a cache does not show.
    for labels in [json!(null), of_kafka("my")] {
        let (plan, name) = racked(binding(labels, "myproject"));
        let write = plan.apply.iter().find(|write| write.reference.name == name).unwrap();
        assert!(matches!(write.change, Change::Update { .. }), "{:?}", write.change);
    }
}

#[test]
fn a_claim_of_another_cluster_is_left_alone_and_one_made_by_hand_is_taken_over() {
    let labelled = |labels: Value| json!({"labels": labels});
    let with_claim = |metadata: Value| {
        let mut world = World::load("split-pools.input.yaml");
        world.strangers.insert(("PersistentVolumeClaim", "data-0-shop-brokers-0"), metadata);
        world.plan()
    };
    let first = World::load("split-pools.input.yaml").plan();
    assert!(wants(&first, "PersistentVolumeClaim", "data-0-shop-brokers-0"));
    let other = labelled(json!({"strimzi.io/cluster": "other", "strimzi.io/kind": "Kafka"}));
    let connect = labelled(json!({"strimzi.io/cluster": "shop", "strimzi.io/kind": "KafkaConnect"}));
    for (metadata, whose) in [(other, "Kafka other"), (connect, "KafkaConnect shop")] {
        let plan = with_claim(metadata);
        assert!(!wants(&plan, "PersistentVolumeClaim", "data-0-shop-brokers-0"), "{whose}");
        assert!(!wants(&plan, "StrimziPodSet", "shop-brokers"), "its pod would mount it");
        let message = not_ready(&plan);
        assert!(message.contains(&format!("data-0-shop-brokers-0 belongs to {whose}")), "{message}");
    }
    let by_hand = with_claim(json!({}));
    assert!(wants(&by_hand, "PersistentVolumeClaim", "data-0-shop-brokers-0"));
    assert!(warning_with(&by_hand, "ForeignObject").is_none());
}
