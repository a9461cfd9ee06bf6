//! Volumes that leave the nodes of a pool.

use std::collections::{BTreeMap, BTreeSet};

use super::storage::jbod;

/// How far a volume is that its pool no longer asks for, on one node. Each look at Kafka decides it anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeState {
    /// The node runs without it.
    Gone,
    /// Kafka has just said that nothing is on it, and nothing new is placed there: the pod is made anew without it.
    Empty,
    /// It was so a moment ago, and Kafka's answer whether it still is has not come yet: the pod does not restart before it.
    Unconfirmed,
    /// A user gives up what it holds.
    Discarded,
    /// Nothing is on it, and Kafka may still place something there.
    Open,
    /// It holds replicas, so many of them.
    Replicas(usize),
    /// It is to hold the metadata log.
    MetadataLog,
    /// The node has its metadata log on it until it restarts.
    MetadataLogLeaves,
    /// What it holds is not known, and why.
    Unknown(String),
}

impl VolumeState {
    /// Whether the pod of the node is to be without it.
    pub fn is_released(&self) -> bool {
        matches!(self, Self::Gone | Self::Empty | Self::Unconfirmed | Self::Discarded)
    }
}

/// The volumes that a pool no longer asks for and that its nodes have, or had a moment ago.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeRemoval {
    /// For each of them how far it is, by node.
    pub states: BTreeMap<i32, BTreeMap<i32, VolumeState>>,
    /// Whether the operator moves the replicas off them.
    pub moves: bool,
    /// Volumes of whose removal Kafka may have traces, as the pod set remembers them.
    pub known: BTreeSet<i32>,
    /// The same of nodes that left the pool meanwhile, and may come again: Kafka keeps what was set on a broker.
    pub left: BTreeMap<i32, BTreeSet<i32>>,
}

impl VolumeRemoval {
    /// The volumes of a node that leave, and how far they are.
    pub fn of_node(&self, node: i32) -> impl Iterator<Item = (i32, &VolumeState)> {
        self.states.iter().filter_map(move |(volume, nodes)| Some((*volume, nodes.get(&node)?)))
    }

    /// Whether Kafka may have traces of the removal of a volume of a node.
    pub fn is_known(&self, node: i32, volume: i32) -> bool {
        self.known.contains(&volume) || self.left.get(&node).is_some_and(|left| left.contains(&volume))
    }

    /// Whether the pod of a node is to be without a volume.
    pub fn is_released(&self, node: i32, volume: i32) -> bool {
        let state = self.states.get(&volume).and_then(|nodes| nodes.get(&node));
        state.is_some_and(VolumeState::is_released)
    }

    /// Whether Kafka has just said that nothing is on a volume of a node.
    pub fn is_empty(&self, node: i32, volume: &str) -> bool {
        self.of_node(node).any(|(id, state)| *state == VolumeState::Empty && jbod::volume_name(id) == volume)
    }

    /// Whether the pod of a node must not restart now: Kafka is about to say whether a volume is still empty.
    pub fn awaits(&self, node: i32) -> bool {
        self.of_node(node).any(|(_, state)| *state == VolumeState::Unconfirmed)
    }

    /// The log directories of a node in which nothing new is to be placed.
    pub fn cordoned(&self, node: i32) -> BTreeSet<String> {
        let is_so = |state: &VolumeState| match state {
            VolumeState::Empty | VolumeState::Unconfirmed | VolumeState::Open => true,
            VolumeState::Replicas(_) => self.moves,
            _ => false,
        };
        let all = self.of_node(node).filter(|(id, state)| self.known.contains(id) && is_so(state));
        all.map(|(id, _)| jbod::log_dir(id, node)).collect()
    }
}
