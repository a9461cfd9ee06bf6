//! Kafka resources of older versions: what they say of brokers and ZooKeeper becomes pools without an object.

use crate::common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{World, condition, kafka_status, object, settings, warning_with};
use planner::kafka::plan::Plan;
use planner::kafka::validate::{Specs, alone};
use serde_json::{Value, json};

/// The manifest that users of Strimzi 0.34 wrote.
fn manifest() -> Value {
    as_written("kafka")
}

/// A manifest as a user wrote it.
fn as_written(name: &str) -> Value {
    let path = format!("{}/../test-support/as-written/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let mut kafka: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    kafka["metadata"]["namespace"] = json!("ns");
    kafka["metadata"]["uid"] = json!("of-the-resource");
    kafka["metadata"]["generation"] = json!(1);
    kafka
}

fn world() -> World {
    World::new(vec![manifest()])
}

fn pods(plan: &Plan) -> Vec<String> {
    plan.nodes.iter().map(|node| node.pod.clone()).collect()
}

fn names<'a>(plan: &'a Plan, kind: &str) -> BTreeSet<&'a str> {
    let of_kind = plan.apply.iter().filter(|object| object.reference.kind == kind);
    of_kind.map(|object| object.reference.name.as_str()).collect()
}

/// Everything that the status warns of.
fn warnings(plan: &Plan) -> Vec<String> {
    let status = kafka_status(plan);
    let conditions = status["conditions"].as_array().unwrap().iter();
    conditions
        .filter(|one| one["type"] == "Warning")
        .map(|one| one["message"].as_str().unwrap().to_owned())
        .collect()
}

fn not_ready(plan: &Plan) -> String {
    let condition = condition(plan, "NotReady").unwrap_or_else(|| panic!("{:#}", kafka_status(plan)));
    condition["message"].as_str().unwrap().to_owned()
}

fn real_pool(name: &str, roles: &[&str], replicas: i32, storage: &Value) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": name, "namespace": "ns", "uid": format!("of-{name}"), "labels": {"strimzi.io/cluster": "my-cluster"}},
        "spec": {"roles": roles, "replicas": replicas, "storage": storage}})
}

fn add_pool(world: &mut World, pool: Value) {
    world.observed.pools.push(Arc::new(serde_json::from_value(pool).unwrap()));
    world.observed.pools.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
}

#[test]
fn a_manifest_with_zookeeper_becomes_a_ready_cluster_with_warnings() {
    let mut world = world();
    let plan = world.settle();
    assert!(condition(&plan, "Ready").is_some(), "{:#}", kafka_status(&plan));
    assert_eq!(pods(&plan), ["my-cluster-kafka-0", "my-cluster-kafka-1", "my-cluster-controller-1000"]);
    assert_eq!(
        names(&plan, "PersistentVolumeClaim"),
        BTreeSet::from([
            "data-0-my-cluster-kafka-0",
            "data-0-my-cluster-kafka-1",
            "data-my-cluster-controller-1000"
        ])
    );
    let claim = object(&plan, "PersistentVolumeClaim", "data-0-my-cluster-kafka-0");
    assert_eq!(claim["spec"]["storageClassName"], "disk");
    // There is no KafkaNodePool to own anything, or to have a status.
    assert!(names(&plan, "KafkaNodePool").is_empty() && plan.status.pools.is_empty());
    for (kind, name) in [("StrimziPodSet", "my-cluster-kafka"), ("StrimziPodSet", "my-cluster-controller")] {
        let owner = &object(&plan, kind, name)["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["uid"]), (&json!("Kafka"), &json!("of-the-resource")));
    }
    assert_eq!(claim["metadata"]["ownerReferences"][0]["kind"], "Kafka", "deleteClaim is true");
    assert_eq!(kafka_status(&plan)["kafkaNodePools"], json!([]));
    let text = warnings(&plan).join("\n");
    for part in [
        "3.4.0 is older than every supported version; 4.3.1 runs instead",
        "spec.kafka.replicas and spec.kafka.storage: the brokers run as pool kafka",
        "spec.zookeeper: Kafka runs without ZooKeeper",
        "spec.kafka.config.inter.broker.protocol.version means nothing any more",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(warning_with(&plan, "KafkaInterBrokerProtocolVersionInKRaft").is_some());
    let config = object(&plan, "ConfigMap", "my-cluster-kafka-0")["data"]["server.config"].as_str().unwrap();
    assert!(!config.contains("inter.broker.protocol.version"), "{config}");
    assert!(plan.roll.wanted.is_empty() && plan.delete.is_empty());
}

#[test]
fn every_published_manifest_is_carried_out_as_it_was_written() {
    let folder = format!("{}/../test-support/as-written", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().into_string().unwrap().strip_suffix(".yaml").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert_eq!(names, ["kafka", "kafka-ephemeral-single", "kafka-nodeport", "kafka-nodeport-advertised"]);
    for name in names {
        let kafka = serde_json::from_value(as_written(&name)).unwrap();
        let accepted = alone(Specs { kafka: &kafka, pools: &[] }, &settings());
        assert!(accepted.is_ok(), "{name}: {accepted:?}");
        let plan = World::new(vec![as_written(&name)]).settle();
        assert!(
            condition(&plan, "NotReady").is_none_or(|found| found["reason"] == "Creating"),
            "{name}: {:#}",
            kafka_status(&plan)
        );
        assert!(
            warning_with(&plan, "UnsupportedKafkaVersion").is_some(),
            "{name}: {:#}",
            kafka_status(&plan)
        );
        // A port on Kubernetes nodes is given by the API server, which the planner's world has none of.
        if !name.contains("nodeport") {
            assert!(condition(&plan, "Ready").is_some(), "{name}: {:#}", kafka_status(&plan));
        }
    }
}

#[test]
fn controllers_have_what_zookeeper_had_and_not_what_brokers_have() {
    let mut world = world();
    world.kafka(|kafka| {
        let spec = &mut kafka["spec"];
        spec["kafka"]["jvmOptions"] = json!({"-Xmx": "8g"});
        spec["kafka"]["resources"] = json!({"requests": {"memory": "16Gi"}});
        spec["kafka"]["template"] = json!({"pod": {"priorityClassName": "for-brokers"}});
        spec["zookeeper"]["replicas"] = json!(3);
        spec["zookeeper"]["jvmOptions"] = json!({"-Xmx": "512m"});
        spec["zookeeper"]["resources"] = json!({"requests": {"memory": "1Gi"}});
        spec["zookeeper"]["template"] = json!({
            "pod": {"metadata": {"labels": {"part": "metadata"}}},
            "zookeeperContainer": {"env": [{"name": "A", "value": "b"}]},
        });
    });
    let plan = world.plan();
    let pod =
        |pool: &str| object(&plan, "StrimziPodSet", &format!("my-cluster-{pool}"))["spec"]["pods"][0].clone();
    let (broker, controller) = (pod("kafka"), pod("controller"));
    assert_eq!(broker["spec"]["priorityClassName"], "for-brokers");
    assert_eq!(controller["spec"].get("priorityClassName"), None);
    assert_eq!(controller["metadata"]["labels"]["part"], "metadata");
    assert_eq!(broker["spec"]["containers"][0]["resources"]["requests"]["memory"], "16Gi");
    assert_eq!(controller["spec"]["containers"][0]["resources"]["requests"]["memory"], "1Gi");
    let env = controller["spec"]["containers"][0]["env"].to_string();
    assert!(env.contains(r#"{"name":"A","value":"b"}"#), "{env}");
    let node = |name: &str| object(&plan, "ConfigMap", name)["data"].to_string();
    let (broker, controller) = (node("my-cluster-kafka-0"), node("my-cluster-controller-1000"));
    assert!(
        broker.contains(r#"\"8g\""#) && controller.contains("512m") && !controller.contains(r#"\"8g\""#),
        "{controller}"
    );
    let controllers = pods(&plan).into_iter().filter(|pod| pod.contains("controller")).collect::<Vec<_>>();
    assert_eq!(
        controllers,
        ["my-cluster-controller-1000", "my-cluster-controller-1001", "my-cluster-controller-1002"]
    );
}

#[test]
fn brokers_grow_from_zero_beside_the_controllers() {
    let mut world = world();
    world.settle();
    world.kafka(|kafka| kafka["spec"]["kafka"]["replicas"] = json!(4));
    let plan = world.settle();
    assert_eq!(
        pods(&plan),
        [
            "my-cluster-kafka-0",
            "my-cluster-kafka-1",
            "my-cluster-kafka-2",
            "my-cluster-kafka-3",
            "my-cluster-controller-1000"
        ]
    );
}

#[test]
fn real_pools_add_nodes_and_take_over_without_moving_any() {
    let mut world = world();
    let before = world.settle();
    let claim = json!({"type": "persistent-claim", "size": "10Gi", "class": "disk", "deleteClaim": true});
    // One of another name adds nodes.
    add_pool(&mut world, real_pool("large", &["broker"], 1, &claim));
    let plan = world.settle();
    let with_large =
        ["my-cluster-kafka-0", "my-cluster-kafka-1", "my-cluster-large-2", "my-cluster-controller-1000"];
    assert_eq!(pods(&plan), with_large);
    assert!(plan.roll.wanted.is_empty() && plan.delete.is_empty(), "{:?}", plan.roll.wanted);
    // Those of the same names take over, with the storage as it was.
    let jbod = world.observed.kafka.as_ref().unwrap().spec.kafka.storage.clone();
    add_pool(&mut world, real_pool("kafka", &["broker"], 2, &serde_json::to_value(jbod).unwrap()));
    add_pool(&mut world, real_pool("controller", &["controller"], 1, &claim));
    let plan = world.settle();
    assert_eq!(pods(&plan), with_large);
    let wanted: Vec<_> = plan.roll.wanted.iter().map(|restart| &restart.pod).collect();
    assert!(plan.delete.is_empty() && wanted.is_empty(), "{wanted:?} {:?}", plan.delete);
    assert_eq!(
        object(&plan, "StrimziPodSet", "my-cluster-kafka")["metadata"]["ownerReferences"][0]["uid"],
        "of-kafka"
    );
    assert!(
        warnings(&plan).iter().any(|text| text.contains("mean nothing beside KafkaNodePools with brokers"))
    );
    world.kafka(|kafka| {
        kafka["spec"].as_object_mut().unwrap().remove("zookeeper");
        for field in ["replicas", "storage"] {
            kafka["spec"]["kafka"].as_object_mut().unwrap().remove(field);
        }
    });
    let plan = world.settle();
    assert_eq!(pods(&plan), with_large);
    assert!(warning_with(&plan, "DeprecatedFields").is_none(), "{:?}", warnings(&plan));
    assert_eq!(before.nodes[0].pod, plan.nodes[0].pod);
}

#[test]
fn fields_that_go_before_pools_come_move_nothing() {
    let mut world = world();
    world.settle();
    world.kafka(|kafka| {
        kafka["spec"].as_object_mut().unwrap().remove("zookeeper");
        kafka["spec"]["kafka"].as_object_mut().unwrap().remove("replicas");
    });
    let plan = world.plan();
    let message = not_ready(&plan);
    assert!(message.contains("spec.kafka.replicas: is gone, and the nodes of pool kafka"), "{message}");
    assert!(message.contains("create a KafkaNodePool controller with roles: [controller]"), "{message}");
    assert!(plan.delete.is_empty() && names(&plan, "StrimziPodSet").is_empty());
}

#[test]
fn a_cluster_of_pools_does_not_look_at_what_is_left_of_older_fields() {
    let claim = json!({"type": "persistent-claim", "size": "10Gi"});
    let mut world = World::new(vec![manifest(), real_pool("dual", &["controller", "broker"], 3, &claim)]);
    let plan = world.settle();
    assert_eq!(pods(&plan), ["my-cluster-dual-0", "my-cluster-dual-1", "my-cluster-dual-2"]);
    assert!(
        warnings(&plan).iter().any(|text| text.contains("spec.zookeeper means nothing")),
        "{:?}",
        warnings(&plan)
    );
    // Where the annotations say so, not even before the pools are there.
    let mut world = world_annotated();
    assert!(
        not_ready(&world.plan()).contains("no KafkaNodePool has the label strimzi.io/cluster: my-cluster")
    );
}

fn world_annotated() -> World {
    let mut kafka = manifest();
    kafka["metadata"]["annotations"] =
        json!({"strimzi.io/node-pools": "enabled", "strimzi.io/kraft": "enabled"});
    World::new(vec![kafka])
}

#[test]
fn a_new_resource_waits_a_moment_for_its_pools() {
    let mut world = world();
    let created = world.now.to_string();
    world.kafka(|kafka| kafka["metadata"]["creationTimestamp"] = json!(created));
    let plan = world.plan();
    assert!(not_ready(&plan).contains("KafkaNodePools that come with it"), "{:#}", kafka_status(&plan));
    assert_eq!((plan.look_again_seconds(), plan.apply.len()), (Some(6), 0));
    world.now += jiff::SignedDuration::from_secs(6);
    assert_eq!(pods(&world.plan()).len(), 3);
}

fn older_claim(world: &mut World, name: &str, component: &str) {
    let claim = json!({"metadata": {"name": name, "labels": {
        "strimzi.io/cluster": "my-cluster", "strimzi.io/kind": "Kafka", "strimzi.io/name": component}}});
    world.observed.claims.insert(name.to_owned(), Arc::new(serde_json::from_value(claim).unwrap()));
}

#[test]
fn volumes_of_a_cluster_with_zookeeper_are_neither_formatted_nor_run() {
    let mut world = world();
    older_claim(&mut world, "data-0-my-cluster-kafka-0", "my-cluster-kafka");
    older_claim(&mut world, "data-my-cluster-zookeeper-0", "my-cluster-zookeeper");
    let plan = world.plan();
    let message = not_ready(&plan);
    assert!(
        message.contains("the claims data-0-my-cluster-kafka-0 belonged to a cluster with ZooKeeper, as did data-my-cluster-zookeeper-0"),
        "{message}"
    );
    assert!(plan.apply.is_empty() && plan.delete.is_empty() && plan.nodes.is_empty());
    // Also without ZooKeeper's own, and with a pool object.
    world.observed.claims.remove("data-my-cluster-zookeeper-0");
    assert!(not_ready(&world.plan()).contains("data-0-my-cluster-kafka-0"));
    let claim = json!({"type": "persistent-claim", "size": "10Gi"});
    add_pool(&mut world, real_pool("kafka", &["broker"], 1, &claim));
    assert!(not_ready(&world.plan()).contains("data-0-my-cluster-kafka-0"));
}

#[test]
fn what_zookeeper_itself_left_is_named_and_left_alone() {
    let mut world = world();
    older_claim(&mut world, "data-my-cluster-zookeeper-0", "my-cluster-zookeeper");
    let plan = world.settle();
    assert!(condition(&plan, "Ready").is_some(), "{:#}", kafka_status(&plan));
    let message = warning_with(&plan, "ZooKeeperRemains").unwrap();
    assert!(
        message.contains("data-my-cluster-zookeeper-0 hold the data of a ZooKeeper that is no more"),
        "{message}"
    );
    assert!(plan.delete.is_empty());
}

#[test]
fn a_zookeeper_that_runs_is_left_alone() {
    let mut world = world();
    let pod = json!({"metadata": {"name": "my-cluster-zookeeper-0", "labels": {
        "strimzi.io/cluster": "my-cluster", "strimzi.io/kind": "Kafka", "strimzi.io/name": "my-cluster-zookeeper"}}});
    world
        .observed
        .pods
        .insert("my-cluster-zookeeper-0".to_owned(), Arc::new(serde_json::from_value(pod).unwrap()));
    let plan = world.plan();
    assert!(not_ready(&plan).contains("my-cluster-zookeeper-0 run ZooKeeper"), "{}", not_ready(&plan));
    assert!(plan.apply.is_empty() && plan.delete.is_empty());
    // Nor is a cluster whose way to KRaft has begun and not ended.
    world.kafka(|kafka| kafka["status"] = json!({"kafkaMetadataVersion": "3.9-IV0"}));
    assert!(not_ready(&world.plan()).contains("my-cluster-zookeeper-0 run ZooKeeper"));
}

#[test]
fn problems_name_the_fields_of_the_resource() {
    let mut world = world();
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["storage"] = json!({"type": "persistent-claim"});
        kafka["spec"]["zookeeper"]["storage"] = json!({"type": "persistent-claim", "size": "much"});
        kafka["spec"]["zookeeper"]["template"] =
            json!({"zookeeperContainer": {"env": [{"name": "KAFKA_NODE_ID", "value": "1"}]}});
    });
    let message = not_ready(&world.plan());
    assert!(message.contains("spec.kafka.storage.size: is missing"), "{message}");
    assert!(message.contains("spec.zookeeper.storage.size: \"much\""), "{message}");
    assert!(!message.contains("KafkaNodePool"), "{message}");
    world.kafka(|kafka| drop(kafka["spec"]["kafka"].as_object_mut().unwrap().remove("storage")));
    assert!(
        not_ready(&world.plan()).contains("spec.kafka.storage: is missing"),
        "{}",
        not_ready(&world.plan())
    );
}

#[test]
fn an_image_of_an_older_kafka_is_not_run() {
    let mut world = world();
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["image"] = json!("quay.io/strimzi/kafka:0.34.0-kafka-3.4.0");
        kafka["spec"]["kafka"]["metadataVersion"] = json!("2.8-IV1");
    });
    let plan = world.plan();
    let pod = &object(&plan, "StrimziPodSet", "my-cluster-kafka")["spec"]["pods"][0];
    assert_eq!(pod["spec"]["containers"][0]["image"], "apache/kafka:4.3.1");
    let text = warnings(&world.settle()).join("\n");
    assert!(
        text.contains("spec.kafka.image: quay.io/strimzi/kafka:0.34.0-kafka-3.4.0 is not used"),
        "{text}"
    );
    assert!(text.contains("spec.kafka.metadataVersion: 2.8-IV1 is not known"), "{text}");
}

#[test]
fn storage_classes_of_single_nodes_are_used_for_their_new_claims() {
    let mut world = world();
    let overrides = json!([{"broker": 1, "class": "zone-b"}]);
    world.kafka(|kafka| kafka["spec"]["kafka"]["storage"]["volumes"][0]["overrides"] = overrides.clone());
    let plan = world.settle();
    let class = |plan: &Plan, id: i32| {
        object(plan, "PersistentVolumeClaim", &format!("data-0-my-cluster-kafka-{id}"))["spec"]["storageClassName"].clone()
    };
    assert_eq!((class(&plan, 0), class(&plan, 1)), (json!("disk"), json!("zone-b")));
    // A claim that is there stays in its class.
    let more = json!([{"broker": 0, "class": "zone-a"}, {"broker": 1, "class": "zone-b"}]);
    world.kafka(|kafka| kafka["spec"]["kafka"]["storage"]["volumes"][0]["overrides"] = more);
    let plan = world.settle();
    assert_eq!((class(&plan, 0), class(&plan, 1)), (json!("disk"), json!("zone-b")));
}

#[test]
fn oauth_opa_and_keycloak_are_refused_with_what_to_write() {
    let mut world = world();
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["listeners"][1]["authentication"] = json!({"type": "oauth"});
        kafka["spec"]["kafka"]["authorization"] = json!({"type": "keycloak"});
    });
    let message = not_ready(&world.plan());
    for part in ["OAUTHBEARER", "KeycloakAuthorizer", "spec.kafka.listeners[1].authentication.type"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_manifest_that_was_not_applied_is_understood_too() {
    let kafka = serde_json::from_value(manifest()).unwrap();
    let (cluster, warnings) = alone(Specs { kafka: &kafka, pools: &[] }, &settings()).unwrap();
    assert_eq!(cluster.pools.len(), 2);
    assert!(warnings.iter().any(|warning| warning.message.starts_with("spec.zookeeper")), "{warnings:?}");
}

#[test]
fn fields_without_effect_and_unknown_ones_are_named() {
    let mut world = world();
    world.kafka(|kafka| {
        kafka["metadata"]["annotations"] = json!({"kastellan.io/unknown-fields": "spec.kafka.sotrage"});
        kafka["spec"]["jmxTrans"] = json!({"any": "thing"});
        kafka["spec"]["zookeeper"]["config"] = json!({"tickTime": 2000});
        kafka["spec"]["kafka"]["template"] = json!({"statefulset": {"metadata": {}}});
        let entity = &mut kafka["spec"]["entityOperator"];
        entity["tlsSidecar"] = json!({});
        entity["topicOperator"] =
            json!({"reconciliationIntervalSeconds": 60, "zookeeperSessionTimeoutSeconds": 20});
    });
    let plan = world.settle();
    let text = warnings(&plan).join("\n");
    for part in [
        "spec.jmxTrans, spec.kafka.template.statefulset, spec.zookeeper.config, spec.entityOperator.tlsSidecar, \
         spec.entityOperator.topicOperator.zookeeperSessionTimeoutSeconds: without effect",
        "spec.entityOperator.topicOperator.reconciliationIntervalSeconds: write reconciliationIntervalMs",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(
        warning_with(&plan, "UnknownFields")
            .unwrap()
            .starts_with("spec.kafka.sotrage: not known to this version")
    );
    let deployment = object(&plan, "Deployment", "my-cluster-entity-operator").to_string();
    assert!(
        deployment.contains(r#"{"name":"STRIMZI_FULL_RECONCILIATION_INTERVAL_MS","value":"60000"}"#),
        "{deployment}"
    );
}

#[test]
fn a_pool_names_its_deprecated_and_unknown_fields_itself() {
    let storage =
        json!({"type": "persistent-claim", "size": "1Gi", "overrides": [{"broker": 0, "class": "a"}]});
    let mut kafka = manifest();
    kafka["spec"] = json!({"kafka": {"listeners": kafka["spec"]["kafka"]["listeners"]}});
    let mut pool = real_pool("dual", &["controller", "broker"], 1, &storage);
    pool["metadata"]["annotations"] = json!({"kastellan.io/unknown-fields": "spec.replicass"});
    let mut world = World::new(vec![kafka, pool]);
    let status = common::pool_status(&world.settle(), "dual");
    let reasons: Vec<_> =
        status["conditions"].as_array().unwrap().iter().map(|one| one["reason"].clone()).collect();
    assert_eq!(reasons, ["UnknownFields", "DeprecatedFields"], "{status:#}");
}
