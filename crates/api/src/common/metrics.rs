//! Metrics and traces of the operands.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::refs::ConfigMapSource;
use crate::schema::{JsonSchema, string_enum};

/// Which metrics are offered to Prometheus on port 9404.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.type != 'jmxPrometheusExporter' || has(self.valueFrom)",
    "message": "valueFrom property is required"
}]))]
pub struct MetricsConfig {
    /// `jmxPrometheusExporter` turns JMX beans into metrics by the rules in a ConfigMap, `strimziMetricsReporter`
    /// offers the metrics of Kafka's own registry.
    #[serde(rename = "type")]
    pub type_: MetricsConfigType,
    /// The ConfigMap with the rules (`jmxPrometheusExporter`).
    pub value_from: Option<ConfigMapSource>,
    /// Options of the reporter (`strimziMetricsReporter`).
    pub values: Option<MetricsReporterValues>,
}

string_enum! {
    /// Where metrics come from.
    MetricsConfigType {
        /// JMX beans, by rules.
        JmxPrometheusExporter = "jmxPrometheusExporter",
        /// Kafka's own registry.
        StrimziMetricsReporter = "strimziMetricsReporter",
    }
}

/// Options of the metrics reporter.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsReporterValues {
    /// Regular expressions of the metric names to offer. The default is all.
    pub allow_list: Option<Vec<String>>,
}

/// Traces of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tracing {
    /// `opentelemetry`: configured by the `OTEL_…` environment variables of the container template.
    #[serde(rename = "type")]
    pub type_: TracingType,
}

string_enum! {
    /// Kind of tracing.
    TracingType {
        /// Jaeger, in a resource of an older version.
        Jaeger = "jaeger",
        /// OpenTelemetry.
        OpenTelemetry = "opentelemetry",
    }
}
