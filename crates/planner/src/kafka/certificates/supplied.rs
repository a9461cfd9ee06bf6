//! An authority that the user supplies: what is wrong with it is said all at once.

use std::collections::BTreeMap;

use api::{annotations, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use pki::{CertificateChain, KeyFit, PrivateKeyPem, SecretPem};

use super::authority::{Authority, Signer};
use super::generation;
use super::role::Role;
use crate::kafka::cluster::Cluster;
use crate::kafka::observed::Observed;
use crate::kafka::validate::Problem;
use crate::workload::secret::text;

/// Collects what is wrong with an authority.
struct Complaints {
    field: &'static str,
    problems: Vec<Problem>,
}

impl Complaints {
    fn add(&mut self, message: String) {
        self.problems.push(Problem::new(self.field, message));
    }
}

/// Looks at the authority. All that is wrong with it is named.
pub(super) fn look_at(
    role: Role,
    cluster: &Cluster,
    observed: &Observed,
    now: Timestamp,
) -> Result<Authority, Vec<Problem>> {
    let field = match role {
        Role::Cluster => "spec.clusterCa.generateCertificateAuthority",
        Role::Clients => "spec.clientsCa.generateCertificateAuthority",
    };
    let mut complaints = Complaints { field, problems: Vec::new() };
    let (cert_name, key_name) = role.names(&cluster.name);
    let entry = |secret: &str, key: &str, annotation: &str, complaints: &mut Complaints| {
        let found = observed.secrets.get(secret).and_then(|secret| text(secret, key));
        if found.is_none() {
            complaints.add(format!(
                "is false, but the Secret {secret:?} with the key {key:?} does not exist: create it with the labels \
                 strimzi.io/kind: Kafka and strimzi.io/cluster: {} and the annotation {annotation}: \"0\", or set the field \
                 to true",
                cluster.name
            ));
        }
        found
    };
    let certificate =
        entry(&cert_name, names::keys::CA_CRT, annotations::CA_CERT_GENERATION, &mut complaints);
    let key = entry(&key_name, names::keys::CA_KEY, annotations::CA_KEY_GENERATION, &mut complaints);
    let cert_secret = observed.secrets.get(&cert_name).map(AsRef::as_ref);
    let key_secret = observed.secrets.get(&key_name).map(AsRef::as_ref);
    let chain = certificate.and_then(|pem| {
        let chain = chain_of(&pem, &cert_name, names::keys::CA_CRT, &mut complaints)?;
        check_signing(&chain, &cert_name, now, &mut complaints);
        Some(chain)
    });
    let key = key.map(PrivateKeyPem::new);
    let readable = key.as_ref().is_some_and(|key| check_key(key, &key_name, &mut complaints));
    if let (Some(chain), Some(key), true) = (&chain, &key, readable) {
        check_pair(chain, key, (&cert_name, &key_name), &mut complaints);
    }
    if let Some(chain) = &chain {
        check_order(chain, &cert_name, names::keys::CA_CRT, &mut complaints);
    }
    let old = others(cert_secret, &cert_name, &mut complaints);
    match (chain, key) {
        (Some(chain), Some(key)) if complaints.problems.is_empty() => {
            let mut authority = Authority::new(role, chain, Signer::Key(SecretPem(key.expose().to_owned())));
            let number = |secret: Option<&Secret>, annotation: &str| {
                secret.and_then(|secret| generation(secret, annotation)).unwrap_or(0)
            };
            authority.cert_generation = number(cert_secret, annotations::CA_CERT_GENERATION);
            authority.key_generation = number(key_secret, annotations::CA_KEY_GENERATION);
            authority.old = old;
            authority.supplied = true;
            Ok(authority)
        }
        _ => Err(complaints.problems),
    }
}

/// The certificates under a key.
fn chain_of(pem: &str, secret: &str, key: &str, complaints: &mut Complaints) -> Option<CertificateChain> {
    match CertificateChain::parse(pem) {
        Ok(chain) => Some(chain),
        Err(error) => {
            complaints.add(format!(
                "is false, but the key {key:?} of the Secret {secret:?} cannot be used: {error}"
            ));
            None
        }
    }
}

/// Whether the first certificate may sign, now.
fn check_signing(chain: &CertificateChain, secret: &str, now: Timestamp, complaints: &mut Complaints) {
    let info = &chain.first().info;
    let key = names::keys::CA_CRT;
    if !info.is_ca {
        complaints.add(format!(
            "is false, but the first certificate of the key {key:?} of the Secret {secret:?}, with the subject {:?}, is not a \
             certificate authority: write one with the basic constraint CA:TRUE there",
            info.subject
        ));
    }
    if info.is_expired(now) {
        complaints.add(format!(
            "is false, but the certificate with the subject {:?} in the Secret {secret:?} ended at {}: write a new one under \
             the key {key:?} and raise the annotation {}",
            info.subject,
            info.not_after,
            annotations::CA_CERT_GENERATION
        ));
    }
}

/// Whether the key can be read. It is said beside what is wrong with the certificates, so that all is mended at once.
fn check_key(key: &PrivateKeyPem, secret: &str, complaints: &mut Complaints) -> bool {
    let entry = names::keys::CA_KEY;
    let read = key.der();
    if let Err(error) = &read {
        complaints
            .add(format!("is false, but the key {entry:?} of the Secret {secret:?} cannot be used: {error}"));
    }
    read.is_ok()
}

/// Whether the key is that of the first certificate.
fn check_pair(
    chain: &CertificateChain,
    key: &PrivateKeyPem,
    (cert_name, key_name): (&str, &str),
    complaints: &mut Complaints,
) {
    let (crt, entry) = (names::keys::CA_CRT, names::keys::CA_KEY);
    if key.fits(&chain.first().info) != KeyFit::Differs {
        return;
    }
    let owner = chain.rest().iter().find(|one| key.fits(&one.info) == KeyFit::Fits);
    complaints.add(match owner {
        Some(owner) => format!(
            "is false, but the certificates of the key {crt:?} of the Secret {cert_name:?} are in the wrong order: the one \
             that belongs to the private key, with the subject {:?}, has to be the first, behind it the one that signed it, \
             and so on up to the root",
            owner.info.subject
        ),
        None => format!(
            "is false, but the private key {entry:?} of the Secret {key_name:?} does not belong to the certificate with the \
             subject {:?} under {crt:?} of the Secret {cert_name:?}: write a key and a certificate that belong together",
            chain.first().info.subject
        ),
    });
}

/// Whether each certificate is followed by the one that signed it.
fn check_order(chain: &CertificateChain, secret: &str, key: &str, complaints: &mut Complaints) {
    let said = complaints.problems.iter().any(|problem| problem.message.contains("wrong order"));
    if let Some(one) = chain.out_of_order().filter(|_| !said) {
        complaints.add(format!(
            "is false, but the certificates of the key {key:?} of the Secret {secret:?} are in the wrong order: the one with \
             the subject {:?} has to be followed by the one that signed it, with the subject {:?}, and so on up to the root",
            one.info.subject, one.info.issuer
        ));
    }
}

/// What the user wants trusted beside the authority.
fn others(
    secret: Option<&Secret>,
    name: &str,
    complaints: &mut Complaints,
) -> BTreeMap<String, CertificateChain> {
    let mut found = BTreeMap::new();
    for key in secret.and_then(|secret| secret.data.as_ref()).into_iter().flat_map(BTreeMap::keys) {
        if key.strip_suffix(".crt").is_none() || key == names::keys::CA_CRT {
            continue;
        }
        if let Some(pem) = secret.and_then(|secret| text(secret, key))
            && let Some(chain) = chain_of(&pem, name, key, complaints)
        {
            check_order(&chain, name, key, complaints);
            found.insert(key.clone(), chain);
        }
    }
    found
}
