//! What is wrong with a KafkaConnector by itself.

use api::{KafkaConnector, labels};
use kube_core::ResourceExt;

use super::{asked, wanted};
use crate::findings::Findings;

/// Judges a resource by itself. Whether there is the cluster that it names, and what that says of the connector, is left open.
pub fn alone(connector: &KafkaConnector) -> Findings {
    let mut findings = Findings::default();
    if connector.labels().get(labels::CLUSTER).is_none_or(String::is_empty) {
        findings.problem(
            format!("metadata.labels[{}]", labels::CLUSTER),
            "is missing: write the name of a KafkaConnect resource of the same namespace",
        );
    }
    asked::of(connector, &mut findings);
    let wanted = wanted::of(connector, &mut findings);
    findings.settle(wanted.is_some());
    findings
}
