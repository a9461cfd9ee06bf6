//! Which brokers go at the same time.

use super::*;
use crate::kafka::roll_order::{Decision, by_kafka, by_pods};
use crate::kafka::roll_view::{RollBrokers, RollKafka, RollPartition, RollQuorum, RollVoter};
use crate::restart_reason::RestartReason;
use crate::silence::{Silence, SilenceKind};

const FETCH_TIMEOUT_MS: i64 = 2000;

const CONTROLLERS: [i32; 3] = [100, 101, 102];

fn broker(id: i32, rack: &str) -> RollNode {
    RollNode {
        id,
        pod: format!("c-p-{id}"),
        broker: true,
        rack: (!rack.is_empty()).then(|| rack.to_owned()),
        state: PodState::Ready,
        served: true,
        reasons: BTreeSet::from([RestartReason::ManualRollingUpdate]),
        ..RollNode::default()
    }
}

fn partition(replicas: &[i32], isr: &[i32], min_isr: usize) -> RollPartition {
    RollPartition {
        name: format!("orders-{}", replicas[0]),
        replicas: replicas.to_vec(),
        leader: isr.first().copied(),
        isr: isr.to_vec(),
        min_isr,
        ..RollPartition::default()
    }
}

/// What Kafka says where all nodes are in order.
fn says(nodes: &[RollNode], partitions: Vec<RollPartition>) -> RollKafka {
    let follower = |id: i32| RollVoter { id, lag_ms: Some(0) };
    let brokers = || nodes.iter().filter(|node| node.broker);
    RollKafka {
        asked_at: None,
        quorum: Ok(Some(RollQuorum {
            leader: CONTROLLERS[0],
            voters: CONTROLLERS.iter().map(|id| follower(*id)).collect(),
            observers: brokers().map(|node| follower(node.id)).collect(),
            dynamic: true,
        })),
        brokers: Ok(RollBrokers {
            partitions,
            registered: brokers().map(|node| (node.id, node.rack.clone())).collect(),
            told_by: None,
        }),
    }
}

fn quorum(kafka: &mut RollKafka) -> &mut RollQuorum {
    kafka.quorum.as_mut().unwrap().as_mut().unwrap()
}

fn decided(nodes: &[RollNode], kafka: &RollKafka, batches: Batches) -> Decision {
    let rules = || Rules::new(nodes, kafka, FETCH_TIMEOUT_MS).in_batches(batches);
    by_pods(nodes).unwrap_or_else(|| by_kafka(nodes, &rules()))
}

fn batch(decision: &Decision) -> Vec<i32> {
    match decision {
        Decision::Restart(batch) => batch.iter().copied().collect(),
        _ => Vec::new(),
    }
}

fn at_most(most: usize) -> Batches {
    Batches { most, gather: true }
}

fn next(nodes: &[RollNode], kafka: &RollKafka, most: usize) -> Vec<i32> {
    batch(&decided(nodes, kafka, at_most(most)))
}

#[test]
fn brokers_of_one_rack_go_together_as_many_as_are_allowed() {
    let nodes: Vec<RollNode> = (0..9).map(|id| broker(id, ["a", "b", "c"][id as usize % 3])).collect();
    let spread = |id: i32| partition(&[id, (id + 1) % 9, (id + 2) % 9], &[id, (id + 1) % 9, (id + 2) % 9], 2);
    let kafka = says(&nodes, (0..9).map(spread).collect());
    assert_eq!(next(&nodes, &kafka, 1), [0]);
    assert_eq!(next(&nodes, &kafka, 2), [0, 3]);
    assert_eq!(next(&nodes, &kafka, 3), [0, 3, 6]);
    assert_eq!(next(&nodes, &kafka, 50), [0, 3, 6], "one rack at a time");
}

#[test]
fn a_broker_without_a_rack_goes_alone() {
    for rack in ["", "a"] {
        let mut nodes: Vec<RollNode> = (0..4).map(|id| broker(id, rack)).collect();
        if rack == "a" {
            for node in &mut nodes {
                node.rack = Some(String::new());
            }
        }
        assert_eq!(next(&nodes, &says(&nodes, vec![]), 4), [0]);
    }
}

#[test]
fn controllers_go_one_by_one_whatever_other_roles_they_have() {
    let controller =
        |id: i32, is_broker: bool| RollNode { controller: true, broker: is_broker, ..broker(id, "a") };
    for is_broker in [false, true] {
        let nodes = [
            controller(CONTROLLERS[0], is_broker),
            controller(CONTROLLERS[1], is_broker),
            controller(CONTROLLERS[2], is_broker),
            broker(0, "a"),
            broker(1, "a"),
        ];
        let kafka = says(&nodes, vec![]);
        let mut left = nodes.to_vec();
        let mut order = Vec::new();
        loop {
            let batch = next(&left, &kafka, 5);
            if batch.is_empty() {
                break;
            }
            left.iter_mut().filter(|node| batch.contains(&node.id)).for_each(|node| node.reasons.clear());
            order.push(batch);
        }
        assert_eq!(
            order,
            [vec![101], vec![102], vec![100], vec![0, 1]],
            "the active controller is the last of them"
        );
    }
}

#[test]
fn two_that_share_a_partition_go_together_only_where_it_keeps_what_it_needs_without_both() {
    let nodes = [broker(0, "a"), broker(1, "a"), settled(2, "b"), settled(3, "b")];
    let mut cases = vec![
        (partition(&[0, 2, 3], &[0, 2, 3], 2), true),
        (partition(&[0, 1, 2], &[0, 1, 2], 2), false),
        (partition(&[0, 1, 2], &[0, 1, 2], 1), true),
        (partition(&[0, 1, 2, 3], &[0, 1, 2, 3], 2), true),
        (partition(&[0, 1, 2, 3], &[0, 1, 2], 2), false),
        // It falls short whatever is waited for, and one after the other leaves it more.
        (partition(&[0, 1, 2], &[0, 1, 2], 3), false),
        (partition(&[0, 1], &[0, 1], 2), false),
        (partition(&[0, 1], &[0, 1], 1), false),
        // A replica that is not in sync is one of those that are to come back.
        (partition(&[0, 1, 2, 3], &[0, 2], 2), false),
    ];
    for (shared, together) in cases.drain(..) {
        let words = format!("{shared:?}");
        let batch = next(&nodes, &says(&nodes, vec![shared]), 2);
        assert_eq!(batch.len() == 2, together, "{words}: {batch:?}");
    }
}

fn settled(id: i32, rack: &str) -> RollNode {
    RollNode { reasons: BTreeSet::new(), ..broker(id, rack) }
}

#[test]
fn what_a_restart_destroys_is_taken_from_a_partition_once_at_a_time() {
    let mut nodes = [broker(0, "a"), broker(1, "a"), settled(2, "b"), settled(3, "b")];
    let shared = || says(&nodes_of(4), vec![partition(&[0, 1, 2, 3], &[0, 1, 2, 3], 1)]);
    assert_eq!(next(&nodes, &shared(), 2), [0, 1]);
    nodes[1].loses_storage = true;
    assert_eq!(next(&nodes, &shared(), 2), [0]);
    let apart = says(&nodes, vec![partition(&[0, 2], &[0, 2], 1), partition(&[1, 3], &[1, 3], 1)]);
    assert_eq!(next(&nodes, &apart, 2), [0, 1]);
}

fn nodes_of(brokers: i32) -> Vec<RollNode> {
    (0..brokers).map(|id| broker(id, "a")).collect()
}

#[test]
fn what_is_to_outlive_a_batch_followed_a_moment_ago() {
    let nodes = [broker(0, "a"), broker(1, "a"), settled(2, "b"), settled(3, "b"), settled(4, "c")];
    let partitions = vec![partition(&[0, 2, 4], &[0, 2, 4], 2), partition(&[1, 3, 4], &[1, 3, 4], 2)];
    for (lag_ms, together) in [(500, 2), (2999, 2), (3000, 1), (8000, 1)] {
        let mut kafka = says(&nodes, partitions.clone());
        // Whether it is a partition of the first or of the second one.
        for silent in [2, 3] {
            quorum(&mut kafka)
                .observers
                .iter_mut()
                .filter(|one| one.id == silent)
                .for_each(|one| one.lag_ms = Some(lag_ms));
        }
        assert_eq!(next(&nodes, &kafka, 2).len(), together, "{lag_ms}");
    }
}

#[test]
fn what_is_not_ready_and_what_kafka_does_not_speak_of_goes_alone() {
    let mut nodes = nodes_of(3);
    nodes[1].state = PodState::Unready;
    let kafka = says(&nodes, vec![]);
    assert_eq!(next(&nodes, &kafka, 3), [1], "what is down goes first, and alone");
    nodes[1].reasons.clear();
    nodes[1].long = true;
    assert_eq!(next(&nodes, &kafka, 3), [0, 2], "a machine that died is left to the partitions");
    nodes[1].state = PodState::Missing;
    nodes[1].long = false;
    assert!(next(&nodes, &kafka, 3).is_empty());
    // Certificates that keep Kafka from answering are brought by restarts, one after the other.
    let mut nodes = nodes_of(3);
    for node in &mut nodes {
        node.reasons = BTreeSet::from([RestartReason::CaCertRenewed]);
    }
    let silent = RollKafka::silent(&Silence::new(SilenceKind::Tls, "nobody is trusted"));
    assert_eq!(next(&nodes, &silent, 3), [0]);
    let quorum_unknown = RollKafka { quorum: silent.quorum.clone(), ..says(&nodes, vec![]) };
    assert_eq!(next(&nodes, &quorum_unknown, 3), [0]);
}

#[test]
fn half_a_batch_that_is_on_its_way_is_waited_for() {
    // The operator was killed when it had deleted the first pod of three.
    let mut nodes = nodes_of(3);
    let kafka = says(&nodes, vec![]);
    assert_eq!(next(&nodes, &kafka, 3), [0, 1, 2]);
    nodes[0].reasons.clear();
    for (state, served) in [(PodState::Missing, true), (PodState::Stuck, false), (PodState::Unready, false)] {
        (nodes[0].state, nodes[0].served) = (state, served);
        assert_eq!(next(&nodes, &kafka, 3), Vec::<i32>::new(), "{state:?}");
    }
    (nodes[0].state, nodes[0].served) = (PodState::Ready, true);
    assert_eq!(next(&nodes, &kafka, 3), [1, 2]);
}

#[test]
fn a_batch_waits_a_while_for_those_whose_partitions_lack_replicas_and_another_rack_does_not() {
    let mut nodes: Vec<RollNode> = (0..4).map(|id| broker(id, "b")).collect();
    nodes.push(settled(9, "a"));
    let lacks = vec![partition(&[1, 9, 8], &[1, 8], 2)];
    let kafka = says(&nodes, lacks);
    let waits = decided(&nodes, &kafka, at_most(4));
    let Decision::Held(why) = &waits else { panic!("{waits:?}") };
    assert!(why.contains("c-p-1 of the same rack") && why.contains("orders-1"), "{why}");
    let late = Batches { gather: false, ..at_most(4) };
    assert_eq!(batch(&decided(&nodes, &kafka, late)), [0, 2, 3]);
    assert_eq!(next(&nodes, &kafka, 3), [0, 2, 3], "it is full without");
    assert_eq!(next(&nodes, &kafka, 1), [0], "one by one there is nothing to wait for");
    nodes.extend((20..24).map(|id| broker(id, "c")));
    let kafka = says(&nodes, vec![partition(&[1, 9, 8], &[1, 8], 2)]);
    assert_eq!(next(&nodes, &kafka, 4), [20, 21, 22, 23]);
}

#[path = "roll_batch_laws.rs"]
mod laws;
