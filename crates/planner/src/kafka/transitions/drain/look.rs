//! What a drain is about: the nodes, and what Kafka says.

use std::collections::BTreeSet;

use crate::kafka::cluster::Cluster;
use crate::kafka::drain_view::{DrainView, ThrottledReplicas};

/// A look at what is under way.
pub(super) struct Drain<'a> {
    pub cluster: &'a Cluster,
    pub view: &'a DrainView,
    /// Nodes off which partitions are moved.
    pub empties: BTreeSet<i32>,
    /// Nodes of which nothing is to be left of a drain: they are empty, or stay after all.
    pub ended: BTreeSet<i32>,
    /// Both.
    pub known: BTreeSet<i32>,
    /// Rates that are the operator's.
    pub rates: BTreeSet<u64>,
    /// The rate that is wanted; 0: none.
    pub rate: u64,
}

impl Drain<'_> {
    /// Brokers that partitions may go to, whether they are up or not.
    pub(super) fn staying(&self) -> BTreeSet<i32> {
        let leaving: BTreeSet<i32> =
            self.cluster.pools.iter().flat_map(|pool| pool.leaving.iter().copied()).collect();
        let brokers = &self.cluster.broker_ids() - &leaving;
        brokers.into_iter().filter(|id| self.view.brokers.contains_key(id)).collect()
    }

    /// Whether the operator set these throttled replicas.
    pub(super) fn has_set(&self, present: &ThrottledReplicas) -> bool {
        let broker = |one: &str| one.split_once(':').and_then(|(_, broker)| broker.parse::<i32>().ok());
        let is_list = |text: &str| text.split(',').all(|one| broker(one).is_some());
        is_list(&present.leaders)
            && is_list(&present.followers)
            && present.leaders.split(',').filter_map(broker).any(|id| self.known.contains(&id))
    }
}
