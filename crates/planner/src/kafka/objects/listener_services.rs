//! What leads to the listeners that have Services of their own: a Service for the start, one for each broker, and an Ingress, Route
//! or TLSRoute to each where the type of the listener says so.

use api::labels;
use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use objects::{DesiredObject, Pairs};

use super::listener_target::Target;
use super::meta::kafka_selector;
use super::service::listener_port;
use super::{ingress, route, tls_route};
use crate::kafka::cluster::{Cluster, OwnServices, Way};

/// Everything that leads to the listeners.
pub fn all(cluster: &Cluster) -> Vec<DesiredObject> {
    let mut made = Vec::new();
    for listener in &cluster.listeners {
        let Some(services) = listener.own_services() else { continue };
        if services.has_bootstrap() {
            let mut selector = kafka_selector(cluster);
            selector.insert(labels::BROKER_ROLE.to_owned(), "true".to_owned());
            objects(&Target::bootstrap(cluster, listener, services), services, selector, &mut made);
        }
        for node in cluster.nodes().into_iter().filter(|node| node.pool.broker) {
            let mut selector = kafka_selector(cluster);
            selector.insert(labels::POOL_NAME.to_owned(), node.pool.name.clone());
            selector.insert(labels::POD_NAME.to_owned(), cluster.pod_name(node));
            objects(&Target::broker(cluster, listener, services, node), services, selector, &mut made);
        }
    }
    made
}

fn objects(target: &Target<'_>, services: &OwnServices, selector: Pairs, made: &mut Vec<DesiredObject>) {
    made.push(service(target, services, selector));
    match &services.way {
        Way::ClusterIp { .. } | Way::NodePort { .. } | Way::LoadBalancer { .. } => {}
        Way::Ingress { class } => made.push(ingress::to(target, class.as_deref())),
        Way::Route => made.push(route::to(target)),
        Way::TlsRoute { parents } => made.push(tls_route::to(target, parents)),
    }
}

fn service(target: &Target<'_>, services: &OwnServices, selector: Pairs) -> DesiredObject {
    let mut port = listener_port(target.listener);
    port.node_port = target.entry.node_port;
    let families = &services.ip_families;
    let mut spec = ServiceSpec {
        type_: Some("ClusterIP".to_owned()),
        selector: Some(selector),
        ports: Some(vec![port]),
        ip_family_policy: services.ip_family_policy.map(|policy| policy.to_string()),
        ip_families: (!families.is_empty()).then(|| families.iter().map(ToString::to_string).collect()),
        publish_not_ready_addresses: services.publish_not_ready.then_some(true),
        external_ips: Some(target.entry.external_ips.clone()).filter(|all| !all.is_empty()),
        load_balancer_ip: target.entry.load_balancer_ip.clone(),
        ..ServiceSpec::default()
    };
    let mut finalizers_wanted = None;
    match &services.way {
        Way::NodePort { traffic, .. } => {
            spec.type_ = Some("NodePort".to_owned());
            spec.external_traffic_policy = Some(traffic.to_string());
        }
        Way::LoadBalancer { traffic, class, source_ranges, finalizers, node_ports, .. } => {
            spec.type_ = Some("LoadBalancer".to_owned());
            spec.external_traffic_policy = Some(traffic.to_string());
            spec.load_balancer_class.clone_from(class);
            spec.load_balancer_source_ranges =
                Some(source_ranges.clone()).filter(|ranges| !ranges.is_empty());
            spec.allocate_load_balancer_node_ports = *node_ports;
            finalizers_wanted = Some(finalizers.clone()).filter(|all| !all.is_empty());
        }
        Way::ClusterIp { .. } | Way::Ingress { .. } | Way::Route | Way::TlsRoute { .. } => {}
    }
    let body = Service { spec: Some(spec), ..Service::default() };
    let mut object = target.object(target.service.clone(), body).template(target.service_template());
    object.body.metadata.finalizers = finalizers_wanted;
    object.build()
}
