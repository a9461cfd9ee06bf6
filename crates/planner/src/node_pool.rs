//! The pass over a node pool: a pool that no Kafka resource looks after is told what it lacks. Pure.

use std::sync::Arc;

use api::KafkaNodePool;
use api::conditions::{Condition, merge, reasons, types};
use api::kafka_node_pool::KafkaNodePoolStatus;
use jiff::Timestamp;
use objects::FinalizerChange;
use serde::Serialize;

use crate::completion::Observation;
use crate::kafka::transitions::membership::Nobodys;
use crate::kafka::transitions::pool_finalizer;
use crate::plan::{self, Never};

/// What a pass over a pool does: it writes the status, if there is one to write.
pub type NodePoolPlan = plan::Plan<KafkaNamed, Never, Option<KafkaNodePoolStatus>>;

/// What has to be known: whether there is a Kafka resource of this name in the namespace of the pool, though this operator
/// does not look after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KafkaNamed(pub String);

/// A node pool, and why no Kafka resource looks after it, if so.
#[derive(Debug)]
pub struct ObservedNodePool {
    /// The pool.
    pub pool: Arc<KafkaNodePool>,
    /// Why no Kafka resource looks after it.
    pub nobodys: Option<Nobodys>,
    /// Whether the Kafka resource that it names exists; `None`: the API server was not asked.
    pub exists: Option<bool>,
    /// Whether its nodes are emptied before they leave.
    pub drains: bool,
}

impl Observation for ObservedNodePool {
    type Plan = NodePoolPlan;
    type Answer = bool;

    fn plan(&self, now: Timestamp) -> NodePoolPlan {
        let missing = self.nobodys.as_ref().and_then(Nobodys::missing);
        match (missing, self.exists) {
            (Some(missing), None) => NodePoolPlan::asking(vec![KafkaNamed(missing.to_owned())]),
            // Another operator looks after it, or this one will in a moment.
            (Some(_), Some(true)) => NodePoolPlan::default(),
            _ => NodePoolPlan {
                status: self.status(now),
                finalizers: self.finalizer().into_iter().collect(),
                ..NodePoolPlan::default()
            },
        }
    }

    fn answer(&mut self, _: KafkaNamed, exists: bool) {
        self.exists = Some(exists);
    }
}

impl ObservedNodePool {
    fn status(&self, now: Timestamp) -> Option<KafkaNodePoolStatus> {
        let stays = self.pool.metadata.deletion_timestamp.is_none();
        stays.then(|| status(&self.pool, self.nobodys.as_ref(), now)).flatten()
    }

    /// Holds a pool whose nodes are emptied before they leave, also while its cluster cannot be planned, and lets go of one that has no
    /// cluster, or of which nobody asks for it any more. One that is being deleted is let go of by the pass over its cluster.
    fn finalizer(&self) -> Option<FinalizerChange> {
        let is_held = self.drains || pool_finalizer::holds(&self.pool);
        pool_finalizer::change(&self.pool, is_held && self.nobodys.is_none())
    }
}

/// The status to write; `None`: what is there stays. `nobodys`: why no Kafka resource looks after the pool; `None`: a Kafka
/// resource does, whose pass writes the status, but for the condition that was written here before.
fn status(pool: &KafkaNodePool, nobodys: Option<&Nobodys>, now: Timestamp) -> Option<KafkaNodePoolStatus> {
    let old = pool.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let said = |condition: &Condition| condition.reason.as_deref() == Some(reasons::NODE_POOL_OF_NO_CLUSTER);
    let mut status = pool.status.clone().unwrap_or_default();
    let conditions = match nobodys {
        Some(why) => {
            let mut conditions: Vec<Condition> =
                old.iter().filter(|condition| !condition.is(types::NOT_READY)).cloned().collect();
            conditions.push(Condition::not_ready(reasons::NODE_POOL_OF_NO_CLUSTER, why.to_string()));
            status.observed_generation = pool.metadata.generation;
            conditions
        }
        None if old.iter().any(said) => old.iter().filter(|condition| !said(condition)).cloned().collect(),
        None => return None,
    };
    status.conditions = Some(merge(conditions, Some(old), now));
    Some(status)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pool_is_held_for_its_nodes_only_while_a_cluster_empties_them() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let pool: KafkaNodePool = serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool", "metadata": {"name": "p", "namespace": "ns",
                "deletionTimestamp": "2026-06-01T11:00:00Z", "resourceVersion": "7",
                "finalizers": ["other", "kastellan.io/drain-nodes"]},
            "spec": {"replicas": 1, "roles": ["broker"], "storage": {"type": "ephemeral"}},
        }))
        .unwrap();
        let plan = |nobodys: Option<Nobodys>, drains| {
            ObservedNodePool { pool: Arc::new(pool.clone()), nobodys, exists: Some(false), drains }.plan(now)
        };
        assert_eq!(
            (plan(None, true), plan(None, false)),
            (NodePoolPlan::default(), NodePoolPlan::default()),
            "the pass over its cluster lets go of it"
        );
        let released = plan(Some(Nobodys::NoKafka { label: "c".to_owned() }), true);
        assert_eq!(released.finalizers[0].finalizers, ["other"]);
        assert_eq!(released.finalizers[0].resource_version.as_deref(), Some("7"));
        assert_eq!(released.status, None, "it goes");
        let mut stays = pool.clone();
        (stays.metadata.deletion_timestamp, stays.metadata.finalizers) = (None, None);
        let living = |drains| {
            ObservedNodePool { pool: Arc::new(stays.clone()), nobodys: None, exists: None, drains }.plan(now)
        };
        assert_eq!(living(true).finalizers[0].finalizers, ["kastellan.io/drain-nodes"]);
        assert!(living(false).finalizers.is_empty());
        let mut another = ObservedNodePool {
            pool: Arc::new(pool.clone()),
            nobodys: Some(Nobodys::NoKafka { label: "c".to_owned() }),
            exists: None,
            drains: true,
        };
        assert_eq!(another.plan(now).needs, [KafkaNamed("c".to_owned())]);
        another.exists = Some(true);
        assert_eq!(another.plan(now), NodePoolPlan::default(), "another operator looks after it");
    }

    #[test]
    fn it_says_what_is_missing_and_takes_back_only_what_it_said() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let mut pool: KafkaNodePool = serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool", "metadata": {"name": "p", "generation": 3},
            "spec": {"replicas": 1, "roles": ["broker"], "storage": {"type": "ephemeral"}},
            "status": {"nodeIds": [7], "conditions": [{"type": "Warning", "status": "True", "reason": "Any"}]},
        }))
        .unwrap();
        assert!(status(&pool, None, now).is_none());
        let said = status(&pool, Some(&Nobodys::Unlabelled), now).unwrap();
        pool.status = Some(said.clone());
        let said = serde_json::to_value(said).unwrap();
        assert_eq!((&said["nodeIds"], &said["observedGeneration"]), (&json!([7]), &json!(3)));
        assert_eq!(said["conditions"][1]["type"], "NotReady");
        let taken_back = serde_json::to_value(status(&pool, None, now).unwrap()).unwrap();
        assert_eq!(taken_back["conditions"].as_array().unwrap().len(), 1);
        assert_eq!(taken_back["conditions"][0]["reason"], "Any");
    }
}
