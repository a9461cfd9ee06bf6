//! Certificates of users where an issuer of cert-manager signs: cert-manager keeps each in a Secret of its own beside that of the
//! user, from where it is copied once every node trusts who signed it. Pure.

use std::collections::BTreeMap;

use api::KafkaUser;
use api::cert_manager::{
    CERTIFICATE, IssuedCertificateSpec, ObjectReference, PrivateKey, SecretTemplate, duration_of_days,
};
use api::conditions::reasons;
use api::names;
use jiff::Timestamp;
use kube::ResourceExt;
use operator_runtime::refusal::Refusal;

use crate::observe::Observed;
use crate::ownership::refuse_another_owner;
use crate::secret_step::{SecretStep, refresh_step};
use crate::secret_view::{Certificate, Metadata, SecretView};
use crate::settings::PlanSettings;

/// What a user's key is used for.
const USAGES: [&str; 3] = ["digital signature", "key encipherment", "client auth"];

/// A renewal is overdue when less than one part in so many of the renewal time is left.
const OVERDUE_PART: i64 = 2;

/// What happens to the Certificate of a user, and to the Secret that it is kept in.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum CertificateStep {
    /// They are as they should be, or there are none and none are needed.
    #[default]
    Keep,
    /// They are written.
    Apply(Box<IssuedCertificateSpec>),
    /// They are of no use any more.
    Delete,
    /// The Secret is deleted, so that cert-manager issues anew: the user's own Secret keeps what it has until then.
    IssueAnew,
}

/// What the Certificate of a user asks for.
fn wanted(
    user: &KafkaUser,
    settings: &PlanSettings,
    issuer: &ObjectReference,
    (validity_days, renewal_days): (u32, u32),
    metadata: &Metadata,
) -> IssuedCertificateSpec {
    let (algorithm, size) = match settings.algorithm {
        issuer::KeyAlgorithm::EcdsaP256 => ("ECDSA", 256),
        issuer::KeyAlgorithm::Rsa2048 => ("RSA", 2048),
        issuer::KeyAlgorithm::Rsa4096 => ("RSA", 4096),
    };
    IssuedCertificateSpec {
        secret_name: names::issued_secret(&format!("{}{}", settings.secret_prefix, user.name_any())),
        // By these the operator watches the Secret, also when cert-manager was the one to create it.
        secret_template: Some(SecretTemplate { labels: Some(metadata.labels.clone()), annotations: None }),
        issuer_ref: issuer.clone(),
        common_name: user.name_any(),
        subject: None,
        dns_names: None,
        ip_addresses: None,
        duration: duration_of_days(validity_days),
        renew_before: duration_of_days(renewal_days),
        private_key: PrivateKey {
            algorithm: algorithm.to_owned(),
            encoding: "PKCS8".to_owned(),
            rotation_policy: "Always".to_owned(),
            size,
        },
        usages: USAGES.map(str::to_owned).to_vec(),
    }
}

/// What happens to the Certificate of a user that is to have one.
pub(crate) fn certificate_step(
    user: &KafkaUser,
    observed: &Observed,
    settings: &PlanSettings,
    issuer: &ObjectReference,
    days: (u32, u32),
    metadata: &Metadata,
) -> Result<CertificateStep, Refusal> {
    let wanted = wanted(user, settings, issuer, days, metadata);
    let name = format!("{}{}", settings.secret_prefix, user.name_any());
    if let Some(view) = observed.issued.as_deref() {
        let facts = (view.owner.as_deref(), &BTreeMap::new());
        if let Some(problem) = refuse_another_owner((CERTIFICATE, &name), &name, facts, user) {
            return Err(problem);
        }
    }
    if let Some(offer) = observed.offer.as_deref() {
        let facts = (offer.owner.as_ref().map(|(_, uid)| uid.as_str()), &offer.annotations);
        if let Some(problem) = refuse_another_owner(("Secret", &wanted.secret_name), &name, facts, user) {
            return Err(problem);
        }
    }
    let is_there = observed.issued.as_deref().is_some_and(|view| view.is_of(user) && view.spec == wanted);
    let is_kept = observed.offer.as_deref().is_none_or(|offer| {
        offer.owner.as_ref().is_some_and(|(_, uid)| Some(uid) == user.metadata.uid.as_ref())
    });
    if !is_there || !is_kept {
        return Ok(CertificateStep::Apply(Box::new(wanted)));
    }
    let is_taken = |view: &SecretView| {
        let offered = observed.offer.as_deref().and_then(|offer| offer.offer_mark);
        offered.is_some() && offered == view.mark
    };
    if observed.secret.as_deref().is_some_and(|view| view.force_renew() && is_taken(view)) {
        return Ok(CertificateStep::IssueAnew);
    }
    Ok(CertificateStep::Keep)
}

/// What happens to the Certificate of a user that does not log in with one any more. That of a user that is gone goes with it.
pub(crate) fn without_certificate(user: &KafkaUser, observed: &Observed) -> CertificateStep {
    match observed.issued.as_deref() {
        Some(view) if view.is_of(user) => CertificateStep::Delete,
        _ => CertificateStep::Keep,
    }
}

/// What happens to the Secret of a user: it gets what cert-manager offers, if that is another certificate and every node trusts who
/// signs. `renewal_days` before its end cert-manager renews a certificate.
pub(crate) fn secret_step(
    user: &KafkaUser,
    observed: &Observed,
    settings: &PlanSettings,
    renewal_days: u32,
    metadata: &Metadata,
    now: Timestamp,
) -> Result<SecretStep, Refusal> {
    let view = observed.secret.as_deref();
    let until = view.and_then(|view| match view.certificate {
        Certificate::Valid(until) => Some(until).filter(|until| *until > now),
        Certificate::Missing | Certificate::Broken => None,
    });
    let keep = || match view {
        Some(view) if until.is_some() => Ok(refresh_step(view, user, settings, metadata)),
        _ => Ok(SecretStep::Keep),
    };
    let hash = match &observed.authority {
        Some(Ok(hash)) => *hash,
        // A user whose certificate is in order needs no authority.
        Some(Err(_)) if until.is_some() => return keep(),
        Some(Err(message)) => {
            let message = format!("no certificate can be taken over: {message}");
            return Err(Refusal { reason: reasons::INVALID_CONFIGURATION, message, retry: false });
        }
        None => {
            let message = "the clients CA was not read yet".to_owned();
            return Err(Refusal { reason: reasons::CREATING, message, retry: true });
        }
    };
    let offer = observed.offer.as_deref();
    let is_good = matches!(offer.map(|offer| offer.offer), Some(Certificate::Valid(until)) if until > now);
    let same_authority = view.and_then(|view| view.authority) == Some(hash);
    let is_new = offer.is_some_and(|offer| offer.offer_mark != view.and_then(|view| view.mark));
    if is_good && (is_new || !same_authority || until.is_none()) {
        // The old certificate is good everywhere; the new one is refused by nodes that do not trust its authority yet.
        let is_asked_for = view.is_some_and(SecretView::force_renew);
        let is_in_time = is_asked_for || pki::in_maintenance_window(&settings.windows, now);
        let waits = observed.untrusted_yet || same_authority && !is_in_time;
        return if until.is_some() && waits { keep() } else { Ok(SecretStep::Take) };
    }
    // An issuer may make certificates that last shorter than it is asked to.
    let since = view.and_then(|view| view.since);
    let lasts = until.zip(since).map(|(until, since)| until.as_second() - since.as_second());
    let renewal = i64::from(renewal_days) * 86_400;
    let overdue = lasts.map_or(renewal, |lasts| renewal.min(lasts / 3)) / OVERDUE_PART;
    match until {
        Some(until) if until.as_second() - now.as_second() > overdue => keep(),
        _ => Err(not_issued(observed, until)),
    }
}

/// Why there is no certificate.
fn not_issued(observed: &Observed, until: Option<Timestamp>) -> Refusal {
    let said = observed.issued.as_deref().and_then(|view| view.not_ready.as_ref());
    let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
    let what = match (until, observed.offer.as_deref().map(|offer| offer.offer)) {
        (Some(until), _) => format!("cert-manager has not renewed the certificate, which ends at {until}"),
        (None, Some(Certificate::Broken)) => {
            let name =
                &observed.issued.as_deref().map(|view| view.spec.secret_name.clone()).unwrap_or_default();
            format!(
                "the certificate in the Secret {name} cannot be read, or its key is that of another certificate"
            )
        }
        (None, Some(Certificate::Valid(ended))) => {
            format!("the certificate that cert-manager keeps for the user ended at {ended}")
        }
        (None, Some(Certificate::Missing) | None) => {
            "cert-manager has not issued the certificate yet".to_owned()
        }
    };
    Refusal { reason: reasons::CERTIFICATE_NOT_ISSUED, message: format!("{what}{said}"), retry: false }
}

#[cfg(test)]
#[path = "issuance_tests.rs"]
mod tests;
