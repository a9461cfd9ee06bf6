//! Cordons that a removal leaves in Kafka: they are the operator's, and go.

use planner::kafka::plan::Plan;
use serde_json::json;

use super::disks::Disks;
use super::remembers;
use crate::common::warning_with;

const PATH: &str = "/var/lib/kafka/data-1/kafka-log2";

fn is_foreign(plan: &Plan) -> bool {
    warning_with(plan, "ForeignBrokerConfiguration").is_some()
}

/// The brokers are to be so many; none holds a replica.
fn scale(disks: &mut Disks, replicas: i32) {
    disks.world.observed.view.as_mut().unwrap().brokers_with_replicas = Some([].into());
    disks.world.pool(1, |pool| pool["spec"]["replicas"] = json!(replicas));
}

/// A cluster that node 2 has left while its volume 1 was leaving.
fn without_node_2() -> Disks {
    let mut disks = Disks::start();
    disks.ask(&[0]);
    disks.no_restarts = true;
    while !disks.cordoned.contains_key(&2) {
        disks.pass();
    }
    assert_eq!(disks.cordoned[&2], PATH);
    scale(&mut disks, 1);
    disks.pass();
    disks.world.run_everything();
    assert!(!disks.world.observed.pods.contains_key("my-b-2"));
    disks.no_restarts = false;
    for _ in 0..8 {
        assert!(!is_foreign(&disks.pass()));
    }
    assert_eq!(disks.cordoned.keys().collect::<Vec<_>>(), [&2], "Kafka keeps it of a broker that has left");
    disks
}

#[test]
fn a_node_that_left_during_a_removal_and_comes_again_is_opened() {
    for asked in [[0].as_slice(), &[0, 1]] {
        let mut disks = without_node_2();
        disks.ask(asked);
        for _ in 0..4 {
            disks.pass();
        }
        scale(&mut disks, 2);
        disks.pass();
        disks.world.run_everything();
        for _ in 0..4 {
            assert!(!is_foreign(&disks.pass()));
        }
        assert!(disks.cordoned.is_empty(), "{:?}", disks.cordoned);
        assert!(remembers(&disks.finish()).is_null());
    }
}

#[test]
fn what_a_user_cordons_after_that_is_the_users() {
    let mut disks = without_node_2();
    disks.ask(&[0, 1]);
    scale(&mut disks, 2);
    disks.pass();
    disks.world.run_everything();
    disks.finish();
    disks.cordoned.insert(2, PATH.to_owned());
    assert!(is_foreign(&disks.pass()) && is_foreign(&disks.pass()));
    assert_eq!(disks.cordoned[&2], PATH);
}
