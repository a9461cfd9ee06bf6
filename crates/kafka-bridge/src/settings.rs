//! The configuration file: Strimzi's keys, and some of our own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use api::ports;
use api::properties::{self, Properties};

use crate::http::cors::Cors;
use crate::placeholders::{self, PlaceholderError};
use crate::traces::settings::{self as traces, TraceSettings};

/// What `--help` prints.
pub const HELP: &str = "\
kafka-bridge serves a REST API for Apache Kafka: produce, consume, ask, make topics.

  kafka-bridge --config-file FILE     serve until SIGTERM
  kafka-bridge --help | --version

The file has the format of Java's properties. Values may hold ${strimzienv:VARIABLE}, ${strimzifile:FILE:NAME} and
${strimzidir:FOLDER:FILE}; a FILE such as *.crt stands for all files of the folder that end so.

Kafka
  bridge.id                             client.id towards Kafka, and the beginning of names of consumers
  kafka.bootstrap.servers               host:port,... of brokers; required
  kafka.*                               options of Kafka's Java clients for every client
  kafka.producer.*  kafka.consumer.*  kafka.admin.*
                                        options of one kind of client; what has no effect here is named in the log

HTTP
  http.host                             address to listen on (0.0.0.0: all addresses)
  http.port                             port of the API (8080)
  http.management.port                  port of health, metrics and the description of the API (8081)
  http.timeoutSeconds                   a consumer that is not used for so long ends (-1: never)
  http.producer.enabled                 whether records may be sent (true)
  http.consumer.enabled                 whether there may be consumers (true)
  http.cors.enabled                     whether pages of other origins may use the API (false)
  http.cors.allowedOrigins              origins, *, or regular expressions that match whole origins, with commas
  http.cors.allowedMethods              methods, with commas
  http.ssl.enable                       whether the API is served with TLS (false)
  http.ssl.keystore.certificate.location, http.ssl.keystore.key.location
                                        PEM files; read again when they change
  http.ssl.enabled.protocols            TLSv1.2 and TLSv1.3, with commas (both)

Metrics and tracing
  bridge.metrics                        jmxPrometheusExporter or strimziMetricsReporter: /metrics on the port of the API too
  bridge.tracing                        opentelemetry: traceparent and tracestate of requests go into records, and spans
                                        to the collector of the environment variable OTEL_EXPORTER_OTLP_ENDPOINT

Bounds (not in Strimzi)
  kastellan.http.max.connections        connections at a time (1000)
  kastellan.http.max.body.bytes         largest body of a request (10485760)
  kastellan.http.max.pending.bytes      bodies of all requests that are being worked on (67108864)
  kastellan.http.request.timeout.ms     time for the body of a request (30000)
  kastellan.http.idle.timeout.ms        time from the last answer to the end of the head of the next request (75000)
  kastellan.http.max.answer.bytes       answers that nobody has taken yet, of all consumers together (67108864)
  kastellan.http.write.timeout.ms       a client that takes nothing of its answer for so long loses its connection (30000)
  kastellan.consumer.max                consumers at a time (500)
  kastellan.consumer.prefetch.bytes     what all consumers together hold of records that nobody asked for yet (134217728)
  kastellan.shutdown.delay.ms           the process still takes connections for so long when it is asked to end (3000)
  kastellan.shutdown.timeout.ms         time for what is under way when the process is asked to end (20000)

Log: STRIMZI_LOG_LEVEL (INFO) and KASTELLAN_LOG_FORMAT (text or json) are environment variables. Without the first one,
rootLogger.level of log4j2.properties beside the configuration file counts, and is read again every ten seconds.
";

/// Where the certificate of the API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The chain, PEM.
    pub certificate: PathBuf,
    /// The key, PEM.
    pub key: PathBuf,
    /// Whether TLS 1.2 is offered.
    pub tls12: bool,
    /// Whether TLS 1.3 is offered.
    pub tls13: bool,
}

/// What concerns HTTP.
#[derive(Debug, Clone)]
pub struct Http {
    /// Address of the API.
    pub host: String,
    /// Port of the API.
    pub port: u16,
    /// Port of health and metrics.
    pub management_port: u16,
    /// Pages of other origins.
    pub cors: Option<Cors>,
    /// TLS of the API.
    pub tls: Option<Tls>,
    /// Connections at a time.
    pub max_connections: usize,
    /// Largest body. Bytes.
    pub max_body: usize,
    /// All bodies. Bytes.
    pub max_pending: usize,
    /// Answers with records that nobody has taken yet. Bytes.
    pub max_answers: usize,
    /// Time without progress of a write.
    pub write_timeout: Duration,
    /// Time for the body of a request.
    pub request_timeout: Duration,
    /// Time between two requests of a connection.
    pub idle_timeout: Duration,
    /// Time in which connections are still taken, because those who send them do not know yet that the end has come.
    pub shutdown_delay: Duration,
    /// Time for the end.
    pub shutdown_timeout: Duration,
}

/// Options of Kafka's clients, with the names that Java has for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KafkaOptions {
    /// Of every client.
    pub common: BTreeMap<String, String>,
    /// Of the producer.
    pub producer: BTreeMap<String, String>,
    /// Of consumers.
    pub consumer: BTreeMap<String, String>,
    /// Of the admin client.
    pub admin: BTreeMap<String, String>,
}

impl KafkaOptions {
    /// The options of one kind of client; its own win.
    pub fn with(&self, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut all = self.common.clone();
        all.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
        all
    }
}

/// Everything the bridge is told.
#[expect(clippy::struct_excessive_bools, reason = "switches of the file, which do not depend on each other")]
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name.
    pub id: Option<String>,
    /// HTTP.
    pub http: Http,
    /// Kafka.
    pub kafka: KafkaOptions,
    /// Whether records may be sent.
    pub producer_enabled: bool,
    /// Whether there may be consumers.
    pub consumer_enabled: bool,
    /// After how long an unused consumer ends.
    pub consumer_timeout: Option<Duration>,
    /// Records of one answer at most.
    pub max_poll_records: usize,
    /// Consumers at a time.
    pub max_consumers: usize,
    /// What all consumers may hold. Bytes.
    pub prefetch: usize,
    /// Whether the port of the API serves metrics.
    pub metrics: bool,
    /// Whether the context of a trace is passed on.
    pub tracing: bool,
    /// Where traces go; `None`: nowhere.
    pub traces: Option<TraceSettings>,
    /// Names in the file that nobody knows.
    pub unknown: Vec<String>,
}

/// Every mistake of the file. Says no values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

impl Settings {
    /// Reads the file.
    pub fn from_file(path: &Path) -> Result<Self, SettingsError> {
        let one = |error: String| SettingsError(vec![error]);
        let text = placeholders::read(path).map_err(|error| one(error.to_string()))?;
        let properties =
            properties::parse(&text).map_err(|error| one(format!("read {}: {error}", path.display())))?;
        Self::read(&properties)
    }

    /// Reads OpenTelemetry's variables, where requests are traced; one sentence for each that has no effect.
    pub fn read_traces(&mut self, variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
        if !self.tracing {
            return Vec::new();
        }
        let service = self.id.as_deref().unwrap_or(env!("CARGO_PKG_NAME"));
        let (settings, warnings) = traces::read(service, variable);
        self.traces = settings;
        warnings
    }

    /// Reads properties, and reports every mistake at once.
    pub fn read(properties: &Properties) -> Result<Self, SettingsError> {
        let mut reader = Reader { properties, mistakes: Vec::new(), known: BTreeSet::new() };
        let kafka = reader.kafka();
        if !kafka.common.contains_key("bootstrap.servers") {
            reader.mistakes.push("kafka.bootstrap.servers is not set: write host:port of brokers".to_owned());
        }
        let timeout = reader.number("http.timeoutSeconds", -1_i64, -1, i64::from(i32::MAX));
        let max_poll_records =
            kafka.consumer.get("max.poll.records").map_or(Some(500), |text| text.parse().ok());
        if max_poll_records.is_none_or(|records: usize| records == 0) {
            reader
                .mistakes
                .push("kafka.consumer.max.poll.records cannot be used: write a number from 1".to_owned());
        }
        let settings = Self {
            id: reader.text("bridge.id"),
            http: reader.http(),
            kafka,
            producer_enabled: reader.boolean("http.producer.enabled", true),
            consumer_enabled: reader.boolean("http.consumer.enabled", true),
            consumer_timeout: u64::try_from(timeout)
                .ok()
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            max_poll_records: max_poll_records.unwrap_or(500),
            max_consumers: reader.number("kastellan.consumer.max", 500, 1, 1_000_000),
            prefetch: reader.number("kastellan.consumer.prefetch.bytes", 128 << 20, 1 << 20, 1 << 40),
            metrics: reader.choice("bridge.metrics", &["jmxPrometheusExporter", "strimziMetricsReporter"]),
            tracing: reader.choice("bridge.tracing", &["opentelemetry"]),
            traces: None,
            unknown: reader.unknown(),
        };
        if reader.mistakes.is_empty() { Ok(settings) } else { Err(SettingsError(reader.mistakes)) }
    }
}

struct Reader<'a> {
    properties: &'a Properties,
    mistakes: Vec<String>,
    known: BTreeSet<String>,
}

impl Reader<'_> {
    /// The value of a name; an empty one counts as none.
    fn text(&mut self, name: &str) -> Option<String> {
        self.known.insert(name.to_owned());
        let value = self.properties.get(name)?;
        let resolved = placeholders::resolve(value);
        let value = self.resolved(name, resolved)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    fn resolved(&mut self, name: &str, resolved: Result<String, PlaceholderError>) -> Option<String> {
        match resolved {
            Ok(value) => Some(value),
            Err(error) => {
                self.mistakes.push(format!("{name} cannot be used: {error}"));
                None
            }
        }
    }

    fn boolean(&mut self, name: &str, default: bool) -> bool {
        match self.text(name).map(|text| text.to_ascii_lowercase()).as_deref() {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(_) => {
                self.mistakes.push(format!("{name} cannot be used: write true or false"));
                default
            }
        }
    }

    fn number<T: FromStr + PartialOrd + Copy + std::fmt::Display>(
        &mut self,
        name: &str,
        default: T,
        from: T,
        to: T,
    ) -> T {
        let Some(text) = self.text(name) else { return default };
        match text.parse() {
            Ok(number) if (from..=to).contains(&number) => number,
            _ => {
                self.mistakes.push(format!("{name} cannot be used: write a number from {from} to {to}"));
                default
            }
        }
    }

    /// Whether something is chosen.
    fn choice(&mut self, name: &str, choices: &[&str]) -> bool {
        let Some(text) = self.text(name) else { return false };
        if !choices.contains(&text.as_str()) {
            self.mistakes
                .push(format!("{name} cannot be used: write {}, or leave it out", choices.join(" or ")));
        }
        true
    }

    fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    fn milliseconds(&mut self, name: &str, default: u64) -> Duration {
        Duration::from_millis(self.number(name, default, 1, 24 * 3600 * 1000))
    }

    fn http(&mut self) -> Http {
        Http {
            host: self.text("http.host").unwrap_or_else(|| "0.0.0.0".to_owned()),
            port: self.number("http.port", ports::BRIDGE_HTTP as u16, 0, u16::MAX),
            management_port: self.number(
                "http.management.port",
                ports::BRIDGE_MANAGEMENT as u16,
                0,
                u16::MAX,
            ),
            cors: self.cors(),
            tls: self.tls(),
            max_connections: self.number("kastellan.http.max.connections", 1000, 1, 1_000_000),
            max_body: self.number("kastellan.http.max.body.bytes", 10 << 20, 1024, 1 << 30),
            max_pending: self.number("kastellan.http.max.pending.bytes", 64 << 20, 1024, 1 << 40),
            max_answers: self.number("kastellan.http.max.answer.bytes", 64 << 20, 1 << 20, 1 << 40),
            write_timeout: self.milliseconds("kastellan.http.write.timeout.ms", 30_000),
            request_timeout: self.milliseconds("kastellan.http.request.timeout.ms", 30_000),
            idle_timeout: self.milliseconds("kastellan.http.idle.timeout.ms", 75_000),
            shutdown_delay: Duration::from_millis(self.number(
                "kastellan.shutdown.delay.ms",
                3000,
                0,
                3_600_000,
            )),
            shutdown_timeout: self.milliseconds("kastellan.shutdown.timeout.ms", 20_000),
        }
    }

    fn cors(&mut self) -> Option<Cors> {
        let enabled = self.boolean("http.cors.enabled", false);
        let origins = self.list("http.cors.allowedOrigins");
        let methods = self.list("http.cors.allowedMethods");
        if !enabled {
            return None;
        }
        match Cors::new(&origins, &methods) {
            Ok(cors) => Some(cors),
            Err(origin) => {
                self.mistakes.push(format!(
                    "http.cors.allowedOrigins cannot be used: '{origin}' is no regular expression; write an origin such as https://example.com"
                ));
                None
            }
        }
    }

    fn tls(&mut self) -> Option<Tls> {
        const CERTIFICATE: &str = "http.ssl.keystore.certificate.location";
        const KEY: &str = "http.ssl.keystore.key.location";
        let enabled = self.boolean("http.ssl.enable", false);
        let (certificate, key) = (self.text(CERTIFICATE), self.text(KEY));
        let protocols = self.list("http.ssl.enabled.protocols");
        if let Some(suites) = self.text("http.ssl.enabled.cipher.suites") {
            tracing::warn!(
                count = suites.split(',').count(),
                "the option http.ssl.enabled.cipher.suites has no effect: every suite that is offered is a safe one"
            );
        }
        if !enabled {
            return None;
        }
        for (name, value) in [(CERTIFICATE, &certificate), (KEY, &key)] {
            if value.is_none() {
                self.mistakes.push(format!("{name} is not set: write the path of a PEM file"));
            }
        }
        let offers = |protocol: &str| protocols.is_empty() || protocols.iter().any(|one| one == protocol);
        let (tls12, tls13) = (offers("TLSv1.2"), offers("TLSv1.3"));
        if !tls12 && !tls13 {
            self.mistakes
                .push("http.ssl.enabled.protocols cannot be used: write TLSv1.2, TLSv1.3 or both".to_owned());
        }
        Some(Tls { certificate: certificate?.into(), key: key?.into(), tls12, tls13 })
    }

    fn kafka(&mut self) -> KafkaOptions {
        let mut options = KafkaOptions::default();
        for (name, value) in self.properties.iter() {
            let Some(option) = name.strip_prefix("kafka.") else { continue };
            self.known.insert(name.to_owned());
            let resolved = placeholders::resolve(value);
            let Some(value) = self.resolved(name, resolved) else { continue };
            let (part, option) = match option.split_once('.') {
                Some(("producer", own)) => (&mut options.producer, own),
                Some(("consumer", own)) => (&mut options.consumer, own),
                Some(("admin", own)) => (&mut options.admin, own),
                _ => (&mut options.common, option),
            };
            part.insert(option.to_owned(), value);
        }
        if let Some(id) = self.properties.get("bridge.id").filter(|id| !id.is_empty()) {
            options.common.entry("client.id".to_owned()).or_insert_with(|| id.to_owned());
        }
        options
    }

    /// The names that nothing asked for. What only a JVM or a provider of values needs is no mistake.
    fn unknown(&self) -> Vec<String> {
        let known = |name: &str| {
            self.known.contains(name)
                || name.starts_with("config.providers")
                || name.starts_with("bridge.metrics.")
        };
        self.properties.iter().map(|(name, _)| name).filter(|name| !known(name)).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, SettingsError> {
        Settings::read(&properties::parse(text).unwrap())
    }

    #[test]
    fn the_file_of_a_resource_is_understood() {
        let settings = read(
            "bridge.id=web\nkafka.bootstrap.servers=shop-kafka-bootstrap:9092\nkafka.security.protocol=PLAINTEXT\n\
             kafka.producer.acks=1\nkafka.consumer.auto.offset.reset=earliest\nkafka.consumer.max.poll.records=7\n\
             config.providers=strimzienv\nconfig.providers.strimzienv.class=x\nhttp.host=0.0.0.0\nhttp.port=8090\n\
             http.cors.enabled=true\nhttp.cors.allowedOrigins=https://example.com\nhttp.cors.allowedMethods=GET,POST\n\
             http.timeoutSeconds=60\nhttp.consumer.enabled=true\nhttp.producer.enabled=false\nbridge.tracing=opentelemetry\n\
             bridge.metrics=strimziMetricsReporter\n",
        )
        .unwrap();
        assert_eq!(settings.http.port, 8090);
        assert_eq!(settings.http.management_port, 8081);
        assert_eq!(settings.consumer_timeout, Some(Duration::from_mins(1)));
        assert!(
            !settings.producer_enabled && settings.consumer_enabled && settings.tracing && settings.metrics
        );
        assert!(settings.http.cors.is_some() && settings.http.tls.is_none());
        assert_eq!(settings.max_poll_records, 7);
        assert!(settings.unknown.is_empty(), "{:?}", settings.unknown);
        let producer = settings.kafka.with(&settings.kafka.producer);
        assert_eq!(producer["acks"], "1");
        assert_eq!(producer["client.id"], "web");
        assert!(!producer.contains_key("auto.offset.reset"));
    }

    #[test]
    fn every_mistake_is_named_without_its_value() {
        let error = read(
            "http.port=hunter2\nhttp.ssl.enable=true\nhttp.consumer.enabled=maybe\nkafka.consumer.max.poll.records=0\n\
             kafka.sasl.jaas.config=${strimzidir:/no/such:password}\nbridge.tracing=jaeger\nhttp.cors.enabled=true\nhttp.cors.allowedOrigins=(\n",
        )
        .unwrap_err()
        .to_string();
        for part in [
            "kafka.bootstrap.servers is not set",
            "http.port cannot be used: write a number from 0 to 65535",
            "http.ssl.keystore.certificate.location is not set",
            "http.consumer.enabled cannot be used: write true or false",
            "kafka.consumer.max.poll.records",
            "kafka.sasl.jaas.config cannot be used: read /no/such/password",
            "bridge.tracing cannot be used: write opentelemetry",
            "http.cors.allowedOrigins",
        ] {
            assert!(error.contains(part), "{part} is missing in {error}");
        }
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn names_that_nobody_knows_are_told() {
        let settings = read("kafka.bootstrap.servers=a:1\nhttp.prot=1\namqp.enabled=true\n").unwrap();
        assert_eq!(settings.unknown, ["http.prot", "amqp.enabled"]);
        assert_eq!(settings.consumer_timeout, None);
    }

    #[test]
    fn every_setting_is_in_the_help() {
        for name in [
            "http.management.port",
            "http.timeoutSeconds",
            "kastellan.consumer.prefetch.bytes",
            "kastellan.http.max.body.bytes",
            "kastellan.http.max.answer.bytes",
            "kastellan.http.write.timeout.ms",
            "kastellan.consumer.max",
            "kastellan.shutdown.delay.ms",
            "http.ssl.keystore.key.location",
        ] {
            assert!(HELP.contains(name), "{name}");
        }
    }
}
