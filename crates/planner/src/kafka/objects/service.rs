//! The Services: one for clients to begin with, one without an address that names every pod.

use api::{annotations, labels, names, ports};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use objects::{DesiredObject, Object};

use super::meta::{kafka_labels, kafka_selector};
use crate::kafka::cluster::{Cluster, Listener, ListenerAuthentication};
use crate::workload::service::{port, spec};

/// `<c>-kafka-bootstrap`: brokers only.
pub(crate) fn bootstrap(cluster: &Cluster) -> DesiredObject {
    let mut service_ports = vec![port(ports::REPLICATION_NAME, ports::REPLICATION)];
    service_ports.extend(listener_ports(cluster));
    let mut selector = kafka_selector(cluster);
    selector.insert(labels::BROKER_ROLE.to_owned(), "true".to_owned());
    let template = cluster.templates.bootstrap_service.as_ref();
    let spec = spec(template, selector, service_ports);
    service(cluster, names::bootstrap_service(&cluster.name), spec)
        .label(labels::DISCOVERY, "true")
        .annotation(annotations::DISCOVERY, discovery(cluster))
        .template(template.and_then(|template| template.metadata.as_ref()))
        .build()
}

/// `<c>-kafka-brokers`: every node, ready or not, under its own name.
pub(crate) fn brokers(cluster: &Cluster) -> DesiredObject {
    let mut service_ports = vec![
        port(ports::CONTROL_PLANE_NAME, ports::CONTROL_PLANE),
        port(ports::REPLICATION_NAME, ports::REPLICATION),
        port(ports::KAFKA_AGENT_NAME, ports::KAFKA_AGENT),
    ];
    service_ports.extend(listener_ports(cluster));
    service_ports.extend(cluster.jmx.map(|_| port(ports::JMX_NAME, ports::JMX)));
    let template = cluster.templates.brokers_service.as_ref();
    let spec = ServiceSpec {
        cluster_ip: Some("None".to_owned()),
        publish_not_ready_addresses: Some(true),
        ..spec(template, kafka_selector(cluster), service_ports)
    };
    service(cluster, names::brokers_service(&cluster.name), spec)
        .template(template.and_then(|template| template.metadata.as_ref()))
        .build()
}

fn service(cluster: &Cluster, name: String, spec: ServiceSpec) -> Object<Service> {
    let body = Service { spec: Some(spec), ..Service::default() };
    Object::new(&cluster.owner(), name, kafka_labels(cluster), body)
}

/// The port of a listener.
pub(crate) fn listener_port(listener: &Listener) -> ServicePort {
    port(&listener.port_name(), i32::from(listener.port))
}

fn listener_ports(cluster: &Cluster) -> Vec<ServicePort> {
    let internal = cluster.listeners.iter().filter(|listener| listener.own_services().is_none());
    internal.map(listener_port).collect()
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
