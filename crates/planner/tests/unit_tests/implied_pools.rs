//! Pools without an object that a Kafka resource of an older version implies: which volumes bring them back.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::{World, condition, kafka_status};
use planner::kafka::answer::Answer;
use planner::kafka::need::{Need, Silence, SilenceKind};
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

fn world() -> World {
    let path = format!("{}/../api/tests/older-manifests/kafka.yaml", env!("CARGO_MANIFEST_DIR"));
    let mut kafka: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    kafka["metadata"]["namespace"] = json!("ns");
    kafka["metadata"]["uid"] = json!("of-the-resource");
    World::new(vec![kafka])
}

fn pods(plan: &Plan) -> Vec<String> {
    plan.nodes.iter().map(|node| node.pod.clone()).collect()
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

/// A claim that was made for a node of an implied pool.
fn marked_claim(world: &mut World, name: &str, pool: &str) {
    let claim = json!({"metadata": {"name": name, "annotations": {"kastellan.io/implied-pool": "true"}, "labels": {
        "strimzi.io/cluster": "my-cluster", "strimzi.io/kind": "Kafka", "strimzi.io/pool-name": pool}}});
    world.observed.claims.insert(name.to_owned(), Arc::new(serde_json::from_value(claim).unwrap()));
}

#[test]
fn volumes_of_nodes_that_left_bring_no_pool_back_once_others_have_its_role() {
    let storage = json!({"type": "persistent-claim", "size": "10Gi"});
    for fields in [true, false] {
        let mut world = world();
        if !fields {
            world.kafka(|kafka| {
                kafka["spec"].as_object_mut().unwrap().remove("zookeeper");
                for field in ["replicas", "storage"] {
                    kafka["spec"]["kafka"].as_object_mut().unwrap().remove(field);
                }
            });
        }
        add_pool(&mut world, real_pool("large", &["broker"], 1, &storage));
        add_pool(&mut world, real_pool("voters", &["controller"], 1, &storage));
        let plan = world.settle();
        world.apply(&plan);
        marked_claim(&mut world, "data-0-my-cluster-kafka-2", "kafka");
        marked_claim(&mut world, "data-my-cluster-controller-1000", "controller");
        let plan = world.plan();
        assert!(condition(&plan, "Ready").is_some(), "{:#}", kafka_status(&plan));
        let only_real = |pod: &String| pod.contains("large") || pod.contains("voters");
        assert!(pods(&plan).iter().all(only_real), "{:?}", pods(&plan));
        assert!(plan.delete.is_empty(), "volumes stay: {:?}", plan.delete);
        // Nor when no pod runs, and Kafka cannot say anything.
        (world.observed.pods, world.observed.view) = (BTreeMap::new(), None);
        assert!(pods(&world.plan()).iter().all(only_real), "{:?}", pods(&world.plan()));
    }
}

#[test]
fn volumes_are_enough_to_bring_a_cluster_back_of_which_no_pod_is_left() {
    let mut world = world();
    let before = pods(&world.settle());
    (world.observed.pods, world.observed.view) = (BTreeMap::new(), None);
    world.observed.pod_sets.clear();
    assert_eq!(pods(&world.plan()), before);
    // With the fields gone too, what is there is named, and nothing is made in its place.
    world.kafka(|kafka| {
        kafka["spec"].as_object_mut().unwrap().remove("zookeeper");
        kafka["spec"]["kafka"].as_object_mut().unwrap().remove("replicas");
    });
    assert!(not_ready(&world.plan()).contains("the nodes of pool kafka"), "{}", not_ready(&world.plan()));
}

#[test]
fn nodes_that_only_kafka_still_knows_come_back_with_their_volumes() {
    let mut world = world();
    world.settle();
    let storage = json!({"type": "persistent-claim", "size": "10Gi"});
    add_pool(&mut world, real_pool("large", &["broker"], 1, &storage));
    let before = pods(&world.settle());
    // The pod set of the implied pool was deleted, and its pods with it; one broker is left that can be asked.
    world.observed.pod_sets.remove("my-cluster-kafka");
    world.observed.pods.retain(|name, _| !name.contains("-kafka-"));
    let view = world.observed.view.take().unwrap();
    let answers = |need: &Need| match need {
        Need::Kafka => Answer::Kafka(view.clone()),
        Need::BrokersWithReplicas => Answer::BrokersWithReplicas([0, 1].into()),
        _ => Answer::Unknown(Silence::new(SilenceKind::Late, "not asked")),
    };
    let (_, plan) = planner::completion::complete(world.observed.clone(), world.now, answers).unwrap();
    assert_eq!(pods(&plan), before);
    assert!(plan.delete.is_empty(), "{:?}", plan.delete);
}

/// The Kafka resource was deleted and is applied again: its objects are gone, those of the pools and all claims are there.
fn made_again(world: &mut World) {
    let observed = &mut world.observed;
    (observed.pods, observed.view) = (BTreeMap::new(), None);
    observed.pod_sets.clear();
    observed.config_maps.clear();
    observed.secrets.clear();
    observed.deployments.clear();
    observed.others = planner::live_object::LiveObjects::new();
    world.kafka(|kafka| kafka["status"] = Value::Null);
}

#[test]
fn nodes_of_implied_pools_come_back_beside_others_when_the_resource_is_made_again() {
    let storage = json!({"type": "persistent-claim", "size": "10Gi"});
    let mut world = world();
    world.settle();
    add_pool(&mut world, real_pool("large", &["broker"], 1, &storage));
    add_pool(&mut world, real_pool("voters", &["controller"], 3, &storage));
    let before = pods(&world.settle());
    assert!(before.iter().any(|pod| pod.contains("-controller-1000")), "{before:?}");
    made_again(&mut world);
    let plan = world.plan();
    assert_eq!(pods(&plan), before);
    // Also when only a part of the first pass was carried out.
    world.apply(&plan);
    for set in ["my-cluster-kafka", "my-cluster-controller"] {
        world.observed.pod_sets.remove(set);
    }
    assert_eq!(pods(&world.plan()), before);
}

#[test]
fn a_pool_whose_set_is_gone_keeps_its_nodes_and_addresses_while_kafka_is_silent() {
    let storage = json!({"type": "persistent-claim", "size": "10Gi"});
    let mut world = world();
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["listeners"] =
            json!([{"name": "ext", "port": 9094, "type": "nodeport", "tls": true}]);
    });
    world.settle();
    add_pool(&mut world, real_pool("large", &["broker"], 1, &storage));
    let before = pods(&world.settle());
    world.observed.pod_sets.remove("my-cluster-kafka");
    world.observed.pods.retain(|name, _| !name.contains("-kafka-"));
    let mut view = world.observed.view.take().unwrap();
    view.brokers_with_replicas = Some([0, 1].into());
    let plan = world.plan();
    assert!(plan.delete.is_empty(), "{:?}", plan.delete);
    // Nor are addresses given up when nothing but volumes tells of the nodes.
    world.observed.config_maps.retain(|name, _| !name.contains("-kafka-"));
    let plan = world.plan();
    assert!(plan.delete.iter().all(|gone| gone.object.kind != "Service"), "{:?}", plan.delete);
    world.observed.view = Some(view);
    assert_eq!(pods(&world.plan()), before, "Kafka knows them, and that they hold replicas");
}

#[test]
fn a_pool_with_the_name_of_an_implied_one_that_is_deleted_is_that_one_again_or_leaves_when_others_have_its_role()
 {
    let storage = json!({"type": "persistent-claim", "size": "10Gi"});
    for others in [false, true] {
        let mut world = world();
        world.settle();
        add_pool(&mut world, real_pool("kafka", &["broker"], 3, &storage));
        if others {
            add_pool(&mut world, real_pool("large", &["broker"], 1, &storage));
        }
        world.settle();
        let before = pods(&world.plan());
        world.observed.pools.retain(|pool| pool.metadata.name.as_deref() != Some("kafka"));
        world.observed.deleted_pools.insert("kafka".to_owned());
        let holders = (0..3).collect();
        world.observed.view.as_mut().unwrap().brokers_with_replicas = Some(holders);
        let plan = world.plan();
        assert_eq!(pods(&plan), before, "nobody leaves: {:#}", kafka_status(&plan));
        assert!(plan.delete.is_empty(), "{:?}", plan.delete);
        let said = serde_json::to_string(&kafka_status(&plan)).unwrap();
        assert_eq!(said.contains("KafkaNodePool kafka was deleted"), others, "{said}");
    }
}

#[test]
fn all_pools_of_a_role_that_are_deleted_at_once_keep_their_nodes_beside_fields_that_imply_one() {
    let storage = json!({"type": "persistent-claim", "size": "10Gi"});
    let mut world = world();
    world.settle();
    add_pool(&mut world, real_pool("kafka", &["broker"], 3, &storage));
    add_pool(&mut world, real_pool("large", &["broker"], 1, &storage));
    world.settle();
    let before = pods(&world.plan());
    world.observed.pools.clear();
    world.observed.deleted_pools = ["kafka", "large"].map(str::to_owned).into();
    let holders = (0..4).collect();
    world.observed.view.as_mut().unwrap().brokers_with_replicas = Some(holders);
    let plan = world.plan();
    assert_eq!(pods(&plan), before, "nobody leaves: {:#}", kafka_status(&plan));
    let said = serde_json::to_string(&kafka_status(&plan)).unwrap();
    assert!(
        said.contains("KafkaNodePool kafka was deleted") && said.contains("KafkaNodePool large was deleted"),
        "{said}"
    );
}
