//! The Services: one for clients to begin with, one without an address that names every pod.

use api::{annotations, labels, names, ports};
use serde_json::{Value, json};

use super::meta::{Object, kafka_labels, kafka_selector};
use crate::kafka::cluster::{Cluster, Listener, ListenerAuthentication};
use objects::DesiredObject;

/// `<c>-kafka-bootstrap`: brokers only.
pub fn bootstrap(cluster: &Cluster) -> DesiredObject {
    let mut service_ports = vec![port(ports::REPLICATION_NAME, ports::REPLICATION)];
    service_ports.extend(listener_ports(cluster));
    let mut selector = kafka_selector(cluster);
    selector.insert(labels::BROKER_ROLE.to_owned(), "true".to_owned());
    let template = cluster.templates.get("bootstrapService");
    let mut spec = json!({"type": "ClusterIP", "selector": selector, "ports": service_ports});
    ip_families(template, &mut spec);
    Object::new(cluster, "v1", "Service", names::bootstrap_service(&cluster.name), kafka_labels(cluster))
        .label(labels::DISCOVERY, "true")
        .annotation(annotations::DISCOVERY, discovery(cluster))
        .template(template)
        .set("spec", spec)
        .build()
}

/// `<c>-kafka-brokers`: every node, ready or not, under its own name.
pub fn brokers(cluster: &Cluster) -> DesiredObject {
    let mut service_ports = vec![
        port(ports::CONTROL_PLANE_NAME, ports::CONTROL_PLANE),
        port(ports::REPLICATION_NAME, ports::REPLICATION),
        port(ports::KAFKA_AGENT_NAME, ports::KAFKA_AGENT),
    ];
    service_ports.extend(listener_ports(cluster));
    let template = cluster.templates.get("brokersService");
    let mut spec = json!({
        "type": "ClusterIP",
        "clusterIP": "None",
        "publishNotReadyAddresses": true,
        "selector": kafka_selector(cluster),
        "ports": service_ports,
    });
    ip_families(template, &mut spec);
    Object::new(cluster, "v1", "Service", names::brokers_service(&cluster.name), kafka_labels(cluster))
        .template(template)
        .set("spec", spec)
        .build()
}

fn port(name: &str, number: i32) -> Value {
    json!({"name": name, "port": number, "targetPort": name, "protocol": "TCP"})
}

fn listener_ports(cluster: &Cluster) -> Vec<Value> {
    cluster.listeners.iter().map(|listener| port(&listener.port_name(), i32::from(listener.port))).collect()
}

fn ip_families(template: &Value, spec: &mut Value) {
    for field in ["ipFamilyPolicy", "ipFamilies"] {
        if !template[field].is_null() {
            spec[field] = template[field].clone();
        }
    }
}

/// What applications can connect to, as JSON in the form that tools read.
fn discovery(cluster: &Cluster) -> String {
    let entries: Vec<String> = cluster.listeners.iter().map(discovery_entry).collect();
    format!("[ {} ]", entries.join(", "))
}

fn discovery_entry(listener: &Listener) -> String {
    let authentication = match listener.authentication {
        ListenerAuthentication::None => "none",
        ListenerAuthentication::Tls => "tls",
        ListenerAuthentication::ScramSha512 => "scram-sha-512",
        ListenerAuthentication::Custom { .. } => "custom",
    };
    format!(
        "{{\n  \"port\" : {},\n  \"tls\" : {},\n  \"protocol\" : \"kafka\",\n  \"auth\" : \"{authentication}\"\n}}",
        listener.port, listener.tls
    )
}
