//! Jars that options of a Kafka resource ask for and that Kafka's own image does not have: what each is called, where it comes
//! from, which classes it is known by. The agent of a node looks for them and says which it does not find.

use serde::{Deserialize, Serialize};

/// Folder in the container where a volume with further jars may be mounted. All jars below it are put on the class path.
pub const JARS_FOLDER: &str = "/mnt/kafka-libs";

/// Folder for Kafka's own jars, where those of a derived image may lie too.
pub const LIBS_FOLDER: &str = "/opt/kafka/libs";

/// The option with the reporters that Kafka tells of its metrics.
pub const METRIC_REPORTERS: &str = "metric.reporters";

/// The reporter that Kafka has by default: it shows metrics as JMX beans.
pub const JMX_REPORTER: &str = "org.apache.kafka.common.metrics.JmxReporter";

/// The option with the reporters that Kafka tells of the metrics in its older registry.
pub const YAMMER_REPORTERS: &str = "kafka.metrics.reporters";

/// How the file name of the exporter's jar begins.
pub const JMX_EXPORTER_JAR: &str = "jmx_prometheus_javaagent";

/// A jar that Kafka's own image does not have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PlugIn {
    /// Offers JMX beans to Prometheus, by the rules in `metrics-config.json`.
    JmxPrometheusExporter {
        /// On which port.
        port: u16,
    },
    /// Offers the metrics of Kafka's own registries to Prometheus.
    MetricsReporter,
    /// Limits clients, also by the free space on volumes.
    QuotasPlugIn,
    /// Offers the metrics of a worker of Kafka Connect and of its clients to Prometheus.
    ClientMetricsReporter,
    /// Reads the Secrets that configurations of connectors refer to with `${strimzisecrets:…}`.
    SecretsProvider,
    /// Traces what workers of Kafka Connect and their clients read and write.
    Tracing,
    /// Moves segments to and from remote storage: a class of the user's own choice.
    RemoteStorageManager {
        /// Its name.
        class: String,
        /// Where it is looked for beside the class path, with `:` between places and `/*` for all jars of a folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class_path: Option<String>,
    },
}

/// The reporters of one version of [`PlugIn::MetricsReporter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reporters {
    /// The one for [`METRIC_REPORTERS`].
    pub kafka: &'static str,
    /// The one for [`YAMMER_REPORTERS`].
    pub yammer: &'static str,
}

/// The names that the reporters have now, and those that they had before version 0.3.0.
pub const METRICS_REPORTERS: [Reporters; 2] = [
    Reporters {
        kafka: "io.strimzi.kafka.metrics.prometheus.ServerKafkaMetricsReporter",
        yammer: "io.strimzi.kafka.metrics.prometheus.ServerYammerMetricsReporter",
    },
    Reporters {
        kafka: "io.strimzi.kafka.metrics.KafkaPrometheusMetricsReporter",
        yammer: "io.strimzi.kafka.metrics.YammerPrometheusMetricsReporter",
    },
];

/// The class of [`PlugIn::ClientMetricsReporter`] now, and its class before version 0.3.0.
pub const CLIENT_METRICS_REPORTERS: [&str; 2] = [
    "io.strimzi.kafka.metrics.prometheus.ClientMetricsReporter",
    "io.strimzi.kafka.metrics.KafkaPrometheusMetricsReporter",
];

/// The options of a worker and of a connector with the interceptors of the clients that read and that write.
pub const INTERCEPTORS: [&str; 2] = ["consumer.interceptor.classes", "producer.interceptor.classes"];

/// The classes of [`PlugIn::Tracing`] for these options.
pub const TRACING_INTERCEPTORS: [&str; 2] = [
    "io.opentelemetry.instrumentation.kafkaclients.v2_6.TracingConsumerInterceptor",
    "io.opentelemetry.instrumentation.kafkaclients.v2_6.TracingProducerInterceptor",
];

/// The class that reads the `OTEL_…` variables, without which these send nothing.
pub const TRACING_SDK_CLASS: &str = "io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk";

/// The class of [`PlugIn::SecretsProvider`].
pub const SECRETS_PROVIDER_CLASS: &str = "io.strimzi.kafka.KubernetesSecretConfigProvider";

/// The class of [`PlugIn::QuotasPlugIn`].
pub const QUOTAS_CLASS: &str = "io.strimzi.kafka.quotas.StaticQuotaCallback";

/// How the options of [`PlugIn::QuotasPlugIn`] begin.
pub const QUOTAS_OPTIONS: &str = "client.quota.callback.";

/// How the options of [`PlugIn::MetricsReporter`] begin.
pub const METRICS_REPORTER_OPTIONS: &str = "prometheus.metrics.reporter.";

impl PlugIn {
    /// What people call it.
    pub fn name(&self) -> &str {
        match self {
            Self::JmxPrometheusExporter { .. } => "the JMX Prometheus Exporter",
            Self::MetricsReporter | Self::ClientMetricsReporter => "the Strimzi Metrics Reporter",
            Self::SecretsProvider => "the Kubernetes configuration provider (strimzisecrets)",
            Self::QuotasPlugIn => "the Strimzi Quotas plug-in",
            Self::Tracing => "OpenTelemetry",
            Self::RemoteStorageManager { class, .. } => class,
        }
    }

    /// The section of the Kafka resource that asks for it.
    pub fn field(&self) -> &'static str {
        match self {
            Self::JmxPrometheusExporter { .. } | Self::MetricsReporter => "spec.kafka.metricsConfig",
            Self::ClientMetricsReporter => "spec.metricsConfig",
            Self::SecretsProvider => "config.providers",
            Self::QuotasPlugIn => "spec.kafka.quotas",
            Self::Tracing => "spec.tracing",
            Self::RemoteStorageManager { .. } => "spec.kafka.tieredStorage",
        }
    }

    /// Where Maven Central has it, as group and artifact; `None`: that is up to the user.
    pub fn artifact(&self) -> Option<&'static str> {
        match self {
            Self::JmxPrometheusExporter { .. } => Some("io.prometheus.jmx:jmx_prometheus_javaagent"),
            Self::MetricsReporter | Self::ClientMetricsReporter => Some("io.strimzi:metrics-reporter"),
            Self::SecretsProvider => Some("io.strimzi:kafka-kubernetes-config-provider"),
            Self::QuotasPlugIn => Some("io.strimzi:kafka-quotas-plugin"),
            Self::Tracing => Some(
                "io.opentelemetry.instrumentation:opentelemetry-kafka-clients-2.6, \
                 io.opentelemetry:opentelemetry-sdk-extension-autoconfigure and io.opentelemetry:opentelemetry-exporter-otlp",
            ),
            Self::RemoteStorageManager { .. } => None,
        }
    }
}
