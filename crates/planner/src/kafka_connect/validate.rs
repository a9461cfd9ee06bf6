//! What a KafkaConnect asks for, and everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use api::KafkaConnect;
use api::agent::{Heap, PlugIn, WorkerConfig};
use api::common::sections::Sections;
use api::labels::{self, ExclusionPattern};
use api::limits::{DNS_LABEL, is_dns_label};
use api::{names, ports};
use kube_core::ResourceExt;
use objects::Owner;

use super::{older, options, references};
use crate::clients::credentials;
use crate::clients::files::ClientFiles;
use crate::findings::Findings;
use crate::process::{Jmx, JvmOptions, Metrics, exporter_rules, log_file};
use crate::rack::Rack;
use crate::references::text_of;
use crate::settings::PlanSettings;
use crate::text;
use crate::versions;
use crate::workers::observed::Observed;
use crate::workers::properties::{self, Parts};
use crate::workers::{BuildAnnotations, Client, ImagePlugIn, WorkerNames, Workers, pod};
use crate::workload::probe::Probe;
use crate::workload::templates::{TemplateVolumes, check, check_container, check_pod};

/// Probes of a worker: the rhythm after the start; the start itself is watched every second.
const PROBE: Probe = Probe { initial_delay: 0, timeout: 5, period: 10, failures: 3, successes: 1 };
/// The heap's share of the memory limit when the resource names no size.
const HEAP_PERCENTAGE: u8 = 75;
/// The same of the machine's memory, where the container has no limit: what the JVM would take by itself.
const HEAP_PERCENTAGE_WITHOUT_LIMIT: u8 = 25;
/// The heap at the start, where the container has no limit.
const HEAP_WITHOUT_LIMIT: &str = "128M";
/// The name of the one Kafka cluster that the workers connect to, in names of files and volumes.
const CLIENT: &str = "client";
/// Path of the template.
const TEMPLATE: &str = "spec.template";

/// Names of metrics that are offered by default.
const ALLOWED: [&str; 5] = [
    "kafka_admin_client.*",
    "kafka_connect_connect_worker.*",
    "kafka_connect_connector.*",
    "kafka_consumer.*",
    "kafka_producer.*",
];

/// The workers that a resource asks for. What is wrong is a problem in `findings` and a default in the workers; `None`: they cannot
/// be understood.
pub(super) fn read(connect: &KafkaConnect, observed: &Observed, findings: &mut Findings) -> Option<Workers> {
    let (spec, settings) = (&connect.spec, observed.settings.as_ref());
    let (name, namespace) = (connect.name_any(), connect.namespace().unwrap_or_default());
    let names = WorkerNames::of_connect(&namespace, &name);
    let replicas = replicas(connect, settings, findings);
    check_name(&name, &names, replicas, findings);
    let version = versions::read(spec.version.as_deref(), "spec.version", findings);
    let image = image(connect, version.as_ref().map(|version| version.version.as_str()), settings, findings);
    let mut options = options::read(spec.config.as_ref(), findings);
    let group = older::group(connect, &mut options, findings);
    for (field, value) in [
        ("groupId", &group.id),
        ("configStorageTopic", &group.config_topic),
        ("statusStorageTopic", &group.status_topic),
        ("offsetStorageTopic", &group.offset_topic),
    ] {
        text::item(value, ',', &format!("spec.{field}"), "a name", findings);
    }
    let rack = Rack::read(spec.rack.as_ref(), "spec.rack", findings);
    let (mut metrics, rules) =
        Metrics::read(spec.metrics_config.as_ref(), "spec.metricsConfig", &ALLOWED, findings);
    let (mut logging, log_text) = log_file::read(spec.logging.as_ref(), "spec.logging", findings);
    let maps = observed.config_maps_referred_to();
    if let Some(rules) = rules.and_then(|rules| exporter_rules::read(&rules, &maps, findings)) {
        metrics = Some(Metrics::JmxExporter { rules });
    }
    if let Some(text) = log_text.and_then(|place| text_of(&place, &maps, findings)) {
        logging = log_file::Logging::External(text);
    }
    text::jvm(spec.jvm_options.as_ref(), "spec.jvmOptions", findings);
    let access = references::access(connect, findings);
    let credentials = credentials::resolve(&access, &observed.secrets_referred_to(), findings);
    let files = ClientFiles { name: CLIENT.to_owned(), trusted_key: names::keys::CA_CRT.to_owned() };
    let client = Client { access, files };
    older::say(connect, findings);
    let labels = inherited_labels(connect, settings, findings);
    let jmx = spec.jmx_options.as_ref().map(Jmx::from);
    let parts = Parts {
        client: &client,
        group: &group,
        rack: rack.as_ref(),
        metrics: metrics.as_ref(),
        options: &options,
    };
    let properties = properties::text(&parts);
    let mut agent = agent(connect, &client, metrics.as_ref(), jmx);
    agent.rack = rack.as_ref().map(rack_source);
    let trusted = credentials.trusted.map(|pem| (client.files.trusted_key.clone(), pem));
    let workers = Workers {
        owner: Owner::new::<KafkaConnect>(&name, &namespace, &connect.uid().unwrap_or_default(), &labels),
        names,
        component_type: labels::component::KAFKA_CONNECT,
        replicas,
        image: image.unwrap_or_default(),
        properties,
        agent,
        logging,
        metrics,
        jmx,
        rack,
        clients: vec![client],
        trusted: trusted.into_iter().collect(),
        auth_hash: credentials.hash,
        liveness: Probe::read(spec.liveness_probe.as_ref(), PROBE),
        readiness: Probe::read(spec.readiness_probe.as_ref(), PROBE),
        resources: spec.resources.clone(),
        templates: spec.template.clone().unwrap_or_default(),
        custom_labels: settings.custom_kafka_connect_labels.clone(),
        closed: uses_connector_resources(connect),
        plug_ins: plug_ins(connect, findings),
        build_annotations: BuildAnnotations::default(),
    };
    templates(connect, &workers, settings, findings);
    version.map(|_| workers)
}

/// Whether KafkaConnector resources rule the connectors.
pub(super) fn uses_connector_resources(connect: &KafkaConnect) -> bool {
    api::annotations::is_true(
        connect.metadata.annotations.as_ref(),
        api::annotations::USE_CONNECTOR_RESOURCES,
    )
}

/// How many workers there are to be.
fn replicas(connect: &KafkaConnect, settings: &PlanSettings, findings: &mut Findings) -> usize {
    let asked = connect.spec.replicas.unwrap_or(older::REPLICAS);
    match usize::try_from(asked) {
        Ok(count) if count <= settings.max_nodes => count,
        Ok(_) => {
            findings.problem(
                "spec.replicas",
                format!(
                    "{asked} is more than {} ({} of the operator): write less",
                    settings.max_nodes,
                    api::env::own::MAX_NODES
                ),
            );
            0
        }
        Err(_) => {
            findings.problem("spec.replicas", format!("{asked} is no number of workers: write 0 or more"));
            0
        }
    }
}

/// Services and host names of pods have limits of their own.
fn check_name(name: &str, names: &WorkerNames, replicas: usize, findings: &mut Findings) {
    let derived = [names.pod(replicas.saturating_sub(1)), names.api_service.clone()];
    let longest = derived.iter().max_by_key(|derived| derived.len());
    let Some(wrong) = longest.filter(|_| derived.iter().any(|derived| !is_dns_label(derived))) else {
        return;
    };
    let room = DNS_LABEL.saturating_sub(wrong.len() - name.len());
    findings.problem(
        "metadata.name",
        format!(
            "{name:?} gives no name that a Service and the host name of a pod can have, such as {wrong:?}: names cannot be \
             changed, so create the resource under one of at most {room} lower-case letters, digits and \"-\""
        ),
    );
}

fn image(
    connect: &KafkaConnect,
    version: Option<&str>,
    settings: &PlanSettings,
    findings: &mut Findings,
) -> Option<String> {
    if let Some(image) = connect.spec.image.clone().filter(|image| !image.is_empty()) {
        return Some(image);
    }
    let version = version?;
    let own = settings.kafka_connect_images.get(version).or_else(|| settings.kafka_images.get(version));
    if own.is_none() {
        findings.problem(
            "spec.image",
            format!(
                "the operator has no image for Kafka Connect {version}: name one here, or add {version}=IMAGE to {} of the \
                 operator",
                api::env::KAFKA_CONNECT_IMAGES
            ),
        );
    }
    own.cloned()
}

fn inherited_labels(
    connect: &KafkaConnect,
    settings: &PlanSettings,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let exclusion = match &settings.labels_exclusion_pattern {
        None => ExclusionPattern::default(),
        Some(pattern) => ExclusionPattern::parse(pattern).unwrap_or_default(),
    };
    exclusion.inherited(connect.metadata.labels.as_ref()).unwrap_or_else(|error| {
        findings.problem("metadata.labels", error.to_string());
        BTreeMap::new()
    })
}

/// What the agents are told.
fn agent(
    connect: &KafkaConnect,
    client: &Client,
    metrics: Option<&Metrics>,
    jmx: Option<Jmx>,
) -> WorkerConfig {
    let spec = &connect.spec;
    let options: JvmOptions = spec.jvm_options.as_ref().map(JvmOptions::from).unwrap_or_default();
    let limits = spec.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    let is_limited = limits.is_some_and(|limits| limits.contains_key("memory"));
    let percentage = if is_limited { HEAP_PERCENTAGE } else { HEAP_PERCENTAGE_WITHOUT_LIMIT };
    let mut jvm = options.settings(None, percentage);
    if !is_limited && jvm.heap.is_none() {
        jvm.heap = Some(Heap { xms: Some(HEAP_WITHOUT_LIMIT.to_owned()), xmx: None });
    }
    let mut wanted = vec![PlugIn::SecretsProvider];
    wanted.extend(metrics.map(|metrics| match metrics.plug_in() {
        PlugIn::MetricsReporter => PlugIn::ClientMetricsReporter,
        other => other,
    }));
    WorkerConfig {
        rest_port: ports::CONNECT_REST as u16,
        keystores: client.files.key_store(&client.access).into_iter().collect(),
        jvm,
        rack: None,
        plug_ins: wanted,
        jmx: jmx.map(Jmx::remote),
    }
}

fn rack_source(rack: &Rack) -> api::agent::RackSource {
    match rack {
        Rack::TopologyLabel(key) => api::agent::RackSource::TopologyLabel { key: key.clone() },
        Rack::EnvironmentVariable(name) => api::agent::RackSource::Env { name: name.clone() },
    }
}

/// `spec.plugins`.
fn plug_ins(connect: &KafkaConnect, findings: &mut Findings) -> Vec<ImagePlugIn> {
    let mut all = Vec::new();
    let (mut names, mut images) = (BTreeSet::new(), BTreeSet::new());
    for (index, raw) in connect.spec.plugins.iter().flatten().enumerate() {
        let field = format!("spec.plugins[{index}]");
        if !names.insert(&raw.name) {
            findings.problem(
                format!("{field}.name"),
                format!("{:?} is used twice: give each plug-in a name of its own", raw.name),
            );
        }
        for (number, artifact) in raw.artifacts.iter().enumerate() {
            let field = format!("{field}.artifacts[{number}].reference");
            if artifact.reference.trim().is_empty() {
                findings.problem(field, "is missing: name an image");
            } else if !images.insert((&raw.name, &artifact.reference)) {
                findings
                    .problem(field, format!("{:?} is used twice: leave one of the two", artifact.reference));
            } else {
                all.push(ImagePlugIn {
                    name: raw.name.clone(),
                    image: artifact.reference.clone(),
                    pull_policy: artifact.pull_policy.clone(),
                });
            }
        }
    }
    all
}

fn templates(connect: &KafkaConnect, workers: &Workers, settings: &PlanSettings, findings: &mut Findings) {
    let Some(template) = &connect.spec.template else { return };
    check(template, TEMPLATE, findings);
    let taken = pod::taken(workers, settings);
    let field = format!("{TEMPLATE}.pod");
    if let Some(pod) = &template.pod {
        check_pod(pod, &field, &taken, findings);
    }
    let volumes = TemplateVolumes { field, pod: template.pod.as_ref(), hidden: None };
    for (section, container) in template.containers() {
        // That of a build makes no container of a worker.
        if taken.variables.contains_key(section) {
            let field = format!("{TEMPLATE}.{section}");
            check_container(container, &field, section, &volumes, &taken, findings);
        }
    }
}
