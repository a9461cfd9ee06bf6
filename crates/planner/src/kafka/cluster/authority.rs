//! The settings of the two authorities.

use api::kafka::CertManager;

/// What the resource says of an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaSettings {
    /// Whether the operator makes it; else the user supplies the Secrets, or there is an issuer.
    pub generate: bool,
    /// The issuer of cert-manager that signs for it.
    pub issuer: Option<CertManager>,
    /// Whether the Secrets go with the Kafka resource.
    pub owner_reference: bool,
    /// Days of validity of the authority and its leaves.
    pub validity_days: u32,
    /// Days before the end at which it is renewed.
    pub renewal_days: u32,
    /// Whether renewal makes a new key.
    pub replace_key: bool,
}
