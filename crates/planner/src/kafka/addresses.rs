//! Under which addresses clients reach the listeners: out of how a listener is exposed, and of what Kubernetes gave the objects
//! that expose it.

use std::collections::BTreeMap;

use api::agent::container;
use api::kafka::listeners::NodeAddressType;
use api::names;
use k8s_openapi::api::core::v1::Service;

use super::cluster::{
    Address, Addresses, Cluster, Exposure, Listener, Node, OwnServices, SingleAddress, Way,
};
use super::exposed::{Exposed, NodeAddresses};
use super::host_name;

/// Port on which Ingresses and routes take TLS.
const TLS_PORT: u16 = 443;

/// The addresses of a cluster with its nodes.
pub(super) fn of(cluster: &Cluster, exposed: &Exposed) -> Addresses {
    let mut found = Addresses::default();
    for listener in &cluster.listeners {
        match bootstrap_addresses(cluster, listener, exposed) {
            Ok(addresses) => drop(found.bootstrap.insert(listener.name.clone(), addresses)),
            Err(unknown) => found.unknown_bootstrap.push(unknown),
        }
        let names = found.names.entry(listener.name.clone()).or_default();
        names.extend(bootstrap_names(cluster, listener));
        if has_names_of_bootstrap(listener) {
            let addresses = found.bootstrap.get(&listener.name).into_iter().flatten();
            names.extend(addresses.map(|address| address.host.clone()));
        }
    }
    for node in cluster.nodes().into_iter().filter(|node| node.pool.broker) {
        let of_broker = found.of_brokers.entry(node.id).or_default();
        for listener in &cluster.listeners {
            match advertised_address(cluster, node, listener, exposed) {
                // Certificates name where clients begin: it is to be known before the broker has the listener.
                Ok(_) if listener.tls && !found.bootstrap.contains_key(&listener.name) => {
                    let unknown =
                        format!("listener {} waits for the address with which clients begin", listener.name);
                    found.unknown_of_brokers.entry(node.id).or_default().push(unknown);
                }
                Ok(address) => drop(of_broker.insert(listener.name.clone(), address)),
                Err(unknown) => found.unknown_of_brokers.entry(node.id).or_default().push(unknown),
            }
            if listener.tls {
                let of_listeners = found.names_of_brokers.entry(node.id).or_default();
                let names = of_listeners.entry(listener.name.clone()).or_default();
                names.extend(broker_names(cluster, node, listener, exposed));
            }
        }
    }
    found
}

/// Under which host and port a node tells clients to reach a listener: what the resource says of it, over what its exposure
/// yields.
///
/// # Errors
/// When it is not known yet: what is missing, in words.
pub(super) fn advertised_address(
    cluster: &Cluster,
    node: Node<'_>,
    listener: &Listener,
    exposed: &Exposed,
) -> Result<Address, String> {
    let own = &listener.advertised;
    let (host, port) = (own.host(node.id, &cluster.pod_name(node)), own.port(node.id));
    if let (Some(host), Some(port)) = (&host, port) {
        return Ok(Address { host: host.clone(), port });
    }
    let from = match &listener.exposure {
        Exposure::Internal { with_dns_domain } => {
            let name = with_domain(cluster, cluster.pod_host(node), *with_dns_domain);
            Address { host: name, port: listener.port }
        }
        Exposure::OwnServices(services) => {
            // What the resource says of the host need not be known of Kubernetes.
            let given = host.is_some();
            exposed_address(cluster, node, listener, services, exposed, given)?
        }
    };
    Ok(Address { host: host.unwrap_or(from.host), port: port.unwrap_or(from.port) })
}

/// The address that Kubernetes gives a broker. `host_is_given`: only the port matters.
fn exposed_address(
    cluster: &Cluster,
    node: Node<'_>,
    listener: &Listener,
    services: &OwnServices,
    exposed: &Exposed,
    host_is_given: bool,
) -> Result<Address, String> {
    let service = broker_service(cluster, node, listener);
    exists(exposed, &service)?;
    if let Some(single) = &services.single {
        let Some(port) = single.broker_port(node.id) else {
            return Err(format!("listener {} has no port for broker {}", listener.name, node.id));
        };
        let name = api::ports::broker_port_name(node.id);
        return single_address(cluster, listener, services, exposed, (&name, port), host_is_given);
    }
    let at = |host: String, port: u16| Ok(Address { host, port });
    match &services.way {
        Way::ClusterIp { with_dns_domain } => {
            at(with_domain(cluster, service_host(cluster, &service), *with_dns_domain), listener.port)
        }
        Way::NodePort { preferred, .. } => {
            let port = node_port(exposed, &service, None).ok_or_else(|| waits_for_node_port(&service))?;
            at(node_placeholder(*preferred), port)
        }
        Way::LoadBalancer { .. } if host_is_given => at(String::new(), listener.port),
        Way::LoadBalancer { .. } => {
            let host = load_balancer(exposed, &service).ok_or_else(|| waits_for_balancer(&service))?;
            at(host, listener.port)
        }
        Way::Route if host_is_given => at(String::new(), TLS_PORT),
        Way::Route => {
            let host =
                route_host(exposed, &service).ok_or_else(|| format!("Route {service} has no host yet"))?;
            at(host, TLS_PORT)
        }
        Way::Ingress { .. } | Way::TlsRoute { .. } => {
            let pod = cluster.pod_name(node);
            let host = services.of_broker(node.id, &pod).host.unwrap_or_default();
            if matches!(services.way, Way::TlsRoute { .. }) && !is_routed(exposed, &service) {
                return Err(format!("TLSRoute {service} has been taken by no Gateway yet"));
            }
            at(host, TLS_PORT)
        }
    }
}

/// The address of a port of the one Service for all brokers, by the name and the number of the port.
fn single_address(
    cluster: &Cluster,
    listener: &Listener,
    services: &OwnServices,
    exposed: &Exposed,
    (name, port): (&str, u16),
    host_is_given: bool,
) -> Result<Address, String> {
    let service = names::external_bootstrap_service(&cluster.name, &listener.name);
    exists(exposed, &service)?;
    match &services.way {
        Way::NodePort { preferred, .. } => {
            let port =
                node_port(exposed, &service, Some(name)).ok_or_else(|| waits_for_node_port(&service))?;
            Ok(Address { host: node_placeholder(*preferred), port })
        }
        Way::LoadBalancer { .. } if host_is_given => Ok(Address { host: String::new(), port }),
        Way::LoadBalancer { .. } => {
            let host = load_balancer(exposed, &service).ok_or_else(|| waits_for_balancer(&service))?;
            Ok(Address { host, port })
        }
        Way::ClusterIp { with_dns_domain } => Ok(Address {
            host: with_domain(cluster, service_host(cluster, &service), *with_dns_domain),
            port,
        }),
        Way::Ingress { .. } | Way::Route | Way::TlsRoute { .. } => {
            Err(format!("listener {} cannot have a single address", listener.name))
        }
    }
}

/// Where clients of a listener begin.
fn bootstrap_addresses(
    cluster: &Cluster,
    listener: &Listener,
    exposed: &Exposed,
) -> Result<Vec<Address>, String> {
    let services = match &listener.exposure {
        Exposure::Internal { .. } => {
            return Ok(vec![Address { host: cluster.bootstrap_host(), port: listener.port }]);
        }
        Exposure::OwnServices(services) => services,
    };
    let service = names::external_bootstrap_service(&cluster.name, &listener.name);
    let route = names::external_bootstrap_route(&cluster.name, &listener.name, i32::from(listener.port));
    let one = |host: String, port: u16| Ok(vec![Address { host, port }]);
    if services.has_bootstrap() {
        exists(exposed, &service)?;
    }
    // The port of the Service with which clients begin.
    let port = services.single.as_ref().map_or(listener.port, |single: &SingleAddress| single.bootstrap_port);
    match &services.way {
        Way::ClusterIp { with_dns_domain } => {
            one(with_domain(cluster, service_host(cluster, &service), *with_dns_domain), port)
        }
        Way::NodePort { preferred, .. } => {
            let name = listener.port_name();
            let port =
                node_port(exposed, &service, Some(&name)).ok_or_else(|| waits_for_node_port(&service))?;
            let mut hosts: Vec<String> =
                exposed.node_addresses.values().filter_map(|all| all.preferred(*preferred)).collect();
            hosts.sort();
            hosts.dedup();
            Ok(hosts.into_iter().map(|host| Address { host, port }).collect())
        }
        Way::LoadBalancer { bootstrap: true, .. } => {
            one(load_balancer(exposed, &service).ok_or_else(|| waits_for_balancer(&service))?, port)
        }
        Way::LoadBalancer { bootstrap: false, .. } => {
            // Those that are known: the others are said to be missing by themselves.
            let brokers = cluster.nodes().into_iter().filter(|node| node.pool.broker);
            Ok(brokers.filter_map(|node| advertised_address(cluster, node, listener, exposed).ok()).collect())
        }
        Way::Route => {
            let host = route_host(exposed, &route).ok_or_else(|| format!("Route {route} has no host yet"))?;
            one(host, TLS_PORT)
        }
        Way::TlsRoute { .. } if !is_routed(exposed, &route) => {
            Err(format!("TLSRoute {route} has been taken by no Gateway yet"))
        }
        Way::Ingress { .. } | Way::TlsRoute { .. } => {
            one(services.bootstrap.host.clone().unwrap_or_default(), TLS_PORT)
        }
    }
}

/// Whether the addresses with which clients begin stand in the certificates. Those of Kubernetes nodes change with the pods,
/// and those of brokers, where there are no others, stand in their own certificates.
fn has_names_of_bootstrap(listener: &Listener) -> bool {
    let is_named =
        |services: &OwnServices| services.has_bootstrap() && !matches!(services.way, Way::NodePort { .. });
    listener.tls && listener.own_services().is_some_and(is_named)
}

/// Names under which clients begin, beside the addresses.
fn bootstrap_names(cluster: &Cluster, listener: &Listener) -> Vec<String> {
    let Some(services) = listener.own_services().filter(|_| listener.tls) else { return Vec::new() };
    match &services.way {
        Way::ClusterIp { .. } => {
            service_names(cluster, &names::external_bootstrap_service(&cluster.name, &listener.name))
        }
        Way::Ingress { .. } | Way::TlsRoute { .. } => services.bootstrap.host.iter().cloned().collect(),
        Way::NodePort { .. } | Way::LoadBalancer { .. } | Way::Route => Vec::new(),
    }
}

/// Names of a broker, beside what it tells clients: under which it is reached although the resource names another.
fn broker_names(cluster: &Cluster, node: Node<'_>, listener: &Listener, exposed: &Exposed) -> Vec<String> {
    let Some(services) = listener.own_services() else { return Vec::new() };
    let service = match services.single {
        Some(_) => names::external_bootstrap_service(&cluster.name, &listener.name),
        None => broker_service(cluster, node, listener),
    };
    match services.way {
        Way::ClusterIp { .. } => service_names(cluster, &service),
        Way::LoadBalancer { .. } => load_balancer(exposed, &service).into_iter().collect(),
        Way::Route => route_host(exposed, &service).into_iter().collect(),
        Way::Ingress { .. } | Way::TlsRoute { .. } => {
            services.of_broker(node.id, &cluster.pod_name(node)).host.into_iter().collect()
        }
        Way::NodePort { .. } => Vec::new(),
    }
}

/// The Service of a broker.
pub(super) fn broker_service(cluster: &Cluster, node: Node<'_>, listener: &Listener) -> String {
    let port = i32::from(listener.port);
    names::per_broker_service(&cluster.name, &node.pool.name, &listener.name, port, node.id)
}

/// Host name of the Service through which the proxy of a listener reaches a broker.
pub(super) fn upstream(cluster: &Cluster, node: Node<'_>, listener: &Listener) -> String {
    let service = broker_service(cluster, node, listener);
    format!("{}.{}", names::service_dns(&service, &cluster.namespace), cluster.dns_domain)
}

/// Every name of a Service within Kubernetes.
fn service_names(cluster: &Cluster, service: &str) -> Vec<String> {
    let full = service_host(cluster, service);
    vec![
        service.to_owned(),
        format!("{service}.{}", cluster.namespace),
        with_domain(cluster, full.clone(), true),
        full,
    ]
}

fn service_host(cluster: &Cluster, service: &str) -> String {
    names::service_dns(service, &cluster.namespace)
}

fn with_domain(cluster: &Cluster, host: String, with: bool) -> String {
    if with { format!("{host}.{}", cluster.dns_domain) } else { host }
}

/// What the agent of a node replaces by the address of the Kubernetes node that the pod runs on.
fn node_placeholder(preferred: Option<NodeAddressType>) -> String {
    let kind = preferred.map_or_else(|| "default".to_owned(), |kind| kind.as_str().to_lowercase());
    let (folder, file) = (container::KUBERNETES_NODE, container::ADDRESSES_FILE);
    format!("${{strimzifile:{folder}/{file}:nodeport.{kind}.address}}")
}

/// What has the name of a Service and is not the cluster's own is told to no client.
fn exists(exposed: &Exposed, service: &str) -> Result<(), String> {
    let is_there = exposed.services.contains_key(service);
    is_there.then_some(()).ok_or_else(|| format!("Service {service} is not there yet"))
}

/// The node port of a Service: of its port with a name, or of its only one.
fn node_port(exposed: &Exposed, service: &str, name: Option<&str>) -> Option<u16> {
    let ports = exposed.services.get(service)?.spec.as_ref()?.ports.as_ref()?;
    let mut ports = ports.iter().filter(|port| name.is_none() || port.name.as_deref() == name);
    let port = ports.find_map(|port| port.node_port)?;
    u16::try_from(port).ok().filter(|port| *port > 0)
}

fn load_balancer(exposed: &Exposed, service: &str) -> Option<String> {
    let service: &Service = exposed.services.get(service)?;
    let ingress = service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?.first()?;
    let host = ingress.hostname.clone().filter(|name| !name.is_empty());
    host.or_else(|| ingress.ip.clone()).filter(|host| host_name::complaint(host).is_none())
}

fn route_host(exposed: &Exposed, route: &str) -> Option<String> {
    let host = exposed.routes.get(route)?.hosts.first()?;
    host_name::complaint(host).is_none().then(|| host.clone())
}

fn is_routed(exposed: &Exposed, route: &str) -> bool {
    exposed.tls_routes.get(route).is_some_and(|route| route.parents > 0)
}

fn waits_for_balancer(service: &str) -> String {
    format!("Service {service} has no address of a load balancer yet")
}

fn waits_for_node_port(service: &str) -> String {
    format!("Service {service} has no node port yet")
}

impl NodeAddresses {
    /// The address that is given to clients: that of the preferred kind, else the first of the order in which the agent looks.
    pub fn preferred(&self, kind: Option<NodeAddressType>) -> Option<String> {
        use NodeAddressType::{ExternalDns, ExternalIp, Hostname, InternalDns, InternalIp};
        let all: &BTreeMap<String, String> = &self.0;
        let mut order = kind.into_iter().chain([ExternalDns, ExternalIp, InternalDns, InternalIp, Hostname]);
        order.find_map(|kind| all.get(kind.as_str()).cloned())
    }
}
