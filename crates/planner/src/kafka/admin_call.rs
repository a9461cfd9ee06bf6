//! What a plan wants of Kafka itself.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cluster::Rate;

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
}
