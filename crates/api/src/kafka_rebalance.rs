//! KafkaRebalance: one rebalance of a cluster, from the proposal to its end.

use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::conditions::Condition;
use crate::schema::{Free, FreeMap, JsonSchema, string_enum};

/// What a rebalance should do.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    crates(kube_core = "::kube_core"),
    group = "kafka.strimzi.io",
    version = "v1",
    kind = "KafkaRebalance",
    plural = "kafkarebalances",
    shortname = "kr",
    category = "strimzi",
    namespaced,
    status = "KafkaRebalanceStatus",
    schema = "disabled",
    derive = "PartialEq",
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = r".metadata.labels.strimzi\.io/cluster",
        description = "The Kafka cluster to rebalance"
    ),
    printcolumn(
        name = "Template",
        type_ = "string",
        json_path = r".metadata.annotations.strimzi\.io/rebalance-template",
        description = "Whether this is only a template for rebalances"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[*].type",
        description = "How far the rebalance is"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KafkaRebalanceSpec {
    /// `full` rebalances all brokers, `add-brokers` moves replicas to new ones, `remove-brokers` moves all away from
    /// some, `remove-disks` moves all away from some volumes. The default is `full`.
    pub mode: Option<KafkaRebalanceMode>,
    /// Node ids of the brokers that were added or are to be removed (`add-brokers`, `remove-brokers`).
    pub brokers: Option<Vec<i32>>,
    /// Goals to reach, the most important first. The default is those of the cluster.
    pub goals: Option<Vec<String>>,
    /// Whether goals that normally must be reached may be missed. The default is false.
    pub skip_hard_goal_check: Option<bool>,
    /// Whether only volumes within each broker are balanced, and not brokers. The default is false.
    pub rebalance_disk: Option<bool>,
    /// Regular expression of topics that are left where they are.
    pub excluded_topics: Option<String>,
    /// Replicas that move to or from each broker at the same time. The default is 5.
    #[schemars(range(min = 0))]
    pub concurrent_partition_movements_per_broker: Option<i32>,
    /// Replicas that move between the volumes of each broker at the same time. The default is 2.
    #[schemars(range(min = 0))]
    pub concurrent_intra_broker_partition_movements: Option<i32>,
    /// Partitions whose leader moves at the same time. The default is 1000.
    #[schemars(range(min = 0))]
    pub concurrent_leader_movements: Option<i32>,
    /// Bytes per second that the moves may take on each broker. The default is no limit.
    #[schemars(range(min = 0))]
    pub replication_throttle: Option<i64>,
    /// Classes that decide the order of the moves. The default is the order of the proposal.
    pub replica_movement_strategies: Option<Vec<String>>,
    /// The volumes to move replicas away from (`remove-disks`, where it is required).
    #[schemars(length(min = 1))]
    pub move_replicas_off_volumes: Option<Vec<BrokerVolumes>>,
}

string_enum! {
    /// What a rebalance does.
    KafkaRebalanceMode {
        /// Balance all brokers.
        Full = "full",
        /// Move replicas to new brokers.
        AddBrokers = "add-brokers",
        /// Move all replicas away from brokers.
        RemoveBrokers = "remove-brokers",
        /// Move all replicas away from volumes.
        RemoveDisks = "remove-disks",
    }
}

/// Volumes of one broker.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrokerVolumes {
    /// Node id of the broker.
    pub broker_id: Option<i32>,
    /// Numbers of the volumes.
    #[schemars(length(min = 1))]
    pub volume_ids: Option<Vec<i32>>,
}

/// What was observed of a rebalance.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaRebalanceStatus {
    /// How far the rebalance is.
    pub conditions: Option<Vec<Condition>>,
    /// Generation of the resource that this status is about.
    pub observed_generation: Option<i64>,
    /// Identifies the rebalance that runs.
    pub session_id: Option<String>,
    /// How far the moves are.
    pub progress: Option<KafkaRebalanceProgress>,
    /// What the proposal would change.
    #[schemars(with = "Option<Free>")]
    pub optimization_result: Option<FreeMap>,
}

/// How far the moves are.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaRebalanceProgress {
    /// Name of the ConfigMap that shows it.
    pub rebalance_progress_config_map: Option<String>,
}
