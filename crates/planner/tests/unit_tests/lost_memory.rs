//! What must not be lost or undone because one source forgot it: users of JMX, quotas in Kafka, remote storage.

use std::collections::BTreeMap;

use crate::common::{World, condition, kafka_status, warning_with};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::cluster::Rate;
use planner::kafka::need::Need;
use planner::kafka::observed::TieredTopics;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

fn world(section: &str, content: Value) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| kafka["spec"]["kafka"][section] = content);
    world
}

fn problem(world: &mut World) -> String {
    let plan = world.plan();
    let condition =
        condition(&plan, "NotReady").unwrap_or_else(|| panic!("not refused: {}", kafka_status(&plan)));
    condition["message"].as_str().unwrap().to_owned()
}

fn quota_calls(plan: &Plan) -> Vec<BTreeMap<String, Option<Rate>>> {
    let calls = plan.calls.iter().filter_map(|call| match call {
        AdminCall::AlterDefaultUserQuotas { changes } => Some(changes.clone()),
        _ => None,
    });
    calls.collect()
}

fn tiered() -> Value {
    json!({"type": "custom", "remoteStorageManager": {"className": "a.Rsm", "classPath": "/opt/rsm/*",
        "config": {"bucket": "b", "key": "${strimzienv:KEY}"}}})
}

/// What is written when the Secret of JMX is gone.
fn plan_of_the_secret(world: &mut World) -> objects::Write {
    world.observed.secrets.remove("my-kafka-jmx");
    let plan = world.plan();
    let is_it = |write: &&objects::Write| write.reference.name == "my-kafka-jmx";
    plan.apply.iter().find(is_it).unwrap().clone()
}

#[test]
fn a_lost_secret_of_jmx_locks_nobody_out_and_one_without_labels_is_left_alone() {
    let mut world = world("jmxOptions", json!({"authentication": {"type": "password"}}));
    world.settle();
    let before = world.observed.secrets["my-kafka-jmx"].clone();
    let written = plan_of_the_secret(&mut world.clone());
    let user = |data: &Value| data["jmx-username"].as_str().unwrap().to_owned();
    // Kafka reads who may do what at its start alone: the user stays the same.
    let of_before = serde_json::to_value(&*before).unwrap();
    assert_eq!(user(&written.object["data"]), user(&of_before["data"]));
    assert_eq!(written.precondition, objects::Precondition::Absent, "no Secret is overwritten");
    // It lost its labels, and so the operator does not see what is in it.
    let mut hidden = of_before;
    let owner = json!([{"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "name": "my", "controller": true,
        "uid": world.observed.kafka.as_ref().unwrap().metadata.uid}]);
    hidden["metadata"]["labels"] = json!({});
    hidden["metadata"]["ownerReferences"] = owner;
    world.strangers.insert(("Secret", "my-kafka-jmx"), hidden);
    world.observed.secrets.remove("my-kafka-jmx");
    let plan = world.plan();
    assert!(!plan.apply.iter().any(|write| write.reference.name == "my-kafka-jmx"), "it is not overwritten");
    let words = warning_with(&plan, "ForeignObject").unwrap();
    assert!(words.contains("Secret my-kafka-jmx") && words.contains("strimzi.io/cluster"), "{words}");
}

#[test]
fn a_cluster_is_not_ready_before_kafka_was_told_its_quotas() {
    let mut world = world("quotas", json!({"type": "kafka", "producerByteRate": 1000}));
    let plan = world.settle();
    assert!(condition(&plan, "Ready").is_none(), "{:#}", kafka_status(&plan));
    assert!(plan.waiting_for.iter().any(|what| what.contains("quotas")), "{:?}", plan.waiting_for);
    world.default_quotas = Some(BTreeMap::new());
    let plan = world.plan();
    assert_eq!(quota_calls(&plan).len(), 1);
    assert!(condition(&plan, "Ready").is_some(), "{:#}", kafka_status(&plan));
}

#[test]
fn quotas_are_set_only_once_it_is_remembered_whose_they_are() {
    let mut world = world("quotas", Value::Null);
    world.settle();
    world.default_quotas = Some(BTreeMap::new());
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["quotas"] = json!({"type": "kafka", "producerByteRate": 1000});
    });
    // The pod sets, which remember it, may have to wait for an object of somebody else's.
    let plan = world.plan();
    assert!(quota_calls(&plan).is_empty());
    assert!(plan.waiting_for.iter().any(|what| what.contains("quotas")), "{:?}", plan.waiting_for);
    world.apply(&plan);
    assert_eq!(quota_calls(&world.plan()).len(), 1);
}

#[test]
fn tiered_storage_leaves_only_when_somebody_confirms_that_no_topic_needs_it() {
    let mut world = world("tieredStorage", tiered());
    world.settle();
    world.kafka(|kafka| kafka["spec"]["kafka"]["tieredStorage"] = Value::Null);
    let message = problem(&mut world.clone());
    assert!(
        message.contains("spec.kafka.tieredStorage: is gone") && message.contains("remote.storage.enable"),
        "{message}"
    );
    world.kafka(|kafka| {
        kafka["metadata"]["annotations"]["kastellan.io/remove-tiered-storage"] = json!("true");
    });
    let plan = world.plan();
    assert!(condition(&plan, "NotReady").is_none() && !plan.roll.wanted.is_empty());
}

#[test]
fn topics_with_remote_storage_are_named_when_it_is_taken_out_whatever_was_confirmed() {
    let mut world = world("tieredStorage", tiered());
    world.settle();
    world.kafka(|kafka| kafka["spec"]["kafka"]["tieredStorage"] = Value::Null);
    let message = problem(&mut world.clone());
    assert!(message.contains("which topics have it is not known: paper does not answer"), "{message}");
    world.tiered_topics = Some(TieredTopics::default());
    let message = problem(&mut world.clone());
    assert!(
        message.contains("no topic has it now") && message.contains("or confirm the removal"),
        "{message}"
    );
    let names = (10..25).rev().map(|number| format!("orders-{number}")).collect();
    world.tiered_topics = Some(TieredTopics::of(names));
    for _ in 0..2 {
        let message = problem(&mut world.clone());
        for word in
            ["orders-10, orders-11, ", "orders-19 and 5 more have it", "take the option off all topics"]
        {
            assert!(message.contains(word), "{message}");
        }
        world.kafka(|kafka| {
            kafka["metadata"]["annotations"]["kastellan.io/remove-tiered-storage"] = json!("true");
        });
    }
    world.tiered_topics = Some(TieredTopics::of(vec!["one".to_owned()]));
    assert!(problem(&mut world.clone()).contains("(one has it)"));
    world.tiered_topics = Some(TieredTopics::default());
    assert!(condition(&world.plan(), "NotReady").is_none());
}

#[test]
fn nobody_is_asked_for_topics_with_remote_storage_while_the_resource_has_it_or_never_had() {
    for mut world in [world("tieredStorage", tiered()), World::load("dual-role.input.yaml")] {
        world.settle();
        world.plan();
        assert!(!world.asked.contains(&Need::TieredTopics));
    }
}
