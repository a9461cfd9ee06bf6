//! `spec.kafka.metricsConfig` and `spec.kafka.jmxOptions`.

use api::common::metrics::{MetricsConfig, MetricsConfigType};
use api::conditions::reasons;
use api::kafka::KafkaClusterSpec;

use super::wanted::MetricsReference;
use super::{Findings, text};
use crate::kafka::cluster::{Jmx, Metrics};

/// Path of the section.
const SECTION: &str = "spec.kafka.metricsConfig";

/// Names of metrics that are offered by default: those that dashboards for Kafka show.
const ALLOWED: [&str; 16] = [
    "kafka_cluster_partition.*",
    "kafka_controller_kafkacontroller.*",
    "kafka_controller_controllerstats_uncleanleaderelectionspersec_total",
    "kafka_log_log_size",
    "kafka_network_requestmetrics.*",
    "kafka_network_socketserver_networkprocessoravgidlepercent",
    "kafka_server_app_info.*",
    "kafka_server_brokertopicmetrics.*",
    "kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent_total",
    "kafka_server_kafkaserver_brokerstate",
    "kafka_server_kafkaserver_clusterid_info",
    "kafka_server_kafkaserver_linux.*",
    "kafka_server_raft.*",
    "kafka_server_replicamanager.*",
    "kafka_server_request_queue_size",
    "kafka_server_socket_server.*",
];

/// The rules of an exporter before they are read.
const NO_RULES: &str = "{}";

/// Reads the section, and where its rules are.
pub fn read(spec: &KafkaClusterSpec, findings: &mut Findings) -> (Option<Metrics>, Option<MetricsReference>) {
    let Some(raw) = &spec.metrics_config else { return (None, None) };
    match raw.type_ {
        MetricsConfigType::JmxPrometheusExporter => {
            let rules = NO_RULES.to_owned();
            (Some(Metrics::JmxExporter { rules }), reference(raw, findings))
        }
        MetricsConfigType::StrimziMetricsReporter => {
            let listed = raw.values.as_ref().and_then(|values| values.allow_list.clone());
            let allow_list = listed.unwrap_or_else(|| ALLOWED.map(str::to_owned).to_vec());
            let field = format!("{SECTION}.values.allowList");
            for (index, expression) in allow_list.iter().enumerate() {
                text::item(expression, ',', &format!("{field}[{index}]"), "a regular expression", findings);
            }
            (Some(Metrics::Reporter { allow_list }), None)
        }
    }
}

fn reference(raw: &MetricsConfig, findings: &mut Findings) -> Option<MetricsReference> {
    let field = format!("{SECTION}.valueFrom.configMapKeyRef");
    let reference = raw.value_from.as_ref().and_then(|source| source.config_map_key_ref.as_ref());
    let Some(reference) = reference else {
        findings.problem(field, "is missing: name the ConfigMap with the rules of the exporter, and the key");
        return None;
    };
    Some(MetricsReference {
        field,
        name: reference.name.clone(),
        key: reference.key.clone(),
        optional: reference.optional.unwrap_or(false),
    })
}

/// Reads `jmxOptions`.
pub fn jmx(spec: &KafkaClusterSpec, findings: &mut Findings) -> Option<Jmx> {
    let options = spec.jmx_options.as_ref()?;
    // There is but one type of authentication.
    let password = options.authentication.is_some();
    if !password {
        findings.warn(
            reasons::JMX_WITHOUT_AUTHENTICATION,
            "spec.kafka.jmxOptions: whoever reaches port 9999 of the pods may read and change everything in Kafka's JVM, and run \
             commands by it: write authentication: {type: password}",
        );
    }
    Some(Jmx { password })
}
