//! What a plan has to know, or to have made, before it is complete: each thing is asked for by name, and each question
//! is answered, also by "it is not known, because …".
//! [`super::completion::Completion`] leads from one to the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::deleted_cluster::Topic;
use super::exposed::NodeAddresses;
use super::observed::{BrokerConfigs, KafkaView};
use super::ownership::Holder;
use super::roll_order::{PodState, RollKafka};
use objects::ObjectId;
use pki::{Material, MaterialRequest};

/// Something that a plan asks for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Need {
    /// A key, a certificate or an identifier that has to be made. Answer: [`Answer::Material`].
    Material(Box<MaterialRequest>),
    /// Whether the volumes of the storage class with this name may grow. Answer: [`Answer::StorageClass`].
    StorageClass(String),
    /// Under which addresses these Kubernetes nodes are reached. Answer: [`Answer::NodeAddresses`].
    NodeAddresses(BTreeSet<String>),
    /// Whose the objects are that have these names, if there are any. Answer: [`Answer::Holders`].
    Holders(Vec<ObjectId>),
    /// Which topics have the topic operator's finalizer. Answer: [`Answer::HeldTopics`].
    HeldTopics,
    /// How Kafka describes itself. Answer: [`Answer::Kafka`].
    Kafka,
    /// Which brokers hold replicas. Answer: [`Answer::BrokersWithReplicas`].
    BrokersWithReplicas,
    /// With which options these brokers run, by node id, in the pods with these UIDs: what a broker said before its pod was
    /// replaced says nothing of it. Answer: [`Answer::BrokerConfigs`].
    BrokerConfigs(BTreeMap<i32, String>),
    /// What a restart of a node would do, while the pods are these: what Kafka said before one of them was replaced says
    /// nothing of it. Answer: [`Answer::Roll`].
    Roll(Pods),
    /// Whether the API server would create this pod. Answer: [`Answer::Admission`].
    Admission {
        /// Its name.
        pod: String,
        /// The whole pod.
        object: Value,
    },
}

/// Which pods there are, by name: their UIDs, and how they are.
pub type Pods = BTreeMap<String, (Option<String>, PodState)>;

/// The answer to a [`Need`].
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// What was made.
    Material(Material),
    /// Whether volumes of the class may grow; `None`: the operator has not the right to know.
    StorageClass(Option<bool>),
    /// The addresses of those nodes that there are, by name.
    NodeAddresses(BTreeMap<String, NodeAddresses>),
    /// What each of the objects says of whose it is; `None`: there is no such object.
    Holders(BTreeMap<ObjectId, Option<Holder>>),
    /// Topics that have the topic operator's finalizer.
    HeldTopics(Vec<Topic>),
    /// What Kafka says of itself.
    Kafka(KafkaView),
    /// Brokers that hold at least one replica.
    BrokersWithReplicas(BTreeSet<i32>),
    /// Options of those brokers that answered.
    BrokerConfigs(BrokerConfigs),
    /// What the safety of a restart depends on.
    Roll(RollKafka),
    /// Whether the API server takes the pod.
    Admission(Admission),
    /// It is not known, or could not be made.
    Unknown(Silence),
}

/// Whether the API server would create a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Admission {
    /// It would.
    Accepted,
    /// It would not, and says why.
    Refused(String),
    /// It cannot be asked, for instance because a webhook takes no part in a dry run.
    Unknown(String),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// What kind of silence.
    pub kind: SilenceKind,
    /// In words.
    pub why: String,
}

/// The kinds of silence: they differ in what a restart can do about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum SilenceKind {
    /// No container runs that could be asked.
    Nobody,
    /// No node that was asked accepts a connection.
    Unreachable,
    /// The nodes that were asked and the operator do not agree on TLS: certificates or trust.
    Tls,
    /// There is no answer yet, or there was none in time.
    Late,
    /// The answer is an error, or cannot be read.
    Refused,
}

impl Silence {
    /// A silence of a kind.
    pub fn new(kind: SilenceKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.why)
    }
}
