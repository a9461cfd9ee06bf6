//! What a plan wants of Kafka itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::cluster::Rate;
use super::drain_view::ThrottledReplicas;

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
    /// `updateFeatures` for one other feature, upwards.
    RaiseFeature {
        /// For instance `transaction.version`.
        name: String,
        /// The level.
        level: i16,
    },
    /// `alterClientQuotas` for the default of all users: quotas by name; `None` takes one away.
    AlterDefaultUserQuotas {
        /// Name and new value.
        changes: BTreeMap<String, Option<Rate>>,
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
    /// `alterPartitionReassignments` for partitions that are moved off nodes, behind what throttles these moves: without that nothing
    /// moves.
    MovePartitions {
        /// Throttled replicas to set, by topic.
        throttled: BTreeMap<String, ThrottledReplicas>,
        /// Rates to set, by broker and option.
        rates: BTreeMap<i32, BTreeMap<String, String>>,
        /// The brokers that each partition is to be on, by topic.
        moves: BTreeMap<String, BTreeMap<i32, Vec<i32>>>,
    },
    /// `alterReplicaLogDirs` for replicas that are moved between the log directories of one broker, behind the rate of these moves: without
    /// that nothing moves.
    MoveReplicas {
        /// Node id.
        broker: i32,
        /// The rate to set; `None`: it stays as it is.
        rate: Option<u64>,
        /// The directory in which each replica is to be, by topic and partition.
        moves: BTreeMap<String, BTreeMap<i32, String>>,
    },
    /// `electLeaders` of the preferred kind for partitions without a leader: of the replicas that have every committed record, or none.
    ElectLeaders {
        /// The partitions, by topic.
        partitions: BTreeMap<String, BTreeSet<i32>>,
    },
    /// `alterPartitionReassignments` that ends moves: these partitions stay where they were.
    CancelMoves {
        /// The partitions, by topic.
        partitions: BTreeMap<String, BTreeSet<i32>>,
    },
    /// `incrementalAlterConfigs` that takes throttles off again.
    TakeOffThrottles {
        /// Topics whose replicas are throttled.
        topics: BTreeSet<String>,
        /// Options to delete, by broker.
        rates: BTreeMap<i32, BTreeSet<String>>,
    },
}
