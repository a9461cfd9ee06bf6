//! How often connectors were restarted by themselves.

use operator_runtime::env::{LabelSelector, Namespaces};
use operator_runtime::metrics::Metrics;
use prometheus::{Counter, CounterVec, Opts};

/// `strimzi_auto_restarts_total`, of every kind that has connectors.
#[derive(Debug, Clone)]
pub(crate) struct AutoRestarts {
    counters: CounterVec,
    namespace: String,
    selector: String,
}

impl AutoRestarts {
    /// Registers it.
    ///
    /// # Errors
    /// When there is a metric of that name already.
    pub(crate) fn new(
        metrics: &Metrics,
        namespaces: &Namespaces,
        selector: &LabelSelector,
    ) -> prometheus::Result<Self> {
        let options = Opts::new("strimzi_auto_restarts_total", "Automatic restarts of connectors");
        let counters = metrics.register(CounterVec::new(options, &["kind", "namespace", "selector"])?)?;
        let namespace = match namespaces {
            Namespaces::All => String::new(),
            Namespaces::Some(names) => names.join(","),
        };
        Ok(Self { counters, namespace, selector: selector.to_string() })
    }

    /// That of a kind.
    pub(crate) fn of(&self, kind: &str) -> Counter {
        self.counters.with_label_values(&[kind, &self.namespace, &self.selector])
    }
}
