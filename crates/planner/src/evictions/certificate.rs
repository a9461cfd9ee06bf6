//! When the certificate of the webhook for evictions is made anew.

use jiff::Timestamp;
use pki::{CertificateInfo, CertificatePem, parse_certificate, parse_certificates};

/// What is to be done about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upkeep {
    /// It stays.
    Keep,
    /// A new one takes its place. What trusts the authorities that there are goes on trusting them until they end.
    Renew,
    /// It cannot be used, and nothing of it is kept.
    Replace,
}

/// What is to be done about a certificate for this host name, whose authority should be among these. Whether the key belongs to it is not
/// looked at.
pub fn upkeep(certificate: &str, authorities: &str, host: &str, now: Timestamp) -> Upkeep {
    let Ok(leaf) = parse_certificate(&CertificatePem::new(certificate)) else { return Upkeep::Replace };
    let Ok(authorities) = parse_certificates(&CertificatePem::new(authorities)) else {
        return Upkeep::Replace;
    };
    let Some(authority) = authorities.iter().find(|authority| authority.may_have_issued(&leaf)) else {
        return Upkeep::Replace;
    };
    if !leaf.dns_names.contains(host) {
        return Upkeep::Replace;
    }
    if is_due(&leaf, now) || is_due(authority, now) { Upkeep::Renew } else { Upkeep::Keep }
}

/// Whether no more than a third of its life is left.
fn is_due(certificate: &CertificateInfo, now: Timestamp) -> bool {
    let seconds = |from: Timestamp, to: Timestamp| to.as_second().saturating_sub(from.as_second());
    let (life, left) =
        (seconds(certificate.not_before, certificate.not_after), seconds(now, certificate.not_after));
    left.saturating_mul(3) <= life
}
