//! How long rolls have been waiting, as a metric.

use jiff::Timestamp;
use operator_runtime::metrics::Metrics;
use operator_runtime::watch::ObjectRef;
use planner::roll::waiting::Waiting;
use prometheus::{GaugeVec, Opts};

/// `kastellan_roll_waiting_seconds{namespace,name}`: there while a restart of a pod of the cluster is due and cannot be made.
#[derive(Debug, Clone)]
pub(crate) struct RollMetric(GaugeVec);

impl RollMetric {
    /// Registers it.
    ///
    /// # Errors
    /// When there is a metric of that name already.
    pub(crate) fn new(metrics: &Metrics) -> prometheus::Result<Self> {
        let help = "Seconds for which a restart of a pod has been due without being possible";
        let gauge = GaugeVec::new(Opts::new("kastellan_roll_waiting_seconds", help), &["namespace", "name"])?;
        metrics.register(gauge).map(Self)
    }

    /// Shows for how long the roll of a cluster has been waiting.
    pub(crate) fn show(&self, key: &ObjectRef, waits: Option<&Waiting>, now: Timestamp) {
        match waits.filter(|waits| !waits.is_usual()) {
            Some(waits) => {
                let seconds = now.duration_since(waits.since).as_secs_f64();
                self.0.with_label_values(&[key.namespace.as_str(), key.name.as_str()]).set(seconds.max(0.0));
            }
            None => self.remove(key),
        }
    }

    /// The cluster is gone, or its roll goes on.
    pub(crate) fn remove(&self, key: &ObjectRef) {
        // There is nothing to remove where it never waited.
        let _ = self.0.remove_label_values(&[key.namespace.as_str(), key.name.as_str()]);
    }
}
