//! Certificate authorities and the certificates they issue.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};

use crate::{keys, random};
use pki::{CertificateInfo, CertificatePem, KeyAlgorithm, PkiError, PrivateKeyPem};

/// New certificates are valid from a little before they were made, for peers whose clocks lag.
const BACKDATE_SECONDS: i64 = 300;

/// What a new authority is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityRequest {
    /// Common name, for example `cluster-ca v0` (the number is the generation of its key).
    pub common_name: String,
    /// Organization; `io.strimzi` for the authorities of a Kafka cluster.
    pub organization: String,
    /// Days from now until it is over; at least 1.
    pub validity_days: u32,
    /// How its key is made.
    pub algorithm: KeyAlgorithm,
}

/// What a certificate issued by an authority is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeafRequest {
    /// Common name; at most 64 characters (X.520).
    pub common_name: String,
    /// Organization; user certificates have none, so that their principal is `CN=<name>`.
    pub organization: Option<String>,
    /// DNS subject alternative names.
    pub dns_names: BTreeSet<String>,
    /// IP subject alternative names.
    pub ip_addresses: BTreeSet<IpAddr>,
    /// Days from now until it is over; at least 1. It never outlives the authority.
    pub validity_days: u32,
    /// How its key is made.
    pub algorithm: KeyAlgorithm,
}

/// A new key and the certificate for it.
#[derive(Debug, Clone)]
pub struct IssuedCertificate {
    /// The private key, PKCS #8.
    pub key: PrivateKeyPem,
    /// The certificate alone.
    pub certificate: CertificatePem,
    /// The certificate followed by the authority's certificate (with its own chain, if it has one).
    pub chain: CertificatePem,
    /// Valid up to this time.
    pub not_after: Timestamp,
}

/// A certificate authority that can sign: key and certificate, known to belong together.
pub struct Authority {
    certificate: CertificatePem,
    key: PrivateKeyPem,
    info: CertificateInfo,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("subject", &self.info.subject)
            .field("serial", &self.info.serial)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new self-signed authority with a new key.
    pub fn generate(request: &AuthorityRequest, now: Timestamp) -> Result<Self, PkiError> {
        let key = keys::generate(request.algorithm)?;
        let key_pem = PrivateKeyPem::from_pkcs8_der(key.serialized_der());
        Self::self_signed(request, &key, &key_pem, now)
    }

    /// Makes a new self-signed certificate for an existing authority key: what was signed with the key stays valid.
    ///
    /// `request.algorithm` has no meaning here. `request.common_name` has to be the old one.
    pub fn renew(request: &AuthorityRequest, key: &PrivateKeyPem, now: Timestamp) -> Result<Self, PkiError> {
        let pair = keys::load(key)?;
        Self::self_signed(request, &pair, key, now)
    }

    /// Takes an existing authority. The first certificate of the text is the signing one; its chain may follow.
    ///
    /// Errors: a text that cannot be read, a key of another certificate, a certificate that may not sign.
    pub fn load(certificate: &CertificatePem, key: &PrivateKeyPem) -> Result<Self, PkiError> {
        let ders = certificate.ders()?;
        let Some(signing) = ders.first() else {
            return Err(PkiError::ParseCertificate("no CERTIFICATE block found".to_owned()));
        };
        let info = pki::parse_der(signing)?;
        if !info.is_ca {
            return Err(PkiError::NotAnAuthority { subject: info.subject });
        }
        let pair = keys::load(key)?;
        if pair.der_bytes() != info.public_key.as_slice() {
            return Err(PkiError::KeyMismatch { subject: info.subject });
        }
        let issuer = Issuer::from_ca_cert_der(signing, pair)
            .map_err(|error| PkiError::ParseCertificate(error.to_string()))?;
        Ok(Self { certificate: certificate.clone(), key: key.clone(), info, issuer })
    }

    /// The authority's certificate (with its chain, if it was loaded with one).
    pub fn certificate(&self) -> &CertificatePem {
        &self.certificate
    }

    /// The authority's private key.
    pub fn key(&self) -> &PrivateKeyPem {
        &self.key
    }

    /// What the authority's certificate says.
    pub fn info(&self) -> &CertificateInfo {
        &self.info
    }

    /// Issues a certificate with a new key. It ends with the authority at the latest.
    ///
    /// It has no extended key usage: a node is server and client with one certificate, and a user's is signed by an
    /// authority that no client trusts for servers.
    pub fn issue(&self, request: &LeafRequest, now: Timestamp) -> Result<IssuedCertificate, PkiError> {
        let key = keys::generate(request.algorithm)?;
        let key_pem = PrivateKeyPem::from_pkcs8_der(key.serialized_der());
        self.sign(request, &key, key_pem, now)
    }

    fn sign(
        &self,
        request: &LeafRequest,
        key: &KeyPair,
        key_pem: PrivateKeyPem,
        now: Timestamp,
    ) -> Result<IssuedCertificate, PkiError> {
        let failed = |reason: String| PkiError::Issue { subject: request.common_name.clone(), reason };
        if request.common_name.chars().count() > 64 {
            return Err(failed("a common name has at most 64 characters".to_owned()));
        }
        // What an authority signed is worth nothing without it.
        let not_after = end(request.validity_days, now).map_err(&failed)?.min(self.info.not_after);
        if not_after <= now {
            return Err(failed(format!(
                "the certificate of the authority {} ended at {}",
                self.info.subject, self.info.not_after
            )));
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(request.organization.as_deref(), &request.common_name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if is_rsa(key) {
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        for name in &request.dns_names {
            let name =
                name.as_str().try_into().map_err(|_| failed(format!("\"{name}\" is not a DNS name")))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        for address in &request.ip_addresses {
            params.subject_alt_names.push(SanType::IpAddress(*address));
        }
        params.serial_number = Some(serial()?);
        set_validity(&mut params, now, not_after);
        let signed = params.signed_by(key, &self.issuer).map_err(|error| failed(error.to_string()))?;
        // The issuer's name is rebuilt from its parts while signing; a name with a repeated part (DC=a, DC=b) would
        // come out shorter, and nobody could verify the result.
        if pki::parse_der(signed.der())?.issuer_der != self.info.subject_der {
            return Err(failed(format!(
                "the authority's subject {} repeats an attribute type, which is not supported; use an authority whose \
                 subject has each attribute once",
                self.info.subject
            )));
        }
        let certificate = CertificatePem::from_der(signed.der());
        let chain = certificate.followed_by(&self.certificate);
        Ok(IssuedCertificate { key: key_pem, certificate, chain, not_after })
    }

    fn self_signed(
        request: &AuthorityRequest,
        key: &KeyPair,
        key_pem: &PrivateKeyPem,
        now: Timestamp,
    ) -> Result<Self, PkiError> {
        let failed = |reason: String| PkiError::Issue { subject: request.common_name.clone(), reason };
        let not_after = end(request.validity_days, now).map_err(&failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(Some(&request.organization), &request.common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // OpenSSL's way to make the identifier. What was issued before names it, so a renewal by another tool, or of what
        // another tool made, must come to the same one.
        let identifier = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, key.der_bytes());
        params.key_identifier_method = KeyIdMethod::PreSpecified(identifier.as_ref().to_vec());
        params.serial_number = Some(serial()?);
        set_validity(&mut params, now, not_after);
        let signed = params.self_signed(key).map_err(|error| failed(error.to_string()))?;
        Self::load(&CertificatePem::from_der(signed.der()), key_pem)
    }
}

fn is_rsa(key: &KeyPair) -> bool {
    [&rcgen::PKCS_RSA_SHA256, &rcgen::PKCS_RSA_SHA384, &rcgen::PKCS_RSA_SHA512]
        .into_iter()
        .any(|algorithm| key.is_compatible(algorithm))
}

fn subject(organization: Option<&str>, common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common_name);
    name
}

/// 128 random bits. The encoding prepends a zero byte where the highest bit is set, so the number stays positive.
fn serial() -> Result<SerialNumber, PkiError> {
    let mut number = random::bytes::<16>()?;
    // A leading zero byte would make it shorter than its peers.
    if number[0] == 0 {
        number[0] = 1;
    }
    Ok(SerialNumber::from_slice(&number))
}

fn end(validity_days: u32, now: Timestamp) -> Result<Timestamp, String> {
    if validity_days == 0 {
        return Err("the validity has to be at least 1 day".to_owned());
    }
    let second = now.as_second() + i64::from(validity_days) * 86_400;
    // The last second that X.509 can express: 9999-12-31T23:59:59Z.
    if second > 253_402_300_799 {
        return Err(format!("a validity of {validity_days} days ends after the year 9999"));
    }
    Timestamp::from_second(second).map_err(|error| error.to_string())
}

fn set_validity(params: &mut CertificateParams, now: Timestamp, not_after: Timestamp) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |second: i64| epoch + Duration::from_secs(u64::try_from(second).unwrap_or(0));
    params.not_before = at(now.as_second() - BACKDATE_SECONDS);
    params.not_after = at(not_after.as_second());
}
