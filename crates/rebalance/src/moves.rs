//! Which brokers hold a partition after a change of the replication factor. Pure.
//!
//! The rules, in this order: no partition loses its leader; as few replicas move as possible (growing adds
//! replicas and touches none that exists, shrinking only removes); replicas spread over racks; replicas of the
//! topic spread evenly over brokers.

use std::collections::BTreeMap;

use crate::{Broker, PartitionState};

/// A partition's new replica list, to be handed to Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The partition.
    pub partition: i32,
    /// The replicas it shall have, preferred leader first.
    pub replicas: Vec<i32>,
}

/// More replicas are wanted than there are brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFewBrokers {
    /// The wanted replication factor.
    pub wanted: usize,
    /// The brokers there are.
    pub brokers: usize,
}

/// The moves that give every partition `factor` replicas. Partitions that already have them, or are on the way
/// there, are not in the answer.
pub fn moves(
    partitions: &[PartitionState],
    brokers: &[Broker],
    factor: usize,
) -> Result<Vec<Move>, TooFewBrokers> {
    if partitions.iter().all(|p| p.target().len() == factor) {
        return Ok(Vec::new());
    }
    if factor > brokers.len() && partitions.iter().any(|p| p.target().len() < factor) {
        return Err(TooFewBrokers { wanted: factor, brokers: brokers.len() });
    }
    let racks: BTreeMap<i32, &str> =
        brokers.iter().filter_map(|b| Some((b.id, b.rack.as_deref()?))).collect();
    let mut load: BTreeMap<i32, usize> = brokers.iter().map(|b| (b.id, 0)).collect();
    for replica in partitions.iter().flat_map(PartitionState::target) {
        *load.entry(replica).or_default() += 1;
    }
    let mut out = Vec::new();
    for partition in partitions {
        let mut replicas = partition.target();
        if replicas.len() == factor {
            continue;
        }
        while replicas.len() < factor {
            let Some(broker) = best_to_add(&replicas, brokers, &racks, &load, partition) else { break };
            replicas.push(broker);
            *load.entry(broker).or_default() += 1;
        }
        while replicas.len() > factor {
            let Some(at) = best_to_remove(&replicas, &racks, &load, partition) else { break };
            let broker = replicas.remove(at);
            if let Some(count) = load.get_mut(&broker) {
                *count -= 1;
            }
        }
        // When the preferred leader is no longer among the replicas, the replica that leads now becomes the preferred one.
        if !partition.replicas.first().is_some_and(|first| replicas.contains(first))
            && let Some(at) = replicas.iter().position(|r| *r == partition.leader)
        {
            replicas[..=at].rotate_right(1);
        }
        out.push(Move { partition: partition.index, replicas });
    }
    Ok(out)
}

/// A replica that is already there, though leaving, costs no copy; then a rack without a replica of the partition;
/// then the broker with the fewest replicas of the topic.
fn best_to_add(
    replicas: &[i32],
    brokers: &[Broker],
    racks: &BTreeMap<i32, &str>,
    load: &BTreeMap<i32, usize>,
    partition: &PartitionState,
) -> Option<i32> {
    let per_rack = count_racks(replicas, racks);
    brokers
        .iter()
        .filter(|b| !replicas.contains(&b.id))
        .min_by_key(|b| {
            let in_rack = racks.get(&b.id).and_then(|r| per_rack.get(r)).copied().unwrap_or(0);
            let copied = !partition.removing.contains(&b.id);
            // The partition's number decides between equals, so that partitions do not all pick the same broker.
            let turn = (b.id - partition.index).rem_euclid(brokers.len().max(1) as i32);
            (copied, in_rack, load.get(&b.id).copied().unwrap_or(0), turn, b.id)
        })
        .map(|b| b.id)
}

/// Never the leader, and never the last replica in sync; a replica out of sync or on a broker that is gone first;
/// then one whose rack holds another; then the one on the fullest broker; then the last in the list.
fn best_to_remove(
    replicas: &[i32],
    racks: &BTreeMap<i32, &str>,
    load: &BTreeMap<i32, usize>,
    partition: &PartitionState,
) -> Option<usize> {
    let per_rack = count_racks(replicas, racks);
    let kept_leader = if replicas.contains(&partition.leader) {
        Some(partition.leader)
    } else {
        replicas.iter().copied().find(|r| partition.isr.contains(r)).or(replicas.first().copied())
    };
    replicas
        .iter()
        .enumerate()
        .filter(|(_, r)| Some(**r) != kept_leader)
        .max_by_key(|(at, r)| {
            let out_of_sync = !partition.isr.contains(*r);
            let shares_rack = racks.get(*r).and_then(|rack| per_rack.get(rack)).copied().unwrap_or(0);
            (out_of_sync, shares_rack, load.get(*r).copied().unwrap_or(0), *at)
        })
        .map(|(at, _)| at)
}

fn count_racks<'a>(replicas: &[i32], racks: &BTreeMap<i32, &'a str>) -> BTreeMap<&'a str, usize> {
    let mut out = BTreeMap::new();
    for rack in replicas.iter().filter_map(|r| racks.get(r)) {
        *out.entry(*rack).or_default() += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn brokers(racks: &[(i32, Option<&str>)]) -> Vec<Broker> {
        racks.iter().map(|(id, rack)| Broker { id: *id, rack: rack.map(String::from) }).collect()
    }

    fn at(index: i32, replicas: &[i32]) -> PartitionState {
        PartitionState {
            index,
            leader: replicas[0],
            replicas: replicas.to_vec(),
            isr: replicas.to_vec(),
            adding: vec![],
            removing: vec![],
        }
    }

    #[test]
    fn growing_keeps_what_is_there_and_prefers_an_empty_rack() {
        let brokers = brokers(&[(0, Some("a")), (1, Some("a")), (2, Some("b")), (3, Some("c"))]);
        let moves = moves(&[at(0, &[0])], &brokers, 3).unwrap();
        assert_eq!(moves[0].replicas[0], 0);
        assert!(!moves[0].replicas.contains(&1), "{moves:?}");
    }

    #[test]
    fn growing_spreads_the_new_replicas_over_brokers() {
        let brokers = brokers(&[(0, None), (1, None), (2, None)]);
        let partitions: Vec<_> = (0..6).map(|i| at(i, &[0])).collect();
        let moves = moves(&partitions, &brokers, 2).unwrap();
        let on_one = moves.iter().filter(|m| m.replicas[1] == 1).count();
        assert_eq!(on_one, 3, "{moves:?}");
    }

    #[test]
    fn shrinking_never_removes_the_leader_and_drops_the_stale_replica_first() {
        let brokers = brokers(&[(0, None), (1, None), (2, None)]);
        let mut partition = at(0, &[0, 1, 2]);
        partition.leader = 2;
        partition.isr = vec![1, 2];
        assert_eq!(moves(&[partition.clone()], &brokers, 2).unwrap()[0].replicas, [2, 1]);
        assert_eq!(moves(&[partition], &brokers, 1).unwrap()[0].replicas, [2]);
    }

    #[test]
    fn shrinking_removes_the_replica_whose_rack_has_another() {
        let brokers = brokers(&[(0, Some("a")), (1, Some("b")), (2, Some("a"))]);
        assert_eq!(moves(&[at(0, &[0, 1, 2])], &brokers, 2).unwrap()[0].replicas, [0, 1]);
    }

    #[test]
    fn a_running_move_to_the_wanted_factor_is_left_alone() {
        let brokers = brokers(&[(0, None), (1, None), (2, None)]);
        let mut partition = at(0, &[0, 1, 2]);
        partition.isr = vec![0];
        partition.adding = vec![1, 2];
        assert_eq!(moves(&[partition.clone()], &brokers, 3).unwrap(), []);
        // Wanted again what it was: the replicas on their way are dropped, nothing is copied.
        assert_eq!(moves(&[partition], &brokers, 1).unwrap(), [Move { partition: 0, replicas: vec![0] }]);
    }

    #[test]
    fn more_replicas_than_brokers_is_refused() {
        let error = moves(&[at(0, &[0])], &brokers(&[(0, None), (1, None)]), 3).unwrap_err();
        assert_eq!(error, TooFewBrokers { wanted: 3, brokers: 2 });
    }

    fn clusters() -> impl Strategy<Value = (Vec<Broker>, Vec<PartitionState>, usize)> {
        (1..8_usize, proptest::option::of(1..4_i32)).prop_flat_map(|(count, racks)| {
            let brokers: Vec<Broker> = (0..count as i32)
                .map(|id| Broker { id, rack: racks.map(|n| format!("r{}", id % n)) })
                .collect();
            let ids: Vec<i32> = brokers.iter().map(|b| b.id).collect();
            let partition = (1..=count, Just(ids).prop_shuffle(), any::<prop::sample::Index>(), any::<u8>())
                .prop_map(|(factor, ids, leader, in_sync)| {
                    let replicas: Vec<i32> = ids[..factor].to_vec();
                    let leader = replicas[leader.index(factor)];
                    let isr = replicas
                        .iter()
                        .enumerate()
                        .filter(|(i, r)| **r == leader || in_sync & (1 << i) != 0)
                        .map(|(_, r)| *r)
                        .collect();
                    PartitionState { index: 0, leader, replicas, isr, adding: vec![], removing: vec![] }
                });
            let partitions = proptest::collection::vec(partition, 1..12).prop_map(|mut list| {
                for (i, p) in list.iter_mut().enumerate() {
                    p.index = i as i32;
                }
                list
            });
            (Just(brokers), partitions, 1..=count)
        })
    }

    proptest! {
        #[test]
        fn every_partition_ends_with_the_factor_and_its_leader_and_moves_least(
            (brokers, partitions, factor) in clusters()
        ) {
            let moves = moves(&partitions, &brokers, factor).unwrap();
            for partition in &partitions {
                let Some(change) = moves.iter().find(|m| m.partition == partition.index) else {
                    prop_assert_eq!(partition.replicas.len(), factor);
                    continue;
                };
                prop_assert_eq!(change.replicas.len(), factor);
                let unique: BTreeSet<_> = change.replicas.iter().collect();
                prop_assert_eq!(unique.len(), factor);
                prop_assert!(change.replicas.contains(&partition.leader));
                let kept = change.replicas.iter().filter(|r| partition.replicas.contains(r)).count();
                prop_assert_eq!(kept, factor.min(partition.replicas.len()));
                if factor > partition.replicas.len() {
                    prop_assert_eq!(&change.replicas[..partition.replicas.len()], &partition.replicas[..]);
                }
            }
        }

        #[test]
        fn a_grown_partition_uses_every_rack_it_could((brokers, partitions, factor) in clusters()) {
            let all: BTreeSet<_> = brokers.iter().filter_map(|b| b.rack.clone()).collect();
            let rack = |id: &i32| brokers[*id as usize].rack.clone();
            for change in moves(&partitions, &brokers, factor).unwrap() {
                let before = &partitions[change.partition as usize];
                if before.replicas.len() > factor {
                    continue;
                }
                let had: BTreeSet<_> = before.replicas.iter().filter_map(rack).collect();
                let has: BTreeSet<_> = change.replicas.iter().filter_map(rack).collect();
                let could = all.len().min(had.len() + factor - before.replicas.len());
                prop_assert_eq!(has.len(), could);
            }
        }

        #[test]
        fn planning_again_after_the_moves_yields_none((brokers, mut partitions, factor) in clusters()) {
            for change in moves(&partitions, &brokers, factor).unwrap() {
                partitions[change.partition as usize].replicas = change.replicas;
            }
            prop_assert_eq!(moves(&partitions, &brokers, factor).unwrap(), vec![]);
        }
    }
}
