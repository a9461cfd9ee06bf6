//! The order of a roll.

use super::*;
use crate::kafka::roll_view::{PodState, RollBrokers, RollKafka, RollPartition, RollQuorum, RollVoter};
use crate::restart_reason::RestartReason;
use crate::silence::{Silence, SilenceKind};

const FETCH_TIMEOUT_MS: i64 = 2000;

fn node(id: i32, controller: bool, broker: bool) -> RollNode {
    RollNode {
        id,
        pod: format!("c-p-{id}"),
        controller,
        broker,
        served: true,
        reasons: BTreeSet::from([RestartReason::PodHasOldRevision]),
        ..RollNode::default()
    }
}

fn settled(mut node: RollNode) -> RollNode {
    node.reasons.clear();
    node
}

fn unready(node: RollNode) -> RollNode {
    RollNode { state: PodState::Unready, ..node }
}

fn quorum(leader: i32, ids: &[i32]) -> RollQuorum {
    let follows = |id: i32| RollVoter { id, lag_ms: Some(0) };
    RollQuorum {
        leader,
        voters: ids.iter().map(|&id| follows(id)).collect(),
        observers: (0..10).filter(|id| !ids.contains(id)).map(follows).collect(),
        dynamic: true,
    }
}

fn partition(replicas: &[i32], isr: &[i32], min_isr: usize) -> RollPartition {
    RollPartition {
        name: "orders-0".to_owned(),
        replicas: replicas.to_vec(),
        leader: isr.first().copied(),
        isr: isr.to_vec(),
        min_isr,
        ..RollPartition::default()
    }
}

/// What Kafka says where these partitions are all there are, and every broker is registered.
fn says(quorum: Option<RollQuorum>, partitions: Vec<RollPartition>) -> RollKafka {
    let registered = (0..10).map(|id| (id, None)).collect();
    RollKafka {
        asked_at: None,
        quorum: Ok(quorum),
        brokers: Ok(RollBrokers { partitions, registered, told_by: None }),
    }
}

fn silent(kind: SilenceKind) -> RollKafka {
    RollKafka::silent(&Silence::new(kind, "nobody said a word"))
}

fn next(nodes: &[RollNode], kafka: &RollKafka) -> Decision {
    by_pods(nodes).unwrap_or_else(|| by_kafka(nodes, &Rules::new(nodes, kafka, FETCH_TIMEOUT_MS)))
}

fn restarted(decision: &Decision) -> Option<i32> {
    match decision {
        Decision::Restart(batch) => {
            assert_eq!(batch.len(), 1, "a roll is serial");
            batch.first().copied()
        }
        _ => None,
    }
}

/// What a roll that does not go on waits for; it always says.
fn waits(decision: &Decision) -> Option<&str> {
    match decision {
        Decision::Held(why) | Decision::Starting(why) => {
            assert!(!why.is_empty());
            Some(why)
        }
        _ => None,
    }
}

fn waits_for(decision: &Decision, words: &str) -> bool {
    waits(decision).is_some_and(|why| why.contains(words))
}

#[test]
fn the_active_controller_is_the_last_of_the_controllers_and_brokers_follow() {
    let mut nodes =
        vec![node(3, false, true), node(0, true, false), node(1, true, false), node(2, true, false)];
    let kafka = says(Some(quorum(0, &[0, 1, 2])), vec![]);
    let mut order = vec![];
    while let Some(id) = restarted(&next(&nodes, &kafka)) {
        order.push(id);
        nodes.iter_mut().filter(|n| n.id == id).for_each(|n| n.reasons.clear());
    }
    assert_eq!(order, [1, 2, 0, 3]);
    assert_eq!(next(&nodes, &kafka), Decision::Settled);
}

#[test]
fn controllers_go_before_brokers_and_in_each_group_what_is_down_goes_first() {
    let nodes = [
        node(0, true, false),
        unready(node(1, true, false)),
        node(2, true, false),
        unready(node(3, false, true)),
        node(4, false, true),
    ];
    let kafka = says(Some(quorum(0, &[0, 1, 2])), vec![]);
    let mut order = vec![];
    let mut left = nodes.to_vec();
    while let Some(id) = restarted(&next(&left, &kafka)) {
        order.push(id);
        left.iter_mut().filter(|n| n.id == id).for_each(|n| {
            (n.state, n.reasons) = (PodState::Ready, BTreeSet::new());
        });
    }
    // A broker may need what the controllers get before it can become ready.
    assert_eq!(order, [1, 2, 0, 3, 4]);
}

#[test]
fn nothing_restarts_while_a_restarted_pod_is_not_back() {
    let kafka = says(Some(quorum(0, &[0, 1, 2])), vec![]);
    let mut back = settled(node(1, true, true));
    back.served = false;
    for state in [PodState::Missing, PodState::Stuck, PodState::Unready] {
        back.state = state;
        let nodes = [node(0, true, true), back.clone(), node(2, true, true)];
        assert!(waits_for(&next(&nodes, &kafka), "c-p-1"));
    }
}

#[test]
fn a_pod_that_has_not_come_back_is_the_only_one_that_a_change_risks() {
    let kafka = says(Some(quorum(9, &[9])), vec![]);
    let mut first = settled(unready(node(0, false, true)));
    (first.long, first.served) = (true, false);
    for state in [PodState::Unready, PodState::Stuck] {
        first.state = state;
        let nodes = [first.clone(), node(1, false, true), node(2, false, true)];
        assert!(waits_for(&next(&nodes, &kafka), "c-p-0"), "also after a long time");
    }
    // New certificates are no change of the pod, and waiting for them has an end.
    let mut certificates = node(1, false, true);
    certificates.reasons = BTreeSet::from([RestartReason::KafkaCertificatesChanged]);
    assert_eq!(restarted(&next(&[first.clone(), certificates], &kafka)), Some(1));
    // What was asked for by hand needs no other machine.
    let mut by_hand = node(1, false, true);
    by_hand.reasons = BTreeSet::from([RestartReason::ManualRollingUpdate]);
    assert!(waits_for(&next(&[first.clone(), by_hand.clone()], &kafka), "c-p-0"));
    first.unscheduled = true;
    assert_eq!(restarted(&next(&[first, by_hand], &kafka)), Some(1));
}

#[test]
fn a_machine_that_died_is_left_to_the_rules_about_quorum_and_partitions() {
    let mut dead = settled(unready(node(0, false, true)));
    let isr = vec![partition(&[0, 1, 2], &[1, 2], 2)];
    let (free, bound) = (says(Some(quorum(9, &[9])), vec![]), says(Some(quorum(9, &[9])), isr));
    let nodes = |dead: &RollNode| [dead.clone(), node(1, false, true), settled(node(2, false, true))];
    assert!(waits_for(&next(&nodes(&dead), &free), "c-p-0"), "for some time it is waited for");
    dead.long = true;
    assert_eq!(restarted(&next(&nodes(&dead), &free)), Some(1));
    assert!(waits_for(&next(&nodes(&dead), &bound), "orders-0"));
    // Its pod cannot go before the machine is back.
    dead.state = PodState::Missing;
    assert_eq!(restarted(&next(&nodes(&dead), &free)), Some(1));
    assert!(waits_for(&next(&nodes(&dead), &bound), "orders-0"));
}

#[test]
fn a_partition_at_its_minimum_holds_the_restart_and_is_named() {
    let kafka = says(Some(quorum(9, &[9])), vec![partition(&[0, 1, 2], &[0, 1], 2)]);
    let nodes = [node(0, false, true), settled(node(1, false, true)), settled(node(2, false, true))];
    assert!(waits_for(&next(&nodes, &kafka), "orders-0"));
}

#[test]
fn a_partition_that_waiting_cannot_help_does_not_hold_the_restart() {
    let partitions = vec![partition(&[0], &[0], 1), partition(&[0, 1], &[0, 1], 2)];
    let kafka = says(Some(quorum(9, &[9])), partitions);
    assert_eq!(restarted(&next(&[node(0, false, true), settled(node(1, false, true))], &kafka)), Some(0));
}

#[test]
fn the_last_copy_in_sync_is_never_taken_while_another_replica_may_come_back() {
    // Two replicas, both needed: the first one restarted and copies what it missed.
    let nodes = [settled(node(0, false, true)), node(1, false, true)];
    for min_isr in [1, 2, 3] {
        let mut kafka = says(Some(quorum(9, &[9])), vec![partition(&[0, 1], &[1], min_isr)]);
        assert!(waits_for(&next(&nodes, &kafka), "orders-0"), "{min_isr}");
        if let Ok(brokers) = &mut kafka.brokers {
            brokers.partitions[0].isr.push(0);
        }
        assert_eq!(restarted(&next(&nodes, &kafka)), Some(1), "{min_isr}");
    }
}

#[test]
fn a_copy_that_crashes_is_not_thrown_away_with_its_pod_while_it_may_be_the_last() {
    let lossy = |state: PodState| RollNode { state, loses_storage: true, ..node(1, false, true) };
    let others = settled(node(0, false, true));
    let last = says(Some(quorum(9, &[9])), vec![partition(&[0, 1], &[1], 1)]);
    let spare = says(Some(quorum(9, &[9])), vec![partition(&[0, 1], &[0, 1], 1)]);
    for state in [PodState::Stuck, PodState::Unready] {
        let nodes = [others.clone(), lossy(state)];
        assert!(waits_for(&next(&nodes, &last), "orders-0"), "{state:?}");
        assert!(waits_for(&next(&nodes, &silent(SilenceKind::Unreachable)), "destroy"), "{state:?}");
        assert_eq!(restarted(&next(&nodes, &spare)), Some(1), "{state:?}");
        // Where it is the only broker there is no other copy to wait for.
        assert_eq!(restarted(&next(&[lossy(state)], &silent(SilenceKind::Unreachable))), Some(1));
    }
    // It has nothing yet.
    let new = RollNode { served: false, ..lossy(PodState::Stuck) };
    assert_eq!(restarted(&next(&[others, new], &silent(SilenceKind::Late))), Some(1));
}

#[test]
fn where_nobody_could_answer_only_what_is_down_restarts() {
    for kind in [SilenceKind::Nobody, SilenceKind::Unreachable] {
        assert!(waits_for(&next(&[node(0, true, true)], &silent(kind)), "nobody said a word"));
        let nodes = [unready(node(0, true, true)), unready(settled(node(1, true, true)))];
        let nodes = nodes.map(|node| RollNode { long: true, ..node });
        assert_eq!(restarted(&next(&nodes, &silent(kind))), Some(0));
    }
}

#[test]
fn while_kafka_has_not_answered_nothing_restarts_that_may_serve() {
    let mut overloaded = node(1, true, true);
    for kind in [SilenceKind::Late, SilenceKind::Unreachable, SilenceKind::Refused, SilenceKind::Tls] {
        for state in [PodState::Ready, PodState::Unready] {
            overloaded.state = state;
            let nodes = [settled(node(0, true, true)), overloaded.clone()];
            assert!(waits_for(&next(&nodes, &silent(kind)), "nobody said a word"), "{kind:?} {state:?}");
        }
    }
    // Nobody is overloaded for that long when no other broker is ready either.
    let alone = [unready(node(0, true, true)), RollNode { long: true, ..unready(node(1, true, true)) }];
    assert_eq!(restarted(&next(&alone, &silent(SilenceKind::Late))), Some(1));
    overloaded.state = PodState::Stuck;
    assert_eq!(restarted(&next(&[node(0, true, true), overloaded], &silent(SilenceKind::Late))), Some(1));
}

#[test]
fn certificates_that_keep_kafka_from_answering_are_brought_by_the_restart() {
    let mut due = node(1, true, true);
    let nodes = |due: &RollNode| [settled(node(0, true, true)), due.clone()];
    let tls = silent(SilenceKind::Tls);
    assert!(waits_for(&next(&nodes(&due), &tls), "nobody said a word"));
    due.reasons.insert(RestartReason::ClusterCaCertKeyReplaced);
    assert_eq!(restarted(&next(&nodes(&due), &tls)), Some(1));
    assert!(waits_for(&next(&nodes(&due), &silent(SilenceKind::Late)), "nobody said a word"));
    // One after the other, each ready before the next.
    let down =
        [RollNode { state: PodState::Unready, served: false, ..settled(node(0, true, true)) }, due.clone()];
    assert!(waits_for(&next(&down, &tls), "c-p-0"));
    // What its disk holds is not bet on what nobody knows.
    due.loses_storage = true;
    assert!(waits_for(&next(&nodes(&due), &tls), "nobody said a word"));
}

#[test]
fn nodes_that_cannot_start_are_made_anew_one_by_one_although_the_first_waits_for_the_others() {
    // All three were made from a wrong resource. The corrected first one has no quorum until another one is corrected.
    let first = unready(settled(node(0, true, true)));
    let stuck = |id: i32| RollNode { state: PodState::Stuck, served: false, ..node(id, true, true) };
    let leaderless = says(None, vec![]);
    for kafka in [silent(SilenceKind::Nobody), silent(SilenceKind::Late), leaderless] {
        assert_eq!(restarted(&next(&[first.clone(), stuck(1), stuck(2)], &kafka)), Some(1));
    }
    let gone = RollNode { state: PodState::Missing, ..stuck(1) };
    let nobody = silent(SilenceKind::Nobody);
    assert!(waits_for(&next(&[first.clone(), gone, stuck(2)], &nobody), "c-p-1"), "one by one");
    // What runs is not touched for that.
    assert!(waits(&next(&[first, node(1, true, true), node(2, true, true)], &nobody)).is_some());
}

#[test]
fn what_is_down_does_not_wait_for_another_one_that_may_not_restart() {
    let leaderless = says(None, vec![partition(&[0, 1], &[0], 1), partition(&[1, 2], &[2], 1)]);
    let held = unready(node(0, false, true));
    let stuck = RollNode { state: PodState::Stuck, ..node(1, false, true) };
    assert_eq!(restarted(&next(&[held.clone(), stuck], &leaderless)), Some(1));
    // The second one may be what brings the missing replica back.
    let second = unready(node(1, false, true));
    assert_eq!(restarted(&next(&[held.clone(), second, node(2, false, true)], &leaderless)), Some(1));
    // A ready one is not taken down meanwhile.
    let kafka = says(Some(quorum(9, &[9])), vec![partition(&[0, 1], &[0], 1)]);
    assert!(waits_for(&next(&[held, node(2, false, true)], &kafka), "orders-0"));
}

#[path = "roll_order_laws.rs"]
mod laws;
