//! The certificate authorities of a cluster.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::schema::{JsonSchema, string_enum};

/// A certificate authority.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateAuthority {
    /// Whether the operator makes the authority. With false the Secrets with its certificate and key must exist. The
    /// default is true.
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
