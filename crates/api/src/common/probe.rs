//! Health probes of containers.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::schema::JsonSchema;

/// When and how often a container's health is looked at. What is looked at cannot be changed.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Seconds from the start of the container to the first probe. The default is 15, or what the component sets.
    #[schemars(range(min = 0))]
    pub initial_delay_seconds: Option<i32>,
    /// Seconds after which a probe without an answer has failed. The default is 5.
    #[schemars(range(min = 1))]
    pub timeout_seconds: Option<i32>,
    /// Seconds between two probes. The default is 10.
    #[schemars(range(min = 1))]
    pub period_seconds: Option<i32>,
    /// Successes in a row that make a failed container healthy again. The default is 1, which is the only value
    /// Kubernetes accepts for liveness.
    #[schemars(range(min = 1))]
    pub success_threshold: Option<i32>,
    /// Failures in a row that make a container count as failed. The default is 3.
    #[schemars(range(min = 1))]
    pub failure_threshold: Option<i32>,
}
