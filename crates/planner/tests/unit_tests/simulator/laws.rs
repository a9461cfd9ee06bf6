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

/// What the restart of these nodes at once breaks, at this moment.
pub(super) fn of_restart(kafka: &Kafka, batch: &BTreeSet<i32>, now: u64) -> BTreeSet<Broken> {
    let mut broken = BTreeSet::new();
    for index in 0..kafka.metadata.partitions.len() {
        broken.extend(of_partition(kafka, index, batch, now));
    }
    let votes = |id: &&i32| kafka.nodes.get(*id).is_some_and(|node| kafka.quorum.votes(node, now));
    let voters: Vec<i32> = batch.iter().filter(votes).copied().collect();
    if kafka.quorum.decides(&kafka.nodes, now) {
        let is_left = |id: &i32| {
            let (others, voters) = kafka.quorum.level_without(&kafka.nodes, &kafka.metadata, *id, now);
            match voters {
                0 | 1 => true,
                2 => others >= 1,
                _ => others * 2 > voters,
            }
        };
        if voters.len() > 1 || !voters.iter().all(is_left) {
            broken.insert(Broken::Majority);
        }
    }
    broken
}

fn of_partition(kafka: &Kafka, index: usize, batch: &BTreeSet<i32>, now: u64) -> Vec<Broken> {
    let mut broken = Vec::new();
    let one = &kafka.metadata.partitions[index];
    let members: Vec<i32> = one.replicas.iter().filter(|id| batch.contains(id)).copied().collect();
    let mut registered = one.replicas.iter().filter(|id| kafka.metadata.registered.contains_key(id));
    let others_registered =
        members.iter().any(|id| registered.clone().any(|other| other != id)) && registered.next().is_some();
    if members.is_empty() {
        return broken;
    }
    let complete = kafka.complete(index);
    let is_destroyed =
        |id: &i32| batch.contains(id) && kafka.nodes.get(id).is_some_and(|node| node.ephemeral);
    if others_registered
        && kafka.acked[index].end() > 0
        && !complete.is_empty()
        && complete.iter().all(is_destroyed)
    {
        broken.push(Broken::OnlyDisk(index));
    }
    // What does not run takes nothing away but its disk.
    let serves = |id: &i32| {
        let process = kafka.nodes.get(id).and_then(|node| node.process.as_ref());
        process.is_some_and(|process| {
            !matches!(process.stage, Stage::Starts(_) | Stage::Registers | Stage::Reads(_))
        })
    };
    // A leader that answers nothing serves nobody, and another broker that has everything may lead.
    let has_ready_eligible_leader = |id: &i32| {
        let is_silent = kafka.nodes.get(id).is_some_and(|node| node.unresponsive_since(now).is_some());
        let is_there = |other: &i32| !batch.contains(other) && kafka.nodes[other].works(now);
        let leaders = one.eligible.iter().filter(|other| is_there(other) && complete.contains(other));
        is_silent && one.leader == Some(*id) && leaders.count() > 0
    };
    if members.iter().any(|id| serves(id) && one.isr.contains(id) && !has_ready_eligible_leader(id)) {
        // What another restart takes down at this moment is not left either.
        let stops = |id: &i32| {
            let process = kafka.nodes.get(id).and_then(|node| node.process.as_ref());
            process.is_some_and(|process| matches!(process.stage, Stage::Stops | Stage::Closes(_)))
        };
        let left = one.isr.iter().filter(|id| !batch.contains(id) && !stops(id)).count();
        if left == 0 && others_registered {
            broken.push(Broken::LastInSync(index));
        }
        // Where one broker takes a partition below its minimum whatever is waited for, two must not.
        let is_kept = one.replicas.len() > one.min_isr || members.len() > 1;
        if is_kept && left < one.min_isr {
            broken.push(Broken::BelowMinimum(index));
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
