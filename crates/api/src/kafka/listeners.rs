//! How clients reach a cluster.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::refs::CertAndKeyRef;
use crate::common::template::{IpFamily, IpFamilyPolicy};
use crate::schema::{Embedded, Free, FreeMap, JsonSchema, Resources, string_enum};

/// A port that clients connect to.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Name of the listener, unique in the cluster: 1 to 11 lower-case letters and digits.
    #[schemars(regex(pattern = r"^[a-z0-9]{1,11}$"))]
    pub name: String,
    /// Port inside Kubernetes, unique in the cluster: 9092 or higher, but not 9404 and 9999.
    #[schemars(range(min = 9092))]
    pub port: i32,
    /// How clients get there: `internal` from within Kubernetes, the others from outside, or (`cluster-ip`) through a
    /// Service per broker.
    #[serde(rename = "type")]
    pub type_: ListenerType,
    /// Whether traffic is encrypted. `route` and `ingress` require it.
    pub tls: bool,
    /// How clients prove who they are. Without it everybody may connect.
    pub authentication: Option<ListenerAuthentication>,
    /// More options.
    pub configuration: Option<ListenerConfiguration>,
    /// Who may connect, for the generated NetworkPolicy. Without it, or with an empty list, everybody may.
    #[schemars(with = "Option<Vec<Embedded<NetworkPolicyPeer>>>")]
    pub network_policy_peers: Option<Vec<NetworkPolicyPeer>>,
}

string_enum! {
    /// How clients get to a listener.
    ListenerType {
        /// Pod addresses, within Kubernetes.
        Internal = "internal",
        /// OpenShift Routes.
        Route = "route",
        /// TLSRoutes of the Gateway API.
        TlsRoute = "tlsroute",
        /// Services of type LoadBalancer.
        LoadBalancer = "loadbalancer",
        /// Services of type NodePort.
        NodePort = "nodeport",
        /// Ingresses with TLS passthrough.
        Ingress = "ingress",
        /// Services of type ClusterIP, one per broker.
        ClusterIp = "cluster-ip",
    }
}

/// How clients prove who they are.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListenerAuthentication {
    /// `tls` asks for a certificate signed by the clients CA, `scram-sha-512` for a user and a password, `custom` for
    /// whatever `listenerConfig` says.
    #[serde(rename = "type")]
    pub type_: ListenerAuthenticationType,
    /// Whether SASL is used (`custom`).
    pub sasl: Option<bool>,
    /// Kafka options of this listener; they get its prefix (`custom`).
    #[schemars(with = "Option<Free>")]
    pub listener_config: Option<FreeMap>,
    /// Keys of Secrets that the pods get to see, in a resource of an older version (`custom`).
    pub secrets: Option<Vec<AuthenticationSecret>>,
}

/// A key of a Secret, in a resource of an older version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationSecret {
    /// The key.
    pub key: String,
    /// Name of the Secret.
    pub secret_name: String,
}

string_enum! {
    /// How clients prove who they are.
    ListenerAuthenticationType {
        /// A certificate.
        Tls = "tls",
        /// A user and a password.
        ScramSha512 = "scram-sha-512",
        /// A token of OAuth 2.0, in a resource of an older version.
        Oauth = "oauth",
        /// By any other means.
        Custom = "custom",
    }
}

/// Options of a listener. Each is for certain types only, which its description names.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListenerConfiguration {
    /// A certificate of the user's own in place of the one the operator makes. Only with `tls: true`.
    pub broker_cert_chain_and_key: Option<CertAndKeyRef>,
    /// Class of the load balancer or of the ingress controller (`loadbalancer`, `ingress`).
    pub class: Option<String>,
    /// `Local` keeps the client's address and the traffic on its node, `Cluster` spreads it (`loadbalancer`,
    /// `nodeport`). The default is `Cluster`.
    pub external_traffic_policy: Option<ExternalTrafficPolicy>,
    /// Address ranges clients may connect from, for example `10.0.0.0/8` (`loadbalancer`).
    pub load_balancer_source_ranges: Option<Vec<String>>,
    /// The bootstrap address.
    pub bootstrap: Option<ListenerBootstrap>,
    /// The addresses of single brokers.
    pub brokers: Option<Vec<ListenerBroker>>,
    /// How many IP families the Services have (all but `internal`).
    pub ip_family_policy: Option<IpFamilyPolicy>,
    /// The IP families of the Services, in order (all but `internal`).
    pub ip_families: Option<Vec<IpFamily>>,
    /// Whether a bootstrap Service is made (`loadbalancer`). The default is true.
    pub create_bootstrap_service: Option<bool>,
    /// Finalizers of the Services (`loadbalancer`).
    pub finalizers: Option<Vec<String>>,
    /// Whether brokers are addressed with the DNS domain of the Kubernetes cluster, usually `.cluster.local`
    /// (`internal`, `cluster-ip`). The default is false.
    pub use_service_dns_domain: Option<bool>,
    /// Connections each broker accepts on this listener. The default is no limit.
    pub max_connections: Option<i32>,
    /// New connections per second each broker accepts on this listener. The default is no limit.
    pub max_connection_creation_rate: Option<i32>,
    /// Which address of a Kubernetes node is given to clients first (`nodeport`). Without it, or where there is none,
    /// the order is ExternalDNS, ExternalIP, InternalDNS, InternalIP, Hostname.
    pub preferred_node_port_address_type: Option<NodeAddressType>,
    /// Whether Services name pods that are not ready (all but `internal`). The default is false.
    pub publish_not_ready_addresses: Option<bool>,
    /// Annotations of each broker's Service, Route or Ingress (all but `internal`); `{nodeId}` and `{nodePodName}` are
    /// replaced.
    pub per_broker_annotations_template: Option<BTreeMap<String, String>>,
    /// Labels of each broker's Service, Route or Ingress (all but `internal`); `{nodeId}` and `{nodePodName}` are
    /// replaced.
    pub per_broker_labels_template: Option<BTreeMap<String, String>>,
    /// Host name of each broker's Route, TLSRoute or Ingress; `{nodeId}` and `{nodePodName}` are replaced.
    pub host_template: Option<String>,
    /// Host name each broker gives to clients; `{nodeId}` and `{nodePodName}` are replaced.
    pub advertised_host_template: Option<String>,
    /// Port each broker gives to clients: a number, or a sum of numbers and `{nodeId}` with `+`, `-`, `*` and
    /// parentheses.
    pub advertised_port_template: Option<String>,
    /// Whether the Services also get node ports (`loadbalancer`). The default is true.
    pub allocate_load_balancer_node_ports: Option<bool>,
    /// The Gateways that TLSRoutes attach to (`tlsroute`, where it is required).
    pub parent_refs: Option<Vec<ParentRef>>,
    /// One Service for the whole cluster, with a port for each broker, in place of one Service for each (`loadbalancer`,
    /// `nodeport`, `cluster-ip`). A proxy of the operator's, Envoy, leads its ports to the brokers; it does not open TLS.
    pub single_address: Option<SingleAddress>,
}

/// One address for the brokers of a listener, with a port for each.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SingleAddress {
    /// Port with which clients begin. The default is the port of the listener.
    pub bootstrap_port: Option<i32>,
    /// Port of the broker with the node id 0; every other broker has this plus its node id. The default is 20000.
    pub first_broker_port: Option<i32>,
    /// Pods of the proxy. The default is 2.
    pub replicas: Option<i32>,
    /// CPU and memory of the proxy's container. The default asks for a little and limits nothing.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
}

impl SingleAddress {
    /// Default of `firstBrokerPort`.
    pub const FIRST_BROKER_PORT: i32 = 20_000;
    /// Default of `replicas`.
    pub const REPLICAS: i32 = 2;
    /// CPU that is set aside unless `resources` says otherwise.
    pub const CPU: &'static str = "50m";
    /// Memory that is set aside unless `resources` says otherwise.
    pub const MEMORY: &'static str = "96Mi";
}

string_enum! {
    /// How traffic from outside is spread.
    ExternalTrafficPolicy {
        /// To pods on the node that got it.
        Local = "Local",
        /// To all pods.
        Cluster = "Cluster",
    }
}

string_enum! {
    /// Kinds of addresses of Kubernetes nodes.
    NodeAddressType {
        /// Address outside the cluster.
        ExternalIp = "ExternalIP",
        /// Name outside the cluster.
        ExternalDns = "ExternalDNS",
        /// Address inside the cluster.
        InternalIp = "InternalIP",
        /// Name inside the cluster.
        InternalDns = "InternalDNS",
        /// The node's own name.
        Hostname = "Hostname",
    }
}

/// The bootstrap address of a listener.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListenerBootstrap {
    /// More names for the brokers' certificates.
    pub alternative_names: Option<Vec<String>>,
    /// Host name (`route`, `tlsroute`, `ingress`; the latter two require it).
    pub host: Option<String>,
    /// Port on the Kubernetes nodes (`nodeport`, `loadbalancer`). The default is a free one.
    pub node_port: Option<i32>,
    /// Address to ask of the load balancer (`loadbalancer`).
    #[serde(rename = "loadBalancerIP")]
    pub load_balancer_ip: Option<String>,
    /// Annotations of the Service, Route or Ingress.
    pub annotations: Option<BTreeMap<String, String>>,
    /// Labels of the Service, Route or Ingress.
    pub labels: Option<BTreeMap<String, String>>,
    /// More addresses of the Service (`nodeport`).
    #[serde(rename = "externalIPs")]
    pub external_ips: Option<Vec<String>>,
}

/// The address of one broker of a listener. It wins over the templates.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListenerBroker {
    /// Node id of the broker.
    pub broker: i32,
    /// Host name the broker gives to clients.
    pub advertised_host: Option<String>,
    /// Port the broker gives to clients.
    pub advertised_port: Option<i32>,
    /// Host name (`route`, `tlsroute`, `ingress`).
    pub host: Option<String>,
    /// Port on the Kubernetes nodes (`nodeport`, `loadbalancer`). The default is a free one.
    pub node_port: Option<i32>,
    /// Address to ask of the load balancer (`loadbalancer`).
    #[serde(rename = "loadBalancerIP")]
    pub load_balancer_ip: Option<String>,
    /// Annotations of the Service, Route or Ingress.
    pub annotations: Option<BTreeMap<String, String>>,
    /// Labels of the Service, Route or Ingress.
    pub labels: Option<BTreeMap<String, String>>,
    /// More addresses of the Service (`nodeport`).
    #[serde(rename = "externalIPs")]
    pub external_ips: Option<Vec<String>>,
}

/// A Gateway, or one of its listeners.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParentRef {
    /// Kind of the parent. The default is `Gateway`.
    pub kind: Option<String>,
    /// API group of the parent. The default is `gateway.networking.k8s.io`.
    pub group: Option<String>,
    /// Name of the parent.
    pub name: Option<String>,
    /// Namespace of the parent. The default is that of the cluster.
    pub namespace: Option<String>,
    /// Port of the parent.
    pub port: Option<i32>,
    /// Name of the parent's listener.
    pub section_name: Option<String>,
}
