//! What is offered to Prometheus and to JMX clients.

use std::path::PathBuf;

use api::agent::{PlugIn, RemoteJmx};
use api::ports;

/// Where the Secret with the JMX user and password is mounted.
pub const JMX_CREDENTIALS: &str = "/opt/kafka/jmx";

/// The port that Prometheus asks.
const METRICS_PORT: u16 = ports::METRICS as u16;
/// The port of remote JMX.
const JMX_PORT: u16 = ports::JMX as u16;

/// Which metrics are offered to Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metrics {
    /// JMX beans, by rules.
    JmxExporter {
        /// The rules, as JSON.
        rules: String,
    },
    /// Those of Kafka's own registries.
    Reporter {
        /// Regular expressions of names.
        allow_list: Vec<String>,
    },
}

impl Metrics {
    /// The jar that they take.
    pub fn plug_in(&self) -> PlugIn {
        match self {
            Self::JmxExporter { .. } => PlugIn::JmxPrometheusExporter { port: METRICS_PORT },
            Self::Reporter { .. } => PlugIn::MetricsReporter,
        }
    }
}

/// Remote JMX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jmx {
    /// Whether clients need a password.
    pub password: bool,
}

impl Jmx {
    /// As the agent of a node is told.
    pub fn remote(self) -> RemoteJmx {
        RemoteJmx { port: JMX_PORT, credentials: self.password.then(|| PathBuf::from(JMX_CREDENTIALS)) }
    }
}
