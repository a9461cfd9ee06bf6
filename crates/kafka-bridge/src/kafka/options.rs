//! Options of Kafka's Java clients as options of librdkafka.
//!
//! Most have the same name and meaning. [`DIFFERENT`] lists those that differ; what librdkafka does not know is told by name.

use std::collections::BTreeMap;

use operator_runtime::jaas::jaas_option;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

/// For which client a configuration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sends records.
    Producer,
    /// Reads records.
    Consumer,
    /// Asks and makes topics.
    Admin,
}

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// Another name.
    Name(&'static str),
    /// Another name, and KiB instead of bytes.
    Kibibytes(&'static str),
    /// The bridge itself, or another option, makes use of it.
    Used,
    /// Nothing here; why.
    Nothing(&'static str),
}

/// Options whose name or meaning differs.
const DIFFERENT: &[(&str, Means)] = &[
    ("buffer.memory", Means::Kibibytes("queue.buffering.max.kbytes")),
    ("max.block.ms", Means::Name("topic.metadata.propagation.max.ms")),
    ("max.request.size", Means::Name("message.max.bytes")),
    ("fetch.max.wait.ms", Means::Name("fetch.wait.max.ms")),
    ("send.buffer.bytes", Means::Name("socket.send.buffer.bytes")),
    ("receive.buffer.bytes", Means::Name("socket.receive.buffer.bytes")),
    ("ssl.truststore.certificates", Means::Name("ssl.ca.pem")),
    ("ssl.keystore.certificate.chain", Means::Name("ssl.certificate.pem")),
    ("ssl.keystore.key", Means::Name("ssl.key.pem")),
    ("sasl.jaas.config", Means::Used),
    ("ssl.truststore.location", Means::Used),
    ("ssl.truststore.type", Means::Used),
    ("ssl.truststore.password", Means::Used),
    ("ssl.keystore.location", Means::Used),
    ("ssl.keystore.type", Means::Used),
    ("ssl.keystore.password", Means::Used),
    ("partitioner.class", Means::Used),
    ("partition.assignment.strategy", Means::Used),
    ("auto.offset.reset", Means::Used),
    ("max.poll.records", Means::Used),
    ("default.api.timeout.ms", Means::Used),
    ("group.id", Means::Nothing("the group stands in the path of a request")),
    ("transactional.id", Means::Nothing("the bridge sends no transactions")),
    ("key.serializer", Means::Nothing(CONVERSION)),
    ("value.serializer", Means::Nothing(CONVERSION)),
    ("key.deserializer", Means::Nothing(CONVERSION)),
    ("value.deserializer", Means::Nothing(CONVERSION)),
];

const CONVERSION: &str = "the format of a request says how records are converted";

/// What Kafka's Java clients do where nothing is said, and librdkafka would do differently.
const DEFAULTS: &[(&str, &str)] = &[("socket.keepalive.enable", "true"), ("log.connection.close", "false")];
const PRODUCER_DEFAULTS: &[(&str, &str)] = &[
    // The partition of a key is the one that a Java producer takes.
    ("partitioner", "murmur2_random"),
    ("delivery.timeout.ms", "120000"),
    ("topic.metadata.propagation.max.ms", "10000"),
    ("queue.buffering.max.kbytes", "32768"),
];
const CONSUMER_DEFAULTS: &[(&str, &str)] = &[
    ("isolation.level", "read_uncommitted"),
    ("auto.offset.reset", "latest"),
    ("allow.auto.create.topics", "true"),
    ("check.crcs", "true"),
];
// Whoever asks for a topic does not make it.
const ADMIN_DEFAULTS: &[(&str, &str)] = &[("allow.auto.create.topics", "false")];

/// A configuration, and what could not be carried over.
#[derive(Debug)]
pub(crate) struct Mapped {
    /// For librdkafka.
    pub config: ClientConfig,
    /// One sentence for each option without effect. No values.
    pub warnings: Vec<String>,
}

/// An option that makes a connection impossible. No values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("use the option {name}: {reason}")]
pub struct OptionError {
    /// The option.
    pub name: String,
    /// Why, and what to write instead.
    pub reason: String,
}

impl OptionError {
    fn new(name: &str, reason: impl Into<String>) -> Self {
        Self { name: name.to_owned(), reason: reason.into() }
    }
}

/// The configuration of a client, from options of Kafka's Java clients.
pub(crate) fn map(role: Role, options: &BTreeMap<String, String>) -> Result<Mapped, OptionError> {
    let mut mapped = Mapped { config: ClientConfig::new(), warnings: Vec::new() };
    mapped.config.set_log_level(RDKafkaLogLevel::Info);
    let own = match role {
        Role::Producer => PRODUCER_DEFAULTS,
        Role::Consumer => CONSUMER_DEFAULTS,
        Role::Admin => ADMIN_DEFAULTS,
    };
    for (name, value) in DEFAULTS.iter().chain(own) {
        mapped.config.set(*name, *value);
    }
    if role == Role::Producer && options.get("acks").is_none_or(|acks| acks == "all" || acks == "-1") {
        mapped.config.set("enable.idempotence", "true");
    }
    for (name, value) in options {
        one(role, name, value, options, &mut mapped)?;
    }
    security(options, &mut mapped.config)?;
    Ok(mapped)
}

fn one(
    role: Role,
    name: &str,
    value: &str,
    options: &BTreeMap<String, String>,
    mapped: &mut Mapped,
) -> Result<(), OptionError> {
    let means = DIFFERENT.iter().find(|(known, _)| *known == name).map(|(_, means)| *means);
    match means {
        Some(Means::Nothing(why)) => mapped.warnings.push(format!("the option {name} has no effect: {why}")),
        Some(Means::Name(other)) => set(other, name, value, mapped)?,
        Some(Means::Kibibytes(other)) => {
            let bytes: u64 =
                value.trim().parse().map_err(|_| OptionError::new(name, "write a number of bytes"))?;
            set(other, name, &(bytes / 1024).max(1).to_string(), mapped)?;
        }
        Some(Means::Used) => used(role, name, value, mapped)?,
        None => match (name, role) {
            // One name, two meanings.
            ("request.timeout.ms", Role::Consumer | Role::Admin) => {
                set("socket.timeout.ms", name, value, mapped)?;
            }
            ("security.protocol", _) => set(name, name, &value.to_ascii_lowercase(), mapped)?,
            ("ssl.endpoint.identification.algorithm", _) => {
                let algorithm = if value.trim().is_empty() { "none" } else { "https" };
                set(name, name, algorithm, mapped)?;
            }
            ("sasl.mechanism", _) if value == "OAUTHBEARER" || value == "GSSAPI" => {
                return Err(OptionError::new(
                    name,
                    format!("{value} is not supported: write SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN"),
                ));
            }
            _ => set(name, name, value, mapped)?,
        },
    }
    // Without effect on a connection that is not encrypted, and easily taken for encryption.
    if name == "ssl.truststore.certificates" && !encrypts(options) {
        mapped
            .warnings
            .push(format!("the option {name} has no effect: security.protocol is not SSL or SASL_SSL"));
    }
    Ok(())
}

fn encrypts(options: &BTreeMap<String, String>) -> bool {
    options.get("security.protocol").is_some_and(|protocol| protocol.to_ascii_uppercase().ends_with("SSL"))
}

/// Sets an option where librdkafka knows it.
fn set(name: &str, asked: &str, value: &str, mapped: &mut Mapped) -> Result<(), OptionError> {
    let value = value.trim_end_matches(['\r', '\n']);
    let mut alone = ClientConfig::new();
    alone.set(name, value);
    match alone.create_native_config() {
        Ok(_) => {
            mapped.config.set(name, value);
            Ok(())
        }
        Err(KafkaError::ClientConfig(rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            mapped
                .warnings
                .push(format!("the option {asked} has no effect: the client of the bridge does not know it"));
            Ok(())
        }
        // Without it the connection would be another one than was asked for.
        Err(_)
            if ["bootstrap.", "security.", "ssl.", "sasl."].iter().any(|group| asked.starts_with(group)) =>
        {
            Err(OptionError::new(asked, "its value is not one that the client takes"))
        }
        Err(_) => {
            mapped.warnings.push(format!(
                "the option {asked} has no effect: its value is not one that the client takes"
            ));
            Ok(())
        }
    }
}

/// Options that the bridge reads itself.
fn used(role: Role, name: &str, value: &str, mapped: &mut Mapped) -> Result<(), OptionError> {
    match name {
        "auto.offset.reset" => {
            let reset = offset_reset(value)
                .ok_or_else(|| OptionError::new(name, "write earliest, latest or none"))?;
            if role == Role::Consumer {
                mapped.config.set(name, reset);
            }
        }
        "partition.assignment.strategy" => {
            let strategy = strategy(value);
            match strategy {
                Some(strategy) => {
                    mapped.config.set(name, strategy);
                }
                None => mapped.warnings.push(format!(
                    "the option {name} has no effect: only the assignors of Kafka itself for ranges, round robin and cooperative-sticky are known"
                )),
            }
        }
        "partitioner.class" => mapped.warnings.push(format!(
            "the option {name} has no effect: partitions are chosen as Kafka's default partitioner does"
        )),
        _ => {}
    }
    Ok(())
}

/// The value of librdkafka for one of `auto.offset.reset`.
pub(crate) fn offset_reset(value: &str) -> Option<&'static str> {
    match value {
        "earliest" => Some("earliest"),
        "latest" => Some("latest"),
        "none" => Some("error"),
        _ => None,
    }
}

/// Assignors by the last part of their class names. Eager and cooperative ones cannot be mixed: the cooperative one goes.
fn strategy(value: &str) -> Option<&'static str> {
    let known = |part: &str| match part.trim().rsplit('.').next()? {
        "RangeAssignor" | "range" => Some("range"),
        "RoundRobinAssignor" | "roundrobin" => Some("roundrobin"),
        "CooperativeStickyAssignor" | "cooperative-sticky" => Some("cooperative-sticky"),
        _ => None,
    };
    let found: Vec<&str> = value.split(',').map(known).collect::<Option<_>>()?;
    match (found.contains(&"range"), found.contains(&"roundrobin")) {
        (true, true) => Some("range,roundrobin"),
        (true, false) => Some("range"),
        (false, true) => Some("roundrobin"),
        (false, false) => found.first().map(|_| "cooperative-sticky"),
    }
}

/// Trust, certificates and passwords.
fn security(options: &BTreeMap<String, String>, config: &mut ClientConfig) -> Result<(), OptionError> {
    let get = |name: &str| options.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let kind = |name: &str| get(name).unwrap_or("JKS").to_ascii_uppercase();
    if let Some(location) = get("ssl.truststore.location") {
        if kind("ssl.truststore.type") != "PEM" {
            return Err(OptionError::new(
                "ssl.truststore.type",
                "only PEM trust stores are read: write PEM, and name a file with certificates",
            ));
        }
        config.set("ssl.ca.location", location);
    }
    let has_trust = ["ssl.truststore.location", "ssl.truststore.certificates"]
        .into_iter()
        .any(|name| get(name).is_some());
    if encrypts(options) && !has_trust {
        // The public authorities, wherever the image has them: the library is linked to a program that knows no folder of its own.
        config.set("ssl.ca.location", "probe");
    }
    if let Some(location) = get("ssl.keystore.location") {
        match kind("ssl.keystore.type").as_str() {
            "PEM" => {
                config.set("ssl.certificate.location", location);
                config.set("ssl.key.location", location);
            }
            "PKCS12" => {
                config.set("ssl.keystore.location", location);
                if let Some(password) = get("ssl.keystore.password") {
                    config.set("ssl.keystore.password", password);
                }
            }
            _ => return Err(OptionError::new("ssl.keystore.type", "write PEM or PKCS12")),
        }
    }
    if let Some(line) = get("sasl.jaas.config") {
        for (option, name) in [("username", "sasl.username"), ("password", "sasl.password")] {
            let value = jaas_option(line, option).ok_or_else(|| {
                OptionError::new("sasl.jaas.config", format!("it has no {option}=\"...\": write one"))
            })?;
            config.set(name, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn value<'a>(mapped: &'a Mapped, name: &str) -> Option<&'a str> {
        mapped.config.get(name)
    }

    #[test]
    fn names_and_units_that_differ_are_carried_over() {
        let mapped = map(
            Role::Producer,
            &options(&[
                ("bootstrap.servers", "a:9092"),
                ("buffer.memory", "1048576"),
                ("max.request.size", "2000000"),
                ("acks", "1"),
                ("compression.type", "gzip"),
                ("linger.ms", "7"),
            ]),
        )
        .unwrap();
        assert_eq!(value(&mapped, "queue.buffering.max.kbytes"), Some("1024"));
        assert_eq!(value(&mapped, "message.max.bytes"), Some("2000000"));
        assert_eq!(value(&mapped, "compression.type"), Some("gzip"));
        assert_eq!(value(&mapped, "partitioner"), Some("murmur2_random"));
        assert_eq!(value(&mapped, "enable.idempotence"), None);
        assert!(mapped.warnings.is_empty(), "{:?}", mapped.warnings);
        assert!(mapped.config.create_native_config().is_ok());
    }

    #[test]
    fn nothing_is_dropped_in_silence() {
        let mapped = map(
            Role::Consumer,
            &options(&[
                ("key.deserializer", "x"),
                ("interceptor.classes", "secret-class"),
                ("exclude.internal.topics", "true"),
                ("max.poll.records", "10"),
            ]),
        )
        .unwrap();
        assert_eq!(mapped.warnings.len(), 3, "{:?}", mapped.warnings);
        for name in ["key.deserializer", "interceptor.classes", "exclude.internal.topics"] {
            assert!(mapped.warnings.iter().any(|warning| warning.contains(name)), "{name}");
        }
        assert!(!format!("{:?}", mapped.warnings).contains("secret-class"));
        let admin = map(Role::Admin, &BTreeMap::new()).unwrap();
        assert_eq!(value(&admin, "allow.auto.create.topics"), Some("false"), "a question would make a topic");
        let wrong = map(Role::Consumer, &options(&[("fetch.min.bytes", "hunter2")])).unwrap();
        assert!(wrong.warnings[0].contains("fetch.min.bytes") && !wrong.warnings[0].contains("hunter2"));
        assert!(value(&wrong, "fetch.min.bytes").is_none());
        let error = map(Role::Consumer, &options(&[("security.protocol", "hunter2")])).unwrap_err();
        assert!(error.to_string().contains("security.protocol") && !error.to_string().contains("hunter2"));
    }

    #[test]
    fn logins_and_certificates_are_found() {
        let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"u\" password=\"a\\\"b\";";
        let mapped = map(
            Role::Admin,
            &options(&[
                ("security.protocol", "SASL_SSL"),
                ("sasl.mechanism", "SCRAM-SHA-512"),
                ("sasl.jaas.config", jaas),
                ("ssl.truststore.type", "PEM"),
                ("ssl.truststore.certificates", "-----BEGIN"),
                ("ssl.endpoint.identification.algorithm", ""),
            ]),
        )
        .unwrap();
        assert_eq!(value(&mapped, "sasl.password"), Some("a\"b"));
        assert_eq!(value(&mapped, "security.protocol"), Some("sasl_ssl"));
        assert_eq!(value(&mapped, "ssl.ca.pem"), Some("-----BEGIN"));
        assert_eq!(value(&mapped, "ssl.endpoint.identification.algorithm"), Some("none"));
        assert!(mapped.warnings.is_empty(), "{:?}", mapped.warnings);
        for (name, wrong) in [("sasl.jaas.config", "m required;"), ("sasl.mechanism", "GSSAPI")] {
            let error = map(Role::Admin, &options(&[(name, wrong)])).unwrap_err();
            assert_eq!(error.name, name);
        }
        let public = map(Role::Admin, &options(&[("security.protocol", "SSL")])).unwrap();
        assert_eq!(value(&public, "ssl.ca.location"), Some("probe"));
        assert_eq!(value(&mapped, "ssl.ca.location"), None, "nobody but those named is trusted");
        let store = options(&[("ssl.truststore.location", "/x.jks")]);
        assert_eq!(map(Role::Admin, &store).unwrap_err().name, "ssl.truststore.type");
    }

    #[test]
    fn assignors_are_known_by_their_classes() {
        let kafka = "org.apache.kafka.clients.consumer";
        assert_eq!(
            strategy(&format!("{kafka}.RangeAssignor,{kafka}.CooperativeStickyAssignor")),
            Some("range")
        );
        assert_eq!(strategy(&format!("{kafka}.CooperativeStickyAssignor")), Some("cooperative-sticky"));
        assert_eq!(strategy("my.Assignor"), None);
    }
}
