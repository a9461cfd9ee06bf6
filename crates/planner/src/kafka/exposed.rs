//! The live objects through which clients reach listeners.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Kafka;
use api::kafka::listeners::ListenerType;
use k8s_openapi::api::core::v1::Service;

/// Objects of one cluster, by name, with what Kubernetes wrote into them.
#[derive(Debug, Clone, Default)]
pub struct Exposed {
    /// Services of listeners that have some of their own.
    pub services: BTreeMap<String, Arc<Service>>,
    /// Routes (`route.openshift.io/v1`).
    pub routes: BTreeMap<String, Arc<Route>>,
    /// TLSRoutes (`gateway.networking.k8s.io/v1`).
    pub tls_routes: BTreeMap<String, Arc<TlsRoute>>,
    /// The Kubernetes nodes that run brokers, by name, if a listener needs them.
    pub node_addresses: BTreeMap<String, NodeAddresses>,
}

/// Whether a Kafka resource has listeners with Services of their own, which planning looks into.
pub fn has_own_services(kafka: &Kafka) -> bool {
    kafka.spec.kafka.listeners.iter().any(|listener| listener.type_ != ListenerType::Internal)
}

/// What matters of a Route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// The hosts under which a router admitted it, `status.ingress[].host`.
    pub hosts: Vec<String>,
}

/// What matters of a TLSRoute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsRoute {
    /// How many Gateways took it, `status.parents`.
    pub parents: usize,
}

/// Addresses of a Kubernetes node, by type (`InternalIP`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeAddresses(pub BTreeMap<String, String>);
