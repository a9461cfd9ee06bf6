//! The certificate of a node or an operator where an issuer of cert-manager signs: cert-manager keeps it in a Secret of its own and renews
//! it, and it is copied from there once it is good for its owner and every pod trusts who signed it. So a certificate that the
//! issuer made of another authority, or for another subject, reaches no pod, and a mere renewal waits for a maintenance window.

use std::collections::BTreeSet;

use api::kafka::CertManager;
use api::{cert_manager, names, principals};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use pki::{
    CertificateChain, CertificateInfo, Material, MaterialRequest, PkiError, PrivateKeyPem, Purposes,
    SecretPem, Unverified,
};

use super::authority::{Authority, precondition};
use super::leaf::{self, Leaf, LeafStep, Leaves, Present, UNTRUSTED, WantedLeaf};
use crate::kafka::cluster::Cluster;
use crate::kafka::observed::Observed;
use crate::words;
use crate::workload::secret::text;

/// A renewal is overdue when less than one part in so many of the renewal time is left.
const OVERDUE_PART: i64 = 2;

/// Names of a certificate that a message shows.
const NAMED: usize = 5;

/// A certificate that cert-manager offers.
struct Offer {
    chain: CertificateChain,
    key: SecretPem,
}

/// What a look at a certificate depends on.
struct Look<'a> {
    wanted: &'a WantedLeaf<'a>,
    cluster: &'a Cluster,
    authority: &'a Authority,
    observed: &'a Observed,
    now: Timestamp,
    /// Name of the Secret that the pod mounts, and of the Certificate.
    id: String,
    /// Name of the Secret of cert-manager.
    offered: String,
    /// The leaf that is there and has not ended.
    usable: Option<&'a Present>,
    /// The names that it needs.
    names: BTreeSet<String>,
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
    let (dns_names, ip_addresses) = leaf::names(wanted, cluster, found.present());
    let look = Look {
        wanted,
        cluster,
        authority,
        observed,
        now,
        offered: names::issued_secret(&id),
        id,
        usable: found.usable(now).filter(|leaf| leaf.chain.ends() > now),
        names: dns_names.into_iter().chain(ip_addresses.iter().map(ToString::to_string)).collect(),
    };
    if !wanted.signing.allows(look.usable) {
        return look.keep(None);
    }
    let secret = observed.secrets.get(&look.offered).map(AsRef::as_ref);
    let offer = match secret.map_or(Ok(None), |secret| offer(secret, observed)) {
        Ok(Some(offer)) => offer,
        Ok(None) => return look.keep(Some(look.with_its_words("cert-manager has not issued it yet"))),
        Err(why) => return look.keep(Some(format!("Secret {} {why}", look.offered))),
    };
    if let Some(usable) = look.usable.filter(|usable| look.is_taken(usable, &offer)) {
        return look.keep(look.why_another_is_needed(usable));
    }
    if let Some(why) = look.why_useless(&offer.chain.first().info) {
        return look.keep(Some(why));
    }
    if look.usable.is_some_and(|usable| look.can_wait(usable)) && !wanted.may_renew {
        return look.keep(None);
    }
    match observed.made.get(&look.offered) {
        Some(Material::Verified(Ok(path))) => look.take(path.whole(), offer.key),
        Some(Material::Verified(Err(why))) => look.keep(Some(look.words_about(why))),
        _ => LeafStep::Missing(MaterialRequest::Verification {
            id: look.offered,
            chain: offer.chain.pem(),
            key: offer.key,
            trusted: authority.certificate.pem(),
            purposes: Purposes::ServerAndClient,
        }),
    }
}

impl Look<'_> {
    /// The leaf that is there stays, and why another one does not take its place; `None`: none should, for now.
    fn keep(&self, behind: Option<String>) -> LeafStep {
        let Self { wanted, cluster, authority, observed, .. } = self;
        match self.usable {
            Some(usable) => {
                LeafStep::Ready(Leaf { behind, ..leaf::kept(wanted, usable, cluster, authority, observed) })
            }
            None => LeafStep::Held(behind.map_or_else(
                || UNTRUSTED.to_owned(),
                |why| format!("has no certificate yet: Certificate {}: {why}", self.id),
            )),
        }
    }

    /// What cert-manager offers takes the place of the leaf that is there.
    fn take(&self, certificate: String, key: SecretPem) -> LeafStep {
        let secret = self.observed.secrets.get(&self.id).map(AsRef::as_ref);
        let data = leaf::data(self.wanted, self.cluster, secret, &certificate, key.0);
        let (generation, precondition) = (self.authority.cert_generation, precondition(secret));
        LeafStep::Ready(Leaf { data, certificate, generation, precondition, behind: None })
    }

    /// Whether the leaf is the offered one, with the authority beside it by which it is trusted now.
    fn is_taken(&self, usable: &Present, offer: &Offer) -> bool {
        let (own, offered) = (&usable.chain.first().info, &offer.chain.first().info);
        own.sha256_thumbprint == offered.sha256_thumbprint && usable.is_signed_by(self.authority)
    }

    /// Why the leaf that is the offered one should be followed by another.
    fn why_another_is_needed(&self, usable: &Present) -> Option<String> {
        let info = &usable.chain.first().info;
        let ends = usable.chain.ends();
        let renewal = i64::from(self.cluster.cluster_ca.renewal_days) * 86_400;
        // An issuer may make certificates that last shorter than it is asked to.
        let lasts = info.not_after.as_second() - info.not_before.as_second();
        let overdue = renewal.min(lasts / 3) / OVERDUE_PART;
        if info.not_after.as_second() - self.now.as_second() <= overdue {
            return Some(self.with_its_words("cert-manager has not renewed it"));
        }
        if ends < info.not_after && ends.as_second() - self.now.as_second() <= renewal {
            return Some(format!(
                "an authority on its path ends at {ends}, before the certificate: have the authority renewed, and then the certificate \
                 issued anew (cmctl renew -n {} {})",
                self.cluster.namespace, self.id
            ));
        }
        self.lacking(info)
    }

    /// Why a certificate of cert-manager cannot be that of its owner.
    fn why_useless(&self, info: &CertificateInfo) -> Option<String> {
        let common_name = self.wanted.owner.common_name(&self.cluster.name);
        let subject = format!("O={}, CN={common_name}", principals::ORGANIZATION);
        let offered = &self.offered;
        if info.is_expired(self.now) {
            let ended = format!("the certificate in the Secret {offered} ended at {}", info.not_after);
            Some(self.with_its_words(&ended))
        } else if info.not_before > self.now {
            Some(format!("the certificate in the Secret {offered} is not valid before {}", info.not_before))
        } else if info.subject != subject {
            Some(format!(
                "the certificate in the Secret {offered} has the subject {:?} in place of {subject:?}: Kafka knows its own parts by the \
                 subject, so name an issuer that keeps the common name and the organization, and adds nothing",
                info.short_subject()
            ))
        } else if self.needs_rsa() && !info.has_rsa_key {
            let what = format!(
                "the certificate in the Secret {offered} has no RSA key yet, which the suites of ssl.cipher.suites need"
            );
            Some(self.with_its_words(&what))
        } else {
            self.lacking(info)
        }
    }

    fn needs_rsa(&self) -> bool {
        !self.wanted.prolong && leaf::algorithm(self.cluster, self.wanted.node).is_rsa()
    }

    /// Whether a certificate that is there does as well as a renewed one: it has the right authority, names and kind of key.
    fn can_wait(&self, usable: &Present) -> bool {
        let info = &usable.chain.first().info;
        usable.is_signed_by(self.authority)
            && self.missing_names(info).is_empty()
            && (info.has_rsa_key || !self.needs_rsa())
    }

    fn missing_names(&self, info: &CertificateInfo) -> Vec<String> {
        let has = |name: &&String| {
            info.dns_names.contains(*name) || name.parse().is_ok_and(|ip| info.ip_addresses.contains(&ip))
        };
        self.names.iter().filter(|name| !has(name)).cloned().collect()
    }

    fn lacking(&self, info: &CertificateInfo) -> Option<String> {
        let missing = self.missing_names(info);
        let names = words::first(&missing, NAMED, ", ");
        let what =
            format!("the certificate in the Secret {} does not have these names yet: {names}", self.offered);
        (!missing.is_empty()).then(|| self.with_its_words(&what))
    }

    /// What is the matter, with what cert-manager says about it.
    fn with_its_words(&self, what: &str) -> String {
        match self.observed.issuance.get(&self.id) {
            Some(said) => format!("{what} ({said})"),
            None => what.to_owned(),
        }
    }

    /// Why the certificate was not found good, and what can be done.
    fn words_about(&self, why: &Unverified) -> String {
        let what = format!("the certificate in the Secret {} cannot be used: {why}", self.offered);
        match (why, &self.cluster.cluster_ca.issuer) {
            (Unverified::UnknownAuthority { .. }, Some(CertManager { ca_cert, .. })) => format!(
                "{what}, those under the key {:?} of the Secret {:?}: add it there, or, if it is a former one, have the certificate \
                 issued anew (cmctl renew -n {} {})",
                ca_cert.certificate, ca_cert.secret_name, self.cluster.namespace, self.id
            ),
            _ => what,
        }
    }
}

/// What the Secret of cert-manager holds; nothing while it waits for the issuer.
fn offer(secret: &Secret, observed: &Observed) -> Result<Option<Offer>, String> {
    let (Some(certificate), Some(key)) =
        (text(secret, cert_manager::TLS_CRT), text(secret, cert_manager::TLS_KEY))
    else {
        return Ok(None);
    };
    let unusable = |error: PkiError| format!("cannot be used: {error}");
    let chain = observed.read_chains.parse(&certificate).map_err(unusable)?;
    // Encoded anew: what else stands in the text goes nowhere, and Kafka reads no other form.
    let key = PrivateKeyPem::new(key).in_pkcs8().map_err(unusable)?;
    Ok(Some(Offer { chain, key: SecretPem(key.expose().to_owned()) }))
}
