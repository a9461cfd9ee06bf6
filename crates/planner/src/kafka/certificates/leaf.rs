//! The certificate of a node or an operator, signed by the cluster CA.

use std::collections::BTreeSet;
use std::net::IpAddr;

use api::{annotations, names, principals};
use jiff::Timestamp;
use pki::{CertificatePem, CertificateState, LeafState, LeafWanted};

use super::authority::{Authority, precondition};
use super::{generation, text};
use crate::kafka::cluster::{Cluster, Node, as_ip};
use crate::kafka::config::server;
use crate::kafka::objects::secret::{Data, LeafOwner};
use crate::kafka::observed::Observed;
use objects::Precondition;
use pki::Material;
use pki::MaterialRequest;

/// A certificate that is there.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// Content of its Secret.
    pub data: Data,
    /// The certificate with its chain, PEM.
    pub certificate: String,
    /// Generation of the authority that signed it.
    pub generation: i64,
    /// What must hold when the Secret is written.
    pub precondition: Precondition,
}

/// How far a certificate is.
#[derive(Debug)]
pub enum Step {
    /// This must be made first.
    Missing(MaterialRequest),
    /// It is there.
    Ready(Leaf),
}

/// What is wanted.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Whose certificate.
    pub owner: &'a LeafOwner,
    /// The node, when it is one.
    pub node: Option<Node<'a>>,
    /// Whether certificates may be renewed now.
    pub may_renew: bool,
    /// Whether every pod trusts the authority's present key.
    pub trusted_everywhere: bool,
    /// Whether the certificate that is there is only prolonged: under its names, with everything beside it as it is.
    pub prolong: bool,
}

/// Looks at a certificate.
pub fn plan(
    wanted: &Wanted<'_>,
    cluster: &Cluster,
    authority: &Authority,
    observed: &Observed,
    now: Timestamp,
) -> Step {
    let id = wanted.owner.secret(&cluster.name);
    let (cert_key, key_key) = wanted.owner.keys();
    let secret = observed.secrets.get(&id);
    let present = secret.and_then(|secret| Some((text(secret, &cert_key)?, text(secret, &key_key)?)));
    let present_generation =
        secret.and_then(|secret| generation(secret, annotations::CLUSTER_CA_CERT_GENERATION));
    let certificates = present
        .as_ref()
        .map(|(certificate, _)| pki::parse_certificates(&CertificatePem::new(certificate.as_str())));
    let (dns_names, ip_addresses) = match &certificates {
        Some(Ok(all)) if wanted.prolong => {
            all.first().map(|own| (own.dns_names.clone(), own.ip_addresses.clone())).unwrap_or_default()
        }
        _ => wanted.node.map(|node| node_names(cluster, node)).unwrap_or_default(),
    };
    let state = LeafState {
        certificate: match &certificates {
            None => CertificateState::Missing,
            Some(Ok(all)) => all.first().map_or(CertificateState::Broken, CertificateState::Present),
            Some(Err(_)) => CertificateState::Broken,
        },
        // While some pod does not trust a new key yet, the leaf of the former one stays.
        current_authority: present_generation == Some(authority.cert_generation)
            || !wanted.trusted_everywhere,
        has_chain: matches!(&certificates, Some(Ok(all)) if all.len() > 1),
    };
    let conditions = LeafWanted {
        dns_names: &dns_names,
        ip_addresses: &ip_addresses,
        renewal_days: cluster.cluster_ca.renewal_days,
        in_window: wanted.may_renew,
        forced: false,
    };
    let due = pki::leaf_decision(&state, &conditions, now).reissue();
    let (certificate, key, generation, condition) = match (due, present) {
        (false, Some((certificate, key))) => {
            let generation = present_generation.unwrap_or(authority.cert_generation);
            (certificate, key, generation, Precondition::None)
        }
        _ => match observed.made.get(&id) {
            Some(Material::KeyPair { certificate, key }) => {
                let chain = format!("{}\n{}\n", certificate.trim_end(), authority.certificate.trim_end());
                (chain, key.0.clone(), authority.cert_generation, precondition(secret.map(AsRef::as_ref)))
            }
            _ => return Step::Missing(request(id, wanted, cluster, authority, dns_names, ip_addresses)),
        },
    };
    let mut data = Data::from([(cert_key, certificate.clone().into_bytes()), (key_key, key.into_bytes())]);
    if wanted.prolong {
        for (key, value) in secret.and_then(|secret| secret.data.as_ref()).into_iter().flatten() {
            data.entry(key.clone()).or_insert_with(|| value.0.clone());
        }
    } else if wanted.node.is_some_and(|node| node.pool.broker) {
        listener_certificates(cluster, observed, &mut data);
    }
    Step::Ready(Leaf { data, certificate, generation, precondition: condition })
}

fn request(
    id: String,
    wanted: &Wanted<'_>,
    cluster: &Cluster,
    authority: &Authority,
    dns_names: BTreeSet<String>,
    ip_addresses: BTreeSet<IpAddr>,
) -> MaterialRequest {
    MaterialRequest::Leaf {
        id,
        common_name: wanted.owner.common_name(&cluster.name),
        organization: principals::ORGANIZATION.to_owned(),
        dns_names: dns_names.into_iter().collect(),
        ip_addresses: ip_addresses.into_iter().collect(),
        validity_days: cluster.cluster_ca.validity_days,
        authority_certificate: authority.certificate.clone(),
        authority_key: authority.key.clone(),
    }
}

/// Copies of the user's own listener certificates.
fn listener_certificates(cluster: &Cluster, observed: &Observed, data: &mut Data) {
    for listener in &cluster.listeners {
        let Some((secret, certificate, key)) = &listener.certificate else { continue };
        let Some(secret) = observed.secrets.get(secret) else { continue };
        for (source, kind) in [(certificate, "crt"), (key, "key")] {
            if let Some(text) = text(secret, source) {
                data.insert(format!("{}-{}.{kind}", listener.name, listener.port), text.into_bytes());
            }
        }
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
        for listener in cluster.listeners.iter().filter(|listener| listener.tls) {
            all.extend(listener.alternative_names.iter().cloned());
            all.insert(server::advertised_address(cluster, node, listener).0);
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
