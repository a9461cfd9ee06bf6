//! What the operator has Kafka Connect do about a connector.

use std::collections::BTreeMap;

use api::common::connector::ConnectorState;
use serde::Serialize;

/// A call about one connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ConnectorCall {
    /// Make it.
    Create {
        /// Its options.
        config: BTreeMap<String, String>,
        /// What it is to do from its first moment on.
        state: ConnectorState,
    },
    /// Give it these options.
    Configure {
        /// Its options.
        config: BTreeMap<String, String>,
    },
    /// Have it work.
    Resume,
    /// Have it keep its resources and move no records.
    Pause,
    /// Have it end its tasks.
    Stop,
    /// Start it anew.
    Restart {
        /// Its tasks, too.
        include_tasks: bool,
        /// Only what has failed.
        only_failed: bool,
        /// By itself, and not because an annotation asks for it.
        automatic: bool,
    },
    /// Start a task anew.
    RestartTask {
        /// Its number.
        task: i32,
    },
    /// Write how far it is into a ConfigMap.
    ListOffsets {
        /// The ConfigMap.
        config_map: String,
    },
    /// Set how far it is to what a ConfigMap says.
    AlterOffsets {
        /// The ConfigMap.
        config_map: String,
    },
    /// Have it begin anew.
    ResetOffsets,
}

impl ConnectorCall {
    /// Whether both do the same kind of thing.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
