//! Nodes whose Kafka takes connections and answers no request, as their agents say, who ask from within the pods: no network lies between.
//! They restart by themselves, as with Strimzi, but as every other pod only when the quorum and the partitions allow it. Pure.
//!
//! Such a broker often goes on as the leader of its partitions, since its heartbeats have a thread of their own, while nobody can write, read
//! or follow.

use std::collections::{BTreeMap, BTreeSet};

use api::agent::Unresponsive;
use jiff::{SignedDuration, Timestamp};

use super::cluster::Cluster;
use super::need::Need;
use super::observed::Observed;
use super::pod_state::{self, PATIENCE};
use super::restart::Restart;
use super::roll_view::PodState;
use crate::pod_words::unready_since;
use crate::restart_reason::RestartReason;

/// The agents that have to be asked; `None`: no pod has been unready for [`PATIENCE`] although its Kafka was up, or they were asked.
pub fn need(cluster: &Cluster, observed: &Observed, now: Timestamp) -> Option<Need> {
    if observed.unresponsive_nodes.is_some() {
        return None;
    }
    let names = cluster.nodes().into_iter().map(|node| cluster.pod_name(node));
    let suspects: BTreeMap<String, String> =
        names.filter_map(|name| suspect(&name, observed, now).map(|start| (name, start))).collect();
    if suspects.is_empty() {
        return None;
    }
    let need = Need::UnresponsiveNodes(suspects);
    observed.silence(&need).is_none().then_some(need)
}

/// The restarts of nodes that answer nothing. Nodes with another reason, which `others` have, are left out: they restart for that one. So are those
/// of which `must_stay` says that they must not restart now.
pub fn restarts(
    cluster: &Cluster,
    observed: &Observed,
    others: &[Restart],
    must_stay: impl Fn(i32) -> bool,
    now: Timestamp,
) -> Vec<Restart> {
    let mut found = Vec::new();
    for node in cluster.nodes() {
        let pod = cluster.pod_name(node);
        let has_another = others.iter().any(|restart| restart.pod == pod);
        if has_another || must_stay(node.id) || !is_unresponsive(&pod, observed, now) {
            continue;
        }
        let reasons = BTreeSet::from([RestartReason::PodUnresponsive]);
        let notes = vec![format!("Kafka takes connections and {}", how_long())];
        found.push(Restart { node: node.id, pod, reasons, notes });
    }
    found
}

/// Whether a listener of the Kafka of a pod has answered nothing for [`PATIENCE`].
pub(super) fn is_unresponsive(pod: &str, observed: &Observed, now: Timestamp) -> bool {
    is_silent(pod, observed, now, Unresponsive::longest_seconds)
}

/// Whether the listener between brokers is such a listener.
pub(super) fn is_unresponsive_broker(pod: &str, observed: &Observed, now: Timestamp) -> bool {
    is_silent(pod, observed, now, |told| told.broker_for_seconds)
}

fn is_silent(
    pod: &str,
    observed: &Observed,
    now: Timestamp,
    seconds: impl Fn(&Unresponsive) -> Option<u64>,
) -> bool {
    let told = observed.unresponsive_nodes.as_ref().and_then(|all| seconds(all.get(pod)?));
    told.is_some_and(|seconds| seconds >= PATIENCE.as_secs().unsigned_abs())
        && suspect(pod, observed, now).is_some()
}

/// Whether agents were asked in this pass and nothing is known yet, or not any more.
pub(super) fn is_unknown(cluster: &Cluster, observed: &Observed, now: Timestamp) -> bool {
    let mut names = cluster.nodes().into_iter().map(|node| cluster.pod_name(node));
    observed.unresponsive_nodes.is_none() && names.any(|name| suspect(&name, observed, now).is_some())
}

/// Seconds until a pod has been unready for [`PATIENCE`] of which the agent has to be asked then: nothing else brings a pass at that moment.
pub(super) fn look_again(cluster: &Cluster, observed: &Observed, now: Timestamp) -> Option<u64> {
    let mut soonest = None;
    for node in cluster.nodes() {
        let pod = cluster.pod_name(node);
        let Some(live) = observed.pods.get(&pod).filter(|live| pod_state::kafka_fell_unready(live)) else {
            continue;
        };
        let Some(since) = unready_since(live) else { continue };
        let left = PATIENCE - now.duration_since(since);
        if left >= SignedDuration::ZERO {
            let seconds = left.as_secs().unsigned_abs() + 1;
            soonest = Some(soonest.map_or(seconds, |before: u64| before.min(seconds)));
        }
    }
    soonest
}

/// What is said of such a node in the status.
pub(super) fn not_ready(pod: &str) -> String {
    format!(
        "pod {pod} is not ready: a listener of its Kafka takes connections and {}; it restarts as soon as the quorum and the \
         partitions allow it",
        how_long()
    )
}

/// How the restart can be had that the partitions do not allow, for words that say why they do not.
pub(super) fn by_hand(pod: &str, loses_storage: bool) -> String {
    let price = if loses_storage { ", and the records that only it has are lost" } else { "" };
    format!("; it answers nothing: kubectl delete pod {pod} restarts it all the same{price}")
}

fn how_long() -> String {
    format!("has answered no request for {} minutes or more", PATIENCE.as_secs() / 60)
}

/// The present start of a pod's Kafka, when it has been unready for [`PATIENCE`] although it was up before.
fn suspect(pod: &str, observed: &Observed, now: Timestamp) -> Option<String> {
    let situation = pod_state::situation(observed, pod, now);
    if situation.state != PodState::Unready || !situation.long || !situation.served {
        return None;
    }
    let live = observed.pods.get(pod)?;
    pod_state::kafka_fell_unready(live).then(|| pod_state::start_of_kafka(live))?
}
