//! The certificate of a node or an operator where an issuer of cert-manager signs: cert-manager keeps it in a Secret of its own and renews
//! it, and it is copied from there once it is good for its owner and every pod trusts who signed it. So a certificate that the
//! issuer made of another authority, or for another subject, reaches no pod, and none before a maintenance window that could wait for it.

use std::collections::BTreeSet;

use api::{cert_manager, names, principals};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use pki::{Certificate, CertificateChain, CertificateInfo, Material, MaterialRequest, Purposes, SecretPem};

use super::authority::{Authority, precondition};
use super::leaf::{self, Leaf, LeafStep, Leaves, Present, UNTRUSTED, WantedLeaf};
use crate::kafka::cluster::Cluster;
use crate::kafka::observed::Observed;
use crate::words;
use crate::workload::secret::text;

/// When less than one part in so many of the time is left that cert-manager has for a renewal, it is said.
const PART: u32 = 2;

/// Names of a certificate that a message shows.
const NAMED: usize = 5;

/// A certificate that cert-manager offers.
struct Offer {
    chain: CertificateChain,
    key: SecretPem,
}

/// Looks at a certificate, of which `leaves` say what is there.
pub(super) fn look_at(
    wanted: &WantedLeaf<'_>,
    leaves: &Leaves,
    cluster: &Cluster,
    authority: &Authority,
    observed: &Observed,
    now: Timestamp,
) -> LeafStep {
    let id = wanted.owner.secret(&cluster.name);
    let found = leaves.get(wanted.owner);
    let usable = found.usable(now);
    let keep = |behind: Option<String>| match usable {
        Some(usable) => {
            LeafStep::Ready(Leaf { behind, ..leaf::kept(wanted, usable, cluster, authority, observed) })
        }
        None => LeafStep::Held(behind.map_or_else(
            || UNTRUSTED.to_owned(),
            |why| format!("has no certificate yet: Certificate {id}: {why}"),
        )),
    };
    if !wanted.signing.allows(usable) {
        return keep(None);
    }
    let name = names::issued_secret(&id);
    let secret = observed.secrets.get(&name).map(AsRef::as_ref);
    let said = observed.issuance.get(&id).map(String::as_str);
    let offer = match secret.map_or(Ok(None), |secret| offer(secret, observed)) {
        Ok(Some(offer)) => offer,
        Ok(None) => return keep(Some(words_of(said, "cert-manager has not issued it yet"))),
        Err(why) => return keep(Some(format!("Secret {name} {why}"))),
    };
    let (dns_names, ip_addresses) = leaf::names(wanted, cluster, found.present());
    let offered = &offer.chain.first().info;
    let lacks = |info: &CertificateInfo| {
        let names = dns_names.difference(&info.dns_names).cloned();
        names.chain(ip_addresses.difference(&info.ip_addresses).map(ToString::to_string)).collect::<Vec<_>>()
    };
    if let Some(usable) = usable.filter(|usable| is_taken(usable, offered, authority)) {
        let days = cluster.cluster_ca.renewal_days / PART;
        if usable.chain.first().info.expires_within(days, now) {
            return keep(Some(words_of(said, "cert-manager has not renewed it")));
        }
        let missing = lacks(&usable.chain.first().info);
        return keep((!missing.is_empty()).then(|| words_of(said, &lacking(missing))));
    }
    let subject = format!("O={}, CN={}", principals::ORGANIZATION, wanted.owner.common_name(&cluster.name));
    let must_have_rsa = !wanted.prolong && leaf::algorithm(cluster, wanted.node).is_rsa();
    let why = if offered.is_expired(now) {
        Some(words_of(said, &format!("the one that cert-manager has ended at {}", offered.not_after)))
    } else if offered.not_before > now {
        Some(format!("the one that cert-manager has begins at {}", offered.not_before))
    } else if offered.subject != subject {
        Some(format!(
            "the issuer made it for the subject {:?} and not for {subject:?}: Kafka knows its own parts by this name, so an issuer is \
             needed that leaves the common name and the organization as they are and adds nothing",
            offered.subject
        ))
    } else if must_have_rsa && !offered.has_rsa_key {
        Some(words_of(said, "it has no RSA key yet, which ssl.cipher.suites asks for"))
    } else {
        Some(lacks(offered))
            .filter(|missing| !missing.is_empty())
            .map(|missing| words_of(said, &lacking(missing)))
    };
    if why.is_some() {
        return keep(why);
    }
    // A renewed certificate can wait; one under other names, or of another authority, is needed.
    let can_wait = usable
        .is_some_and(|usable| usable.is_signed_by(authority) && lacks(&usable.chain.first().info).is_empty());
    if can_wait && !wanted.may_renew {
        return keep(None);
    }
    match observed.made.get(&name) {
        Some(Material::Verified(Ok(signer))) => match observed
            .read_chains
            .parse(signer)
            .ok()
            .and_then(|signer| path(&offer.chain, signer.first()))
        {
            Some(certificate) => {
                let secret = observed.secrets.get(&id).map(AsRef::as_ref);
                let data = leaf::data(wanted, cluster, secret, &certificate, offer.key.0);
                let generation = authority.cert_generation;
                let precondition = precondition(secret);
                LeafStep::Ready(Leaf { data, certificate, generation, precondition, behind: None })
            }
            None => keep(Some(format!(
                "the certificates behind it in the Secret {name} do not lead from one to the next"
            ))),
        },
        Some(Material::Verified(Err(why))) => keep(Some(format!(
            "the one that cert-manager has cannot be used: {why}; once the Secret of caCert has the authority that signs, have it \
             issued anew, for instance with cmctl renew {id}"
        ))),
        _ => LeafStep::Missing(MaterialRequest::Verification {
            id: name,
            chain: offer.chain.pem(),
            key: offer.key,
            trusted: authority.certificate.pem(),
            purposes: Purposes::ServerAndClient,
        }),
    }
}

/// What the Secret of cert-manager holds; nothing while it waits for the issuer.
fn offer(secret: &Secret, observed: &Observed) -> Result<Option<Offer>, String> {
    let (Some(certificate), Some(key)) =
        (text(secret, cert_manager::TLS_CRT), text(secret, cert_manager::TLS_KEY))
    else {
        return Ok(None);
    };
    match observed.read_chains.parse(&certificate) {
        Ok(chain) => Ok(Some(Offer { chain, key: SecretPem(key) })),
        Err(error) => Err(format!("cannot be used: {error}")),
    }
}

/// Whether the certificate that is there is the offered one, with the authority beside it by which it is trusted now.
fn is_taken(usable: &Present, offered: &CertificateInfo, authority: &Authority) -> bool {
    usable.chain.first().info.sha256_thumbprint == offered.sha256_thumbprint && usable.is_signed_by(authority)
}

fn lacking(missing: Vec<String>) -> String {
    format!("it does not have these names yet: {}", words::first(missing, NAMED, ", "))
}

/// What is the matter, with what cert-manager says about it.
fn words_of(said: Option<&str>, what: &str) -> String {
    match said {
        Some(said) => format!("{what} ({said})"),
        None => what.to_owned(),
    }
}

/// The certificate, each one behind it that leads to the authority, and the authority, PEM. `None`: they do not lead there.
fn path(offered: &CertificateChain, authority: &Certificate) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut last = offered.first();
    let mut pem = last.pem().to_owned();
    while !authority.info.may_have_issued(&last.info) {
        seen.insert(&last.info.sha256_thumbprint);
        let leads = |next: &&Certificate| {
            next.info.may_have_issued(&last.info) && !seen.contains(&next.info.sha256_thumbprint)
        };
        last = offered.rest().iter().find(leads)?;
        pem.push_str(last.pem());
    }
    pem.push_str(authority.pem());
    Some(pem)
}
