//! What the pods of every workload share, whatever runs in them: templates of the user, probes, security, volumes,
//! Deployments, labels, revisions. Knows nothing of Kafka.

pub mod budget;
pub mod container;
pub mod deployment;
pub mod labels;
pub mod network_policy;
pub mod operand;
pub mod pod;
pub mod probe;
pub mod rbac;
pub mod revision;
pub mod secret;
pub mod service;
pub mod templates;
pub mod volume;

use objects::Pairs;

/// Settings of the operator that hold for the pods of every kind.
#[derive(Debug, Clone, Copy)]
pub struct Defaults<'a> {
    /// `Always`, `IfNotPresent`, `Never`, or `None` for the default of Kubernetes.
    pub image_pull_policy: Option<&'a str>,
    /// Names of Secrets with which images are pulled, unless a template names others.
    pub image_pull_secrets: &'a [String],
    /// Environment variables of every container, unless it has them.
    pub environment: &'a Pairs,
}
