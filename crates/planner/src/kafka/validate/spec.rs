//! Everything of the Kafka resource but its pools and listeners.

use std::collections::BTreeMap;

use api::common::logging::{Logging as RawLogging, LoggingType};
use api::common::probe::Probe as RawProbe;
use api::common::rack::RackType;
use api::conditions::reasons;
use api::kafka::{AuthorizationType, CertificateAuthority, CertificateExpirationPolicy, KafkaClusterSpec};
use api::labels::ExclusionPattern;
use api::{Kafka, annotations};
use kube_core::ResourceExt;

use super::pools::jvm;
use super::{Findings, listeners, text};
use crate::kafka::cluster::{
    Authorization, CaSettings, Cluster, EntityContainer, EntityOperator, Logging, Pool, Probe, Quorum, Rack,
};
use crate::kafka::config::user;
use crate::kafka::observed::Observed;
use crate::kafka::versions::{self, KafkaVersion};
use crate::kafka::watched_namespace;
use pki::Material;

/// Material that becomes the cluster id.
pub const CLUSTER_ID_REQUEST: &str = "cluster-id";

/// Days of validity of an authority.
const DEFAULT_VALIDITY_DAYS: u32 = 365;
/// Days before the end of an authority at which it is renewed.
const DEFAULT_RENEWAL_DAYS: u32 = 30;

/// Probes of Kafka: the rhythm after the start; the start itself is watched every second.
const KAFKA_PROBE: Probe = Probe { initial_delay: 0, timeout: 5, period: 10, failures: 3, successes: 1 };
/// Probes of the entity operator: cheap requests, so that readiness is seen soon.
const ENTITY_READINESS: Probe = Probe { initial_delay: 0, timeout: 5, period: 2, failures: 3, successes: 1 };
const ENTITY_LIVENESS: Probe = Probe { initial_delay: 10, timeout: 5, period: 10, failures: 3, successes: 1 };

/// Puts the cluster together. What is wrong is a problem in `findings` and a default in the cluster, which then serves
/// for nothing but to keep alive what runs.
pub fn validate(
    kafka: &Kafka,
    observed: &Observed,
    exclusion: &ExclusionPattern,
    mut pools: Vec<Pool>,
    quorum: Quorum,
    findings: &mut Findings,
) -> Option<Cluster> {
    let spec = &kafka.spec.kafka;
    let settings = &observed.settings;
    let name = kafka.name_any();
    let namespace = kafka.namespace().unwrap_or_default();
    let version = version(spec, findings);
    let image = image(spec, version.as_ref(), observed, findings);
    let metadata_version = metadata_version(kafka, version.as_ref(), observed, findings);
    let listeners = listeners::validate(&spec.listeners, observed, findings);
    let config = config(spec, version.as_ref(), &pools, findings);
    let labels = exclusion.inherited(kafka.metadata.labels.as_ref()).unwrap_or_else(|error| {
        findings.problem("metadata.labels", error.to_string());
        BTreeMap::new()
    });
    let kafka_templates = spec.template.clone().unwrap_or_default();
    let kafka_jvm = spec.jvm_options.as_ref().map(jvm);
    text::jvm(spec.jvm_options.as_ref(), "spec.kafka.jvmOptions", findings);
    for (pool, raw) in pools.iter_mut().zip(&observed.pools) {
        let field = format!("KafkaNodePool {} spec.jvmOptions", pool.name);
        text::jvm(raw.spec.jvm_options.as_ref(), &field, findings);
        pool.templates = kafka_templates.overlaid(raw.spec.template.as_ref());
        if raw.spec.jvm_options.is_none()
            && let Some(jvm) = &kafka_jvm
        {
            pool.jvm = jvm.clone();
        }
    }
    let authorization = authorization(spec, findings);
    let rack = rack(spec, findings);
    let logging = logging(spec.logging.as_ref(), "spec.kafka.logging", observed, findings);
    let cluster_ca = authority(kafka.spec.cluster_ca.as_ref(), "spec.clusterCa", findings);
    let clients_ca = authority(kafka.spec.clients_ca.as_ref(), "spec.clientsCa", findings);
    let maintenance_windows = windows(kafka, findings);
    let entity_operator = entity_operator(kafka, &namespace, observed, findings);
    not_yet(kafka, findings);
    Some(Cluster {
        uid: kafka.uid().unwrap_or_default(),
        labels,
        dns_domain: settings.dns_domain.clone(),
        version: version.or_else(|| versions::default_version().cloned())?,
        metadata_version,
        image: image.unwrap_or_default(),
        cluster_id: cluster_id(kafka, observed),
        quorum,
        pools,
        listeners,
        authorization,
        config,
        rack,
        liveness: probe(spec.liveness_probe.as_ref(), KAFKA_PROBE),
        readiness: probe(spec.readiness_probe.as_ref(), KAFKA_PROBE),
        logging,
        cluster_ca,
        clients_ca,
        maintenance_windows,
        maintenance_expressions: kafka.spec.maintenance_time_windows.clone().unwrap_or_default(),
        entity_operator,
        templates: kafka_templates,
        skip_scale_down_check: annotations::is_true(
            kafka.metadata.annotations.as_ref(),
            annotations::SKIP_BROKER_SCALEDOWN_CHECK,
        ),
        name,
        namespace,
    })
}

fn version(spec: &KafkaClusterSpec, findings: &mut Findings) -> Option<KafkaVersion> {
    let Some(asked) = spec.version.as_deref() else {
        return versions::default_version().cloned();
    };
    if let Some(version) = versions::find(asked) {
        return Some(version.clone());
    }
    if versions::is_older_than_supported(asked) {
        let default = versions::default_version().cloned();
        let runs = default.as_ref().map(|version| version.version.clone()).unwrap_or_default();
        findings.warn(
            "UnsupportedKafkaVersion",
            format!("spec.kafka.version: {asked} is older than every supported version; {runs} runs instead"),
        );
        return default;
    }
    findings.problem(
        "spec.kafka.version",
        format!("{asked:?} is not supported: write one of {}", versions::supported_list()),
    );
    None
}

fn image(
    spec: &KafkaClusterSpec,
    version: Option<&KafkaVersion>,
    observed: &Observed,
    findings: &mut Findings,
) -> Option<String> {
    if let Some(image) = spec.image.clone().filter(|image| !image.is_empty()) {
        return Some(image);
    }
    let version = &version?.version;
    let image = observed.settings.kafka_images.get(version).cloned();
    if image.is_none() {
        findings.problem(
            "spec.kafka.image",
            format!(
                "the operator has no image for Kafka {version}: name one here, or add {version}=IMAGE to \
                 STRIMZI_KAFKA_IMAGES of the operator"
            ),
        );
    }
    image
}

/// The metadata version to reach. While the Kafka version changes, the present one stays.
fn metadata_version(
    kafka: &Kafka,
    version: Option<&KafkaVersion>,
    observed: &Observed,
    findings: &mut Findings,
) -> String {
    let Some(version) = version else { return String::new() };
    let model = version.model();
    let status = kafka.status.as_ref();
    let present = observed
        .view
        .as_ref()
        .and_then(|view| model.metadata_name(view.metadata_level?).map(str::to_owned))
        .or_else(|| status.and_then(|status| status.kafka_metadata_version.clone()));
    if let Some(present) = present.as_deref().filter(|present| model.metadata_level(present).is_none()) {
        findings.problem(
            "spec.kafka.version",
            format!("Kafka {} cannot run with the present metadata version {present}: lower spec.kafka.metadataVersion \
                first, then the version", version.version),
        );
    }
    let changing = observed.pods.values().any(|pod| {
        let runs = pod.annotations().get(annotations::KAFKA_VERSION);
        pod.labels().get(api::labels::NAME).map(String::as_str) == Some(&api::names::kafka(&kafka.name_any()))
            && runs.is_some_and(|runs| *runs != version.version)
    });
    if let Some(present) = present.filter(|_| changing) {
        return present;
    }
    let Some(asked) = kafka.spec.kafka.metadata_version.as_deref() else {
        return version.metadata.clone();
    };
    if let Some((name, _)) = model.metadata_level(asked) {
        name.to_owned()
    } else {
        let known: Vec<&str> = model.metadata_versions.iter().map(|(name, _)| name.as_str()).collect();
        findings.problem(
            "spec.kafka.metadataVersion",
            format!("{asked:?} is not known to Kafka {}: write one of {}", version.version, known.join(", ")),
        );
        version.metadata.clone()
    }
}

fn config(
    spec: &KafkaClusterSpec,
    version: Option<&KafkaVersion>,
    pools: &[Pool],
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let (Some(raw), Some(version)) = (&spec.config, version) else {
        return BTreeMap::new();
    };
    let sorted = user::sort(raw, version.model());
    for name in sorted.forbidden {
        findings.problem(
            format!("spec.kafka.config.{name}"),
            "is set by the operator: remove it; listeners, storage, roles and security have sections of their own",
        );
    }
    for complaint in sorted.complaints {
        findings.problem("spec.kafka.config", complaint);
    }
    let brokers: usize = pools.iter().filter(|pool| pool.broker).map(|pool| pool.nodes.len()).sum();
    for name in [
        "default.replication.factor",
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "transaction.state.log.min.isr",
    ] {
        let value = sorted.options.get(name).and_then(|value| value.parse::<usize>().ok());
        if let Some(value) = value.filter(|value| brokers > 0 && *value > brokers) {
            findings.problem(
                format!("spec.kafka.config.{name}"),
                format!(
                    "{value} is more than the {brokers} brokers: write at most {brokers}, or add brokers"
                ),
            );
        }
    }
    if brokers > 1 {
        for (name, reason) in [
            ("default.replication.factor", reasons::KAFKA_DEFAULT_REPLICATION_FACTOR),
            ("min.insync.replicas", reasons::KAFKA_MIN_INSYNC_REPLICAS),
        ] {
            if !sorted.options.contains_key(name) {
                findings.warn(reason, format!("spec.kafka.config.{name} is not set: its default of 1 loses records when a broker fails"));
            }
        }
    }
    sorted.options
}

fn authorization(spec: &KafkaClusterSpec, findings: &mut Findings) -> Authorization {
    let Some(raw) = &spec.authorization else { return Authorization::None };
    let super_users = raw.super_users.clone().unwrap_or_default();
    text::super_users(&super_users, findings);
    match raw.type_ {
        AuthorizationType::Simple => Authorization::Simple { super_users },
        AuthorizationType::Custom => {
            let class = raw.authorizer_class.clone().unwrap_or_default();
            if class.is_empty() {
                findings.problem(
                    "spec.kafka.authorization.authorizerClass",
                    "is missing: name the Java class of the authorizer",
                );
            }
            text::class(&class, "spec.kafka.authorization.authorizerClass", findings);
            Authorization::Custom {
                class,
                super_users,
                supports_admin_api: raw.supports_admin_api.unwrap_or(false),
            }
        }
    }
}

fn rack(spec: &KafkaClusterSpec, findings: &mut Findings) -> Option<Rack> {
    let raw = spec.rack.as_ref()?;
    let (field, value, make): (_, _, fn(String) -> Rack) = match raw.type_.unwrap_or(RackType::TopologyLabel)
    {
        RackType::TopologyLabel => ("topologyKey", &raw.topology_key, Rack::TopologyLabel),
        RackType::EnvironmentVariable => ("envVarName", &raw.env_var_name, Rack::EnvironmentVariable),
    };
    let value = value.clone().filter(|value| !value.is_empty());
    let path = format!("spec.kafka.rack.{field}");
    match &value {
        None => findings.problem(path, "is missing"),
        Some(name) if field == "envVarName" => text::environment_variable(name, &path, findings),
        Some(_) => {}
    }
    value.map(make)
}

/// A logging section; an external one must exist.
fn logging(raw: Option<&RawLogging>, field: &str, observed: &Observed, findings: &mut Findings) -> Logging {
    let Some(raw) = raw else { return Logging::Inline(BTreeMap::new()) };
    if raw.type_ == LoggingType::Inline {
        let loggers = raw.loggers.clone().unwrap_or_default();
        text::loggers(&loggers, field, findings);
        return Logging::Inline(loggers);
    }
    let path = format!("{field}.valueFrom.configMapKeyRef");
    let Some(reference) = raw.value_from.as_ref().and_then(|source| source.config_map_key_ref.as_ref())
    else {
        findings.problem(path, "is missing: name the ConfigMap and the key, or use type: inline");
        return Logging::Inline(BTreeMap::new());
    };
    let name = &reference.name;
    let text =
        observed.config_maps.get(name).map(|map| map.data.as_ref().and_then(|data| data.get(&reference.key)));
    match text {
        Some(Some(text)) => Logging::External(text.clone()),
        Some(None) => {
            findings
                .problem(format!("{path}.key"), format!("ConfigMap {name:?} has no key {:?}", reference.key));
            Logging::Inline(BTreeMap::new())
        }
        None => {
            findings.problem(
                format!("{path}.name"),
                format!("ConfigMap {name:?} does not exist in the namespace: create it, or correct the name"),
            );
            Logging::Inline(BTreeMap::new())
        }
    }
}

fn authority(raw: Option<&CertificateAuthority>, field: &str, findings: &mut Findings) -> CaSettings {
    let default = CertificateAuthority::default();
    let raw = raw.unwrap_or(&default);
    let days =
        |value: Option<i32>, default: u32| value.and_then(|days| u32::try_from(days).ok()).unwrap_or(default);
    let mut validity_days = days(raw.validity_days, DEFAULT_VALIDITY_DAYS);
    let mut renewal_days = days(raw.renewal_days, DEFAULT_RENEWAL_DAYS);
    if renewal_days >= validity_days {
        findings.problem(
            format!("{field}.renewalDays"),
            format!("{renewal_days} must be less than the {validity_days} validityDays"),
        );
        (validity_days, renewal_days) = (DEFAULT_VALIDITY_DAYS, DEFAULT_RENEWAL_DAYS);
    }
    CaSettings {
        generate: raw.generate_certificate_authority.unwrap_or(true),
        owner_reference: raw.generate_secret_owner_reference.unwrap_or(true),
        validity_days,
        renewal_days,
        replace_key: raw.certificate_expiration_policy == Some(CertificateExpirationPolicy::ReplaceKey),
    }
}

fn windows(kafka: &Kafka, findings: &mut Findings) -> Vec<pki::MaintenanceWindow> {
    let mut windows = Vec::new();
    for (index, text) in kafka.spec.maintenance_time_windows.iter().flatten().enumerate() {
        match pki::MaintenanceWindow::parse(text) {
            Ok(window) => windows.push(window),
            Err(error) => {
                findings.problem(format!("spec.maintenanceTimeWindows[{index}]"), error.to_string());
            }
        }
    }
    windows
}

/// Sections that are understood but not carried out yet.
fn not_yet(kafka: &Kafka, findings: &mut Findings) {
    let spec = &kafka.spec;
    let sections = [
        ("spec.cruiseControl", spec.cruise_control.is_some()),
        ("spec.kafkaExporter", spec.kafka_exporter.is_some()),
        ("spec.kafka.metricsConfig", spec.kafka.metrics_config.is_some()),
        ("spec.kafka.jmxOptions", spec.kafka.jmx_options.is_some()),
        ("spec.kafka.quotas", spec.kafka.quotas.is_some()),
        ("spec.kafka.tieredStorage", spec.kafka.tiered_storage.is_some()),
    ];
    for (field, present) in sections {
        if present {
            findings.warn(
                "UnsupportedFields",
                format!("{field} is not carried out by this version; remove it to clear this warning"),
            );
        }
    }
}

fn entity_operator(
    kafka: &Kafka,
    namespace: &str,
    observed: &Observed,
    findings: &mut Findings,
) -> Option<EntityOperator> {
    let raw = kafka.spec.entity_operator.as_ref()?;
    let settings = &observed.settings;
    let mut watched = |asked: Option<&String>, grant: &str, field: &str| -> String {
        let asked = asked.filter(|asked| !asked.is_empty()).cloned().unwrap_or_else(|| namespace.to_owned());
        if let Some(why) = watched_namespace::refusal(observed, kafka, grant, &asked) {
            findings.problem(format!("{field}.watchedNamespace"), why);
        }
        asked
    };
    let topic_field = "spec.entityOperator.topicOperator";
    let user_field = "spec.entityOperator.userOperator";
    let topic_namespace = raw
        .topic_operator
        .as_ref()
        .map(|raw| watched(raw.watched_namespace.as_ref(), api::watch_grant::TOPIC_OPERATOR, topic_field));
    let user_namespace = raw
        .user_operator
        .as_ref()
        .map(|raw| watched(raw.watched_namespace.as_ref(), api::watch_grant::USER_OPERATOR, user_field));
    let topic =
        raw.topic_operator.as_ref().zip(topic_namespace).map(|(raw, watched_namespace)| EntityContainer {
            image: raw
                .image
                .clone()
                .or_else(|| settings.topic_operator_image.clone())
                .unwrap_or_else(|| settings.operator_image.clone()),
            watched_namespace,
            reconciliation_interval_ms: raw.reconciliation_interval_ms,
            resources: raw.resources.clone(),
            liveness: probe(raw.liveness_probe.as_ref(), ENTITY_LIVENESS),
            readiness: probe(raw.readiness_probe.as_ref(), ENTITY_READINESS),
            startup: raw
                .startup_probe
                .as_ref()
                .map(|raw| probe(Some(raw), Probe { failures: 12, ..ENTITY_LIVENESS })),
            logging: logging(raw.logging.as_ref(), &format!("{topic_field}.logging"), observed, findings),
        });
    let user =
        raw.user_operator.as_ref().zip(user_namespace).map(|(raw, watched_namespace)| EntityContainer {
            image: raw
                .image
                .clone()
                .or_else(|| settings.user_operator_image.clone())
                .unwrap_or_else(|| settings.operator_image.clone()),
            watched_namespace,
            reconciliation_interval_ms: raw.reconciliation_interval_ms,
            resources: raw.resources.clone(),
            liveness: probe(raw.liveness_probe.as_ref(), ENTITY_LIVENESS),
            readiness: probe(raw.readiness_probe.as_ref(), ENTITY_READINESS),
            startup: None,
            logging: logging(raw.logging.as_ref(), &format!("{user_field}.logging"), observed, findings),
        });
    if topic.is_none() && user.is_none() {
        return None;
    }
    let secret_prefix =
        raw.user_operator.as_ref().and_then(|raw| raw.secret_prefix.clone()).unwrap_or_default();
    Some(EntityOperator { topic, user, secret_prefix, templates: raw.template.clone().unwrap_or_default() })
}

fn probe(raw: Option<&RawProbe>, default: Probe) -> Probe {
    let Some(raw) = raw else { return default };
    Probe {
        initial_delay: raw.initial_delay_seconds.unwrap_or(default.initial_delay),
        timeout: raw.timeout_seconds.unwrap_or(default.timeout),
        period: raw.period_seconds.unwrap_or(default.period),
        failures: raw.failure_threshold.unwrap_or(default.failures),
        successes: raw.success_threshold.unwrap_or(default.successes),
    }
}

/// Kafka's cluster id, wherever it was written down; else the one that was just made.
fn cluster_id(kafka: &Kafka, observed: &Observed) -> Option<String> {
    let from_kafka = kafka.status.as_ref().and_then(|status| status.cluster_id.clone());
    let from_pools = || {
        observed
            .pools
            .iter()
            .find_map(|pool| pool.status.as_ref().and_then(|status| status.cluster_id.clone()))
    };
    let from_nodes = || {
        observed.config_maps.values().find_map(|map| {
            let data = map.data.as_ref()?;
            data.get(api::names::keys::CLUSTER_ID).cloned().filter(|id| !id.is_empty())
        })
    };
    let just_made = || match observed.made.get(CLUSTER_ID_REQUEST) {
        Some(Material::Text(text)) => Some(text.0.clone()),
        _ => None,
    };
    from_kafka.or_else(from_pools).or_else(from_nodes).or_else(just_made)
}
