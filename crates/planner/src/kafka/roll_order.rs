//! Which pod may restart next, and what a restart has to wait for. Pure.
//!
//! A roll is serial: one decision names at most one pod. The order and the safety rules are those of Strimzi: a missing
//! pod is made first, unready nodes go before ready ones, controllers before brokers, the active controller last of its
//! group; a controller restarts only while the quorum keeps its majority without it, a broker only while no partition
//! would fall below `min.insync.replicas` without it.
//!
//! Nothing is kept between two decisions. What the last one did shows in the pods, so an operator that was killed in
//! the middle of a roll goes on where it was.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::kafka::restart::RestartReason;

/// What Kubernetes says of a node's pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum PodState {
    /// There is no pod, or it is being deleted: the pod-set controller brings the new one.
    Missing,
    /// It cannot start as it is: unschedulable, crash loop, image that cannot be pulled.
    Stuck,
    /// It runs or starts, and is not ready.
    Unready,
    /// It is ready.
    Ready,
}

/// One node as the roll sees it.
#[derive(Clone, Debug)]
pub struct RollNode {
    /// Kafka's node id.
    pub id: i32,
    /// Name of the pod.
    pub pod: String,
    /// It is a voter of the quorum or shall become one.
    pub controller: bool,
    /// It is a broker.
    pub broker: bool,
    /// State of its pod.
    pub state: PodState,
    /// A restart destroys records: a volume of theirs ends with the pod, or the new pod no longer has it.
    pub loses_storage: bool,
    /// Why it has to restart; empty when it need not.
    pub reasons: BTreeSet<RestartReason>,
}

/// One partition of any topic, internal ones too.
#[derive(Clone, Debug)]
pub struct RollPartition {
    /// `topic-partition`, for messages.
    pub name: String,
    /// Node ids that hold a replica.
    pub replicas: Vec<i32>,
    /// Node ids that are in sync.
    pub isr: Vec<i32>,
    /// `min.insync.replicas` in force for the topic.
    pub min_isr: usize,
}

/// One voter of the controller quorum.
#[derive(Clone, Debug)]
pub struct RollVoter {
    /// Kafka's node id.
    pub id: i32,
    /// Milliseconds between the leader's newest caught-up time and this voter's; `None` when it never caught up.
    pub lag_ms: Option<i64>,
}

/// The controller quorum as its leader describes it.
#[derive(Clone, Debug)]
pub struct RollQuorum {
    /// The active controller.
    pub leader: i32,
    /// All voters.
    pub voters: Vec<RollVoter>,
    /// `controller.quorum.fetch.timeout.ms`; a voter that lags by less is caught up. Default 2000.
    pub fetch_timeout_ms: i64,
}

/// Kafka's own view.
#[derive(Clone, Debug)]
pub struct RollKafka {
    /// The quorum, when a leader is known.
    pub quorum: Option<RollQuorum>,
    /// Every partition of the cluster.
    pub partitions: Vec<RollPartition>,
    /// Brokers that are registered, those that are down included: replicas on others do not come back by themselves.
    pub registered: BTreeSet<i32>,
}

/// What is known of Kafka itself.
#[derive(Clone, Copy, Debug)]
pub enum Says<'a> {
    /// No broker is ready, so nobody serves whom a restart could harm, and nobody could tell.
    Nobody,
    /// A broker is ready and has not answered: it is slow or overloaded, or the answer was an error.
    Nothing,
    /// Its answer.
    View(&'a RollKafka),
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Decision {
    /// No node has a reason to restart.
    Settled,
    /// Restart the pod of this name now.
    Restart(String),
    /// A restart is due and nothing may restart now; the sentence says what is waited for.
    Wait(String),
}

/// Decides the next step of a roll as far as the pods alone decide it; `None` when it depends on Kafka.
pub fn by_pods(nodes: &[RollNode]) -> Option<Decision> {
    let mut candidates = candidates(nodes).peekable();
    if candidates.peek().is_none() {
        return Some(Decision::Settled);
    }
    if let Some(node) = nodes.iter().find(|node| node.state == PodState::Missing) {
        return Some(Decision::Wait(format!("pod {} is being created", node.pod)));
    }
    // A pod that cannot start takes nothing away when it is replaced, and may be what another one waits for: a quorum
    // that was made from a wrong resource is back only when a majority was made anew.
    let stuck = candidates.filter(|node| node.state == PodState::Stuck);
    if let Some(stuck) = stuck.min_by_key(|node| (!node.controller, node.id)) {
        return Some(Decision::Restart(stuck.pod.clone()));
    }
    // The gate after a restart: a node that is to stay as it is has to be ready before another one goes down. A node
    // that never becomes ready is mended through a change of the resource, which makes it a candidate itself.
    let gate = nodes.iter().find(|node| node.state != PodState::Ready && node.reasons.is_empty())?;
    Some(Decision::Wait(format!("pod {} is not ready", gate.pod)))
}

/// Decides the next step of a roll where [`by_pods`] does not.
pub fn by_kafka(nodes: &[RollNode], says: Says<'_>) -> Decision {
    let active = match says {
        Says::View(kafka) => kafka.quorum.as_ref().map(|quorum| quorum.leader),
        Says::Nobody | Says::Nothing => None,
    };
    let mut candidates: Vec<&RollNode> = candidates(nodes).collect();
    candidates.sort_by_key(|node| {
        let ready = node.state == PodState::Ready;
        (ready, !node.controller, Some(node.id) == active && node.controller, node.id)
    });
    let mut first_obstacle = None;
    for node in candidates {
        match obstacle(node, says) {
            None => {
                return Decision::Restart(node.pod.clone());
            }
            Some(why) => {
                let unready = node.state != PodState::Ready;
                first_obstacle.get_or_insert(format!("restart of pod {} waits: {why}", node.pod));
                // A ready node is not taken down while another one is down already.
                if unready {
                    break;
                }
            }
        }
    }
    Decision::Wait(first_obstacle.unwrap_or_default())
}

/// The nodes that are to restart and have a pod.
fn candidates(nodes: &[RollNode]) -> impl Iterator<Item = &RollNode> {
    nodes.iter().filter(|node| !node.reasons.is_empty() && node.state != PodState::Missing)
}

/// Why `node` may not restart now.
fn obstacle(node: &RollNode, says: Says<'_>) -> Option<String> {
    let kafka = match says {
        Says::View(kafka) => kafka,
        Says::Nobody if node.state == PodState::Unready => return None,
        Says::Nobody => {
            return Some("no broker is ready that could tell the effect on the other nodes".to_owned());
        }
        // A pod that is not ready may serve all the same, and be the last one in sync: an overloaded broker fails its
        // probes, and Kafka is slow to answer for the same reason.
        Says::Nothing => {
            return Some("Kafka has not answered, so the effect on the other nodes is unknown".to_owned());
        }
    };
    if node.controller
        && let Some(why) = quorum_obstacle(node.id, kafka.quorum.as_ref())
    {
        return Some(why);
    }
    if node.broker {
        return partition_obstacle(node, kafka);
    }
    None
}

/// The rule for controllers: one voter may always go; of two, the other has to be caught up; of n ≥ 3, at least
/// (n + 2) / 2 others, rounded down.
fn quorum_obstacle(id: i32, quorum: Option<&RollQuorum>) -> Option<String> {
    let Some(quorum) = quorum else {
        return Some("the controller quorum has no leader".to_owned());
    };
    let voters = quorum.voters.len();
    if voters <= 1 || !quorum.voters.iter().any(|voter| voter.id == id) {
        return None;
    }
    let caught_up = quorum
        .voters
        .iter()
        .filter(|voter| voter.id != id)
        .filter(|voter| voter.lag_ms.is_some_and(|lag| lag < quorum.fetch_timeout_ms))
        .count();
    let needed = if voters == 2 { 1 } else { usize::midpoint(voters, 2) };
    (caught_up < needed).then(|| {
        format!("{caught_up} other controllers of the quorum of {voters} are caught up, {needed} are needed")
    })
}

/// The rules for brokers, internal topics included.
fn partition_obstacle(node: &RollNode, kafka: &RollKafka) -> Option<String> {
    let mut blocking = kafka.partitions.iter().filter_map(|partition| {
        partition.replicas.contains(&node.id).then(|| held_by(node, partition, &kafka.registered))?
    });
    let first = blocking.next()?;
    let more = blocking.count();
    Some(if more == 0 { first } else { format!("{first}; and {more} more partitions") })
}

/// Why a partition with a replica on the node holds its restart up.
///
/// - The only copy that is in sync stays while another replica may come back: on storage that the restart destroys, its
///   records would be lost; on other storage, nobody could read them meanwhile, or a stale replica would lead. A
///   partition that has no other replica cannot be kept by waiting.
/// - `min.insync.replicas` is kept where there are more replicas than that: with no more, writes stop with every restart of
///   a replica, whatever is waited for. Unlike in Strimzi, a broker that is neither ready nor in sync may restart under a
///   partition that lacks replicas: it takes nothing away and may be what brings the replica back.
fn held_by(node: &RollNode, partition: &RollPartition, registered: &BTreeSet<i32>) -> Option<String> {
    let in_sync = partition.isr.contains(&node.id);
    let others = partition.isr.iter().any(|id| *id != node.id);
    let may_come = partition.replicas.iter().any(|id| *id != node.id && registered.contains(id));
    if in_sync && !others && may_come {
        let loss = if node.loses_storage { ", and the restart would destroy it" } else { "" };
        return Some(format!(
            "partition {} has its only copy that is in sync on this node{loss}; its replicas are on brokers {}",
            partition.name,
            list(&partition.replicas)
        ));
    }
    let held = partition.replicas.len() > partition.min_isr
        && partition.isr.len() <= partition.min_isr
        && (in_sync || (partition.isr.len() < partition.min_isr && node.state == PodState::Ready));
    held.then(|| {
        format!(
            "partition {} would fall below min.insync.replicas ({} of {} replicas in sync, {} needed)",
            partition.name,
            partition.isr.len(),
            partition.replicas.len(),
            partition.min_isr
        )
    })
}

fn list(ids: &[i32]) -> String {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

#[cfg(test)]
#[path = "roll_order_tests.rs"]
mod tests;
