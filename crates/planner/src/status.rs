//! What the statuses of all kinds have in common: conditions and the generation that they are about; and what a status says of a
//! resource that cannot be carried out, whose pass failed, that is left alone, or that is on its way.

use api::conditions::{Condition, merge, reasons, types};
use api::kafka::status::KafkaStatus;
use api::kafka_bridge::KafkaBridgeStatus;
use api::kafka_connect::KafkaConnectStatus;
use api::kafka_node_pool::KafkaNodePoolStatus;
use api::strimzi_pod_set::StrimziPodSetStatus;
use api::{KafkaConnectorStatus, KafkaMirrorMaker2Status, KafkaMirrorMakerStatus};
use jiff::Timestamp;
use kube_core::Resource;
use kube_core::object::HasStatus;

use crate::findings::Warning;
use crate::words;

/// Things waited for that a message names.
const SHOWN: usize = 5;

/// What every status has.
pub trait Status: Clone + Default {
    /// The conditions; none where there is no list of them.
    fn conditions(&self) -> &[Condition];

    /// Gives it other conditions.
    fn set_conditions(&mut self, conditions: Vec<Condition>);

    /// The generation of the resource that it is about.
    fn generation(&self) -> Option<i64>;

    /// Says that it is about this generation.
    fn set_generation(&mut self, generation: Option<i64>);
}

macro_rules! statuses {
    ($($status:ty),* $(,)?) => {
        $(impl Status for $status {
            fn conditions(&self) -> &[Condition] {
                self.conditions.as_deref().unwrap_or_default()
            }

            fn set_conditions(&mut self, conditions: Vec<Condition>) {
                self.conditions = Some(conditions);
            }

            fn generation(&self) -> Option<i64> {
                self.observed_generation
            }

            fn set_generation(&mut self, generation: Option<i64>) {
                self.observed_generation = generation;
            }
        })*
    };
}

statuses!(
    KafkaStatus,
    KafkaNodePoolStatus,
    KafkaConnectStatus,
    KafkaConnectorStatus,
    KafkaMirrorMaker2Status,
    KafkaMirrorMakerStatus,
    KafkaBridgeStatus,
    StrimziPodSetStatus,
);

/// A custom resource with a status.
pub trait WithStatus: Resource<DynamicType = ()> + HasStatus<Status: Status> {}

impl<R: Resource<DynamicType = ()> + HasStatus<Status: Status>> WithStatus for R {}

/// The conditions of the status that a resource has.
pub(crate) fn conditions_of<R: WithStatus>(resource: &R) -> &[Condition] {
    resource.status().map(Status::conditions).unwrap_or_default()
}

/// Whether the status that a resource has says that it is ready.
pub(crate) fn was_ready<R: WithStatus>(resource: &R) -> bool {
    conditions_of(resource).iter().any(|condition| condition.is(types::READY))
}

/// The status of a resource that cannot be carried out. What runs is left as it is, and so is what was said of it.
pub(crate) fn refused<R: WithStatus>(
    resource: &R,
    reason: &str,
    message: &str,
    warnings: &[Warning],
    now: Timestamp,
) -> R::Status {
    let mut conditions = vec![Condition::not_ready(reason, message)];
    conditions.extend(warnings.iter().map(warning));
    with(resource, conditions, now)
}

/// The status of a resource whose pass failed: what was known stays, and so do the warnings of the plan, as far as there was one.
pub fn failed<R: WithStatus>(
    resource: &R,
    planned: Option<&R::Status>,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> R::Status {
    let mut conditions = planned.map(|status| status.conditions().to_vec()).unwrap_or_default();
    conditions.retain(|condition| condition.is(types::WARNING));
    conditions.push(Condition::not_ready(reason, message));
    with(resource, conditions, now)
}

fn with<R: WithStatus>(resource: &R, conditions: Vec<Condition>, now: Timestamp) -> R::Status {
    let mut status = resource.status().cloned().unwrap_or_default();
    status.set_conditions(merge(conditions, Some(conditions_of(resource)), now));
    status.set_generation(resource.meta().generation);
    status
}

/// The status of a paused resource: it says so, and what was known stays.
pub(crate) fn paused<R: WithStatus>(resource: &R, now: Timestamp) -> R::Status {
    let mut status = resource.status().cloned().unwrap_or_default();
    status.set_conditions(merge(vec![Condition::paused()], Some(conditions_of(resource)), now));
    status
}

/// How far a resource is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress<'a> {
    /// What it is, in words.
    pub what: &'a str,
    /// What is waited for; empty: nothing.
    pub waiting_for: &'a [String],
    /// Whether that has lasted for so long that it counts as a failure.
    pub stuck: bool,
    /// Whether it has ever been as it was asked for.
    pub has_served: bool,
}

/// The condition that says how far a resource is, and the generation that its status is about. A resource that was ready stays so while
/// a change is carried out; the generation tells that the change is not done.
pub(crate) fn readiness<R: WithStatus>(resource: &R, progress: Progress<'_>) -> (Condition, Option<i64>) {
    let generation = resource.meta().generation;
    let was_ready = was_ready(resource);
    if progress.waiting_for.is_empty() {
        return (Condition::ready(), generation);
    }
    if was_ready && !progress.stuck {
        return (Condition::ready(), resource.status().and_then(Status::generation));
    }
    let (reason, how) = if was_ready || progress.has_served {
        (reasons::NOT_READY, "is not ready")
    } else {
        (reasons::CREATING, "is being deployed")
    };
    let message = format!("{} {how}: {}", progress.what, shortened(progress.waiting_for));
    (Condition::not_ready(reason, message), generation)
}

/// The first few of a long list.
pub(crate) fn shortened(texts: &[String]) -> String {
    words::first(texts, SHOWN, "; ")
}

/// A warning as a condition.
pub(crate) fn warning(warning: &Warning) -> Condition {
    Condition::warning(&warning.reason, warning.message.clone())
}

#[cfg(test)]
mod tests {
    use api::KafkaBridge;
    use serde_json::json;

    use super::*;

    fn bridge(conditions: &serde_json::Value) -> KafkaBridge {
        serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaBridge", "metadata": {"name": "b", "generation": 3},
            "spec": {"bootstrapServers": "c:9092"},
            "status": {"url": "http://b", "observedGeneration": 2, "conditions": conditions},
        }))
        .unwrap()
    }

    fn types_of(status: &KafkaBridgeStatus) -> Vec<&str> {
        status.conditions().iter().map(|condition| condition.type_.as_str()).collect()
    }

    #[test]
    fn a_pass_that_failed_keeps_what_was_known_and_the_warnings_of_its_plan() {
        let resource = bridge(&json!([]));
        let planned = KafkaBridgeStatus {
            conditions: Some(vec![Condition::warning("W", "w"), Condition::ready()]),
            ..KafkaBridgeStatus::default()
        };
        let status = failed(&resource, Some(&planned), "R", "no", Timestamp::UNIX_EPOCH);
        assert_eq!(types_of(&status), ["Warning", "NotReady"]);
        assert_eq!((status.url.as_deref(), status.observed_generation), (Some("http://b"), Some(3)));
        let status = paused(&resource, Timestamp::UNIX_EPOCH);
        assert_eq!(types_of(&status), ["ReconciliationPaused"]);
        assert_eq!(status.observed_generation, Some(2), "what the new generation asks for is not done");
    }

    #[test]
    fn what_was_ready_stays_so_until_a_change_takes_too_long() {
        let ready = bridge(&json!([{"type": "Ready", "status": "True"}]));
        let new = bridge(&json!([]));
        let waiting_for = ["a".to_owned()];
        let progress = |stuck| Progress { what: "it", waiting_for: &waiting_for, stuck, has_served: false };
        assert_eq!(readiness(&ready, progress(false)), (Condition::ready(), Some(2)));
        let (condition, generation) = readiness(&ready, progress(true));
        assert_eq!((condition.reason.as_deref(), generation), (Some("NotReady"), Some(3)));
        let (condition, _) = readiness(&new, progress(false));
        assert_eq!(condition.reason.as_deref(), Some("Creating"));
        assert_eq!(condition.message.as_deref(), Some("it is being deployed: a"));
        let done = Progress { waiting_for: &[], ..progress(true) };
        assert_eq!(readiness(&new, done), (Condition::ready(), Some(3)));
    }
}
