//! A listener on its way to a single address, or back. The way that clients go stays until the other one is there, and each broker keeps
//! its former address until it was restarted with the new one.

use std::collections::BTreeMap;

use api::conditions::reasons;
use api::names;
use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use kube_core::Resource;
use objects::{Deletion, DesiredObject};

use super::addresses::broker_service;
use super::cluster::{AddressSwitch, Addresses, Cluster, Listener, Node, Warning, Way};
use super::objects::proxy;
use super::observed::Observed;
use super::restart::Restart;
use crate::workload::deployment::is_available;

/// How far each listener is that gets a single address or loses it, by its name.
pub(super) fn of(cluster: &Cluster, observed: &Observed) -> BTreeMap<String, AddressSwitch> {
    let state = |listener: &Listener| Some((listener.name.clone(), switch(cluster, listener, observed)?));
    cluster.listeners.iter().filter_map(state).collect()
}

fn switch(cluster: &Cluster, listener: &Listener, observed: &Observed) -> Option<AddressSwitch> {
    if moves_node_ports(cluster, listener) {
        return None;
    }
    let is_single = listener.own_services()?.single.is_some();
    match (is_single, leads_to_proxy(cluster, listener, observed)?) {
        (true, false) => {
            let name = names::proxy::deployment(&cluster.name, &listener.name);
            let is_ready = observed.deployments.get(&name).is_some_and(|proxy| is_available(proxy));
            Some(if is_ready { AddressSwitch::ProxyReady } else { AddressSwitch::AwaitsProxy })
        }
        (true, true) => brokers(cluster)
            .any(|node| tells_its_own(cluster, node, listener, observed))
            .then_some(AddressSwitch::ToProxy),
        (false, true) => Some(AddressSwitch::FromProxy),
        (false, false) => None,
    }
}

/// Whether the Service with which clients begin leads to the proxy; `None`: there is none.
fn leads_to_proxy(cluster: &Cluster, listener: &Listener, observed: &Observed) -> Option<bool> {
    let name = names::external_bootstrap_service(&cluster.name, &listener.name);
    let service = service(observed, &name)?;
    Some(service.selector.as_ref() == Some(&proxy::selector(cluster, listener)))
}

fn service<'a>(observed: &'a Observed, name: &str) -> Option<&'a ServiceSpec> {
    observed.exposed.services.get(name)?.spec.as_ref()
}

/// Whether clients may still go to a broker by an address of its own, though there is one for all.
fn tells_its_own(cluster: &Cluster, node: Node<'_>, listener: &Listener, observed: &Observed) -> bool {
    let is_within = listener.own_services().is_some_and(|own| matches!(own.way, Way::ClusterIp { .. }));
    if !is_within {
        let live = service(observed, &broker_service(cluster, node, listener));
        return live.and_then(|live| live.type_.as_deref()).is_some_and(|type_| type_ != "ClusterIP");
    }
    // Its Service looks the same with a proxy and without one.
    let proxy = observed.deployments.get(&names::proxy::deployment(&cluster.name, &listener.name));
    let proxy = proxy.and_then(|proxy| proxy.metadata.creation_timestamp.as_ref());
    let pod = observed.pods.get(&cluster.pod_name(node));
    let pod = pod.and_then(|pod| pod.metadata.creation_timestamp.as_ref());
    pod.zip(proxy).is_some_and(|(pod, proxy)| pod.0 < proxy.0)
}

/// Whether the resource names node ports of brokers. Such a port moves from one Service to another, and only one of them can have it: the
/// former way cannot stay until the other one is there.
fn moves_node_ports(cluster: &Cluster, listener: &Listener) -> bool {
    let Some(services) = listener.own_services() else { return false };
    brokers(cluster).any(|node| services.of_broker(node.id, &cluster.pod_name(node)).node_port.is_some())
}

fn brokers(cluster: &Cluster) -> impl Iterator<Item = Node<'_>> {
    cluster.nodes().into_iter().filter(|node| node.pool.broker)
}

/// Has brokers tell no address before it leads to them, and the status name none with which clients cannot begin yet.
pub(super) fn hold_back(
    cluster: &Cluster,
    switches: BTreeMap<String, AddressSwitch>,
    addresses: &mut Addresses,
) {
    for (listener, switch) in &switches {
        let waits = match switch {
            AddressSwitch::ToProxy => continue,
            AddressSwitch::FromProxy => None,
            AddressSwitch::AwaitsProxy | AddressSwitch::ProxyReady => Some(format!(
                "listener {listener} keeps an address for each broker until its proxy is available and has the one for all"
            )),
        };
        addresses.bootstrap.remove(listener);
        let Some(waits) = waits else { continue };
        for node in brokers(cluster) {
            addresses.of_brokers.entry(node.id).or_default().remove(listener);
            addresses.unknown_of_brokers.entry(node.id).or_default().push(waits.clone());
        }
    }
    addresses.switches = switches;
}

/// Leaves what clients still use as it is. `restarts` are those that are due.
pub(super) fn keep(
    cluster: &Cluster,
    observed: &Observed,
    restarts: &[Restart],
    desired: &mut Vec<DesiredObject>,
    delete: &mut Vec<Deletion>,
) {
    // A broker tells its new address when it was restarted with it.
    let tells_the_new = |node: &Node<'_>| {
        let pod = observed.pods.get(&cluster.pod_name(*node));
        pod.is_some_and(|pod| pod.metadata.deletion_timestamp.is_none())
            && !cluster.addresses.unknown_of_brokers.contains_key(&node.id)
            && !restarts.iter().any(|restart| restart.node == node.id)
    };
    for listener in &cluster.listeners {
        let Some(switch) = cluster.addresses.switches.get(&listener.name) else { continue };
        let bootstrap = names::external_bootstrap_service(&cluster.name, &listener.name);
        let mut kept = Vec::new();
        if *switch == AddressSwitch::FromProxy {
            if !brokers(cluster).all(|node| tells_the_new(&node)) {
                let proxy = names::proxy::deployment(&cluster.name, &listener.name);
                delete.retain(|unwanted| unwanted.object.name != proxy && unwanted.object.name != bootstrap);
                kept.push(bootstrap);
            }
        } else {
            let is_through = |node: &Node<'_>| *switch == AddressSwitch::ToProxy && tells_the_new(node);
            let others = brokers(cluster).filter(|node| !is_through(node));
            kept.extend(others.map(|node| broker_service(cluster, node, listener)));
            // One of a broker that is new is made.
            kept.retain(|name| observed.exposed.services.contains_key(name));
            if *switch == AddressSwitch::AwaitsProxy {
                kept.push(bootstrap);
            }
        }
        let is_kept = |wanted: &DesiredObject| {
            wanted.reference.kind == Service::kind(&()) && kept.contains(&wanted.reference.name)
        };
        desired.retain(|wanted| !is_kept(wanted));
    }
}

/// Says which listeners are under way. `restarts` are those that are due.
pub(super) fn warnings(cluster: &Cluster, observed: &Observed, restarts: &[Restart]) -> Vec<Warning> {
    let warning = |listener: &Listener| {
        let name = &listener.name;
        let happens = if cluster.addresses.switches.contains_key(name) {
            "the former addresses lead to the brokers until these were restarted with the new ones, one after the other"
        } else if moves_node_ports(cluster, listener) && is_under_way(cluster, listener, observed, restarts) {
            "the former addresses are gone, since the node ports of brokers move, and clients reach a broker again when it was restarted with \
             the new one: without the node ports of brokers[] the former addresses stay until then"
        } else {
            return None;
        };
        let change = if listener.single_address().is_some() {
            "all brokers get one address (singleAddress)"
        } else {
            "each broker gets an address of its own (no singleAddress any more)"
        };
        let reason = reasons::LISTENER_ADDRESSES_CHANGE.to_owned();
        Some(Warning { reason, message: format!("listener {name}: {change}; {happens}") })
    };
    cluster.listeners.iter().filter_map(warning).collect()
}

fn is_under_way(cluster: &Cluster, listener: &Listener, observed: &Observed, restarts: &[Restart]) -> bool {
    let Some(leads_to_proxy) = leads_to_proxy(cluster, listener, observed) else { return false };
    let is_single = listener.single_address().is_some();
    let deployment = observed.deployments.get(&names::proxy::deployment(&cluster.name, &listener.name));
    let since = deployment.and_then(|found| found.metadata.creation_timestamp.as_ref());
    // A broker that was started before there was a proxy tells its former address.
    let is_older = |restart: &&Restart| {
        let pod = brokers(cluster).find(|node| node.id == restart.node).map(|node| cluster.pod_name(node));
        let pod = pod.and_then(|pod| observed.pods.get(&pod));
        let started = pod.and_then(|pod| pod.metadata.creation_timestamp.as_ref());
        started.zip(since).is_some_and(|(started, since)| started.0 < since.0)
    };
    leads_to_proxy != is_single || is_single && restarts.iter().any(|restart| is_older(&restart))
}
