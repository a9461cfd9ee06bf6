//! Which brokers go at the same time.

use std::collections::BTreeMap;

use proptest::prelude::*;

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
            nodes.iter_mut().for_each(|node| node.rack = Some(String::new()));
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
    nodes.iter_mut().for_each(|node| node.reasons = BTreeSet::from([RestartReason::CaCertRenewed]));
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

/// A cluster of up to 60 nodes, in any state.
fn any_cluster() -> impl Strategy<Value = (Vec<RollNode>, RollKafka, usize)> {
    let node = (0..40_u8, 0..4_usize, any::<(bool, bool, u8)>(), prop::option::weighted(0.95, 0..12_000_i64));
    let replicas =
        (prop::collection::vec(any::<prop::sample::Index>(), 1..5), any::<u8>(), 1..4_usize, any::<u8>());
    (
        prop::collection::vec(node, 1..57),
        prop::collection::vec(replicas, 0..60),
        prop::collection::vec(0..8_u8, 3),
        1..9_usize,
        0..12_u8,
        any::<bool>(),
    )
        .prop_map(|(brokers, partitions, voters, most, told, is_calm)| {
            let mut nodes: Vec<RollNode> = brokers
                .iter()
                .enumerate()
                .map(|(id, (kind, rack, (served, lossy, reason), _))| {
                    let state = if is_calm {
                        PodState::Ready
                    } else {
                        match kind {
                            0 => PodState::Missing,
                            1 => PodState::Stuck,
                            2 | 3 => PodState::Unready,
                            _ => PodState::Ready,
                        }
                    };
                    RollNode {
                        state,
                        controller: *kind == 39,
                        served: *served || state == PodState::Ready,
                        long: reason % 2 == 0,
                        loses_storage: *lossy && !is_calm,
                        reasons: match reason % 4 {
                            0 => BTreeSet::new(),
                            1 => BTreeSet::from([RestartReason::CaCertRenewed]),
                            _ => BTreeSet::from([RestartReason::PodHasOldRevision]),
                        },
                        ..broker(id as i32, ["a", "b", "c", ""][*rack])
                    }
                })
                .collect();
            let partitions = partitions
                .into_iter()
                .map(|(picked, isr, min_isr, eligible)| {
                    let mut replicas: Vec<i32> =
                        picked.iter().map(|index| index.index(brokers.len()) as i32).collect();
                    replicas.sort_unstable();
                    replicas.dedup();
                    let of = |mask: u8| {
                        replicas
                            .iter()
                            .enumerate()
                            .filter(|(place, _)| mask & (1 << place) != 0)
                            .map(|(_, id)| *id)
                            .collect::<Vec<i32>>()
                    };
                    let isr = if is_calm { replicas.clone() } else { of(isr) };
                    let eligible = if isr.len() < min_isr {
                        of(eligible).into_iter().filter(|id| !isr.contains(id)).collect()
                    } else {
                        vec![]
                    };
                    RollPartition { eligible, ..partition(&replicas, &isr, min_isr) }
                })
                .collect();
            for (index, due) in voters.iter().enumerate() {
                let reasons = if due % 2 == 0 {
                    BTreeSet::new()
                } else {
                    BTreeSet::from([RestartReason::PodHasOldRevision])
                };
                nodes.push(RollNode {
                    controller: true,
                    broker: false,
                    reasons,
                    ..broker(CONTROLLERS[index], "a")
                });
            }
            let mut kafka = says(&nodes, partitions);
            let lag =
                |id: i32| if is_calm { Some(0) } else { brokers.get(id as usize).and_then(|one| one.3) };
            quorum(&mut kafka).observers.iter_mut().for_each(|one| one.lag_ms = lag(one.id));
            if !is_calm {
                let voters = &voters;
                quorum(&mut kafka)
                    .voters
                    .iter_mut()
                    .zip(voters)
                    .for_each(|(one, state)| one.lag_ms = Some(i64::from(*state) * 400));
            }
            match told {
                0 => kafka.quorum = Ok(None),
                1 => kafka = RollKafka::silent(&Silence::new(SilenceKind::Late, "late")),
                _ => {}
            }
            (nodes, kafka, most)
        })
}

/// Replicas in sync that stay without these, of brokers that followed the metadata so many milliseconds ago at most.
fn left(partition: &RollPartition, kafka: &RollKafka, without: &BTreeSet<i32>, lag_ms: i64) -> usize {
    let follows = |id: &i32| match &kafka.quorum {
        Ok(Some(quorum)) => {
            let mut all = quorum.voters.iter().chain(&quorum.observers);
            all.any(|one| one.id == *id && one.lag_ms.is_some_and(|lag| lag < lag_ms))
        }
        _ => true,
    };
    partition.isr.iter().filter(|id| !without.contains(id) && follows(id)).count()
}

/// The fewest batches of a cluster where no two brokers of a rack share a partition.
fn fewest(nodes: &[RollNode], most: usize) -> usize {
    let mut racks: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    for node in nodes.iter().filter(|node| !node.controller && !node.reasons.is_empty()) {
        *racks.entry(node.rack.as_deref()).or_default() += 1;
    }
    racks.iter().map(|(rack, brokers)| if rack.is_some() { brokers.div_ceil(most) } else { *brokers }).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn every_partition_outlives_the_loss_of_a_whole_batch((nodes, kafka, most) in any_cluster()) {
        let decision = decided(&nodes, &kafka, at_most(most));
        if let Decision::Held(why) | Decision::Starting(why) = &decision {
            prop_assert!(!why.is_empty());
        }
        let ids: BTreeSet<i32> = batch(&decision).into_iter().collect();
        if ids.len() < 2 {
            return Ok(());
        }
        prop_assert!(ids.len() <= most);
        let members: Vec<&RollNode> = nodes.iter().filter(|node| ids.contains(&node.id)).collect();
        prop_assert!(members.iter().all(|one| one.broker && !one.controller && one.state == PodState::Ready && !one.reasons.is_empty()));
        prop_assert!(members[0].rack.is_some() && members.iter().all(|one| one.rack == members[0].rack));
        prop_assert!(nodes.iter().all(|one| one.state != PodState::Missing || one.long), "nothing is on its way");
        prop_assert!(nodes.iter().all(|one| one.state != PodState::Unready || !one.reasons.is_empty() || one.long));
        let quorum = kafka.quorum.as_ref().unwrap().as_ref().unwrap();
        prop_assert!(quorum.voters.iter().filter(|one| one.lag_ms.is_some_and(|lag| lag < FETCH_TIMEOUT_MS)).count() >= 2);
        for one in &kafka.brokers.as_ref().unwrap().partitions {
            let going: Vec<&&RollNode> = members.iter().filter(|node| one.replicas.contains(&node.id)).collect();
            let left = left(one, &kafka, &ids, 3000);
            if going.iter().any(|node| one.isr.contains(&node.id)) {
                prop_assert!(left >= one.min_isr || one.replicas.len() <= one.min_isr, "{one:?} without {ids:?}");
                prop_assert!(left > 0 || one.replicas.len() == 1, "the last copy of {one:?}");
            }
            if going.len() > 1 {
                prop_assert!(left >= one.min_isr.max(1), "{one:?} without {ids:?}");
                prop_assert!(going.iter().all(|node| !node.may_lose_records()), "{one:?} loses several copies with {ids:?}");
            }
        }
    }

    #[test]
    fn a_part_of_a_batch_may_go_where_all_of_it_may((nodes, kafka, most) in any_cluster(), part in any::<u64>()) {
        let ids = batch(&decided(&nodes, &kafka, at_most(most)));
        // Whoever decided about a batch may die after any of its deletions, and the rest of it is a batch of its own.
        let rules = Rules::new(&nodes, &kafka, FETCH_TIMEOUT_MS);
        let some: BTreeSet<i32> = ids.iter().enumerate().filter(|(place, _)| part & (1 << place) != 0).map(|(_, id)| *id).collect();
        let is_stuck = nodes.iter().any(|node| ids.contains(&node.id) && node.serves_nobody());
        if !some.is_empty() && !is_stuck {
            prop_assert_eq!(rules.obstacle(&some), None);
        }
    }

    #[test]
    fn what_joins_a_batch_is_what_its_loss_allows_together((nodes, kafka, most) in any_cluster()) {
        let rules = Rules::new(&nodes, &kafka, FETCH_TIMEOUT_MS).in_batches(at_most(most + 1));
        let Some(first) = nodes.iter().find(|node| node.state == PodState::Ready && rules.obstacle(&BTreeSet::from([node.id])).is_none()) else { return Ok(()) };
        let mut batch = BTreeSet::from([first.id]);
        for node in &nodes {
            let mut larger = batch.clone();
            if !larger.insert(node.id) || batch.len() > most || !go_together(first, node) {
                continue;
            }
            let is_known = kafka.brokers.is_ok() && matches!(kafka.quorum, Ok(Some(_)));
            prop_assert_eq!(rules.joins(&batch, node), is_known && rules.obstacle(&larger).is_none(), "{:?} and {}", batch, node.id);
            if rules.joins(&batch, node) {
                batch = larger;
            }
        }
    }

    #[test]
    fn a_roll_ends_with_each_node_restarted_once_when_what_it_waits_for_has_come((nodes, kafka, most) in any_cluster()) {
        let before = decided(&nodes, &kafka, at_most(most));
        let mut nodes = nodes;
        // All that was waited for comes.
        nodes.iter_mut().for_each(|node| (node.state, node.served, node.long) = (PodState::Ready, true, false));
        let mut partitions = kafka.brokers.map(|brokers| brokers.partitions).unwrap_or_default();
        for one in &mut partitions {
            (one.isr, one.eligible, one.leader) = (one.replicas.clone(), vec![], one.replicas.first().copied());
        }
        let mut kafka = says(&nodes, partitions);
        quorum(&mut kafka).voters.extend(nodes.iter().filter(|node| node.controller && node.broker).map(|node| RollVoter { id: node.id, lag_ms: Some(0) }));
        let due = nodes.iter().filter(|node| !node.reasons.is_empty()).count();
        prop_assert!(due > 0 || before == Decision::Settled);
        let mut restarted = BTreeSet::new();
        loop {
            let ids = next(&nodes, &kafka, most);
            if ids.is_empty() {
                break;
            }
            for id in &ids {
                prop_assert!(restarted.insert(*id), "{id} twice");
            }
            nodes.iter_mut().filter(|node| ids.contains(&node.id)).for_each(|node| node.reasons.clear());
        }
        prop_assert_eq!(restarted.len(), due);
    }

    #[test]
    fn where_replicas_are_spread_over_racks_there_are_no_more_batches_than_full_ones(
        brokers in 1..61_i32, racks in 1..6_i32, most in 1..13_usize, factor in 1..4_i32, seed in any::<u32>(), due in any::<u64>(),
    ) {
        let mut nodes: Vec<RollNode> = (0..brokers).map(|id| broker(id, &format!("rack-{}", (id + id / 7) % racks))).collect();
        nodes.iter_mut().filter(|node| due & (1 << node.id) == 0).for_each(|node| node.reasons.clear());
        let in_rack = |rack: i32| nodes.iter().filter(|node| node.rack == Some(format!("rack-{rack}"))).map(|node| node.id).collect::<Vec<i32>>();
        let by_rack: Vec<Vec<i32>> = (0..racks).map(in_rack).filter(|ids| !ids.is_empty()).collect();
        let partitions = (0..200_usize).map(|index| {
            let place = |step: usize| {
                let rack = &by_rack[(index + step) % by_rack.len()];
                rack[(index.wrapping_mul(seed as usize | 1) / 3 + step) % rack.len()]
            };
            let replicas: Vec<i32> = (0..(factor as usize).min(by_rack.len())).map(place).collect();
            partition(&replicas, &replicas, replicas.len().saturating_sub(1).max(1))
        });
        let kafka = says(&nodes, partitions.collect());
        let allowed = fewest(&nodes, most);
        let mut batches = 0;
        loop {
            let ids = next(&nodes, &kafka, most);
            if ids.is_empty() {
                break;
            }
            batches += 1;
            nodes.iter_mut().filter(|node| ids.contains(&node.id)).for_each(|node| node.reasons.clear());
        }
        prop_assert!(batches <= allowed, "{batches} batches, {allowed} would do");
        prop_assert!(nodes.iter().all(|node| node.reasons.is_empty()));
    }
}
