//! The operator's settings: Strimzi's environment variables with Strimzi's defaults (strimzi.md 6.2).

use std::time::Duration;

use api::env::{self, user_operator as names};
use kafka_admin::Sasl;
use operator_runtime::env::{Env, EnvErrors, LabelSelector};
use operator_runtime::kafka::{Connection, IdentitySecret, TlsSettings};
use pki::MaintenanceWindow;
use regex::Regex;

/// What `--help` prints.
pub const HELP: &str = "\
user-operator keeps Kafka users as the KafkaUser resources of one namespace say: certificates or passwords
(in Secrets), ACLs and quotas. It has no arguments but --help and --version; settings are environment variables.

Required
  STRIMZI_NAMESPACE                         namespace of the KafkaUsers
  STRIMZI_CA_CERT_NAME, STRIMZI_CA_KEY_NAME Secrets of the clients CA: certificate (ca.crt) and key (ca.key)

Kafka
  STRIMZI_KAFKA_BOOTSTRAP_SERVERS           host:port,... (localhost:9091)
  STRIMZI_CLUSTER_CA_CERT_SECRET_NAME       Secret with the certificates to trust; without it the connection is plain
  STRIMZI_EO_KEY_SECRET_NAME                Secret with the operator's own certificate
  STRIMZI_EO_CERT_NAME, STRIMZI_EO_KEY_NAME keys in it (entity-operator.crt, entity-operator.key)
  STRIMZI_KAFKA_ADMIN_CLIENT_CONFIGURATION  properties: security.protocol, sasl.mechanism, sasl.jaas.config
  STRIMZI_ACLS_ADMIN_API_SUPPORTED          whether ACLs are managed (true)
  STRIMZI_IGNORED_USERS_PATTERN             regular expression: users in Kafka that are left alone without a resource
  STRIMZI_CACHE_REFRESH_INTERVAL_MS         how often Kafka's side is read anew (15000)

Resources
  STRIMZI_LABELS                            labels a KafkaUser must carry, key=value,...
  STRIMZI_FULL_RECONCILIATION_INTERVAL_MS   time between two looks at everything (120000)
  STRIMZI_SECRET_PREFIX                     put before the names of the users' Secrets

Certificates and passwords
  STRIMZI_CA_NAMESPACE                      namespace of the CA Secrets (STRIMZI_NAMESPACE)
  STRIMZI_CA_VALIDITY, STRIMZI_CA_RENEWAL   days a certificate is valid, and before its end is renewed (365, 30)
  STRIMZI_MAINTENANCE_TIME_WINDOWS          Quartz cron expressions in UTC, separated by ;
  STRIMZI_PKCS12_KEYSTORE_GENERATION        whether Secrets get user.p12 and user.password (true)
  STRIMZI_SCRAM_SHA_PASSWORD_LENGTH         length of generated passwords (32)
  KASTELLAN_USER_KEY_ALGORITHM              ecdsa-p256, rsa-2048 or rsa-4096 (ecdsa-p256)

Tuning
  STRIMZI_BATCH_MAXIMUM_BLOCK_SIZE          users handled together (100)
  STRIMZI_USER_OPERATIONS_THREAD_POOL_SIZE  batches in flight (4)
  STRIMZI_LOG_LEVEL                         ERROR, WARN, INFO, DEBUG or TRACE (INFO)

Health (/healthy, /ready) and metrics (/metrics) are on port 8081.
";

/// Our own variable: how the keys of new user certificates are made.
pub const KEY_ALGORITHM_VARIABLE: &str = "KASTELLAN_USER_KEY_ALGORITHM";

/// What planning has to know.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Put before the names of the users' Secrets.
    pub secret_prefix: String,
    /// Days a certificate is valid.
    pub validity_days: u32,
    /// Days before its end at which it is renewed.
    pub renewal_days: u32,
    /// When certificates may be renewed for age.
    pub windows: Vec<MaintenanceWindow>,
    /// Whether Secrets get a PKCS #12 store.
    pub pkcs12: bool,
    /// Whether ACLs are managed.
    pub acls_supported: bool,
    /// Users in Kafka that are left alone without a resource.
    pub ignored_users: Option<Regex>,
}

/// Everything the operator is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the KafkaUsers.
    pub namespace: String,
    /// Labels a KafkaUser must carry.
    pub selector: LabelSelector,
    /// How to reach Kafka.
    pub kafka: Connection,
    /// Namespace of the clients CA's Secrets.
    pub ca_namespace: String,
    /// Secret with the clients CA's certificate.
    pub ca_cert_secret: String,
    /// Secret with the clients CA's key.
    pub ca_key_secret: String,
    /// What planning has to know.
    pub rules: Rules,
    /// How the keys of new certificates are made.
    pub algorithm: pki::KeyAlgorithm,
    /// Length of generated passwords.
    pub password_length: usize,
    /// Time between two looks at everything.
    pub interval: Duration,
    /// Time between two readings of Kafka's side.
    pub refresh: Duration,
    /// Users handled together.
    pub max_batch: usize,
    /// Batches in flight.
    pub batches: usize,
}

impl Settings {
    /// Reads everything, and reports every mistake at once.
    pub fn from_env(from: &Env) -> Result<Self, EnvErrors> {
        let namespace = from.required(env::NAMESPACE);
        // Bounds that have no meaning here, accepted so that a deployment made for Strimzi starts.
        for (name, default) in [
            (names::WORK_QUEUE_SIZE, 1024),
            (names::CONTROLLER_THREAD_POOL_SIZE, 50),
            (names::BATCH_MAXIMUM_BLOCK_TIME_MS, 100),
        ] {
            from.integer(name, default, 1..=i64::MAX);
        }
        let properties = properties(&from.string(names::KAFKA_ADMIN_CLIENT_CONFIGURATION, ""));
        let algorithm =
            from.choice(KEY_ALGORITHM_VARIABLE, "ecdsa-p256", &["ecdsa-p256", "rsa-2048", "rsa-4096"]);
        let settings = Self {
            selector: from.label_selector(names::LABELS),
            kafka: Connection {
                bootstrap: list(
                    &from.string(env::KAFKA_BOOTSTRAP_SERVERS, env::KAFKA_BOOTSTRAP_SERVERS_DEFAULT),
                ),
                client_id: "strimzi-user-operator".to_owned(),
                tls: from.optional(names::CLUSTER_CA_CERT_SECRET_NAME).map(|trusted_secret| TlsSettings {
                    trusted_secret,
                    identity: from.optional(names::EO_KEY_SECRET_NAME).map(|secret| IdentitySecret {
                        secret,
                        key_name: from.string(names::EO_KEY_NAME, names::EO_KEY_NAME_DEFAULT),
                        certificate_name: from.string(names::EO_CERT_NAME, names::EO_CERT_NAME_DEFAULT),
                    }),
                    verify_hostname: true,
                }),
                sasl: sasl(from, &properties),
                namespace: namespace.clone(),
            },
            ca_namespace: from.string(names::CA_NAMESPACE, &namespace),
            ca_cert_secret: from.required(names::CA_CERT_NAME),
            ca_key_secret: from.required(names::CA_KEY_NAME),
            rules: Rules {
                secret_prefix: from.string(names::SECRET_PREFIX, ""),
                validity_days: from.integer(names::CA_VALIDITY, names::CA_VALIDITY_DEFAULT, 1..=36_500)
                    as u32,
                renewal_days: from.integer(names::CA_RENEWAL, names::CA_RENEWAL_DEFAULT, 1..=36_500) as u32,
                windows: windows(from),
                pkcs12: from.bool(env::PKCS12_KEYSTORE_GENERATION, env::PKCS12_KEYSTORE_GENERATION_DEFAULT),
                acls_supported: from
                    .bool(names::ACLS_ADMIN_API_SUPPORTED, names::ACLS_ADMIN_API_SUPPORTED_DEFAULT),
                ignored_users: ignored_users(from),
            },
            algorithm: match algorithm {
                "rsa-2048" => pki::KeyAlgorithm::Rsa2048,
                "rsa-4096" => pki::KeyAlgorithm::Rsa4096,
                _ => pki::KeyAlgorithm::EcdsaP256,
            },
            password_length: from.integer(
                names::SCRAM_SHA_PASSWORD_LENGTH,
                names::SCRAM_SHA_PASSWORD_LENGTH_DEFAULT as i64,
                8..=1024,
            ) as usize,
            interval: from.duration_ms(env::FULL_RECONCILIATION_INTERVAL_MS, Duration::from_mins(2)),
            refresh: from.duration_ms(
                names::CACHE_REFRESH_INTERVAL_MS,
                Duration::from_millis(names::CACHE_REFRESH_INTERVAL_MS_DEFAULT),
            ),
            max_batch: from.integer(names::BATCH_MAXIMUM_BLOCK_SIZE, 100, 1..=100_000) as usize,
            batches: from.integer("STRIMZI_USER_OPERATIONS_THREAD_POOL_SIZE", 4, 1..=64) as usize,
            namespace,
        };
        from.finish()?;
        Ok(settings)
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn windows(from: &Env) -> Vec<MaintenanceWindow> {
    let text = from.string(names::MAINTENANCE_TIME_WINDOWS, "");
    let mut windows = Vec::new();
    for expression in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        match MaintenanceWindow::parse(expression) {
            Ok(window) => windows.push(window),
            Err(error) => from.error(names::MAINTENANCE_TIME_WINDOWS, Some(&text), &error.to_string()),
        }
    }
    windows
}

fn ignored_users(from: &Env) -> Option<Regex> {
    let pattern = from.optional(names::IGNORED_USERS_PATTERN)?;
    // The whole name has to match, as with Java's `matches`.
    let regex = Regex::new(&format!("^(?:{pattern})$")).ok();
    if regex.is_none() {
        from.error(names::IGNORED_USERS_PATTERN, Some(&pattern), "a regular expression such as admin-.*");
    }
    regex
}

/// Java properties, as far as they are needed: `key=value` lines, `\` at the end continues a line.
fn properties(text: &str) -> Vec<(String, String)> {
    let joined = text.replace("\\\n", "");
    let mut pairs = Vec::new();
    for line in joined.lines().map(str::trim) {
        if line.starts_with('#') || line.starts_with('!') {
            continue;
        }
        if let Some((key, value)) = line.split_once('=') {
            pairs.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    pairs
}

fn sasl(from: &Env, properties: &[(String, String)]) -> Option<Sasl> {
    let get = |name: &str| properties.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let mechanism = get("sasl.mechanism")?;
    let jaas = get("sasl.jaas.config").unwrap_or_default();
    let (Some(username), Some(password)) = (option_of(jaas, "username"), option_of(jaas, "password")) else {
        from.error(
            names::KAFKA_ADMIN_CLIENT_CONFIGURATION,
            None,
            "a sasl.jaas.config with username=\"...\" and password=\"...\" beside sasl.mechanism",
        );
        return None;
    };
    match mechanism {
        "PLAIN" => Some(Sasl::Plain { username, password }),
        "SCRAM-SHA-256" => Some(Sasl::ScramSha256 { username, password }),
        "SCRAM-SHA-512" => Some(Sasl::ScramSha512 { username, password }),
        _ => {
            from.error(
                names::KAFKA_ADMIN_CLIENT_CONFIGURATION,
                None,
                "sasl.mechanism PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
            );
            None
        }
    }
}

/// The value of an option in a JAAS configuration: `name="value"`.
fn option_of(jaas: &str, name: &str) -> Option<String> {
    let (_, rest) = jaas.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn minimal() -> Vec<(&'static str, &'static str)> {
        vec![("STRIMZI_NAMESPACE", "ns"), ("STRIMZI_CA_CERT_NAME", "ca"), ("STRIMZI_CA_KEY_NAME", "key")]
    }

    #[test]
    fn defaults_are_those_of_strimzi() {
        let settings = Settings::from_env(&Env::from_map(minimal())).unwrap();
        assert_eq!(settings.kafka.bootstrap, ["localhost:9091"]);
        assert_eq!((settings.rules.validity_days, settings.rules.renewal_days), (365, 30));
        assert_eq!(settings.password_length, 32);
        assert_eq!(settings.interval, Duration::from_mins(2));
        assert_eq!(settings.refresh, Duration::from_secs(15));
        assert!(settings.rules.pkcs12 && settings.rules.acls_supported && settings.kafka.tls.is_none());
        assert_eq!(settings.ca_namespace, "ns");
    }

    #[test]
    fn every_mistake_is_reported_and_passwords_are_not_shown() {
        let env = Env::from_map([
            ("STRIMZI_CA_VALIDITY", "0"),
            ("STRIMZI_MAINTENANCE_TIME_WINDOWS", "* * 25 ? * MON"),
            ("STRIMZI_IGNORED_USERS_PATTERN", "("),
            (
                "STRIMZI_KAFKA_ADMIN_CLIENT_CONFIGURATION",
                "sasl.mechanism=FOO\nsasl.jaas.config=x username=\"u\" password=\"hidden\";",
            ),
        ]);
        let text = Settings::from_env(&env).unwrap_err().to_string();
        for name in [
            "STRIMZI_NAMESPACE",
            "STRIMZI_CA_CERT_NAME",
            "STRIMZI_CA_VALIDITY",
            "STRIMZI_MAINTENANCE_TIME_WINDOWS",
            "STRIMZI_IGNORED_USERS_PATTERN",
            "STRIMZI_KAFKA_ADMIN_CLIENT_CONFIGURATION",
        ] {
            assert!(text.contains(name), "{name} is missing in {text}");
        }
        assert!(!text.contains("hidden"), "{text}");
    }

    #[test]
    fn sasl_comes_out_of_the_client_configuration() {
        let mut pairs = minimal();
        pairs.push((
            "STRIMZI_KAFKA_ADMIN_CLIENT_CONFIGURATION",
            "sasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config=Module required username=\"u\" password=\"p\";",
        ));
        let settings = Settings::from_env(&Env::from_map(pairs)).unwrap();
        assert!(matches!(settings.kafka.sasl, Some(Sasl::ScramSha512 { username, .. }) if username == "u"));
    }
}
