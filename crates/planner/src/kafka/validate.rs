//! Turns the custom resources into a [`Cluster`] that cannot be wrong, or says everything that is wrong with them.

mod bounds;
mod listener_certificate;
mod listeners;
mod names;
mod pools;
mod spec;
pub mod storage;
mod templates;
mod text;

pub use spec::CLUSTER_ID_REQUEST;

use api::conditions::reasons;
use api::labels::ExclusionPattern;

use super::cluster::Cluster;
use super::observed::Observed;
use super::transitions::quorum::Remembered;

pub use crate::findings::{Findings, Problem, Warning};

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
    /// All problems as one message.
    pub fn message(&self) -> String {
        let texts: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        texts.join("; ")
    }
}

/// Validates a Kafka resource with its pools. Collects every problem instead of stopping at the first.
pub fn validate(observed: &Observed) -> Result<(Cluster, Vec<Warning>), Invalid> {
    let mut findings = Findings::default();
    let Some(kafka) = observed.kafka.as_ref() else {
        findings.problem("metadata.name", "there is no Kafka resource");
        return Err(invalid(reasons::INVALID_RESOURCE, findings, None));
    };
    let exclusion = match &observed.settings.labels_exclusion_pattern {
        None => ExclusionPattern::default(),
        Some(pattern) => ExclusionPattern::parse(pattern).unwrap_or_default(),
    };
    let quorum = Remembered::of(observed);
    let pools = pools::validate(observed, &quorum, &exclusion, &mut findings);
    let quorum = quorum.quorum(observed, &pools);
    let cluster = spec::validate(kafka, observed, &exclusion, pools, quorum, &mut findings);
    if let Some(cluster) = &cluster {
        names::validate(cluster, &mut findings);
        templates::validate(kafka, &observed.pools, cluster, &observed.settings, &mut findings);
    }
    let cluster = match cluster {
        Some(cluster) if findings.problems.is_empty() => {
            findings.warnings.sort();
            return Ok((cluster, findings.warnings));
        }
        other => other,
    };
    let only_about_pools = findings.problems.iter().all(|problem| problem.field.starts_with("KafkaNodePool"));
    let reason = if only_about_pools { reasons::INVALID_CONFIGURATION } else { reasons::INVALID_RESOURCE };
    Err(invalid(reason, findings, cluster))
}

fn invalid(reason: &'static str, findings: Findings, cluster: Option<Cluster>) -> Invalid {
    let mut problems = findings.problems;
    if problems.is_empty() {
        problems.push(Problem { field: "spec".to_owned(), message: "cannot be understood".to_owned() });
    }
    problems.dedup();
    Invalid { reason, problems, warnings: findings.warnings, cluster: cluster.map(Box::new) }
}
