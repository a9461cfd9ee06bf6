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

use super::authority::{Authority, AuthorityStep, Signer, precondition};
use super::role::Role;
use super::traces::{Numbers, Traces};
use crate::kafka::cluster::{CaSettings, Cluster};
use crate::kafka::observed::Observed;
use crate::workload::secret::text;

/// What the two Secrets of an authority hold.
struct FoundAuthority<'a> {
    cert_secret: Option<&'a Arc<Secret>>,
    key_secret: Option<&'a Arc<Secret>>,
    /// Whether there is a text where the certificate should be.
    has_text: bool,
    /// The certificate, if it can be read and may sign.
    certificate: Option<CertificateChain>,
    /// The key, if it can be read.
    key: Option<PrivateKeyPem>,
}

impl<'a> FoundAuthority<'a> {
    fn of(role: Role, cluster: &Cluster, observed: &'a Observed) -> Self {
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
                .and_then(|pem| observed.read_chains.parse(&pem).ok())
                .filter(|chain| chain.first().info.is_ca),
            key: key.map(PrivateKeyPem::new).filter(PrivateKeyPem::is_readable),
        }
    }

    /// The certificate that belongs to the key.
    fn fitting(&self) -> Option<&CertificateChain> {
        let key = self.key.as_ref()?;
        self.certificate.as_ref().filter(|chain| key.fits(&chain.first().info) != KeyFit::Differs)
    }

    /// Whether the user asks for a new certificate.
    fn is_to_be_renewed(&self) -> bool {
        is_annotated(self.cert_secret, annotations::FORCE_RENEW)
    }

    /// Whether the user asks for a new key.
    fn is_to_be_replaced(&self) -> bool {
        is_annotated(self.key_secret, annotations::FORCE_REPLACE)
    }

    /// What is to be done with the authority.
    fn action(&self, settings: &CaSettings, now: Timestamp, may_renew: bool) -> AuthorityAction {
        let state = AuthorityState {
            certificate: match self.fitting() {
                Some(chain) => CertificateState::Present(&chain.first().info),
                None if self.has_text => CertificateState::Broken,
                None => CertificateState::Missing,
            },
            has_key: self.key.is_some(),
            force_renew: self.is_to_be_renewed(),
            force_replace: self.is_to_be_replaced(),
            renewal_days: settings.renewal_days,
            policy: if settings.replace_key {
                RenewalPolicy::ReplaceKey
            } else {
                RenewalPolicy::RenewCertificate
            },
            in_window: may_renew,
        };
        pki::authority_decision(&state, now).action
    }
}

fn is_annotated(secret: Option<&Arc<Secret>>, annotation: &str) -> bool {
    secret.is_some_and(|secret| annotations::is_true(secret.metadata.annotations.as_ref(), annotation))
}

/// Whether an authority has a certificate and the key that belongs to it.
pub(super) fn is_whole(role: Role, cluster: &Cluster, observed: &Observed) -> bool {
    FoundAuthority::of(role, cluster, observed).fitting().is_some()
}

/// Looks at an authority.
pub(super) fn look_at(
    role: Role,
    cluster: &Cluster,
    observed: &Observed,
    traces: &Traces,
    now: Timestamp,
    may_renew: bool,
) -> AuthorityStep {
    let found = FoundAuthority::of(role, cluster, observed);
    let action = found.action(role.settings(cluster), now, may_renew);
    let old = kept_certificates(found.cert_secret.map(AsRef::as_ref), now, may_renew);
    let own = found.certificate.iter().chain(old.values()).flat_map(CertificateChain::iter);
    let known: Vec<&Certificate> = own.chain(traces.values()).collect();
    let next = Next {
        role,
        id: role.names(&cluster.name).0,
        validity_days: role.settings(cluster).validity_days,
        found: &found,
        numbers: Numbers::of(role, cluster, observed, known.iter().copied()),
        known,
    };
    let step = match (action, &found.key, found.fitting()) {
        (AuthorityAction::None, Some(key), Some(chain)) => next.present(key, chain),
        (AuthorityAction::Renew, Some(key), _) => next.renewed(key, observed),
        _ => next.with_a_new_key(observed),
    };
    let AuthorityStep::Ready(mut authority) = step else { return step };
    authority.old.clone_from(&old);
    // What the former certificate signed stays valid.
    if let Some(before) = &found.certificate {
        // Each by itself: those of an issuer of cert-manager are no chain.
        authority.also_trust(before.iter().filter(|one| one.info.is_ca && !one.info.is_expired(now)));
    }
    if found.certificate.is_none() && role == Role::Clients {
        // Traces of users that it signed are good until the users have new ones.
        authority.also_trust(traces.values());
    }
    AuthorityStep::Ready(authority)
}

/// An authority as it is to be: with what there is, with a new certificate, or with a new key.
struct Next<'a> {
    role: Role,
    /// Under which the certificate and the key are asked for.
    id: String,
    validity_days: u32,
    found: &'a FoundAuthority<'a>,
    numbers: Numbers,
    /// Every certificate of the authority that is known, former ones included.
    known: Vec<&'a Certificate>,
}

impl Next<'_> {
    /// With the certificate and the key that are there.
    fn present(&self, key: &PrivateKeyPem, chain: &CertificateChain) -> AuthorityStep {
        let mut authority =
            Authority::new(self.role, chain.clone(), Signer::Key(SecretPem(key.expose().to_owned())));
        authority.cert_generation = self.numbers.present_certificate();
        authority.key_generation = self.numbers.present_key();
        AuthorityStep::Ready(Box::new(authority))
    }

    /// With a new certificate for the key that is there.
    fn renewed(&self, key: &PrivateKeyPem, observed: &Observed) -> AuthorityStep {
        // A key that does not tell to whom it belongs is found by its certificate alone.
        let of_key = self.known.iter().copied().find(|one| key.fits(&one.info) == KeyFit::Fits);
        let of_key = of_key.or_else(|| self.found.fitting().map(CertificateChain::first));
        let number = of_key.map_or_else(|| self.numbers.unseen_key(), |_| self.numbers.present_key());
        let Some((chain, _)) = self.made(observed) else {
            return AuthorityStep::Missing(renewal(
                self.role,
                &self.id,
                self.validity_days,
                of_key,
                number,
                key,
            ));
        };
        let mut authority = Authority::new(self.role, chain, Signer::Key(SecretPem(key.expose().to_owned())));
        authority.cert_generation = self.numbers.next_certificate();
        authority.key_generation = number;
        authority.cert_precondition = precondition(self.found.cert_secret.map(AsRef::as_ref));
        authority.clear_force_renew = self.found.is_to_be_renewed();
        AuthorityStep::Ready(Box::new(authority))
    }

    fn with_a_new_key(&self, observed: &Observed) -> AuthorityStep {
        let Some((chain, key)) = self.made(observed) else {
            return AuthorityStep::Missing(MaterialRequest::Authority {
                id: self.id.clone(),
                common_name: self.role.common_name(self.numbers.next_key()),
                organization: principals::ORGANIZATION.to_owned(),
                validity_days: self.validity_days,
            });
        };
        let mut authority = Authority::new(self.role, chain, Signer::Key(key));
        authority.cert_generation = self.numbers.next_certificate();
        authority.key_generation = self.numbers.next_key();
        authority.cert_precondition = precondition(self.found.cert_secret.map(AsRef::as_ref));
        authority.key_precondition = precondition(self.found.key_secret.map(AsRef::as_ref));
        authority.clear_force_replace = self.found.is_to_be_replaced();
        AuthorityStep::Ready(Box::new(authority))
    }

    /// What was made in this pass.
    fn made(&self, observed: &Observed) -> Option<(CertificateChain, SecretPem)> {
        match observed.made.get(&self.id)? {
            Material::KeyPair { certificate, key } => {
                Some((CertificateChain::parse(certificate).ok()?, key.clone()))
            }
            _ => None,
        }
    }
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
pub(super) fn kept_certificates(
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
