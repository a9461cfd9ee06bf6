//! Metrics under Strimzi's names and labels, so that dashboards and alerts keep working.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus::core::Collector;
use prometheus::{
    CounterVec, Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, Opts, Registry, TextEncoder,
};

use crate::env::{LabelSelector, Namespaces};
use crate::long_text::LongText;
use crate::process::ProcessCollector;

/// Content type of the Prometheus text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Labels of all reconciliation metrics.
const LABELS: &[&str] = &["kind", "namespace", "selector"];

/// Upper bounds in seconds of `strimzi_reconciliations_duration_seconds`.
const DURATION_BUCKETS: &[f64] = &[1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// How long a maximum is remembered, as Micrometer's timers do it (two steps of one minute).
const MAXIMUM_WINDOW: Duration = Duration::from_mins(2);

/// All metrics of one process.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    reconciliations: CounterVec,
    successful: CounterVec,
    failed: CounterVec,
    periodical: CounterVec,
    locked: CounterVec,
    already_enqueued: CounterVec,
    duration: Timers,
    resources: GaugeVec,
    paused: GaugeVec,
    appendix: LongText,
}

impl Metrics {
    /// Registers all metrics in a new registry.
    ///
    /// # Errors
    /// Only when two metrics had one name, which a test excludes.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::new()?))?;
        let counter = |name: &str, help: &str| -> prometheus::Result<CounterVec> {
            let vec = CounterVec::new(Opts::new(name, help), LABELS)?;
            registry.register(Box::new(vec.clone()))?;
            Ok(vec)
        };
        let gauge = |name: &str, help: &str| -> prometheus::Result<GaugeVec> {
            let vec = GaugeVec::new(Opts::new(name, help), LABELS)?;
            registry.register(Box::new(vec.clone()))?;
            Ok(vec)
        };
        Ok(Self {
            reconciliations: counter("strimzi_reconciliations_total", "Reconciliations started")?,
            successful: counter(
                "strimzi_reconciliations_successful_total",
                "Reconciliations that succeeded",
            )?,
            failed: counter("strimzi_reconciliations_failed_total", "Reconciliations that failed")?,
            periodical: counter(
                "strimzi_reconciliations_periodical_total",
                "Reconciliations started by the timer",
            )?,
            locked: counter(
                "strimzi_reconciliations_locked_total",
                "Reconciliations skipped because another one held the resource",
            )?,
            already_enqueued: counter(
                "strimzi_reconciliations_already_enqueued_total",
                "Reconciliations skipped because the resource was waiting already",
            )?,
            duration: Timers::new(
                &registry,
                "strimzi_reconciliations_duration_seconds",
                "Time a reconciliation takes",
                DURATION_BUCKETS,
            )?,
            resources: gauge("strimzi_resources", "Custom resources that the operator sees")?,
            paused: gauge("strimzi_resources_paused", "Custom resources whose reconciliation is paused")?,
            registry,
            appendix: LongText::default(),
        })
    }

    /// Metrics that are text already, served behind all others: where there are very many, the objects of a registry would
    /// take many times their text.
    pub fn appendix(&self) -> &LongText {
        &self.appendix
    }

    /// The metrics of one kind of custom resource.
    pub fn of_kind(&self, kind: &str, namespaces: &Namespaces, selector: &LabelSelector) -> ReconcileMetrics {
        let namespace = match namespaces {
            Namespaces::All => String::new(),
            Namespaces::Some(names) => names.join(","),
        };
        let selector = selector.to_string();
        let labels = [kind, namespace.as_str(), selector.as_str()];
        ReconcileMetrics {
            reconciliations: self.reconciliations.with_label_values(&labels),
            successful: self.successful.with_label_values(&labels),
            failed: self.failed.with_label_values(&labels),
            periodical: self.periodical.with_label_values(&labels),
            locked: self.locked.with_label_values(&labels),
            already_enqueued: self.already_enqueued.with_label_values(&labels),
            duration: self.duration.of(&labels),
            resources: self.resources.with_label_values(&labels),
            paused: self.paused.with_label_values(&labels),
        }
    }

    /// For further metrics of an operator.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Registers a further metric and gives it back: `let g = metrics.register(GaugeVec::new(..)?)?;`.
    pub fn register<C: Collector + Clone + 'static>(&self, collector: C) -> prometheus::Result<C> {
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    /// Everything but the appendix in the Prometheus text format.
    pub fn render(&self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Counters and gauges of one kind.
#[derive(Debug, Clone)]
pub struct ReconcileMetrics {
    /// `strimzi_reconciliations_total`
    pub reconciliations: prometheus::Counter,
    /// `strimzi_reconciliations_successful_total`
    pub successful: prometheus::Counter,
    /// `strimzi_reconciliations_failed_total`
    pub failed: prometheus::Counter,
    /// `strimzi_reconciliations_periodical_total`
    pub periodical: prometheus::Counter,
    /// `strimzi_reconciliations_locked_total`
    pub locked: prometheus::Counter,
    /// `strimzi_reconciliations_already_enqueued_total`
    pub already_enqueued: prometheus::Counter,
    /// `strimzi_resources`
    pub resources: Gauge,
    /// `strimzi_resources_paused`
    pub paused: Gauge,
    duration: Timer,
}

impl ReconcileMetrics {
    /// Records how long one reconciliation took.
    pub fn observe(&self, took: Duration) {
        self.duration.observe(took);
    }
}

/// Timers of one name, as Micrometer shows them: a histogram `<name>`, and `<name>_max`. One for each value of the labels `kind`,
/// `namespace` and `selector`.
#[derive(Debug, Clone)]
pub struct Timers {
    durations: HistogramVec,
    maxima: GaugeVec,
}

impl Timers {
    /// Registers both. `buckets`: upper bounds in seconds.
    ///
    /// # Errors
    /// When there is a metric of that name already.
    pub fn new(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> prometheus::Result<Self> {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let durations = HistogramVec::new(opts, LABELS)?;
        registry.register(Box::new(durations.clone()))?;
        let opts = Opts::new(format!("{name}_max"), format!("{help}, longest of the last two minutes"));
        let maxima = GaugeVec::new(opts, LABELS)?;
        registry.register(Box::new(maxima.clone()))?;
        Ok(Self { durations, maxima })
    }

    /// The one with these values of the labels.
    pub fn of(&self, labels: &[&str; 3]) -> Timer {
        Timer {
            duration: self.durations.with_label_values(labels),
            maximum: self.maxima.with_label_values(labels),
            longest: Arc::default(),
        }
    }
}

/// One timer.
#[derive(Debug, Clone)]
pub struct Timer {
    duration: Histogram,
    maximum: Gauge,
    longest: Arc<Mutex<Option<(Instant, Duration)>>>,
}

impl Timer {
    /// Records how long something took.
    pub fn observe(&self, took: Duration) {
        self.duration.observe(took.as_secs_f64());
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        let keep =
            longest.is_some_and(|(since, longest)| longest >= took && since.elapsed() < MAXIMUM_WINDOW);
        if !keep {
            *longest = Some((Instant::now(), took));
            self.maximum.set(took.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_names_and_labels_of_strimzi() {
        let metrics = Metrics::new().unwrap();
        let selector = LabelSelector([("a".to_owned(), "b".to_owned())].into());
        let topic = metrics.of_kind("KafkaTopic", &Namespaces::Some(vec!["ns".into()]), &selector);
        topic.reconciliations.inc();
        topic.resources.set(3.0);
        topic.observe(Duration::from_secs(7));
        let kafka = metrics.of_kind("Kafka", &Namespaces::All, &LabelSelector::default());
        kafka.failed.inc();
        let text = metrics.render().unwrap();
        for line in [
            "strimzi_reconciliations_total{kind=\"KafkaTopic\",namespace=\"ns\",selector=\"a=b\"} 1",
            "strimzi_resources{kind=\"KafkaTopic\",namespace=\"ns\",selector=\"a=b\"} 3",
            "strimzi_reconciliations_failed_total{kind=\"Kafka\",namespace=\"\",selector=\"\"} 1",
            "strimzi_reconciliations_duration_seconds_bucket{kind=\"KafkaTopic\",namespace=\"ns\",selector=\"a=b\",le=\"10\"} 1",
            "strimzi_reconciliations_duration_seconds_max{kind=\"KafkaTopic\",namespace=\"ns\",selector=\"a=b\"} 7",
            "process_resident_memory_bytes ",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
