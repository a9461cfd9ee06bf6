//! The validated cluster: what cannot be wrong any more. Made by [`validate`](super::validate), read by everything
//! that makes objects; nothing below looks at the raw resources again.

mod addresses;
mod authority;
mod authorization;
mod entity_operator;
mod exposure;
mod feature_levels;
pub(crate) mod internal_security;
mod kafka_exporter;
mod listener;
mod node_config;
mod operator_rolls;
mod pool;
mod port_template;
mod quotas;
mod storage;
mod tiered_storage;
mod volume_removal;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use api::kafka::template::KafkaClusterTemplate;
use api::kinds;
use api::{Kafka, KafkaNodePool, names};
use objects::Owner;

pub use crate::findings::Warning;
use crate::overrides::ObjectOverride;
use crate::ownership::Claimant;
pub use crate::process::{Jmx, JvmOptions, Logging, Metrics};
pub use crate::rack::Rack;
use crate::versions::KafkaVersion;
pub use crate::workload::probe::Probe;
pub use crate::workload::resizing::Resizing;

pub use self::addresses::{Address, AddressSwitch, Addresses};
pub use self::authority::CaSettings;
pub use self::authorization::Authorization;
pub use self::entity_operator::{EntityContainer, EntityOperator};
pub use self::exposure::{Advertised, Entry, Exposure, OwnServices, SingleAddress, Way};
pub use self::feature_levels::FeatureLevels;
pub use self::internal_security::InternalSecurity;
pub use self::kafka_exporter::{ExporterLevel, KafkaExporter};
pub use self::listener::{Listener, ListenerAuthentication, ListenerCertificate};
pub use self::node_config::{NodeConfig, NodeIds};
pub use self::operator_rolls::OperatorRolls;
pub use self::pool::{Pool, PoolOrigin, PoolOwner};
pub use self::port_template::PortTemplate;
pub use self::quotas::{FreeSpace, Quotas, QuotasPlugIn, Rate};
pub(crate) use self::storage::{DATA_MOUNT, jbod};
pub use self::storage::{Storage, Volume, VolumeKind};
pub use self::tiered_storage::TieredStorage;
pub use self::volume_removal::{VolumeRemoval, VolumeState};

/// Port of the controller listener.
pub const CONTROLLER_PORT: u16 = api::ports::CONTROL_PLANE as u16;
/// Port of the listener between brokers, which the operators use too.
pub const REPLICATION_PORT: u16 = api::ports::REPLICATION as u16;

/// A Kafka cluster whose specification passed validation.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Name of the Kafka resource.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID, for owner references.
    pub uid: String,
    /// Its labels, without those that are not passed on.
    pub labels: BTreeMap<String, String>,
    /// Domain of the cluster's DNS.
    pub dns_domain: String,
    /// The version that is to run.
    pub version: KafkaVersion,
    /// The metadata version to reach, by its full name (`4.3-IV0`).
    pub metadata_version: String,
    /// The levels that other features of Kafka are to have.
    pub feature_levels: FeatureLevels,
    /// Image of the Kafka container.
    pub image: String,
    /// Kafka's cluster id; `None` while there is none yet.
    pub cluster_id: Option<String>,
    /// How the controllers find each other.
    pub quorum: Quorum,
    /// Pools in the order of their names.
    pub pools: Vec<Pool>,
    /// Listeners for clients in the order of the resource.
    pub listeners: Vec<Listener>,
    /// Under which addresses clients reach the listeners.
    pub addresses: Addresses,
    /// Who may do what.
    pub authorization: Authorization,
    /// How the parts of the cluster talk with each other.
    pub internal_security: InternalSecurity,
    /// Options of the user, without forbidden ones, checked against the configuration model.
    pub config: BTreeMap<String, String>,
    /// Options of single nodes over [`Self::config`], of nodes that exist and have some.
    pub node_config: BTreeMap<i32, BTreeMap<String, String>>,
    /// Where racks come from.
    pub rack: Option<Rack>,
    /// How many brokers of one rack may restart at the same time; at least 1.
    pub max_parallel_restarts: usize,
    /// When pods restart that a new version of the operator alone would restart.
    pub operator_rolls: OperatorRolls,
    /// Liveness probe of the Kafka container.
    pub liveness: Probe,
    /// Readiness probe of the Kafka container.
    pub readiness: Probe,
    /// Loggers and levels.
    pub logging: Logging,
    /// Which metrics are offered to Prometheus.
    pub metrics: Option<Metrics>,
    /// Remote JMX.
    pub jmx: Option<Jmx>,
    /// Whether other resources of containers reach running pods without a restart.
    pub resizing: Option<Resizing>,
    /// Limits for clients.
    pub quotas: Option<Quotas>,
    /// Storage for segments outside the brokers.
    pub tiered_storage: Option<TieredStorage>,
    /// The authority of the cluster's own components.
    pub cluster_ca: CaSettings,
    /// The authority of the users.
    pub clients_ca: CaSettings,
    /// Windows in which certificates may be renewed; empty: always.
    pub maintenance_windows: Vec<pki::MaintenanceWindow>,
    /// The same windows as the user wrote them.
    pub maintenance_expressions: Vec<String>,
    /// The topic and user operators.
    pub entity_operator: Option<EntityOperator>,
    /// The exporter of lag and offsets.
    pub kafka_exporter: Option<KafkaExporter>,
    /// Patches over generated objects.
    pub object_overrides: Vec<ObjectOverride>,
    /// `spec.kafka.template`.
    pub templates: KafkaClusterTemplate,
}

/// How the controllers find each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quorum {
    /// `controller.quorum.voters`: a cluster that was formatted that way.
    Static,
    /// `controller.quorum.bootstrap.servers` (KIP-853).
    Dynamic {
        /// Directory ids of the first controllers, by node id. An id that must still be made is absent.
        directory_ids: BTreeMap<i32, String>,
        /// Node ids of the first controllers.
        initial: BTreeSet<i32>,
        /// Whether the quorum has existed: then a controller with an empty disk joins instead of founding.
        formed: bool,
    },
}

/// A node of a pool.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// Kafka's node id.
    pub id: i32,
    /// Its pool.
    pub pool: &'a Pool,
}

impl Cluster {
    /// The Kafka resource as the one that needs the objects of the cluster.
    pub fn claimant(&self) -> Claimant<'_> {
        let parts = self.pools.iter().map(|pool| (kinds::KAFKA_NODE_POOL, pool.name.as_str()));
        let (namespace, name) = (self.namespace.as_str(), self.name.as_str());
        Claimant { kind: kinds::KAFKA, namespace, name, parts: parts.collect() }
    }

    /// The Kafka resource, as what its objects belong to.
    pub fn owner(&self) -> Owner {
        Owner::new::<Kafka>(&self.name, &self.namespace, &self.uid, &self.labels)
    }

    /// What the objects of a pool belong to.
    pub fn owner_of_pool(&self, pool: &Pool) -> Owner {
        let owner = || Owner::new::<KafkaNodePool>(&pool.name, &self.namespace, &pool.uid, &pool.labels);
        match pool.owner {
            PoolOwner::Pool => owner(),
            PoolOwner::PoolAndCluster => owner().beside(&self.owner()),
            PoolOwner::Cluster => self.owner(),
        }
    }

    /// All nodes in the order of the pools and ids.
    pub fn nodes(&self) -> Vec<Node<'_>> {
        let mut nodes = Vec::new();
        for pool in &self.pools {
            for id in &pool.nodes {
                nodes.push(Node { id: *id, pool });
            }
        }
        nodes
    }

    /// The nodes that are controllers, by id.
    pub fn controllers(&self) -> Vec<Node<'_>> {
        let mut nodes: Vec<_> = self.nodes().into_iter().filter(|node| node.pool.controller).collect();
        nodes.sort_by_key(|node| node.id);
        nodes
    }

    /// Ids of the controllers that are to lose their votes.
    pub fn departing(&self) -> BTreeSet<i32> {
        self.pools.iter().flat_map(|pool| pool.departing.iter().copied()).collect()
    }

    /// Ids of the nodes that are brokers.
    pub fn broker_ids(&self) -> BTreeSet<i32> {
        self.nodes().into_iter().filter(|node| node.pool.broker).map(|node| node.id).collect()
    }

    /// `my-dual-0`.
    pub fn pod_name(&self, node: Node<'_>) -> String {
        names::pod(&self.name, &node.pool.name, node.id)
    }

    /// `my-dual`.
    pub fn pod_set_name(&self, pool: &Pool) -> String {
        names::pod_set(&self.name, &pool.name)
    }

    /// `my-dual-0.my-kafka-brokers.ns.svc`.
    pub fn pod_host(&self, node: Node<'_>) -> String {
        names::pod_dns(&self.name, &self.pod_name(node), &self.namespace)
    }

    /// The listeners that a broker has. One whose addresses are not known yet is as good as absent: the broker would restart for
    /// it, and once more when they come.
    pub fn open_listeners(&self, id: i32) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().filter(move |listener| self.addresses.of_broker(id, listener).is_some())
    }

    /// Whether brokers have to ask the API server about the Kubernetes nodes that they run on.
    pub fn asks_about_nodes(&self) -> bool {
        matches!(self.rack, Some(Rack::TopologyLabel(_))) || self.has_node_ports()
    }

    /// Whether a listener is reached on ports of the Kubernetes nodes.
    pub fn has_node_ports(&self) -> bool {
        let services = self.listeners.iter().filter_map(Listener::own_services);
        services.into_iter().any(|services| matches!(services.way, Way::NodePort { .. }))
    }

    /// `my-kafka-bootstrap.ns.svc`.
    pub fn bootstrap_host(&self) -> String {
        names::service_dns(&names::bootstrap_service(&self.name), &self.namespace)
    }
}

/// Whether a name is an IP address, and which.
pub fn as_ip(name: &str) -> Option<IpAddr> {
    name.parse().ok()
}
