//! What the resources of a cluster ask for.

use super::Findings;
use crate::kafka::cluster::{Cluster, NodeConfig, Pool, Storage};
use crate::references::ConfigMapKey;

/// What the resources of a cluster ask for, checked as far as they alone say.
#[derive(Debug)]
pub struct Wanted {
    /// The cluster without what depends on what exists: it has no pools, no id and no quorum yet, its metadata version is the
    /// one that is asked for, and what [`Self::logging`] and [`Self::certificates`] refer to is not in it.
    pub cluster: Cluster,
    /// The pools, in the order of their names.
    pub pools: Vec<WantedPool>,
    /// Whether the options of the cluster are what the resource says: it has some, and they could be read.
    pub knows_options: bool,
    /// Options of single nodes.
    pub node_config: NodeConfig,
    /// Logging sections whose text lies in a ConfigMap.
    pub logging: Vec<LoggingReference>,
    /// The rules of the exporter of metrics.
    pub metrics: Option<ConfigMapKey>,
    /// Listeners whose certificate lies in a Secret.
    pub certificates: Vec<CertificateReference>,
}

/// What a pool asks for.
#[derive(Debug, Clone)]
pub struct WantedPool {
    /// The pool, with the roles and the storage that it asks for, and without nodes.
    pub pool: Pool,
    /// The storage that it asks for.
    pub storage: Storage,
    /// Number of nodes; `None`: what it says makes no sense, and it keeps those that it has.
    pub replicas: Option<usize>,
    /// Ids for new nodes, in order.
    pub next: Vec<i32>,
    /// Nodes that leave first, in order.
    pub remove: Vec<i32>,
}

impl WantedPool {
    /// Says that with this pool the quorum would be larger than every node is to list in its configuration.
    pub fn say_too_many_controllers(&self, most: usize, findings: &mut Findings) {
        let message = format!(
            "{} would give the cluster more than {most} controllers, of which every node lists each: a quorum has 3 or 5; put the \
             other nodes into a pool with roles: [broker]",
            self.replicas.unwrap_or_default()
        );
        self.say_of_replicas(message, findings);
    }

    /// Says that with this pool the cluster would be larger than an operator plans.
    pub fn say_too_large(&self, most: usize, findings: &mut Findings) {
        let message = format!(
            "{} would make the cluster larger than {most} nodes ({} of the operator): write less",
            self.replicas.unwrap_or_default(),
            api::env::own::MAX_NODES
        );
        self.say_of_replicas(message, findings);
    }

    fn say_of_replicas(&self, message: String, findings: &mut Findings) {
        let field = format!("KafkaNodePool {} spec.replicas", self.pool.name);
        findings.of_node_pools(|findings| findings.problem(field, message));
    }
}

/// A logging section whose text lies in a ConfigMap of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingReference {
    /// Whose.
    pub of: LoggingOf,
    /// Where the text lies.
    pub text: ConfigMapKey,
}

/// Whose logging it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggingOf {
    /// That of the nodes.
    Kafka,
    /// That of the topic operator.
    TopicOperator,
    /// That of the user operator.
    UserOperator,
}

/// A certificate of the user's own, with its key, in a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateReference {
    /// The listener that shows it.
    pub listener: String,
    /// Path of the reference.
    pub field: String,
    /// Name of the Secret.
    pub secret: String,
    /// The key with the certificate and its chain.
    pub certificate: String,
    /// The key with the private key.
    pub key: String,
}
