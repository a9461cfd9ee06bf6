//! A partition whose replica Kafka took for one on the volume that left gets its leader again.

use std::collections::BTreeSet;

use super::disks::Disks;
use super::remembers;
use planner::kafka::admin_call::AdminCall;
use planner::kafka::leaderless_view::{LeaderlessPartition, LeaderlessView};
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use serde_json::Value;

fn partition(topic: &str, electable: &[i32], offline: &[i32]) -> LeaderlessPartition {
    LeaderlessPartition {
        topic: topic.to_owned(),
        partition: 3,
        electable: electable.iter().copied().collect(),
        offline: offline.iter().copied().collect(),
    }
}

fn view(partitions: Vec<LeaderlessPartition>) -> LeaderlessView {
    LeaderlessView { partitions, has_more: false }
}

/// Topics with partitions for which leaders are elected.
fn elections(plan: &Plan) -> Vec<&str> {
    let mut topics = Vec::new();
    for call in &plan.calls {
        if let AdminCall::ElectLeaders { partitions } = call {
            assert!(partitions.values().all(|all| *all == BTreeSet::from([3])));
            topics.extend(partitions.keys().map(String::as_str));
        }
    }
    topics
}

/// The brokers of which a plan asks what they could lead.
fn asked(disks: &Disks) -> BTreeSet<i32> {
    let of_need = |need: &Need| match need {
        Need::LeaderlessPartitions(brokers) => Some(brokers.clone()),
        _ => None,
    };
    disks.world.asked.iter().find_map(of_need).unwrap_or_default().into_keys().collect()
}

/// Both brokers run without the volume, and Kafka has said nothing of partitions yet.
fn started_without() -> Disks {
    let mut disks = Disks::start();
    disks.ask(&[0]);
    disks.world.leaderless = None;
    for _ in 0..10 {
        let plan = disks.pass();
        if asked(&disks) == BTreeSet::from([1, 2]) {
            assert_ne!(remembers(&plan), Value::Null);
            return disks;
        }
    }
    panic!("nobody is asked");
}

#[test]
fn the_removal_is_over_when_every_partition_has_a_leader() {
    let mut disks = started_without();
    for _ in 0..3 {
        let plan = disks.pass();
        assert_ne!(remembers(&plan), Value::Null, "Kafka does not say how the partitions are");
        assert!(elections(&plan).is_empty());
    }
    // One has not been corrected yet. One is for a broker that has all its volumes.
    let waiting = partition("late", &[2], &[2]);
    let all = vec![partition("orders", &[1], &[]), waiting, partition("other", &[0], &[])];
    disks.world.leaderless = Some(view(all));
    let plan = disks.pass();
    assert_eq!(elections(&plan), ["orders"]);
    assert_ne!(remembers(&plan), Value::Null);
    // The broker says where the replica is, and Kafka elects nobody for that.
    disks.world.leaderless = Some(view(vec![partition("late", &[2], &[])]));
    let plan = disks.pass();
    assert_eq!(elections(&plan), ["late"]);
    disks.world.leaderless = Some(view(vec![partition("other", &[0], &[])]));
    disks.finish();
    disks.pass();
    assert_eq!(asked(&disks), BTreeSet::new(), "nothing is asked about what is over");
}

#[test]
fn brokers_that_still_have_the_volume_are_not_asked() {
    let mut disks = Disks::start();
    disks.put("a-0", 1, 1);
    disks.put("b-0", 2, 1);
    disks.ask(&[0]);
    // As Kafka is while some brokers are away: nothing is elected.
    disks.world.leaderless = Some(view(vec![partition("orders", &[1, 2], &[])]));
    for _ in 0..3 {
        let plan = disks.pass();
        assert_eq!((asked(&disks), elections(&plan)), (BTreeSet::new(), Vec::new()));
    }
    // Taken back: no broker was started without it.
    disks.ask(&[0, 1]);
    let plan = disks.finish();
    assert_eq!((asked(&disks), elections(&plan)), (BTreeSet::new(), Vec::new()));
    assert_eq!(disks.mounted(1), BTreeSet::from([0, 1]));
}

#[test]
fn a_broker_that_is_not_ready_or_of_which_the_answer_is_cut_off_may_still_have_such_partitions() {
    let mut disks = started_without();
    disks.world.leaderless = Some(LeaderlessView { has_more: true, ..LeaderlessView::default() });
    assert_ne!(remembers(&disks.pass()), Value::Null);
    // Broker 1 has told that all of its partitions have leaders, and is not asked again; broker 2 is on its way up.
    disks.world.leaderless = None;
    disks.set_ready(2, false);
    disks.world.leaderless = Some(view(Vec::new()));
    let plan = disks.pass();
    assert_ne!(remembers(&plan), Value::Null);
    assert_eq!(asked(&disks), BTreeSet::from([1]));
    disks.pass();
    assert_eq!(asked(&disks), BTreeSet::new());
    disks.set_ready(2, true);
    disks.world.leaderless = Some(view(vec![partition("orders", &[2], &[])]));
    assert_eq!(elections(&disks.pass()), ["orders"]);
    disks.world.leaderless = Some(view(Vec::new()));
    disks.finish();
}

#[test]
fn a_partition_on_a_disk_that_fails_ends_no_removal_late() {
    let mut disks = started_without();
    disks.broken.insert((1, 0));
    disks.world.leaderless = Some(view(vec![partition("lost", &[1], &[1])]));
    assert!(elections(&disks.pass()).is_empty());
    disks.finish();
}
