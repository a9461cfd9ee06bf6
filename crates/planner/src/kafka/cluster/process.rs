//! What containers and their processes are started with.

use std::collections::BTreeMap;

/// Loggers and levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logging {
    /// Loggers over the defaults; empty: the defaults.
    Inline(BTreeMap<String, String>),
    /// The whole text, out of a ConfigMap of the user's own.
    External(String),
}

/// Options of the JVM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JvmOptions {
    /// `-Xms`.
    pub xms: Option<String>,
    /// `-Xmx`.
    pub xmx: Option<String>,
    /// `-XX` options by name.
    pub xx: BTreeMap<String, String>,
    /// System properties in order.
    pub system_properties: Vec<(String, String)>,
    /// Whether garbage collection is logged.
    pub gc_logging: bool,
}
