//! The operator's settings: Strimzi's environment variables with Strimzi's defaults.

use std::time::Duration;

use api::cert_manager::{self, ObjectReference};
use api::env::{self, user_operator as names};
use api::properties::{self, Properties};
use kafka_admin::Sasl;
use operator_runtime::env::{Env, EnvErrors, LabelSelector};
use operator_runtime::jaas::jaas_option;
use operator_runtime::kafka::{Connection, IdentitySecret, TlsSettings};
use operator_runtime::limits::Limits;
use pki::MaintenanceWindow;
use regex::Regex;

/// What `--help` prints.
pub const HELP: &str = "\
user-operator keeps Kafka users as the KafkaUser resources of one namespace say: certificates or passwords
(in Secrets), ACLs and quotas. It has no arguments but --help and --version; settings are environment variables.

Required
  STRIMZI_NAMESPACE                         namespace of the KafkaUsers
  STRIMZI_CA_CERT_NAME, STRIMZI_CA_KEY_NAME Secrets of the clients CA: certificate (ca.crt) and key (ca.key); the key only with STRIMZI_CA_TYPE=strimzi.io

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
  STRIMZI_CA_NAMESPACE                      namespace of the CA and TLS Secrets (STRIMZI_NAMESPACE)
  STRIMZI_CA_TYPE                           who signs: strimzi.io, this operator, or cert-manager.io (strimzi.io)
  KASTELLAN_TRUSTED_CLIENTS_CA              identifier of the clients CA that every broker trusts (as its annotation names it on pods), or
                                            none; until it is that of the present one, users keep their certificates
  STRIMZI_CM_ISSUER_NAME                    the issuer of cert-manager; also STRIMZI_CM_ISSUER_KIND (Issuer) and
                                            STRIMZI_CM_ISSUER_GROUP (cert-manager.io)
  STRIMZI_CA_VALIDITY, STRIMZI_CA_RENEWAL   days a certificate is valid, and before its end is renewed (365, 30)
  STRIMZI_MAINTENANCE_TIME_WINDOWS          Quartz cron expressions in UTC, separated by ;
  STRIMZI_PKCS12_KEYSTORE_GENERATION        whether Secrets get user.p12 and user.password (true)
  STRIMZI_SCRAM_SHA_PASSWORD_LENGTH         length of generated passwords (32)
  KASTELLAN_USER_KEY_ALGORITHM              ecdsa-p256, rsa-2048 or rsa-4096 (ecdsa-p256)

Tuning
  STRIMZI_BATCH_MAXIMUM_BLOCK_SIZE          users handled together (100)
  STRIMZI_USER_OPERATIONS_THREAD_POOL_SIZE  batches in flight (4)
  KASTELLAN_MAX_OBJECT_KIB                  memory that one KafkaUser may take; a larger one is left alone (16384)
  KASTELLAN_MAX_SECRET_KIB                  memory that one Secret with passwords may take that KafkaUsers refer to (512)
  KASTELLAN_MAX_CACHE_MIB                   memory that all KafkaUsers, their Secrets and passwords may take; what does not fit is left alone
                                            (two fifths of the container's memory limit, 1024 without one)
  STRIMZI_LOG_LEVEL                         ERROR, WARN, INFO, DEBUG or TRACE (INFO)
  KASTELLAN_LOG_FORMAT                      text or json (text)

Accepted, and without a meaning here: STRIMZI_WORK_QUEUE_SIZE, STRIMZI_CONTROLLER_THREAD_POOL_SIZE and
STRIMZI_BATCH_MAXIMUM_BLOCK_TIME_MS. The queue has no bound, and a change waits only milliseconds for others.

Health (/healthy, /ready) and metrics (/metrics) are on port 8081.
";

/// What planning has to know.
#[derive(Clone, Debug)]
pub struct PlanSettings {
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
    /// The Kafka cluster whose own Secrets are in the namespace of the users' Secrets, if its name is known.
    pub cluster: Option<String>,
    /// The issuer of cert-manager that signs certificates; `None`: this operator does.
    pub issuer: Option<ObjectReference>,
    /// How the keys of new certificates are made.
    pub algorithm: issuer::KeyAlgorithm,
}

/// Everything the operator is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the KafkaUsers.
    pub namespace: String,
    /// Labels a KafkaUser must carry.
    pub selector: LabelSelector,
    /// Bounds for KafkaUsers in memory.
    pub limits: Limits,
    /// How to reach Kafka.
    pub kafka: Connection,
    /// Namespace of the CA and TLS Secrets: the cluster's, which may be another one than the users'.
    pub ca_namespace: String,
    /// Secret with the clients CA's certificate.
    pub ca_cert_secret: String,
    /// Secret with the clients CA's key; `None`: an issuer signs.
    pub ca_key_secret: Option<String>,
    /// Identifier of the clients CA that every broker trusts; `None`: the Secret with its certificate says it.
    pub trusted_clients_ca: Option<String>,
    /// What planning has to know.
    pub plan: PlanSettings,
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
    /// Keys of the client configuration that are not supported.
    pub ignored_properties: Vec<String>,
}

impl Settings {
    /// Reads everything, and reports every mistake at once.
    pub fn from_env(from: &Env) -> Result<Self, EnvErrors> {
        let namespace = from.required(env::NAMESPACE);
        // Bounds that have no meaning here, accepted so that a deployment made for Strimzi starts.
        for (name, default) in [
            (names::WORK_QUEUE_SIZE, names::WORK_QUEUE_SIZE_DEFAULT),
            (names::CONTROLLER_THREAD_POOL_SIZE, names::CONTROLLER_THREAD_POOL_SIZE_DEFAULT),
            (names::BATCH_MAXIMUM_BLOCK_TIME_MS, names::BATCH_MAXIMUM_BLOCK_TIME_MS_DEFAULT),
        ] {
            from.integer(name, default, 1..=i64::MAX);
        }
        let properties = client_properties(from);
        let ca_namespace = from.string(names::CA_NAMESPACE, &namespace);
        let selector = from.label_selector(names::LABELS);
        let cluster = selector.0.get(api::labels::CLUSTER).filter(|_| ca_namespace == namespace).cloned();
        let issuer = issuer_of(from);
        let settings = Self {
            limits: Limits::from_env(from),
            kafka: connection(from, &properties, &ca_namespace),
            ca_namespace,
            ca_cert_secret: from.required(names::CA_CERT_NAME),
            ca_key_secret: issuer.is_none().then(|| from.required(names::CA_KEY_NAME)),
            trusted_clients_ca: from.optional(names::TRUSTED_CLIENTS_CA),
            plan: PlanSettings { issuer, ..plan_settings(from, cluster) },
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
            max_batch: from.integer(
                names::BATCH_MAXIMUM_BLOCK_SIZE,
                names::BATCH_MAXIMUM_BLOCK_SIZE_DEFAULT,
                1..=100_000,
            ) as usize,
            ignored_properties: unsupported(&properties),
            batches: from.batches(
                names::USER_OPERATIONS_THREAD_POOL_SIZE,
                names::USER_OPERATIONS_THREAD_POOL_SIZE_DEFAULT,
            ),
            selector,
            namespace,
        };
        from.finish()?;
        Ok(settings)
    }
}

/// How Kafka is reached. `namespace` is that of the Secrets with its certificates.
fn connection(from: &Env, properties: &Properties, namespace: &str) -> Connection {
    Connection {
        bootstrap: list(&from.string(env::KAFKA_BOOTSTRAP_SERVERS, env::KAFKA_BOOTSTRAP_SERVERS_DEFAULT)),
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
        sasl: sasl(from, properties, from.optional(names::CLUSTER_CA_CERT_SECRET_NAME).is_some()),
        namespace: namespace.to_owned(),
    }
}

/// What plans depend on. `cluster` is the cluster that the users belong to, where it is known.
fn plan_settings(from: &Env, cluster: Option<String>) -> PlanSettings {
    let algorithms = ["ecdsa-p256", "rsa-2048", "rsa-4096"];
    let algorithm = from.choice(env::own::USER_KEY_ALGORITHM, "ecdsa-p256", &algorithms);
    PlanSettings {
        secret_prefix: from.string(names::SECRET_PREFIX, ""),
        validity_days: from.integer(names::CA_VALIDITY, names::CA_VALIDITY_DEFAULT, 1..=36_500) as u32,
        renewal_days: from.integer(names::CA_RENEWAL, names::CA_RENEWAL_DEFAULT, 1..=36_500) as u32,
        windows: windows(from),
        pkcs12: from.bool(env::PKCS12_KEYSTORE_GENERATION, env::PKCS12_KEYSTORE_GENERATION_DEFAULT),
        acls_supported: from.bool(names::ACLS_ADMIN_API_SUPPORTED, names::ACLS_ADMIN_API_SUPPORTED_DEFAULT),
        ignored_users: ignored_users(from),
        cluster,
        issuer: None,
        algorithm: match algorithm {
            "rsa-2048" => issuer::KeyAlgorithm::Rsa2048,
            "rsa-4096" => issuer::KeyAlgorithm::Rsa4096,
            _ => issuer::KeyAlgorithm::EcdsaP256,
        },
    }
}

/// The issuer of cert-manager, where certificates come from one.
fn issuer_of(from: &Env) -> Option<ObjectReference> {
    let type_ = from.choice(names::CA_TYPE, "strimzi.io", &["strimzi.io", cert_manager::GROUP]);
    (type_ == cert_manager::GROUP).then(|| ObjectReference {
        group: from.string(names::CM_ISSUER_GROUP, cert_manager::GROUP),
        kind: from.string(names::CM_ISSUER_KIND, cert_manager::ISSUER),
        name: from.required(names::CM_ISSUER_NAME),
    })
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

/// The configuration of Kafka's client. An error names a line and not its text, which may hold a password.
fn client_properties(from: &Env) -> Properties {
    let text = from.string(names::KAFKA_ADMIN_CLIENT_CONFIGURATION, "");
    properties::parse(&text).unwrap_or_else(|error| {
        from.error(names::KAFKA_ADMIN_CLIENT_CONFIGURATION, None, &error.to_string());
        Properties::default()
    })
}

/// Keys of the client configuration that have no meaning here.
fn unsupported(properties: &Properties) -> Vec<String> {
    let known = ["security.protocol", "sasl.mechanism", "sasl.jaas.config"];
    properties.iter().map(|(key, _)| key.to_owned()).filter(|key| !known.contains(&key.as_str())).collect()
}

/// What the properties of Kafka's client say, as far as it is supported.
fn sasl(from: &Env, properties: &Properties, tls: bool) -> Option<Sasl> {
    let get = |name: &str| properties.get(name);
    let wrong = |instead: &str| from.error(names::KAFKA_ADMIN_CLIENT_CONFIGURATION, None, instead);
    let mechanism = get("sasl.mechanism");
    match (get("security.protocol"), tls, mechanism.is_some()) {
        (None, _, _)
        | (Some("PLAINTEXT"), false, false)
        | (Some("SSL"), true, false)
        | (Some("SASL_PLAINTEXT"), false, true)
        | (Some("SASL_SSL"), true, true) => {}
        (Some("SSL" | "SASL_SSL"), false, _) => wrong(
            "security.protocol asks for TLS: name the Secret with the certificates to trust in STRIMZI_CLUSTER_CA_CERT_SECRET_NAME",
        ),
        (Some("PLAINTEXT" | "SASL_PLAINTEXT"), true, _) => wrong(
            "STRIMZI_CLUSTER_CA_CERT_SECRET_NAME asks for TLS, security.protocol does not: write SSL or SASL_SSL, or name no Secret",
        ),
        (Some("PLAINTEXT" | "SSL"), _, true) => {
            wrong(
                "sasl.mechanism asks for SASL, security.protocol does not: write SASL_PLAINTEXT or SASL_SSL",
            );
        }
        (Some("SASL_PLAINTEXT" | "SASL_SSL"), _, false) => {
            wrong("security.protocol asks for SASL: write a sasl.mechanism and a sasl.jaas.config");
        }
        (Some(_), _, _) => wrong("security.protocol PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
    }
    let mechanism = mechanism?;
    let jaas = get("sasl.jaas.config").unwrap_or_default();
    let (Some(username), Some(password)) = (jaas_option(jaas, "username"), jaas_option(jaas, "password"))
    else {
        wrong("a sasl.jaas.config with username=\"...\" and password=\"...\" beside sasl.mechanism");
        return None;
    };
    let sasl = Sasl::of(mechanism, username, password);
    if sasl.is_none() {
        wrong("sasl.mechanism PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
    }
    sasl
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_help_names_the_port_of_the_deployment() {
        assert!(HELP.contains(&format!("are on port {}.", api::ports::USER_OPERATOR_HTTP)));
    }

    fn minimal() -> Vec<(&'static str, &'static str)> {
        vec![("STRIMZI_NAMESPACE", "ns"), ("STRIMZI_CA_CERT_NAME", "ca"), ("STRIMZI_CA_KEY_NAME", "key")]
    }

    #[test]
    fn defaults_are_those_of_strimzi() {
        let settings = Settings::from_env(&Env::from_map(minimal())).unwrap();
        assert_eq!(settings.kafka.bootstrap, ["localhost:9091"]);
        assert_eq!((settings.plan.validity_days, settings.plan.renewal_days), (365, 30));
        assert_eq!(settings.password_length, 32);
        assert_eq!(settings.interval, Duration::from_mins(2));
        assert_eq!(settings.refresh, Duration::from_secs(15));
        assert!(settings.plan.pkcs12 && settings.plan.acls_supported && settings.kafka.tls.is_none());
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

    #[test]
    fn the_secrets_for_kafka_are_in_the_namespace_of_the_cluster() {
        let mut pairs = minimal();
        pairs.extend([("STRIMZI_CA_NAMESPACE", "kafka"), ("STRIMZI_CLUSTER_CA_CERT_SECRET_NAME", "trusted")]);
        let settings = Settings::from_env(&Env::from_map(pairs)).unwrap();
        assert_eq!((settings.namespace.as_str(), settings.kafka.namespace.as_str()), ("ns", "kafka"));
        let settings = Settings::from_env(&Env::from_map(minimal())).unwrap();
        assert_eq!(settings.kafka.namespace, "ns");
    }

    fn with_properties(properties: &'static str, trusted: bool) -> Result<Settings, EnvErrors> {
        let mut pairs = minimal();
        pairs.push(("STRIMZI_KAFKA_ADMIN_CLIENT_CONFIGURATION", properties));
        pairs.extend(trusted.then_some(("STRIMZI_CLUSTER_CA_CERT_SECRET_NAME", "trusted")));
        Settings::from_env(&Env::from_map(pairs))
    }

    #[test]
    fn a_protocol_that_the_other_settings_contradict_is_refused() {
        const SASL: &str = "sasl.mechanism=PLAIN\nsasl.jaas.config=M required username=\"u\" password=\"p\";";
        for (protocol, sasl, trusted, expected) in [
            ("PLAINTEXT", false, false, None),
            ("SSL", false, true, None),
            ("SASL_PLAINTEXT", true, false, None),
            ("SASL_SSL", true, true, None),
            ("SSL", false, false, Some("STRIMZI_CLUSTER_CA_CERT_SECRET_NAME")),
            ("SASL_SSL", true, false, Some("STRIMZI_CLUSTER_CA_CERT_SECRET_NAME")),
            ("PLAINTEXT", false, true, Some("asks for TLS")),
            ("SASL_PLAINTEXT", true, true, Some("asks for TLS")),
            ("SSL", true, true, Some("asks for SASL")),
            ("SASL_SSL", false, true, Some("asks for SASL")),
            ("TLS", false, true, Some("SASL_PLAINTEXT or SASL_SSL")),
        ] {
            let text = format!("security.protocol={protocol}\n{}", if sasl { SASL } else { "" });
            let read = with_properties(text.leak(), trusted).map_err(|error| error.to_string());
            match expected {
                None => assert!(read.is_ok(), "{protocol}: {read:?}"),
                Some(expected) => assert!(read.unwrap_err().contains(expected), "{protocol}"),
            }
        }
    }

    #[test]
    fn keys_that_are_not_supported_are_named() {
        let read = with_properties("request.timeout.ms=60000\nsecurity.protocol=PLAINTEXT", false).unwrap();
        assert_eq!(read.ignored_properties, ["request.timeout.ms"]);
    }

    #[test]
    fn a_password_with_quotes_is_taken_as_kafka_takes_it() {
        let text = r#"sasl.mechanism=PLAIN
            sasl.jaas.config=M required username="u" password="a\\"b";"#;
        match with_properties(text, false).unwrap().kafka.sasl {
            Some(Sasl::Plain { password, .. }) => assert_eq!(password, "a\"b"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_client_configuration_is_read_as_java_reads_it() {
        const JAAS: &str = r#"M required username="u" password="p";"#;
        for text in [
            format!("sasl.mechanism:PLAIN\nsasl.jaas.config {JAAS}"),
            format!("sasl\\.mechanism=PLAIN\nsasl.jaas\\u002econfig = {JAAS}"),
            format!("sasl.mechanism=GSSAPI\nsasl.jaas.config=\\\r\n   {JAAS}\r\nsasl.mechanism=PLAIN"),
        ] {
            match with_properties(text.clone().leak(), false).map(|settings| settings.kafka.sasl) {
                Ok(Some(Sasl::Plain { username, password })) => {
                    assert_eq!((&*username, &*password), ("u", "p"));
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_java_does_not_read_is_refused_by_its_line_without_the_password() {
        let text = "sasl.mechanism=PLAIN\nsasl.jaas.config=M required username=\"u\" password=\"hid\\uden\";";
        let error = with_properties(text, false).unwrap_err().to_string();
        assert!(
            error.contains("STRIMZI_KAFKA_ADMIN_CLIENT_CONFIGURATION") && error.contains("line 2"),
            "{error}"
        );
        assert!(!error.contains("hid"), "{error}");
    }
}
