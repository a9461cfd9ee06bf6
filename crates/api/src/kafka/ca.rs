//! The certificate authorities of a cluster.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::schema::{JsonSchema, string_enum};

/// A certificate authority.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateAuthority {
    /// Whether the operator makes the authority. With false the Secrets with its certificate and key must exist, unless
    /// `type` is `cert-manager.io`. The default is true.
    pub generate_certificate_authority: Option<bool>,
    /// Whether the authority's Secrets are deleted with the cluster. The default is true.
    pub generate_secret_owner_reference: Option<bool>,
    /// Days the authority's certificate, and those it signs, are valid. The default is 365.
    #[schemars(range(min = 1))]
    pub validity_days: Option<i32>,
    /// Days before the end of a certificate that it is renewed. The default is 30.
    #[schemars(range(min = 1))]
    pub renewal_days: Option<i32>,
    /// What happens when the authority's certificate ends: `renew-certificate` keeps the key, `replace-key` makes a
    /// new one. The default is `renew-certificate`.
    pub certificate_expiration_policy: Option<CertificateExpirationPolicy>,
    /// Who signs the certificates that the operators ask for: `strimzi.io`, the operators themselves with the key of the
    /// authority, or `cert-manager.io`, an issuer of cert-manager, which requires `generateCertificateAuthority: false`. The
    /// default is `strimzi.io`.
    #[serde(rename = "type")]
    pub type_: Option<CertificateAuthorityType>,
    /// The issuer of cert-manager, where the type is `cert-manager.io`.
    pub cert_manager: Option<CertManager>,
}

string_enum! {
    /// Who signs certificates.
    CertificateAuthorityType {
        /// The operators themselves, with the key of the authority.
        Strimzi = "strimzi.io",
        /// An issuer of cert-manager.
        CertManager = "cert-manager.io",
    }
}

/// An issuer of cert-manager, and the certificates to trust for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertManager {
    /// The issuer.
    pub issuer_ref: IssuerRef,
    /// The CA certificates to trust: that of the issuer, or one above it.
    pub ca_cert: IssuerCertificates,
}

/// Refers to an issuer of cert-manager.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRef {
    /// Name of the issuer.
    pub name: String,
    /// Kind of the issuer: `Issuer`, in the namespace of the certificates, `ClusterIssuer`, or the kind of an external
    /// issuer. The default is `Issuer`.
    pub kind: Option<String>,
    /// API group of the issuer. The default is `cert-manager.io`; external issuers have groups of their own.
    pub group: Option<String>,
}

/// Refers to the CA certificates by which those of an issuer are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuerCertificates {
    /// Name of the Secret.
    pub secret_name: String,
    /// Key in the Secret: PEM, one certificate or several behind each other.
    pub certificate: String,
}

string_enum! {
    /// What happens when an authority's certificate ends.
    CertificateExpirationPolicy {
        /// A new certificate for the same key.
        RenewCertificate = "renew-certificate",
        /// A new key and a new certificate.
        ReplaceKey = "replace-key",
    }
}
