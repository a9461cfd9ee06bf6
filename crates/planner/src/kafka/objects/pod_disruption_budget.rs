//! How many pods may be away by somebody's will.

use api::{labels, names};
use serde_json::{Value, json};

use super::meta::{Object, component_labels, kafka_labels};
use crate::kafka::cluster::{Cluster, EntityOperator};
use objects::DesiredObject;

/// `<c>-kafka`, over all pools. Pods of a pod set have no scale, so it is said how many must stay.
pub fn kafka(cluster: &Cluster) -> DesiredObject {
    let template = cluster.templates.get("podDisruptionBudget");
    let nodes = cluster.nodes().len() as i64;
    let min_available = (nodes - max_unavailable(template)).max(0);
    let labels = kafka_labels(cluster);
    let selector = labels::selector(&labels);
    Object::new(cluster, "policy/v1", "PodDisruptionBudget", names::kafka(&cluster.name), labels)
        .template(template)
        .set("spec", json!({"minAvailable": min_available, "selector": {"matchLabels": selector}}))
        .build()
}

/// `<c>-entity-operator`.
pub fn entity_operator(cluster: &Cluster, entity_operator: &EntityOperator) -> DesiredObject {
    let template = entity_operator.templates.get("podDisruptionBudget");
    let name = names::entity_operator::deployment(&cluster.name);
    let labels = component_labels(cluster, &name, labels::component::ENTITY_OPERATOR);
    let selector = labels::selector(&labels);
    Object::new(cluster, "policy/v1", "PodDisruptionBudget", name, labels)
        .template(template)
        .set(
            "spec",
            json!({"maxUnavailable": max_unavailable(template), "selector": {"matchLabels": selector}}),
        )
        .build()
}

fn max_unavailable(template: &Value) -> i64 {
    template["maxUnavailable"].as_i64().unwrap_or(1)
}
