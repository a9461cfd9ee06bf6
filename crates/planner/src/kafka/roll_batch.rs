//! Which brokers restart at the same time, where the user allows more than one. Pure.
//!
//! - All of a batch are ready brokers of one rack that are no controllers: controllers restart one by one, and a broker of which no
//!   rack is known is a rack of its own.
//! - The loss of all of them at once is judged as one loss, by the same rules as that of one ([`Rules::obstacle`]), and more strictly:
//!   what is to outlive a batch must have followed the metadata a moment ago; two brokers of a batch share no partition that would
//!   be short of `min.insync.replicas` without both, however few replicas it has; and they share none at all where a restart
//!   destroys what one of them has stored.
//! - Where Kafka does not say how it is, pods go one by one.

use std::collections::BTreeSet;

use super::roll_rules::Rules;
use super::roll_view::{Batches, PodState, RollNode};

impl<'a> Rules<'a> {
    /// The same rules, with batches.
    pub(super) fn in_batches(mut self, batches: Batches) -> Self {
        self.batches = batches;
        self
    }

    /// Whether a broker may go at the same time as the nodes of a batch, which may go.
    pub(super) fn joins(&self, batch: &BTreeSet<i32>, node: &RollNode) -> bool {
        let members: Vec<&'a RollNode> = self.nodes.iter().filter(|node| batch.contains(&node.id)).collect();
        let has_room = batch.len() < self.batches.most;
        if !has_room || members.is_empty() || !members.iter().all(|member| go_together(member, node)) {
            return false;
        }
        self.fit_together(members, node)
    }

    /// Why a batch that may go waits: it is not full, and a broker of its rack that is due may not go yet, as long as its partitions lack
    /// replicas. They come back after each restart, and whoever goes without them goes alone.
    pub(super) fn gathers(&self, batch: &BTreeSet<i32>, others: &[&RollNode]) -> Option<String> {
        let first = self.nodes.iter().find(|node| batch.contains(&node.id))?;
        if !self.batches.gather || batch.len() >= self.batches.most {
            return None;
        }
        let of_rack = others.iter().filter(|other| go_together(first, other));
        let mut waiting = of_rack.filter_map(|other| {
            let why = self.obstacle(&BTreeSet::from([other.id]))?;
            Some(format!("pod {} of the same rack is to go at the same time: {why}", other.pod))
        });
        waiting.next()
    }
}

/// Whether these are of those that may go at the same time.
fn go_together(first: &RollNode, second: &RollNode) -> bool {
    let is_ready_broker = |node: &RollNode| node.broker && !node.controller && node.state == PodState::Ready;
    let rack = |node: &'_ RollNode| node.rack.clone().filter(|rack| !rack.is_empty());
    is_ready_broker(first) && is_ready_broker(second) && rack(first).is_some() && rack(first) == rack(second)
}

#[cfg(test)]
#[path = "roll_batch_tests.rs"]
mod tests;
