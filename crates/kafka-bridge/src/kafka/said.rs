//! What the client library says, in our log.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

/// Passes on what one client says.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    client: &'static str,
}

impl Said {
    /// For a client of this kind.
    pub(crate) fn new(client: &'static str) -> Self {
        Self { client }
    }
}

impl ClientContext for Said {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log(self.client, level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        failed(self.client, &error, reason);
    }
}

/// A line of the library's log. Most lines speak of one connection and of one try: what lasts is told by the error of a request.
pub(crate) fn log(client: &str, level: RDKafkaLogLevel, facility: &str, text: &str) {
    // Options that concern another kind of client: the bridge names those without effect itself.
    let level = if facility == "CONFWARN" { RDKafkaLogLevel::Debug } else { level };
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(client, facility, "{text}");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => tracing::warn!(client, facility, "{text}"),
        _ => tracing::debug!(client, facility, "{text}"),
    }
}

/// An error that concerns a whole client.
pub(crate) fn failed(client: &str, error: &KafkaError, reason: &str) {
    tracing::warn!(client, reason, "{error}");
}
