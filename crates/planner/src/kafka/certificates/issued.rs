//! An authority for which an issuer of cert-manager signs: the user says which certificates are trusted for it, and the Secret
//! with the certificates of the authority is the operator's copy of them.

use std::collections::BTreeSet;

use api::kafka::CertManager;
use api::{annotations, names};
use jiff::Timestamp;
use pki::{Certificate, CertificateChain};

use super::authority::{Authority, Signer, precondition};
use super::generated::kept_certificates;
use super::generation;
use super::role::Role;
use super::traces::{Numbers, Traces};
use crate::kafka::cluster::Cluster;
use crate::kafka::observed::Observed;
use crate::kafka::validate::Problem;
use crate::words;
use crate::workload::secret::text;

/// So many certificates may be trusted for an issuer. A bundle of every public authority would let anybody in who has a certificate of
/// any of them.
const MOST: usize = 32;

/// Keys of a Secret that a message shows.
const NAMED: usize = 5;

/// Looks at the authority. All that is wrong with it is named. `traces` are the authorities that pods were told to trust.
pub(super) fn look_at(
    role: Role,
    issuer: &CertManager,
    cluster: &Cluster,
    observed: &Observed,
    now: Timestamp,
    may_renew: bool,
    traces: &Traces,
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
    // What they signed stays valid: of the cluster CA until no node shows a leaf of it, of the clients CA until it ends.
    // Only what pods were told to trust: whoever else wrote into the Secret does not make an authority trusted.
    let told = |one: &&Certificate| traces.contains_key(&one.info.sha256_thumbprint);
    for one in before.iter().flat_map(CertificateChain::iter).filter(told) {
        if one.info.is_ca && !one.info.is_expired(now) {
            authority.also_trust([one]);
        }
    }
    if before.is_none() && role == Role::Clients {
        // Traces of users that it signed are good until the users have new certificates.
        authority.also_trust(traces.values());
    }
    Ok(authority)
}

/// The authority as the operator's own Secret has it, where that of the user cannot be used: what is there is kept alive with it.
pub(super) fn as_copied(
    role: Role,
    issuer: &CertManager,
    cluster: &Cluster,
    observed: &Observed,
    now: Timestamp,
) -> Option<Authority> {
    let secret = observed.secrets.get(&role.names(&cluster.name).0)?;
    let trusted = observed.read_chains.parse(&text(secret, names::keys::CA_CRT)?).ok()?;
    let mut authority = Authority::new(role, trusted, Signer::Issuer(issuer.issuer_ref.clone()));
    authority.old = kept_certificates(Some(secret), now, false);
    authority.cert_generation = generation(secret, annotations::CA_CERT_GENERATION).unwrap_or(0);
    authority.key_generation = generation(secret, annotations::CA_KEY_GENERATION).unwrap_or(0);
    Some(authority)
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
        let keys: Vec<&str> = secret.data.iter().flatten().map(|(key, _)| key.as_str()).collect();
        let keys = words::first(&keys, NAMED, ", ");
        return Err(problem(
            "certificate",
            format!("Secret {name:?} has no text under the key {key:?}: its keys are {keys}"),
        ));
    };
    let all = observed.read_chains.parse(&pem).map_err(|error| {
        problem("certificate", format!("the key {key:?} of Secret {name:?} cannot be used: {error}"))
    })?;
    let count = all.iter().count();
    if count > MOST {
        return Err(problem(
            "certificate",
            format!(
                "the key {key:?} of Secret {name:?} holds {count} certificates, at most {MOST} are allowed: write there only those of \
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
                other.info.short_subject()
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
