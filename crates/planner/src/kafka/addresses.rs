//! Under which addresses clients reach the listeners: out of how a listener is exposed, and of what Kubernetes gave the objects
//! that expose it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::cluster::{Advertised, Cluster, Exposure, Listener, Node};
use super::exposed::Exposed;

/// Host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host name or IP address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The addresses of all listeners, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// What each broker tells clients, by node id and name of the listener.
    of_brokers: BTreeMap<i32, BTreeMap<String, Address>>,
    /// Where clients begin, by name of the listener.
    bootstrap: BTreeMap<String, Vec<Address>>,
}

impl Addresses {
    /// Of a cluster with its nodes.
    pub fn of(cluster: &Cluster, exposed: &Exposed) -> Self {
        let mut found = Self::default();
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

    /// What a broker tells clients; `None`: it is not known yet.
    pub fn of_broker(&self, id: i32, listener: &Listener) -> Option<&Address> {
        self.of_brokers.get(&id)?.get(&listener.name)
    }

    /// Where clients begin.
    pub fn bootstrap(&self, listener: &Listener) -> &[Address] {
        self.bootstrap.get(&listener.name).map(Vec::as_slice).unwrap_or_default()
    }
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
