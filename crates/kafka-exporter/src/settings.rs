//! The exporter's settings: the variables of Strimzi's container, and some of our own.

use std::path::PathBuf;
use std::time::Duration;

use api::env::kafka_exporter as names;
use api::kafka::exporter::name_expression;
use operator_runtime::env::{Env, EnvErrors};
use operator_runtime::{limits, telemetry};
use regex::Regex;

use crate::certificates::Files;

/// What `--help` prints.
pub const HELP: &str = "\
kafka-exporter shows Prometheus what Kafka says of topics, partitions and consumer groups, lag in records and in seconds
included. It has no arguments but --help and --version; settings are environment variables.

Required
  KAFKA_EXPORTER_KAFKA_SERVER               host:port,... of brokers

What is exported (the expressions match anywhere in a name; ^ and $ bind them)
  KAFKA_EXPORTER_GROUP_REGEX                groups (.*)
  KAFKA_EXPORTER_GROUP_EXCLUDE_REGEX        groups that are left out (^$)
  KAFKA_EXPORTER_TOPIC_REGEX                topics (.*)
  KAFKA_EXPORTER_TOPIC_EXCLUDE_REGEX        topics that are left out (^$)
  KAFKA_EXPORTER_OFFSET_SHOW_ALL            false: only groups with members, and the partitions that these have (true)

Connection
  KASTELLAN_EXPORTER_TRUSTED_CERTIFICATES   folder with .crt files to trust, or one file; without it the connection is plain
  KASTELLAN_EXPORTER_CERTIFICATE            file with the exporter's own certificate
  KASTELLAN_EXPORTER_KEY                    file with its key
                                            The files are read before every collection: new ones need no restart.

Bounds
  KASTELLAN_EXPORTER_INTERVAL_MS            time between two collections (10000); a scrape shows the last one
  KASTELLAN_EXPORTER_DEADLINE_MS            time that one may take (15000); what has not been answered then is left out
  KASTELLAN_EXPORTER_MAX_MIB                memory for what Kafka says; what does not fit is left out and counted
                                            (two fifths of the container's memory limit, 256 without one)

Log
  KAFKA_EXPORTER_LOGGING                    0, 1 or 2: info, debug or trace (0)
  KAFKA_EXPORTER_ENABLE_SARAMA              whether the Kafka client logs too (false)
  KASTELLAN_LOG_FORMAT                      text or json (text)

Accepted, and without a meaning here: KAFKA_EXPORTER_KAFKA_VERSION. The protocol is agreed on with each broker.

Metrics (/metrics) and health (/healthz) are on port 9404; KASTELLAN_EXPORTER_PORT names another one.
";

const MIB: usize = 1024 * 1024;

/// Memory for what Kafka says where the container has no limit. MiB.
const WITHOUT_LIMIT: usize = 256;

/// The least memory for what Kafka says. MiB.
const LEAST: usize = 16;

/// Which names are exported.
#[derive(Debug, Clone)]
pub struct Filter {
    include: Regex,
    exclude: Regex,
}

impl Filter {
    /// From the two expressions.
    pub fn new(include: &str, exclude: &str) -> Result<Self, regex::Error> {
        Ok(Self { include: name_expression(include)?, exclude: name_expression(exclude)? })
    }

    /// Whether this name is exported.
    pub fn takes(&self, name: &str) -> bool {
        self.include.is_match(name) && !self.exclude.is_match(name)
    }
}

/// Bounds for what Kafka may have the exporter hold in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Longest answer. Bytes.
    pub answer: usize,
    /// What the values of one answer may take. Bytes.
    pub values: usize,
    /// The text of the metrics. Bytes.
    pub text: usize,
    /// Groups, partitions and committed offsets together.
    pub entries: usize,
}

impl Bounds {
    /// Parts of this many bytes.
    pub fn of(bytes: usize) -> Self {
        // Two texts may be there at a time, the old one and the new one; an entry with its timeline and its name takes some
        // hundred bytes.
        Self { answer: (bytes / 8).min(16 * MIB), values: bytes / 2, text: bytes / 4, entries: bytes / 512 }
    }
}

/// Everything the exporter is told at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `host:port` of brokers.
    pub bootstrap: Vec<String>,
    /// Certificates, unless the connection is plain.
    pub files: Option<Files>,
    /// Groups.
    pub groups: Filter,
    /// Topics.
    pub topics: Filter,
    /// Whether groups without members and partitions that no member has are exported.
    pub show_all: bool,
    /// Time between two collections.
    pub interval: Duration,
    /// Time that one may take.
    pub deadline: Duration,
    /// Memory.
    pub bounds: Bounds,
    /// Port of metrics and health.
    pub port: u16,
}

impl Settings {
    /// Reads everything, and reports every mistake at once.
    pub fn from_env(from: &Env) -> Result<Self, EnvErrors> {
        from.required(names::KAFKA_SERVER);
        let default = default_mib(limits::container_limit());
        let mib = from.integer(names::MAX_MIB, default as i64, LEAST as i64..=16 * 1024);
        let files = files(from);
        let groups = filter(from, names::GROUP_REGEX, names::GROUP_EXCLUDE_REGEX);
        let topics = filter(from, names::TOPIC_REGEX, names::TOPIC_EXCLUDE_REGEX);
        let show_all = from.bool(names::OFFSET_SHOW_ALL, names::OFFSET_SHOW_ALL_DEFAULT);
        let time = |name, default| from.duration_ms(name, Duration::from_millis(default));
        let interval = time(names::INTERVAL_MS, names::INTERVAL_MS_DEFAULT);
        let deadline = time(names::DEADLINE_MS, names::DEADLINE_MS_DEFAULT);
        let port = from.integer(names::PORT, api::ports::METRICS.into(), 1..=65_535) as u16;
        from.finish()?;
        // Where one is missing, its mistake has been reported.
        let (Some(groups), Some(topics)) = (groups, topics) else { return Err(EnvErrors(Vec::new())) };
        Ok(Self {
            bootstrap: from.list(names::KAFKA_SERVER),
            files,
            groups,
            topics,
            show_all,
            interval,
            deadline,
            bounds: Bounds::of(mib as usize * MIB),
            port,
        })
    }
}

fn default_mib(container: Option<usize>) -> usize {
    container.map_or(WITHOUT_LIMIT, |limit| (limit / 5 * 2 / MIB).max(LEAST))
}

fn files(from: &Env) -> Option<Files> {
    let path = |name| from.optional(name).map(PathBuf::from);
    let trusted = path(names::TRUSTED_CERTIFICATES);
    let identity = match (path(names::CERTIFICATE), path(names::KEY)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => {
            from.error(names::KEY, None, "name the file with the key of the certificate, or leave both out");
            None
        }
        (None, Some(_)) => {
            from.error(
                names::CERTIFICATE,
                None,
                "name the file with the certificate of the key, or leave both out",
            );
            None
        }
    };
    if trusted.is_none() && identity.is_some() {
        from.error(
            names::TRUSTED_CERTIFICATES,
            None,
            "name the folder with the certificates to trust: a certificate of one's own needs an encrypted connection",
        );
    }
    trusted.map(|trusted| Files { trusted, identity })
}

fn filter(from: &Env, include: &str, exclude: &str) -> Option<Filter> {
    let one = |name: &str, default: &str| {
        let text = from.string(name, default);
        let read = name_expression(&text).ok();
        if read.is_none() {
            let instead = "write a regular expression such as orders-.*, not larger than 1 MiB compiled";
            from.error(name, Some(&text), instead);
        }
        read
    };
    let (include, exclude) = (one(include, names::REGEX_DEFAULT), one(exclude, names::EXCLUDE_REGEX_DEFAULT));
    Some(Filter { include: include?, exclude: exclude? })
}

/// What is logged.
pub fn log(from: &Env) -> telemetry::Settings {
    let level = match from.choice(names::LOGGING, "0", &["0", "1", "2"]) {
        "1" => "debug",
        "2" => "trace",
        _ => "info",
    };
    let client = if from.bool(names::ENABLE_SARAMA, false) { "debug" } else { "warn" };
    let filter = format!("{level},kafka_admin={client},hyper_util=off,rustls=off");
    telemetry::Settings { filter, ..telemetry::Settings::from_env(from) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_strimzis_container_are_understood() {
        let env = Env::from_map([
            (names::KAFKA_SERVER, "my-kafka-bootstrap:9091"),
            (names::KAFKA_VERSION, "4.3.1"),
            (names::GROUP_REGEX, "orders"),
            (names::GROUP_EXCLUDE_REGEX, "^console-consumer-"),
            (names::TOPIC_EXCLUDE_REGEX, "^__"),
            (names::OFFSET_SHOW_ALL, "false"),
            (names::LOGGING, "1"),
        ]);
        assert_eq!(log(&env).filter, "debug,kafka_admin=warn,hyper_util=off,rustls=off");
        let settings = Settings::from_env(&env).unwrap();
        assert_eq!(settings.bootstrap, ["my-kafka-bootstrap:9091"]);
        assert!(!settings.show_all && settings.files.is_none());
        let taken =
            |filter: &Filter, names: &[&str]| names.iter().map(|name| filter.takes(name)).collect::<Vec<_>>();
        assert_eq!(
            taken(&settings.groups, &["my-orders-1", "payments", "console-consumer-orders"]),
            [true, false, false]
        );
        assert_eq!(taken(&settings.topics, &["orders", "__consumer_offsets"]), [true, false]);
    }

    #[test]
    fn every_mistake_is_named_with_what_to_write() {
        let env = Env::from_map([
            (names::GROUP_REGEX, "("),
            (names::TOPIC_EXCLUDE_REGEX, "(?:a{1000}){1000}"),
            (names::OFFSET_SHOW_ALL, "all"),
            (names::KEY, "/key"),
            (names::LOGGING, "3"),
        ]);
        log(&env);
        let text = Settings::from_env(&env).unwrap_err().to_string();
        for part in [
            "KAFKA_EXPORTER_KAFKA_SERVER is not set",
            "KAFKA_EXPORTER_GROUP_REGEX='('",
            "KAFKA_EXPORTER_TOPIC_EXCLUDE_REGEX=",
            "KAFKA_EXPORTER_OFFSET_SHOW_ALL='all' cannot be used: write true or false",
            "KASTELLAN_EXPORTER_CERTIFICATE is not set",
            "write one of 0, 1, 2",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn memory_follows_the_limit_of_the_container() {
        assert_eq!(default_mib(Some(128 * MIB)), 51);
        assert_eq!(default_mib(Some(8 * MIB)), LEAST);
        assert_eq!(default_mib(None), WITHOUT_LIMIT);
        let bounds = Bounds::of(51 * MIB);
        assert!(2 * bounds.text + bounds.values <= 51 * MIB && bounds.entries > 100_000, "{bounds:?}");
    }
}
