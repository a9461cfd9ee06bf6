//! Why pods should be restarted: what they were started with against what they should have been started with.

use std::collections::BTreeSet;

use api::annotations;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};

use super::certificates::taking_up::{TakingUp, is_about_certificates};
use super::cluster::{Cluster, Node};
use super::observed::Observed;
use crate::kafka::restart::Restart;
use crate::restart_reason::RestartReason;
use crate::roll::started_with::{Reasons, StartedWith};
use crate::workload::manual_update::is_asked_for;
use crate::workload::resizing::{Resize, Resizing};
use api::names;

/// Annotations that a pod is started with, and what it means when one differs.
const STARTED_WITH: &StartedWith = &[
    (
        annotations::CLUSTER_CA_KEY_GENERATION,
        RestartReason::ClusterCaCertKeyReplaced,
        "the key of the cluster CA was replaced",
    ),
    (
        annotations::CLUSTER_CA_CERT_GENERATION,
        RestartReason::CaCertRenewed,
        "the certificate of the cluster CA was renewed",
    ),
    (
        annotations::CLIENTS_CA_CERT_GENERATION,
        RestartReason::CaCertRenewed,
        "the certificate of the clients CA was renewed",
    ),
    (annotations::TRUST_BUNDLE_HASH, RestartReason::CaCertRemoved, "the trusted certificates changed"),
    (
        annotations::SERVER_CERT_HASH,
        RestartReason::KafkaCertificatesChanged,
        "the certificate of the node changed",
    ),
    (
        annotations::CONFIGURATION_HASH,
        RestartReason::ConfigChangeRequiresRestart,
        "options changed that are read only at start",
    ),
    (
        annotations::RESOURCE_REVISION,
        RestartReason::PodHasOldResourceRevision,
        "the resources of the containers changed",
    ),
    (annotations::REVISION, RestartReason::PodHasOldRevision, "the pod's template changed"),
];

/// What the annotation means that has claims made anew.
const WITH_CLAIMS: &str = "the pod and its claims are to be made anew, as an annotation asks";

/// The restart that the pod of a node needs, if it runs; `options` are those that it has to restart for.
pub(super) fn of_running(
    cluster: &Cluster,
    node: Node<'_>,
    live: &Pod,
    desired: &Pod,
    options: &[String],
    observed: &Observed,
    taking_up: &TakingUp,
) -> Option<Restart> {
    if live.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let restart = of_pod(cluster, node, live, desired, observed, taking_up);
    with_options(restart, node.id, &cluster.pod_name(node), options)
}

/// The restart that a live pod needs; `None`: none. `desired` is the pod as it stands in the pod set.
fn of_pod(
    cluster: &Cluster,
    node: Node<'_>,
    live: &Pod,
    desired: &Pod,
    observed: &Observed,
    taking_up: &TakingUp,
) -> Option<Restart> {
    let in_place =
        |annotation: &str| cluster.resizing.is_some() && annotation == annotations::RESOURCE_REVISION;
    let pod = cluster.pod_name(node);
    let spared = taking_up.spares(&pod);
    let counts = |annotation: &str| !(in_place(annotation) || spared && is_about_certificates(annotation));
    let mut found = Reasons::of(live, desired, STARTED_WITH, counts);
    if found.reasons.iter().any(|reason| reason.is_about_certificates()) {
        found.notes.extend(taking_up.why_late(&pod));
    }
    if is_new_with_claims(live) {
        found.add(RestartReason::ManualRollingUpdate, WITH_CLAIMS);
    }
    let set = observed.pod_sets.get(&cluster.pod_set_name(node.pool));
    if is_asked_for(live, set.map(AsRef::as_ref)) {
        found.add_asked_for();
    }
    for volume in node.pool.volumes_of(node.id) {
        let claim = observed.claims.get(&names::persistent_volume_claim(volume.id, &pod));
        if claim.is_some_and(|claim| has_condition(claim, "FileSystemResizePending")) {
            let note = "a volume grew and its file system must be resized";
            found.add(RestartReason::FileSystemResizeNeeded, note);
        }
    }
    resize(cluster, live, desired).add_to(&mut found);
    let Reasons { reasons, notes } = found;
    (!reasons.is_empty()).then_some(Restart { node: node.id, pod, reasons, notes })
}

/// How far the resources of a live pod are that changes without a restart; of one that does not, there is nothing to tell.
pub(super) fn resize(cluster: &Cluster, live: &Pod, desired: &Pod) -> Resize {
    Resizing::of(cluster.resizing, live, desired)
}

/// Whether a user asks for the pod to be made anew together with its claims.
pub(super) fn is_new_with_claims(live: &Pod) -> bool {
    annotations::is_true(live.metadata.annotations.as_ref(), annotations::DELETE_POD_AND_PVC)
}

/// The restart of a pod that is on its way already, for the sake of its claims; `None`: nobody asks for it.
pub(super) fn of_claims(node: Node<'_>, pod: &str, live: &Pod) -> Option<Restart> {
    is_new_with_claims(live).then(|| Restart {
        node: node.id,
        pod: pod.to_owned(),
        reasons: BTreeSet::from([RestartReason::ManualRollingUpdate]),
        notes: vec![WITH_CLAIMS.to_owned()],
    })
}

/// The restart with the options that need one, which the pod's annotations do not show: the broker itself tells.
fn with_options(restart: Option<Restart>, node: i32, pod: &str, options: &[String]) -> Option<Restart> {
    if options.is_empty() {
        return restart;
    }
    let none = || Restart { node, pod: pod.to_owned(), reasons: BTreeSet::new(), notes: Vec::new() };
    let mut restart = restart.unwrap_or_else(none);
    restart.reasons.insert(RestartReason::ConfigChangeRequiresRestart);
    restart.notes.extend(options.iter().cloned());
    Some(restart)
}

/// Whether a claim has a condition with status `True`.
pub(super) fn has_condition(claim: &PersistentVolumeClaim, type_: &str) -> bool {
    let conditions = claim.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == type_ && condition.status == "True")
}
