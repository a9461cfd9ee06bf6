//! The environment of the cluster operator, with the names of Strimzi, as values that cannot be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api::env::{self, own};
use api::limits::{is_dns_label, is_dns_name};
use operator_runtime::env::{Env, EnvErrors, LabelSelector, Namespaces};
use operator_runtime::leader::LeaderConfig;
use operator_runtime::limits::Limits;

use crate::evictions::settings::EvictionSettings;
use crate::kafka::admin_clients as clients;
use crate::kafka_connector::addresses::ConnectAddresses;
use planner::kafka::cluster::OperatorRolls;
use planner::settings::{ImageBuildSettings, PlanSettings};
use planner::versions;

/// What `--help` prints.
pub const HELP: &str = "\
Runs Apache Kafka clusters from Kafka and KafkaNodePool resources.

Usage: cluster-operator [--help | --version]

The operator is configured by environment variables, which the Helm chart sets. The most important ones:

  STRIMZI_NAMESPACE                        namespaces to watch, separated by commas; * for all (default)
  KASTELLAN_OPERATOR_IMAGE                 image with the binaries of Kastellan (required)
  KASTELLAN_KAFKA_IMAGE                    Kafka's image without its tag (default apache/kafka)
  STRIMZI_KAFKA_IMAGES                     images by version, for example 4.3.1=registry/kafka:4.3.1
  KASTELLAN_ENVOY_IMAGE                    image of Envoy, for listeners with a single address
  STRIMZI_FULL_RECONCILIATION_INTERVAL_MS  time between two passes over everything (default 120000)
  STRIMZI_LEADER_ELECTION_ENABLED          true: only the holder of the Lease works (default false)
  KASTELLAN_OBJECT_OVERRIDES               true: Kafka resources may patch generated objects (default false)
  KASTELLAN_MIRROR_LAG                     true: sources of KafkaMirrorMaker2 resources are asked how far their mirrors are
                                           (default false)
  KASTELLAN_EVICTION_WEBHOOK               true: asked before pods are evicted, on port 8443, or KASTELLAN_EVICTION_WEBHOOK_PORT:
                                           nodes of Kafka are restarted instead (default false)
  KASTELLAN_OPERATOR_ROLLS                 what clusters wait for before a new version of the operator restarts their pods, unless
                                           they say it themselves: false (default), approval, window or turn
  KASTELLAN_OPERATOR_ROLLS_CANARIES        of those that wait for their turn, the clusters that go first: namespace/name,…
  KASTELLAN_OPERATOR_ROLLS_AT_ONCE         and how many go at a time (default 1)
  STRIMZI_LOG_LEVEL                        INFO (default), DEBUG, TRACE, WARN, ERROR
  KASTELLAN_LOG_FORMAT                     text (default) or json

Bounds for what one tenant may make the operator hold in memory. What is beyond them is left alone, and says so:

  KASTELLAN_MAX_CACHE_MIB                  all watched objects (default: two fifths of the container's memory limit,
                                           1024 without one); half of it is divided among the namespaces
  KASTELLAN_MAX_OBJECT_KIB                 one object (default 16384)
  KASTELLAN_MAX_SECRET_KIB                 one Secret or ConfigMap of a cluster (default 512)
  KASTELLAN_MAX_CLUSTER_MIB                all objects with the labels of one cluster, while a pass reads them (default 64)
  KASTELLAN_MAX_REFERENCES                 Secrets and ConfigMaps of the user's own that one cluster refers to (default 100)
  KASTELLAN_MAX_NODES                      nodes that one cluster may grow to (default 300)
  KASTELLAN_MAX_WISHED_IDS                 node ids in one annotation for node ids (default 10000)
  KASTELLAN_MAX_ANSWER_MIB                 one answer of a broker (default 16); it may take three times as much once it
                                           is read, and the clusters read four such answers at a time

It serves /healthy, /ready and /metrics on port 8080; KASTELLAN_HTTP_PORT names another one.
";

/// All settings of the process.
#[derive(Debug)]
pub struct Settings {
    /// Which namespaces are watched.
    pub namespaces: Namespaces,
    /// Labels that a Kafka resource must have to be handled.
    pub selector: LabelSelector,
    /// Time between two passes over everything.
    pub resync: Duration,
    /// Longest time for one pass.
    pub pass_deadline: Duration,
    /// Only the pod-set controller runs.
    pub pod_sets_only: bool,
    /// Name of this process in events.
    pub operator_name: String,
    /// Leader election; `None`: this process is the only one.
    pub leader: Option<LeaderConfig>,
    /// Port of health and metrics.
    pub http_port: u16,
    /// Bounds for what is held in memory.
    pub limits: Limits,
    /// Longest answer of a broker that is read, in bytes.
    pub longest_answer: usize,
    /// Whether sources are asked how far their mirrors are.
    pub mirror_lag: bool,
    /// The webhook for evictions; `None`: it is off.
    pub evictions: Option<EvictionSettings>,
    /// Where the REST APIs of Connect clusters are.
    pub connect_addresses: ConnectAddresses,
    /// In which order a new version of the operator restarts clusters.
    pub turns: TurnSettings,
    /// What plans depend on.
    pub plan: Arc<PlanSettings>,
}

/// In which order the pods of clusters restart that wait for their turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnSettings {
    /// Clusters that go before all others, as `namespace/name`.
    pub canaries: BTreeSet<String>,
    /// Clusters that go at a time.
    pub at_once: usize,
}

impl TurnSettings {
    fn from_env(env: &Env, namespaces: &Namespaces) -> Self {
        let canaries: BTreeSet<String> = env.list(own::OPERATOR_ROLLS_CANARIES).into_iter().collect();
        for word in &canaries {
            let (namespace, name) = word.split_once('/').unwrap_or_default();
            if !is_dns_label(namespace) || !is_dns_name(name) {
                let instead =
                    "write the namespace and the name of each Kafka resource, such as staging/my-cluster";
                env.error(own::OPERATOR_ROLLS_CANARIES, Some(word), instead);
            } else if !namespaces.contains(namespace) {
                let instead = format!("write clusters in the namespaces of {} only", env::NAMESPACE);
                env.error(own::OPERATOR_ROLLS_CANARIES, Some(word), &instead);
            }
        }
        Self { canaries, at_once: env.integer(own::OPERATOR_ROLLS_AT_ONCE, 1, 1..=10_000) as usize }
    }
}

impl Settings {
    /// Reads the environment; all errors at once.
    pub fn from_env(env: &Env) -> Result<Self, EnvErrors> {
        let deadline = env::OPERATION_TIMEOUT_MS_DEFAULT;
        let limits = Limits::from_env(env);
        let namespaces = env.namespaces(env::NAMESPACE);
        let settings = Self {
            turns: TurnSettings::from_env(env, &namespaces),
            namespaces,
            selector: env.label_selector(env::CUSTOM_RESOURCE_SELECTOR),
            resync: env.duration_ms(
                env::FULL_RECONCILIATION_INTERVAL_MS,
                Duration::from_millis(env::FULL_RECONCILIATION_INTERVAL_MS_DEFAULT),
            ),
            pass_deadline: env.duration_ms(env::OPERATION_TIMEOUT_MS, Duration::from_millis(deadline)),
            pod_sets_only: env
                .bool(env::POD_SET_RECONCILIATION_ONLY, env::POD_SET_RECONCILIATION_ONLY_DEFAULT),
            operator_name: env.string(env::OPERATOR_NAME, env::OPERATOR_NAME_DEFAULT),
            leader: LeaderConfig::from_env(env),
            http_port: env.integer(own::HTTP_PORT, i64::from(api::ports::CLUSTER_OPERATOR_HTTP), 0..=65_535)
                as u16,
            longest_answer: env.integer(own::MAX_ANSWER_MIB, clients::MAX_ANSWER_DEFAULT, 1..=1024) as usize
                * 1024
                * 1024,
            mirror_lag: env.bool(own::MIRROR_LAG, false),
            evictions: EvictionSettings::from_env(env),
            connect_addresses: ConnectAddresses::from_env(env),
            plan: Arc::new(plan_settings(env, &limits)),
            limits,
        };
        env.finish()?;
        Ok(settings)
    }
}

fn plan_settings(env: &Env, limits: &Limits) -> PlanSettings {
    let operator_image = env.required(own::OPERATOR_IMAGE);
    let mut shared_environment = BTreeMap::new();
    for name in env::SHARED {
        if let Some(value) = env.optional(name) {
            shared_environment.insert(name.to_owned(), without_credentials(&value));
        }
    }
    PlanSettings {
        operator_version: env!("CARGO_PKG_VERSION").to_owned(),
        operator_image,
        topic_operator_image: env.optional(env::DEFAULT_TOPIC_OPERATOR_IMAGE),
        user_operator_image: env.optional(env::DEFAULT_USER_OPERATOR_IMAGE),
        kafka_exporter_image: env.optional(env::DEFAULT_KAFKA_EXPORTER_IMAGE),
        envoy_image: env.string(own::ENVOY_IMAGE, own::ENVOY_IMAGE_DEFAULT),
        kafka_images: kafka_images(env),
        kafka_connect_images: env.images(env::KAFKA_CONNECT_IMAGES),
        kafka_mirror_maker2_images: env.images(env::KAFKA_MIRROR_MAKER_2_IMAGES),
        image_pull_policy: pull_policy(env),
        image_pull_secrets: env.list(env::IMAGE_PULL_SECRETS),
        network_policies: env.bool(env::NETWORK_POLICY_GENERATION, env::NETWORK_POLICY_GENERATION_DEFAULT),
        pod_disruption_budgets: env
            .bool(env::POD_DISRUPTION_BUDGET_GENERATION, env::POD_DISRUPTION_BUDGET_GENERATION_DEFAULT),
        cluster_role_bindings: env.bool(own::CLUSTER_ROLE_BINDINGS, true),
        pkcs12: env.bool(env::PKCS12_KEYSTORE_GENERATION, env::PKCS12_KEYSTORE_GENERATION_DEFAULT),
        operator_namespace: env.optional(env::OPERATOR_NAMESPACE),
        operator_namespace_labels: env.label_selector(env::OPERATOR_NAMESPACE_LABELS).0,
        entity_operator_watched_namespace: env.bool(
            env::ENTITY_OPERATOR_WATCHED_NAMESPACE_ENABLED,
            env::ENTITY_OPERATOR_WATCHED_NAMESPACE_ENABLED_DEFAULT,
        ),
        dns_domain: env
            .string(env::KUBERNETES_SERVICE_DNS_DOMAIN, env::KUBERNETES_SERVICE_DNS_DOMAIN_DEFAULT),
        labels_exclusion_pattern: exclusion_pattern(env),
        custom_kafka_labels: env.label_selector(env::CUSTOM_KAFKA_LABELS).0,
        custom_entity_operator_labels: env.label_selector(env::CUSTOM_ENTITY_OPERATOR_LABELS).0,
        custom_kafka_exporter_labels: env.label_selector(env::CUSTOM_KAFKA_EXPORTER_LABELS).0,
        custom_kafka_connect_labels: env.label_selector(env::CUSTOM_KAFKA_CONNECT_LABELS).0,
        kafka_bridge_image: env.optional(env::DEFAULT_KAFKA_BRIDGE_IMAGE),
        custom_kafka_bridge_labels: env.label_selector(env::CUSTOM_KAFKA_BRIDGE_LABELS).0,
        custom_kafka_bridge_service_labels: env.label_selector(env::CUSTOM_KAFKA_BRIDGE_SERVICE_LABELS).0,
        custom_kafka_bridge_service_annotations: env
            .label_selector(env::CUSTOM_KAFKA_BRIDGE_SERVICE_ANNOTATIONS)
            .0,
        custom_kafka_mirror_maker2_labels: env.label_selector(env::CUSTOM_KAFKA_MIRROR_MAKER2_LABELS).0,
        image_builds: image_builds(env),
        shared_environment,
        feature_gates: env.string(env::FEATURE_GATES, ""),
        object_overrides: env.bool(own::OBJECT_OVERRIDES, false),
        operator_rolls: OperatorRolls::of_word(env.choice(
            own::OPERATOR_ROLLS,
            "false",
            &OperatorRolls::WORDS,
        ))
        .unwrap_or_default(),
        max_nodes: env.integer(own::MAX_NODES, own::MAX_NODES_DEFAULT as i64, 1..=10_000) as usize,
        max_wished_ids: env.integer(own::MAX_WISHED_IDS, own::MAX_WISHED_IDS_DEFAULT as i64, 1..=1_000_000)
            as usize,
        largest_config_map: limits.largest_secret.bytes,
    }
}

/// How images are built for Kafka Connect.
fn image_builds(env: &Env) -> ImageBuildSettings {
    let default = ImageBuildSettings::default();
    let timeout = Duration::from_millis(env::CONNECT_BUILD_TIMEOUT_MS_DEFAULT);
    ImageBuildSettings {
        buildah_image: env.string(env::DEFAULT_BUILDAH_IMAGE, &default.buildah_image),
        custom_labels: env.label_selector(env::CUSTOM_KAFKA_CONNECT_BUILD_LABELS).0,
        // Kubernetes counts whole seconds, from 1.
        timeout_seconds: env.duration_ms(env::CONNECT_BUILD_TIMEOUT_MS, timeout).as_secs().max(1),
        user_namespaces: env.bool(own::BUILD_USER_NAMESPACES, default.user_namespaces),
        folder_gib: env.integer(own::BUILD_FOLDER_GIB, default.folder_gib.into(), 1..=10_000) as u32,
        // Found out of the API server, at the start.
        openshift: default.openshift,
    }
}

/// `STRIMZI_KAFKA_IMAGES` as far as it goes, and `KASTELLAN_KAFKA_IMAGE:<version>` for the other versions.
fn kafka_images(env: &Env) -> BTreeMap<String, String> {
    let base = env.string(own::KAFKA_IMAGE, "apache/kafka");
    let mut images = env.images(env::KAFKA_IMAGES);
    for version in versions::supported() {
        images.entry(version.version.clone()).or_insert_with(|| format!("{base}:{}", version.version));
    }
    images
}

/// A proxy's address without the user and password that it may have: it goes into the pods of all tenants.
fn without_credentials(address: &str) -> String {
    let Some((before, host)) = address.rsplit_once('@') else { return address.to_owned() };
    match before.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://{host}"),
        None => host.to_owned(),
    }
}

fn exclusion_pattern(env: &Env) -> Option<String> {
    let pattern = env.optional(env::LABELS_EXCLUSION_PATTERN)?;
    if let Err(error) = api::labels::ExclusionPattern::parse(&pattern) {
        let instead = format!("write a regular expression without look-ahead and back-references ({error})");
        env.error(env::LABELS_EXCLUSION_PATTERN, Some(&pattern), &instead);
    }
    Some(pattern)
}

fn pull_policy(env: &Env) -> Option<String> {
    let given = env.optional(env::IMAGE_PULL_POLICY)?;
    match given.to_ascii_lowercase().as_str() {
        "always" => Some("Always".to_owned()),
        "ifnotpresent" => Some("IfNotPresent".to_owned()),
        "never" => Some("Never".to_owned()),
        _ => {
            env.error(env::IMAGE_PULL_POLICY, Some(&given), "Always, IfNotPresent or Never");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_supported_version_has_an_image_and_a_given_one_wins() {
        let env = Env::from_map([
            (own::OPERATOR_IMAGE, "kastellan/operator:1"),
            (own::KAFKA_IMAGE, "registry/kafka"),
            (env::KAFKA_IMAGES, "4.3.1=mine/kafka:x"),
        ]);
        let images = Settings::from_env(&env).unwrap().plan.kafka_images.clone();
        assert_eq!(images["4.3.1"], "mine/kafka:x");
        assert_eq!(images["4.3.0"], "registry/kafka:4.3.0");
    }

    #[test]
    fn the_password_of_a_proxy_does_not_go_into_pods() {
        let env = Env::from_map([
            (own::OPERATOR_IMAGE, "kastellan/operator:1"),
            ("HTTP_PROXY", "http://proxy:3128"),
            ("HTTPS_PROXY", "http://me:p@ss/word@proxy:3128/"),
        ]);
        let shared = &Settings::from_env(&env).unwrap().plan.shared_environment;
        assert_eq!(shared["HTTP_PROXY"], "http://proxy:3128");
        assert_eq!(shared["HTTPS_PROXY"], "http://proxy:3128/");
        for (given, kept) in [
            ("http://me:secret@proxy:3128", "http://proxy:3128"),
            ("me:secret@proxy:3128", "proxy:3128"),
            (".svc,10.0.0.0/8", ".svc,10.0.0.0/8"),
        ] {
            assert_eq!(without_credentials(given), kept);
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_told_at_the_start() {
        let env = Env::from_map([(own::OPERATOR_IMAGE, "o"), (env::LABELS_EXCLUSION_PATTERN, "a(?!b)")]);
        let errors = Settings::from_env(&env).unwrap_err().to_string();
        assert!(errors.contains("STRIMZI_LABELS_EXCLUSION_PATTERN='a(?!b)'"), "{errors}");
        let default = [
            (own::OPERATOR_IMAGE, "o"),
            (env::LABELS_EXCLUSION_PATTERN, api::labels::DEFAULT_EXCLUSION_PATTERN),
        ];
        assert!(Settings::from_env(&Env::from_map(default)).is_ok());
    }

    #[test]
    fn the_webhook_for_evictions_is_off_and_takes_the_namespace_of_the_operator() {
        let settings = |more: &[(&str, &str)]| {
            let given = [(own::OPERATOR_IMAGE, "o")];
            Settings::from_env(&Env::from_map(given.iter().chain(more).copied()))
        };
        assert_eq!(settings(&[]).unwrap().evictions, None);
        let (on, namespace) = ((own::EVICTION_WEBHOOK, "true"), (env::OPERATOR_NAMESPACE, "kafka"));
        let given = settings(&[on, namespace]).unwrap().evictions.unwrap();
        assert_eq!((given.namespace.as_str(), given.port, given.secret), ("kafka", 8443, None));
        let secret = (own::EVICTION_WEBHOOK_SECRET, "mine");
        let given = settings(&[on, namespace, secret]).unwrap().evictions.unwrap();
        assert_eq!(given.secret.as_deref(), Some("mine"));
        let port = (own::EVICTION_WEBHOOK_PORT, "9443");
        assert_eq!(settings(&[on, namespace, port]).unwrap().evictions.unwrap().port, 9443);
        let errors = settings(&[on, (own::EVICTION_WEBHOOK_PORT, "0")]).unwrap_err().to_string();
        for part in ["STRIMZI_OPERATOR_NAMESPACE", "KASTELLAN_EVICTION_WEBHOOK_PORT='0'", "from 1 to 65535"] {
            assert!(errors.contains(part), "{part}: {errors}");
        }
    }

    #[test]
    fn a_canary_that_cannot_be_is_told_at_the_start() {
        let settings = |more: &[(&str, &str)]| {
            let given = [(own::OPERATOR_IMAGE, "operator"), (env::NAMESPACE, "a,b")];
            Settings::from_env(&Env::from_map(given.iter().chain(more).copied()))
        };
        let turns = settings(&[(own::OPERATOR_ROLLS_CANARIES, "a/x, b/y.z")]).unwrap().turns;
        assert_eq!((turns.canaries, turns.at_once), (["a/x", "b/y.z"].map(str::to_owned).into(), 1));
        let wrong = [
            (own::OPERATOR_ROLLS_CANARIES, "x,A/x,a/x/y,c/x"),
            (own::OPERATOR_ROLLS_AT_ONCE, "0"),
            (own::OPERATOR_ROLLS, "canary"),
        ];
        let errors = settings(&wrong).unwrap_err().to_string();
        for part in [
            "='x'",
            "='A/x'",
            "='a/x/y'",
            "='c/x'",
            "the namespaces of STRIMZI_NAMESPACE",
            "from 1 to 10000",
            "write one of false, approval, window, turn",
        ] {
            assert!(errors.contains(part), "{part}: {errors}");
        }
    }

    #[test]
    fn all_errors_are_told_at_once() {
        let env = Env::from_map([
            (env::IMAGE_PULL_POLICY, "Sometimes"),
            (env::PKCS12_KEYSTORE_GENERATION, "maybe"),
        ]);
        let errors = Settings::from_env(&env).unwrap_err().to_string();
        for part in
            [own::OPERATOR_IMAGE, env::IMAGE_PULL_POLICY, env::PKCS12_KEYSTORE_GENERATION, "IfNotPresent"]
        {
            assert!(errors.contains(part), "{errors}");
        }
    }
}
