//! Limits for clients.

use std::collections::BTreeMap;

use serde::Serialize;

/// Limits for clients.
#[derive(Debug, Clone, PartialEq)]
pub enum Quotas {
    /// Kafka's own default quotas of users, by Kafka's names for them.
    Kafka(BTreeMap<&'static str, Rate>),
    /// A plug-in that also watches the free space on volumes.
    PlugIn(QuotasPlugIn),
}

/// A limit: bytes, changed partitions or percent of a thread's time, each per second. Always finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate(pub f64);

impl Eq for Rate {}

/// Options of the plug-in; what is `None` stays at its default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuotasPlugIn {
    /// Bytes per second that all producers of a broker send together.
    pub produce: Option<i64>,
    /// Bytes per second that all consumers of a broker get together.
    pub fetch: Option<i64>,
    /// What has to stay free on each volume.
    pub free_space: Option<FreeSpace>,
    /// Principals that the limits do not hold for, as Kafka writes them (`User:name`).
    pub excluded: Vec<String>,
}

/// What has to stay free on each volume.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FreeSpace {
    /// Bytes.
    Bytes(i64),
    /// A share from 0 to 1.
    Ratio(f64),
}
