//! What is answered to a [`Need`](super::need::Need).

use std::collections::{BTreeMap, BTreeSet};

use api::agent::{AgentReport, CertificatesInUse, RecoveryState, Unresponsive};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::drain_view::DrainView;
use super::exposed::NodeAddresses;
use super::held_topic::HeldTopic;
use super::kubernetes_node_state::KubernetesNode;
use super::leaderless_view::LeaderlessView;
use super::log_dirs_view::{FailedLogDirs, LogDirsView};
use super::need::Admission;
use super::observed::{BrokerConfigs, KafkaView, TieredTopics};
use super::operator_turns::Turn;
use super::roll_view::RollKafka;
use crate::live_object::LiveObject;
use crate::ownership::Holder;
use crate::silence::Silence;
use objects::ObjectId;
use pki::Material;

/// The answer to a [`Need`](super::need::Need).
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// What was made.
    Material(Material),
    /// Whether volumes of the class may grow; `None`: the operator has not the right to know.
    StorageClass(Option<bool>),
    /// The addresses of those nodes that there are, by name.
    NodeAddresses(BTreeMap<String, NodeAddresses>),
    /// How each of the Kubernetes nodes is, by name; `None`: the operator has not the right to know.
    KubernetesNodes(BTreeMap<String, Option<KubernetesNode>>),
    /// What each of the objects says of whose it is; `None`: there is no such object.
    Holders(BTreeMap<ObjectId, Option<Holder>>),
    /// Topics that have the topic operator's finalizer.
    HeldTopics(Vec<HeldTopic>),
    /// Whether there is a Kafka resource.
    ResourceExists(bool),
    /// The metadata of the trust bundle, if there is one.
    TrustBundle(Option<Box<ObjectMeta>>),
    /// The binding of the cluster, if it exists and the operator has the right to read it.
    ClusterRoleBinding(Option<(ObjectId, LiveObject)>),
    /// What Kafka says of itself.
    Kafka(KafkaView),
    /// Brokers that hold at least one replica.
    BrokersWithReplicas(BTreeSet<i32>),
    /// How far partitions are moved off nodes.
    Drain(DrainView),
    /// What brokers say of their log directories.
    LogDirs(LogDirsView),
    /// Partitions without a leader.
    LeaderlessPartitions(LeaderlessView),
    /// What brokers said last. A broker that is not in it has not been asked since its start.
    FailedLogDirs(FailedLogDirs),
    /// Options of those brokers that answered.
    BrokerConfigs(BrokerConfigs),
    /// The topics with remote storage.
    TieredTopics(TieredTopics),
    /// The default quotas of users, by Kafka's names for them.
    DefaultQuotas(BTreeMap<String, f64>),
    /// What those agents say that answered, by the name of the pod.
    AgentReports(BTreeMap<String, AgentReport>),
    /// Which certificates those pods use that answered; `None`: theirs are read at the start alone.
    CertificatesInUse(BTreeMap<String, Option<CertificatesInUse>>),
    /// The pods that recover logs, by name, of those that answered.
    Recoveries(BTreeMap<String, RecoveryState>),
    /// The nodes that answer nothing, of those whose agents said so: for how long, by the name of the pod.
    UnresponsiveNodes(BTreeMap<String, Unresponsive>),
    /// What the safety of a restart depends on.
    Roll(RollKafka),
    /// Whether the pods may restart for a new version of the operator.
    Turn(Turn),
    /// Whether the API server takes the pod.
    Admission(Admission),
    /// Whether the API server takes each of the writes, by the object.
    Writes(BTreeMap<ObjectId, Admission>),
    /// It is not known, or could not be made.
    Unknown(Silence),
}
