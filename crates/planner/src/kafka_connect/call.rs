//! What a plan of a KafkaConnect does beside writing objects.

use objects::Pairs;
use serde::Serialize;

use crate::workers::roll::WorkerRestart;

/// A call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ConnectCall {
    /// A worker restarts.
    Restart(WorkerRestart),
    /// OpenShift starts a Build.
    StartBuild(StartBuild),
}

impl ConnectCall {
    /// The worker that restarts; `None`: it is another call.
    pub fn restart(&self) -> Option<&WorkerRestart> {
        match self {
            Self::Restart(restart) => Some(restart),
            Self::StartBuild(_) => None,
        }
    }
}

/// A Build that is to be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StartBuild {
    /// Namespace of the BuildConfig.
    pub namespace: String,
    /// Name of the BuildConfig.
    pub build_config: String,
    /// The number of the last Build that was seen: where another one was started since, none is started.
    pub last_version: i64,
    /// Annotations of the Build, by which it is known.
    pub annotations: Pairs,
}
