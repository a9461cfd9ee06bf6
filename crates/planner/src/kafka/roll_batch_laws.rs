//! The laws that every batch keeps, for clusters of up to 60 nodes in any state.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What is random of a broker: how its pod is, its rack, whether it was ready before, whether its disk ends with the pod, why it is due, and
/// how far it is behind.
type AnyBroker = (u8, usize, (bool, bool, u8), Option<i64>);

/// What is random of a partition: its brokers, which of them are in sync, `min.insync.replicas`, which are eligible.
type AnyPartition = (Vec<prop::sample::Index>, u8, usize, u8);

fn node_of(id: usize, (kind, rack, (served, lossy, reason), _): &AnyBroker, is_calm: bool) -> RollNode {
    let state = match kind {
        _ if is_calm => PodState::Ready,
        0 => PodState::Missing,
        1 => PodState::Stuck,
        2 | 3 => PodState::Unready,
        _ => PodState::Ready,
    };
    let reasons = match reason % 4 {
        0 => BTreeSet::new(),
        1 => BTreeSet::from([RestartReason::CaCertRenewed]),
        _ => BTreeSet::from([RestartReason::PodHasOldRevision]),
    };
    RollNode {
        state,
        controller: *kind == 39,
        served: *served || state == PodState::Ready,
        long: reason % 2 == 0,
        loses_storage: *lossy && !is_calm,
        reasons,
        ..broker(id as i32, ["a", "b", "c", ""][*rack])
    }
}

fn partition_of(
    (picked, isr, min_isr, eligible): AnyPartition,
    brokers: usize,
    is_calm: bool,
) -> RollPartition {
    let mut replicas: Vec<i32> = picked.iter().map(|index| index.index(brokers) as i32).collect();
    replicas.sort_unstable();
    replicas.dedup();
    let of = |mask: u8| -> Vec<i32> {
        let chosen = replicas.iter().enumerate().filter(|(place, _)| mask & (1 << place) != 0);
        chosen.map(|(_, id)| *id).collect()
    };
    let isr = if is_calm { replicas.clone() } else { of(isr) };
    let mut eligible = if isr.len() < min_isr { of(eligible) } else { vec![] };
    eligible.retain(|id| !isr.contains(id));
    RollPartition { eligible, ..partition(&replicas, &isr, min_isr) }
}

prop_compose! {
    fn any_cluster()(
        brokers in prop::collection::vec(
            (0..40_u8, 0..4_usize, any::<(bool, bool, u8)>(), prop::option::weighted(0.95, 0..12_000_i64)), 1..57),
        partitions in prop::collection::vec(
            (prop::collection::vec(any::<prop::sample::Index>(), 1..5), any::<u8>(), 1..4_usize, any::<u8>()), 0..60),
        voters in prop::collection::vec(0..8_u8, 3),
        most in 1..9_usize,
        told in 0..12_u8,
        is_calm in any::<bool>(),
    ) -> (Vec<RollNode>, RollKafka, usize) {
        let mut nodes: Vec<RollNode> =
            brokers.iter().enumerate().map(|(id, broker)| node_of(id, broker, is_calm)).collect();
        let partitions = partitions.into_iter().map(|one| partition_of(one, brokers.len(), is_calm)).collect();
        for (id, due) in CONTROLLERS.into_iter().zip(&voters) {
            let due = (due % 2 == 1).then_some(RestartReason::PodHasOldRevision);
            let reasons = due.into_iter().collect();
            nodes.push(RollNode { controller: true, broker: false, reasons, ..broker(id, "a") });
        }
        let mut kafka = says(&nodes, partitions);
        if !is_calm {
            for one in &mut quorum(&mut kafka).observers {
                one.lag_ms = brokers.get(one.id as usize).and_then(|broker| broker.3);
            }
            for (one, state) in quorum(&mut kafka).voters.iter_mut().zip(&voters) {
                one.lag_ms = Some(i64::from(*state) * 400);
            }
        }
        match told {
            0 => kafka.quorum = Ok(None),
            1 => kafka = RollKafka::silent(&Silence::new(SilenceKind::Late, "late")),
            _ => {}
        }
        (nodes, kafka, most)
    }
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
        for node in &mut nodes {
            (node.state, node.served, node.long) = (PodState::Ready, true, false);
        }
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
