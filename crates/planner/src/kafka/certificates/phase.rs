//! How far the hand-over from one cluster CA to the next is.
//!
//! Authorities are told apart by what they are, their subject and public key, and never by a number: whatever was lost
//! and made again, the order is the same. First every pod is started with the new authority among those that it trusts;
//! then leaves are signed by it and pods are started with them; then the former authority leaves the trust bundle. In
//! every phase each node accepts what any other node shows, before and after its restart.

use std::collections::BTreeSet;

use api::{annotations, labels, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Secret};
use pki::CertificateChain;

use super::authority::Authority;
use super::leaf::{FoundLeaf, Leaves};
use super::{fingerprint, leaf_owners, split};
use crate::kafka::cluster::Cluster;
use crate::kafka::objects::secret::LeafOwner;
use crate::kafka::observed::Observed;
use crate::workload::secret::text;

/// A phase of the hand-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CaPhase {
    /// One authority is trusted, every leaf is signed by it, and every pod was started with its leaf.
    Settled,
    /// Some pod was started without trust in the present authority: nothing is signed by it yet.
    Spreading,
    /// Every pod trusts it: leaves are signed by it, and pods are started with them.
    Signing,
    /// No pod shows a leaf of a former authority any more: the former authority is forgotten.
    Retiring,
}

impl CaPhase {
    /// Whether everything may be signed by the present authority.
    pub(crate) fn may_sign(self) -> bool {
        self != Self::Spreading
    }

    /// Whether former authorities are no longer needed.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Settled | Self::Retiring)
    }
}

/// What the pods, and the Secrets with leaves, say about the cluster CA.
#[derive(Debug)]
pub(crate) struct HandOver {
    /// The phase.
    pub phase: CaPhase,
    /// Whether every pod that has a leaf to show trusts the present authority. Then a pod without a leaf can be given a new
    /// leaf: all other pods will accept it.
    pub peers_trust: bool,
}

/// Finds out how far the hand-over to `authority` is. `leaves` are those of all [`leaf_owners`].
pub(crate) fn hand_over(
    cluster: &Cluster,
    observed: &Observed,
    leaves: &Leaves,
    authority: &Authority,
    now: Timestamp,
) -> HandOver {
    let present = authority.certificate.authority_ids();
    let (mut all_trust, mut peers_trust, mut taken_up) = (true, true, true);
    for pod in running(cluster, observed) {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let owner = LeafOwner::Node { pod: name.to_owned() };
        let leaf = leaves.get(&owner);
        if !authority.is_trusted_by(&trusted_by(pod, leaf)) {
            all_trust = false;
            peers_trust &= leaf.usable(now).is_none();
        }
        let data = observed.secrets.get(name).and_then(|secret| secret.data.as_ref());
        let shown = data.map(|data| fingerprint(data.iter().map(|(key, value)| (key, value.0.as_slice()))));
        taken_up &= shown.is_some() && annotation(pod, annotations::SERVER_CERT_HASH) == shown.as_deref();
    }
    let signed = leaf_owners(cluster).iter().all(|(owner, _)| {
        let leaf = leaves.get(owner);
        leaf.usable(now).is_some_and(|leaf| leaf.is_signed_by(authority))
    });
    let phase = if !all_trust {
        CaPhase::Spreading
    } else if !signed || !taken_up {
        CaPhase::Signing
    } else if bundle(cluster, observed).is_some_and(|told| !told.authority_ids().is_subset(&present)) {
        CaPhase::Retiring
    } else {
        CaPhase::Settled
    };
    HandOver { phase, peers_trust }
}

/// The certificates of cluster CAs that pods are told to trust.
fn bundle(cluster: &Cluster, observed: &Observed) -> Option<CertificateChain> {
    let secret = observed.secrets.get(&names::trust_bundle_secret(&cluster.name))?;
    observed.read_chains.parse(&text(secret, names::keys::TRUST_BUNDLE_CLUSTER_CA)?).ok()
}

/// The pods of the cluster's nodes that exist.
pub(crate) fn running<'a>(cluster: &Cluster, observed: &'a Observed) -> Vec<&'a Pod> {
    let wanted: BTreeSet<String> = cluster.nodes().into_iter().map(|node| cluster.pod_name(node)).collect();
    let pods = observed.pods.iter().filter(|(name, _)| wanted.contains(*name));
    pods.map(|(_, pod)| pod.as_ref()).collect()
}

/// Whether a pod is that of a Kafka node, and not that of the entity operator or of another component.
pub(crate) fn is_of_kafka(cluster: &str, pod: &Pod) -> bool {
    let all = pod.metadata.labels.as_ref();
    all.and_then(|all| all.get(labels::NAME)).is_some_and(|name| *name == names::kafka(cluster))
}

/// The cluster CAs that a pod was started to trust. A pod that does not say so, of an older operator, trusts the one that
/// signed its own leaf.
pub(crate) fn trusted_by(pod: &Pod, leaf: &FoundLeaf) -> BTreeSet<String> {
    match annotation(pod, annotations::TRUSTED_CLUSTER_CAS) {
        Some(list) => split(list),
        None => leaf.issuers(),
    }
}

/// The clients CAs that a pod was started to trust. A pod that does not say so trusts the one whose generation it has.
pub(crate) fn trusted_clients(
    pod: &Pod,
    present: &CertificateChain,
    secret: Option<&Secret>,
) -> BTreeSet<String> {
    if let Some(list) = annotation(pod, annotations::TRUSTED_CLIENTS_CAS) {
        return split(list);
    }
    let all = secret.and_then(|secret| secret.metadata.annotations.as_ref());
    let generation = all.and_then(|all| all.get(annotations::CA_CERT_GENERATION));
    let same = generation.map(String::as_str) == annotation(pod, annotations::CLIENTS_CA_CERT_GENERATION);
    if generation.is_some() && same { present.authority_ids() } else { BTreeSet::new() }
}

fn annotation<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    pod.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}
