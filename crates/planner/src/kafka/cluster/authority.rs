//! The settings of the two authorities.

/// What the resource says of an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaSettings {
    /// Whether the operator makes it; else the user supplies the Secrets.
    pub generate: bool,
    /// Whether the Secrets go with the Kafka resource.
    pub owner_reference: bool,
    /// Days of validity of the authority and its leaves.
    pub validity_days: u32,
    /// Days before the end at which it is renewed.
    pub renewal_days: u32,
    /// Whether renewal makes a new key.
    pub replace_key: bool,
}
