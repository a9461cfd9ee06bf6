//! How often connectors were restarted by themselves, and how many there are.

use operator_runtime::env::{LabelSelector, Namespaces};
use operator_runtime::metrics::{Metrics, ReconcileMetrics};
use prometheus::{Counter, CounterVec, Opts};

/// The metrics of connectors.
#[derive(Debug, Clone)]
pub(super) struct ConnectorMetrics {
    /// Those that every kind has.
    pub common: ReconcileMetrics,
    /// `strimzi_auto_restarts_total`
    pub auto_restarts: Counter,
}

impl ConnectorMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When there is a metric of that name already.
    pub(super) fn new(
        metrics: &Metrics,
        kind: &str,
        namespaces: &Namespaces,
        selector: &LabelSelector,
    ) -> prometheus::Result<Self> {
        let options = Opts::new("strimzi_auto_restarts_total", "Automatic restarts of connectors");
        let counters = metrics.register(CounterVec::new(options, &["kind", "namespace", "selector"])?)?;
        let namespace = match namespaces {
            Namespaces::All => String::new(),
            Namespaces::Some(names) => names.join(","),
        };
        let auto_restarts = counters.with_label_values(&[kind, &namespace, &selector.to_string()]);
        Ok(Self { common: metrics.of_kind(kind, namespaces, selector), auto_restarts })
    }
}
