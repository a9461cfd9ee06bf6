//! The addresses that brokers were told last. While a load balancer or a route is made anew, its broker keeps the old one: it
//! would restart without the listener, and once more with it.

use std::collections::BTreeMap;

use api::names;
use k8s_openapi::api::core::v1::ConfigMap;

use super::cluster::{Address, Addresses, Cluster, Way};
use super::host_name;
use super::observed::Observed;

/// The line of `server.config`.
const OPTION: &str = "advertised.listeners=";

/// Puts them where the present addresses are not known. What waits is still said.
pub(super) fn fill(cluster: &Cluster, observed: &Observed, addresses: &mut Addresses) {
    bootstrap(observed, addresses);
    let unknown: Vec<i32> = addresses.unknown_of_brokers.keys().copied().collect();
    for node in cluster.nodes().into_iter().filter(|node| unknown.contains(&node.id)) {
        let Some(map) = observed.config_maps.get(&cluster.pod_name(node)) else { continue };
        let mut last = told(map);
        let known = addresses.of_brokers.entry(node.id).or_default();
        for listener in &cluster.listeners {
            let on_node_port =
                listener.own_services().is_some_and(|own| matches!(own.way, Way::NodePort { .. }));
            // Only a pod of a listener with node ports knows the address of its Kubernetes node.
            let is_placeholder =
                |host: &str| on_node_port && host.starts_with("${strimzifile:") && host.ends_with('}');
            let usable = |address: &Address| {
                is_placeholder(&address.host) || host_name::complaint(&address.host).is_none()
            };
            if let Some(address) = last.remove(&listener.identifier()).filter(usable) {
                known.entry(listener.name.clone()).or_insert(address);
            }
        }
    }
}

/// The status goes on to say where clients began until it is known where they begin now.
fn bootstrap(observed: &Observed, addresses: &mut Addresses) {
    let status = observed.kafka.as_ref().and_then(|kafka| kafka.status.as_ref());
    for listener in status.and_then(|status| status.listeners.as_ref()).into_iter().flatten() {
        let Some(name) = &listener.name else { continue };
        if addresses.bootstrap.get(name).is_some_and(|known| !known.is_empty()) {
            continue;
        }
        let said = listener.addresses.iter().flatten();
        let known = said.filter_map(|said| {
            Some(Address { host: said.host.clone()?, port: u16::try_from(said.port?).ok()? })
        });
        addresses.bootstrap.insert(name.clone(), known.collect());
    }
}

/// By the name of the listener in the configuration.
fn told(map: &ConfigMap) -> BTreeMap<String, Address> {
    let text = map.data.as_ref().and_then(|data| data.get(names::keys::SERVER_CONFIG));
    let lines = text.map(String::as_str).unwrap_or_default().lines();
    let items = lines.filter_map(|line| line.strip_prefix(OPTION)).flat_map(|list| list.split(','));
    let address = |item: &str| {
        let (name, address) = item.split_once("://")?;
        let (host, port) = address.rsplit_once(':')?;
        Some((name.to_owned(), Address { host: host.to_owned(), port: port.parse().ok()? }))
    };
    items.filter_map(address).collect()
}
