//! What no restart may do, looked at with all that only a simulator knows: the disks themselves and what the controllers decided.

use std::collections::BTreeSet;

use super::kafka::Kafka;
use super::node::Stage;

/// What a restart breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Broken {
    /// It destroys the only disk with every acknowledged record of a partition that has other registered replicas.
    OnlyDisk(usize),
    /// It takes the last replica in sync of a partition that has other registered replicas.
    LastInSync(usize),
    /// A partition with more replicas than `min.insync.replicas` falls below that.
    BelowMinimum(usize),
    /// The quorum is left without a majority that has all that was decided.
    Majority,
}

impl Broken {
    /// The partition that it is about.
    pub(super) fn partition(self) -> Option<usize> {
        match self {
            Self::OnlyDisk(index) | Self::LastInSync(index) | Self::BelowMinimum(index) => Some(index),
            Self::Majority => None,
        }
    }
}

/// What the restart of a node breaks, at this moment.
pub(super) fn of_restart(kafka: &Kafka, id: i32, now: u64) -> BTreeSet<Broken> {
    let mut broken = BTreeSet::new();
    let Some(node) = kafka.nodes.get(&id) else { return broken };
    // What does not run takes nothing away but its disk.
    let serves = node.process.as_ref().is_some_and(|process| {
        !matches!(process.stage, Stage::Starts(_) | Stage::Registers | Stage::Reads(_))
    });
    for (index, one) in kafka.metadata.partitions.iter().enumerate() {
        if !one.replicas.contains(&id) {
            continue;
        }
        let others_registered =
            one.replicas.iter().any(|other| *other != id && kafka.metadata.registered.contains_key(other));
        if node.ephemeral && others_registered && kafka.acked[index].end() > 0 {
            let complete = kafka.complete(index);
            if complete == [id] {
                broken.insert(Broken::OnlyDisk(index));
            }
        }
        if serves && one.isr.contains(&id) {
            let left = one.isr.len() - 1;
            if left == 0 && others_registered {
                broken.insert(Broken::LastInSync(index));
            }
            if one.replicas.len() > one.min_isr && left < one.min_isr {
                broken.insert(Broken::BelowMinimum(index));
            }
        }
    }
    if node.controller && kafka.quorum.decides(&kafka.nodes, now) && kafka.quorum.votes(node, now) {
        let (others, voters) = kafka.quorum.level_without(&kafka.nodes, &kafka.metadata, id, now);
        let is_enough = match voters {
            0 | 1 => true,
            2 => others >= 1,
            _ => others * 2 > voters,
        };
        if !is_enough {
            broken.insert(Broken::Majority);
        }
    }
    broken
}

/// What single replicas a restart ends, which nothing could keep.
pub(super) fn single(kafka: &Kafka, id: i32) -> Vec<usize> {
    let all = kafka.metadata.partitions.iter().enumerate();
    let single = all.filter(|(_, one)| {
        let mut registered =
            one.replicas.iter().filter(|other| kafka.metadata.registered.contains_key(*other));
        registered.next() == Some(&id) && registered.next().is_none()
    });
    single.map(|(index, _)| index).collect()
}
