//! Where the replicas of brokers go that are to leave.
//!
//! The rules, in this order: as many replicas as before, and those on brokers that stay are not touched; a rack without a replica of the
//! partition; the broker with the fewest replicas. A partition that loses its preferred leader gets the one that leads the fewest.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Broker, Move, PartitionState};

/// How much a broker has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Replicas that it holds.
    pub replicas: usize,
    /// Partitions of which it is the preferred leader.
    pub leaders: usize,
}

/// Moves partitions off brokers, one after the other; each move counts for the next one.
#[derive(Clone, Debug)]
pub struct Evacuation {
    leaving: BTreeSet<i32>,
    targets: Vec<Broker>,
    racks: BTreeMap<i32, String>,
    load: BTreeMap<i32, Load>,
}

impl Evacuation {
    /// From the brokers `leaving` to `targets`. `all` are all brokers, and `load` is what each has to do now.
    pub fn new(
        leaving: BTreeSet<i32>,
        mut targets: Vec<Broker>,
        all: &[Broker],
        load: BTreeMap<i32, Load>,
    ) -> Self {
        targets.retain(|broker| !leaving.contains(&broker.id));
        let racks = all.iter().filter_map(|broker| Some((broker.id, broker.rack.clone()?))).collect();
        Self { leaving, targets, racks, load }
    }

    /// The move of a partition that nothing else moves; `None`: it has no replica on a broker that leaves, or there are too few brokers to
    /// go to.
    pub fn of(&mut self, partition: &PartitionState) -> Option<Move> {
        let goes = |broker: &i32| self.leaving.contains(broker);
        let missing = partition.replicas.iter().filter(|broker| goes(broker)).count();
        let mut replicas: Vec<i32> =
            partition.replicas.iter().copied().filter(|broker| !goes(broker)).collect();
        if missing == 0 || self.targets.len() < missing {
            return None;
        }
        let before = self.load.clone();
        for _ in 0..missing {
            let Some(broker) = self.target(&replicas, partition.index) else {
                self.load = before;
                return None;
            };
            self.load.entry(broker).or_default().replicas += 1;
            replicas.push(broker);
        }
        for broker in partition.replicas.iter().filter(|broker| self.leaving.contains(broker)) {
            let load = self.load.entry(*broker).or_default();
            load.replicas = load.replicas.saturating_sub(1);
        }
        if partition.replicas.first().is_some_and(|first| self.leaving.contains(first)) {
            self.prefer_least_leading(&mut replicas, partition);
        }
        Some(Move { partition: partition.index, replicas })
    }

    fn target(&self, replicas: &[i32], partition: i32) -> Option<i32> {
        let in_rack = |broker: i32| {
            let rack = self.racks.get(&broker);
            rack.map_or(0, |rack| replicas.iter().filter(|other| self.racks.get(other) == Some(rack)).count())
        };
        let free = self.targets.iter().map(|broker| broker.id).filter(|id| !replicas.contains(id));
        free.min_by_key(|id| {
            // The partition's number decides between equals, so that partitions do not all pick the same broker.
            let turn =
                (id - partition).rem_euclid(i32::try_from(self.targets.len()).unwrap_or(i32::MAX).max(1));
            (in_rack(*id), self.load.get(id).copied().unwrap_or_default().replicas, turn, *id)
        })
    }

    /// Puts the replica first whose broker leads the fewest partitions; of equals one that is in sync already.
    fn prefer_least_leading(&mut self, replicas: &mut [i32], partition: &PartitionState) {
        let leads = |id: &i32| self.load.get(id).copied().unwrap_or_default().leaders;
        let best = (0..replicas.len()).min_by_key(|at| {
            let id = replicas[*at];
            (leads(&id), !partition.isr.contains(&id), *at)
        });
        if let Some(at) = best {
            replicas[..=at].rotate_right(1);
            self.load.entry(replicas[0]).or_default().leaders += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn brokers(racks: &[Option<&str>]) -> Vec<Broker> {
        let broker = |(id, rack): (usize, Option<&str>)| Broker {
            id: i32::try_from(id).unwrap(),
            rack: rack.map(str::to_owned),
        };
        racks.iter().copied().enumerate().map(broker).collect()
    }

    fn at(index: i32, replicas: &[i32]) -> PartitionState {
        let (adding, removing) = (Vec::new(), Vec::new());
        PartitionState {
            index,
            leader: replicas[0],
            replicas: replicas.to_vec(),
            isr: replicas.to_vec(),
            adding,
            removing,
        }
    }

    fn from(leaving: &[i32], brokers: &[Broker]) -> Evacuation {
        let leaving = leaving.iter().copied().collect();
        Evacuation::new(leaving, brokers.to_vec(), brokers, BTreeMap::new())
    }

    #[test]
    fn what_stays_is_not_touched_and_a_rack_without_a_replica_comes_first() {
        let brokers = brokers(&[Some("a"), Some("b"), Some("a"), Some("c")]);
        let mut off = from(&[3], &brokers);
        assert_eq!(off.of(&at(0, &[1, 3])).unwrap().replicas, [1, 0]);
        assert_eq!(off.of(&at(1, &[0, 3])).unwrap().replicas, [0, 1]);
        assert_eq!(off.of(&at(2, &[0, 1])), None, "nothing of it leaves");
        assert_eq!(off.of(&at(3, &[0, 1, 2, 3])), None, "there are too few brokers");
    }

    #[test]
    fn replicas_and_leaders_are_spread() {
        let brokers = brokers(&[None; 5]);
        let mut off = from(&[4], &brokers);
        let (mut held, mut led) = (BTreeMap::new(), BTreeMap::new());
        for index in 0..40 {
            for before in [&[4][..], &[4, 0, 1]] {
                let replicas = off.of(&at(index, before)).unwrap().replicas;
                *led.entry(replicas[0]).or_insert(0) += 1;
                let new = replicas.iter().find(|id| !before.contains(id)).unwrap();
                *held.entry(*new).or_insert(0) += 1;
            }
        }
        assert!(held.len() == 4 && held.values().all(|count| (18..=22).contains(count)), "{held:?}");
        assert!(led.len() == 4 && led.values().all(|count| (18..=22).contains(count)), "{led:?}");
    }

    fn clusters() -> impl Strategy<Value = (Vec<Broker>, BTreeSet<i32>, Vec<PartitionState>)> {
        (2..9_usize, proptest::option::of(1..4_i32)).prop_flat_map(|(count, racks)| {
            let brokers: Vec<Broker> = (0..i32::try_from(count).unwrap())
                .map(|id| Broker { id, rack: racks.map(|n| format!("r{}", id % n)) })
                .collect();
            let ids: Vec<i32> = brokers.iter().map(|broker| broker.id).collect();
            let partition =
                (1..=count, Just(ids.clone()).prop_shuffle()).prop_map(|(factor, ids)| at(0, &ids[..factor]));
            let leaving = proptest::sample::subsequence(ids, 1..count);
            (Just(brokers), leaving, proptest::collection::vec(partition, 1..12)).prop_map(
                |(brokers, leaving, mut list)| {
                    for (index, partition) in list.iter_mut().enumerate() {
                        partition.index = i32::try_from(index).unwrap();
                    }
                    (brokers, leaving.into_iter().collect(), list)
                },
            )
        })
    }

    proptest! {
        #[test]
        fn no_replica_is_lost_and_none_stays_behind((brokers, leaving, partitions) in clusters()) {
            let mut off = Evacuation::new(leaving.clone(), brokers.clone(), &brokers, BTreeMap::new());
            let staying = brokers.len() - leaving.len();
            for partition in &partitions {
                let stays: Vec<i32> =
                    partition.replicas.iter().copied().filter(|id| !leaving.contains(id)).collect();
                let Some(change) = off.of(partition) else {
                    let nothing_leaves = stays.len() == partition.replicas.len();
                    prop_assert!(nothing_leaves || partition.replicas.len() > staying);
                    continue;
                };
                let unique: BTreeSet<i32> = change.replicas.iter().copied().collect();
                prop_assert_eq!(unique.len(), partition.replicas.len());
                prop_assert!(unique.is_disjoint(&leaving));
                prop_assert!(stays.iter().all(|id| unique.contains(id)));
                let rack = |id: &i32| brokers[usize::try_from(*id).unwrap()].rack.clone();
                let had: BTreeSet<_> = stays.iter().filter_map(rack).collect();
                let could: BTreeSet<_> =
                    brokers.iter().filter(|one| !leaving.contains(&one.id)).filter_map(|one| one.rack.clone()).collect();
                let has: BTreeSet<_> = unique.iter().filter_map(rack).collect();
                let new = partition.replicas.len() - stays.len();
                prop_assert_eq!(has.len(), could.len().min(had.len() + new));
            }
        }
    }
}
