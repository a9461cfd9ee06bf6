//! What the objects of a cluster remember of its authorities, when the Secrets with the authorities are lost or damaged.

use std::collections::{BTreeMap, BTreeSet};

use api::kinds;
use api::{annotations, labels, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use pki::Certificate;

use super::phase::running;
use super::role::Role;
use super::{generation, leaf_owners};
use crate::kafka::cluster::Cluster;
use crate::kafka::objects::secret::LeafOwner;
use crate::kafka::observed::Observed;
use crate::workload::secret::text;

/// Traces by their thumbprints.
pub(crate) type Traces = BTreeMap<String, Certificate>;

/// The cluster CAs that signed the leaves in the Secrets, or that the trust bundle tells pods to trust, and that have not
/// ended. They are trusted as long as a leaf or a pod may need them.
pub(crate) fn of_cluster_ca(cluster: &Cluster, observed: &Observed, now: Timestamp) -> Traces {
    let mut found = told(cluster, observed, Role::Cluster);
    for (owner, secret) in leaf_secrets(cluster, observed) {
        let Some(chain) = text(secret, &owner.keys().0).and_then(|pem| observed.read_chains.parse(&pem).ok())
        else {
            continue;
        };
        // Whoever trusts the last one needs no other on the way to it, as the leaf is shown with them.
        let mut last = chain.first();
        for next in chain.rest() {
            if !next.info.is_ca || !next.info.may_have_issued(&last.info) {
                break;
            }
            last = next;
        }
        if last.info.is_ca {
            found.insert(last.info.sha256_thumbprint.clone(), last.clone());
        }
    }
    found.retain(|_, certificate| !certificate.info.is_expired(now));
    found
}

/// The clients CAs that the trust bundle tells pods to trust, and that have not ended.
pub(crate) fn of_clients_ca(cluster: &Cluster, observed: &Observed, now: Timestamp) -> Traces {
    let mut found = told(cluster, observed, Role::Clients);
    found.retain(|_, certificate| !certificate.info.is_expired(now));
    found
}

/// The authorities that the pods are told to trust: by the trust bundle, and by the copies of it in the Secrets of the nodes, which belong
/// to the pools and outlive the Kafka resource.
fn told(cluster: &Cluster, observed: &Observed, role: Role) -> Traces {
    let (in_bundle, in_copy) = match role {
        Role::Cluster => (names::keys::TRUST_BUNDLE_CLUSTER_CA, names::keys::NODE_CLUSTER_CAS),
        Role::Clients => (names::keys::TRUST_BUNDLE_CLIENTS_CA, names::keys::NODE_CLIENTS_CAS),
    };
    let bundle = observed.secrets.get(&names::trust_bundle_secret(&cluster.name));
    let mut texts: Vec<String> = bundle.and_then(|secret| text(secret, in_bundle)).into_iter().collect();
    let nodes = leaf_secrets(cluster, observed).into_iter();
    texts.extend(nodes.filter_map(|(owner, secret)| match owner {
        LeafOwner::Node { .. } => text(secret, in_copy),
        _ => None,
    }));
    texts.sort();
    texts.dedup();
    let mut found = Traces::new();
    for chain in texts.iter().filter_map(|pem| observed.read_chains.parse(pem).ok()) {
        let authorities = chain.iter().filter(|one| one.info.is_ca);
        found.extend(authorities.map(|one| (one.info.sha256_thumbprint.clone(), one.clone())));
    }
    found
}

/// Every Secret with a leaf of the cluster, those of nodes that are about to go included.
fn leaf_secrets<'a>(cluster: &Cluster, observed: &'a Observed) -> Vec<(LeafOwner, &'a Secret)> {
    let mut owners: BTreeSet<LeafOwner> = leaf_owners(cluster).into_iter().map(|(owner, _)| owner).collect();
    for (name, secret) in &observed.secrets {
        let owner = LeafOwner::Node { pod: name.clone() };
        let all = secret.metadata.labels.as_ref();
        let is =
            |key: &str, value: &str| all.and_then(|all| all.get(key)).is_some_and(|found| found == value);
        if is(labels::CLUSTER, &cluster.name) && is(labels::KIND, kinds::KAFKA) {
            owners.insert(owner);
        }
    }
    let secret_of = |owner: LeafOwner| {
        let secret = observed.secrets.get(&owner.secret(&cluster.name))?;
        Some((owner, secret.as_ref()))
    };
    owners.into_iter().filter_map(secret_of).collect()
}

/// Every number that was given to a key or a certificate of an authority. A new key or certificate gets the next number; only
/// people read the numbers.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// Numbers of keys anywhere but on the key's own Secret.
    key: Option<i64>,
    /// The number on the key's own Secret.
    own_key: Option<i64>,
    /// Numbers of certificates anywhere but on the certificate's own Secret.
    certificate: Option<i64>,
    /// The number on the certificate's own Secret.
    own_certificate: Option<i64>,
}

impl Numbers {
    /// Collects the numbers from every object that has some. `certificates` are those of the authority that are known, the present one included.
    pub(crate) fn of<'a>(
        role: Role,
        cluster: &Cluster,
        observed: &Observed,
        certificates: impl Iterator<Item = &'a Certificate>,
    ) -> Self {
        let (cert_secret, key_secret) = role.names(&cluster.name);
        let own =
            |name: &str, key: &str| observed.secrets.get(name).and_then(|secret| generation(secret, key));
        let on_others = match role {
            Role::Cluster => annotations::CLUSTER_CA_CERT_GENERATION,
            Role::Clients => annotations::CLIENTS_CA_CERT_GENERATION,
        };
        let mut key: Option<i64> = certificates.filter_map(|one| role.number_in(&one.info.common_name)).max();
        let mut certificate = own(&names::trust_bundle_secret(&cluster.name), on_others);
        for pod in running(cluster, observed) {
            let all = pod.metadata.annotations.as_ref();
            let number = |key: &str| all.and_then(|all| all.get(key)?.parse::<i64>().ok());
            certificate = certificate.max(number(on_others));
            if role == Role::Cluster {
                key = key.max(number(annotations::CLUSTER_CA_KEY_GENERATION));
            }
        }
        if role == Role::Cluster {
            for (_, secret) in leaf_secrets(cluster, observed) {
                certificate = certificate.max(generation(secret, on_others));
            }
        }
        Self {
            key,
            // Where an issuer signs, the Secret with the certificates says it.
            own_key: own(&key_secret, annotations::CA_KEY_GENERATION)
                .max(own(&cert_secret, annotations::CA_KEY_GENERATION)),
            certificate,
            own_certificate: own(&cert_secret, annotations::CA_CERT_GENERATION),
        }
    }

    /// The number of the key that is there.
    pub(crate) fn present_key(&self) -> i64 {
        self.own_key.or(self.key).unwrap_or(0)
    }

    /// The number of a new key.
    pub(crate) fn next_key(&self) -> i64 {
        next(self.own_key.max(self.key))
    }

    /// The number of a key that is there and of which no certificate is known.
    pub(crate) fn unseen_key(&self) -> i64 {
        self.own_key.filter(|own| Some(*own) > self.key).unwrap_or_else(|| self.next_key())
    }

    /// The number of the certificate that is there.
    pub(crate) fn present_certificate(&self) -> i64 {
        self.own_certificate.or(self.certificate).unwrap_or(0)
    }

    /// The number of a new certificate.
    pub(crate) fn next_certificate(&self) -> i64 {
        next(self.own_certificate.max(self.certificate))
    }
}

fn next(highest: Option<i64>) -> i64 {
    highest.map_or(0, |highest| highest.saturating_add(1))
}
