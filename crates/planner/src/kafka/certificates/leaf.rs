//! The certificate of a node or an operator, signed by the cluster CA.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use api::{annotations, names, principals};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use pki::{
    Certificate, CertificateChain, CertificateState, KeyAlgorithm, KeyFit, LeafState, LeafWanted, Material,
    MaterialRequest, PrivateKeyPem, ReadChains, SecretPem,
};

use super::authority::{Authority, Signer, precondition};
use super::generation;
use crate::kafka::cluster::{Cluster, Node, as_ip};
use crate::kafka::config::server;
use crate::kafka::objects::secret::{Data, LeafOwner};
use crate::kafka::observed::Observed;
use crate::workload::secret::text;
use objects::Precondition;

/// A certificate that is there.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    /// Content of its Secret.
    pub data: Data,
    /// The certificate with its chain, PEM.
    pub certificate: String,
    /// Generation of the authority that signed it.
    pub generation: i64,
    /// What must hold when the Secret is written.
    pub precondition: Precondition,
    /// Why a newer certificate is not used yet, in words.
    pub behind: Option<String>,
}

/// How far a certificate is.
#[derive(Debug)]
pub(crate) enum LeafStep {
    /// This must be made first.
    Missing(MaterialRequest),
    /// It is there.
    Ready(Leaf),
    /// There is none that its peers would accept, and none can be made yet. Why, in words.
    Held(String),
}

/// What a Secret holds of a leaf.
#[derive(Debug)]
pub(crate) enum FoundLeaf {
    /// Nothing.
    Missing,
    /// A text that cannot be read, a key of another certificate, or a certificate of another authority than the one
    /// beside it.
    Broken,
    /// A pair that belongs together.
    Present(Box<Present>),
}

/// A pair of certificate and key that belong together.
#[derive(Debug)]
pub(crate) struct Present {
    /// The certificate, and behind it the authority that signed it.
    pub chain: CertificateChain,
    /// The text of the certificates as it stands in the Secret.
    certificate: String,
    /// The private key.
    pub key: PrivateKeyPem,
}

impl FoundLeaf {
    /// The leaf.
    pub(super) fn present(&self) -> Option<&Present> {
        match self {
            Self::Present(present) => Some(present.as_ref()),
            Self::Missing | Self::Broken => None,
        }
    }

    /// The leaf, if it has not ended.
    pub(crate) fn usable(&self, now: Timestamp) -> Option<&Present> {
        self.present().filter(|one| !one.chain.first().info.is_expired(now))
    }

    /// The authorities beside the leaf.
    pub(crate) fn issuers(&self) -> BTreeSet<String> {
        match self {
            Self::Present(present) => {
                present.chain.rest().iter().map(|one| one.info.authority_id()).collect()
            }
            _ => BTreeSet::new(),
        }
    }
}

impl Present {
    /// Whether it is signed by the very certificate that the authority has now; of an issuer, by one of those that are trusted for it,
    /// which is the last one beside the leaf.
    pub(crate) fn is_signed_by(&self, authority: &Authority) -> bool {
        let is = |beside: Option<&Certificate>, signer: &Certificate| {
            beside.is_some_and(|beside| beside.info.sha256_thumbprint == signer.info.sha256_thumbprint)
        };
        match authority.signer {
            Signer::Key(_) => is(self.chain.rest().first(), authority.certificate.first()),
            Signer::Issuer(_) => {
                authority.certificate.iter().any(|signer| is(self.chain.rest().last(), signer))
            }
        }
    }
}

impl Present {
    /// Whether it is signed with a key of the authority, by whichever certificate for that key.
    pub(super) fn is_of_key_of(&self, authority: &Authority) -> bool {
        let own = authority.certificate.authority_ids();
        match authority.signer {
            Signer::Key(_) => {
                let beside: BTreeSet<String> =
                    self.chain.rest().iter().map(|one| one.info.authority_id()).collect();
                !beside.is_empty() && beside.is_subset(&own)
            }
            Signer::Issuer(_) => {
                self.chain.rest().last().is_some_and(|last| own.contains(&last.info.authority_id()))
            }
        }
    }
}

/// Looks into the Secret of a leaf.
pub(crate) fn find(owner: &LeafOwner, cluster: &Cluster, observed: &Observed) -> FoundLeaf {
    let secret = observed.secrets.get(&owner.secret(&cluster.name));
    secret.map_or(FoundLeaf::Missing, |secret| find_in(owner, secret, &observed.read_chains))
}

/// The leaves of some owners, each looked at once.
#[derive(Debug)]
pub(crate) struct Leaves(BTreeMap<LeafOwner, FoundLeaf>);

impl Leaves {
    /// Looks into the Secrets of these owners.
    pub(crate) fn of<'a>(
        owners: impl Iterator<Item = &'a LeafOwner>,
        cluster: &Cluster,
        observed: &Observed,
    ) -> Self {
        Self(owners.map(|owner| (owner.clone(), find(owner, cluster, observed))).collect())
    }

    /// The leaf of one of them.
    pub(crate) fn get(&self, owner: &LeafOwner) -> &FoundLeaf {
        self.0.get(owner).unwrap_or(&FoundLeaf::Missing)
    }
}

/// Looks into a Secret for the leaf of its owner.
pub(crate) fn find_in(owner: &LeafOwner, secret: &Secret, read: &ReadChains) -> FoundLeaf {
    let (cert_key, key_key) = owner.keys();
    let (Some(certificate), Some(key)) = (text(secret, &cert_key), text(secret, &key_key)) else {
        return FoundLeaf::Missing;
    };
    let key = PrivateKeyPem::new(key);
    let Ok(chain) = read.parse(&certificate) else { return FoundLeaf::Broken };
    let own = &chain.first().info;
    let signer_fits = chain.rest().first().is_none_or(|signer| signer.info.may_have_issued(own));
    // A key that cannot be read fits nothing.
    if !signer_fits || key.fits(own) == KeyFit::Differs {
        return FoundLeaf::Broken;
    }
    FoundLeaf::Present(Box::new(Present { chain, certificate, key }))
}

/// What the authority may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signing {
    /// Everything: every pod trusts it.
    All,
    /// Only leaves of owners that have none: the others still need the leaf that they have.
    OnlyWithoutLeaf,
    /// Nothing yet: no pod would accept it.
    Nothing,
}

impl Signing {
    /// Whether a new leaf may take the place of the present leaf.
    pub(super) fn allows(self, usable: Option<&Present>) -> bool {
        match self {
            Self::All => true,
            Self::OnlyWithoutLeaf => usable.is_none(),
            Self::Nothing => false,
        }
    }
}

/// Why there is no leaf while an authority is handed over.
pub(super) const UNTRUSTED: &str = "has no certificate before all others trust the new cluster CA";

/// What is wanted.
#[derive(Debug)]
pub(crate) struct WantedLeaf<'a> {
    /// Whose certificate.
    pub owner: &'a LeafOwner,
    /// The node, when it is one.
    pub node: Option<Node<'a>>,
    /// Whether certificates may be renewed now.
    pub may_renew: bool,
    /// What the authority may sign.
    pub signing: Signing,
    /// Whether the certificate that is there is only prolonged: under its names, with everything beside it as it is.
    pub prolong: bool,
}

/// Looks at a certificate that the operator signs with the key of the authority. `leaves` say what is there.
pub(super) fn look_at(
    wanted: &WantedLeaf<'_>,
    leaves: &Leaves,
    cluster: &Cluster,
    (authority, authority_key): (&Authority, &SecretPem),
    observed: &Observed,
    now: Timestamp,
) -> LeafStep {
    let id = wanted.owner.secret(&cluster.name);
    let secret = observed.secrets.get(&id).map(AsRef::as_ref);
    let found = leaves.get(wanted.owner);
    let present = found.present();
    let usable = found.usable(now);
    let (dns_names, ip_addresses) = names(wanted, cluster, present);
    let algorithm = match present {
        Some(present) if wanted.prolong && present.chain.first().info.has_rsa_key => KeyAlgorithm::Rsa2048,
        _ => algorithm(cluster, wanted.node),
    };
    let state = LeafState {
        certificate: match (found, present) {
            (FoundLeaf::Missing, _) => CertificateState::Missing,
            (_, Some(present)) => CertificateState::Present(&present.chain.first().info),
            _ => CertificateState::Broken,
        },
        current_authority: wanted.prolong || present.is_some_and(|one| one.is_signed_by(authority)),
        has_chain: wanted.prolong || present.is_some_and(|one| !one.chain.rest().is_empty()),
        authority_ends: authority.certificate.first().info.not_after,
    };
    let conditions = LeafWanted {
        dns_names: &dns_names,
        ip_addresses: &ip_addresses,
        renewal_days: cluster.cluster_ca.renewal_days,
        in_window: wanted.may_renew,
        forced: false,
    };
    let other_key = algorithm.is_rsa()
        && !wanted.prolong
        && present.is_some_and(|one| !one.chain.first().info.has_rsa_key);
    let due = other_key || pki::leaf_decision(&state, &conditions, now).reissue();
    let allowed = wanted.signing.allows(usable);
    let (certificate, key, generation, condition) = match (due && allowed, usable) {
        (false, Some(usable)) => return LeafStep::Ready(kept(wanted, usable, cluster, authority, observed)),
        (false, None) => return LeafStep::Held(UNTRUSTED.to_owned()),
        (true, _) => match observed.made.get(&id) {
            Some(Material::KeyPair { certificate, key }) => {
                let chain = format!("{}\n{}", certificate.trim_end(), authority.certificate.pem());
                (chain, key.0.clone(), authority.cert_generation, precondition(secret))
            }
            _ => {
                return LeafStep::Missing(MaterialRequest::Leaf {
                    id,
                    common_name: wanted.owner.common_name(&cluster.name),
                    organization: principals::ORGANIZATION.to_owned(),
                    dns_names: dns_names.into_iter().collect(),
                    ip_addresses: ip_addresses.into_iter().collect(),
                    validity_days: cluster.cluster_ca.validity_days,
                    algorithm,
                    authority_certificate: authority.certificate.pem(),
                    authority_key: authority_key.clone(),
                });
            }
        },
    };
    let data = data(wanted, cluster, secret, &certificate, key);
    LeafStep::Ready(Leaf { data, certificate, generation, precondition: condition, behind: None })
}

/// The leaf that is there, with what belongs beside it.
pub(super) fn kept(
    wanted: &WantedLeaf<'_>,
    usable: &Present,
    cluster: &Cluster,
    authority: &Authority,
    observed: &Observed,
) -> Leaf {
    let secret = observed.secrets.get(&wanted.owner.secret(&cluster.name)).map(AsRef::as_ref);
    let generation = secret
        .and_then(|secret| generation(secret, annotations::CLUSTER_CA_CERT_GENERATION))
        .unwrap_or(authority.cert_generation);
    let certificate = usable.certificate.clone();
    let data = data(wanted, cluster, secret, &certificate, usable.key.expose().to_owned());
    Leaf { data, certificate, generation, precondition: Precondition::None, behind: None }
}

/// The names and addresses that a leaf is to have.
pub(super) fn names(
    wanted: &WantedLeaf<'_>,
    cluster: &Cluster,
    present: Option<&Present>,
) -> (BTreeSet<String>, BTreeSet<IpAddr>) {
    let own = present.map(|present| &present.chain.first().info);
    if let Some(own) = own.filter(|_| wanted.prolong) {
        return (own.dns_names.clone(), own.ip_addresses.clone());
    }
    let Some(node) = wanted.node else { return Default::default() };
    let (mut dns_names, mut ip_addresses) = node_names(cluster, node);
    // An address that is not known for a while, such as that of a load balancer that is made anew, stays in the certificate:
    // without it there would be two new ones.
    if let Some(own) = own.filter(|_| !cluster.addresses.are_known(node.id)) {
        dns_names.extend(own.dns_names.iter().cloned());
        ip_addresses.extend(own.ip_addresses.iter().copied());
    }
    (dns_names, ip_addresses)
}

/// What the Secret of a leaf holds.
pub(super) fn data(
    wanted: &WantedLeaf<'_>,
    cluster: &Cluster,
    secret: Option<&Secret>,
    certificate: &str,
    key: String,
) -> Data {
    let (cert_key, key_key) = wanted.owner.keys();
    let mut data = Data::from([(cert_key, certificate.as_bytes().to_vec()), (key_key, key.into_bytes())]);
    if wanted.prolong {
        for (key, value) in secret.and_then(|secret| secret.data.as_ref()).into_iter().flatten() {
            data.entry(key.clone()).or_insert_with(|| value.0.clone());
        }
    } else if wanted.node.is_some_and(|node| node.pool.broker) {
        listener_certificates(cluster, &mut data);
    }
    data
}

/// Which key a leaf needs. A list of cipher suites whose TLS 1.2 ones all want an RSA key leaves a node with another key
/// without any for clients that do not speak TLS 1.3.
pub(crate) fn algorithm(cluster: &Cluster, node: Option<Node<'_>>) -> KeyAlgorithm {
    let Some(node) = node else { return KeyAlgorithm::default() };
    let suites = server::options_of(cluster, node).get("ssl.cipher.suites").copied().unwrap_or_default();
    // The names of TLS 1.3 name no key.
    let mut with_key = suites.split(',').map(str::trim).filter(|suite| suite.contains("_WITH_")).peekable();
    let only_rsa = with_key.peek().is_some() && with_key.all(|suite| !suite.contains("_ECDSA_"));
    if only_rsa { KeyAlgorithm::Rsa2048 } else { KeyAlgorithm::default() }
}

/// Copies of the user's own listener certificates.
fn listener_certificates(cluster: &Cluster, data: &mut Data) {
    for listener in &cluster.listeners {
        let Some(own) = &listener.certificate else { continue };
        let file = format!("{}-{}", listener.name, listener.port);
        data.insert(format!("{file}.crt"), own.chain.pem().into_bytes());
        data.insert(format!("{file}.key"), own.key.0.clone().into_bytes());
    }
}

/// Every name and address under which a node is reached.
fn node_names(cluster: &Cluster, node: Node<'_>) -> (BTreeSet<String>, BTreeSet<IpAddr>) {
    let mut all = BTreeSet::new();
    let domain = &cluster.dns_domain;
    let mut services = vec![names::brokers_service(&cluster.name)];
    if node.pool.broker {
        services.push(names::bootstrap_service(&cluster.name));
    }
    for service in services {
        let in_namespace = format!("{service}.{}", cluster.namespace);
        let full = names::service_dns(&service, &cluster.namespace);
        all.extend([service, in_namespace, format!("{full}.{domain}"), full]);
    }
    let host = cluster.pod_host(node);
    all.insert(format!("{host}.{domain}"));
    all.insert(host);
    if node.pool.broker {
        let own = cluster.addresses.names_of_brokers.get(&node.id);
        for listener in cluster.open_listeners(node.id).filter(|listener| listener.tls) {
            all.extend(own.and_then(|own| own.get(&listener.name)).into_iter().flatten().cloned());
            all.extend(listener.alternative_names.iter().cloned());
            all.extend(cluster.addresses.names.get(&listener.name).into_iter().flatten().cloned());
            let address = cluster.addresses.of_broker(node.id, listener);
            // The address of a Kubernetes node is known to the pod alone.
            let host = address.map(|address| address.host.clone()).filter(|host| !host.contains("${"));
            all.extend(host);
        }
    }
    let mut dns_names = BTreeSet::new();
    let mut ip_addresses = BTreeSet::new();
    for name in all {
        match as_ip(&name) {
            Some(address) => {
                ip_addresses.insert(address);
            }
            None => {
                dns_names.insert(name);
            }
        }
    }
    (dns_names, ip_addresses)
}
