//! Certificates: which authorities and leaves exist, which are to be made or renewed, and what pods must know of them.
//!
//! Everything follows from the Secrets, the pods' annotations and the time; nothing is remembered elsewhere, so a
//! replacement of a key that was interrupted goes on where it stopped, and one that starts with a loss takes the same way
//! ([`phase::CaPhase`]): first every pod trusts the new authority, then leaves are signed by it, then the former one is
//! forgotten.

pub mod access;
pub(crate) mod authority;
pub(crate) mod ending;
mod generated;
mod issued;
pub(crate) mod leaf;
mod offered;
pub(crate) mod phase;
pub(crate) mod role;
mod supplied;
pub mod taking_up;
pub(crate) mod traces;
pub(crate) mod upkeep;

use std::collections::{BTreeMap, BTreeSet};

use api::agent::container;
use api::conditions::reasons;
use api::{annotations, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use self::authority::{Authority, AuthorityStep, Signer};
use self::leaf::Signing;
use self::phase::HandOver;
use self::role::Role;
use super::cluster::{Cluster, Node, Warning};
use super::objects::certificate;
use super::objects::meta::Pairs;
use super::objects::secret::{self, Data, LeafOwner};
use super::observed::Observed;
use super::validate::Problem;
use crate::{fingerprint, words};
use objects::DesiredObject;
use pki::MaterialRequest;

/// The last second that a certificate can express, the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

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
    /// Nodes without a certificate that the others would accept: they must not be started before there is one. Why each has none, in
    /// words.
    pub held: BTreeMap<i32, String>,
    /// What else has no certificate yet, in words.
    pub awaited: Vec<String>,
    /// Certificates that stay because there is none yet that should take their place, in words.
    pub behind: Vec<String>,
    /// Certificates of the entity operator's containers, PEM.
    pub entity: Vec<String>,
    /// Certificate of the exporter, PEM.
    pub kafka_exporter: Option<String>,
}

/// Certificates that a warning names.
const NAMED: usize = 5;

impl Certificates {
    /// Says which certificates stay because there is none yet that should take their place.
    pub(crate) fn warning(&self) -> Option<Warning> {
        if self.behind.is_empty() {
            return None;
        }
        let named = words::first(&self.behind, NAMED, "; ");
        Some(Warning {
            reason: reasons::CERTIFICATE_NOT_ISSUED.to_owned(),
            message: format!("certificates stay as they are until cert-manager has others: {named}"),
        })
    }
}

/// What a node's pod is started with.
#[derive(Debug, Clone, Default)]
pub struct NodeCertificate {
    /// Annotations of the pod; a change of any restarts it, but where [`taking_up`] says otherwise.
    pub pod_annotations: Pairs,
    /// The files with certificates as they are mounted, and the SHA-256 of their content; empty: they are not all known.
    pub files: BTreeMap<String, String>,
}

/// What a look at the certificates yields.
#[derive(Debug)]
pub enum CertificatePlan {
    /// These must be made first.
    Missing(Vec<MaterialRequest>),
    /// All there.
    Ready(Box<Certificates>),
    /// Something is wrong with what the user supplies or asks for.
    Wrong(Vec<Problem>),
}

/// Looks at the certificates of a cluster.
pub fn plan(cluster: &Cluster, observed: &Observed, now: Timestamp) -> CertificatePlan {
    let may_renew = pki::in_maintenance_window(&cluster.maintenance_windows, now);
    let mut problems = validity(cluster, now);
    let mut requests = Vec::new();
    let mut authorities = Vec::new();
    let of_cluster_ca = traces::of_cluster_ca(cluster, observed, now);
    let of_clients_ca = traces::of_clients_ca(cluster, observed, now);
    for (role, traces) in [(Role::Cluster, &of_cluster_ca), (Role::Clients, &of_clients_ca)] {
        match look_at_authority(role, cluster, observed, traces, now, may_renew) {
            Ok(AuthorityStep::Ready(authority)) => authorities.push(*authority),
            Ok(AuthorityStep::Missing(request)) => requests.push(request),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return CertificatePlan::Wrong(problems);
    }
    let (Some(mut clients_ca), Some(mut cluster_ca)) = (authorities.pop(), authorities.pop()) else {
        return CertificatePlan::Missing(requests);
    };
    let owners = leaf_owners(cluster);
    let found = leaf::Leaves::of(owners.iter().map(|(owner, _)| owner), cluster, observed);
    let hand_over = phase::hand_over(cluster, observed, &found, &cluster_ca, now);
    if hand_over.phase.is_over() {
        cluster_ca.retire_old();
    } else {
        cluster_ca.also_trust(of_cluster_ca.values());
    }
    clients_ca.trusted_by_all = Some(trusted_by_all(cluster, observed, &clients_ca));
    requests.extend(cluster_ca.take_store(cluster, observed));
    requests.extend(clients_ca.take_store(cluster, observed));
    let mut leaves = Vec::new();
    let (mut held, mut awaited, mut certificates) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (owner, node) in owners {
        let signing = signing(&hand_over, node.is_some());
        let wanted = leaf::WantedLeaf { owner: &owner, node, may_renew, signing, prolong: false };
        if let Signer::Issuer(issuer) = &cluster_ca.signer {
            let names = leaf::names(&wanted, cluster, found.get(&owner).present());
            certificates.extend(certificate::of_leaf(
                cluster,
                &owner,
                names,
                leaf::algorithm(cluster, node),
                issuer,
            ));
        }
        match look_at_leaf(&wanted, &found, cluster, &cluster_ca, observed, now) {
            leaf::LeafStep::Ready(leaf) => leaves.push((owner, node, Some(leaf))),
            leaf::LeafStep::Missing(request) => requests.push(request),
            leaf::LeafStep::Held(why) => {
                match node {
                    Some(node) => drop(held.insert(node.id, why)),
                    None => awaited.push(format!("Secret {} {why}", owner.secret(&cluster.name))),
                }
                leaves.push((owner, node, None));
            }
        }
    }
    if !requests.is_empty() {
        return CertificatePlan::Missing(requests);
    }
    let made = assemble(cluster, observed, cluster_ca, clients_ca, leaves);
    let objects = [made.objects, certificates].concat();
    CertificatePlan::Ready(Box::new(Certificates { objects, held, awaited, ..made }))
}

/// Looks at an authority. `traces` are certificates of it that other objects remember.
fn look_at_authority(
    role: Role,
    cluster: &Cluster,
    observed: &Observed,
    traces: &traces::Traces,
    now: Timestamp,
    may_renew: bool,
) -> Result<AuthorityStep, Vec<Problem>> {
    let settings = role.settings(cluster);
    let authority = match &settings.issuer {
        Some(issuer) => issued::look_at(role, issuer, cluster, observed, now, may_renew, traces),
        None if settings.generate => {
            return Ok(generated::look_at(role, cluster, observed, traces, now, may_renew));
        }
        None => supplied::look_at(role, cluster, observed, now),
    };
    authority.map(|authority| AuthorityStep::Ready(Box::new(authority)))
}

/// Looks at the certificate of a node or an operator, of which `leaves` say what is there.
fn look_at_leaf(
    wanted: &leaf::WantedLeaf<'_>,
    leaves: &leaf::Leaves,
    cluster: &Cluster,
    cluster_ca: &Authority,
    observed: &Observed,
    now: Timestamp,
) -> leaf::LeafStep {
    match &cluster_ca.signer {
        Signer::Key(key) => leaf::look_at(wanted, leaves, cluster, (cluster_ca, key), observed, now),
        Signer::Issuer(_) => offered::look_at(wanted, leaves, cluster, cluster_ca, observed, now),
    }
}

/// What the cluster CA may sign for a node, or for an operator.
fn signing(hand_over: &HandOver, is_node: bool) -> Signing {
    if hand_over.phase.may_sign() {
        Signing::All
    } else if hand_over.peers_trust || !is_node {
        // Operators only connect: with a leaf that some nodes accept they are better off than with none.
        Signing::OnlyWithoutLeaf
    } else {
        Signing::Nothing
    }
}

/// Validities that no certificate can express.
fn validity(cluster: &Cluster, now: Timestamp) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (field, settings) in [("clusterCa", &cluster.cluster_ca), ("clientsCa", &cluster.clients_ca)] {
        let most = (LAST_SECOND - now.as_second()) / 86_400;
        if i64::from(settings.validity_days) > most {
            problems.push(Problem::new(
                format!("spec.{field}.validityDays"),
                format!(
                    "{} ends after the year 9999, which no certificate can express: write at most {most}",
                    settings.validity_days
                ),
            ));
        }
    }
    problems
}

/// Thumbprint of the first certificate of the clients CA that every pod trusts, the present one before former ones.
fn trusted_by_all(cluster: &Cluster, observed: &Observed, clients_ca: &Authority) -> String {
    let secret = observed.secrets.get(&names::clients_ca_cert_secret(&cluster.name)).map(AsRef::as_ref);
    let pods: Vec<BTreeSet<String>> = phase::running(cluster, observed)
        .into_iter()
        .map(|pod| phase::trusted_clients(pod, &clients_ca.certificate, secret))
        .collect();
    // With an issuer, any of its certificates may sign: the first one is announced once every pod trusts all of them.
    let is_by_issuer = matches!(clients_ca.signer, Signer::Issuer(_));
    if is_by_issuer && pods.iter().all(|trusted| clients_ca.is_trusted_by(trusted)) {
        return clients_ca.certificate.first().info.sha256_thumbprint.clone();
    }
    let is_issuers =
        |one: &pki::Certificate| is_by_issuer && clients_ca.certificate.iter().any(|own| own == one);
    let trusted = |one: &&pki::Certificate| {
        !is_issuers(one) && pods.iter().all(|trusted| trusted.contains(&one.info.authority_id()))
    };
    let mut all =
        clients_ca.certificate.iter().chain(clients_ca.old.values().flat_map(pki::CertificateChain::iter));
    all.find(trusted).map(|one| one.info.sha256_thumbprint.clone()).unwrap_or_default()
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
    if cluster.kafka_exporter.is_some() {
        owners.push((LeafOwner::KafkaExporter, None));
    }
    owners
}

/// The Secret with the authorities that the nodes trust, and the fingerprint of the certificates in it, whatever their order.
fn trust_bundle(
    cluster: &Cluster,
    cluster_ca: &Authority,
    clients_ca: &Authority,
) -> (DesiredObject, String) {
    let trust = Data::from([
        (names::keys::TRUST_BUNDLE_CLUSTER_CA.to_owned(), cluster_ca.trusted().into_bytes()),
        (names::keys::TRUST_BUNDLE_CLIENTS_CA.to_owned(), clients_ca.trusted().into_bytes()),
    ]);
    let parts = [cluster_ca, clients_ca].map(|authority| joined(&authority.trusted_thumbprints()));
    let object = secret::trust_bundle(cluster, trust, cluster_ca.cert_generation, clients_ca.cert_generation);
    (object, fingerprint::short(parts.join(";").as_bytes()))
}

fn assemble(
    cluster: &Cluster,
    observed: &Observed,
    cluster_ca: Authority,
    clients_ca: Authority,
    leaves: Vec<(LeafOwner, Option<Node<'_>>, Option<leaf::Leaf>)>,
) -> Certificates {
    let (mut objects, mut behind) = (Vec::new(), Vec::new());
    objects.extend(cluster_ca.objects(cluster));
    objects.extend(clients_ca.objects(cluster));
    let (bundle, trust_hash) = trust_bundle(cluster, &cluster_ca, &clients_ca);
    objects.push(bundle);
    let started_with = Pairs::from([
        (annotations::CLUSTER_CA_CERT_GENERATION.to_owned(), cluster_ca.cert_generation.to_string()),
        (annotations::CLUSTER_CA_KEY_GENERATION.to_owned(), cluster_ca.key_generation.to_string()),
        (annotations::CLIENTS_CA_CERT_GENERATION.to_owned(), clients_ca.cert_generation.to_string()),
        (annotations::TRUSTED_CLUSTER_CAS.to_owned(), joined(&cluster_ca.trusted_ids())),
        (annotations::TRUSTED_CLIENTS_CAS.to_owned(), joined(&clients_ca.trusted_ids())),
        (annotations::TRUST_BUNDLE_HASH.to_owned(), trust_hash),
    ]);
    let trust = BTreeMap::from([
        (container::CLUSTER_TRUST.to_owned(), fingerprint::sha256(cluster_ca.trusted().as_bytes())),
        (container::CLIENTS_TRUST.to_owned(), fingerprint::sha256(clients_ca.trusted().as_bytes())),
    ]);
    let mut nodes = BTreeMap::new();
    let (mut entity, mut kafka_exporter) = (Vec::new(), None);
    let trusted = [
        (names::keys::NODE_CLUSTER_CAS, cluster_ca.trusted().into_bytes()),
        (names::keys::NODE_CLIENTS_CAS, clients_ca.trusted().into_bytes()),
    ];
    for (owner, node, mut leaf) in leaves {
        let why = leaf.as_ref().and_then(|leaf| leaf.behind.as_ref());
        behind.extend(why.map(|why| format!("Secret {}: {why}", owner.secret(&cluster.name))));
        if let Some(leaf) = leaf.as_mut().filter(|_| node.is_some()) {
            leaf.data
                .extend(trusted.iter().map(|(key, authorities)| ((*key).to_owned(), authorities.clone())));
        }
        match (node, &leaf) {
            (Some(node), leaf) => {
                let mut pod_annotations = started_with.clone();
                let mut mounted = BTreeMap::new();
                if let Some(leaf) = leaf {
                    mounted = leaf_files(cluster, node, &leaf.data);
                    mounted.extend(trust.clone());
                    let files = leaf.data.iter().map(|(key, value)| (key, value.as_slice()));
                    pod_annotations.insert(annotations::SERVER_CERT_HASH.to_owned(), fingerprint(files));
                    if let Ok(chain) = observed.read_chains.parse(&leaf.certificate) {
                        let ends = match cluster_ca.signer {
                            Signer::Key(_) => chain.first().info.not_after.to_string(),
                            // Its certificates may outlive the authorities on their path.
                            Signer::Issuer(_) => chain.ends().to_string(),
                        };
                        pod_annotations.insert(annotations::SERVER_CERT_ENDS.to_owned(), ends);
                    }
                }
                nodes.insert(node.id, NodeCertificate { pod_annotations, files: mounted });
            }
            (None, Some(leaf)) => match owner {
                LeafOwner::TopicOperator | LeafOwner::UserOperator => entity.push(leaf.certificate.clone()),
                LeafOwner::KafkaExporter => kafka_exporter = Some(leaf.certificate.clone()),
                LeafOwner::ClusterOperator | LeafOwner::Node { .. } => {}
            },
            (None, None) => {}
        }
        if let Some(leaf) = leaf {
            objects.push(secret::leaf(cluster, &owner, leaf.data, leaf.generation, leaf.precondition));
        } else if let Some(secret) = observed.secrets.get(&owner.secret(&cluster.name)) {
            objects.push(as_it_is(cluster, &owner, secret));
        }
    }
    let (held, awaited) = Default::default();
    Certificates { cluster_ca, clients_ca, objects, nodes, held, awaited, behind, entity, kafka_exporter }
}

/// The Secret of a leaf that is of no use, as it is: it stays until there is another leaf.
fn as_it_is(cluster: &Cluster, owner: &LeafOwner, secret: &Secret) -> DesiredObject {
    let data = secret.data.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone())).collect();
    let number = generation(secret, annotations::CLUSTER_CA_CERT_GENERATION).unwrap_or(0);
    secret::leaf(cluster, owner, data, number, objects::Precondition::None)
}

/// The mounted files with certificates of the Secret of a node that its Kafka uses, and the SHA-256 of their content.
fn leaf_files(cluster: &Cluster, node: Node<'_>, data: &Data) -> BTreeMap<String, String> {
    let mut used = BTreeSet::from([format!("{}.crt", cluster.pod_name(node))]);
    let listeners = cluster.open_listeners(node.id).filter(|_| node.pool.broker);
    used.extend(listeners.map(|listener| format!("{}-{}.crt", listener.name, listener.port)));
    let certificates = data.iter().filter(|(key, _)| used.contains(*key));
    let file = |(key, content): (&String, &Vec<u8>)| {
        (format!("{}/{key}", container::NODE_CERTIFICATES), fingerprint::sha256(content))
    };
    certificates.map(file).collect()
}

/// Fingerprint of the certificates in the Secret of a node: the leaf and the user's own listener certificates.
fn fingerprint<'a>(data: impl Iterator<Item = (&'a String, &'a [u8])>) -> String {
    let mut content = Vec::new();
    for (key, value) in data.filter(|(key, _)| key.strip_suffix(".crt").is_some()) {
        content.extend_from_slice(key.as_bytes());
        content.extend_from_slice(value);
    }
    fingerprint::long(&content)
}

/// A generation from an annotation of a Secret.
pub fn generation(secret: &Secret, annotation: &str) -> Option<i64> {
    secret.metadata.annotations.as_ref()?.get(annotation)?.parse().ok()
}

/// The form in which pods carry identifiers.
fn joined(ids: &BTreeSet<String>) -> String {
    ids.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

/// The identifiers in such a list.
fn split(list: &str) -> BTreeSet<String> {
    list.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect()
}
