//! A warning about fields of the present versions that can have no effect here, with the reason.

use api::Kafka;
use api::common::jvm::JvmOptions;
use api::common::template::DeploymentStrategy;
use api::conditions::reasons;

use crate::findings::Findings;

/// Says which fields that are set do nothing.
pub(super) fn say(kafka: &Kafka, findings: &mut Findings) {
    let mut found = Vec::new();
    if kafka.spec.kafka.broker_rack_init_image.is_some() {
        found.push(
            "spec.kafka.brokerRackInitImage (the agent looks up the rack, and comes with the operator's image)".to_owned(),
        );
    }
    if kafka.spec.kafka.max_parallel_restarts.is_some_and(|most| most > 1) && kafka.spec.kafka.rack.is_none()
    {
        found.push(
            "spec.kafka.maxParallelRestarts (brokers of one rack restart at the same time, and without spec.kafka.rack none has one)"
                .to_owned(),
        );
    }
    if let Some(entity) = &kafka.spec.entity_operator {
        let template = entity.template.as_ref().and_then(|template| template.deployment.as_ref());
        let strategy = template.and_then(|deployment| deployment.deployment_strategy);
        if strategy.is_some_and(|strategy| strategy != DeploymentStrategy::Recreate) {
            found.push(
                "spec.entityOperator.template.deployment.deploymentStrategy (two entity operators at a time would undo each \
                 other's work: it is always Recreate)"
                    .to_owned(),
            );
        }
        let topic = entity.topic_operator.as_ref().and_then(|operator| operator.jvm_options.as_ref());
        let user = entity.user_operator.as_ref().and_then(|operator| operator.jvm_options.as_ref());
        for (section, options) in [("topicOperator", topic), ("userOperator", user)] {
            let fields = options.map(fields_of).unwrap_or_default();
            if !fields.is_empty() {
                found.push(format!(
                    "spec.entityOperator.{section}.jvmOptions: {} (there is no JVM; spec.entityOperator.{section}.resources bounds \
                     the memory)",
                    fields.join(", ")
                ));
            }
        }
    }
    if !found.is_empty() {
        let message = format!("without effect: {}; remove them to clear this warning", found.join("; "));
        findings.warn(reasons::FIELDS_WITHOUT_EFFECT, message);
    }
}

/// The options that are set, by the names of their fields. Values stay where they are: a system property may be a password.
fn fields_of(options: &JvmOptions) -> Vec<String> {
    let JvmOptions { xx, xmx, xms, gc_logging_enabled, java_system_properties } = options;
    let plain = [
        ("-Xms", xms.is_some()),
        ("-Xmx", xmx.is_some()),
        ("gcLoggingEnabled", gc_logging_enabled.is_some()),
    ];
    let mut fields: Vec<String> =
        plain.iter().filter(|(_, set)| *set).map(|(name, _)| (*name).to_owned()).collect();
    fields.extend(xx.iter().flatten().map(|(name, _)| format!("-XX.{name}")));
    let properties = java_system_properties.iter().flatten();
    let names = properties.map(|property| property.name.as_deref().unwrap_or_default());
    fields.extend(names.map(|name| format!("javaSystemProperties[{name}]")));
    fields
}
