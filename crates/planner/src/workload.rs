//! What the pods of every workload share, whatever runs in them: templates of the user, probes, security, volumes,
//! Deployments, labels, revisions. Knows nothing of Kafka.

pub(crate) mod agent_pod;
pub(crate) mod budget;
pub(crate) mod container;
pub(crate) mod deployment;
pub(crate) mod labels;
pub(crate) mod manual_update;
pub(crate) mod network_policy;
pub(crate) mod operand;
pub(crate) mod plug_in_words;
pub(crate) mod pod;
pub(crate) mod pod_set;
pub(crate) mod probe;
pub(crate) mod rbac;
pub(crate) mod resizing;
pub(crate) mod revision;
pub(crate) mod secret;
pub(crate) mod service;
pub(crate) mod templates;
pub(crate) mod volume;

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
