//! The order of a roll, and the laws that every decision keeps.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn node(id: i32, controller: bool, broker: bool) -> RollNode {
    RollNode {
        id,
        pod: format!("c-p-{id}"),
        controller,
        broker,
        state: PodState::Ready,
        loses_storage: false,
        reasons: BTreeSet::from([RestartReason::PodHasOldRevision]),
    }
}

fn settled(mut node: RollNode) -> RollNode {
    node.reasons.clear();
    node
}

fn quorum(leader: i32, ids: &[i32]) -> RollQuorum {
    RollQuorum {
        leader,
        voters: ids.iter().map(|&id| RollVoter { id, lag_ms: Some(0) }).collect(),
        fetch_timeout_ms: 2000,
    }
}

fn partition(replicas: &[i32], isr: &[i32], min_isr: usize) -> RollPartition {
    RollPartition { name: "orders-0".to_owned(), replicas: replicas.to_vec(), isr: isr.to_vec(), min_isr }
}

/// What Kafka says where these partitions are all there are, and every broker is registered.
fn says(quorum: Option<RollQuorum>, partitions: Vec<RollPartition>) -> RollKafka {
    RollKafka { quorum, partitions, registered: (0..10).collect() }
}

fn next(nodes: &[RollNode], says: Says<'_>) -> Decision {
    by_pods(nodes).unwrap_or_else(|| by_kafka(nodes, says))
}

fn restarted(decision: &Decision) -> Option<i32> {
    match decision {
        Decision::Restart(pod) => pod.strip_prefix("c-p-")?.parse().ok(),
        _ => None,
    }
}

#[test]
fn the_active_controller_is_the_last_of_the_controllers_and_brokers_follow() {
    let mut nodes =
        vec![node(3, false, true), node(0, true, false), node(1, true, false), node(2, true, false)];
    let kafka = says(Some(quorum(0, &[0, 1, 2])), vec![]);
    let mut order = vec![];
    while let Some(id) = restarted(&next(&nodes, Says::View(&kafka))) {
        order.push(id);
        nodes.iter_mut().filter(|n| n.id == id).for_each(|n| n.reasons.clear());
    }
    assert_eq!(order, [1, 2, 0, 3]);
    assert_eq!(next(&nodes, Says::View(&kafka)), Decision::Settled);
}

#[test]
fn an_unready_node_goes_before_a_ready_one() {
    let mut broken = node(2, false, true);
    broken.state = PodState::Unready;
    let nodes = [node(0, true, false), broken];
    let kafka = says(Some(quorum(0, &[0])), vec![]);
    assert_eq!(restarted(&next(&nodes, Says::View(&kafka))), Some(2));
}

#[test]
fn nothing_restarts_while_a_restarted_pod_is_not_back() {
    let kafka = says(Some(quorum(0, &[0, 1, 2])), vec![]);
    let mut back = settled(node(1, true, true));
    for state in [PodState::Missing, PodState::Unready] {
        back.state = state;
        let nodes = [node(0, true, true), back.clone(), node(2, true, true)];
        assert!(matches!(next(&nodes, Says::View(&kafka)), Decision::Wait(why) if why.contains("c-p-1")));
    }
}

#[test]
fn a_partition_at_its_minimum_holds_the_restart_and_is_named() {
    let kafka = says(Some(quorum(9, &[9])), vec![partition(&[0, 1, 2], &[0, 1], 2)]);
    let nodes = [node(0, false, true), settled(node(1, false, true)), settled(node(2, false, true))];
    assert!(matches!(next(&nodes, Says::View(&kafka)), Decision::Wait(why) if why.contains("orders-0")));
}

#[test]
fn a_partition_that_waiting_cannot_help_does_not_hold_the_restart() {
    let partitions = vec![partition(&[0], &[0], 1), partition(&[0, 1], &[0, 1], 2)];
    let kafka = says(Some(quorum(9, &[9])), partitions);
    assert_eq!(
        restarted(&next(&[node(0, false, true), settled(node(1, false, true))], Says::View(&kafka))),
        Some(0)
    );
}

#[test]
fn the_last_copy_in_sync_is_never_taken_while_another_replica_may_come_back() {
    // Two replicas, both needed: the first one restarted and copies what it missed.
    let nodes = [settled(node(0, false, true)), node(1, false, true)];
    for min_isr in [1, 2, 3] {
        let mut kafka = says(Some(quorum(9, &[9])), vec![partition(&[0, 1], &[1], min_isr)]);
        let decision = next(&nodes, Says::View(&kafka));
        assert!(
            matches!(&decision, Decision::Wait(why) if why.contains("orders-0")),
            "{min_isr}: {decision:?}"
        );
        kafka.partitions[0].isr.push(0);
        assert_eq!(restarted(&next(&nodes, Says::View(&kafka))), Some(1), "{min_isr}");
    }
}

#[test]
fn where_nobody_could_answer_only_unready_nodes_restart() {
    assert!(matches!(next(&[node(0, true, true)], Says::Nobody), Decision::Wait(_)));
    let mut broken = node(0, true, true);
    broken.state = PodState::Unready;
    assert_eq!(restarted(&next(&[broken.clone(), node(1, true, false)], Says::Nobody)), Some(0));
    broken.state = PodState::Stuck;
    assert_eq!(restarted(&next(&[broken, node(1, true, false)], Says::Nobody)), Some(0));
}

#[test]
fn while_kafka_has_not_answered_nothing_restarts_that_may_serve() {
    let mut overloaded = node(1, true, true);
    for state in [PodState::Ready, PodState::Unready] {
        overloaded.state = state;
        let nodes = [settled(node(0, true, true)), overloaded.clone()];
        let decision = next(&nodes, Says::Nothing);
        assert!(matches!(&decision, Decision::Wait(why) if why.contains("has not answered")), "{decision:?}");
    }
    overloaded.state = PodState::Stuck;
    assert_eq!(restarted(&next(&[node(0, true, true), overloaded], Says::Nothing)), Some(1));
}

#[test]
fn nodes_that_cannot_start_are_made_anew_one_by_one_although_the_first_waits_for_the_others() {
    // All three were made from a wrong resource. The corrected first one has no quorum until another one is corrected.
    let mut first = settled(node(0, true, true));
    first.state = PodState::Unready;
    let stuck = |id: i32| RollNode { state: PodState::Stuck, ..node(id, true, true) };
    let leaderless = says(None, vec![]);
    for says in [Says::Nobody, Says::Nothing, Says::View(&leaderless)] {
        assert_eq!(restarted(&next(&[first.clone(), stuck(1), stuck(2)], says)), Some(1));
    }
    let gone = RollNode { state: PodState::Missing, ..stuck(1) };
    assert!(matches!(next(&[first.clone(), gone, stuck(2)], Says::Nobody), Decision::Wait(_)), "one by one");
    // What runs is not touched for that.
    assert!(matches!(
        next(&[first, node(1, true, true), node(2, true, true)], Says::Nobody),
        Decision::Wait(_)
    ));
}

#[test]
fn a_node_that_cannot_start_does_not_wait_for_one_that_may_not_restart() {
    let mut held = node(0, true, true);
    held.state = PodState::Unready;
    let stuck = RollNode { state: PodState::Stuck, ..node(1, true, true) };
    let leaderless = says(None, vec![]);
    assert_eq!(restarted(&next(&[held, stuck], Says::View(&leaderless))), Some(1));
}

#[test]
fn a_lagging_controller_holds_the_others() {
    let mut kafka = says(Some(quorum(0, &[0, 1, 2])), vec![]);
    if let Some(quorum) = kafka.quorum.as_mut() {
        quorum.voters[2].lag_ms = Some(5000);
    }
    let nodes = [settled(node(0, true, false)), node(1, true, false), settled(node(2, true, false))];
    assert!(matches!(next(&nodes, Says::View(&kafka)), Decision::Wait(why) if why.contains("caught up")));
    // The laggard itself may go: the two others are enough without it.
    let nodes = [settled(node(0, true, false)), settled(node(1, true, false)), node(2, true, false)];
    assert_eq!(restarted(&next(&nodes, Says::View(&kafka))), Some(2));
}

prop_compose! {
    fn any_cluster()(size in 1_usize..9)(
        states in prop::collection::vec(0_u8..4, size),
        roles in prop::collection::vec(0_u8..3, size),
        due in prop::collection::vec(any::<bool>(), size),
        lossy in prop::collection::vec(any::<bool>(), size),
        registered in prop::collection::vec(any::<bool>(), size),
        lags in prop::collection::vec(prop::option::of(0_i64..4000), size),
        partitions in prop::collection::vec(
            (prop::collection::btree_set(0..size as i32, 1..=size), any::<u16>(), 1_usize..4), 0..12),
        leader in 0..size as i32,
    ) -> (Vec<RollNode>, RollKafka) {
        let nodes: Vec<RollNode> = (0..states.len()).map(|i| RollNode {
            id: i as i32,
            pod: format!("c-p-{i}"),
            controller: roles[i] != 0,
            broker: roles[i] != 1,
            state: [PodState::Ready, PodState::Ready, PodState::Unready, PodState::Missing][states[i] as usize],
            loses_storage: lossy[i],
            reasons: if due[i] { BTreeSet::from([RestartReason::ManualRollingUpdate]) } else { BTreeSet::new() },
        }).collect();
        let voters = nodes.iter().filter(|n| n.controller)
            .map(|n| RollVoter { id: n.id, lag_ms: lags[n.id as usize] }).collect();
        let partitions = partitions.into_iter().map(|(replicas, mask, min_isr)| {
            let replicas: Vec<i32> = replicas.into_iter().collect();
            let isr = replicas.iter().copied().filter(|id| mask & (1 << id) != 0).collect();
            RollPartition { name: "t-0".to_owned(), replicas, isr, min_isr }
        }).collect();
        let quorum = Some(RollQuorum { leader, voters, fetch_timeout_ms: 2000 });
        let registered = (0..nodes.len() as i32).filter(|id| registered[*id as usize]).collect();
        (nodes, RollKafka { quorum, partitions, registered })
    }
}

proptest! {
    #[test]
    fn no_decision_takes_a_partition_below_its_minimum_or_the_quorum_below_its_majority(
        (nodes, kafka) in any_cluster()
    ) {
        if let Some(id) = restarted(&next(&nodes, Says::View(&kafka))) {
            let chosen = &nodes[id as usize];
            prop_assert!(!chosen.reasons.is_empty());
            prop_assert!(nodes.iter().all(|n| n.state != PodState::Missing));
            if chosen.broker {
                for p in kafka.partitions.iter().filter(|p| p.isr.contains(&id) && p.replicas.len() > p.min_isr) {
                    prop_assert!(p.isr.len() > p.min_isr);
                }
                for p in kafka.partitions.iter().filter(|p| p.isr == [id]) {
                    let comes = |other: &i32| *other != id && kafka.registered.contains(other);
                    prop_assert!(!p.replicas.iter().any(comes), "the last copy in sync of {p:?}");
                }
            }
            let quorum = kafka.quorum.as_ref().unwrap();
            if chosen.controller && quorum.voters.len() > 2 {
                let left = quorum.voters.iter()
                    .filter(|v| v.id != id && v.lag_ms.is_some_and(|lag| lag < 2000)).count();
                prop_assert!(left > quorum.voters.len() / 2);
            }
        }
    }

    #[test]
    fn a_healthy_cluster_rolls_to_its_end_and_restarts_each_node_once((mut nodes, mut kafka) in any_cluster()) {
        for node in &mut nodes { node.state = PodState::Ready; }
        for partition in &mut kafka.partitions { partition.isr.clone_from(&partition.replicas); }
        for voter in &mut kafka.quorum.as_mut().unwrap().voters { voter.lag_ms = Some(0); }
        let due = nodes.iter().filter(|n| !n.reasons.is_empty()).count();
        let mut done = BTreeSet::new();
        while let Some(id) = restarted(&next(&nodes, Says::View(&kafka))) {
            prop_assert!(done.insert(id));
            nodes[id as usize].reasons.clear();
        }
        prop_assert_eq!(done.len(), due);
        prop_assert_eq!(next(&nodes, Says::View(&kafka)), Decision::Settled);
    }
}
