//! Partitions without a leader that certain brokers could lead.

use std::collections::BTreeSet;

/// What Kafka says of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaderlessView {
    /// The partitions.
    pub partitions: Vec<LeaderlessPartition>,
    /// There are more, which are not listed.
    pub has_more: bool,
}

/// What Kafka says of a partition without a leader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaderlessPartition {
    /// The topic.
    pub topic: String,
    /// The number of the partition.
    pub partition: i32,
    /// Brokers that Kafka may make the leader of its own accord: as far as it knows, they have every committed record.
    pub electable: BTreeSet<i32>,
    /// Brokers whose replica is not there, because the broker or its disk is not.
    pub offline: BTreeSet<i32>,
}

/// The brokers that Kafka may make the leader of a partition without one: those in sync, those that it calls eligible (KIP-966), and where
/// there is neither, the last leader.
pub fn electable(isr: &[i32], eligible: &[i32], last_known: &[i32]) -> BTreeSet<i32> {
    let mut all: BTreeSet<i32> = isr.iter().chain(eligible).copied().collect();
    if all.is_empty() && last_known.len() == 1 {
        all.extend(last_known);
    }
    all
}
