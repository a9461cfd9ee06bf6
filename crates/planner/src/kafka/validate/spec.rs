//! Everything of the Kafka resource but its pools and listeners.

use std::collections::BTreeMap;

use api::Kafka;
use api::conditions::reasons;
use api::kafka::KafkaClusterSpec;
use api::labels::ExclusionPattern;
use kube_core::ResourceExt;

use super::entity_operator;
use super::wanted::{LoggingOf, Wanted, WantedPool};
use super::{
    Findings, annotations, config, feature_levels, kafka_exporter, listeners, logging, metrics, no_effect,
    quotas, resources, security, text, tiered_storage,
};
use crate::kafka::cluster::{Addresses, Cluster, Probe, Quorum, Rack, Resizing};
use crate::kafka::config::plug_in_lines;
use crate::overrides;
use crate::settings::PlanSettings;
use crate::versions::{self, KafkaVersion};

/// Probes of Kafka: the rhythm after the start; the start itself is watched every second.
const KAFKA_PROBE: Probe = Probe { initial_delay: 0, timeout: 5, period: 10, failures: 3, successes: 1 };

/// Puts the cluster together, without what depends on what exists. What is wrong is a problem in `findings` and a default in
/// the cluster, which then serves for nothing but to keep alive what runs.
pub(super) fn read(
    kafka: &Kafka,
    settings: &PlanSettings,
    exclusion: &ExclusionPattern,
    pools: Vec<WantedPool>,
    findings: &mut Findings,
) -> Option<Wanted> {
    let spec = &kafka.spec.kafka;
    let namespace = kafka.namespace().unwrap_or_default();
    let version = versions::read(spec.version.as_deref(), "spec.kafka.version", findings);
    let image = image(spec, version.as_ref(), settings, findings);
    let metadata_version = metadata_version(spec, version.as_ref(), findings);
    let (listeners, certificates) = listeners::read(&spec.listeners, findings);
    let mut config = config::of_all(spec, version.as_ref(), findings);
    let node_config = config::of_nodes(spec, version.as_ref(), findings);
    let (metrics, rules) = metrics::read(spec, findings);
    let quotas = quotas::read(spec, &mut config, findings);
    plug_in_lines::add_reporters(metrics.as_ref(), &mut config);
    let labels = labels(kafka, exclusion, findings);
    text::jvm(spec.jvm_options.as_ref(), "spec.kafka.jvmOptions", findings);
    resources::claims(spec.resources.as_ref(), "spec.kafka.resources", findings);
    let authorization = security::authorization(spec, findings);
    let rack = Rack::read(spec.rack.as_ref(), "spec.kafka.rack", findings);
    let mut external = Vec::new();
    let logging =
        logging::read(spec.logging.as_ref(), LoggingOf::Kafka, "spec.kafka.logging", &mut external, findings);
    let cluster_ca = security::authority(kafka.spec.cluster_ca.as_ref(), "spec.clusterCa", findings);
    let clients_ca = security::authority(kafka.spec.clients_ca.as_ref(), "spec.clientsCa", findings);
    let maintenance_windows = security::windows(kafka, findings);
    let entity_operator = entity_operator::read(kafka, settings, &mut external, findings);
    let kafka_exporter = kafka_exporter::read(kafka, settings, findings);
    without_effect(kafka, findings);
    let object_overrides =
        overrides::read(kafka.spec.object_overrides.as_ref(), settings.object_overrides, findings);
    let knows_options = spec.config.is_some() && version.is_some();
    let cluster = Cluster {
        uid: kafka.uid().unwrap_or_default(),
        labels,
        dns_domain: settings.dns_domain.clone(),
        version: version.or_else(|| versions::default_version().cloned())?,
        metadata_version,
        feature_levels: feature_levels::read(kafka, findings),
        image: image.unwrap_or_default(),
        cluster_id: None,
        quorum: Quorum::Static,
        pools: Vec::new(),
        listeners,
        addresses: Addresses::default(),
        internal_security: annotations::internal_security(kafka, &authorization, findings),
        authorization,
        config,
        node_config: BTreeMap::new(),
        rack,
        max_parallel_restarts: max_parallel_restarts(spec, findings),
        operator_rolls: annotations::operator_rolls(kafka, settings.operator_rolls, findings),
        liveness: Probe::read(spec.liveness_probe.as_ref(), KAFKA_PROBE),
        readiness: Probe::read(spec.readiness_probe.as_ref(), KAFKA_PROBE),
        logging,
        metrics,
        jmx: metrics::jmx(spec, findings),
        resizing: Resizing::asked(kafka.metadata.annotations.as_ref()),
        quotas,
        tiered_storage: tiered_storage::read(spec, findings),
        cluster_ca,
        clients_ca,
        maintenance_windows,
        maintenance_expressions: kafka.spec.maintenance_time_windows.clone().unwrap_or_default(),
        entity_operator,
        kafka_exporter,
        object_overrides,
        templates: spec.template.clone().unwrap_or_default(),
        name: kafka.name_any(),
        namespace,
    };
    Some(Wanted {
        cluster,
        pools,
        knows_options,
        node_config,
        logging: external,
        metrics: rules,
        certificates,
    })
}

/// The labels that the objects of the cluster get.
fn labels(kafka: &Kafka, exclusion: &ExclusionPattern, findings: &mut Findings) -> BTreeMap<String, String> {
    exclusion.inherited(kafka.metadata.labels.as_ref()).unwrap_or_else(|error| {
        findings.problem("metadata.labels", error.to_string());
        BTreeMap::new()
    })
}

/// How many brokers of one rack may restart at the same time.
fn max_parallel_restarts(spec: &KafkaClusterSpec, findings: &mut Findings) -> usize {
    let Some(asked) = spec.max_parallel_restarts else { return 1 };
    let number = usize::try_from(asked).unwrap_or_default();
    if number == 0 {
        findings.problem("spec.kafka.maxParallelRestarts", format!("is {asked}: write 1 or more"));
    }
    number.max(1)
}

/// Says which parts of the resource do nothing.
fn without_effect(kafka: &Kafka, findings: &mut Findings) {
    not_yet(kafka, findings);
    no_effect::say(kafka, findings);
}

fn image(
    spec: &KafkaClusterSpec,
    version: Option<&KafkaVersion>,
    settings: &PlanSettings,
    findings: &mut Findings,
) -> Option<String> {
    if let Some(image) = spec.image.clone().filter(|image| !image.is_empty()) {
        if !spec.version.as_deref().is_some_and(versions::is_older_than_supported) {
            return Some(image);
        }
        findings.warn(
            reasons::UNSUPPORTED_KAFKA_VERSION,
            format!("spec.kafka.image: {image} is not used, since it is one of the older version: write it with a newer one"),
        );
    }
    let version = &version?.version;
    let image = settings.kafka_images.get(version).cloned();
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

/// The metadata version that is asked for.
fn metadata_version(
    spec: &KafkaClusterSpec,
    version: Option<&KafkaVersion>,
    findings: &mut Findings,
) -> String {
    let Some(version) = version else { return String::new() };
    let Some(asked) = spec.metadata_version.as_deref() else { return version.metadata.clone() };
    let model = version.model();
    if let Some((name, level)) = model.metadata_level(asked) {
        if model.metadata_level(&version.metadata).is_some_and(|(_, newest)| level < newest) {
            findings.warn(
                reasons::KAFKA_METADATA_VERSION,
                format!(
                    "spec.kafka.metadataVersion: {asked} is older than {} of Kafka {}, as if an upgrade were not done: write that one, or take \
                     the field out, when the version is not to go back any more",
                    version.metadata, version.version
                ),
            );
        }
        return name.to_owned();
    }
    if spec.version.as_deref().is_some_and(versions::is_older_than_supported) {
        findings.warn(
            reasons::UNSUPPORTED_KAFKA_VERSION,
            format!(
                "spec.kafka.metadataVersion: {asked} is not known to Kafka {}; {} is used instead",
                version.version, version.metadata
            ),
        );
        return version.metadata.clone();
    }
    let known: Vec<&str> = model.metadata_versions.iter().map(|(name, _)| name.as_str()).collect();
    findings.problem(
        "spec.kafka.metadataVersion",
        format!("{asked:?} is not known to Kafka {}: write one of {}", version.version, known.join(", ")),
    );
    version.metadata.clone()
}

/// Sections that are understood but not carried out yet.
fn not_yet(kafka: &Kafka, findings: &mut Findings) {
    if kafka.spec.cruise_control.is_some() {
        findings.warn(
            reasons::UNSUPPORTED_FIELDS,
            "spec.cruiseControl is not carried out by this version; remove it to clear this warning",
        );
    }
}
