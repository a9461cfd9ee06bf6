//! `brokerCertChainAndKey` of a listener: a certificate of the user's own, with its key.
//!
//! What comes out of here was read as certificates and as the key that belongs to the first of them. Everything else of
//! the Secret, and of the texts in it, stays where it is.

use api::labels;
use k8s_openapi::api::core::v1::Secret;
use pki::{CertificateChain, KeyFit, PrivateKeyPem, SecretPem};

use crate::findings::Findings;
use crate::kafka::cluster::ListenerCertificate;
use crate::kafka::observed::Observed;
use crate::kafka::validate::CertificateReference;
use crate::workload::secret::text;

/// Reads the certificate; what is wrong with it is a problem.
pub(super) fn read(
    reference: &CertificateReference,
    observed: &Observed,
    findings: &mut Findings,
) -> Option<ListenerCertificate> {
    let path = &reference.field;
    let secret = secret(reference, observed, findings)?;
    let name = &reference.secret;
    let mut part = |part: &str, key: &str| {
        let found = text(secret, key);
        if found.is_none() {
            let present = secret.data.as_ref().is_some_and(|data| data.contains_key(key));
            let what = if present { "no text under the key" } else { "no key" };
            findings.problem(format!("{path}.{part}"), format!("Secret {name:?} has {what} {key:?}"));
        }
        found
    };
    let certificate = part("certificate", &reference.certificate);
    let key = part("key", &reference.key);
    let chain = certificate.and_then(|pem| {
        let chain = observed.read_chains.parse(&pem);
        let refused = |error| {
            let key = &reference.certificate;
            let message = format!("the key {key:?} of Secret {name:?} cannot be used: {error}");
            findings.problem(format!("{path}.certificate"), message);
        };
        chain.map_err(refused).ok()
    });
    let key = key.and_then(|pem| {
        let refused = |error| {
            let key = &reference.key;
            let message = format!("the key {key:?} of Secret {name:?} cannot be used: {error}");
            findings.problem(format!("{path}.key"), message);
        };
        PrivateKeyPem::new(pem).in_pkcs8().map_err(refused).ok()
    });
    let (chain, key) = (chain?, key?);
    if key.fits(&chain.first().info) == KeyFit::Differs {
        say_mismatch(reference, &chain, &key, findings);
        return None;
    }
    Some(ListenerCertificate { chain, key: SecretPem(key.expose().to_owned()) })
}

/// The Secret, if it is the user's own.
fn secret<'a>(
    reference: &CertificateReference,
    observed: &'a Observed,
    findings: &mut Findings,
) -> Option<&'a Secret> {
    let path = &reference.field;
    let name = &reference.secret;
    if let Some(why) = observed.not_read.secrets.get(name) {
        findings.problem(format!("{path}.secretName"), format!("Secret {name:?} is not read: {why}"));
        return None;
    }
    let Some(secret) = observed.secrets.get(name) else {
        findings.problem(
            format!("{path}.secretName"),
            format!(
                "Secret {name:?} does not exist in the namespace: create it, or correct the name; one with the label {} \
                 belongs to an operator and does not count",
                labels::KIND
            ),
        );
        return None;
    };
    if let Some(kind) = secret.metadata.labels.as_ref().and_then(|all| all.get(labels::KIND)) {
        findings.problem(
            format!("{path}.secretName"),
            format!(
                "Secret {name:?} has the label {}: {kind}, so it belongs to an operator and cannot be used here: write \
                 certificate and key into a Secret of your own without that label, and name it",
                labels::KIND
            ),
        );
        return None;
    }
    Some(secret)
}

/// Says which of the two is wrong: the order of the certificates, or the key.
fn say_mismatch(
    reference: &CertificateReference,
    chain: &CertificateChain,
    key: &PrivateKeyPem,
    findings: &mut Findings,
) {
    let (path, name) = (&reference.field, &reference.secret);
    let owner = chain.rest().iter().find(|one| key.fits(&one.info) == KeyFit::Fits);
    match owner {
            Some(owner) => findings.problem(
                format!("{path}.certificate"),
                format!(
                    "the certificates of the key {:?} of Secret {name:?} are in the wrong order: the one that belongs to the \
                     private key, with the subject {:?}, has to be the first, behind it the one that signed it",
                    reference.certificate, owner.info.subject
                ),
            ),
            None => findings.problem(
                format!("{path}.key"),
                format!(
                    "the private key {:?} of Secret {name:?} does not belong to the certificate with the subject {:?} under \
                     {:?}: write a key and a certificate that belong together",
                    reference.key,
                    chain.first().info.subject,
                    reference.certificate
                ),
            ),
        }
}
