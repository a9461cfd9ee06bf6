//! Which replicas and brokers a throttle has to name while replicas move (KIP-73). Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Move, PartitionState};

/// The options of a topic that name its throttled replicas: those that are copied from, those that are copied to.
pub const TOPIC_KEYS: [&str; 2] =
    ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];

/// The options of a broker with the rates of its throttled replicas, bytes per second: sending, receiving.
pub const BROKER_RATES: [&str; 2] =
    ["leader.replication.throttled.rate", "follower.replication.throttled.rate"];

/// The values of the two throttle keys of a topic, and the brokers that need a rate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttles {
    /// `leader.replication.throttled.replicas`: `partition:broker` of every replica that may be copied from.
    pub leaders: String,
    /// `follower.replication.throttled.replicas`: `partition:broker` of every replica that is copied to.
    pub followers: String,
    /// Every broker named above.
    pub brokers: BTreeSet<i32>,
}

/// The throttles for a set of moves: existing replicas as sources, new ones as destinations (KIP-73). Replicas that
/// are merely removed copy nothing and need none.
pub fn throttles(partitions: &[PartitionState], moves: &[Move]) -> Throttles {
    let mut leaders = Vec::new();
    let mut followers = Vec::new();
    let mut brokers = BTreeSet::new();
    let known: BTreeMap<i32, &PartitionState> = partitions.iter().map(|p| (p.index, p)).collect();
    for change in moves {
        let Some(partition) = known.get(&change.partition) else { continue };
        let settled: Vec<i32> =
            partition.replicas.iter().copied().filter(|r| !partition.adding.contains(r)).collect();
        let added: Vec<i32> = change.replicas.iter().copied().filter(|r| !settled.contains(r)).collect();
        if added.is_empty() {
            continue;
        }
        for source in settled {
            leaders.push(format!("{}:{source}", change.partition));
            brokers.insert(source);
        }
        for destination in added {
            followers.push(format!("{}:{destination}", change.partition));
            brokers.insert(destination);
        }
    }
    Throttles { leaders: leaders.join(","), followers: followers.join(","), brokers }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn throttles_name_sources_and_destinations() {
        let partitions = [at(0, &[0]), at(1, &[1, 0])];
        let moves = [Move { partition: 0, replicas: vec![0, 2] }, Move { partition: 1, replicas: vec![1] }];
        let t = throttles(&partitions, &moves);
        assert_eq!((t.leaders.as_str(), t.followers.as_str()), ("0:0", "0:2"));
        assert_eq!(t.brokers, BTreeSet::from([0, 2]));
    }
}
