//! Figures for Prometheus: the names of Strimzi's bridge, and some of our own.

use std::time::Duration;

use operator_runtime::metrics::Metrics;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts};

/// Upper bounds of the time for an answer. Seconds.
const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Upper bounds of the size of a body. Bytes.
const BYTES: &[f64] = &[100.0, 1e3, 1e4, 1e5, 1e6, 1e7];

/// Topics with figures of their own; the others share `other`.
const MOST_TOPICS: usize = 1000;

/// Counters and gauges of the bridge. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct BridgeMetrics {
    all: Metrics,
    requests: IntCounterVec,
    response_time: HistogramVec,
    request_bytes: Histogram,
    response_bytes: Histogram,
    /// Open connections.
    pub connections: IntGauge,
    /// Requests that are being answered.
    pub active_requests: IntGauge,
    /// Consumers.
    pub consumers: IntGauge,
    /// Producers: one, or none.
    pub producers: IntGauge,
    /// What consumers may hold of records that nobody asked for yet. Bytes.
    pub prefetch: IntGauge,
    /// Consumers that ended because nobody used them.
    pub idle_consumers: IntCounter,
    /// Spans that did not reach the collector of traces.
    pub dropped_spans: IntCounter,
    sent: IntCounterVec,
    sent_bytes: IntCounterVec,
    failed: IntCounterVec,
    consumed: IntCounterVec,
    consumed_bytes: IntCounterVec,
    topics: std::sync::Arc<std::sync::Mutex<std::collections::HashSet<String>>>,
}

impl BridgeMetrics {
    /// In a new registry.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let all = Metrics::new()?;
        let gauge = |name: &str, help: &str| all.register(IntGauge::new(name, help)?);
        let by_topic =
            |name: &str, help: &str| all.register(IntCounterVec::new(Opts::new(name, help), &["topic"])?);
        let bytes = |name: &str, help: &str| {
            all.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(BYTES.to_vec()))?)
        };
        Ok(Self {
            requests: all.register(IntCounterVec::new(
                Opts::new("strimzi_bridge_http_server_requests_total", "Requests that were answered"),
                &["method", "path", "code"],
            )?)?,
            response_time: all.register(HistogramVec::new(
                HistogramOpts::new(
                    "strimzi_bridge_http_server_response_time_seconds",
                    "Time until an answer began",
                )
                .buckets(SECONDS.to_vec()),
                &["method", "path"],
            )?)?,
            request_bytes: bytes(
                "strimzi_bridge_http_server_request_bytes",
                "Size of the bodies of requests",
            )?,
            response_bytes: bytes(
                "strimzi_bridge_http_server_response_bytes",
                "Size of the bodies of answers",
            )?,
            connections: gauge("strimzi_bridge_http_server_active_connections", "Open connections")?,
            active_requests: gauge(
                "strimzi_bridge_http_server_active_requests",
                "Requests that are being answered",
            )?,
            consumers: gauge("strimzi_bridge_kafka_consumer_count", "Consumers")?,
            producers: gauge("strimzi_bridge_kafka_producer_count", "Producers")?,
            prefetch: gauge(
                "kastellan_bridge_prefetch_bytes",
                "What consumers may hold of records that nobody asked for yet",
            )?,
            idle_consumers: all.register(IntCounter::new(
                "kastellan_bridge_idle_consumers_total",
                "Consumers that ended because nobody used them",
            )?)?,
            dropped_spans: all.register(IntCounter::new(
                "kastellan_bridge_spans_dropped_total",
                "Spans that did not reach the collector of traces",
            )?)?,
            sent: by_topic("strimzi_bridge_kafka_producer_record_send_total", "Records that Kafka took")?,
            sent_bytes: by_topic(
                "strimzi_bridge_kafka_producer_byte_total",
                "Bytes of keys and values that Kafka took",
            )?,
            failed: by_topic(
                "strimzi_bridge_kafka_producer_record_error_total",
                "Records that Kafka did not take",
            )?,
            consumed: by_topic(
                "strimzi_bridge_kafka_consumer_records_consumed_total",
                "Records that consumers were given",
            )?,
            consumed_bytes: by_topic(
                "strimzi_bridge_kafka_consumer_bytes_consumed_total",
                "Bytes of keys and values that consumers were given",
            )?,
            topics: std::sync::Arc::default(),
            all,
        })
    }

    /// The text that Prometheus reads.
    pub(crate) fn render(&self) -> prometheus::Result<String> {
        self.all.render()
    }

    /// One answered request. `path` is that of the table of routes.
    pub(crate) fn answered(&self, method: &str, path: &str, code: u16, took: Duration) {
        self.requests.with_label_values(&[method, path, &code.to_string()]).inc();
        self.response_time.with_label_values(&[method, path]).observe(took.as_secs_f64());
    }

    /// The bodies of one request and its answer.
    pub(crate) fn bodies(&self, request: usize, response: usize) {
        self.request_bytes.observe(request as f64);
        self.response_bytes.observe(response as f64);
    }

    /// The name under which a topic is counted: names are made by others, and figures stay in memory.
    fn topic<'a>(&self, topic: &'a str) -> &'a str {
        let mut topics = self.topics.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if topics.contains(topic) {
            return topic;
        }
        if topics.len() >= MOST_TOPICS {
            return "other";
        }
        topics.insert(topic.to_owned());
        topic
    }

    /// Records of one topic that Kafka took, and that it did not take.
    pub(crate) fn produced(&self, topic: &str, records: usize, bytes: usize, failed: usize) {
        if records > 0 {
            let topic = self.topic(topic);
            self.sent.with_label_values(&[topic]).inc_by(records as u64);
            self.sent_bytes.with_label_values(&[topic]).inc_by(bytes as u64);
        }
        if failed > 0 {
            // The topic may not exist: such names are not counted one by one.
            let topics = self.topics.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let known = if topics.contains(topic) { topic } else { "other" };
            self.failed.with_label_values(&[known]).inc_by(failed as u64);
        }
    }

    /// A record that a consumer was given.
    pub(crate) fn consumed(&self, topic: &str, records: usize, bytes: usize) {
        let topic = self.topic(topic);
        self.consumed.with_label_values(&[topic]).inc_by(records as u64);
        self.consumed_bytes.with_label_values(&[topic]).inc_by(bytes as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_counted_up_to_a_bound_and_failures_make_no_names() {
        let metrics = BridgeMetrics::new().unwrap();
        for number in 0..MOST_TOPICS + 10 {
            metrics.produced(&format!("t{number}"), 1, 5, 0);
        }
        metrics.produced("never-there", 0, 0, 3);
        metrics.answered("POST", "/topics/{topicname}", 200, Duration::from_millis(3));
        let text = metrics.render().unwrap();
        assert!(
            text.contains("strimzi_bridge_kafka_producer_record_send_total{topic=\"other\"} 10"),
            "{text}"
        );
        assert!(text.contains("strimzi_bridge_kafka_producer_record_error_total{topic=\"other\"} 3"));
        assert!(!text.contains("never-there"));
        assert!(text.contains(
            "strimzi_bridge_http_server_requests_total{code=\"200\",method=\"POST\",path=\"/topics/{topicname}\"} 1"
        ));
    }
}
