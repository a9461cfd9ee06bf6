//! How long restarts have been waiting, as metrics.

use jiff::Timestamp;
use operator_runtime::metrics::Metrics;
use operator_runtime::watch::ObjectRef;
use planner::kafka::plan::Plan;
use prometheus::{GaugeVec, Opts};

const LABELS: [&str; 2] = ["namespace", "name"];

/// Seconds for which restarts of a cluster have been waiting, each metric there as long as that lasts.
#[derive(Debug, Clone)]
pub(crate) struct RollMetrics {
    /// `kastellan_roll_waiting_seconds{namespace,name}`: a restart of a pod is due and cannot be made.
    waiting: GaugeVec,
    /// `kastellan_plan_held_seconds{namespace,name}`: a plan of a new version of the operator waits for an approval, a maintenance
    /// window or its turn.
    held: GaugeVec,
}

impl RollMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When there is a metric of one of these names already.
    pub(crate) fn new(metrics: &Metrics) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| {
            GaugeVec::new(Opts::new(name, help), &LABELS).and_then(|gauge| metrics.register(gauge))
        };
        Ok(Self {
            waiting: gauge(
                "kastellan_roll_waiting_seconds",
                "Seconds for which a restart of a pod has been due without being possible",
            )?,
            held: gauge(
                "kastellan_plan_held_seconds",
                "Seconds for which a plan of a new version of the operator has waited for an approval, a maintenance window or its turn",
            )?,
        })
    }

    /// Shows for how long the restarts of a plan have been waiting.
    pub(crate) fn show(&self, key: &ObjectRef, plan: &Plan, now: Timestamp) {
        let waits = plan.roll.waits.as_ref().filter(|waits| !waits.is_usual());
        set(&self.waiting, key, waits.map(|waits| waits.since), now);
        set(&self.held, key, plan.roll.held.as_ref().map(|held| held.since), now);
    }

    /// The cluster is gone, or nothing is planned for it, as for a paused cluster.
    pub(crate) fn remove(&self, key: &ObjectRef) {
        for gauge in [&self.waiting, &self.held] {
            set(gauge, key, None, Timestamp::UNIX_EPOCH);
        }
    }
}

/// Shows the seconds since a time, or takes the metric of a cluster away.
fn set(gauge: &GaugeVec, key: &ObjectRef, since: Option<Timestamp>, now: Timestamp) {
    let labels = [key.namespace.as_str(), key.name.as_str()];
    match since {
        Some(since) => gauge.with_label_values(&labels).set(now.duration_since(since).as_secs_f64().max(0.0)),
        // There is nothing to remove where nothing ever waited.
        None => drop(gauge.remove_label_values(&labels)),
    }
}
