//! Turns the custom resources into a [`Cluster`] that cannot be wrong, or says everything that is wrong with them.

mod listener_certificate;
mod listeners;
mod pools;
mod spec;
pub mod storage;
mod text;

pub use spec::CLUSTER_ID_REQUEST;

use std::fmt;

use api::conditions::reasons;
use api::labels::ExclusionPattern;

use super::cluster::{Cluster, Warning};
use super::observed::Observed;
use super::transitions::quorum::Remembered;

/// Something that is wrong with a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the field, `spec.kafka.version`.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.message)
    }
}

/// Everything found while looking at the resources.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What works but deserves a look.
    pub warnings: Vec<Warning>,
}

impl Findings {
    /// Notes something wrong.
    pub fn problem(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { field: field.into(), message: message.into() });
    }

    /// Notes something that deserves a look.
    pub fn warn(&mut self, reason: &str, message: impl Into<String>) {
        self.warnings.push(Warning { reason: reason.to_owned(), message: message.into() });
    }
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
