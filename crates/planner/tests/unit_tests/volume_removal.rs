//! Volumes that leave a pool: they stay until the broker itself says that nothing is on them.

mod cordons;
mod disks;
mod elections;
mod refused;
mod restored;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::common::{kafka_status, object, pool_status, warning_with};
use disks::{Disks, claims, volumes};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::need::SilenceKind;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

fn said(plan: &Plan) -> String {
    warning_with(plan, "VolumeRemoval").unwrap_or_default()
}

fn remembers(plan: &Plan) -> Value {
    object(plan, "StrimziPodSet", "my-b")["metadata"]["annotations"]["kastellan.io/removed-volumes"].clone()
}

/// Replicas that a plan moves.
fn moves(plan: &Plan) -> usize {
    let of_call = |call: &AdminCall| match call {
        AdminCall::MoveReplicas { moves, .. } => moves.values().map(std::collections::BTreeMap::len).sum(),
        _ => 0,
    };
    plan.calls.iter().map(of_call).sum()
}

#[test]
fn without_the_annotation_a_volume_with_replicas_stays_and_the_status_says_what_to_do() {
    let mut disks = Disks::start();
    disks.put("orders-0", 1, 1);
    disks.put("orders-1", 2, 0);
    disks.ask(&[0]);
    for _ in 0..4 {
        let plan = disks.pass();
        assert_eq!((volumes(&plan, 1), claims(&plan, 1)), ([0, 1].into(), [0, 1].into()));
        let deleted = plan.delete.iter().any(|deletion| deletion.object.name.ends_with("my-b-1"));
        assert_eq!((moves(&plan), deleted), (0, false));
        let message = said(&plan);
        for part in [
            "KafkaNodePool b spec.storage.volumes",
            "volume 1 stays",
            "1 replica on node 1",
            "kastellan.io/drain-volumes: \"true\"",
            "write the volume as it was",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(pool_status(&plan, "b")["conditions"].to_string().contains("volume 1 stays"));
        assert_eq!(plan.held.len(), 1);
        let pool =
            object(&plan, "StrimziPodSet", "my-b")["metadata"]["annotations"]["kastellan.io/node-pool"]
                .clone();
        let pool: Value = serde_json::from_str(pool.as_str().unwrap()).unwrap();
        assert_eq!(
            pool["spec"]["storage"]["volumes"].as_array().unwrap().len(),
            1,
            "it still leaves when the pool is deleted"
        );
    }
    // The other brokers have nothing there, and lose the volume.
    assert_eq!(disks.mounted(2), [0].into());
    assert_eq!(disks.mounted(1), [0, 1].into());
    // The user moves it.
    disks.put("orders-0", 1, 0);
    let plan = disks.finish();
    assert_eq!((disks.mounted(1), claims(&plan, 1)), ([0].into(), [0].into()));
    assert_eq!(disks.live_claims(1), [0].into());
    assert!(plan.held.is_empty() && remembers(&plan).is_null());
}

#[test]
fn what_is_not_known_to_be_empty_is_not_dropped() {
    let mut disks = Disks::start();
    disks.ask(&[0]);
    disks.world.log_dirs = Err(SilenceKind::Late);
    let plan = disks.world.plan();
    assert_eq!(volumes(&plan, 1), [0, 1].into());
    assert!(said(&plan).contains("what it holds on nodes 1, 2 is not known"), "{}", said(&plan));
    // One broker does not answer, and another one cannot read the disk.
    disks.silent = [2].into();
    disks.broken = [(1, 1)].into();
    let plan = disks.pass();
    let message = said(&plan);
    assert_eq!((volumes(&plan, 1), volumes(&plan, 2)), ([0, 1].into(), [0, 1].into()));
    assert!(message.contains("on nodes 1, 2 is not known"), "{message}");
    assert!(
        message.contains("KafkaStorageException")
            && message.contains("kastellan.io/discard-volumes: \"[1]\""),
        "{message}"
    );
    // A broker that is silent holds up nothing of the others.
    disks.broken.clear();
    disks.pass();
    disks.pass();
    let plan = disks.pass();
    assert_eq!((disks.mounted(1), volumes(&plan, 2)), ([0].into(), [0, 1].into()));
    assert!(said(&plan).contains("on nodes 2 is not known"), "{}", said(&plan));
    disks.annotate(&json!({"kastellan.io/discard-volumes": "[1"}));
    let conditions = kafka_status(&disks.pass())["conditions"].to_string();
    assert!(conditions.contains("kastellan.io/discard-volumes is ignored"), "{conditions}");
    disks.annotate(&json!({"kastellan.io/discard-volumes": "[1]"}));
    for _ in 0..4 {
        disks.pass();
    }
    let plan = disks.pass();
    assert_eq!(disks.mounted(2), [0, 1].into(), "it may be silent for a moment, as in every restart");
    assert!(said(&plan).contains("has not been ready for 5 minutes"), "{}", said(&plan));
    disks.stop_being_ready(2);
    for _ in 0..4 {
        disks.pass();
    }
    assert_eq!(disks.mounted(2), [0].into());
    // With the other disk the broker answers again, and nothing is left to remember.
    disks.silent.clear();
    disks.finish();
}

#[test]
fn a_lost_disk_is_given_up_and_no_healthy_one_of_its_id_is() {
    let mut disks = Disks::start();
    disks.put("orders-0", 2, 1);
    disks.broken = [(1, 1)].into();
    disks.ask(&[0]);
    disks.annotate(&json!({"kastellan.io/discard-volumes": "[1]"}));
    for _ in 0..4 {
        disks.pass();
    }
    let plan = disks.pass();
    assert_eq!((disks.mounted(1), disks.mounted(2)), ([0].into(), [0, 1].into()));
    assert!(said(&plan).contains("it holds 1 replica on node 2"), "{}", said(&plan));
    // A broker that is silent for a while may have a healthy disk: it is what the annotation says of it.
    // Once the healthy disk is empty, it leaves too.
    disks.put("orders-0", 2, 0);
    disks.finish();
}

#[test]
fn replicas_are_moved_throttled_behind_a_cordon_and_the_volume_goes_when_it_is_empty() {
    let mut disks = Disks::start();
    for number in 0..13 {
        disks.put(&format!("orders-{number}"), 1, 1);
    }
    disks.annotate(&json!({"kastellan.io/drain-volumes": "true"}));
    disks.ask(&[0]);
    // The pod set remembers it before Kafka is told anything.
    let plan = disks.pass();
    assert_eq!(remembers(&plan).as_str().unwrap(), r#"{"rates":[52428800],"volumes":[1]}"#);
    assert_eq!(moves(&plan), 0);
    let plan = disks.pass();
    assert_eq!(moves(&plan), 10, "so many at a time");
    assert_eq!(disks.rates[&1], "52428800");
    assert_eq!(disks.cordoned[&1], "/var/lib/kafka/data-1/kafka-log1");
    assert!(said(&plan).contains("13 replicas on node 1, which are moved"), "{}", said(&plan));
    assert!(plan.look_again.is_some());
    assert_eq!(moves(&disks.pass()), 0);
    disks.arrive(4);
    assert_eq!(moves(&disks.pass()), 3);
    // One comes in all the same: it is moved as well.
    disks.put("late-0", 1, 1);
    disks.arrive(99);
    assert_eq!(moves(&disks.pass()), 1);
    assert_eq!(disks.mounted(1), [0, 1].into());
    disks.arrive(99);
    let plan = disks.finish();
    assert_eq!((disks.mounted(1), disks.live_claims(1)), ([0].into(), [0].into()));
    assert!(disks.rates.is_empty() && disks.cordoned.is_empty(), "{:?} {:?}", disks.rates, disks.cordoned);
    assert!(remembers(&plan).is_null() && plan.held.is_empty());
    assert_eq!(
        object(&plan, "StrimziPodSet", "my-b")["metadata"]["annotations"]["strimzi.io/storage"]
            .as_str()
            .unwrap()
            .matches("\"id\"")
            .count(),
        1
    );
}

#[test]
fn an_operator_that_dies_at_any_moment_goes_on() {
    for dies_after in 0..8 {
        let mut disks = Disks::start();
        disks.put("a-0", 1, 1);
        disks.put("b-0", 2, 1);
        disks.annotate(&json!({"kastellan.io/drain-volumes": "true"}));
        disks.ask(&[0]);
        for pass in 0..10 {
            if pass == dies_after {
                disks.half_a_pass();
                disks.world.observed.options = planner::kafka::config::live::memory::OptionMemory::default();
            }
            disks.pass();
            disks.arrive(1);
        }
        disks.finish();
        assert_eq!((disks.mounted(1), disks.mounted(2)), ([0].into(), [0].into()));
        assert!(
            disks.rates.is_empty() && disks.cordoned.is_empty(),
            "{dies_after}: {:?} {:?}",
            disks.rates,
            disks.cordoned
        );
    }
}

#[test]
fn a_volume_that_is_put_back_is_open_again_and_what_moves_stays() {
    let mut disks = Disks::start();
    for number in 0..4 {
        disks.put(&format!("orders-{number}"), 1, 1);
    }
    disks.annotate(&json!({"kastellan.io/drain-volumes": "true"}));
    disks.ask(&[0]);
    disks.pass();
    disks.pass();
    disks.arrive(1);
    assert_eq!(disks.moving(), 3);
    disks.ask(&[0, 1]);
    // First the cordon goes: Kafka takes nothing back into the directory before. What is on its way stays throttled.
    disks.pass();
    assert_eq!((disks.moving(), disks.rates.len(), disks.cordoned.len()), (3, 1, 0));
    disks.pass();
    assert_eq!(disks.moving(), 0, "what has not arrived stays where it is");
    let plan = disks.finish();
    assert_eq!(disks.on(1, 1), 3);
    assert!(disks.rates.is_empty() && disks.cordoned.is_empty(), "{:?} {:?}", disks.rates, disks.cordoned);
    assert!(remembers(&plan).is_null() && said(&plan).is_empty());
    assert_eq!((disks.mounted(1), disks.mounted(2)), ([0, 1].into(), [0, 1].into()));
}

#[test]
fn a_volume_that_went_from_one_node_alone_comes_back_to_it() {
    let mut disks = Disks::start();
    disks.put("orders-0", 1, 1);
    disks.ask(&[0]);
    for _ in 0..5 {
        disks.pass();
    }
    assert_eq!((disks.mounted(1), disks.mounted(2)), ([0, 1].into(), [0].into()));
    disks.ask(&[0, 1]);
    disks.finish();
    assert_eq!((disks.mounted(1), disks.mounted(2)), ([0, 1].into(), [0, 1].into()));
    assert_eq!(disks.on(1, 1), 1);
}

#[test]
fn a_pod_does_not_restart_without_its_volume_while_kafka_has_not_said_that_it_is_still_empty() {
    let mut disks = Disks::start();
    disks.ask(&[0]);
    // Decided, and no restart made yet.
    disks.no_restarts = true;
    let plan = loop {
        let plan = disks.pass();
        if volumes(&plan, 1) == [0].into() {
            break plan;
        }
    };
    assert!(!plan.roll.wanted.is_empty());
    // The answer takes its time.
    let plan = disks.without_an_answer();
    assert_eq!((volumes(&plan, 1), plan.roll.wanted.len()), ([0].into(), 0));
    // A replica has come meanwhile: the volume stays.
    disks.put("late-0", 1, 1);
    disks.no_restarts = false;
    let plan = disks.pass();
    assert_eq!((volumes(&plan, 1), disks.mounted(1)), ([0, 1].into(), [0, 1].into()));
    assert!(!plan.roll.wanted.iter().any(|restart| restart.node == 1), "{:?}", plan.roll.wanted);
}

#[test]
fn the_metadata_log_is_not_taken_from_under_a_node() {
    let mut disks = Disks::start();
    disks.annotate(&json!({"kastellan.io/drain-volumes": "true"}));
    disks.put("orders-0", 1, 0);
    // The lowest volume has it, as no volume is marked.
    disks.ask(&[1]);
    for _ in 0..5 {
        let plan = disks.pass();
        let message = said(&plan);
        assert!(message.contains("volume 0 stays: it holds the metadata log of nodes 1, 2"), "{message}");
        assert!(message.contains("kraftMetadata: shared"), "{message}");
        assert_eq!((volumes(&plan, 1), moves(&plan)), ([0, 1].into(), 0));
    }
    // Marked: the nodes restart with both volumes first, and then the volume goes.
    disks.mark(1);
    let mut both = BTreeSet::new();
    for _ in 0..12 {
        for node in [1, 2] {
            if disks.metadata(node) == 1 && disks.mounted(node).contains(&0) {
                both.insert(node);
            }
        }
        disks.pass();
        disks.arrive(9);
    }
    assert_eq!(both, [1, 2].into(), "each ran with both volumes when its metadata log moved");
    disks.finish();
    assert_eq!((disks.mounted(1), disks.mounted(2)), ([1].into(), [1].into()));
}

#[test]
fn a_controller_alone_loses_a_volume_without_its_metadata_log_and_no_other() {
    let mut disks = Disks::start();
    disks.ask_controllers(&[0], None);
    for _ in 0..4 {
        disks.pass();
    }
    assert_eq!(disks.mounted(0), [0].into());
    let mut disks = Disks::start();
    disks.ask_controllers(&[1], None);
    for _ in 0..4 {
        assert!(said(&disks.pass()).contains("metadata log of nodes 0"));
    }
    assert_eq!(disks.mounted(0), [0, 1].into());
    disks.ask_controllers(&[1], Some(1));
    let mut ran_with_both = false;
    for _ in 0..8 {
        ran_with_both |= disks.metadata(0) == 1 && disks.mounted(0) == [0, 1].into();
        disks.pass();
    }
    assert!(ran_with_both);
    assert_eq!(disks.mounted(0), [1].into());
}

#[test]
fn without_room_nothing_moves_and_what_others_set_stays() {
    let mut disks = Disks::start();
    disks.put("large-0", 1, 1);
    disks.rates.insert(1, "7".to_owned());
    disks.cordoned.insert(1, "/elsewhere".to_owned());
    disks.usable = 3;
    disks.annotate(&json!({"kastellan.io/drain-volumes": "true"}));
    disks.ask(&[0]);
    disks.pass();
    let plan = disks.pass();
    assert_eq!(moves(&plan), 0);
    let conditions = kafka_status(&plan)["conditions"].to_string();
    assert!(
        conditions.contains("no other volume of their broker has room for the replicas large-0 of broker 1"),
        "{conditions}"
    );
    disks.usable = 1000;
    disks.pass();
    disks.pass();
    assert_eq!(disks.rates[&1], "7");
    assert_eq!(disks.cordoned[&1], "/elsewhere,/var/lib/kafka/data-1/kafka-log1");
    disks.arrive(9);
    disks.finish();
    assert_eq!((disks.rates[&1].as_str(), disks.cordoned[&1].as_str()), ("7", "/elsewhere"));
}

/// The agent moves the metadata log before Kafka starts: a pod that waits for its volumes has not come to that.
#[test]
fn a_pod_that_has_not_started_has_its_metadata_log_where_it_was() {
    let mut disks = Disks::start();
    disks.pass();
    disks.ask_controllers(&[1], Some(1));
    while disks.metadata(0) == 0 {
        disks.pass();
    }
    let pod = Arc::make_mut(disks.world.observed.pods.get_mut("my-a-0").unwrap());
    let ready = pod.status.clone();
    pod.status = Some(serde_json::from_value(json!({"phase": "Pending"})).unwrap());
    for _ in 0..4 {
        let plan = disks.pass();
        assert!(plan.roll.now.is_empty(), "{:?}", plan.roll.now);
        assert_eq!(disks.mounted(0), [0, 1].into());
    }
    Arc::make_mut(disks.world.observed.pods.get_mut("my-a-0").unwrap()).status = ready;
    disks.pass();
    disks.pass();
    assert_eq!(disks.mounted(0), [1].into());
}

#[test]
fn a_mark_that_goes_with_a_volume_does_not_lead_the_metadata_log_to_it() {
    let mut disks = Disks::start();
    disks.mark(1);
    for _ in 0..6 {
        disks.pass();
    }
    assert_eq!((disks.metadata(1), disks.metadata(2)), (1, 1));
    disks.put("orders-0", 1, 0);
    // What is left needs no mark.
    disks.ask(&[1]);
    for _ in 0..6 {
        let plan = disks.pass();
        assert!(!said(&plan).contains("metadata log"), "{}", said(&plan));
    }
    assert_eq!((disks.metadata(1), disks.metadata(2)), (1, 1));
    assert_eq!((disks.mounted(1), disks.mounted(2)), ([0, 1].into(), [1].into()));
}

#[test]
fn a_volume_that_is_gone_is_remembered_until_its_broker_was_seen_without_traces() {
    let mut disks = Disks::start();
    disks.ask(&[0]);
    while disks.mounted(1).contains(&1) || disks.mounted(2).contains(&1) {
        disks.pass();
    }
    disks.silent.insert(1);
    for _ in 0..3 {
        let plan = disks.pass();
        assert!(!remembers(&plan).is_null(), "broker 1 may have a cordon that would count as a user's");
    }
    disks.silent.clear();
    let plan = disks.finish();
    assert!(remembers(&plan).is_null() && disks.cordoned.is_empty());
}

#[test]
fn a_rate_that_cannot_be_read_is_told_where_only_volumes_leave() {
    let mut disks = Disks::start();
    disks.put("orders-0", 1, 1);
    disks.annotate(&json!({"kastellan.io/drain-volumes": "true"}));
    disks.world.kafka(|kafka| kafka["metadata"]["annotations"]["kastellan.io/drain-rate"] = json!("fast"));
    disks.ask(&[0]);
    let message = warning_with(&disks.pass(), "InvalidDrainRate").unwrap();
    assert!(message.contains("\"fast\"") && message.contains("100Mi"), "{message}");
}
