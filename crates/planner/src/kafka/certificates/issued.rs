//! An authority for which an issuer of cert-manager signs: the user says which certificates are trusted for it, and the Secret
//! with the certificates of the authority is the operator's copy of them.

use std::collections::BTreeSet;

use api::kafka::CertManager;
use api::names;
use jiff::Timestamp;
use pki::{Certificate, CertificateChain};

use super::authority::{Authority, Signer, precondition};
use super::generated::kept_certificates;
use super::role::Role;
use super::traces::Numbers;
use crate::kafka::cluster::Cluster;
use crate::kafka::observed::Observed;
use crate::kafka::validate::Problem;
use crate::workload::secret::text;

/// So many certificates may be trusted for an issuer. A bundle of every public authority would let anybody in who has a certificate of
/// any of them.
const MOST: usize = 32;

/// Looks at the authority. All that is wrong with it is named.
pub(super) fn look_at(
    role: Role,
    issuer: &CertManager,
    cluster: &Cluster,
    observed: &Observed,
    now: Timestamp,
    may_renew: bool,
) -> Result<Authority, Vec<Problem>> {
    let trusted = trusted(role, issuer, observed, now)?;
    let (cert_name, _) = role.names(&cluster.name);
    let secret = observed.secrets.get(&cert_name).map(AsRef::as_ref);
    let before = secret
        .and_then(|secret| text(secret, names::keys::CA_CRT))
        .and_then(|pem| observed.read_chains.parse(&pem).ok());
    let old = kept_certificates(secret, now, may_renew);
    let known = before.iter().chain(old.values()).flat_map(CertificateChain::iter);
    let numbers = Numbers::of(role, cluster, observed, known.chain(trusted.iter()));
    let mut authority = Authority::new(role, trusted, Signer::Issuer(issuer.issuer_ref.clone()));
    authority.old = old;
    authority.cert_generation = numbers.present_certificate();
    authority.key_generation = numbers.present_key();
    if before.as_ref().map(thumbprints) != Some(thumbprints(&authority.certificate)) {
        authority.cert_generation = numbers.next_certificate();
        authority.cert_precondition = precondition(secret);
    }
    if before.as_ref().map(CertificateChain::authority_ids) != Some(authority.certificate.authority_ids()) {
        authority.key_generation = numbers.next_key();
    }
    // What they signed stays valid: of the cluster CA until nothing shows it any more, of the clients CA until it ends.
    for one in before.iter().flat_map(CertificateChain::iter).filter(|one| !one.info.is_expired(now)) {
        authority.also_trust([one]);
    }
    Ok(authority)
}

fn thumbprints(chain: &CertificateChain) -> BTreeSet<&str> {
    chain.iter().map(|one| one.info.sha256_thumbprint.as_str()).collect()
}

/// The certificates that the user says are to be trusted, without those that have ended.
fn trusted(
    role: Role,
    issuer: &CertManager,
    observed: &Observed,
    now: Timestamp,
) -> Result<CertificateChain, Vec<Problem>> {
    let section = match role {
        Role::Cluster => "spec.clusterCa.certManager.caCert",
        Role::Clients => "spec.clientsCa.certManager.caCert",
    };
    let problem = |part: &str, message: String| vec![Problem::new(format!("{section}.{part}"), message)];
    let (name, key) = (&issuer.ca_cert.secret_name, &issuer.ca_cert.certificate);
    if let Some(why) = observed.not_read.secrets.get(name) {
        return Err(problem("secretName", format!("Secret {name:?} is not read: {why}")));
    }
    let Some(secret) = observed.secrets.get(name) else {
        return Err(problem(
            "secretName",
            format!(
                "Secret {name:?} does not exist in the namespace: create it with the certificates by which those of the issuer are \
                 trusted, or correct the name"
            ),
        ));
    };
    let Some(pem) = text(secret, key) else {
        return Err(problem("certificate", format!("Secret {name:?} has no text under the key {key:?}")));
    };
    let all = observed.read_chains.parse(&pem).map_err(|error| {
        problem("certificate", format!("the key {key:?} of Secret {name:?} cannot be used: {error}"))
    })?;
    let count = all.iter().count();
    if count > MOST {
        return Err(problem(
            "certificate",
            format!(
                "the key {key:?} of Secret {name:?} holds {count} certificates, at most {MOST} are possible: write there only those of \
                 the issuer's own authorities, as whoever has a certificate of any of them is let in"
            ),
        ));
    }
    let is_no_authority = |one: &&Certificate| !one.info.is_ca;
    if let Some(other) = all.iter().find(is_no_authority) {
        return Err(problem(
            "certificate",
            format!(
                "the key {key:?} of Secret {name:?} holds a certificate with the subject {:?} that is not a certificate authority: \
                 write there only those that are to be trusted, with the basic constraint CA:TRUE",
                other.info.subject
            ),
        ));
    }
    let valid: String = all.iter().filter(|one| !one.info.is_expired(now)).map(Certificate::pem).collect();
    observed.read_chains.parse(&valid).map_err(|_| {
        let ended = all.iter().map(|one| one.info.not_after).max().unwrap_or(now);
        problem(
            "certificate",
            format!("every certificate under the key {key:?} of Secret {name:?} has ended, the last at {ended}: write new ones there"),
        )
    })
}
