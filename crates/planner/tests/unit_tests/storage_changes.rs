//! What may change of the storage and the nodes of a pool that runs, and what becomes of the rest.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::common::{World, condition, kafka_status, object, pool_status, warning_with};
use planner::kafka::plan::Plan;
use planner::restart_reason::RestartReason;
use serde_json::{Value, json};

/// Index of the pool `brokers` of the split cluster, whose nodes are 0, 1 and 2; the controllers are 3, 4 and 5.
const BROKERS: usize = 0;

/// A cluster that runs.
fn split() -> World {
    let mut world = World::load("split-pools.input.yaml");
    world.settle();
    world
}

/// The plan after a change of a volume of the brokers.
fn changed(world: &mut World, volume: usize, change: impl FnOnce(&mut Value)) -> Plan {
    world.pool(BROKERS, |pool| change(&mut pool["spec"]["storage"]["volumes"][volume]));
    world.plan()
}

fn claim(plan: &Plan, volume: i32) -> &Value {
    object(plan, "PersistentVolumeClaim", &format!("data-{volume}-shop-brokers-1"))
}

#[test]
fn the_attributes_of_a_volume_change_without_a_restart() {
    let mut world = split();
    let plan = changed(&mut world, 0, |volume| volume["volumeAttributesClass"] = json!("gold"));
    assert_eq!(claim(&plan, 0)["spec"]["volumeAttributesClassName"], "gold");
    assert_eq!(claim(&plan, 1)["spec"].get("volumeAttributesClassName"), None);
    assert!(plan.roll.wanted.is_empty() && plan.held.is_empty(), "{:?} {:?}", plan.roll.wanted, plan.held);
    let silver = changed(&mut world, 0, |volume| volume["volumeAttributesClass"] = json!("silver"));
    assert_eq!(claim(&silver, 0)["spec"]["volumeAttributesClassName"], "silver");
}

#[test]
fn whether_claims_go_with_their_pool_can_be_changed_both_ways() {
    let mut world = split();
    let owner = |plan: &Plan, volume| claim(plan, volume)["metadata"]["ownerReferences"][0]["name"].clone();
    let mark = |plan: &Plan, volume| {
        claim(plan, volume)["metadata"]["annotations"]["strimzi.io/delete-claim"].clone()
    };
    let plan = world.plan();
    assert_eq!((owner(&plan, 0), mark(&plan, 0)), (Value::Null, json!("false")));
    assert_eq!((owner(&plan, 1), mark(&plan, 1)), (json!("brokers"), json!("true")));
    changed(&mut world, 0, |volume| volume["deleteClaim"] = json!(true));
    let plan = changed(&mut world, 1, |volume| volume["deleteClaim"] = json!(false));
    assert_eq!((owner(&plan, 0), mark(&plan, 0)), (json!("brokers"), json!("true")));
    assert_eq!((owner(&plan, 1), mark(&plan, 1)), (Value::Null, json!("false")));
    assert!(plan.roll.wanted.is_empty() && plan.delete.is_empty(), "{:?}", plan.roll.wanted);
}

#[test]
fn the_metadata_log_moves_to_the_volume_that_is_marked() {
    let mut world = split();
    let config = |plan: &Plan| {
        object(plan, "ConfigMap", "shop-brokers-1")["data"]["server.config"].as_str().unwrap().to_owned()
    };
    assert!(config(&world.plan()).contains("metadata.log.dir=/var/lib/kafka/data-0/kafka-log1\n"));
    let plan = changed(&mut world, 1, |volume| volume["kraftMetadata"] = json!("shared"));
    assert!(
        config(&plan).contains("metadata.log.dir=/var/lib/kafka/data-1/kafka-log1\n"),
        "{}",
        config(&plan)
    );
    let restarted: BTreeSet<&str> = plan.roll.wanted.iter().map(|restart| restart.pod.as_str()).collect();
    assert_eq!(restarted, BTreeSet::from(["shop-brokers-0", "shop-brokers-1", "shop-brokers-2"]));
    assert!(plan.held.is_empty() && plan.delete.is_empty());
}

#[test]
fn a_volume_is_added_to_every_node_with_a_restart_each() {
    let mut world = split();
    let more = json!({"id": 7, "type": "persistent-claim", "size": "1Gi"});
    world.pool(BROKERS, |pool| pool["spec"]["storage"]["volumes"].as_array_mut().unwrap().push(more));
    let plan = world.plan();
    assert_eq!(claim(&plan, 7)["spec"]["resources"]["requests"]["storage"], "1Gi");
    let config = object(&plan, "ConfigMap", "shop-brokers-1")["data"]["server.config"].as_str().unwrap();
    let folders = ["data-0", "data-1", "data-7"].map(|volume| format!("/var/lib/kafka/{volume}/kafka-log1"));
    assert!(config.contains(&format!("log.dirs={}\n", folders.join(","))), "{config}");
    assert_eq!(plan.roll.wanted.len(), 3);
}

#[test]
fn what_would_lose_data_leaves_all_of_the_storage_as_it_is() {
    for (what, volumes) in [
        (
            "type",
            json!([{"id": 0, "type": "ephemeral"}, {"id": 1, "type": "persistent-claim", "size": "20Gi", "class": "slow"}]),
        ),
        ("shrink", json!([{"id": 0, "type": "persistent-claim", "size": "9Gi", "class": "fast"}])),
        ("class", json!([{"id": 0, "type": "persistent-claim", "size": "10Gi", "class": "other"}])),
        (
            "selector",
            json!([{"id": 0, "type": "persistent-claim", "size": "10Gi", "class": "fast", "selector": {"a": "b"}}]),
        ),
    ] {
        let mut world = split();
        let before = world.plan();
        world.pool(BROKERS, |pool| pool["spec"]["storage"]["volumes"] = volumes);
        let plan = world.plan();
        let message = warning_with(&plan, "KafkaStorage")
            .unwrap_or_else(|| panic!("{what}: {:#}", kafka_status(&plan)));
        assert!(message.contains("KafkaNodePool brokers spec.storage"), "{message}");
        assert_eq!(plan.apply, before.apply, "{what}");
        assert!(plan.roll.wanted.is_empty() && plan.delete.is_empty(), "{what}");
        assert!(condition(&plan, "Ready").is_some(), "{what}: {:#}", kafka_status(&plan));
    }
    let mut world = split();
    let before = world.plan();
    world.pool(BROKERS, |pool| {
        pool["spec"]["storage"] = json!({"type": "persistent-claim", "size": "10Gi", "class": "fast"});
    });
    let plan = world.plan();
    assert!(warning_with(&plan, "KafkaStorage").unwrap().contains("jbod"));
    assert_eq!(plan.apply, before.apply);
}

#[test]
fn a_claim_that_was_made_larger_by_hand_is_as_good() {
    let mut world = split();
    let name = "data-0-shop-brokers-1";
    let live = Arc::make_mut(world.observed.claims.get_mut(name).unwrap());
    let mut value = serde_json::to_value(&*live).unwrap();
    value["spec"]["resources"]["requests"]["storage"] = json!("50Gi");
    value["status"] = json!({"phase": "Bound", "capacity": {"storage": "50Gi"}});
    *live = serde_json::from_value(value).unwrap();
    let plan = world.plan();
    assert_eq!(
        object(&plan, "PersistentVolumeClaim", name)["spec"]["resources"]["requests"]["storage"],
        "50Gi"
    );
    assert!(condition(&plan, "Ready").is_some(), "{:#}", kafka_status(&plan));
    assert!(warning_with(&plan, "PvcResizingWarning").is_none());
    // A size between the two is there already.
    let plan = changed(&mut world, 0, |volume| volume["size"] = json!("30Gi"));
    assert_eq!(
        object(&plan, "PersistentVolumeClaim", name)["spec"]["resources"]["requests"]["storage"],
        "50Gi"
    );
}

#[test]
fn a_node_whose_file_system_has_to_grow_is_restarted_for_it() {
    let mut world = split();
    let live = Arc::make_mut(world.observed.claims.get_mut("data-1-shop-brokers-2").unwrap());
    live.status = Some(
        serde_json::from_value(json!({"phase": "Bound", "conditions": [
            {"type": "FileSystemResizePending", "status": "True"}]}))
        .unwrap(),
    );
    let plan = world.plan();
    let [restart] = plan.roll.wanted.as_slice() else { panic!("{:?}", plan.roll.wanted) };
    assert_eq!(restart.pod, "shop-brokers-2");
    assert!(restart.reasons.contains(&RestartReason::FileSystemResizeNeeded), "{restart:?}");
}

/// Scales the brokers while none of them holds a replica.
fn scaled(world: &mut World, replicas: i32, annotations: &Value) -> Plan {
    world.observed.view.as_mut().unwrap().brokers_with_replicas = Some(BTreeSet::new());
    world.kafka(|kafka| {
        for name in [
            "default.replication.factor",
            "offsets.topic.replication.factor",
            "transaction.state.log.replication.factor",
            "transaction.state.log.min.isr",
            "min.insync.replicas",
        ] {
            kafka["spec"]["kafka"]["config"][name] = json!(1);
        }
    });
    world.pool(BROKERS, |pool| {
        pool["spec"]["replicas"] = json!(replicas);
        pool["metadata"]["annotations"] = annotations.clone();
    });
    world.plan()
}

#[test]
fn nodes_that_are_named_leave_first_and_then_the_highest() {
    for (wish, left) in [
        ("[0]", json!([1, 2])),
        ("[9, 1]", json!([0, 2])),
        ("[2-1]", json!([0, 1])),
        ("[]", json!([0, 1])),
        ("[3-5]", json!([0, 1])),
    ] {
        let plan = scaled(&mut split(), 2, &json!({"strimzi.io/remove-node-ids": wish}));
        assert_eq!(pool_status(&plan, "brokers")["nodeIds"], left, "{wish}");
    }
    let plan = scaled(&mut split(), 1, &json!({"strimzi.io/remove-node-ids": "[0]"}));
    assert_eq!(pool_status(&plan, "brokers")["nodeIds"], json!([1]));
}

#[test]
fn wishes_that_cannot_be_read_are_warned_of_and_hold_nothing_up() {
    for key in ["strimzi.io/next-node-ids", "strimzi.io/remove-node-ids"] {
        let plan = scaled(&mut split(), 4, &json!({key: "[5-"}));
        let status = pool_status(&plan, "brokers");
        assert_eq!(status["nodeIds"], json!([0, 1, 2, 6]), "the lowest that is free");
        let conditions = status["conditions"].to_string();
        assert!(conditions.contains("Warning") && conditions.contains(key), "{conditions}");
    }
}

#[test]
fn what_the_scale_sub_resource_shows_are_the_pods_of_the_pool() {
    let plan = split().plan();
    for (pool, others) in [("brokers", "controllers"), ("controllers", "brokers")] {
        let status = pool_status(&plan, pool);
        assert_eq!((&status["replicas"], &status["nodeIds"].as_array().unwrap().len()), (&json!(3), &3));
        let selector = status["labelSelector"].as_str().unwrap();
        let pods = |pool: &str| {
            object(&plan, "StrimziPodSet", &format!("shop-{pool}"))["spec"]["pods"]
                .as_array()
                .unwrap()
                .clone()
        };
        let selects = |pod: &Value| {
            selector.split(',').all(|part| {
                let (key, value) = part.split_once('=').unwrap();
                pod["metadata"]["labels"][key] == value
            })
        };
        assert!(pods(pool).iter().all(selects), "{selector}");
        assert!(!pods(others).iter().any(selects), "{selector}");
    }
}

#[test]
fn a_pool_may_get_a_role_more() {
    let mut world = split();
    world.pool(1, |pool| pool["spec"]["roles"] = json!(["controller", "broker"]));
    let plan = world.plan();
    assert_eq!(pool_status(&plan, "controllers")["roles"], json!(["controller", "broker"]));
    let restarted: BTreeSet<&str> = plan.roll.wanted.iter().map(|restart| restart.pod.as_str()).collect();
    assert_eq!(restarted, BTreeSet::from(["shop-controllers-3", "shop-controllers-4", "shop-controllers-5"]));
}
