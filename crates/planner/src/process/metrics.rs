//! What is offered to Prometheus and to JMX clients.

use std::path::PathBuf;

use api::agent::{PlugIn, RemoteJmx, container};
use api::common::jvm::JmxOptions;
use api::common::metrics::{MetricsConfig, MetricsConfigType};
use api::ports;

use crate::findings::Findings;
use crate::references::ConfigMapKey;
use crate::text;

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

/// The rules of an exporter before they are read.
const NO_RULES: &str = "{}";

impl Metrics {
    /// Reads the section at this path, and where its rules are. `allowed` are the names of metrics that the reporter offers by
    /// default, as regular expressions.
    pub fn read(
        raw: Option<&MetricsConfig>,
        section: &str,
        allowed: &[&str],
        findings: &mut Findings,
    ) -> (Option<Self>, Option<ConfigMapKey>) {
        let Some(raw) = raw else { return (None, None) };
        match raw.type_ {
            MetricsConfigType::JmxPrometheusExporter => {
                let rules = NO_RULES.to_owned();
                (Some(Self::JmxExporter { rules }), rules_of(raw, section, findings))
            }
            MetricsConfigType::StrimziMetricsReporter => {
                let listed = raw.values.as_ref().and_then(|values| values.allow_list.clone());
                let default = || allowed.iter().map(|name| (*name).to_owned()).collect();
                let allow_list: Vec<String> = listed.unwrap_or_else(default);
                let field = format!("{section}.values.allowList");
                for (index, expression) in allow_list.iter().enumerate() {
                    let what = "a regular expression";
                    text::item(expression, ',', &format!("{field}[{index}]"), what, findings);
                }
                (Some(Self::Reporter { allow_list }), None)
            }
        }
    }

    /// The jar that they take.
    pub fn plug_in(&self) -> PlugIn {
        match self {
            Self::JmxExporter { .. } => PlugIn::JmxPrometheusExporter { port: METRICS_PORT },
            Self::Reporter { .. } => PlugIn::MetricsReporter,
        }
    }
}

/// Where the rules of the exporter are.
fn rules_of(raw: &MetricsConfig, section: &str, findings: &mut Findings) -> Option<ConfigMapKey> {
    let field = format!("{section}.valueFrom.configMapKeyRef");
    let reference = raw.value_from.as_ref().and_then(|source| source.config_map_key_ref.as_ref());
    let Some(reference) = reference else {
        findings.problem(field, "is missing: name the ConfigMap with the rules of the exporter, and the key");
        return None;
    };
    Some(ConfigMapKey {
        field,
        name: reference.name.clone(),
        key: reference.key.clone(),
        optional: reference.optional.unwrap_or(false),
    })
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
        RemoteJmx {
            port: JMX_PORT,
            credentials: self.password.then(|| PathBuf::from(container::JMX_CREDENTIALS)),
        }
    }
}

impl From<&JmxOptions> for Jmx {
    fn from(raw: &JmxOptions) -> Self {
        // There is but one type of authentication.
        Self { password: raw.authentication.is_some() }
    }
}
