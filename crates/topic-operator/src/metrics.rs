//! The operator's metrics under Strimzi's names.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use api::kinds;
use operator_runtime::{
    env::Namespaces,
    metrics::{Metrics, ReconcileMetrics, Timer, Timers},
};
use prometheus::{Gauge, GaugeVec, Opts};

use crate::settings::Settings;

const KIND: &str = kinds::KAFKA_TOPIC;
const LABELS: &[&str] = &["kind", "namespace", "selector"];
/// Upper bounds in seconds of the timers of remote calls.
const CALL_BUCKETS: &[f64] = &[0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0];

/// A kind of remote call with a timer of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Putting a finalizer on a resource.
    AddFinalizer,
    /// Taking a finalizer off a resource.
    RemoveFinalizer,
    /// Creating topics.
    CreateTopics,
    /// Writing a status.
    UpdateStatus,
    /// Listing reassignments.
    ListReassignments,
    /// Altering configurations.
    AlterConfigs,
    /// Adding partitions.
    CreatePartitions,
    /// Describing topics.
    DescribeTopics,
    /// Describing configurations.
    DescribeConfigs,
    /// Deleting topics.
    DeleteTopics,
}

/// All calls, with the middle of their metrics' names.
const CALLS: [(Call, &str); 10] = [
    (Call::AddFinalizer, "add_finalizer"),
    (Call::RemoveFinalizer, "remove_finalizer"),
    (Call::CreateTopics, "create_topics"),
    (Call::UpdateStatus, "update_status"),
    (Call::ListReassignments, "list_reassignments"),
    (Call::AlterConfigs, "alter_configs"),
    (Call::CreatePartitions, "create_partitions"),
    (Call::DescribeTopics, "describe_topics"),
    (Call::DescribeConfigs, "describe_configs"),
    (Call::DeleteTopics, "delete_topics"),
];

/// The metrics of this operator.
#[derive(Clone, Debug)]
pub struct TopicMetrics {
    /// The metrics that every operator has.
    pub reconcile: ReconcileMetrics,
    /// `strimzi_reconciliations_max_queue_size`: the most resources that ever waited.
    pub max_queue_size: Gauge,
    /// `strimzi_reconciliations_max_batch_size`: the largest batch so far.
    pub max_batch_size: Gauge,
    calls: Vec<Timer>,
}

impl TopicMetrics {
    /// Registers everything. The timers of calls exist only with `STRIMZI_ENABLE_ADDITIONAL_METRICS`.
    pub fn new(metrics: &Metrics, settings: &Settings) -> prometheus::Result<Self> {
        let namespaces = Namespaces::Some(vec![settings.namespace.clone()]);
        let selector = settings.selector.to_string();
        let labels = [KIND, settings.namespace.as_str(), selector.as_str()];
        let gauge = |name: &str, help: &str| -> prometheus::Result<Gauge> {
            Ok(metrics.register(GaugeVec::new(Opts::new(name, help), LABELS)?)?.with_label_values(&labels))
        };
        let mut calls = Vec::new();
        if settings.additional_metrics {
            for (_, name) in CALLS {
                let full = format!("strimzi_{name}_duration_seconds");
                let help = format!("Time of the remote call {name}");
                calls.push(Timers::new(metrics.registry(), &full, &help, CALL_BUCKETS)?.of(&labels));
            }
        }
        Ok(Self {
            reconcile: metrics.of_kind(KIND, &namespaces, &settings.selector),
            max_queue_size: gauge(
                "strimzi_reconciliations_max_queue_size",
                "Most resources that ever waited",
            )?,
            max_batch_size: gauge(
                "strimzi_reconciliations_max_batch_size",
                "Largest batch of resources so far",
            )?,
            calls,
        })
    }

    /// Runs a remote call and records how long it took.
    pub async fn time<F: Future>(&self, call: Call, future: F) -> F::Output {
        let begun = Instant::now();
        let out = future.await;
        let at = CALLS.iter().position(|(c, _)| *c == call);
        if let Some(timer) = at.and_then(|at| self.calls.get(at)) {
            timer.observe(begun.elapsed());
        }
        out
    }

    /// Counts the resources of one batch, which all took as long as the batch.
    pub fn batch(&self, succeeded: usize, failed: usize, took: Duration) {
        let all = succeeded + failed;
        self.reconcile.reconciliations.inc_by(all as f64);
        self.reconcile.successful.inc_by(succeeded as f64);
        self.reconcile.failed.inc_by(failed as f64);
        for _ in 0..all {
            self.reconcile.observe(took);
        }
        if all as f64 > self.max_batch_size.get() {
            self.max_batch_size.set(all as f64);
        }
    }
}
