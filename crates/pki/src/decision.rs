//! When authorities and certificates are made anew. Pure: states and times in, a decision with its reasons out.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::CertificateInfo;

/// What happens to an authority that is about to expire (`certificateExpirationPolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RenewalPolicy {
    /// A new certificate for the old key.
    #[default]
    RenewCertificate,
    /// A new key with a new certificate.
    ReplaceKey,
}

/// What was found of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateState<'a> {
    /// There is none.
    Missing,
    /// There is a text that cannot be read, or that does not belong to its key.
    Broken,
    /// There is one.
    Present(&'a CertificateInfo),
}

/// What was found of an authority that the operator makes by itself.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each one is an independent fact read from a Secret")]
pub struct AuthorityState<'a> {
    /// Its certificate.
    pub certificate: CertificateState<'a>,
    /// Whether a readable private key exists.
    pub has_key: bool,
    /// Annotation `strimzi.io/force-renew` on the certificate's Secret.
    pub force_renew: bool,
    /// Annotation `strimzi.io/force-replace` on the key's Secret.
    pub force_replace: bool,
    /// Days before its end at which it is renewed.
    pub renewal_days: u32,
    /// What to do then.
    pub policy: RenewalPolicy,
    /// Whether `now` lies in a maintenance window (or none is configured).
    pub in_window: bool,
}

/// What to do with an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorityAction {
    /// Nothing.
    None,
    /// New key and certificate; there was no usable key.
    Create,
    /// New certificate for the same key.
    Renew,
    /// New key and certificate; the old certificate stays trusted until nothing uses it.
    Replace,
}

/// Why something is to be done with an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthorityReason {
    /// No readable private key.
    KeyMissing,
    /// No certificate.
    CertificateMissing,
    /// The certificate cannot be read or belongs to another key.
    CertificateBroken,
    /// The certificate is over.
    Expired,
    /// The certificate is over within the renewal period.
    Expiring,
    /// Asked for by `strimzi.io/force-renew`.
    ForceRenew,
    /// Asked for by `strimzi.io/force-replace`.
    ForceReplace,
}

impl fmt::Display for AuthorityReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyMissing => "there is no private key",
            Self::CertificateMissing => "there is no certificate",
            Self::CertificateBroken => "the certificate cannot be read or does not belong to the key",
            Self::Expired => "the certificate has expired",
            Self::Expiring => "the certificate expires within the renewal period",
            Self::ForceRenew => "renewal was asked for by annotation",
            Self::ForceReplace => "replacement of the key was asked for by annotation",
        })
    }
}

/// What to do with an authority now, why, and what waits for a maintenance window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorityDecision {
    /// What to do now.
    pub action: AuthorityAction,
    /// Why; `None` exactly when `action` is `None`.
    pub reason: Option<AuthorityReason>,
    /// What will be done in the next maintenance window, and why.
    pub postponed: Option<(AuthorityAction, AuthorityReason)>,
}

/// Decides what to do with an authority.
///
/// Without a key or a certificate nothing can work, and an expired certificate is rejected by everyone: those do not
/// wait for a maintenance window. Everything else does.
pub fn authority_decision(state: &AuthorityState<'_>, now: Timestamp) -> AuthorityDecision {
    let by_policy = match state.policy {
        RenewalPolicy::RenewCertificate => AuthorityAction::Renew,
        RenewalPolicy::ReplaceKey => AuthorityAction::Replace,
    };
    let at_once = |action, reason| AuthorityDecision { action, reason: Some(reason), postponed: None };
    if !state.has_key {
        return at_once(AuthorityAction::Create, AuthorityReason::KeyMissing);
    }
    let certificate = match state.certificate {
        CertificateState::Missing => {
            return at_once(AuthorityAction::Renew, AuthorityReason::CertificateMissing);
        }
        CertificateState::Broken => {
            return at_once(AuthorityAction::Renew, AuthorityReason::CertificateBroken);
        }
        CertificateState::Present(certificate) => certificate,
    };
    if certificate.is_expired(now) {
        let action = if state.force_replace { AuthorityAction::Replace } else { by_policy };
        return at_once(action, AuthorityReason::Expired);
    }
    let wanted = if state.force_replace {
        Some((AuthorityAction::Replace, AuthorityReason::ForceReplace))
    } else if state.force_renew {
        Some((AuthorityAction::Renew, AuthorityReason::ForceRenew))
    } else if certificate.expires_within(state.renewal_days, now) {
        Some((by_policy, AuthorityReason::Expiring))
    } else {
        None
    };
    match wanted {
        Some((action, reason)) if state.in_window => at_once(action, reason),
        postponed => AuthorityDecision { action: AuthorityAction::None, reason: None, postponed },
    }
}

/// The key in the authority's Secret under which an old certificate stays trusted: `ca-YYYY-MM-DDTHH-MM-SSZ.crt`, by
/// the time at which it is over.
pub fn dated_certificate_key(certificate: &CertificateInfo) -> String {
    certificate.not_after.strftime("ca-%Y-%m-%dT%H-%M-%SZ.crt").to_string()
}

/// What was found of a certificate issued by an authority.
#[derive(Debug, Clone, Copy)]
pub struct LeafState<'a> {
    /// The certificate; `Broken` also if it does not belong to its private key.
    pub certificate: CertificateState<'a>,
    /// Whether it was issued by today's authority (same generation of its key and same text of its certificate).
    pub current_authority: bool,
    /// Whether the chain beside it is complete.
    pub has_chain: bool,
    /// When today's authority ends: a certificate that lasts as long cannot be prolonged.
    pub authority_ends: Timestamp,
}

/// What such a certificate has to be.
#[derive(Debug, Clone, Copy)]
pub struct LeafWanted<'a> {
    /// DNS subject alternative names.
    pub dns_names: &'a BTreeSet<String>,
    /// IP subject alternative names.
    pub ip_addresses: &'a BTreeSet<IpAddr>,
    /// Days before its end at which it is issued anew.
    pub renewal_days: u32,
    /// Whether `now` lies in a maintenance window (or none is configured).
    pub in_window: bool,
    /// Asked for by annotation.
    pub forced: bool,
}

/// Why a certificate is issued anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeafReason {
    /// There is none.
    Missing,
    /// It cannot be read or belongs to another key.
    Broken,
    /// It was issued by an authority that is not today's.
    AuthorityChanged,
    /// Its chain is incomplete.
    ChainMissing,
    /// Its subject alternative names are not the wanted ones.
    NamesChanged,
    /// It is over.
    Expired,
    /// It is over within the renewal period.
    Expiring,
    /// Asked for by annotation.
    Forced,
}

impl fmt::Display for LeafReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no certificate",
            Self::Broken => "the certificate cannot be read or does not belong to the key",
            Self::AuthorityChanged => "the certificate authority changed",
            Self::ChainMissing => "the certificate's chain is incomplete",
            Self::NamesChanged => "the subject alternative names changed",
            Self::Expired => "the certificate has expired",
            Self::Expiring => "the certificate expires within the renewal period",
            Self::Forced => "renewal was asked for by annotation",
        })
    }
}

/// Whether a certificate is issued anew now, and what waits for a maintenance window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeafDecision {
    /// Reasons to issue it now; empty if it stays.
    pub reasons: Vec<LeafReason>,
    /// Reasons that wait for a maintenance window.
    pub postponed: Vec<LeafReason>,
}

impl LeafDecision {
    /// Whether it is issued anew now.
    pub fn reissue(&self) -> bool {
        !self.reasons.is_empty()
    }
}

/// Decides whether a certificate is issued anew. Only a renewal for age waits for a maintenance window.
pub fn leaf_decision(state: &LeafState<'_>, wanted: &LeafWanted<'_>, now: Timestamp) -> LeafDecision {
    let mut decision = LeafDecision::default();
    let certificate = match state.certificate {
        CertificateState::Missing => {
            decision.reasons.push(LeafReason::Missing);
            return decision;
        }
        CertificateState::Broken => {
            decision.reasons.push(LeafReason::Broken);
            return decision;
        }
        CertificateState::Present(certificate) => certificate,
    };
    if !state.current_authority {
        decision.reasons.push(LeafReason::AuthorityChanged);
    }
    if !state.has_chain {
        decision.reasons.push(LeafReason::ChainMissing);
    }
    if certificate.dns_names != *wanted.dns_names || certificate.ip_addresses != *wanted.ip_addresses {
        decision.reasons.push(LeafReason::NamesChanged);
    }
    if certificate.is_expired(now) {
        decision.reasons.push(LeafReason::Expired);
    } else if certificate.expires_within(wanted.renewal_days, now)
        && certificate.not_after < state.authority_ends
    {
        if wanted.in_window {
            decision.reasons.push(LeafReason::Expiring);
        } else {
            decision.postponed.push(LeafReason::Expiring);
        }
    }
    if wanted.forced {
        decision.reasons.push(LeafReason::Forced);
    }
    decision
}
