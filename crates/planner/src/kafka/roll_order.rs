//! The order of a roll of Kafka's nodes: that of [`crate::roll::order`], which is Strimzi's, with controllers before brokers and the
//! active controller last of its group. What may go is the subject of [`super::roll_rules`], what may go at the same time that of
//! [`super::roll_batch`].

use std::collections::BTreeSet;

use super::roll_rules::Rules;
use super::roll_view::RollNode;
use crate::roll::order::{self, Facts, Member};

/// What to do now.
pub(super) type Decision = order::Decision<i32>;

impl Member for RollNode {
    type Id = i32;

    fn id(&self) -> i32 {
        self.id
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            pod: &self.pod,
            state: self.state,
            long: self.long,
            served: self.served,
            unscheduled: self.unscheduled,
            busy: self.recovers.as_deref(),
            reasons: &self.reasons,
        }
    }

    fn serves_nobody(&self) -> bool {
        RollNode::serves_nobody(self)
    }

    fn group(&self) -> u8 {
        u8::from(!self.controller)
    }
}

impl order::Rules<RollNode> for Rules<'_> {
    fn obstacle(&self, batch: &BTreeSet<i32>) -> Option<String> {
        Rules::obstacle(self, batch)
    }

    fn goes_last(&self, node: &RollNode) -> bool {
        node.controller && self.active_controller() == Some(node.id)
    }

    fn joins(&self, batch: &BTreeSet<i32>, node: &RollNode) -> bool {
        Rules::joins(self, batch, node)
    }

    fn gathers(&self, batch: &BTreeSet<i32>, others: &[&RollNode]) -> Option<String> {
        Rules::gathers(self, batch, others)
    }
}

/// Decides the next step of a roll as far as the pods alone decide it; `None` when it depends on Kafka.
pub(super) fn by_pods(nodes: &[RollNode]) -> Option<Decision> {
    order::by_pods(nodes)
}

/// Decides the next step of a roll where [`by_pods`] does not.
pub(super) fn by_kafka(nodes: &[RollNode], rules: &Rules<'_>) -> Decision {
    order::by_rules(nodes, rules)
}

#[cfg(test)]
#[path = "roll_order_tests.rs"]
mod tests;
