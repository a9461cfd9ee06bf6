//! What leads to the listeners that have Services of their own: a Service for the start, one for each broker, and an Ingress, Route
//! or TLSRoute to each where the type of the listener says so.

use api::labels;
use api::ports::broker_port_name;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use objects::{DesiredObject, Pairs};

use super::listener_target::Target;
use super::meta::kafka_selector;
use super::service::listener_port;
use super::{ingress, proxy, route, tls_route};
use crate::kafka::cluster::{Cluster, Listener, Node, OwnServices, SingleAddress, Way};

/// Everything that leads to the listeners.
pub(crate) fn all(cluster: &Cluster) -> Vec<DesiredObject> {
    let mut made = Vec::new();
    for listener in &cluster.listeners {
        let Some(services) = listener.own_services() else { continue };
        if let Some(single) = &services.single {
            made.push(single_service(cluster, listener, services, single));
            let for_the_proxy = for_the_proxy(services);
            for node in cluster.nodes().into_iter().filter(|node| node.pool.broker) {
                let target = Target::broker(cluster, listener, services, node);
                made.push(service(&target, &for_the_proxy, broker_selector(cluster, node)));
            }
            continue;
        }
        if services.has_bootstrap() {
            let mut selector = kafka_selector(cluster);
            selector.insert(labels::BROKER_ROLE.to_owned(), "true".to_owned());
            objects(&Target::bootstrap(cluster, listener, services), services, selector, &mut made);
        }
        for node in cluster.nodes().into_iter().filter(|node| node.pool.broker) {
            let target = Target::broker(cluster, listener, services, node);
            objects(&target, services, broker_selector(cluster, node), &mut made);
        }
    }
    made
}

fn broker_selector(cluster: &Cluster, node: Node<'_>) -> Pairs {
    let mut selector = kafka_selector(cluster);
    selector.insert(labels::POOL_NAME.to_owned(), node.pool.name.clone());
    selector.insert(labels::POD_NAME.to_owned(), cluster.pod_name(node));
    selector
}

/// The Services of brokers behind a proxy: they are reached within Kubernetes alone.
fn for_the_proxy(services: &OwnServices) -> OwnServices {
    OwnServices { way: Way::ClusterIp { with_dns_domain: false }, ..services.clone() }
}

/// The one Service for all brokers. It leads to the proxy.
fn single_service(
    cluster: &Cluster,
    listener: &Listener,
    services: &OwnServices,
    single: &SingleAddress,
) -> DesiredObject {
    let target = Target::bootstrap(cluster, listener, services);
    let mut ports = vec![proxy_port(listener.port_name(), single.bootstrap_port, target.entry.node_port)];
    for node in cluster.nodes().into_iter().filter(|node| node.pool.broker) {
        let Some(port) = single.broker_port(node.id) else { continue };
        let entry = services.of_broker(node.id, &cluster.pod_name(node));
        ports.push(proxy_port(broker_port_name(node.id), port, entry.node_port));
    }
    with_ports(&target, services, proxy::selector(cluster, listener), ports)
}

fn proxy_port(name: String, number: u16, node_port: Option<i32>) -> ServicePort {
    ServicePort {
        name: Some(name),
        port: i32::from(number),
        target_port: Some(IntOrString::Int(i32::from(number))),
        protocol: Some("TCP".to_owned()),
        node_port,
        ..ServicePort::default()
    }
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
    // A broker behind a proxy has its node port in the Service of the proxy.
    let on_nodes = matches!(services.way, Way::NodePort { .. } | Way::LoadBalancer { .. });
    port.node_port = target.entry.node_port.filter(|_| on_nodes);
    with_ports(target, services, selector, vec![port])
}

fn with_ports(
    target: &Target<'_>,
    services: &OwnServices,
    selector: Pairs,
    ports: Vec<ServicePort>,
) -> DesiredObject {
    let families = &services.ip_families;
    let mut spec = ServiceSpec {
        type_: Some("ClusterIP".to_owned()),
        selector: Some(selector),
        ports: Some(ports),
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
