//! `spec.kafka.metricsConfig` and `spec.kafka.jmxOptions`.

use api::conditions::reasons;
use api::kafka::KafkaClusterSpec;

use super::Findings;
use crate::kafka::cluster::{Jmx, Metrics};
use crate::references::ConfigMapKey;

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

/// Reads the section, and where its rules are.
pub(super) fn read(
    spec: &KafkaClusterSpec,
    findings: &mut Findings,
) -> (Option<Metrics>, Option<ConfigMapKey>) {
    Metrics::read(spec.metrics_config.as_ref(), SECTION, &ALLOWED, findings)
}

/// Reads `jmxOptions`.
pub(super) fn jmx(spec: &KafkaClusterSpec, findings: &mut Findings) -> Option<Jmx> {
    let options = spec.jmx_options.as_ref()?;
    if options.authentication.is_none() {
        findings.warn(
            reasons::JMX_WITHOUT_AUTHENTICATION,
            "spec.kafka.jmxOptions: whoever reaches port 9999 of the pods may read and change everything in Kafka's JVM, and run \
             commands by it: write authentication: {type: password}",
        );
    }
    Some(Jmx::from(options))
}
