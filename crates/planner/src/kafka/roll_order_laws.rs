//! The laws that every decision of a roll keeps.

use proptest::prelude::*;

use super::*;

prop_compose! {
    fn any_cluster()(size in 1_usize..9)(
        states in prop::collection::vec(0_u8..6, size),
        roles in prop::collection::vec(0_u8..3, size),
        due in prop::collection::vec(0_u8..5, size),
        flags in prop::collection::vec(any::<(bool, bool, bool, bool)>(), size),
        registered in prop::collection::vec(any::<bool>(), size),
        lags in prop::collection::vec(prop::option::of(0_i64..12_000), size),
        partitions in prop::collection::vec(
            (prop::collection::btree_set(0..size as i32, 1..=size), any::<(u16, u16, u16, bool)>(), 1_usize..4, any::<u16>()), 0..12),
        leader in 0..size as i32,
        told in (0_u8..6, 0_u8..6),
        dynamic in any::<bool>(),
    ) -> (Vec<RollNode>, RollKafka) {
        let reasons = [
            vec![],
            vec![RestartReason::ManualRollingUpdate],
            vec![RestartReason::KafkaCertificatesChanged],
            vec![RestartReason::PodHasOldRevision, RestartReason::CaCertRenewed],
            vec![RestartReason::PodUnresponsive],
        ];
        let is_silent = |i: usize| due[i] == 4;
        let states_of = [PodState::Ready, PodState::Ready, PodState::Ready, PodState::Unready, PodState::Stuck, PodState::Missing];
        let nodes: Vec<RollNode> = (0..states.len()).map(|i| RollNode {
            id: i as i32,
            pod: format!("c-p-{i}"),
            controller: roles[i] != 0,
            departs: false,
            broker: roles[i] != 1,
            rack: None,
            state: if is_silent(i) { PodState::Unready } else { states_of[states[i] as usize] },
            long: flags[i].0 || is_silent(i),
            served: flags[i].1 || is_silent(i) || states_of[states[i] as usize] == PodState::Ready,
            unscheduled: flags[i].2,
            loses_storage: flags[i].3,
            loses_claims: false,
            unresponsive: is_silent(i),
            unresponsive_broker: is_silent(i) && flags[i].2,
            recovers: None,
            reasons: reasons[due[i] as usize].iter().copied().collect(),
        }).collect();
        let follower = |n: &RollNode| RollVoter { id: n.id, lag_ms: lags[n.id as usize] };
        let quorum = RollQuorum {
            leader,
            voters: nodes.iter().filter(|n| n.controller).map(follower).collect(),
            observers: nodes.iter().filter(|n| !n.controller).map(follower).collect(),
            dynamic,
        };
        let partitions = partitions.into_iter().map(|(replicas, (in_sync, eligible, last, empty), min_isr, broken)| {
            let replicas: Vec<i32> = replicas.into_iter().collect();
            let of = |mask: u16| replicas.iter().copied().filter(|id| mask & (1 << id) != 0).collect::<Vec<i32>>();
            let isr = if empty { vec![] } else { of(in_sync) };
            let eligible = if isr.len() < min_isr { of(eligible & !in_sync) } else { vec![] };
            let last_known = if isr.is_empty() && eligible.is_empty() { of(last) } else { vec![] };
            // Of one partition in four, some replicas are on failed disks.
            let failed = if broken % 4 == 0 { of(broken >> 2) } else { vec![] };
            let leader = isr.iter().copied().find(|id| !failed.contains(id));
            RollPartition { name: "t-0".to_owned(), leader, replicas, isr, eligible, last_known, offline: failed.clone(), failed, min_isr, ..RollPartition::default() }
        }).collect();
        let registered = (0..nodes.len() as i32).filter(|id| registered[*id as usize]).map(|id| (id, None)).collect();
        let silence = |kind: u8| Silence::new(
            [SilenceKind::Nobody, SilenceKind::Unreachable, SilenceKind::Tls, SilenceKind::Late][kind as usize - 2],
            "silence",
        );
        (nodes, RollKafka {
            quorum: match told.0 { 0 => Ok(Some(quorum)), 1 => Ok(None), kind => Err(silence(kind)) },
            asked_at: None,
            brokers: match told.1 { 0 | 1 => Ok(RollBrokers { partitions, registered, told_by: None }), kind => Err(silence(kind)) },
        })
    }
}

/// Replicas in sync whose brokers follow the metadata, but for one broker.
fn copies_without(partition: &RollPartition, kafka: &RollKafka, id: i32) -> usize {
    let follows = |other: &i32| match &kafka.quorum {
        Ok(Some(quorum)) => {
            let mut all = quorum.voters.iter().chain(&quorum.observers);
            all.any(|node| node.id == *other && node.lag_ms.is_some_and(|lag| lag < 9000))
        }
        _ => true,
    };
    let counts = |other: &i32| *other != id && follows(other) && !partition.is_failed_on(*other);
    partition.isr.iter().filter(|other| counts(other)).count()
}

/// Complete copies, in sync or eligible, that stay without these nodes: each in a pod that is there and was ready, so that it is not
/// what Kafka still says of a former pod.
fn kept_copies(
    partition: &RollPartition,
    nodes: &[RollNode],
    kafka: &RollKafka,
    without: &BTreeSet<i32>,
) -> usize {
    let follows =
        |id: i32| copies_without(&RollPartition { isr: vec![id], ..partition.clone() }, kafka, -1) == 1;
    let is_there = |id: i32| {
        let node = nodes.iter().find(|node| node.id == id);
        !without.contains(&id)
            && node.is_none_or(|node| {
                node.state == PodState::Ready || node.state != PodState::Missing && node.served
            })
    };
    let in_sync = partition.isr.iter().filter(|id| is_there(**id) && follows(**id));
    let registered =
        |id: &i32| kafka.brokers.as_ref().is_ok_and(|brokers| brokers.registered.contains_key(id));
    in_sync.count()
        + partition
            .eligible
            .iter()
            .filter(|id| is_there(**id) && registered(id) && !partition.is_failed_on(**id))
            .count()
}

/// Whether a node that leads a partition answers nothing, and a ready broker that follows is an eligible leader.
fn has_ready_eligible_leader(
    partition: &RollPartition,
    nodes: &[RollNode],
    kafka: &RollKafka,
    id: i32,
) -> bool {
    let Ok(brokers) = &kafka.brokers else { return false };
    let Ok(Some(quorum)) = &kafka.quorum else { return false };
    if !nodes[id as usize].unresponsive_broker || partition.leader != Some(id) {
        return false;
    }
    for other in &partition.eligible {
        let mut all = quorum.voters.iter().chain(&quorum.observers);
        let lag_ms = all.find(|voter| voter.id == *other).and_then(|voter| voter.lag_ms);
        let is_ready = nodes[*other as usize].state == PodState::Ready;
        let has_disk = !partition.is_failed_on(*other) && !partition.offline.contains(other);
        let is_there = brokers.registered.contains_key(other) && lag_ms.is_some_and(|lag| lag < 3000);
        if is_ready && has_disk && is_there {
            return true;
        }
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_decision_takes_a_last_copy_a_minimum_or_a_majority((nodes, kafka) in any_cluster()) {
        let decision = next(&nodes, &kafka);
        if waits(&decision).is_some() {
            prop_assert!(nodes.iter().any(|n| !n.reasons.is_empty()));
        }
        let Some(id) = restarted(&decision) else { return Ok(()) };
        let chosen = &nodes[id as usize];
        prop_assert!(!chosen.reasons.is_empty());
        prop_assert!(chosen.state != PodState::Missing);
        prop_assert!(nodes.iter().all(|n| n.state != PodState::Missing || n.long));
        // A pod that serves nobody and has stored nothing takes nothing away.
        if chosen.state == PodState::Stuck && !chosen.may_lose_records() {
            return Ok(());
        }
        if let Ok(brokers) = &kafka.brokers && chosen.broker {
            // A replica on a failed disk is nothing that a restart takes away, unless it destroys what it has.
            // Nor does that of a leader that answers nothing, when another one may lead.
            let takes = |p: &&RollPartition| (!p.is_out_of_use_on(id) || chosen.may_lose_records()) && !has_ready_eligible_leader(p, &nodes, &kafka, id);
            for p in brokers.partitions.iter().filter(|p| p.isr.contains(&id)).filter(takes) {
                let left = copies_without(p, &kafka, id);
                prop_assert!(p.replicas.len() <= p.min_isr || left >= p.min_isr, "{p:?}");
                let comes = |other: &i32| *other != id && brokers.registered.contains_key(other);
                prop_assert!(left > 0 || !p.replicas.iter().any(comes), "the last copy in sync of {p:?}");
            }
            let is_asked = chosen.reasons.contains(&RestartReason::ManualRollingUpdate);
            for p in brokers.partitions.iter().filter(|p| p.eligible.contains(&id) && p.is_out_of_use_on(id)) {
                let in_use = |other: &i32| *other != id && brokers.registered.contains_key(other) && !p.is_failed_on(*other);
                let others = p.eligible.iter().any(in_use) || copies_without(p, &kafka, id) > 0;
                prop_assert!(is_asked || others, "the last one that may lead {p:?}");
            }
            if chosen.may_lose_records() {
                for p in brokers.partitions.iter().filter(|p| p.replicas.contains(&id)) {
                    let comes = |other: &i32| *other != id && brokers.registered.contains_key(other);
                    let last = p.is_complete_on(id)
                        || (p.isr.is_empty() && (chosen.state == PodState::Ready || p.last_known.contains(&id)));
                    let kept = kept_copies(p, &nodes, &kafka, &BTreeSet::from([id]));
                    let waits = p.replicas.iter().any(comes) || chosen.is_unasked();
                    prop_assert!(!last || kept > 0 || !waits, "destroys the last copy of {p:?}");
                }
            }
        }
        match &kafka.quorum {
            Ok(Some(quorum)) => {
                let up = |v: &&RollVoter| v.lag_ms.is_some_and(|lag| lag < FETCH_TIMEOUT_MS);
                let voters = quorum.voters.len();
                if chosen.controller && voters > 2 {
                    let left = quorum.voters.iter().filter(|v| v.id != id).filter(up).count();
                    prop_assert!(left > voters / 2);
                }
                if chosen.broker && chosen.state == PodState::Ready && voters > 0 {
                    prop_assert!(quorum.voters.iter().filter(up).count() > voters / 2);
                }
            }
            Ok(None) => prop_assert!(chosen.state != PodState::Ready),
            Err(silence) => prop_assert!(chosen.state != PodState::Ready || silence.kind == SilenceKind::Tls),
        }
        // What nobody can tell is not bet on: records of which no other copy is known stay.
        let alone = nodes.iter().filter(|n| n.broker).count() == 1;
        if kafka.brokers.is_err() && chosen.broker && (!alone || chosen.is_unasked()) {
            prop_assert!(!chosen.may_lose_records());
            prop_assert!(alone || !chosen.is_unasked());
        }
    }

    #[test]
    fn a_batch_fits_only_if_each_of_its_nodes_does((nodes, kafka) in any_cluster(), mask in any::<u16>()) {
        let rules = Rules::new(&nodes, &kafka, FETCH_TIMEOUT_MS);
        let batch: BTreeSet<i32> = nodes.iter().map(|n| n.id).filter(|id| mask & (1 << id) != 0).collect();
        if kafka.quorum.as_ref().is_ok_and(Option::is_some) && kafka.brokers.is_ok() && rules.obstacle(&batch).is_none() {
            let Ok(brokers) = &kafka.brokers else { return Ok(()) };
            for p in &brokers.partitions {
                let members: Vec<i32> = p.isr.iter().copied().filter(|id| batch.contains(id) && nodes[*id as usize].broker && (!p.is_out_of_use_on(*id) || nodes[*id as usize].may_lose_records())).collect();
                let Some(first) = members.first() else { continue };
                let gone = |id: &i32| batch.contains(id) && nodes[*id as usize].broker;
                let rest = RollPartition { isr: p.isr.iter().copied().filter(|id| !gone(id)).collect(), ..p.clone() };
                let left = copies_without(&rest, &kafka, -1);
                prop_assert!(p.replicas.len() <= p.min_isr || left >= p.min_isr, "{p:?} without {batch:?}");
                let comes = |other: &i32| other != first && brokers.registered.contains_key(other);
                prop_assert!(left > 0 || !p.replicas.iter().any(comes), "all copies of {p:?} with {batch:?}");
            }
            // Two pods that go in the same pass: what one leaves is not counted on while the other takes it.
            for p in &brokers.partitions {
                let lossy = |id: &&i32| batch.contains(*id) && nodes[**id as usize].broker && nodes[**id as usize].may_lose_records();
                let going: BTreeSet<i32> = batch.iter().copied().filter(|id| nodes[*id as usize].broker).collect();
                let Some(first) = p.replicas.iter().filter(lossy).find(|id| p.is_complete_on(**id)) else { continue };
                let comes = |other: &i32| other != first && brokers.registered.contains_key(other);
                let kept = kept_copies(p, &nodes, &kafka, &going);
                prop_assert!(kept > 0 || !p.replicas.iter().any(comes), "destroys all copies of {p:?} with {batch:?}");
            }
        }
    }

    #[test]
    fn a_healthy_cluster_rolls_to_its_end_and_restarts_each_node_once((mut nodes, _) in any_cluster(), sets in any::<u16>()) {
        for node in &mut nodes {
            node.state = PodState::Ready;
            if node.reasons.remove(&RestartReason::PodUnresponsive) { node.reasons.insert(RestartReason::ManualRollingUpdate); }
        }
        let follows = |n: &RollNode| RollVoter { id: n.id, lag_ms: Some(0) };
        let all: Vec<i32> = nodes.iter().map(|n| n.id).collect();
        let partitions = (0..4).map(|i| {
            let replicas: Vec<i32> = all.iter().copied().filter(|id| sets & (1 << ((id + i) % 16)) != 0).collect();
            RollPartition { name: "t-0".to_owned(), leader: replicas.first().copied(), isr: replicas.clone(), min_isr: replicas.len().saturating_sub(1).max(1), replicas, ..RollPartition::default() }
        }).collect();
        let quorum = RollQuorum {
            leader: nodes.iter().find(|n| n.controller).map_or(0, |n| n.id),
            voters: nodes.iter().filter(|n| n.controller).map(follows).collect(),
            observers: nodes.iter().filter(|n| !n.controller).map(follows).collect(),
            dynamic: true,
        };
        let kafka = says(Some(quorum), partitions);
        let due = nodes.iter().filter(|n| !n.reasons.is_empty()).count();
        let mut done = BTreeSet::new();
        while let Some(id) = restarted(&next(&nodes, &kafka)) {
            prop_assert!(done.insert(id));
            nodes[id as usize].reasons.clear();
        }
        prop_assert_eq!(done.len(), due);
        prop_assert_eq!(next(&nodes, &kafka), Decision::Settled);
    }
}
