//! The status of a KafkaBridge.

use api::KafkaBridge;
use api::conditions::{Condition, merge};
use api::kafka_bridge::KafkaBridgeStatus;
use api::labels;
use jiff::Timestamp;

use super::bridge::Bridge;
use crate::findings::Warning;
use crate::status;

/// How far the pods are.
#[derive(Debug, Default)]
pub struct Progress {
    /// What is waited for; empty: nothing.
    pub waiting_for: Vec<String>,
    /// Whether that has lasted for so long that it counts as a failure.
    pub stuck: bool,
}

/// The status of a resource that is carried out.
pub fn of(
    resource: &KafkaBridge,
    bridge: &Bridge,
    warnings: &[Warning],
    progress: &Progress,
    now: Timestamp,
) -> KafkaBridgeStatus {
    let old = resource.status.as_ref();
    let old_conditions = old.and_then(|old| old.conditions.as_deref());
    let mut conditions: Vec<Condition> = warnings.iter().map(status::warning).collect();
    let has_served = old.is_some_and(|old| old.url.is_some());
    let (condition, generation) = status::readiness(
        resource,
        status::Progress {
            what: "the bridge",
            waiting_for: &progress.waiting_for,
            stuck: progress.stuck,
            has_served,
        },
    );
    conditions.push(condition);
    // Before there has ever been a pod, nobody answers there.
    let answers = bridge.replicas > 0 && (progress.waiting_for.is_empty() || has_served);
    KafkaBridgeStatus {
        conditions: Some(merge(conditions, old_conditions, now)),
        observed_generation: generation,
        url: answers.then(|| bridge.url()),
        replicas: Some(bridge.replicas),
        label_selector: Some(labels::selector_text(&bridge.labels())),
    }
}
