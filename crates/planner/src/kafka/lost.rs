//! Pods whose Kubernetes node is away, and volumes that cannot be used: what is wrong, what a user can do, and when claims go.

use std::collections::BTreeSet;

use api::annotations::DELETE_POD_AND_PVC;
use api::conditions::reasons;
use api::names;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};

use super::cluster::{Cluster, DATA_MOUNT, Warning};
use super::kubernetes_node_state::KubernetesNode;
use super::need::Need;
use super::observed::Observed;
use super::pod_state;
use super::restart_reasons::is_new_with_claims;
use super::roll_order::{self, Decision};
use super::roll_rules::Rules;
use super::roll_view::{PodState, RollNode};
use crate::pod_words::{condition, does_not_go, is_ready, words};
use crate::words::shortened;

/// The Kubernetes node for which the scheduler had the volume of a claim made.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// What a file system says of a disk that failed.
const DISK_FAILURES: [&str; 2] = ["Read-only file system", "Input/output error"];
/// What schedulers say, older and newer ones, where a bound volume keeps a pod from every Kubernetes node.
const VOLUME_KEEPS_AWAY: [&str; 2] = ["volume node affinity conflict", "PersistentVolume's node affinity"];

/// The Kubernetes nodes that may be the reason why pods of the cluster do not go, are not ready or cannot be scheduled.
pub(super) fn question(cluster: &Cluster, observed: &Observed, now: Timestamp) -> Option<Need> {
    let pods = cluster.nodes().into_iter().filter_map(|node| observed.pods.get(&cluster.pod_name(node)));
    let mut names: BTreeSet<String> = pods.filter_map(|pod| suspect(pod, observed, now)).collect();
    names.retain(|name| !observed.kubernetes_nodes.contains_key(name));
    if names.is_empty() {
        return None;
    }
    let need = Need::KubernetesNodes(names);
    observed.silence(&need).is_none().then_some(need)
}

fn suspect(pod: &Pod, observed: &Observed, now: Timestamp) -> Option<String> {
    if cannot_mount(pod) {
        return selected_node(pod, observed).map(str::to_owned);
    }
    (should_be_gone(pod, observed, now) || is_cut_off(pod)).then(|| node_name(pod).map(str::to_owned))?
}

/// Whether a pod should have gone long ago.
fn should_be_gone(pod: &Pod, observed: &Observed, now: Timestamp) -> bool {
    pod.metadata.deletion_timestamp.is_some()
        && pod.metadata.name.as_deref().is_some_and(|name| pod_state::situation(observed, name, now).long)
}

/// Whether the last that a kubelet said of a pod is that Kafka is ready, and Kubernetes says by itself that the pod is not.
fn is_cut_off(pod: &Pod) -> bool {
    let mut statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && !is_ready(pod)
        && statuses.any(|status| status.name == names::containers::KAFKA && status.ready)
}

/// Whether the volumes of a pod keep it from every Kubernetes node.
fn cannot_mount(pod: &Pod) -> bool {
    let scheduled = condition(pod, "PodScheduled").filter(|scheduled| scheduled.status == "False");
    let message = scheduled.and_then(|scheduled| scheduled.message.as_deref()).unwrap_or_default();
    VOLUME_KEEPS_AWAY.iter().any(|words| message.contains(words))
}

fn node_name(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn claims<'a>(pod: &'a Pod, observed: &'a Observed) -> impl Iterator<Item = &'a PersistentVolumeClaim> {
    let names = pod_state::data_claims(pod).into_iter();
    names.filter_map(move |name| observed.claims.get(name).map(AsRef::as_ref))
}

fn selected_node<'a>(pod: &'a Pod, observed: &'a Observed) -> Option<&'a str> {
    let mut claims = claims(pod, observed);
    claims.find_map(|claim| claim.metadata.annotations.as_ref()?.get(SELECTED_NODE).map(String::as_str))
}

fn claim_names(pod: &Pod, observed: &Observed) -> String {
    let names: Vec<&str> = claims(pod, observed).filter_map(|claim| claim.metadata.name.as_deref()).collect();
    names.join(", ")
}

/// Whether the claims of a pod that should have gone long ago are to go with it, and have not been deleted yet: a user asks for it.
pub(super) fn claims_are_to_go(pod: &Pod, observed: &Observed, now: Timestamp) -> bool {
    is_new_with_claims(pod)
        && should_be_gone(pod, observed, now)
        && claims(pod, observed).any(|claim| claim.metadata.deletion_timestamp.is_none())
}

/// What is wrong with a pod that does not go.
pub(super) fn of_going(name: &str, pod: &Pod, observed: &Observed) -> Warning {
    let node = node_name(pod);
    let known = node.and_then(|node| observed.kubernetes_nodes.get(node).copied().flatten());
    let said = known.and_then(|known| Some((node?, known, known.words()?)));
    let (reason, mut message) = match said {
        None => (reasons::POD_NOT_READY, does_not_go(name)),
        Some((node, known, words)) => {
            let then = match known {
                KubernetesNode::Unreachable => format!(
                    "if that machine is switched off for good, delete the Node {node}, and Kubernetes removes the pod"
                ),
                _ => "Kubernetes removes the pod within a few minutes".to_owned(),
            };
            let message = format!(
                "pod {name} is to go and does not: its Kubernetes node {node} {words} (never have the pod deleted with \
                 --force while that machine may run it); {then}"
            );
            (reasons::LOST_NODE, message)
        }
    };
    let claims = claim_names(pod, observed);
    if !claims.is_empty() {
        let first = if is_new_with_claims(pod) {
            format!("; its claims {claims} go with it as soon as that loses nothing")
        } else {
            format!(
                "; before that, if the volumes of its claims {claims} are disks of that machine, {}",
                annotate(name)
            )
        };
        message.push_str(&first);
    }
    Warning { reason: reason.to_owned(), message }
}

/// What is wrong with a pod that is not ready, where the reason is a Kubernetes node; `None`: another one.
pub(super) fn of_unready(name: &str, pod: &Pod, observed: &Observed) -> Option<Warning> {
    if cannot_mount(pod) {
        return of_volume(name, pod, observed);
    }
    if let Some(failure) = disk_failure(pod) {
        let then = if is_new_with_claims(pod) {
            "they are made anew with the pod as soon as that loses nothing".to_owned()
        } else {
            format!("have its machine looked after; if the disk does not come back, {}", annotate(name))
        };
        return Some(Warning {
            reason: reasons::LOST_VOLUME.to_owned(),
            message: format!(
                "pod {name} is not ready: a disk failed, of its claims {}; {then}: {failure}",
                claim_names(pod, observed)
            ),
        });
    }
    let node = node_name(pod).filter(|_| is_cut_off(pod))?;
    let words = observed.kubernetes_nodes.get(node).copied().flatten()?.words()?;
    let reason = reasons::LOST_NODE.to_owned();
    let message = format!(
        "pod {name} is not ready: its Kubernetes node {node} {words}; if that machine is switched off for good, delete the \
         Node {node}: Kubernetes removes the pod, and it is made anew elsewhere"
    );
    Some(Warning { reason, message })
}

/// The last words of a pod's containers, where they are about a disk with Kafka's logs that failed.
fn disk_failure(pod: &Pod) -> Option<String> {
    let words = words(pod)?;
    let is_failure = DISK_FAILURES.iter().any(|failure| words.contains(failure));
    (is_failure && words.contains(DATA_MOUNT) && !pod_state::data_claims(pod).is_empty()).then_some(words)
}

fn of_volume(name: &str, pod: &Pod, observed: &Observed) -> Option<Warning> {
    let node = selected_node(pod, observed);
    let known = node.and_then(|node| observed.kubernetes_nodes.get(node).copied().flatten());
    let of_node = match (node, known) {
        // It is cordoned or full: the scheduler says more.
        (_, Some(KubernetesNode::Present)) => return None,
        (Some(node), Some(known)) => format!(
            ", which were made for the Kubernetes node {node}, which {}",
            known.words().unwrap_or_default()
        ),
        (Some(node), None) => format!(", which were made for the Kubernetes node {node}"),
        (None, _) => String::new(),
    };
    let claims = claim_names(pod, observed);
    let then = if is_new_with_claims(pod) {
        "they are made anew with the pod as soon as that loses nothing".to_owned()
    } else {
        format!(
            "if they are disks of a machine that does not come back, {}; if they can be mounted in a zone, that lacks a \
             Kubernetes node with room for the pod",
            annotate(name)
        )
    };
    let scheduler = condition(pod, "PodScheduled").and_then(|scheduled| scheduled.message.as_deref());
    Some(Warning {
        reason: reasons::LOST_VOLUME.to_owned(),
        message: format!(
            "pod {name} is not ready: no Kubernetes node that may run it can mount the volumes of its claims \
             {claims}{of_node}: {then} (the scheduler says: {})",
            scheduler.map(shortened).unwrap_or_default()
        ),
    })
}

/// The annotation that repairs it.
fn annotate(pod: &str) -> String {
    format!(
        "write the annotation {DELETE_POD_AND_PVC}: \"true\" on pod {pod}: its claims are made anew, empty, as soon as every \
         partition has a complete copy elsewhere"
    )
}

/// The next step, where the claims of a pod that does not go are to be deleted: that waits for nothing but the rules, and keeps no other pod from
/// its restart.
pub(super) fn decide(nodes: &[RollNode], rules: &Rules<'_>) -> Decision {
    let mut why = None;
    let is_lost = |node: &&RollNode| node.state == PodState::Missing && !node.reasons.is_empty();
    for node in nodes.iter().filter(is_lost) {
        let batch = BTreeSet::from([node.id]);
        match rules.obstacle(&batch) {
            None => return Decision::Restart(batch),
            Some(obstacle) => {
                why.get_or_insert(format!("the claims of pod {} are not deleted: {obstacle}", node.pod));
            }
        }
    }
    match (roll_order::by_kafka(nodes, rules), why) {
        (Decision::Settled, Some(why)) => Decision::Held(why),
        (decision, _) => decision,
    }
}
