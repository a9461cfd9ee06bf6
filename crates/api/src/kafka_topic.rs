//! KafkaTopic: a topic of a Kafka cluster.

use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::conditions::Condition;
use crate::schema::{Free, FreeMap, JsonSchema, string_enum};

/// What a topic should be.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    crates(kube_core = "::kube_core"),
    group = "kafka.strimzi.io",
    version = "v1",
    kind = "KafkaTopic",
    plural = "kafkatopics",
    shortname = "kt",
    category = "strimzi",
    namespaced,
    status = "KafkaTopicStatus",
    schema = "disabled",
    derive = "PartialEq",
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = r".metadata.labels.strimzi\.io/cluster",
        description = "The Kafka cluster the topic belongs to"
    ),
    printcolumn(
        name = "Partitions",
        type_ = "integer",
        json_path = ".spec.partitions",
        description = "Number of partitions asked for"
    ),
    printcolumn(
        name = "Replication factor",
        type_ = "integer",
        json_path = ".spec.replicas",
        description = "Replication factor asked for"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the topic is as asked for"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KafkaTopicSpec {
    /// Name of the topic in Kafka. The default is the name of the resource. It cannot be changed after creation.
    pub topic_name: Option<String>,
    /// Number of partitions. It can grow but not shrink. The default is the brokers' `num.partitions`.
    #[schemars(range(min = 1))]
    pub partitions: Option<i32>,
    /// Number of replicas of each partition. The default is the brokers' `default.replication.factor`.
    #[schemars(range(min = 1, max = 32767))]
    pub replicas: Option<i32>,
    /// Topic options such as `retention.ms`. Options that are left out have the brokers' defaults.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
}

/// What was observed of a topic.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaTopicStatus {
    /// What can be said about the topic.
    pub conditions: Option<Vec<Condition>>,
    /// Generation of the resource that this status is about.
    pub observed_generation: Option<i64>,
    /// Name of the topic in Kafka.
    pub topic_name: Option<String>,
    /// Kafka's id of the topic.
    pub topic_id: Option<String>,
    /// A change of the replication factor that is under way.
    pub replicas_change: Option<ReplicasChange>,
}

/// A change of the replication factor that is under way.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicasChange {
    /// The replication factor to be reached.
    pub target_replicas: Option<i32>,
    /// `pending` until the change was accepted, `ongoing` until it is done.
    pub state: Option<ReplicasChangeState>,
    /// How far it is, or why it does not proceed.
    pub message: Option<String>,
    /// Identifies the change at the rebalancer.
    pub session_id: Option<String>,
}

string_enum! {
    /// How far a change of the replication factor is.
    ReplicasChangeState {
        /// Not accepted yet.
        Pending = "pending",
        /// Accepted and running.
        Ongoing = "ongoing",
    }
}
