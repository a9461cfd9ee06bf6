//! Who may connect to the pods of Kafka and of the entity operator.

use api::{labels, names, ports};
use serde_json::{Value, json};

use super::meta::{Object, component_labels, kafka_labels, kafka_selector};
use crate::kafka::cluster::Cluster;
use crate::kafka::observed::PlanSettings;
use objects::DesiredObject;

/// The policy of the Kafka pods.
pub fn kafka(cluster: &Cluster, settings: &PlanSettings) -> DesiredObject {
    let kafka = json!({"podSelector": {"matchLabels": kafka_selector(cluster)}});
    let operator = operator_peer(cluster, settings);
    let named = |name: String| json!({"podSelector": {"matchLabels": {labels::NAME: name}}});
    let mut ingress = vec![
        rule(ports::CONTROL_PLANE, Some(vec![kafka.clone(), operator.clone()])),
        rule(
            ports::REPLICATION,
            Some(vec![
                operator.clone(),
                kafka,
                named(names::entity_operator::deployment(&cluster.name)),
                named(names::kafka_exporter::deployment(&cluster.name)),
                named(names::cruise_control::deployment(&cluster.name)),
            ]),
        ),
        rule(ports::KAFKA_AGENT, Some(vec![operator])),
    ];
    for listener in &cluster.listeners {
        ingress.push(rule(i32::from(listener.port), listener.peers.clone()));
    }
    policy(cluster, names::kafka_network_policy(&cluster.name), kafka_labels(cluster), &ingress)
}

/// The policy of the entity operator: only its probes and metrics are there to connect to.
pub fn entity_operator(cluster: &Cluster, topic: bool, user: bool) -> DesiredObject {
    let name = names::entity_operator::deployment(&cluster.name);
    let mut ingress = Vec::new();
    if topic {
        ingress.push(rule(ports::TOPIC_OPERATOR_HTTP, None));
    }
    if user {
        ingress.push(rule(ports::USER_OPERATOR_HTTP, None));
    }
    let labels = component_labels(cluster, &name, labels::component::ENTITY_OPERATOR);
    policy(cluster, name, labels, &ingress)
}

fn policy(cluster: &Cluster, name: String, labels: super::meta::Pairs, ingress: &[Value]) -> DesiredObject {
    let selector = labels::selector(&labels);
    Object::new(cluster, "networking.k8s.io/v1", "NetworkPolicy", name, labels)
        .set(
            "spec",
            json!({"podSelector": {"matchLabels": selector}, "ingress": ingress, "policyTypes": ["Ingress"]}),
        )
        .build()
}

fn rule(port: i32, from: Option<Vec<Value>>) -> Value {
    let mut rule = json!({"ports": [{"port": port, "protocol": "TCP"}]});
    if let Some(from) = from {
        rule["from"] = Value::Array(from);
    }
    rule
}

/// The cluster operator: in its own namespace when that is this one, else in namespaces with the configured labels, and
/// without these in its own by the label with which Kubernetes names a namespace. Only an operator that does not know where
/// it runs is let in from any namespace.
fn operator_peer(cluster: &Cluster, settings: &PlanSettings) -> Value {
    let pods = json!({"matchLabels": {labels::KIND: labels::KIND_CLUSTER_OPERATOR}});
    if settings.operator_namespace.as_deref() == Some(cluster.namespace.as_str()) {
        return json!({"podSelector": pods});
    }
    let namespaces = match &settings.operator_namespace {
        _ if !settings.operator_namespace_labels.is_empty() => {
            json!({"matchLabels": settings.operator_namespace_labels})
        }
        Some(namespace) => json!({"matchLabels": {labels::KUBERNETES_NAMESPACE_NAME: namespace}}),
        None => json!({}),
    };
    json!({"podSelector": pods, "namespaceSelector": namespaces})
}
