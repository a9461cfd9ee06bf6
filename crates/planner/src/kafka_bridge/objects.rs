//! The objects of a bridge, but its Deployment and what every program has.

use ::objects::{DesiredObject, Object, Pairs};
use api::names::{bridge as names, keys};
use api::{annotations, labels, ports};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;

use super::bridge::{Bridge, Program};
use crate::process::log_file;
use crate::rack::Rack;
use crate::settings::PlanSettings;
use crate::workload::rbac::{role_ref, subject};
use crate::workload::secret::opaque;
use crate::workload::service::{port, spec};

/// The loggers of the bridge in Java and their levels, unless the user says otherwise.
const JAVA_LOGGERS: &[(&str, &str)] = &[("io.strimzi.kafka.bridge", "INFO"), ("org.apache.kafka", "WARN")];

/// What the pods use.
pub(super) fn used(bridge: &Bridge, settings: &PlanSettings) -> Vec<DesiredObject> {
    let mut all = vec![service(bridge, settings), config_map(bridge)];
    if let Some(trusted) = &bridge.trusted {
        let data = [(bridge.files.trusted_key.clone(), trusted.clone().into_bytes())].into();
        let name = names::trusted_certs_secret(&bridge.owner.name);
        all.push(Object::new(&bridge.owner, name, bridge.labels(), opaque(data)).build());
    }
    all
}

/// The Service for HTTP clients.
fn service(bridge: &Bridge, settings: &PlanSettings) -> DesiredObject {
    let template = bridge.templates.api_service.as_ref();
    let service_ports = vec![
        port(ports::REST_API_NAME, bridge.http.port),
        port(ports::REST_API_MANAGEMENT_NAME, ports::BRIDGE_MANAGEMENT),
    ];
    let body = Service { spec: Some(spec(template, bridge.selector(), service_ports)), ..Service::default() };
    let mut object = Object::new(&bridge.owner, names::service(&bridge.owner.name), bridge.labels(), body)
        .label(labels::DISCOVERY, "true")
        .annotation(annotations::DISCOVERY, discovery(bridge))
        .template(template.and_then(|template| template.metadata.as_ref()));
    let not_ours = |pairs: &Pairs| -> Pairs {
        let ours = |key: &String| labels::is_set_by_operators(key) || labels::is_reserved(key);
        pairs.iter().filter(|(key, _)| !ours(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    for (key, value) in not_ours(&settings.custom_kafka_bridge_service_labels) {
        object = object.label(&key, value);
    }
    for (key, value) in not_ours(&settings.custom_kafka_bridge_service_annotations) {
        object = object.annotation(&key, value);
    }
    object.build()
}

/// What applications can connect to, as JSON in the form that tools read.
fn discovery(bridge: &Bridge) -> String {
    let entry = |port: i32, tls: bool| {
        format!(
            "{{\n  \"port\" : {port},\n  \"tls\" : {tls},\n  \"auth\" : \"none\",\n  \"protocol\" : \"http\"\n}}"
        )
    };
    let api = entry(bridge.http.port, bridge.http.certificate.is_some());
    format!("[ {api}, {} ]", entry(ports::BRIDGE_MANAGEMENT, false))
}

fn config_map(bridge: &Bridge) -> DesiredObject {
    let loggers = if bridge.program == Program::Own { &[] } else { JAVA_LOGGERS };
    let data = [
        (keys::APPLICATION_PROPERTIES, bridge.properties.clone()),
        (keys::LOG4J2_PROPERTIES, log_file::file(&bridge.logging, loggers)),
    ];
    let rules = bridge.rules.clone().map(|rules| (keys::METRICS_CONFIG, rules));
    let data = data.into_iter().chain(rules).map(|(key, text)| (key.to_owned(), text)).collect();
    let body = ConfigMap { data: Some(data), ..ConfigMap::default() };
    Object::new(&bridge.owner, names::config_map(&bridge.owner.name), bridge.labels(), body).build()
}

/// Lets the pods read the Kubernetes nodes, for their rack.
pub(super) fn cluster_role_binding(bridge: &Bridge) -> Option<DesiredObject> {
    let Some(Rack::TopologyLabel(_)) = bridge.rack else { return None };
    let body = ClusterRoleBinding {
        role_ref: role_ref("ClusterRole", api::names::CLIENT_CLUSTER_ROLE),
        subjects: Some(vec![subject(&bridge.owner.namespace, bridge.component())]),
        ..ClusterRoleBinding::default()
    };
    let name = names::init_cluster_role_binding(&bridge.owner.namespace, &bridge.owner.name);
    let template = bridge.templates.cluster_role_binding.as_ref();
    let object = Object::new(&bridge.owner, name, bridge.labels(), body)
        .namespace(None)
        .template(template.and_then(|template| template.metadata.as_ref()));
    Some(object.build())
}
