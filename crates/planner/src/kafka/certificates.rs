//! Certificates: which authorities and leaves exist, which are to be made or renewed, and what pods must know of them.
//!
//! Everything follows from the Secrets, the pods' annotations and the time; nothing is remembered elsewhere, so a
//! replacement of a key that was interrupted goes on where it stopped:
//! 1. the new authority is added to the trust bundle, pods are rolled until each trusts it (`cluster-ca-key-generation`);
//! 2. then leaves are signed with the new key, pods are rolled again (`server-cert-hash`);
//! 3. once every pod runs with such a leaf, the old certificate leaves the bundle.

pub mod authority;
pub mod leaf;
pub mod upkeep;

use std::collections::{BTreeMap, BTreeSet};

use api::{annotations, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use self::authority::{Authority, Role};
use super::cluster::{Cluster, Node};
use super::objects::meta::Pairs;
use super::objects::secret::{self, Data, LeafOwner};
use super::observed::Observed;
use super::validate::Problem;
use crate::fingerprint;
use objects::DesiredObject;
use pki::MaterialRequest;

/// On pods: fingerprint of the certificates that the pod trusts.
pub const TRUST_HASH: &str = "kastellan.io/trust-bundle-hash";

/// The certificates of a cluster, all there.
#[derive(Debug)]
pub struct Certificates {
    /// The authority of the cluster's own components.
    pub cluster_ca: Authority,
    /// The authority of the users.
    pub clients_ca: Authority,
    /// Secrets to write, authorities first.
    pub objects: Vec<DesiredObject>,
    /// What each node's pod is started with, by node id.
    pub nodes: BTreeMap<i32, NodeCertificate>,
    /// Certificates of the entity operator's containers, PEM.
    pub entity: Vec<String>,
}

/// What a node's pod is started with.
#[derive(Debug, Clone, Default)]
pub struct NodeCertificate {
    /// Annotations of the pod; a change of any restarts it.
    pub pod_annotations: Pairs,
}

/// Outcome of looking at the certificates.
#[derive(Debug)]
pub enum Outcome {
    /// These must be made first.
    Missing(Vec<MaterialRequest>),
    /// All there.
    Ready(Box<Certificates>),
    /// The user supplies authorities and something is wrong with them.
    Wrong(Vec<Problem>),
}

/// Looks at the certificates of a cluster.
pub fn plan(cluster: &Cluster, observed: &Observed, now: Timestamp) -> Outcome {
    let may_renew = pki::in_maintenance_window(&cluster.maintenance_windows, now);
    let mut problems = Vec::new();
    let mut requests = Vec::new();
    let mut authorities = Vec::new();
    for role in [Role::Cluster, Role::Clients] {
        match authority::plan(role, cluster, observed, now, may_renew) {
            Ok(authority::Step::Ready(authority)) => authorities.push(*authority),
            Ok(authority::Step::Missing(request)) => requests.push(request),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Outcome::Wrong(problems);
    }
    let (Some(clients_ca), Some(mut cluster_ca)) = (authorities.pop(), authorities.pop()) else {
        return Outcome::Missing(requests);
    };
    let trusted_everywhere =
        pods_have(observed, cluster, annotations::CLUSTER_CA_KEY_GENERATION, cluster_ca.key_generation);
    let mut leaves = Vec::new();
    for (owner, node) in leaf_owners(cluster) {
        let wanted = leaf::Wanted { owner: &owner, node, may_renew, trusted_everywhere, prolong: false };
        match leaf::plan(&wanted, cluster, &cluster_ca, observed, now) {
            leaf::Step::Ready(leaf) => leaves.push((owner, node, leaf)),
            leaf::Step::Missing(request) => requests.push(request),
        }
    }
    if !requests.is_empty() {
        return Outcome::Missing(requests);
    }
    if leaves.iter().all(|(_, _, leaf)| leaf.generation == cluster_ca.cert_generation)
        && pods_have(observed, cluster, annotations::CLUSTER_CA_CERT_GENERATION, cluster_ca.cert_generation)
        && pods_run_with(observed, &leaves)
    {
        cluster_ca.retire_old();
    }
    Outcome::Ready(Box::new(assemble(cluster, cluster_ca, clients_ca, leaves)))
}

/// Everything of the cluster that has a certificate of its own.
fn leaf_owners(cluster: &Cluster) -> Vec<(LeafOwner, Option<Node<'_>>)> {
    let node = |node| (LeafOwner::Node { pod: cluster.pod_name(node) }, Some(node));
    let mut owners: Vec<_> = cluster.nodes().into_iter().map(node).collect();
    owners.push((LeafOwner::ClusterOperator, None));
    if let Some(entity) = &cluster.entity_operator {
        if entity.topic.is_some() {
            owners.push((LeafOwner::TopicOperator, None));
        }
        if entity.user.is_some() {
            owners.push((LeafOwner::UserOperator, None));
        }
    }
    owners
}

/// Whom the nodes trust, with the fingerprint of it.
fn trust_bundle(
    cluster: &Cluster,
    cluster_ca: &Authority,
    clients_ca: &Authority,
) -> (DesiredObject, String) {
    let trust = Data::from([
        (names::keys::TRUST_BUNDLE_CLUSTER_CA.to_owned(), cluster_ca.trusted().into_bytes()),
        (names::keys::TRUST_BUNDLE_CLIENTS_CA.to_owned(), clients_ca.trusted().into_bytes()),
    ]);
    let mut bundle = Vec::new();
    for value in trust.values() {
        bundle.extend_from_slice(value);
    }
    let object =
        secret::trust_bundle(cluster, &trust, cluster_ca.cert_generation, clients_ca.cert_generation);
    (object, fingerprint::short(&bundle))
}

fn assemble(
    cluster: &Cluster,
    cluster_ca: Authority,
    clients_ca: Authority,
    leaves: Vec<(LeafOwner, Option<Node<'_>>, leaf::Leaf)>,
) -> Certificates {
    let mut objects = Vec::new();
    objects.extend(cluster_ca.objects(cluster));
    objects.extend(clients_ca.objects(cluster));
    let (bundle, trust_hash) = trust_bundle(cluster, &cluster_ca, &clients_ca);
    objects.push(bundle);
    let mut nodes = BTreeMap::new();
    let mut entity = Vec::new();
    for (owner, node, leaf) in leaves {
        objects.push(secret::leaf(cluster, &owner, &leaf.data, leaf.generation, leaf.precondition.clone()));
        match node {
            Some(node) => {
                let pod_annotations = Pairs::from([
                    (annotations::SERVER_CERT_HASH.to_owned(), fingerprint(&leaf.data)),
                    (
                        annotations::CLUSTER_CA_CERT_GENERATION.to_owned(),
                        cluster_ca.cert_generation.to_string(),
                    ),
                    (
                        annotations::CLUSTER_CA_KEY_GENERATION.to_owned(),
                        cluster_ca.key_generation.to_string(),
                    ),
                    (
                        annotations::CLIENTS_CA_CERT_GENERATION.to_owned(),
                        clients_ca.cert_generation.to_string(),
                    ),
                    (TRUST_HASH.to_owned(), trust_hash.clone()),
                ]);
                nodes.insert(node.id, NodeCertificate { pod_annotations });
            }
            None if owner != LeafOwner::ClusterOperator => entity.push(leaf.certificate),
            None => {}
        }
    }
    Certificates { cluster_ca, clients_ca, objects, nodes, entity }
}

/// Whether every running pod of the cluster carries this generation.
fn pods_have(observed: &Observed, cluster: &Cluster, annotation: &str, generation: i64) -> bool {
    let wanted: BTreeSet<String> = cluster.nodes().into_iter().map(|node| cluster.pod_name(node)).collect();
    observed.pods.iter().filter(|(name, _)| wanted.contains(*name)).all(|(_, pod)| {
        let carried = pod.metadata.annotations.as_ref().and_then(|all| all.get(annotation));
        carried.and_then(|text| text.parse::<i64>().ok()) == Some(generation)
    })
}

/// Whether every running pod was started with the leaf that is in its Secret.
fn pods_run_with(observed: &Observed, leaves: &[(LeafOwner, Option<Node<'_>>, leaf::Leaf)]) -> bool {
    leaves.iter().all(|(owner, _, leaf)| {
        let LeafOwner::Node { pod } = owner else { return true };
        let Some(live) = observed.pods.get(pod) else { return true };
        let carried =
            live.metadata.annotations.as_ref().and_then(|all| all.get(annotations::SERVER_CERT_HASH));
        carried == Some(&fingerprint(&leaf.data))
    })
}

/// Fingerprint of the certificates in the Secret of a node: the leaf and the user's own listener certificates.
fn fingerprint(data: &Data) -> String {
    let mut content = Vec::new();
    for (key, value) in data.iter().filter(|(key, _)| key.strip_suffix(".crt").is_some()) {
        content.extend_from_slice(key.as_bytes());
        content.extend_from_slice(value);
    }
    fingerprint::long(&content)
}

/// The text under a key of a Secret.
pub fn text(secret: &Secret, key: &str) -> Option<String> {
    let bytes = secret.data.as_ref()?.get(key)?;
    String::from_utf8(bytes.0.clone()).ok().filter(|text| !text.trim().is_empty())
}

/// A generation from an annotation of a Secret.
pub fn generation(secret: &Secret, annotation: &str) -> Option<i64> {
    secret.metadata.annotations.as_ref()?.get(annotation)?.parse().ok()
}
