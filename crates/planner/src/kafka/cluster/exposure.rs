//! How clients reach a listener.

use std::collections::BTreeMap;

use api::common::template::{IpFamily, IpFamilyPolicy};
use api::kafka::listeners::{ExternalTrafficPolicy, NodeAddressType, ParentRef};
use k8s_openapi::api::core::v1::ResourceRequirements;
use objects::Pairs;

use super::port_template::PortTemplate;

/// How clients reach a listener. [`addresses`](crate::kafka::addresses) says under which addresses.
#[derive(Debug, Clone, PartialEq)]
pub enum Exposure {
    /// Within the Kubernetes cluster, by the names of the pods.
    Internal {
        /// Whether the host names carry the DNS domain.
        with_dns_domain: bool,
    },
    /// Through Services of the listener's own: one for all brokers, where clients begin, and one for each broker.
    OwnServices(Box<OwnServices>),
}

/// Services of a listener's own.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnServices {
    /// What makes them reachable.
    pub way: Way,
    /// How many IP families they have; `None`: the default of Kubernetes.
    pub ip_family_policy: Option<IpFamilyPolicy>,
    /// Their IP families, in order; empty: the default of Kubernetes.
    pub ip_families: Vec<IpFamily>,
    /// Whether they name pods that are not ready.
    pub publish_not_ready: bool,
    /// Where clients begin.
    pub bootstrap: Entry,
    /// What the resource says of single brokers, by node id.
    pub brokers: BTreeMap<i32, Entry>,
    /// What it says of every broker: texts with `{nodeId}` and `{nodePodName}`.
    pub every_broker: Entry,
    /// The proxy through which the Service for the start leads to all brokers; `None`: each broker is exposed by itself.
    pub single: Option<SingleAddress>,
}

/// One Service for all brokers, with a port for each, and the proxy behind it. The Services of the brokers are for the proxy.
#[derive(Debug, Clone, PartialEq)]
pub struct SingleAddress {
    /// Port with which clients begin.
    pub bootstrap_port: u16,
    /// Port of the broker with the node id 0.
    pub first_broker_port: u16,
    /// Pods of the proxy.
    pub replicas: i32,
    /// CPU and memory of its container.
    pub resources: Option<ResourceRequirements>,
}

impl SingleAddress {
    /// The port of a broker; `None`: there is none so high.
    pub fn broker_port(&self, id: i32) -> Option<u16> {
        u16::try_from(i32::from(self.first_broker_port).checked_add(id)?).ok()
    }
}

/// What makes the Services of a listener reachable.
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// Nothing: they are reached within Kubernetes.
    ClusterIp {
        /// Whether the host names carry the DNS domain.
        with_dns_domain: bool,
    },
    /// A port of every Kubernetes node.
    NodePort {
        /// Which address of a node is given to clients; `None`: the first of a fixed order.
        preferred: Option<NodeAddressType>,
        /// How traffic is spread.
        traffic: ExternalTrafficPolicy,
    },
    /// A load balancer for each Service.
    LoadBalancer {
        /// How traffic is spread.
        traffic: ExternalTrafficPolicy,
        /// Class of the load balancers.
        class: Option<String>,
        /// From where clients may connect; empty: from everywhere.
        source_ranges: Vec<String>,
        /// Whether there is one for the start.
        bootstrap: bool,
        /// Finalizers of the Services.
        finalizers: Vec<String>,
        /// Whether the Services get node ports too; `None`: the default of Kubernetes.
        node_ports: Option<bool>,
    },
    /// An Ingress for each Service, which passes TLS through.
    Ingress {
        /// Its class.
        class: Option<String>,
    },
    /// A Route of OpenShift for each Service, which passes TLS through.
    Route,
    /// A TLSRoute of the Gateway API for each Service.
    TlsRoute {
        /// The Gateways that they attach to.
        parents: Vec<ParentRef>,
    },
}

/// What the resource says of one Service, and of the Ingress or route that leads to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Host name of the Ingress or route.
    pub host: Option<String>,
    /// Port of the Kubernetes nodes.
    pub node_port: Option<i32>,
    /// Address to ask of the load balancer.
    pub load_balancer_ip: Option<String>,
    /// Further addresses of the Service.
    pub external_ips: Vec<String>,
    /// Annotations.
    pub annotations: Pairs,
    /// Labels.
    pub labels: Pairs,
}

/// What a resource says of the address that brokers tell clients.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Advertised {
    /// Host names or IP addresses of single brokers.
    pub hosts: BTreeMap<i32, String>,
    /// Ports of single brokers.
    pub ports: BTreeMap<i32, u16>,
    /// Host name of all others, with `{nodeId}` and `{nodePodName}`.
    pub host_template: Option<String>,
    /// Port of all others.
    pub port_template: Option<PortTemplate>,
}

impl Advertised {
    /// The host that a broker tells; `None`: what its exposure yields.
    pub fn host(&self, id: i32, pod: &str) -> Option<String> {
        let of_all = || self.host_template.as_ref().map(|template| filled(template, id, pod));
        self.hosts.get(&id).cloned().or_else(of_all)
    }

    /// The port that a broker tells; `None`: what its exposure yields.
    pub fn port(&self, id: i32) -> Option<u16> {
        let of_all = || self.port_template.as_ref().and_then(|template| template.port(id).ok());
        self.ports.get(&id).copied().or_else(of_all)
    }
}

impl OwnServices {
    /// What the resource says of one broker: what it says of every broker, with what it says of this one over it.
    pub fn of_broker(&self, id: i32, pod: &str) -> Entry {
        let all = &self.every_broker;
        let own = self.brokers.get(&id).cloned().unwrap_or_default();
        let pairs = |pairs: &Pairs, own: Pairs| {
            let filled = pairs.iter().map(|(key, value)| (filled(key, id, pod), filled(value, id, pod)));
            filled.chain(own).collect()
        };
        Entry {
            host: own.host.or_else(|| all.host.as_ref().map(|template| filled(template, id, pod))),
            annotations: pairs(&all.annotations, own.annotations),
            labels: pairs(&all.labels, own.labels),
            ..own
        }
    }

    /// Whether there is a Service for the start.
    pub fn has_bootstrap(&self) -> bool {
        !matches!(self.way, Way::LoadBalancer { bootstrap: false, .. })
    }
}

/// A text with its placeholders replaced.
fn filled(template: &str, id: i32, pod: &str) -> String {
    template.replace("{nodeId}", &id.to_string()).replace("{nodePodName}", pod)
}
