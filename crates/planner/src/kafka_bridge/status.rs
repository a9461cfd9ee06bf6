//! The status of a KafkaBridge.

use api::KafkaBridge;
use api::conditions::{Condition, merge, reasons, types};
use api::kafka_bridge::KafkaBridgeStatus;
use api::labels;
use jiff::Timestamp;

use super::bridge::Bridge;
use crate::findings::Warning;

/// Things waited for that a message names.
const SHOWN: usize = 5;

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
    let was_ready = old_conditions.into_iter().flatten().any(|condition| condition.is(types::READY));
    let mut conditions: Vec<Condition> = warnings.iter().map(warning).collect();
    let mut generation = resource.metadata.generation;
    let has_served = old.is_some_and(|old| old.url.is_some());
    if progress.waiting_for.is_empty() {
        conditions.push(Condition::ready());
    } else if was_ready && !progress.stuck {
        // It serves on while a change is carried out; the generation tells that the change is not done.
        conditions.push(Condition::ready());
        generation = old.and_then(|old| old.observed_generation);
    } else {
        let (reason, what) = if was_ready || has_served {
            (reasons::NOT_READY, "the bridge is not ready")
        } else {
            (reasons::CREATING, "the bridge is being deployed")
        };
        conditions
            .push(Condition::not_ready(reason, format!("{what}: {}", shortened(&progress.waiting_for))));
    }
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

/// The status of a resource that cannot be carried out. What runs is left as it is, and so is what was said of it.
pub fn invalid(
    resource: &KafkaBridge,
    reason: &str,
    message: &str,
    warnings: &[Warning],
    now: Timestamp,
) -> KafkaBridgeStatus {
    let mut conditions = vec![Condition::not_ready(reason, message)];
    conditions.extend(warnings.iter().map(warning));
    with(resource, conditions, now)
}

/// The status of a resource whose pass failed: what was known stays, and so do the warnings of the plan.
pub fn failed(
    resource: &KafkaBridge,
    planned: Option<&KafkaBridgeStatus>,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> KafkaBridgeStatus {
    let mut conditions = planned.and_then(|status| status.conditions.clone()).unwrap_or_default();
    conditions.retain(|condition| condition.is(types::WARNING));
    conditions.push(Condition::not_ready(reason, message));
    with(resource, conditions, now)
}

fn with(resource: &KafkaBridge, conditions: Vec<Condition>, now: Timestamp) -> KafkaBridgeStatus {
    let old = resource.status.as_ref();
    let mut status = old.cloned().unwrap_or_default();
    status.conditions = Some(merge(conditions, old.and_then(|old| old.conditions.as_deref()), now));
    status.observed_generation = resource.metadata.generation;
    status
}

/// The status of a paused resource: it says so, and what was known stays.
pub fn paused(resource: &KafkaBridge, now: Timestamp) -> KafkaBridgeStatus {
    let mut status = resource.status.clone().unwrap_or_default();
    status.conditions = Some(merge(vec![Condition::paused()], status.conditions.as_deref(), now));
    status
}

/// The first few of a long list.
fn shortened(texts: &[String]) -> String {
    let shown = texts.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match texts.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

fn warning(warning: &Warning) -> Condition {
    Condition::warning(&warning.reason, warning.message.clone())
}
