//! Reading certificates.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use jiff::Timestamp;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;
use x509_parser::prelude::X509Certificate;

use crate::{CertificatePem, PkiError};

/// What this project wants to know about a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// Subject in the order of the certificate, for example `O=io.strimzi, CN=cluster-ca v0`.
    pub subject: String,
    /// First common name of the subject, empty if it has none.
    pub common_name: String,
    /// First organization of the subject, if it has one.
    pub organization: Option<String>,
    /// Issuer in the order of the certificate.
    pub issuer: String,
    /// Valid from this time on.
    pub not_before: Timestamp,
    /// Valid up to this time.
    pub not_after: Timestamp,
    /// DNS names among the subject alternative names.
    pub dns_names: BTreeSet<String>,
    /// IP addresses among the subject alternative names.
    pub ip_addresses: BTreeSet<IpAddr>,
    /// Whether it may sign other certificates.
    pub is_ca: bool,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// SHA-256 of the DER form, lower-case hexadecimal.
    pub sha256_thumbprint: String,
    /// SHA-1 of the DER form, lower-case hexadecimal (the form Strimzi writes into annotations).
    pub sha1_thumbprint: String,
    /// The raw subject public key: what a private key is compared with.
    pub public_key: Vec<u8>,
    /// Whether it is an RSA key.
    pub has_rsa_key: bool,
    /// Subject in DER form, to tell whether another certificate names it as its issuer.
    pub subject_der: Vec<u8>,
    /// Issuer in DER form.
    pub issuer_der: Vec<u8>,
    /// Identifier of its own key, if it has one.
    pub subject_key_id: Option<Vec<u8>>,
    /// Identifier of the key that signed it, if it names one.
    pub authority_key_id: Option<Vec<u8>>,
}

/// Characters of a subject or an issuer that a message shows.
const LONGEST_NAME: usize = 200;

/// A name as a message shows it: whoever made the certificate chose its length.
fn shortened(name: &str) -> String {
    let mut short: String = name.chars().take(LONGEST_NAME).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

/// Hexadecimal digits of a short thumbprint or identifier: they tell certificates apart, they protect nothing.
const SHORT: usize = 16;

impl CertificateInfo {
    /// The first 16 hexadecimal digits of the SHA-256 of the DER form.
    pub fn short_thumbprint(&self) -> String {
        self.sha256_thumbprint.chars().take(SHORT).collect()
    }

    /// The subject as a message shows it.
    pub fn short_subject(&self) -> String {
        shortened(&self.subject)
    }

    /// The issuer as a message shows it.
    pub fn short_issuer(&self) -> String {
        shortened(&self.issuer)
    }

    /// What the certificate is as an authority: 16 hexadecimal digits of the SHA-256 of its subject and public key.
    ///
    /// Who trusts an authority accepts what any certificate of the same subject and key signed, so a renewed
    /// certificate has the identifier of the former one.
    pub fn authority_id(&self) -> String {
        let mut content = Sha256::new();
        // With its length before it, no other pair comes to the same bytes.
        content.update(self.subject_der.len().to_be_bytes());
        content.update(&self.subject_der);
        content.update(&self.public_key);
        hex(content.finalize().as_ref()).chars().take(SHORT).collect()
    }

    /// Whether the names and the identifiers of the keys say that this certificate's key signed another one.
    pub fn may_have_issued(&self, other: &CertificateInfo) -> bool {
        let keys = self.subject_key_id.as_ref().zip(other.authority_key_id.as_ref());
        self.subject_der == other.issuer_der && keys.is_none_or(|(own, named)| own == named)
    }

    /// Whether it is over at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.not_after <= now
    }

    /// Whether it is over within so many days after `now`.
    pub fn expires_within(&self, days: u32, now: Timestamp) -> bool {
        self.not_after.as_second() - now.as_second() <= i64::from(days) * 86_400
    }
}

/// Reads the first certificate of a PEM text.
pub fn parse_certificate(pem: &CertificatePem) -> Result<CertificateInfo, PkiError> {
    let ders = pem.ders()?;
    match ders.first() {
        Some(der) => parse_der(der),
        None => Err(PkiError::ParseCertificate("no CERTIFICATE block found".to_owned())),
    }
}

/// Reads every certificate of a PEM text.
pub fn parse_certificates(pem: &CertificatePem) -> Result<Vec<CertificateInfo>, PkiError> {
    let mut all = Vec::new();
    for der in pem.ders()? {
        all.push(parse_der(&der)?);
    }
    Ok(all)
}

/// The certificates of a PEM text that are not over at `now`; `None` if none is left or nothing in it can be read.
///
/// For bundles of trusted authorities: a client must not be given an expired one.
pub fn without_expired(pem: &CertificatePem, now: Timestamp) -> Option<CertificatePem> {
    let mut text = String::new();
    for der in pem.ders().ok()? {
        if parse_der(&der).is_ok_and(|one| !one.is_expired(now)) {
            text.push_str(CertificatePem::from_der(&der).as_str());
        }
    }
    if text.is_empty() { None } else { Some(CertificatePem::new(text)) }
}

/// Reads a certificate in DER form.
pub fn parse_der(der: &[u8]) -> Result<CertificateInfo, PkiError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(der)
        .map_err(|error| PkiError::ParseCertificate(error.to_string()))?;
    let mut dns_names = BTreeSet::new();
    let mut ip_addresses = BTreeSet::new();
    let names =
        parsed.subject_alternative_name().map_err(|error| PkiError::ParseCertificate(error.to_string()))?;
    if let Some(names) = names {
        for name in &names.value.general_names {
            match name {
                GeneralName::DNSName(dns) => {
                    dns_names.insert((*dns).to_owned());
                }
                GeneralName::IPAddress(raw) => {
                    ip_addresses.extend(ip_address(raw));
                }
                _ => {}
            }
        }
    }
    Ok(CertificateInfo {
        subject: parsed.subject().to_string(),
        common_name: first(parsed.subject().iter_common_name()).unwrap_or_default(),
        organization: first(parsed.subject().iter_organization()),
        issuer: parsed.issuer().to_string(),
        not_before: time(parsed.validity().not_before.timestamp())?,
        not_after: time(parsed.validity().not_after.timestamp())?,
        dns_names,
        ip_addresses,
        is_ca: is_ca(&parsed),
        serial: hex(parsed.raw_serial()),
        sha256_thumbprint: hex(Sha256::digest(der).as_ref()),
        sha1_thumbprint: hex(Sha1::digest(der).as_ref()),
        public_key: parsed.public_key().subject_public_key.data.to_vec(),
        has_rsa_key: parsed.public_key().algorithm.algorithm == OID_PKCS1_RSAENCRYPTION,
        subject_der: parsed.subject().as_raw().to_vec(),
        issuer_der: parsed.issuer().as_raw().to_vec(),
        subject_key_id: key_id(&parsed, |extension| match extension {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        }),
        authority_key_id: key_id(&parsed, |extension| match extension {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
            _ => None,
        }),
    })
}

fn key_id(
    certificate: &X509Certificate<'_>,
    of: impl Fn(&ParsedExtension<'_>) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| of(extension.parsed_extension()))
}

fn is_ca(certificate: &X509Certificate<'_>) -> bool {
    matches!(certificate.basic_constraints(), Ok(Some(constraints)) if constraints.value.ca)
}

fn first<'a>(
    mut values: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>,
) -> Option<String> {
    values.next().and_then(|value| value.as_str().ok()).map(str::to_owned)
}

fn time(second: i64) -> Result<Timestamp, PkiError> {
    Timestamp::from_second(second)
        .map_err(|_| PkiError::ParseCertificate(format!("validity at second {second} is out of range")))
}

fn ip_address(raw: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(raw) {
        return Some(IpAddr::from(four));
    }
    <[u8; 16]>::try_from(raw).ok().map(IpAddr::from)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
