//! The topic and user operators.

use api::kafka::entity_operator::EntityOperatorTemplate;
use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::process::Logging;
use crate::workload::probe::Probe;

/// The topic and user operators.
#[derive(Debug, Clone)]
pub struct EntityOperator {
    /// The topic operator; `None`: not wanted.
    pub topic: Option<EntityContainer>,
    /// The user operator; `None`: not wanted.
    pub user: Option<EntityContainer>,
    /// Prefix of the Secrets of users.
    pub secret_prefix: String,
    /// Templates of the entity operator.
    pub templates: EntityOperatorTemplate,
}

/// One of the two containers.
#[derive(Debug, Clone)]
pub struct EntityContainer {
    /// Image.
    pub image: String,
    /// The namespace it watches.
    pub watched_namespace: String,
    /// Milliseconds between two full passes; `None`: its default.
    pub reconciliation_interval_ms: Option<i64>,
    /// CPU and memory.
    pub resources: Option<ResourceRequirements>,
    /// Liveness probe.
    pub liveness: Probe,
    /// Readiness probe.
    pub readiness: Probe,
    /// Startup probe, topic operator only.
    pub startup: Option<Probe>,
    /// Loggers and levels.
    pub logging: Logging,
}
