//! What was observed of a cluster.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::cruise_control::AutoRebalanceMode;
use crate::conditions::Condition;
use crate::schema::{Free, FreeMap, JsonSchema, string_enum};

/// What was observed of a cluster.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaStatus {
    /// What can be said about the cluster.
    pub conditions: Option<Vec<Condition>>,
    /// Generation of the resource that this status is about.
    pub observed_generation: Option<i64>,
    /// How clients reach the cluster.
    pub listeners: Option<Vec<ListenerStatus>>,
    /// The node pools in use.
    pub kafka_node_pools: Option<Vec<UsedNodePool>>,
    /// Kafka's id of the cluster.
    pub cluster_id: Option<String>,
    /// Version of the operator that last brought the cluster to what was asked for.
    pub operator_last_successful_version: Option<String>,
    /// Version of Kafka that runs.
    pub kafka_version: Option<String>,
    /// Metadata version in use.
    pub kafka_metadata_version: Option<String>,
    /// The rebalance that runs by itself after brokers were added or before brokers are removed.
    pub auto_rebalance: Option<AutoRebalanceStatus>,
    /// How traffic between the components is secured.
    #[schemars(with = "Option<Free>")]
    pub cluster_security: Option<FreeMap>,
    /// Levels of Kafka's features besides the metadata version.
    pub features: Option<Vec<FeatureStatus>>,
}

/// The level of a feature of Kafka.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeatureStatus {
    /// Name, for example `transaction.version`.
    pub name: Option<String>,
    /// Level in force; 0: the feature is off.
    pub level: Option<i32>,
    /// Highest level that every node supports. Missing while that is not known.
    pub supported_level: Option<i32>,
}

/// How clients reach one listener.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    /// Name of the listener.
    pub name: Option<String>,
    /// The bootstrap addresses.
    pub addresses: Option<Vec<ListenerAddress>>,
    /// The bootstrap addresses as clients take them: `host:port,host:port`.
    pub bootstrap_servers: Option<String>,
    /// Certificates that clients should trust, PEM. Only with TLS.
    pub certificates: Option<Vec<String>>,
}

/// A bootstrap address.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListenerAddress {
    /// Host name or IP address.
    pub host: Option<String>,
    /// Port.
    pub port: Option<i32>,
}

/// A node pool in use.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsedNodePool {
    /// Name of the KafkaNodePool.
    pub name: Option<String>,
}

/// The rebalance that runs by itself.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoRebalanceStatus {
    /// What is going on.
    pub state: Option<AutoRebalanceState>,
    /// When the state was entered, in UTC as `2026-01-31T12:00:00Z`.
    pub last_transition_time: Option<String>,
    /// The brokers that were added or are to be removed.
    pub modes: Option<Vec<AutoRebalanceBrokers>>,
}

/// Brokers that were added or are to be removed.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoRebalanceBrokers {
    /// Whether the brokers were added or are to be removed.
    pub mode: Option<AutoRebalanceMode>,
    /// Node ids of the brokers.
    pub brokers: Option<Vec<i32>>,
}

string_enum! {
    /// What the rebalance that runs by itself is doing.
    AutoRebalanceState {
        /// Nothing.
        Idle = "Idle",
        /// Moving replicas away from brokers that are to be removed.
        RebalanceOnScaleDown = "RebalanceOnScaleDown",
        /// Moving replicas to brokers that were added.
        RebalanceOnScaleUp = "RebalanceOnScaleUp",
    }
}
