//! The part of cert-manager's Certificates (`cert-manager.io/v1`) that the operators write and read. The definition is that of
//! cert-manager.

use std::collections::BTreeMap;

use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::kafka::IssuerRef;

/// API group of cert-manager, and of its own issuers.
pub const GROUP: &str = "cert-manager.io";
/// The kind of a certificate that cert-manager keeps.
pub const CERTIFICATE: &str = "Certificate";
/// The kind of an issuer for one namespace, the default.
pub const ISSUER: &str = "Issuer";

/// Annotation of a Secret that cert-manager writes: the name of its Certificate.
pub const CERTIFICATE_NAME: &str = "cert-manager.io/certificate-name";

/// Key of the certificate in a Secret that cert-manager writes: PEM, with intermediate authorities behind it.
pub const TLS_CRT: &str = "tls.crt";
/// Key of the private key in such a Secret, PEM.
pub const TLS_KEY: &str = "tls.key";

/// A certificate that cert-manager has an issuer sign, keeps in a Secret and renews.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "cert-manager.io",
    version = "v1",
    kind = "Certificate",
    root = "IssuedCertificate",
    namespaced,
    status = "IssuedCertificateStatus",
    schema = "disabled",
    derive = "PartialEq",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
pub struct IssuedCertificateSpec {
    /// The Secret that it is kept in.
    pub secret_name: String,
    /// Labels and annotations of that Secret.
    pub secret_template: Option<SecretTemplate>,
    /// The issuer.
    pub issuer_ref: ObjectReference,
    /// Common name of the subject.
    pub common_name: String,
    /// The rest of the subject.
    pub subject: Option<Subject>,
    /// DNS names.
    pub dns_names: Option<Vec<String>>,
    /// IP addresses.
    pub ip_addresses: Option<Vec<String>>,
    /// How long it is valid, for instance `8760h0m0s`.
    pub duration: String,
    /// How long before its end it is renewed.
    pub renew_before: String,
    /// How its key is made.
    pub private_key: PrivateKey,
    /// What the key may be used for.
    pub usages: Vec<String>,
}

/// Labels and annotations of the Secret of a Certificate.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretTemplate {
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// An issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectReference {
    /// Its API group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl From<&IssuerRef> for ObjectReference {
    /// With the defaults of cert-manager.
    fn from(issuer: &IssuerRef) -> Self {
        Self {
            group: issuer.group.clone().unwrap_or_else(|| GROUP.to_owned()),
            kind: issuer.kind.clone().unwrap_or_else(|| ISSUER.to_owned()),
            name: issuer.name.clone(),
        }
    }
}

/// The subject of a certificate, without its common name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Organizations.
    pub organizations: Vec<String>,
}

/// How the key of a Certificate is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrivateKey {
    /// `ECDSA` or `RSA`.
    pub algorithm: String,
    /// `PKCS8` or `PKCS1`.
    pub encoding: String,
    /// Whether a renewal makes a new key (`Always`) or not (`Never`).
    pub rotation_policy: String,
    /// Bits.
    pub size: i32,
}

/// A length of time as cert-manager writes it.
pub fn duration_of_days(days: u32) -> String {
    format!("{}h0m0s", u64::from(days) * 24)
}

/// What cert-manager says of a Certificate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IssuedCertificateStatus {
    /// Its conditions.
    #[serde(default)]
    pub conditions: Vec<CertificateCondition>,
}

/// Characters of a message of cert-manager that are repeated.
const LONGEST_MESSAGE: usize = 300;

impl IssuedCertificateStatus {
    /// Why the Certificate is not ready, or what keeps it from being issued, in cert-manager's words, of which there may be 300
    /// characters.
    pub fn not_ready(&self) -> Option<String> {
        let is = |type_: &str, status: &str| {
            self.conditions.iter().find(|one| one.type_ == type_ && one.status == status)
        };
        // A failed issuance is told by Issuing, which is False then, in more words than Ready has.
        let failed = is("Issuing", "False").filter(|one| !one.message.is_empty());
        let said = failed.filter(|_| is("Ready", "True").is_none()).or_else(|| is("Ready", "False"));
        let message = said.map(|one| one.message.trim()).filter(|message| !message.is_empty())?;
        let mut short: String = message.chars().take(LONGEST_MESSAGE).collect();
        if short.len() < message.len() {
            short.push('…');
        }
        Some(short)
    }
}

/// A condition of a Certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateCondition {
    /// For instance `Ready` or `Issuing`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in words.
    #[serde(default)]
    pub message: String,
}
