//! Which pods may restart next, and what a restart has to wait for. Pure.
//!
//! A roll is serial: one decision names at most one pod. The order is that of Strimzi: a missing pod is made first,
//! controllers go before brokers, unready nodes before ready ones, the active controller last of its group. What may go is
//! the subject of [`super::roll_rules`].
//!
//! Nothing is kept between two decisions. What the last one did shows in the pods, so an operator that was killed in
//! the middle of a roll goes on where it was.

use std::collections::BTreeSet;

use serde::Serialize;

use super::roll_rules::Rules;
use super::roll_view::{PodState, RollNode};
use crate::restart_reason::RestartReason;

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Decision {
    /// No node has a reason to restart.
    Settled,
    /// Restart these nodes now; today it is one.
    Restart(BTreeSet<i32>),
    /// A pod is on its way up or down, as pods of a roll are; the sentence says which.
    Starting(String),
    /// A restart is due and may not be made now; the sentence says what is waited for.
    Held(String),
}

/// Decides the next step of a roll as far as the pods alone decide it; `None` when it depends on Kafka.
pub(super) fn by_pods(nodes: &[RollNode]) -> Option<Decision> {
    let candidates: Vec<&RollNode> = candidates(nodes).collect();
    let first = candidates.first()?;
    // The pod of a machine that is gone stays in deletion until the machine comes back.
    if let Some(node) = nodes.iter().find(|node| node.state == PodState::Missing && !node.long) {
        return Some(Decision::Starting(format!("pod {} is being created", node.pod)));
    }
    // A pod that serves nobody takes nothing away when it is replaced, and may be what another one waits for: a quorum
    // that was made from a wrong resource is back only when a majority was made anew.
    let stuck = candidates.iter().filter(|node| node.serves_nobody());
    if let Some(stuck) = stuck.min_by_key(|node| (!node.controller, node.id)) {
        return Some(Decision::Restart(BTreeSet::from([stuck.id])));
    }
    if candidates.iter().any(|node| gate(nodes, node).is_none()) {
        return None;
    }
    let gate = gate(nodes, first)?;
    let why = format!("pod {} is not ready", gate.pod);
    Some(if gate.long { Decision::Held(held(first, &why)) } else { Decision::Starting(why) })
}

/// Decides the next step of a roll where [`by_pods`] does not.
pub(super) fn by_kafka(nodes: &[RollNode], rules: &Rules<'_>) -> Decision {
    let active = rules.active_controller();
    let mut candidates: Vec<&RollNode> = candidates(nodes).collect();
    if candidates.is_empty() {
        return Decision::Settled;
    }
    candidates.sort_by_key(|node| {
        let ready = node.state == PodState::Ready;
        (!node.controller, ready, Some(node.id) == active && node.controller, node.id)
    });
    let mut first_obstacle = None;
    // A ready node is not taken down while another one that is down waits; another unready one may be what brings it back.
    let mut one_is_down = false;
    for node in candidates {
        if node.state == PodState::Ready && one_is_down {
            continue;
        }
        let obstacle = match gate(nodes, node) {
            Some(gate) => Some(format!("pod {} is not ready", gate.pod)),
            None => rules.obstacle(&BTreeSet::from([node.id])),
        };
        match obstacle {
            None => return Decision::Restart(BTreeSet::from([node.id])),
            Some(why) => {
                first_obstacle.get_or_insert(held(node, &why));
                one_is_down |= node.state != PodState::Ready && !node.long;
            }
        }
    }
    Decision::Held(first_obstacle.unwrap_or_default())
}

fn held(node: &RollNode, why: &str) -> String {
    format!("restart of pod {} waits: {why}", node.pod)
}

/// The nodes that are to restart and have a pod.
fn candidates(nodes: &[RollNode]) -> impl Iterator<Item = &RollNode> {
    nodes.iter().filter(|node| !node.reasons.is_empty() && node.state != PodState::Missing)
}

/// The gate after a restart: a node that is to stay as it is and is not ready yet, for which a restart of `candidate` waits.
///
/// - A node that became unready a short time ago is waited for.
/// - A node that was ready before and has been down for long is left to the rules about quorum and partitions: a machine that
///   died must not keep the others from their new certificates.
/// - A node that has not been ready since its pod was made may have been broken by the change. It alone is risked: every pod that
///   would be made in the same way waits until it is ready or the resource is corrected, which gives it a reason of its own.
fn gate<'a>(nodes: &'a [RollNode], candidate: &RollNode) -> Option<&'a RollNode> {
    let waits_for = |node: &&RollNode| {
        let down = matches!(node.state, PodState::Stuck | PodState::Unready);
        if node.id == candidate.id || !down || !node.reasons.is_empty() {
            return false;
        }
        let only = |may: fn(RestartReason) -> bool| candidate.reasons.iter().all(|reason| may(*reason));
        let left_to_the_rules = node.served
            || only(RestartReason::is_about_certificates)
            || (node.unscheduled && only(|reason| !reason.is_about_the_pod()));
        !node.long || !left_to_the_rules
    };
    nodes.iter().find(waits_for)
}

#[cfg(test)]
#[path = "roll_order_tests.rs"]
mod tests;
