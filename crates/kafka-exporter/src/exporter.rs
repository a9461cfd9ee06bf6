//! Collects in the background and publishes what was found: a scrape never waits for Kafka.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kafka_admin::{Admin, AdminConfig, AdminError, AnswerRoom, TlsConfig};
use operator_runtime::metrics::Metrics;
use operator_runtime::server::Health;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter, IntGauge, IntGaugeVec, Opts};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::certificates::CertificateError;
use crate::collect::{Collection, collect};
use crate::lag::Timelines;
use crate::render::render;
use crate::settings::Settings;

/// What is older than this is not shown any more, and never what is newer than three intervals.
const STALE: Duration = Duration::from_mins(1);

/// How much longer than its deadline a collection may seem to take before the process counts as stuck.
const PATIENCE: Duration = Duration::from_mins(2);

/// Why there was no collection.
#[derive(Debug, thiserror::Error)]
enum ExporterError {
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    #[error("collect from kafka: {0}")]
    Kafka(#[from] AdminError),
}

/// Metrics of the exporter itself.
#[derive(Debug)]
struct Own {
    success: IntGauge,
    duration: Gauge,
    failures: IntCounter,
    unanswered: IntGaugeVec,
    left_out: IntGaugeVec,
    age: Age,
}

impl Own {
    fn new(metrics: &Metrics) -> prometheus::Result<Self> {
        let labelled = |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &["of"]);
        let info = Opts::new("kafka_exporter_build_info", "Version of the exporter, as a label")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        metrics.register(IntGauge::with_opts(info)?)?.set(1);
        Ok(Self {
            success: metrics.register(IntGauge::new(
                "kafka_exporter_last_collection_success",
                "1 if Kafka answered in the last collection, else 0",
            )?)?,
            duration: metrics.register(Gauge::new(
                "kafka_exporter_collection_duration_seconds",
                "Time that the last collection took",
            )?)?,
            failures: metrics.register(IntCounter::new(
                "kafka_exporter_collections_failed_total",
                "Collections in which Kafka did not answer",
            )?)?,
            unanswered: metrics.register(labelled(
                "kafka_exporter_unanswered",
                "Brokers, groups and partitions of which the last collection did not learn everything",
            )?)?,
            left_out: metrics.register(labelled(
                "kafka_exporter_left_out",
                "Entries and lines of the last collection for which there was no room (KASTELLAN_EXPORTER_MAX_MIB)",
            )?)?,
            age: metrics.register(Age::new()?)?,
        })
    }
}

/// The time since the last collection in which Kafka answered, asked at each scrape.
#[derive(Debug, Clone)]
struct Age {
    since: Arc<Mutex<Instant>>,
    gauge: Gauge,
}

impl Age {
    fn new() -> prometheus::Result<Self> {
        let help = "Age of the metrics of Kafka: time since the last collection in which Kafka answered, or since the start";
        let gauge = Gauge::new("kafka_exporter_snapshot_age_seconds", help)?;
        Ok(Self { since: Arc::new(Mutex::new(Instant::now())), gauge })
    }

    fn since(&self) -> Instant {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Collector for Age {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.gauge.set(self.since().elapsed().as_secs_f64());
        self.gauge.collect()
    }
}

/// The connection to Kafka, made anew when the certificates change.
#[derive(Debug)]
struct Connection {
    admin: Admin,
    tls: Option<TlsConfig>,
}

impl Connection {
    /// The connection with the certificates as they are now.
    fn renewed(old: Option<Self>, settings: &Settings) -> Result<Self, ExporterError> {
        let tls = settings.files.as_ref().map(crate::certificates::Files::read).transpose()?;
        match (old, &tls) {
            (Some(old), now) if old.tls == *now => Ok(old),
            (Some(old), Some(now)) => {
                old.admin.update_tls(now)?;
                tracing::info!("took over renewed certificates for the connection to Kafka");
                Ok(Self { tls, ..old })
            }
            (_, now) => {
                let config = config(settings);
                let config = match now {
                    Some(tls) => config.with_tls(tls.clone()),
                    None => config,
                };
                Ok(Self { admin: Admin::new(config)?, tls })
            }
        }
    }
}

fn config(settings: &Settings) -> AdminConfig {
    // A collection makes some calls one after another, and a broker that hangs must leave time for the others.
    let limit = settings.deadline / 3;
    AdminConfig::brokers(settings.bootstrap.iter().cloned())
        .with_client_id("kafka-exporter")
        .with_request_timeout(limit)
        .with_connect_timeout(limit / 2)
        .with_max_answer_bytes(settings.bounds.answer)
        .with_max_answer_memory(settings.bounds.values)
        .with_answer_room(AnswerRoom::new(settings.bounds.values))
}

/// Collects until the shutdown.
pub async fn run(
    settings: Settings,
    metrics: Metrics,
    health: Health,
    shutdown: CancellationToken,
) -> prometheus::Result<()> {
    let exporter = Exporter { own: Own::new(&metrics)?, metrics, settings };
    let alive = health.heartbeat_within("the collection", exporter.settings.deadline + PATIENCE);
    let mut ticks = interval(exporter.settings.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let work = async {
        let (mut connection, mut timelines) = (None, Timelines::default());
        let (mut complaint, mut silent) = (String::new(), BTreeMap::new());
        loop {
            ticks.tick().await;
            alive.beat();
            exporter.metrics.appendix().forget_previous();
            let result = exporter.once(&mut connection, &mut timelines, &mut silent).await;
            exporter.told(result.err(), &mut complaint);
        }
    };
    shutdown.run_until_cancelled(work).await;
    Ok(())
}

/// What does not change from one collection to the next.
struct Exporter {
    settings: Settings,
    metrics: Metrics,
    own: Own,
}

impl Exporter {
    async fn once(
        &self,
        connection: &mut Option<Connection>,
        timelines: &mut Timelines,
        silent: &mut BTreeMap<i32, String>,
    ) -> Result<(), ExporterError> {
        let began = Instant::now();
        let connected = Connection::renewed(connection.take(), &self.settings)?;
        let collection = collect(&connected.admin, &self.settings, timelines).await;
        *connection = Some(connected);
        self.own.duration.set(began.elapsed().as_secs_f64());
        self.publish(collection?, silent);
        Ok(())
    }

    fn publish(
        &self,
        Collection { snapshot, missing, silent }: Collection,
        before: &mut BTreeMap<i32, String>,
    ) {
        for (broker, error) in silent.iter().filter(|(broker, _)| !before.contains_key(broker)) {
            tracing::warn!(broker, %error, "a broker does not answer; what only it knows is missing");
        }
        for broker in before.keys().filter(|broker| !silent.contains_key(broker)) {
            tracing::info!(broker, "the broker answers again");
        }
        *before = silent;
        let text = self.metrics.appendix();
        let room = text.len() + text.len() / 8 + 4096;
        let rendered = render(&snapshot, self.settings.bounds.text, room);
        drop(snapshot);
        text.publish(rendered.text);
        self.own.age.renew();
        let set = |gauges: &IntGaugeVec, of: &str, count: usize| {
            gauges.with_label_values(&[of]).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set(&self.own.unanswered, "brokers", missing.brokers);
        set(&self.own.unanswered, "groups", missing.groups);
        set(&self.own.unanswered, "partitions", missing.partitions);
        set(&self.own.left_out, "entries", missing.no_room);
        set(&self.own.left_out, "lines", rendered.left_out);
    }

    /// Says how it went: in the metrics always, in the log when it changes.
    fn told(&self, error: Option<ExporterError>, complaint: &mut String) {
        self.own.success.set(error.is_none().into());
        let Some(error) = error else {
            if !complaint.is_empty() {
                tracing::info!("kafka answers again");
                complaint.clear();
            }
            return;
        };
        self.own.failures.inc();
        let text = error.to_string();
        if *complaint != text {
            tracing::error!(%error, "no metrics of Kafka in this collection");
            *complaint = text;
        }
        if self.own.age.since().elapsed() > STALE.max(self.settings.interval * 3) {
            // Old figures would look like new ones.
            self.metrics.appendix().publish(Vec::new());
        }
    }
}
