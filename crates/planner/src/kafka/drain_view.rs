//! What Kafka says of the partitions that are moved off nodes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

pub use rebalance::PartitionState;
pub use rebalance::throttle::{BROKER_RATES, TOPIC_KEYS};

/// What Kafka says. The moves that are under way were listed before everything else, and the broker that told of the partitions had taken
/// in by then what the controllers had decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrainView {
    /// Every registered broker.
    pub brokers: BTreeMap<i32, DrainBroker>,
    /// Partitions with a replica on a node that was asked about, and all others that are being moved, by topic.
    pub partitions: BTreeMap<String, Vec<PartitionState>>,
    /// Topics of which replicas are throttled.
    pub throttled: BTreeMap<String, ThrottledReplicas>,
}

/// A broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrainBroker {
    /// Its rack.
    pub rack: Option<String>,
    /// Whether it is up and not fenced.
    pub active: bool,
    /// Replicas that it holds.
    pub replicas: usize,
    /// Partitions of which it is the preferred leader.
    pub leaders: usize,
    /// Rates of throttled replicas that were set at run time, by Kafka's names for them.
    pub rates: BTreeMap<String, String>,
}

/// The throttled replicas of a topic, as Kafka writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ThrottledReplicas {
    /// Those that are copied from.
    pub leaders: String,
    /// Those that are copied to.
    pub followers: String,
}

/// How far the moves were in a pass, for the next one to see whether any partition has arrived. Losing it costs the time since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DrainProgress {
    /// Partitions that were left, by node.
    pub left: BTreeMap<i32, usize>,
    /// Partitions that were under way.
    pub under_way: BTreeSet<String>,
    /// Since when it has been so.
    pub since: Timestamp,
}

impl DrainView {
    /// Every partition with the name of its topic.
    pub fn all(&self) -> impl Iterator<Item = (&str, &PartitionState)> {
        let named = self.partitions.iter();
        named.flat_map(|(topic, partitions)| partitions.iter().map(move |one| (topic.as_str(), one)))
    }
}
