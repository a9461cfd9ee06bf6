//! What a plan wants of Kafka itself, and the nodes it is about.

use std::collections::BTreeMap;

use serde::Serialize;

/// A node of the cluster, as rolling needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedNode {
    /// Kafka's node id.
    pub id: i32,
    /// Name of the pod, the ConfigMap and the Secret of the node.
    pub pod: String,
    /// Name of the node pool.
    pub pool: String,
    /// Name of the StrimziPodSet.
    pub pod_set: String,
    /// Whether the node is a KRaft controller.
    pub controller: bool,
    /// Whether the node is a broker.
    pub broker: bool,
    /// Host name inside the cluster, without a port.
    pub host: String,
}

/// A call to Kafka. All are idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum AdminCall {
    /// `incrementalAlterConfigs` on one broker (`broker: Some`) or on the default of all (`broker: None`).
    /// A value of `None` deletes the dynamic value.
    AlterBrokerConfig {
        /// Node id; `None` is the cluster-wide default.
        broker: Option<i32>,
        /// Option and new value.
        changes: BTreeMap<String, Option<String>>,
    },
    /// `updateFeatures` for `metadata.version`.
    UpdateMetadataVersion {
        /// For instance `4.3-IV0`.
        version: String,
        /// The feature level of that version.
        level: i16,
        /// Whether this lowers the level (safe downgrade).
        downgrade: bool,
    },
    /// `unregisterBroker` for a broker that was removed.
    UnregisterBroker {
        /// Node id.
        broker: i32,
    },
    /// `removeRaftVoter` for a controller that was removed or lost its disk.
    RemoveVoter {
        /// Node id.
        controller: i32,
        /// Its directory id.
        directory_id: String,
    },
}
