//! The validated cluster: what cannot be wrong any more. Made by [`validate`](super::validate), read by everything
//! that makes objects; nothing below looks at the raw resources again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use api::kafka::entity_operator::EntityOperatorTemplate;
use api::kafka::template::KafkaClusterTemplate;
use api::{Kafka, KafkaNodePool, names};
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use objects::Owner;

use super::versions::KafkaVersion;
pub use crate::findings::Warning;
pub use crate::workload::probe::Probe;

/// Port of the controller listener.
pub const CONTROLLER_PORT: u16 = api::ports::CONTROL_PLANE as u16;
/// Port of the listener between brokers, which the operators use too.
pub const REPLICATION_PORT: u16 = api::ports::REPLICATION as u16;

/// Where the volumes with Kafka's logs are mounted; in a `jbod` storage the volume's id follows.
const DATA_MOUNT: &str = "/var/lib/kafka/data";

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
    /// Who may do what.
    pub authorization: Authorization,
    /// Options of the user, without forbidden ones, checked against the configuration model.
    pub config: BTreeMap<String, String>,
    /// Where racks come from.
    pub rack: Option<Rack>,
    /// Liveness probe of the Kafka container.
    pub liveness: Probe,
    /// Readiness probe of the Kafka container.
    pub readiness: Probe,
    /// Loggers and levels.
    pub logging: Logging,
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
    /// `spec.kafka.template`.
    pub templates: KafkaClusterTemplate,
    /// Whether `strimzi.io/skip-broker-scaledown-check` is set.
    pub skip_scale_down_check: bool,
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

/// A node pool.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Name of the KafkaNodePool.
    pub name: String,
    /// Its UID, for owner references.
    pub uid: String,
    /// `metadata.generation`, for the status.
    pub generation: Option<i64>,
    /// Its labels, without those that are not passed on.
    pub labels: BTreeMap<String, String>,
    /// Whether its nodes are controllers.
    pub controller: bool,
    /// Whether its nodes are brokers.
    pub broker: bool,
    /// Node ids, ascending. They include nodes whose removal is held back.
    pub nodes: BTreeSet<i32>,
    /// What has to come before the pool gets all the nodes that it asks for; it comes by itself.
    pub waits_for: Option<String>,
    /// Volumes of every node, in the order of their ids; at least one.
    pub volumes: Vec<Volume>,
    /// Whether the storage is of type `jbod` (then mounts carry the volume id).
    pub jbod: bool,
    /// The storage as JSON, as remembered in the annotation of the pod set.
    pub storage_json: String,
    /// `resources` of the Kafka container.
    pub resources: Option<ResourceRequirements>,
    /// Options of the JVM.
    pub jvm: JvmOptions,
    /// Templates: the pool's over those of the Kafka resource, section by section.
    pub templates: KafkaClusterTemplate,
    /// Warnings about the pool, for its status.
    pub warnings: Vec<Warning>,
}

/// A volume of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Id within a `jbod` storage; `None` for the only volume of any other type.
    pub id: Option<i32>,
    /// Whether it holds the metadata log.
    pub metadata: bool,
    /// What kind of volume.
    pub kind: VolumeKind,
}

/// What kind of volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeKind {
    /// Gone with the pod.
    Ephemeral {
        /// Upper bound as a quantity.
        size_limit: Option<String>,
    },
    /// A claim that outlives the pod.
    Claim {
        /// Size as a quantity.
        size: String,
        /// Storage class; `None`: the default one.
        class: Option<String>,
        /// Labels that the volume must have.
        selector: BTreeMap<String, String>,
        /// Whether the claim goes with the node.
        delete_claim: bool,
        /// Volume attributes class.
        attributes_class: Option<String>,
    },
}

/// A listener for clients.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Name in the resource.
    pub name: String,
    /// Port in the container and the Service.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// How clients prove who they are.
    pub authentication: ListenerAuthentication,
    /// Who may connect; `None`: everybody.
    pub peers: Option<Vec<NetworkPolicyPeer>>,
    /// Whether the advertised host name carries the DNS domain.
    pub use_service_dns_domain: bool,
    /// Further DNS names and addresses of the bootstrap, for the certificates.
    pub alternative_names: Vec<String>,
    /// Host name template with `{nodeId}` and `{nodePodName}`.
    pub advertised_host_template: Option<String>,
    /// Advertised host and port of single brokers.
    pub advertised: BTreeMap<i32, (Option<String>, Option<u16>)>,
    /// `max.connections`.
    pub max_connections: Option<i64>,
    /// `max.connection.creation.rate`.
    pub max_connection_creation_rate: Option<i64>,
    /// A certificate of the user's own.
    pub certificate: Option<ListenerCertificate>,
}

/// A certificate of the user's own, as it was read out of its Secret, with the key that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerCertificate {
    /// The certificate and its chain.
    pub chain: pki::CertificateChain,
    /// Its key in PKCS #8, PEM.
    pub key: pki::SecretPem,
}

impl Listener {
    /// `PLAIN-9092`: the name in Kafka's configuration.
    pub fn identifier(&self) -> String {
        api::ports::listener_identifier(&self.name, i32::from(self.port))
    }

    /// `listener.name.plain-9092.`: the prefix of its own options.
    pub fn prefix(&self) -> String {
        api::ports::listener_property_prefix(&self.name, i32::from(self.port))
    }

    /// Name of the port in pods and Services.
    pub fn port_name(&self) -> String {
        api::ports::listener_port_name(&self.name, i32::from(self.port))
    }
}

/// How clients of a listener prove who they are.
#[derive(Debug, Clone, PartialEq)]
pub enum ListenerAuthentication {
    /// Not at all.
    None,
    /// With a certificate of the clients CA.
    Tls,
    /// With a user name and a password.
    ScramSha512,
    /// With what the user configured.
    Custom {
        /// Whether the protocol is a SASL one.
        sasl: bool,
        /// Options without the listener's prefix.
        config: BTreeMap<String, String>,
    },
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// Everybody everything.
    None,
    /// Kafka's ACLs.
    Simple {
        /// Principals without `User:`.
        super_users: Vec<String>,
    },
    /// An authorizer of the user's own.
    Custom {
        /// Its class.
        class: String,
        /// Principals without `User:`.
        super_users: Vec<String>,
        /// Whether ACLs can be managed through Kafka.
        supports_admin_api: bool,
    },
}

/// Where racks come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rack {
    /// A label of the Kubernetes node.
    TopologyLabel(String),
    /// An environment variable of the container.
    EnvironmentVariable(String),
}

/// Loggers and levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logging {
    /// Loggers over the defaults; empty: the defaults.
    Inline(BTreeMap<String, String>),
    /// The whole text, out of a ConfigMap of the user's own.
    External(String),
}

/// Options of the JVM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JvmOptions {
    /// `-Xms`.
    pub xms: Option<String>,
    /// `-Xmx`.
    pub xmx: Option<String>,
    /// `-XX` options by name.
    pub xx: BTreeMap<String, String>,
    /// System properties in order.
    pub system_properties: Vec<(String, String)>,
    /// Whether garbage collection is logged.
    pub gc_logging: bool,
}

/// An authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaSettings {
    /// Whether the operator makes it; else the user supplies the Secrets.
    pub generate: bool,
    /// Whether the Secrets go with the Kafka resource.
    pub owner_reference: bool,
    /// Days of validity of the authority and its leaves.
    pub validity_days: u32,
    /// Days before the end at which it is renewed.
    pub renewal_days: u32,
    /// Whether renewal makes a new key.
    pub replace_key: bool,
}

/// The topic and user operators.
#[derive(Debug, Clone)]
pub struct EntityOperator {
    /// The topic operator; `None`: not wanted.
    pub topic: Option<EntityContainer>,
    /// The user operator; `None`: not wanted.
    pub user: Option<EntityContainer>,
    /// Prefix of the Secrets of users.
    pub secret_prefix: String,
    /// Templates of the entity operator.
    pub templates: EntityOperatorTemplate,
}

/// One of the two containers.
#[derive(Debug, Clone)]
pub struct EntityContainer {
    /// Image.
    pub image: String,
    /// The namespace it watches.
    pub watched_namespace: String,
    /// Milliseconds between two full passes; `None`: its default.
    pub reconciliation_interval_ms: Option<i64>,
    /// CPU and memory.
    pub resources: Option<ResourceRequirements>,
    /// Liveness probe.
    pub liveness: Probe,
    /// Readiness probe.
    pub readiness: Probe,
    /// Startup probe, topic operator only.
    pub startup: Option<Probe>,
    /// Loggers and levels.
    pub logging: Logging,
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
    /// The Kafka resource, as what its objects belong to.
    pub fn owner(&self) -> Owner {
        Owner::new::<Kafka>(&self.name, &self.namespace, &self.uid, &self.labels)
    }

    /// A pool, as what its objects belong to.
    pub fn owner_of_pool(&self, pool: &Pool) -> Owner {
        Owner::new::<KafkaNodePool>(&pool.name, &self.namespace, &pool.uid, &pool.labels)
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

    /// `my-kafka-bootstrap.ns.svc`.
    pub fn bootstrap_host(&self) -> String {
        names::service_dns(&names::bootstrap_service(&self.name), &self.namespace)
    }
}

impl Pool {
    /// `/var/lib/kafka/data` or `/var/lib/kafka/data-<id>`.
    pub fn mount_path(volume: &Volume) -> String {
        match volume.id {
            Some(id) => format!("{DATA_MOUNT}-{id}"),
            None => DATA_MOUNT.to_owned(),
        }
    }

    /// Whether Kafka's logs lie on what is mounted at this path: [`Self::mount_path`] of some volume.
    pub fn is_data_mount(path: &str) -> bool {
        path.strip_prefix(DATA_MOUNT).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// `data` or `data-<id>`.
    pub fn volume_name(volume: &Volume) -> String {
        match volume.id {
            Some(id) => format!("data-{id}"),
            None => "data".to_owned(),
        }
    }

    /// The log directory of a node on a volume.
    pub fn log_dir(volume: &Volume, node: i32) -> String {
        format!("{}/kafka-log{node}", Self::mount_path(volume))
    }

    /// The volume with the metadata log: the one that is marked, else the first.
    pub fn metadata_volume(&self) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.metadata).or_else(|| self.volumes.first())
    }

    /// `controller`, `broker`, in the order of the status of a pool.
    pub fn roles(&self) -> Vec<&'static str> {
        let mut roles = Vec::new();
        if self.controller {
            roles.push("controller");
        }
        if self.broker {
            roles.push("broker");
        }
        roles
    }
}

/// Whether a name is an IP address, and which.
pub fn as_ip(name: &str) -> Option<IpAddr> {
    name.parse().ok()
}
