//! What the custom resources say, and everything that is wrong with them. Needs no live cluster: it serves plans, and
//! whoever looks at resources that were not applied yet. What depends on what exists is decided in
//! [`transitions`](super::transitions).

mod alone;
mod annotations;
mod config;
pub(crate) mod entity_operator;
mod feature_levels;
mod kafka_exporter;
mod listeners;
mod logging;
mod metrics;
mod names;
mod no_effect;
mod pools;
pub(crate) mod quotas;
mod resources;
mod security;
mod spec;
pub(crate) mod storage;
mod templates;
mod text;
mod tiered_storage;
mod wanted;
mod whole;

use std::sync::Arc;

use api::conditions::reasons;
use api::kinds;
use api::labels::ExclusionPattern;
use api::{Kafka, KafkaNodePool};
use kube_core::ResourceExt;

use super::cluster::{Cluster, InternalSecurity};
use crate::findings;
use crate::settings::PlanSettings;

pub use self::alone::alone;
pub use self::config::{is_same_on_all_nodes, settle_node_config};
pub use self::wanted::{CertificateReference, LoggingOf, LoggingReference, Wanted, WantedPool};
pub use self::whole::check as check_whole;
pub use crate::findings::{Culprit, Findings, Problem, Warning};

/// How the parts of a cluster are to talk with each other; `None`: what its resource asks for cannot be understood.
pub(crate) fn asked_internal_security(kafka: &Kafka) -> Option<InternalSecurity> {
    annotations::asked(kafka)
}

/// The resources of one cluster. Their statuses are not looked at.
#[derive(Debug, Clone, Copy)]
pub struct Specs<'a> {
    /// The Kafka resource.
    pub kafka: &'a Kafka,
    /// Its node pools, sorted by name.
    pub pools: &'a [Arc<KafkaNodePool>],
}

/// Why there is no [`Cluster`].
#[derive(Debug)]
pub struct Invalid {
    /// Reason of the `NotReady` condition.
    pub reason: &'static str,
    /// At least one.
    pub problems: Vec<Problem>,
    /// Warnings found on the way.
    pub warnings: Vec<Warning>,
    /// The cluster as far as it can be understood, with defaults for the rest: for what has to go on anyway.
    pub cluster: Option<Box<Cluster>>,
}

impl Invalid {
    /// The problems as one message, of very many the first and how many there are.
    pub fn message(&self) -> String {
        findings::words(&self.problems)
    }

    /// Out of what was found.
    pub fn of(findings: Findings, cluster: Option<Cluster>) -> Self {
        let Findings { mut problems, mut warnings, held, .. } = findings;
        let only_about_pools = problems.iter().all(|problem| problem.culprit == Culprit::NodePool);
        let reason =
            if only_about_pools { reasons::INVALID_CONFIGURATION } else { reasons::INVALID_RESOURCE };
        if problems.is_empty() {
            problems.push(Problem::not_understood());
        }
        problems.dedup();
        warnings.extend(held.iter().map(findings::Held::warning));
        Self { reason, problems, warnings, cluster: cluster.map(Box::new) }
    }
}

/// What validation yields.
#[derive(Debug)]
pub struct Validated {
    /// What the resources ask for, with a default for everything that is wrong; `None`: they cannot be understood.
    pub wanted: Option<Wanted>,
    /// Everything that is wrong or deserves a look.
    pub findings: Findings,
}

/// Validates a Kafka resource with its pools. Collects every problem instead of stopping at the first.
pub fn validate(specs: Specs<'_>, settings: &PlanSettings) -> Validated {
    let mut findings = Findings::default();
    let exclusion = match &settings.labels_exclusion_pattern {
        None => ExclusionPattern::default(),
        Some(pattern) => ExclusionPattern::parse(pattern).unwrap_or_default(),
    };
    if specs.pools.is_empty() {
        let message = format!(
            "no KafkaNodePool has the label strimzi.io/cluster: {}: create one in the namespace of the Kafka resource with roles, \
             replicas and storage",
            specs.kafka.name_any()
        );
        findings.of_node_pools(|findings| findings.problem(kinds::KAFKA_NODE_POOL, message));
    }
    let read = |raw: &Arc<KafkaNodePool>, findings: &mut Findings| {
        pools::read(raw, &specs.kafka.spec.kafka, &exclusion, settings.max_wished_ids, findings)
    };
    let pools: Vec<WantedPool> =
        findings.of_node_pools(|findings| specs.pools.iter().map(|raw| read(raw, findings)).collect());
    let wanted = spec::read(specs.kafka, settings, &exclusion, pools, &mut findings);
    Validated { wanted, findings }
}
