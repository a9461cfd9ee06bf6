//! What a plan has to know, or to have made, before it is complete: each thing is asked for by name, and each question
//! is answered, also by "it is not known, because …".
//! [`crate::completion::Completion`] leads from one to the other.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::roll_view::PodState;
use objects::ObjectId;
use pki::MaterialRequest;

pub use crate::silence::{Silence, SilenceKind};

/// Something that a plan asks for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Need {
    /// A key, a certificate or an identifier that has to be made. Answer: [`Answer::Material`](super::answer::Answer::Material).
    Material(Box<MaterialRequest>),
    /// Whether the volumes of the storage class with this name may grow. Answer: [`Answer::StorageClass`](super::answer::Answer::StorageClass).
    StorageClass(String),
    /// Under which addresses these Kubernetes nodes are reached. Answer:
    /// [`Answer::NodeAddresses`](super::answer::Answer::NodeAddresses).
    NodeAddresses(BTreeSet<String>),
    /// How these Kubernetes nodes are. Answer: [`Answer::KubernetesNodes`](super::answer::Answer::KubernetesNodes).
    KubernetesNodes(BTreeSet<String>),
    /// Whose the objects are that have these names, if there are any. Answer: [`Answer::Holders`](super::answer::Answer::Holders).
    Holders(Vec<ObjectId>),
    /// Which topics have the topic operator's finalizer. Answer: [`Answer::HeldTopics`](super::answer::Answer::HeldTopics).
    HeldTopics,
    /// Of a cluster that goes: whether there is a Kafka resource all the same, for instance a resource that the selector leaves out. Answer:
    /// [`Answer::ResourceExists`](super::answer::Answer::ResourceExists).
    ResourceExists,
    /// Of a cluster that goes: whose its trust bundle is now; caches may be behind. Answer:
    /// [`Answer::TrustBundle`](super::answer::Answer::TrustBundle).
    TrustBundle,
    /// Of a cluster that goes: its ClusterRoleBinding, while no cache has it. Answer:
    /// [`Answer::ClusterRoleBinding`](super::answer::Answer::ClusterRoleBinding).
    ClusterRoleBinding,
    /// How Kafka describes itself. Answer: [`Answer::Kafka`](super::answer::Answer::Kafka).
    Kafka,
    /// Which brokers hold replicas. Answer: [`Answer::BrokersWithReplicas`](super::answer::Answer::BrokersWithReplicas).
    BrokersWithReplicas,
    /// How far the partitions of these nodes are moved away. Answer: [`Answer::Drain`](super::answer::Answer::Drain).
    Drain(BTreeSet<i32>),
    /// What these brokers say of these of their log directories, by their paths. Answer: [`Answer::LogDirs`](super::answer::Answer::LogDirs).
    LogDirs(BTreeMap<i32, BTreeSet<String>>),
    /// Which partitions without a leader one of these brokers could lead: by node id, in the pods with these UIDs. What was said
    /// before a pod was replaced says nothing of it. Answer:
    /// [`Answer::LeaderlessPartitions`](super::answer::Answer::LeaderlessPartitions).
    LeaderlessPartitions(BTreeMap<i32, String>),
    /// Which log directories these brokers cannot use any more: for each a mark of the present start of its container, since the next one
    /// tries them again. Answer: [`Answer::FailedLogDirs`](super::answer::Answer::FailedLogDirs).
    FailedLogDirs(BTreeMap<i32, String>),
    /// With which options these brokers run, by node id, in the pods with these UIDs: what a broker said before its pod was
    /// replaced says nothing of it. Answer: [`Answer::BrokerConfigs`](super::answer::Answer::BrokerConfigs).
    BrokerConfigs(BTreeMap<i32, String>),
    /// Which topics have segments in remote storage. Answer: [`Answer::TieredTopics`](super::answer::Answer::TieredTopics).
    TieredTopics,
    /// Which default quotas of users Kafka has. Answer: [`Answer::DefaultQuotas`](super::answer::Answer::DefaultQuotas).
    DefaultQuotas,
    /// Which jars the agents of these pods did not find, by the name of the pod: each with a mark of its container's present
    /// start. Answer: [`Answer::AgentReports`](super::answer::Answer::AgentReports).
    AgentReports(BTreeMap<String, String>),
    /// Which certificates the Kafka of each of these pods uses, by the name of the pod: their UIDs. Answer:
    /// [`Answer::CertificatesInUse`](super::answer::Answer::CertificatesInUse).
    CertificatesInUse(BTreeMap<String, String>),
    /// Which of these pods, which run and are not ready, recover logs that an unclean stop left: by name, each with its UID. Answer:
    /// [`Answer::Recoveries`](super::answer::Answer::Recoveries).
    Recoveries(BTreeMap<String, Option<String>>),
    /// For how long the Kafka of these pods, which was up and has been unready for long, has answered no request: by name, each with a mark of
    /// its container's present start. Answer: [`Answer::UnresponsiveNodes`](super::answer::Answer::UnresponsiveNodes).
    UnresponsiveNodes(BTreeMap<String, String>),
    /// What a restart of a node would do, while the pods are these: what Kafka said before one of them was replaced says
    /// nothing of it. Answer: [`Answer::Roll`](super::answer::Answer::Roll).
    Roll(Pods),
    /// Whether it is the turn of the cluster to restart its pods for a new version of the operator. Answer:
    /// [`Answer::Turn`](super::answer::Answer::Turn).
    Turn,
    /// Whether the API server would create this pod. Answer: [`Answer::Admission`](super::answer::Answer::Admission).
    Admission {
        /// Its name.
        pod: String,
        /// The whole pod.
        object: Value,
    },
    /// Whether the API server would take these writes. Answer: [`Answer::Writes`](super::answer::Answer::Writes).
    Writes(Vec<TrialWrite>),
}

/// The write of an object with an override of a user's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialWrite {
    /// Which object.
    pub object: ObjectId,
    /// The object as it would be written.
    pub with: Value,
    /// The same without the override.
    pub without: Value,
    /// Whether there is an object of its name.
    pub is_there: bool,
}

/// Which pods there are, by name: their UIDs, and how they are.
pub type Pods = BTreeMap<String, (Option<String>, PodState)>;

/// Whether the API server would take an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Admission {
    /// It would.
    Accepted,
    /// It would not, and says why.
    Refused(String),
    /// It cannot be asked, for instance because a webhook takes no part in a dry run.
    Unknown(String),
}
