//! A Kafka resource of which nothing is planned: what runs is left as it is, and the status says why.

use api::Kafka;
use api::conditions::reasons;
use jiff::Timestamp;

use super::planned::Plan;
use crate::status;

/// Why nothing is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unplanned {
    /// The resource asks for a pause.
    Paused,
    /// What the resource refers to could not be read, in words.
    Unread(String),
}

/// The plan: a status, and nothing else.
pub fn plan(kafka: &Kafka, why: &Unplanned, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    plan.status.kafka = Some(match why {
        Unplanned::Paused => status::paused(kafka, now),
        Unplanned::Unread(why) => {
            plan.failure = Some(why.clone());
            status::failed(kafka, None, reasons::KUBERNETES_ERROR, why, now)
        }
    });
    plan
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kafka::planned::{Common, StatusPlan};

    #[test]
    fn the_status_says_why_keeps_what_it_knew_and_nothing_else_happens() {
        let kafka: Kafka = serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "c", "generation": 3},
            "spec": {"kafka": {"listeners": []}},
            "status": {"clusterId": "id", "observedGeneration": 2,
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        }))
        .unwrap();
        let plan = plan(&kafka, &Unplanned::Paused, Timestamp::UNIX_EPOCH);
        let status = plan.status.kafka.clone().unwrap();
        let conditions = status.conditions.unwrap();
        assert_eq!(conditions.len(), 1, "{conditions:?}");
        assert!(conditions[0].is("ReconciliationPaused"), "{conditions:?}");
        assert_eq!(status.cluster_id.as_deref(), Some("id"));
        assert_eq!(status.observed_generation, Some(2));
        let unread = super::plan(&kafka, &Unplanned::Unread("no right".to_owned()), Timestamp::UNIX_EPOCH);
        assert_eq!(unread.failure.as_deref(), Some("no right"), "the pass counts as failed");
        let status = unread.status.kafka.clone().unwrap();
        let conditions = status.conditions.unwrap();
        assert_eq!(conditions[0].reason.as_deref(), Some("KubernetesError"), "{conditions:?}");
        assert_eq!((conditions.len(), status.cluster_id.as_deref()), (1, Some("id")));
        let but_status =
            Plan { common: Common { status: StatusPlan::default(), ..plan.common.clone() }, ..plan };
        assert_eq!(but_status, Plan::default());
    }
}
