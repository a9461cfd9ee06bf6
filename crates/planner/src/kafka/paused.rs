//! A Kafka resource that asks for a pause: what runs is left as it is, and the status says why.

use api::Kafka;
use jiff::Timestamp;

use super::planned::Plan;
use super::status;

/// The plan: a status, and nothing else.
pub fn plan(kafka: &Kafka, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    plan.status.kafka = Some(status::paused(kafka, now));
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
        let plan = plan(&kafka, Timestamp::UNIX_EPOCH);
        let status = plan.status.kafka.clone().unwrap();
        let conditions = status.conditions.unwrap();
        assert_eq!(conditions.len(), 1, "{conditions:?}");
        assert!(conditions[0].is("ReconciliationPaused"), "{conditions:?}");
        assert_eq!(status.cluster_id.as_deref(), Some("id"));
        assert_eq!(status.observed_generation, Some(2));
        let but_status =
            Plan { common: Common { status: StatusPlan::default(), ..plan.common.clone() }, ..plan };
        assert_eq!(but_status, Plan::default());
    }
}
