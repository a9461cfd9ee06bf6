//! Warnings about fields: those that older versions had and that mean nothing any more, and those that nobody knows.

use api::conditions::reasons;
use api::present::Present;
use api::{Kafka, KafkaNodePool, last_applied};

use crate::findings::{Findings, Warning};

/// Says which fields of a Kafka resource are deprecated or unknown.
pub fn say(kafka: &Kafka, findings: &mut Findings) {
    let ignored = without_effect(kafka);
    if !ignored.is_empty() {
        let message = format!("{}: without effect in this version; remove them", ignored.join(", "));
        findings.warn(reasons::DEPRECATED_FIELDS, message);
    }
    for (field, instead) in in_effect(kafka) {
        findings.warn(reasons::DEPRECATED_FIELDS, format!("{field}: write {instead} instead"));
    }
    if let Some(complaint) = last_applied::complaint(&kafka.metadata) {
        findings.warn(reasons::UNKNOWN_FIELDS, complaint);
    }
}

/// What deserves a look in the fields of a node pool.
pub fn of_pool(pool: &KafkaNodePool) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Some(message) = last_applied::complaint(&pool.metadata) {
        warnings.push(Warning { reason: reasons::UNKNOWN_FIELDS.to_owned(), message });
    }
    let storage = &pool.spec.storage;
    let in_volumes = storage.volumes.iter().flatten().any(|volume| volume.overrides.is_some());
    if storage.overrides.is_some() || in_volumes {
        let message = "spec.storage overrides: write one KafkaNodePool for each storage class instead";
        let reason = reasons::DEPRECATED_FIELDS.to_owned();
        warnings.push(Warning { reason, message: message.to_owned() });
    }
    warnings
}

/// Fields that are carried out and have a successor.
fn in_effect(kafka: &Kafka) -> Vec<(&'static str, &'static str)> {
    let entity = kafka.spec.entity_operator.as_ref();
    let topic = entity.and_then(|entity| entity.topic_operator.as_ref());
    let user = entity.and_then(|entity| entity.user_operator.as_ref());
    let milliseconds = "reconciliationIntervalMs, in milliseconds,";
    let mut found = Vec::new();
    if topic.is_some_and(|topic| topic.reconciliation_interval_seconds.is_some()) {
        found.push(("spec.entityOperator.topicOperator.reconciliationIntervalSeconds", milliseconds));
    }
    if user.is_some_and(|user| user.reconciliation_interval_seconds.is_some()) {
        found.push(("spec.entityOperator.userOperator.reconciliationIntervalSeconds", milliseconds));
    }
    if kafka.spec.kafka.resources.is_some() {
        found.push(("spec.kafka.resources", "spec.resources of the KafkaNodePools"));
    }
    found
}

/// Fields that are there and mean nothing.
fn without_effect(kafka: &Kafka) -> Vec<String> {
    let mut found = Vec::new();
    let mut section = |path: &str, fields: &[(&str, Option<Present>)]| {
        let present = fields.iter().filter(|(_, present)| present.is_some());
        found.extend(present.map(|(field, _)| format!("{path}.{field}")));
    };
    let spec = &kafka.spec;
    section("spec", &[("jmxTrans", spec.jmx_trans)]);
    if let Some(template) = &spec.kafka.template {
        section("spec.kafka.template", &[("statefulset", template.statefulset)]);
    }
    if let Some(zookeeper) = spec.zookeeper.as_deref() {
        section(
            "spec.zookeeper",
            &[
                ("config", zookeeper.config),
                ("image", zookeeper.image),
                ("jmxOptions", zookeeper.jmx_options),
                ("livenessProbe", zookeeper.liveness_probe),
                ("logging", zookeeper.logging),
                ("metricsConfig", zookeeper.metrics_config),
                ("readinessProbe", zookeeper.readiness_probe),
            ],
        );
        if let Some(template) = &zookeeper.template {
            section(
                "spec.zookeeper.template",
                &[
                    ("clientService", template.client_service),
                    ("jmxSecret", template.jmx_secret),
                    ("nodesService", template.nodes_service),
                    ("podDisruptionBudget", template.pod_disruption_budget),
                    ("serviceAccount", template.service_account),
                    ("statefulset", template.statefulset),
                ],
            );
        }
    }
    if let Some(entity) = &spec.entity_operator {
        section("spec.entityOperator", &[("tlsSidecar", entity.tls_sidecar)]);
        if let Some(template) = &entity.template {
            section(
                "spec.entityOperator.template",
                &[("tlsSidecarContainer", template.tls_sidecar_container)],
            );
        }
        if let Some(topic) = &entity.topic_operator {
            section(
                "spec.entityOperator.topicOperator",
                &[
                    ("topicMetadataMaxAttempts", topic.topic_metadata_max_attempts),
                    ("zookeeperSessionTimeoutSeconds", topic.zookeeper_session_timeout_seconds),
                ],
            );
        }
        if let Some(user) = &entity.user_operator {
            let timeout = user.zookeeper_session_timeout_seconds;
            section("spec.entityOperator.userOperator", &[("zookeeperSessionTimeoutSeconds", timeout)]);
        }
    }
    if let Some(template) = spec.kafka_exporter.as_ref().and_then(|exporter| exporter.template.as_ref()) {
        section("spec.kafkaExporter.template", &[("service", template.service)]);
    }
    if let Some(control) = &spec.cruise_control {
        section("spec.cruiseControl", &[("tlsSidecar", control.tls_sidecar)]);
        if let Some(template) = &control.template {
            section(
                "spec.cruiseControl.template",
                &[("tlsSidecarContainer", template.tls_sidecar_container)],
            );
        }
        if let Some(capacity) = &control.broker_capacity {
            let fields = [("cpuUtilization", capacity.cpu_utilization), ("disk", capacity.disk)];
            section("spec.cruiseControl.brokerCapacity", &fields);
        }
    }
    found
}
