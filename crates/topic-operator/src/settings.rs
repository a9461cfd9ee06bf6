//! The operator's settings: Strimzi's environment variables with Strimzi's defaults, and two of our own.

use std::time::Duration;

use kafka_admin::Sasl;
use operator_runtime::{
    env::{Env, EnvErrors, LabelSelector},
    jaas::jaas_option,
    kafka::{Connection, IdentitySecret, TlsSettings},
    limits::Limits,
};

use api::env::{self, topic_operator as names};

use crate::config::Alterable;

/// Memory that the values of one KafkaTopic may take, in KiB: far more than all options of a topic.
const LARGEST_TOPIC_KIB: i64 = 1024;

/// 50 MiB per second and broker: a gigabit link stays usable for clients.
const DEFAULT_THROTTLE: i64 = 50 * 1024 * 1024;

/// A namespace that may be served, from the cluster's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The namespace.
    pub namespace: String,
    /// What its topics' names have to start with; empty: any name.
    pub prefix: String,
}

impl Guest {
    /// Reads `namespace` or `namespace=prefix`.
    pub fn parse(text: &str) -> Self {
        let (namespace, prefix) = text.split_once('=').unwrap_or((text, ""));
        Self { namespace: namespace.trim().into(), prefix: prefix.trim().into() }
    }
}

/// What the operator's settings say about planning.
#[derive(Clone, Debug)]
pub struct PlanSettings {
    /// Whether resources get a finalizer (`STRIMZI_USE_FINALIZERS`).
    pub use_finalizers: bool,
    /// Which keys may be altered (`STRIMZI_ALTERABLE_TOPIC_CONFIG`).
    pub alterable: Alterable,
    /// Whether Cruise Control is there and sets throttles of its own (`STRIMZI_CRUISE_CONTROL_ENABLED`).
    pub cruise_control: bool,
    /// The namespace that the cluster ends with (`STRIMZI_CLUSTER_NAMESPACE`).
    pub cluster_namespace: Box<str>,
}

/// Everything the operator is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace whose KafkaTopics are served.
    pub namespace: String,
    /// Namespace of the Kafka resource and the TLS Secrets.
    pub cluster_namespace: String,
    /// Labels a KafkaTopic must carry.
    pub selector: LabelSelector,
    /// What KafkaTopics may take in memory: one of them, and all of them.
    pub limits: Limits,
    /// Further namespaces that may grant their KafkaTopics to this operator.
    pub guests: Vec<Guest>,
    /// How to reach Kafka.
    pub kafka: Connection,
    /// Time between two looks at everything.
    pub interval: Duration,
    /// What planning has to know.
    pub plan: PlanSettings,
    /// The most resources in a batch caused by events.
    pub max_batch: usize,
    /// Batches in flight.
    pub batches: usize,
    /// Whether each kind of remote call gets a timer of its own.
    pub additional_metrics: bool,
    /// Skip the start-up look at the cluster's configuration.
    pub skip_review: bool,
    /// Bytes per second and broker for own reassignments; none: unlimited.
    pub throttle: Option<u64>,
}

impl Settings {
    /// Reads everything, and reports every mistake at once.
    pub fn from_env(from: &Env) -> Result<Self, EnvErrors> {
        let namespace = from.required(env::NAMESPACE);
        let cluster_namespace = from.string(names::CLUSTER_NAMESPACE, &namespace);
        from.required(env::KAFKA_BOOTSTRAP_SERVERS);
        let protocol =
            from.choice(names::SECURITY_PROTOCOL, "", &["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]);
        let throttle = from.integer(env::own::REASSIGNMENT_THROTTLE, DEFAULT_THROTTLE, 0..=i64::MAX);
        // Accepted so that a deployment made for Strimzi starts; the reason stands in HELP.
        from.integer(names::MAX_QUEUE_SIZE, names::MAX_QUEUE_SIZE_DEFAULT, 1..=i64::MAX);
        from.duration_ms(
            names::MAX_BATCH_LINGER_MS,
            Duration::from_millis(names::MAX_BATCH_LINGER_MS_DEFAULT),
        );
        let settings = Self {
            guests: from
                .list(env::own::TOPIC_NAMESPACES)
                .iter()
                .map(|text| Guest::parse(text))
                .filter(|guest| guest.namespace != namespace)
                .collect(),
            kafka: Connection {
                bootstrap: from.list(env::KAFKA_BOOTSTRAP_SERVERS),
                client_id: from.string(
                    names::CLIENT_ID,
                    &format!("{}{}", names::CLIENT_ID_PREFIX, kafka_admin::Uuid::new_v4()),
                ),
                tls: protocol.ends_with("SSL").then(|| tls(from)),
                sasl: sasl(from, protocol),
                namespace: cluster_namespace.clone(),
            },
            selector: from.label_selector(names::RESOURCE_LABELS),
            limits: Limits::with_objects_of(from, LARGEST_TOPIC_KIB),
            interval: from.duration_ms(env::FULL_RECONCILIATION_INTERVAL_MS, Duration::from_mins(2)),
            plan: PlanSettings {
                use_finalizers: from.bool(names::USE_FINALIZERS, names::USE_FINALIZERS_DEFAULT),
                alterable: Alterable::parse(
                    &from.string(names::ALTERABLE_TOPIC_CONFIG, names::ALTERABLE_TOPIC_CONFIG_DEFAULT),
                ),
                cruise_control: from.bool(names::CRUISE_CONTROL_ENABLED, false),
                cluster_namespace: cluster_namespace.as_str().into(),
            },
            cluster_namespace,
            max_batch: from.integer(names::MAX_BATCH_SIZE, names::MAX_BATCH_SIZE_DEFAULT, 1..=100_000)
                as usize,
            batches: from.batches(
                names::TOPIC_OPERATIONS_THREAD_POOL_SIZE,
                names::TOPIC_OPERATIONS_THREAD_POOL_SIZE_DEFAULT,
            ),
            additional_metrics: from
                .bool(names::ENABLE_ADDITIONAL_METRICS, names::ENABLE_ADDITIONAL_METRICS_DEFAULT),
            skip_review: from
                .bool(names::SKIP_CLUSTER_CONFIG_REVIEW, names::SKIP_CLUSTER_CONFIG_REVIEW_DEFAULT),
            throttle: (throttle > 0).then_some(throttle as u64),
            namespace,
        };
        from.finish()?;
        Ok(settings)
    }

    /// The cluster's namespace and name; the name is empty when the labels name none.
    pub fn cluster(&self) -> (String, String) {
        (self.cluster_namespace.clone(), self.cluster_name().unwrap_or_default().to_owned())
    }

    /// The name of the Kafka resource, when the labels name one.
    pub fn cluster_name(&self) -> Option<&str> {
        self.selector.0.get(api::labels::CLUSTER).map(String::as_str)
    }
}

fn tls(from: &Env) -> TlsSettings {
    let trusted_secret = from.string(names::TLS_TRUSTED_CERTS_SECRET_NAME, "");
    if trusted_secret.is_empty() {
        from.error(
            names::TLS_TRUSTED_CERTS_SECRET_NAME,
            None,
            "STRIMZI_SECURITY_PROTOCOL asks for TLS: name the Secret with the certificates to trust, such as my-cluster-cluster-ca-cert",
        );
    }
    let key_of = |name| {
        let key = from.string(name, "");
        if key.is_empty() {
            from.error(name, None, "STRIMZI_TLS_SECRET_NAME is set: name the key in that Secret");
        }
        key
    };
    TlsSettings {
        trusted_secret,
        identity: from.optional(names::TLS_SECRET_NAME).map(|secret| IdentitySecret {
            secret,
            key_name: key_of(names::TLS_KEY_NAME),
            certificate_name: key_of(names::TLS_CERT_NAME),
        }),
        // The Java client's own rule: HTTPS checks the name, an empty value does not. Empty counts as unset here, so
        // "none" is the way to say it.
        verify_hostname: from
            .choice(names::SSL_ENDPOINT_IDENTIFICATION_ALGORITHM, "HTTPS", &["HTTPS", "none"])
            .eq("HTTPS"),
    }
}

fn sasl(from: &Env, protocol: &str) -> Option<Sasl> {
    if !from.bool(names::SASL_ENABLED, false) && !protocol.starts_with("SASL") {
        return None;
    }
    let mut mechanism = from.string(names::SASL_MECHANISM, "");
    let mut username = from.string(names::SASL_USERNAME, "");
    let mut password = from.string(names::SASL_PASSWORD, "");
    if let Some(custom) = from.optional(names::SASL_CUSTOM_CONFIG_JSON) {
        match custom_sasl(&custom) {
            Ok(custom) => {
                mechanism = custom.mechanism.unwrap_or(mechanism);
                username = custom.username.unwrap_or(username);
                password = custom.password.unwrap_or(password);
            }
            // The value may hold a password: it is not repeated.
            Err(instead) => from.error(names::SASL_CUSTOM_CONFIG_JSON, None, &instead),
        }
    }
    if username.is_empty() {
        from.error(names::SASL_USERNAME, None, "SASL is on: write the user's name");
    }
    if password.is_empty() {
        from.error(names::SASL_PASSWORD, None, "SASL is on: write the user's password");
    }
    let sasl = Sasl::of(&mechanism, username, password);
    if sasl.is_none() {
        let instead = "write plain, scram-sha-256 or scram-sha-512";
        from.error(names::SASL_MECHANISM, Some(&mechanism), instead);
    }
    sasl
}

#[derive(Default)]
struct CustomSasl {
    mechanism: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

/// Reads what can be used out of a JSON object of Kafka client settings; only keys that start with `sasl.` are allowed.
fn custom_sasl(json: &str) -> Result<CustomSasl, String> {
    let values: std::collections::BTreeMap<String, String> = serde_json::from_str(json).map_err(|_| {
        "write a JSON object whose values are texts, such as {\"sasl.mechanism\":\"PLAIN\"}".to_owned()
    })?;
    let mut out = CustomSasl::default();
    for (key, value) in values {
        match key.as_str() {
            "sasl.mechanism" => out.mechanism = Some(value),
            "sasl.jaas.config" => {
                out.username = jaas_option(&value, "username");
                out.password = jaas_option(&value, "password");
            }
            key if !key.starts_with("sasl.") => {
                return Err(format!("'{key}' is not allowed: only keys that start with sasl."));
            }
            key => return Err(format!("'{key}' is not supported: use sasl.mechanism and sasl.jaas.config")),
        }
    }
    Ok(out)
}

/// What `--help` prints.
pub const HELP: &str = "\
Keeps Kafka topics as KafkaTopic resources say: creates and alters topics, adds partitions, changes replication
factors, deletes topics. Topics without a KafkaTopic are never touched.

Usage: topic-operator [--help | --version]

Everything is set through environment variables. Required:
  STRIMZI_NAMESPACE                        namespace of the KafkaTopics
  STRIMZI_KAFKA_BOOTSTRAP_SERVERS          host:port, several separated by commas
What is served:
  STRIMZI_RESOURCE_LABELS                  labels a KafkaTopic must carry, as key=value,...   (all)
  STRIMZI_CLUSTER_NAMESPACE                namespace of the Kafka resource and the TLS Secrets (STRIMZI_NAMESPACE)
  KASTELLAN_TOPIC_NAMESPACES               further namespaces, as namespace or namespace=prefix,...; each has to
                                           grant it with a ConfigMap kastellan-topic-grant    (none)
  STRIMZI_USE_FINALIZERS                   delete topics reliably by a finalizer              (true)
  STRIMZI_ALTERABLE_TOPIC_CONFIG           ALL, NONE, or keys that may be altered             (ALL)
Connection:
  STRIMZI_SECURITY_PROTOCOL                PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL         (PLAINTEXT)
  STRIMZI_TLS_TRUSTED_CERTS_SECRET_NAME    Secret with certificates to trust (*.crt)
  STRIMZI_TLS_SECRET_NAME, STRIMZI_TLS_KEY_NAME, STRIMZI_TLS_CERT_NAME
                                           Secret with the operator's certificate, and its keys
  STRIMZI_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM   HTTPS, or none                              (HTTPS)
  STRIMZI_SASL_ENABLED, STRIMZI_SASL_MECHANISM (plain, scram-sha-256, scram-sha-512), STRIMZI_SASL_USERNAME,
  STRIMZI_SASL_PASSWORD, STRIMZI_SASL_CUSTOM_CONFIG_JSON
  STRIMZI_CLIENT_ID                        client id shown to brokers                         (strimzi-topic-operator-<uuid>)
Work:
  STRIMZI_FULL_RECONCILIATION_INTERVAL_MS  time between two looks at everything               (120000)
  STRIMZI_MAX_BATCH_SIZE                   resources in a batch                               (100)
  STRIMZI_TOPIC_OPERATIONS_THREAD_POOL_SIZE  batches in flight                                (4)
  STRIMZI_MAX_QUEUE_SIZE, STRIMZI_MAX_BATCH_LINGER_MS
                                           accepted and not used: the queue has no bound, and a batch never waits
  KASTELLAN_REASSIGNMENT_THROTTLE_BYTES_PER_SECOND
                                           copying of replicas per broker, 0 for no limit     (52428800)
  STRIMZI_CRUISE_CONTROL_ENABLED           leave throttles of topics to Cruise Control; replication factors are
                                           changed by this operator either way                (false)
  STRIMZI_SKIP_CLUSTER_CONFIG_REVIEW       no look at auto.create.topics.enable at the start  (false)
  KASTELLAN_MAX_OBJECT_KIB                 memory that one KafkaTopic may take; a larger one is left alone (1024)
  KASTELLAN_MAX_CACHE_MIB                  memory that all KafkaTopics may take, half of it in equal shares for the namespaces;
                                           what does not fit is left alone
                                           (two fifths of the container's memory limit, 1024 without one)
Insight:
  STRIMZI_ENABLE_ADDITIONAL_METRICS        a timer for each kind of remote call               (false)
  STRIMZI_LOG_LEVEL                        OFF, ERROR, WARN, INFO, DEBUG, TRACE               (INFO)
  KASTELLAN_LOG_FORMAT                     text or json                                       (text)

GET :8080/healthy, /ready and /metrics tell how it goes.
";

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [(&str, &str); 2] =
        [("STRIMZI_NAMESPACE", "ns"), ("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", "a:9091, b:9091")];

    fn read(more: &[(&str, &str)]) -> Result<Settings, EnvErrors> {
        Settings::from_env(&Env::from_map(REQUIRED.iter().chain(more).copied()))
    }

    #[test]
    fn the_help_names_the_port_of_the_deployment() {
        assert!(HELP.contains(&format!("GET :{}/healthy", api::ports::TOPIC_OPERATOR_HTTP)));
    }

    #[test]
    fn the_defaults_are_strimzis() {
        let s = read(&[]).unwrap();
        assert_eq!(s.kafka.bootstrap, ["a:9091", "b:9091"]);
        assert_eq!(s.cluster_namespace, "ns");
        assert_eq!(s.interval, Duration::from_mins(2));
        assert!(s.kafka.client_id.starts_with("strimzi-topic-operator-"));
        assert!(
            s.plan.use_finalizers
                && !s.plan.cruise_control
                && s.kafka.tls.is_none()
                && s.kafka.sasl.is_none()
        );
        assert_eq!((s.max_batch, s.batches, s.plan.alterable.clone()), (100, 4, Alterable::All));
        assert!(!s.additional_metrics && !s.skip_review);
        assert_eq!(s.throttle, Some(52_428_800));
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let env =
            Env::from_map([("STRIMZI_SECURITY_PROTOCOL", "SSL"), ("STRIMZI_USE_FINALIZERS", "perhaps")]);
        let text = Settings::from_env(&env).unwrap_err().to_string();
        for name in [
            "STRIMZI_NAMESPACE",
            "STRIMZI_KAFKA_BOOTSTRAP_SERVERS",
            "STRIMZI_TLS_TRUSTED_CERTS_SECRET_NAME",
            "STRIMZI_USE_FINALIZERS",
        ] {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn the_settings_of_an_entity_operator_pod_are_understood() {
        let s = read(&[
            ("STRIMZI_RESOURCE_LABELS", "strimzi.io/cluster=my"),
            ("STRIMZI_SECURITY_PROTOCOL", "SSL"),
            ("STRIMZI_TLS_TRUSTED_CERTS_SECRET_NAME", "my-cluster-ca-cert"),
            ("STRIMZI_TLS_SECRET_NAME", "my-entity-topic-operator-certs"),
            ("STRIMZI_TLS_KEY_NAME", "entity-operator.key"),
            ("STRIMZI_TLS_CERT_NAME", "entity-operator.crt"),
        ])
        .unwrap();
        assert_eq!(s.cluster_name(), Some("my"));
        assert!(s.kafka.tls.unwrap().verify_hostname);
    }

    #[test]
    fn sasl_takes_its_user_from_variables_or_from_the_custom_configuration() {
        let s = read(&[
            ("STRIMZI_SASL_ENABLED", "true"),
            ("STRIMZI_SASL_MECHANISM", "scram-sha-512"),
            ("STRIMZI_SASL_USERNAME", "u"),
            ("STRIMZI_SASL_PASSWORD", "p"),
        ])
        .unwrap();
        assert!(matches!(s.kafka.sasl, Some(Sasl::ScramSha512 { .. })));
        let custom = r#"{"sasl.mechanism":"PLAIN","sasl.jaas.config":"x.PlainLoginModule required username=\"u\" password=\"a\\\"b\";"}"#;
        let s = read(&[
            ("STRIMZI_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            ("STRIMZI_SASL_CUSTOM_CONFIG_JSON", custom),
        ])
        .unwrap();
        match s.kafka.sasl {
            Some(Sasl::Plain { username, password }) => assert_eq!((&*username, &*password), ("u", "a\"b")),
            other => panic!("{other:?}"),
        }
        let text = read(&[
            ("STRIMZI_SASL_ENABLED", "true"),
            ("STRIMZI_SASL_CUSTOM_CONFIG_JSON", r#"{"ssl.x":"secret"}"#),
        ])
        .unwrap_err()
        .to_string();
        assert!(text.contains("'ssl.x' is not allowed") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn the_help_names_every_variable_that_is_read() {
        let source = include_str!("settings.rs");
        let code = source.split("#[cfg(test)]").next().unwrap();
        let readers = code.split("/// What `--help` prints.").next().unwrap();
        for part in readers.split("names::").skip(1).chain(readers.split("env::").skip(1)) {
            let name: String = part.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            let is_variable = !name.ends_with("_DEFAULT") && !name.ends_with("_PREFIX");
            assert!(!is_variable || HELP.contains(&format!("STRIMZI_{name}")), "{name}");
        }
        assert!(HELP.contains(env::own::REASSIGNMENT_THROTTLE) && HELP.contains(env::own::TOPIC_NAMESPACES));
    }
}
