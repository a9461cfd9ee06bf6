//! Machines that died with a pod: the pod is to go and does not, whoever deleted it. The others are looked after, and the status says
//! what is missing.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::common::connect::{Connect, restarts, secret, verdict};
use crate::common::{World, condition, reference, warning_with};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use planner::kafka::roll_view::RollPartition;
use planner::pod_set::pod_error::PodError;
use serde_json::json;

/// A cluster of three nodes that has been ready.
fn settled() -> World {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    let plan = world.plan();
    world.apply(&plan);
    assert!(condition(&world.plan(), "Ready").is_some());
    world
}

/// Of which every pod has to restart.
fn due() -> World {
    let mut world = settled();
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!(false));
    let plan = world.plan();
    world.apply(&plan);
    let partition = RollPartition {
        name: "orders-0".to_owned(),
        replicas: vec![0, 1, 2],
        leader: Some(0),
        isr: vec![0, 1],
        min_isr: 1,
        ..RollPartition::default()
    };
    world.roll = Some(world.all_is_well(vec![partition]));
    world
}

fn of_kafka<'a>(world: &'a mut World, name: &str) -> &'a mut Pod {
    Arc::make_mut(world.observed.pods.get_mut(name).unwrap())
}

/// Kubernetes found out so long ago that the machine of a pod is away.
fn is_unready(pod: &mut Pod, now: Timestamp, minutes: i64) {
    let since = now - SignedDuration::from_mins(minutes);
    let status = json!({"phase": "Running", "conditions": [
        {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-05-01T00:00:00Z"},
        {"type": "Ready", "status": "False", "lastTransitionTime": since.to_string()}]});
    pod.status = Some(serde_json::from_value(status).unwrap());
}

/// The pod should have gone so long ago.
fn is_to_go(pod: &mut Pod, now: Timestamp, minutes: i64) {
    pod.metadata.deletion_timestamp = Some(Time(now - SignedDuration::from_mins(minutes)));
}

#[test]
fn a_pod_that_the_roll_deleted_on_a_dead_machine_keeps_the_others_from_nothing() {
    let mut world = due();
    let now = world.now;
    let uid = of_kafka(&mut world, "my-dual-2").metadata.uid.clone().unwrap();
    world.observed.restarted.insert(uid);
    is_unready(of_kafka(&mut world, "my-dual-2"), now, 20);
    assert_eq!(world.plan().roll.now, Vec::<String>::new(), "the watch has not shown the deletion yet");
    is_to_go(of_kafka(&mut world, "my-dual-2"), now, 1);
    assert_eq!(world.plan().roll.now, Vec::<String>::new(), "it may be back in a moment");
    is_to_go(of_kafka(&mut world, "my-dual-2"), now, 10);
    let plan = world.plan();
    assert_eq!(plan.roll.now, ["my-dual-1"], "{:?}", plan.roll.waits);
}

#[test]
fn a_worker_that_the_roll_deleted_on_a_dead_machine_keeps_the_others_from_nothing() {
    let mut connect = Connect::new(&reference("connect.input.yaml"));
    connect.settle();
    let now = connect.now;
    let mut pod = connect.observed.pods["pipes-connect-1"].as_ref().clone();
    connect.observed.restarted = BTreeSet::from([pod.metadata.uid.clone().unwrap()]);
    is_to_go(&mut pod, now, 10);
    connect.observed.pods.insert("pipes-connect-1".to_owned(), Arc::new(pod));
    let (type_, message) = verdict(&connect.plan());
    assert!(type_ == "NotReady" && message.contains("pipes-connect-1"), "{type_} {message}");
    let (crt, key) = crate::common::connect::certificate();
    connect.refer(secret("pipes", &[("user.crt", &crt), ("user.key", &key)]));
    let plan = connect.plan();
    for write in plan.apply.iter().filter(|write| write.reference.kind == "StrimziPodSet") {
        let mut object = write.object.clone();
        object["metadata"]["uid"] = json!("uid-pipes-connect");
        let set = serde_json::from_value(object).unwrap();
        connect.observed.pod_sets.insert("pipes-connect".to_owned(), Arc::new(set));
    }
    let plan = connect.plan();
    let goes = restarts(&plan).first().map(|restart| restart.pod.as_str());
    assert_eq!(goes, Some("pipes-connect-0"), "{:?}", plan.waiting_for);
}

#[test]
fn a_kafka_that_lost_the_machine_of_a_pod_is_not_ready_after_a_while() {
    let mut world = settled();
    let now = world.now;
    is_to_go(of_kafka(&mut world, "my-dual-2"), now, 1);
    assert!(condition(&world.plan(), "Ready").is_some(), "a pod that stops is a part of every roll");
    is_to_go(of_kafka(&mut world, "my-dual-2"), now, 10);
    let plan = world.plan();
    assert!(condition(&plan, "NotReady").is_some(), "{:?}", plan.waiting_for);
    let said = warning_with(&plan, "PodNotReady").unwrap();
    assert!(said.contains("my-dual-2") && said.contains("delete that Node"), "{said}");
}

#[test]
fn a_pod_that_was_unready_for_long_is_no_better_when_it_is_to_go() {
    let mut world = settled();
    let now = world.now;
    is_unready(of_kafka(&mut world, "my-dual-2"), now, 6);
    assert!(condition(&world.plan(), "NotReady").is_some());
    is_to_go(of_kafka(&mut world, "my-dual-2"), now, 0);
    let plan = world.plan();
    assert!(condition(&plan, "NotReady").is_some(), "{:?}", plan.waiting_for);

    let mut connect = Connect::new(&reference("connect.input.yaml"));
    connect.settle();
    let mut pod = connect.observed.pods["pipes-connect-1"].as_ref().clone();
    is_unready(&mut pod, connect.now, 6);
    is_to_go(&mut pod, connect.now, 0);
    connect.observed.pods.insert("pipes-connect-1".to_owned(), Arc::new(pod));
    let (type_, message) = verdict(&connect.plan());
    assert!(type_ == "NotReady" && message.contains("pipes-connect-1"), "{type_} {message}");
}

#[test]
fn a_kafka_of_which_a_pod_cannot_be_made_is_not_ready() {
    let mut world = settled();
    world.observed.pods.remove("my-dual-2");
    assert!(condition(&world.plan(), "Ready").is_some(), "it is made in a moment");
    world.observed.pod_errors.insert("my-dual-2".to_owned(), PodError::creation("exceeded quota"));
    let plan = world.plan();
    assert!(condition(&plan, "NotReady").is_some(), "{:?}", plan.waiting_for);
    assert!(warning_with(&plan, "PodNotReady").unwrap().contains("exceeded quota"));
}
