//! Restarts of pods and their reasons.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::restart_reason::RestartReason;

/// A pod to restart and all reasons for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restart {
    /// Kafka's node id.
    pub node: i32,
    /// Name of the pod.
    pub pod: String,
    /// At least one.
    pub reasons: BTreeSet<RestartReason>,
    /// What changed, in words, for events and logs.
    pub notes: Vec<String>,
}
