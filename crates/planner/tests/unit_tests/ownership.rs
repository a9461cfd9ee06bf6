//! Objects of other people's that have names which a cluster needs.

use crate::common;

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
        assert!(plan.look_again_seconds().is_some_and(|seconds| seconds <= 15), "nothing says that it goes");
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

fn status_of(plan: &Plan, listener: &str) -> Value {
    let status = common::kafka_status(plan);
    let mut listeners = status["listeners"].as_array().unwrap().iter();
    listeners.find(|found| found["name"] == listener).unwrap().clone()
}

#[test]
fn the_status_leads_no_client_to_a_service_of_somebody_else() {
    let own = World::load("dual-role.input.yaml").plan();
    assert_eq!(status_of(&own, "plain")["bootstrapServers"], "my-kafka-bootstrap.s1.svc:9092");
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        let listeners = kafka["spec"]["kafka"]["listeners"].as_array_mut().unwrap();
        listeners.push(json!({"name": "out", "port": 9095, "type": "cluster-ip", "tls": false}));
    });
    world.settle();
    world.observed.others.retain(|id, _| id.name != "my-kafka-bootstrap");
    world.strangers.insert(("Service", "my-kafka-bootstrap"), json!({}));
    let plan = world.plan();
    for listener in ["plain", "tls"] {
        let said = status_of(&plan, listener);
        assert_eq!((&said["bootstrapServers"], &said["addresses"]), (&json!(""), &json!([])), "{said}");
    }
    let said = status_of(&plan, "out");
    assert_eq!(said["bootstrapServers"], "my-kafka-out-bootstrap.s1.svc:9095", "it has a Service of its own");
    // The other way round.
    let mut world = named("Service", "my-kafka-out-bootstrap", json!({}));
    world.kafka(|kafka| {
        let listeners = kafka["spec"]["kafka"]["listeners"].as_array_mut().unwrap();
        listeners.push(json!({"name": "out", "port": 9095, "type": "cluster-ip", "tls": false}));
    });
    let plan = world.plan();
    assert_eq!(status_of(&plan, "out")["bootstrapServers"], "");
    assert_eq!(status_of(&plan, "plain")["bootstrapServers"], "my-kafka-bootstrap.s1.svc:9092");
}

/// A settled cluster whose certificates end soon, so that all of them are due, and one of whose Secrets somebody replaced by his own.
fn aging(taken: &'static str) -> World {
    let mut world = World::load("dual-role.input.yaml");
    let days = |kafka: &mut Value, days: i32| {
        let authority = json!({"validityDays": days, "renewalDays": 30});
        kafka["spec"]["clusterCa"] = authority.clone();
        kafka["spec"]["clientsCa"] = authority;
    };
    world.kafka(|kafka| days(kafka, 40));
    world.settle();
    let settled = world.plan();
    world.apply(&settled);
    world.kafka(|kafka| days(kafka, 365));
    world.now += jiff::SignedDuration::from_hours(24 * 15);
    world.observed.secrets.remove(taken);
    world.strangers.insert(("Secret", taken), json!({}));
    world
}

/// Values of a Secret before and after a plan.
fn values(world: &World, plan: &Plan, secret: &str, key: &str) -> (Value, Value) {
    let before = serde_json::to_value(&*world.observed.secrets[secret]).unwrap()["data"][key].clone();
    let is_it = |write: &&objects::Write| write.reference.kind == "Secret" && write.reference.name == secret;
    let write = plan.apply.iter().find(is_it);
    let after = write.map_or(before.clone(), |write| write.object["data"][key].clone());
    assert!(!before.is_null(), "{secret} {key}");
    (before, after)
}

#[test]
fn while_the_clients_ca_is_held_what_the_cluster_ca_signs_is_renewed() {
    for taken in ["my-clients-ca", "my-clients-ca-cert"] {
        let mut world = aging(taken);
        let plan = world.plan();
        let message = not_ready(&plan);
        assert!(message.contains("until then the clients CA is not renewed"), "{message}");
        assert!(!message.contains("the cluster CA is not renewed"), "{message}");
        assert!(
            !wants(&plan, "Secret", "my-clients-ca") && !wants(&plan, "Secret", "my-clients-ca-cert"),
            "{taken}"
        );
        for (secret, key) in [
            ("my-dual-0", "my-dual-0.crt"),
            ("my-cluster-operator-certs", "cluster-operator.crt"),
            ("my-cluster-ca-cert", "ca.crt"),
        ] {
            let (before, after) = values(&world, &plan, secret, key);
            assert_ne!(before, after, "{taken}: {secret} is not renewed");
        }
        // Nothing of an authority that is kept nowhere reaches a pod.
        for (secret, key) in [("my-dual-0", "clients-cas.pem"), ("my-trustbundle", "clients-ca.crt")] {
            let (before, after) = values(&world, &plan, secret, key);
            assert_eq!(before, after, "{taken}: {secret}");
        }
        assert!(!wants(&plan, "StrimziPodSet", "my-dual") && plan.roll.now.is_empty());
    }
}

#[test]
fn while_the_cluster_ca_is_held_the_clients_ca_is_renewed_and_certificates_stay() {
    for taken in ["my-cluster-ca", "my-cluster-ca-cert"] {
        let mut world = aging(taken);
        let plan = world.plan();
        let message = not_ready(&plan);
        assert!(message.contains("until then the cluster CA is not renewed and signs nothing"), "{message}");
        assert!(
            !wants(&plan, "Secret", "my-cluster-ca") && !wants(&plan, "Secret", "my-cluster-ca-cert"),
            "{taken}"
        );
        let (before, after) = values(&world, &plan, "my-clients-ca-cert", "ca.crt");
        assert_ne!(before, after, "{taken}: the clients CA is not renewed");
        let (before, after) = values(&world, &plan, "my-dual-0", "clients-cas.pem");
        assert_ne!(before, after, "{taken}: what needs no signature goes on");
        for (secret, key) in [
            ("my-dual-0", "my-dual-0.crt"),
            ("my-dual-0", "cluster-cas.pem"),
            ("my-trustbundle", "cluster-ca.crt"),
            ("my-cluster-operator-certs", "cluster-operator.crt"),
        ] {
            let (before, after) = values(&world, &plan, secret, key);
            assert_eq!(before, after, "{taken}: {secret} {key}");
        }
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
    // What owns or uses it does not say so on the claim, but a StatefulSet takes its claims up by their names.
    let owned = json!({"ownerReferences": [
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "shop", "uid": "1", "controller": true}]});
    for (metadata, words) in [
        (owned, "data-0-shop-brokers-0 belongs to StatefulSet shop"),
        (
            json!({"usedBy": "StatefulSet shop-brokers"}),
            "data-0-shop-brokers-0 is used by StatefulSet shop-brokers",
        ),
        (json!({"usedBy": "Pod copy"}), "add the labels strimzi.io/kind: Kafka and strimzi.io/cluster: shop"),
    ] {
        let plan = with_claim(metadata);
        assert!(!wants(&plan, "PersistentVolumeClaim", "data-0-shop-brokers-0"), "{words}");
        assert!(!wants(&plan, "StrimziPodSet", "shop-brokers"), "its pod would mount it: {words}");
        assert!(not_ready(&plan).contains(words), "{}", not_ready(&plan));
    }
    // With the labels of the cluster somebody said that it is the cluster's.
    let said =
        json!({"labels": {"strimzi.io/cluster": "shop", "strimzi.io/kind": "Kafka"}, "usedBy": "Pod copy"});
    assert!(wants(&with_claim(said), "PersistentVolumeClaim", "data-0-shop-brokers-0"));
    let by_hand = with_claim(json!({}));
    assert!(wants(&by_hand, "PersistentVolumeClaim", "data-0-shop-brokers-0"));
    assert!(warning_with(&by_hand, "ForeignObject").is_none());
}
