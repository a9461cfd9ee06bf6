//! What is not given up, not undone and not taken from others while nodes are emptied.

use planner::kafka::admin_call::AdminCall;
use planner::kafka::observed::ConfigView;
use planner::kafka::plan::Plan;
use serde_json::json;

use super::{A, B, Drained, listed, moves};
use crate::common::warning_with;

#[test]
fn a_pool_that_is_deleted_is_not_let_go_of_before_kafka_has_said_that_it_knows_none_of_its_nodes() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[0, 1]]);
    drained.world.pool(A, |pool| {
        pool["metadata"]["finalizers"] = json!(["kastellan.io/drain-nodes"]);
        pool["metadata"]["deletionTimestamp"] = json!("2026-06-01T12:00:00Z");
    });
    // The annotation is taken out: it is not emptied, and what holds replicas is not given up.
    let plan = drained.pass();
    assert!(plan.finalizers.is_empty() && listed(&plan).contains(&0), "{:?}", plan.finalizers);
    assert!(warning_with(&plan, "ScaleDownPreventionCheck").unwrap().contains("pool a is not scaled down"));
    // Its node is gone; Kafka does not answer just then.
    drained.kafka.topic("orders", &[&[2, 1]]);
    drained.pass();
    let said = drained.world.observed.view.take();
    assert!(drained.world.plan().finalizers.is_empty(), "a topic may have come to the node meanwhile");
    drained.world.observed.view = said;
    drained.world.observed.view.as_mut().unwrap().registered_brokers.insert(0);
    assert!(drained.plan().finalizers.is_empty(), "Kafka knows it");
    drained.world.observed.view.as_mut().unwrap().registered_brokers.remove(&0);
    let plan = drained.plan();
    let claim = plan.delete.iter().any(|deletion| deletion.object.name == "data-0-my-a-0");
    assert_eq!((claim, plan.finalizers.len()), (true, 0), "the claim goes first");
    drained.world.apply(&plan);
    assert_eq!(drained.plan().finalizers.len(), 1);
    // Who takes the loss lets go of it.
    let mut other = Drained::start();
    other.kafka.topic("orders", &[&[0, 1]]);
    other.world.pool(A, |pool| {
        pool["metadata"]["finalizers"] = json!(["kastellan.io/drain-nodes"]);
        pool["metadata"]["deletionTimestamp"] = json!("2026-06-01T12:00:00Z");
    });
    other.world.kafka(|kafka| {
        kafka["metadata"]["annotations"] = json!({"strimzi.io/skip-broker-scaledown-check": "true"});
    });
    assert_eq!(other.plan().finalizers.len(), 1);
}

#[test]
fn moves_that_others_begin_off_a_node_are_theirs_once_its_drain_was_taken_back() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[4, 1]]);
    drained.scale_down(3);
    drained.pass();
    drained.pass();
    drained.world.pool(B, |pool| pool["spec"]["replicas"] = json!(4));
    // Another pool is emptied all the while.
    drained.kafka.topic("blocked", &[&[0]]);
    drained.kafka.partitions.get_mut(&("blocked".to_owned(), 0)).unwrap().leader = -1;
    drained.annotate(A, &json!({"kastellan.io/drain-nodes": "true"}));
    drained.world.pool(A, |pool| pool["spec"]["replicas"] = json!(0));
    for _ in 0..3 {
        drained.pass();
    }
    assert!(!drained.kafka.is_moving());
    let theirs = drained.kafka.partitions.get_mut(&("orders".to_owned(), 0)).unwrap();
    (theirs.adding, theirs.removing, theirs.replicas) = (vec![2], vec![4], vec![4, 1, 2]);
    let plan = drained.pass();
    assert!(!plan.calls.iter().any(|call| matches!(call, AdminCall::CancelMoves { .. })), "{:?}", plan.calls);
}

#[test]
fn a_move_that_has_no_other_copy_in_sync_is_not_cancelled_and_one_that_waits_for_a_broker_takes_no_room() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[4, 1][..]; 25]);
    drained.scale_down(3);
    drained.pass();
    assert_eq!(moves(&drained.pass()), 20);
    // Broker 1 has a replica of each, and a move ends when all are in sync.
    drained.kafka.down = [1].into();
    let plan = drained.pass();
    assert!(warning_with(&plan, "NodesDrain").unwrap().contains("brokers 1 are down"));
    drained.kafka.topic("others", &[&[4, 2]]);
    assert_eq!(moves(&drained.pass()), 1);
    let lonely = drained.kafka.partitions.get_mut(&("orders".to_owned(), 0)).unwrap();
    lonely.isr.clone_from(&lonely.adding);
    drained.world.pool(B, |pool| pool["spec"]["replicas"] = json!(4));
    let plan = drained.pass();
    let AdminCall::CancelMoves { partitions } = &plan.calls[0] else { panic!("{:?}", plan.calls) };
    assert!(!partitions["orders"].contains(&0) && partitions["orders"].contains(&1), "{partitions:?}");
    drained.kafka.down.clear();
    drained.finish();
    assert!(drained.kafka.is_free());
}

#[test]
fn directories_that_a_user_cordoned_stay_so_and_no_cordon_keeps_new_topics_away() {
    let cordons = |plan: &Plan| -> Vec<Option<i32>> {
        let of_call = |call: &AdminCall| match call {
            AdminCall::AlterBrokerConfig { broker, changes } if changes.contains_key("cordoned.log.dirs") => {
                Some(*broker)
            }
            _ => None,
        };
        plan.calls.iter().filter_map(of_call).collect()
    };
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[4, 1]]);
    drained.world.tell_options(&[]);
    let view = ConfigView {
        value: Some("/d".to_owned()),
        on_broker: Some("/d".to_owned()),
        ..ConfigView::default()
    };
    let configs = &mut drained.world.observed.view.as_mut().unwrap().broker_configs;
    configs.get_mut(&1).unwrap().insert("cordoned.log.dirs".to_owned(), view);
    drained.scale_down(3);
    let plan = drained.plan();
    assert_eq!(cordons(&plan), [Some(4)]);
    let warning = warning_with(&plan, "ForeignBrokerConfiguration").unwrap();
    assert!(warning.contains("cordoned.log.dirs=/d on broker 1"), "{warning}");
    // Kafka would refuse every topic that nobody gives fewer replicas than five.
    drained.world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["default.replication.factor"] = json!(5));
    assert!(cordons(&drained.plan()).is_empty());
}
