//! Brokers that run on without one of their disks: the status says so, and what to do; nothing restarts by itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::common::{World, condition, warning_with};
use planner::kafka::log_dirs_view::LogDirFailures;
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use planner::kafka::roll_view::RollPartition;
use serde_json::{Value, json};

const POD: &str = "my-dual-1";
const SECOND: &str = "/var/lib/kafka/data-1/kafka-log1";

fn claim(id: i32) -> Value {
    json!({"id": id, "type": "persistent-claim", "size": "1Gi"})
}

/// A settled cluster of three nodes with these volumes each.
fn settled(volumes: &[Value]) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.pool(0, |pool| pool["spec"]["storage"] = json!({"type": "jbod", "volumes": volumes}));
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"] = json!({}));
    world.settle();
    for (name, claim) in &mut world.observed.claims {
        Arc::make_mut(claim).metadata.uid = Some(format!("uid-of-{name}"));
    }
    world.tell_options(&[]);
    world
}

fn fail(world: &mut World, paths: &[&str]) -> Plan {
    let failed: BTreeSet<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    tell(world, LogDirFailures { paths: Some(failed), is_silent: false })
}

fn tell(world: &mut World, told: LogDirFailures) -> Plan {
    world.failed_log_dirs = Some([(1, told)].into());
    world.plan()
}

fn asked(world: &World) -> Vec<i32> {
    let of = |need: &Need| match need {
        Need::FailedLogDirs(brokers) => Some(brokers.keys().copied().collect()),
        _ => None,
    };
    world.asked.iter().find_map(of).unwrap_or_default()
}

#[test]
fn a_broker_that_runs_on_without_one_of_its_disks_is_told_of_and_left_as_it_is() {
    let mut world = settled(&[claim(0), claim(1)]);
    assert!(warning_with(&fail(&mut world, &[]), "LostVolume").is_none());
    assert_eq!(asked(&world), [0, 1, 2]);
    let plan = fail(&mut world, &[SECOND, "/elsewhere/kafka-log1"]);
    let said = warning_with(&plan, "LostVolume").unwrap();
    for part in [
        POD,
        SECOND,
        "claim data-1-my-dual-1",
        "raise its size in spec.storage of KafkaNodePool dual",
        "strimzi.io/manual-rolling-update: \"true\"",
        "kastellan.io/drain-volumes",
        "kastellan.io/discard-volumes: \"[1]\" on the KafkaNodePool",
        "strimzi.io/delete-pod-and-pvc: \"true\"",
        "all its claims",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains("/elsewhere"), "{said}");
    assert!(plan.roll.wanted.is_empty() && plan.delete.is_empty());
    assert_eq!(condition(&plan, "Ready").unwrap()["status"], "True", "clients are served");
    // It works again.
    assert!(warning_with(&fail(&mut world, &[]), "LostVolume").is_none());
}

#[test]
fn a_user_who_gives_the_disks_up_gets_new_ones_once_every_partition_has_a_copy_elsewhere() {
    let mut world = settled(&[claim(0), claim(1)]);
    let pod = Arc::make_mut(world.observed.pods.get_mut(POD).unwrap());
    let all = pod.metadata.annotations.get_or_insert_default();
    all.insert("strimzi.io/delete-pod-and-pvc".to_owned(), "true".to_owned());
    let partition = |isr: &[i32]| RollPartition {
        name: "orders-0".to_owned(),
        replicas: vec![0, 1, 2],
        leader: Some(isr[0]),
        isr: isr.to_vec(),
        min_isr: 1,
        ..RollPartition::default()
    };
    world.roll = Some(world.all_is_well(vec![partition(&[1])]));
    let plan = fail(&mut world, &[SECOND]);
    let said = warning_with(&plan, "LostVolume").unwrap();
    assert!(said.contains("made anew with the pod as soon as that loses nothing"), "{said}");
    assert!(!said.contains("raise its size") && plan.roll.now.is_empty(), "{said}");
    world.roll = Some(world.all_is_well(vec![partition(&[0, 2])]));
    let plan = fail(&mut world, &[SECOND]);
    let claims: Vec<&str> = plan.roll.claims.values().flatten().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        (plan.roll.now.as_slice(), claims),
        (&[POD.to_owned()][..], vec!["data-0-my-dual-1", "data-1-my-dual-1"])
    );
}

#[test]
fn an_ephemeral_disk_begins_anew_with_the_pod() {
    let mut world = settled(&[claim(0), json!({"id": 1, "type": "ephemeral"})]);
    let said = warning_with(&fail(&mut world, &[SECOND]), "LostVolume").unwrap();
    assert!(said.contains("all its ephemeral volumes are made anew") && !said.contains("claim"), "{said}");
}

#[test]
fn only_brokers_that_would_run_on_are_asked() {
    // Without its only disk a broker ends.
    let mut world = settled(&[claim(0)]);
    fail(&mut world, &[]);
    assert!(asked(&world).is_empty());
    let mut world = settled(&[claim(0), claim(1)]);
    // One does not run, one is not ready, and of the third Kafka says nothing.
    world.observed.pods.remove("my-dual-0");
    Arc::make_mut(world.observed.pods.get_mut(POD).unwrap()).status.as_mut().unwrap().conditions = None;
    fail(&mut world, &[]);
    assert_eq!(asked(&world), [2]);
    world.observed.view.as_mut().unwrap().active_brokers.remove(&2);
    fail(&mut world, &[]);
    assert!(asked(&world).is_empty());
}

#[test]
fn what_the_status_says_stays_until_the_broker_says_something_else() {
    let mut world = settled(&[claim(0), claim(1)]);
    let plan = fail(&mut world, &[SECOND]);
    world.apply(&plan);
    let said = warning_with(&plan, "LostVolume");
    // A process of the operator that has not asked yet, a broker that does not answer, and a Kafka that does not.
    world.failed_log_dirs = None;
    assert_eq!(warning_with(&world.plan(), "LostVolume"), said);
    let plan = tell(&mut world, LogDirFailures::default());
    assert_eq!(warning_with(&plan, "LostVolume"), said);
    let view = world.observed.view.take();
    assert_eq!(warning_with(&world.plan(), "LostVolume"), said);
    world.observed.view = view;
    let plan = fail(&mut world, &[]);
    world.apply(&plan);
    world.failed_log_dirs = None;
    assert!(warning_with(&world.plan(), "LostVolume").is_none());
}

#[test]
fn a_broker_that_does_not_say_how_its_disks_are_is_told_of() {
    let mut world = settled(&[claim(0), claim(1)]);
    let plan = tell(&mut world, LogDirFailures { paths: None, is_silent: true });
    let said = warning_with(&plan, "LostVolume").unwrap();
    assert!(said.contains("pod my-dual-1 does not say how its disks are"), "{said}");
    assert!(plan.roll.wanted.is_empty());
}

#[test]
fn a_broker_that_was_started_again_is_another_question() {
    let mut world = settled(&[claim(0), claim(1)]);
    let mut marks = BTreeSet::new();
    for restarts in 0..3 {
        let pod = Arc::make_mut(world.observed.pods.get_mut(POD).unwrap());
        pod.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0].restart_count = restarts;
        fail(&mut world, &[]);
        marks.extend(world.asked.iter().filter_map(|need| match need {
            Need::FailedLogDirs(brokers) => brokers.get(&1).cloned(),
            _ => None,
        }));
    }
    assert_eq!(marks.len(), 3, "{marks:?}");
}

#[test]
fn of_a_volume_that_leaves_its_removal_tells() {
    let mut world = settled(&[claim(0), claim(1)]);
    world.pool(0, |pool| pool["spec"]["storage"]["volumes"] = json!([claim(0)]));
    let plan = fail(&mut world, &[SECOND]);
    assert!(warning_with(&plan, "LostVolume").is_none());
    assert!(warning_with(&plan, "VolumeRemoval").unwrap().contains("volume 1 stays"));
}
