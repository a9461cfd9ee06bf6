//! An authority that the operator makes.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{annotations, names, principals};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use pki::{
    AuthorityAction, AuthorityState, Certificate, CertificateChain, CertificateState, KeyFit, Material,
    MaterialRequest, PrivateKeyPem, RenewalPolicy, SecretPem,
};

use super::authority::{Authority, Step, precondition};
use super::role::Role;
use super::text;
use super::traces::{Certificates, Numbers};
use crate::kafka::cluster::Cluster;
use crate::kafka::observed::Observed;

/// What the two Secrets of an authority hold.
struct Found<'a> {
    cert_secret: Option<&'a Arc<Secret>>,
    key_secret: Option<&'a Arc<Secret>>,
    /// Whether there is a text where the certificate should be.
    has_text: bool,
    /// The certificate, if it can be read and may sign.
    certificate: Option<CertificateChain>,
    /// The key, if it can be read.
    key: Option<PrivateKeyPem>,
}

impl<'a> Found<'a> {
    fn look(role: Role, cluster: &Cluster, observed: &'a Observed) -> Self {
        let (cert_name, key_name) = role.names(&cluster.name);
        let cert_secret = observed.secrets.get(&cert_name);
        let key_secret = observed.secrets.get(&key_name);
        let certificate = cert_secret.and_then(|secret| text(secret, names::keys::CA_CRT));
        let key = key_secret.and_then(|secret| text(secret, names::keys::CA_KEY));
        Self {
            cert_secret,
            key_secret,
            has_text: certificate.is_some(),
            certificate: certificate
                .and_then(|pem| CertificateChain::parse(&pem).ok())
                .filter(|chain| chain.first().info.is_ca),
            key: key.map(PrivateKeyPem::new).filter(PrivateKeyPem::is_readable),
        }
    }

    /// The certificate that belongs to the key.
    fn fitting(&self) -> Option<&CertificateChain> {
        let key = self.key.as_ref()?;
        self.certificate.as_ref().filter(|chain| key.fits(&chain.first().info) != KeyFit::Differs)
    }

    fn asks(secret: Option<&Arc<Secret>>, annotation: &str) -> bool {
        secret.is_some_and(|secret| annotations::is_true(secret.metadata.annotations.as_ref(), annotation))
    }
}

/// Whether an authority has a certificate and the key that belongs to it.
pub fn is_whole(role: Role, cluster: &Cluster, observed: &Observed) -> bool {
    Found::look(role, cluster, observed).fitting().is_some()
}

/// Looks at an authority.
#[allow(clippy::too_many_lines, reason = "it waits to be split")]
pub fn plan(
    role: Role,
    cluster: &Cluster,
    observed: &Observed,
    traces: &Certificates,
    now: Timestamp,
    may_renew: bool,
) -> Step {
    let settings = role.settings(cluster);
    let found = Found::look(role, cluster, observed);
    let force_renew = Found::asks(found.cert_secret, annotations::FORCE_RENEW);
    let force_replace = Found::asks(found.key_secret, annotations::FORCE_REPLACE);
    let state = AuthorityState {
        certificate: match found.fitting() {
            Some(chain) => CertificateState::Present(&chain.first().info),
            None if found.has_text => CertificateState::Broken,
            None => CertificateState::Missing,
        },
        has_key: found.key.is_some(),
        force_renew,
        force_replace,
        renewal_days: settings.renewal_days,
        policy: if settings.replace_key {
            RenewalPolicy::ReplaceKey
        } else {
            RenewalPolicy::RenewCertificate
        },
        in_window: may_renew,
    };
    let action = pki::authority_decision(&state, now).action;
    let old = kept_certificates(found.cert_secret.map(AsRef::as_ref), now, may_renew);
    let known = || {
        let own = found.certificate.iter().chain(old.values()).flat_map(CertificateChain::iter);
        own.chain(traces.values())
    };
    let numbers = Numbers::of(role, cluster, observed, known());
    let (id, _) = role.names(&cluster.name);
    let made = observed.made.get(&id).and_then(|material| match material {
        Material::KeyPair { certificate, key } => {
            Some((CertificateChain::parse(certificate).ok()?, key.clone()))
        }
        _ => None,
    });
    let authority = match (action, &found.key, found.fitting()) {
        (AuthorityAction::None, Some(key), Some(chain)) => {
            let mut authority = Authority::new(role, chain.clone(), SecretPem(key.expose().to_owned()));
            authority.cert_generation = numbers.present_certificate();
            authority.key_generation = numbers.present_key();
            Ok(authority)
        }
        (AuthorityAction::Renew, Some(key), _) => {
            // One whose key does not tell to whom it belongs is told apart by its certificate alone.
            let of_key = known().find(|one| key.fits(&one.info) == KeyFit::Fits);
            let of_key = of_key.or_else(|| found.fitting().map(CertificateChain::first));
            let number = of_key.map_or_else(|| numbers.unseen_key(), |_| numbers.present_key());
            let request = || renewal(role, &id, settings.validity_days, of_key, number, key);
            made.ok_or_else(request).map(|(chain, _)| {
                let mut authority = Authority::new(role, chain, SecretPem(key.expose().to_owned()));
                authority.cert_generation = numbers.next_certificate();
                authority.key_generation = number;
                authority.cert_precondition = precondition(found.cert_secret.map(AsRef::as_ref));
                authority.clear_force_renew = force_renew;
                authority
            })
        }
        _ => {
            let request = || MaterialRequest::Authority {
                id: id.clone(),
                common_name: role.common_name(numbers.next_key()),
                organization: principals::ORGANIZATION.to_owned(),
                validity_days: settings.validity_days,
            };
            made.ok_or_else(request).map(|(chain, key)| {
                let mut authority = Authority::new(role, chain, key);
                authority.cert_generation = numbers.next_certificate();
                authority.key_generation = numbers.next_key();
                authority.cert_precondition = precondition(found.cert_secret.map(AsRef::as_ref));
                authority.key_precondition = precondition(found.key_secret.map(AsRef::as_ref));
                authority.clear_force_replace = force_replace;
                authority
            })
        }
    };
    let mut authority = match authority {
        Ok(authority) => authority,
        Err(request) => return Step::Missing(request),
    };
    authority.old.clone_from(&old);
    // What the former certificate vouches for stays good.
    if let Some(before) = &found.certificate
        && before.authority_ids().is_disjoint(&authority.certificate.authority_ids())
        && !before.first().info.is_expired(now)
    {
        authority.keep(before.clone());
    }
    if found.certificate.is_none() && role == Role::Clients {
        // Certificates of users that it signed are good until the users have new ones.
        authority.also_trust(traces.values());
    }
    Step::Ready(Box::new(authority))
}

/// A new certificate for the key that is there: under the name of a former certificate of that key, so that who trusts
/// the former one trusts the new one.
fn renewal(
    role: Role,
    id: &str,
    validity_days: u32,
    former: Option<&Certificate>,
    number: i64,
    key: &PrivateKeyPem,
) -> MaterialRequest {
    let former = former.map(|one| &one.info).filter(|info| !info.common_name.is_empty());
    MaterialRequest::RenewedAuthority {
        id: id.to_owned(),
        common_name: former.map_or_else(|| role.common_name(number), |info| info.common_name.clone()),
        organization: former
            .and_then(|info| info.organization.clone())
            .unwrap_or_else(|| principals::ORGANIZATION.to_owned()),
        validity_days,
        key: SecretPem(key.expose().to_owned()),
    }
}

/// The certificates of former keys. Those that have ended go when certificates may be renewed: pods restart for it.
fn kept_certificates(
    secret: Option<&Secret>,
    now: Timestamp,
    may_renew: bool,
) -> BTreeMap<String, CertificateChain> {
    let mut kept = BTreeMap::new();
    let Some(secret) = secret else { return kept };
    for key in secret.data.iter().flat_map(BTreeMap::keys) {
        if !key.starts_with("ca-") || key.strip_suffix(".crt").is_none() {
            continue;
        }
        let chain = text(secret, key).and_then(|pem| CertificateChain::parse(&pem).ok());
        if let Some(chain) = chain.filter(|chain| !may_renew || !chain.first().info.is_expired(now)) {
            kept.insert(key.clone(), chain);
        }
    }
    kept
}
