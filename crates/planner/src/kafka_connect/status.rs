//! The status of a KafkaConnect.

use api::KafkaConnect;
use api::conditions::{Condition, merge, reasons, types};
use api::kafka_connect::KafkaConnectStatus;
use api::{labels, names, ports};
use jiff::Timestamp;

use crate::findings::Warning;
use crate::workers::Workers;

/// Things waited for that a message names.
const SHOWN: usize = 5;

/// How far the workers are.
#[derive(Debug)]
pub struct Progress<'a> {
    /// What is waited for; empty: nothing.
    pub waiting_for: &'a [String],
    /// Whether that has lasted for so long that it counts as a failure.
    pub stuck: bool,
}

/// The status of a resource that is carried out.
pub fn of(
    connect: &KafkaConnect,
    workers: &Workers,
    warnings: &[Warning],
    progress: &Progress<'_>,
    now: Timestamp,
) -> KafkaConnectStatus {
    let old = connect.status.as_ref();
    let old_conditions = old.and_then(|old| old.conditions.as_deref());
    let was_ready = old_conditions.into_iter().flatten().any(|condition| condition.is(types::READY));
    let mut conditions: Vec<Condition> = warnings.iter().map(warning).collect();
    let mut generation = connect.metadata.generation;
    if progress.waiting_for.is_empty() {
        conditions.push(Condition::ready());
    } else if was_ready && !progress.stuck {
        // It serves on while a change is carried out; the generation tells that the change is not done.
        conditions.push(Condition::ready());
        generation = old.and_then(|old| old.observed_generation);
    } else {
        let (reason, what) = if was_ready || old.is_some_and(|old| old.url.is_some()) {
            (reasons::NOT_READY, "Kafka Connect is not ready")
        } else {
            (reasons::CREATING, "Kafka Connect is being deployed")
        };
        conditions.push(Condition::not_ready(reason, format!("{what}: {}", shortened(progress.waiting_for))));
    }
    let service = names::service_dns(&workers.names.api_service, &workers.owner.namespace);
    let url = format!("http://{service}:{}", ports::CONNECT_REST);
    // Before there has ever been a worker, nobody answers there.
    let has_served = progress.waiting_for.is_empty() || old.is_some_and(|old| old.url.is_some());
    KafkaConnectStatus {
        conditions: Some(merge(conditions, old_conditions, now)),
        observed_generation: generation,
        url: (workers.replicas > 0 && has_served).then_some(url),
        connector_plugins: old.and_then(|old| old.connector_plugins.clone()).filter(|_| workers.replicas > 0),
        replicas: i32::try_from(workers.replicas).ok(),
        label_selector: Some(labels::selector_text(&workers.labels())),
    }
}

/// The status of a resource that cannot be carried out. What runs is left as it is, and so is what was said of it.
pub fn invalid(
    connect: &KafkaConnect,
    reason: &str,
    message: &str,
    warnings: &[Warning],
    now: Timestamp,
) -> KafkaConnectStatus {
    let mut conditions = vec![Condition::not_ready(reason, message)];
    conditions.extend(warnings.iter().map(warning));
    with(connect, conditions, now)
}

/// The status of a resource whose pass failed: what was known stays, and so do the warnings of the plan.
pub fn failed(
    connect: &KafkaConnect,
    planned: Option<&KafkaConnectStatus>,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> KafkaConnectStatus {
    let mut conditions = planned.and_then(|status| status.conditions.clone()).unwrap_or_default();
    conditions.retain(|condition| condition.is(types::WARNING));
    conditions.push(Condition::not_ready(reason, message));
    with(connect, conditions, now)
}

/// What is said when Kubernetes refuses an object of an image build. `is_forbidden`: because of a rule, which may be the pod security
/// level of a namespace.
pub fn without_build(why: &str, is_forbidden: bool) -> String {
    let rule = if is_forbidden && why.contains("PodSecurity") {
        ". The pod that builds runs as root, which a namespace refuses that enforces the pod security level \"restricted\": let it \
         enforce \"baseline\", or build the image elsewhere and name it in spec.image"
    } else {
        ""
    };
    format!("the image cannot be built, and workers that run stay as they are: {why}{rule}")
}

fn with(connect: &KafkaConnect, conditions: Vec<Condition>, now: Timestamp) -> KafkaConnectStatus {
    let old = connect.status.as_ref();
    let mut status = old.cloned().unwrap_or_default();
    status.conditions = Some(merge(conditions, old.and_then(|old| old.conditions.as_deref()), now));
    status.observed_generation = connect.metadata.generation;
    status
}

/// The status of a paused resource: it says so, and what was known stays.
pub fn paused(connect: &KafkaConnect, now: Timestamp) -> KafkaConnectStatus {
    let mut status = connect.status.clone().unwrap_or_default();
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
