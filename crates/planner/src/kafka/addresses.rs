//! Under which addresses clients reach the listeners: out of how a listener is exposed, and of what Kubernetes gave the objects
//! that expose it.

use std::fmt::Write as _;

use super::cluster::{Address, Addresses, Advertised, Cluster, Exposure, Listener, Node};
use super::exposed::Exposed;

/// The addresses of a cluster with its nodes.
pub fn of(cluster: &Cluster, exposed: &Exposed) -> Addresses {
    let mut found = Addresses::default();
    for listener in &cluster.listeners {
        let bootstrap = bootstrap_addresses(cluster, listener, exposed);
        found.bootstrap.insert(listener.name.clone(), bootstrap);
    }
    for node in cluster.nodes().into_iter().filter(|node| node.pool.broker) {
        let known = cluster.listeners.iter().filter_map(|listener| {
            Some((listener.name.clone(), advertised_address(cluster, node, listener, exposed)?))
        });
        found.of_brokers.insert(node.id, known.collect());
    }
    found
}

/// Under which host and port a node tells clients to reach a listener: what the resource says of it, over what its exposure
/// yields. `None`: that is not known yet. `_exposed` are the objects that expose it; within Kubernetes nothing else than the pods does.
pub fn advertised_address(
    cluster: &Cluster,
    node: Node<'_>,
    listener: &Listener,
    _exposed: &Exposed,
) -> Option<Address> {
    let none = Advertised::default();
    let own = listener.advertised.get(&node.id).unwrap_or(&none);
    let template = listener.advertised_host_template.as_ref().map(|template| {
        template.replace("{nodeId}", &node.id.to_string()).replace("{nodePodName}", &cluster.pod_name(node))
    });
    let (host, port) = match &listener.exposure {
        Exposure::Internal { with_dns_domain } => {
            let mut host = cluster.pod_host(node);
            if *with_dns_domain {
                // Writing into a String cannot fail.
                let _ = write!(host, ".{}", cluster.dns_domain);
            }
            (host, listener.port)
        }
    };
    Some(Address { host: own.host.clone().or(template).unwrap_or(host), port: own.port.unwrap_or(port) })
}

/// Where clients of a listener begin.
fn bootstrap_addresses(cluster: &Cluster, listener: &Listener, _exposed: &Exposed) -> Vec<Address> {
    match &listener.exposure {
        Exposure::Internal { .. } => vec![Address { host: cluster.bootstrap_host(), port: listener.port }],
    }
}
