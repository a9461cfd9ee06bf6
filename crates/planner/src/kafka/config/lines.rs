//! Lines of `server.config`.

use api::properties;

use crate::kafka::cluster::Cluster;

/// Name of the listener between brokers.
pub const REPLICATION_LISTENER: &str = api::ports::REPLICATION_LISTENER;

/// Lines of properties in the order in which they were written.
#[derive(Default)]
pub(super) struct Lines(pub(super) String);

impl Lines {
    /// Adds a line.
    pub(super) fn set(&mut self, name: &str, value: impl AsRef<str>) {
        properties::add_line(&mut self.0, name, value.as_ref());
    }

    /// Adds a line if there is a value.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.set(name, value.to_string());
        }
    }
}

/// What a listener or a client shows.
pub(super) fn keystore(lines: &mut Lines, prefix: &str, path: &str) {
    lines.set(&format!("{prefix}ssl.keystore.type"), "PEM");
    lines.set(&format!("{prefix}ssl.keystore.location"), path);
}

/// Whom a listener or a client trusts.
pub(super) fn truststore(lines: &mut Lines, prefix: &str, path: &str) {
    lines.set(&format!("{prefix}ssl.truststore.type"), "PEM");
    lines.set(&format!("{prefix}ssl.truststore.location"), path);
}

/// The protocol of the listeners between the parts of the cluster.
pub(super) fn internal_protocol(cluster: &Cluster) -> &'static str {
    if cluster.internal_security.encrypts() { "SSL" } else { "PLAINTEXT" }
}
