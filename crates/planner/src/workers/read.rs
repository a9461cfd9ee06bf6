//! Reads what resources with workers have in common.

use std::collections::BTreeMap;

use api::agent::{Heap, PlugIn, RackSource, WorkerConfig};
use api::common::external_configuration::ExternalConfiguration;
use api::common::jvm::{JmxOptions, JvmOptions as JvmSection};
use api::common::logging::Logging;
use api::common::metrics::{MetricsConfig, Tracing, TracingType};
use api::common::probe::Probe as ProbeSection;
use api::common::rack::Rack as RackSection;
use api::common::sections::Sections;
use api::conditions::reasons;
use api::kafka_connect::KafkaConnectTemplate;
use api::labels::ExclusionPattern;
use api::limits::{DNS_LABEL, is_dns_label};
use api::ports;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use objects::{Owner, Pairs};

use super::properties::{self, Group, Parts};
use super::{BuildAnnotations, Client, ImagePlugIn, WorkerNames, Workers, external, pod};
use crate::findings::Findings;
use crate::fingerprint;
use crate::process::{Jmx, JvmOptions, Metrics, log_file};
use crate::rack::Rack;
use crate::referred::Referred;
use crate::settings::PlanSettings;
use crate::text;
use crate::versions;
use crate::workload::probe::Probe;
use crate::workload::resizing::Resizing;
use crate::workload::templates::{TemplateVolumes, check, check_container, check_pod};

/// Probes of a worker: the rhythm after the start; the start itself is watched every second.
const PROBE: Probe = Probe { initial_delay: 0, timeout: 5, period: 10, failures: 3, successes: 1 };
/// The heap's share of the memory limit when the resource names no size.
const HEAP_PERCENTAGE: u8 = 75;
/// The same of the machine's memory, where the container has no limit: what the JVM would take by itself.
const HEAP_PERCENTAGE_WITHOUT_LIMIT: u8 = 25;
/// The heap at the start, where the container has no limit.
const HEAP_WITHOUT_LIMIT: &str = "128M";
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

/// The fields that resources with workers have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub metadata: &'a ObjectMeta,
    pub version: Option<&'a str>,
    pub replicas: Option<i32>,
    pub image: Option<&'a str>,
    pub resources: Option<&'a ResourceRequirements>,
    pub liveness_probe: Option<&'a ProbeSection>,
    pub readiness_probe: Option<&'a ProbeSection>,
    pub jvm_options: Option<&'a JvmSection>,
    pub jmx_options: Option<&'a JmxOptions>,
    pub logging: Option<&'a Logging>,
    pub rack: Option<&'a RackSection>,
    pub metrics_config: Option<&'a MetricsConfig>,
    pub tracing: Option<&'a Tracing>,
    pub template: Option<&'a KafkaConnectTemplate>,
    pub external: Option<&'a ExternalConfiguration>,
}

/// What a kind says of its workers beside that.
pub(crate) struct Wishes<'a> {
    /// The resource, which hands these labels on.
    pub owner: fn(&str, &str, &str, &Pairs) -> Owner,
    pub names: WorkerNames,
    pub component_type: &'static str,
    /// Images of its own by version, and the variable that they are set with.
    pub images: (&'a BTreeMap<String, String>, &'static str),
    pub custom_labels: &'a Pairs,
    /// The Kafka clusters; the workers keep their own state in the first one.
    pub clients: Vec<Client>,
    /// Their group, and the path of the section that names it.
    pub group: (Group, &'static str),
    /// The user's options.
    pub options: BTreeMap<String, String>,
    /// Whether they do nothing but mirror records.
    pub mirrors: bool,
    /// Whether the REST API is for the operator and the workers alone.
    pub closed: bool,
    pub plug_ins: Vec<ImagePlugIn>,
}

/// The workers that a resource asks for. What is wrong is a problem in `findings` and a default in the workers; `None`: they cannot
/// be understood.
pub(crate) fn read(
    fields: &Fields<'_>,
    wishes: Wishes<'_>,
    (settings, referred): (&PlanSettings, Referred<'_>),
    findings: &mut Findings,
) -> Option<Workers> {
    let text_of_metadata = |text: Option<&String>| text.cloned().unwrap_or_default();
    let name = text_of_metadata(fields.metadata.name.as_ref());
    let namespace = text_of_metadata(fields.metadata.namespace.as_ref());
    let uid = text_of_metadata(fields.metadata.uid.as_ref());
    let Wishes { owner, names, component_type, images, custom_labels, clients, group, options, .. } = wishes;
    let replicas = replicas(fields.replicas, settings, findings);
    check_name(&name, &names, replicas, findings);
    let version = versions::read(fields.version, "spec.version", findings);
    let known = version.as_ref().map(|version| version.version.as_str());
    let image = image(fields.image, known, images, settings, findings);
    check_group(&group.0, group.1, findings);
    let rack = Rack::read(fields.rack, "spec.rack", findings);
    let (mut metrics, rules) = Metrics::read(fields.metrics_config, "spec.metricsConfig", &ALLOWED, findings);
    let (mut logging, log_text) = log_file::read(fields.logging, "spec.logging", findings);
    if let Some(rules) = rules.and_then(|rules| referred.exporter_rules(&rules, findings)) {
        metrics = Some(Metrics::JmxExporter { rules });
    }
    if let Some(text) = log_text.and_then(|place| referred.text(&place, findings)) {
        logging = log_file::Logging::External(text);
    }
    text::jvm(fields.jvm_options, "spec.jvmOptions", findings);
    let Known { trusted, hash } = known_of(&clients, referred, findings);
    let labels = inherited_labels(fields.metadata, settings, findings);
    let jmx = fields.jmx_options.map(Jmx::from);
    let external = external::read(fields.external, findings);
    let is_traced = is_traced(fields.tracing, findings);
    let properties = properties::text(&Parts {
        client: clients.first()?,
        group: &group.0,
        rack: rack.as_ref(),
        metrics: metrics.as_ref(),
        is_traced,
        options: &options,
        mirrors: wishes.mirrors,
        external: !external.volumes.is_empty(),
    });
    let mut agent = agent(fields, &clients, metrics.as_ref(), jmx);
    agent.rack = rack.as_ref().map(rack_source);
    agent.plug_ins.extend(is_traced.then_some(PlugIn::Tracing));
    if wishes.mirrors {
        let passwords = clients.iter().filter_map(|client| client.files.jaas_password(&client.access));
        agent.jaas_passwords = passwords.collect();
    }
    let workers = Workers {
        owner: owner(&name, &namespace, &uid, &labels),
        names,
        component_type,
        replicas,
        image: image.unwrap_or_default(),
        properties,
        agent,
        logging,
        metrics,
        is_traced,
        jmx,
        rack,
        clients,
        trusted,
        auth_hash: hash,
        liveness: Probe::read(fields.liveness_probe, PROBE),
        readiness: Probe::read(fields.readiness_probe, PROBE),
        resizing: Resizing::asked(fields.metadata.annotations.as_ref()),
        resources: fields.resources.cloned(),
        templates: fields.template.cloned().unwrap_or_default(),
        custom_labels: custom_labels.clone(),
        closed: wishes.closed,
        plug_ins: wishes.plug_ins,
        external,
        build_annotations: BuildAnnotations::default(),
    };
    templates(fields.template, &workers, settings, findings);
    version.map(|_| workers)
}

/// What the Secrets of all clients say.
struct Known {
    trusted: BTreeMap<String, String>,
    hash: String,
}

fn known_of(clients: &[Client], referred: Referred<'_>, findings: &mut Findings) -> Known {
    let all = referred.credentials_of_all(clients.iter().map(|client| &client.access), findings);
    let (mut trusted, mut hashes) = (BTreeMap::new(), Vec::new());
    for (client, credentials) in clients.iter().zip(all) {
        if let Some(pem) = credentials.trusted {
            trusted.insert(client.files.trusted_key.clone(), pem);
        }
        hashes.push(credentials.hash);
    }
    let hash = match hashes.as_slice() {
        [only] => only.clone(),
        all => fingerprint::short(all.join("\n").as_bytes()),
    };
    Known { trusted, hash }
}

/// How many workers there are to be.
fn replicas(asked: Option<i32>, settings: &PlanSettings, findings: &mut Findings) -> usize {
    let asked = asked.unwrap_or(api::connect::WORKERS_DEFAULT);
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

fn check_group(group: &Group, section: &str, findings: &mut Findings) {
    for (field, value) in [
        ("groupId", &group.id),
        ("configStorageTopic", &group.config_topic),
        ("statusStorageTopic", &group.status_topic),
        ("offsetStorageTopic", &group.offset_topic),
    ] {
        text::item(value, ',', &format!("{section}.{field}"), "a name", findings);
    }
}

fn image(
    own: Option<&str>,
    version: Option<&str>,
    (images, variable): (&BTreeMap<String, String>, &str),
    settings: &PlanSettings,
    findings: &mut Findings,
) -> Option<String> {
    if let Some(image) = own.filter(|image| !image.is_empty()) {
        return Some(image.to_owned());
    }
    let version = version?;
    let known = images.get(version).or_else(|| settings.kafka_images.get(version));
    if known.is_none() {
        findings.problem(
            "spec.image",
            format!(
                "the operator has no image for Kafka Connect {version}: name one here, or add {version}=IMAGE to {variable} of \
                 the operator",
            ),
        );
    }
    known.cloned()
}

fn inherited_labels(metadata: &ObjectMeta, settings: &PlanSettings, findings: &mut Findings) -> Pairs {
    let exclusion = match &settings.labels_exclusion_pattern {
        None => ExclusionPattern::default(),
        Some(pattern) => ExclusionPattern::parse(pattern).unwrap_or_default(),
    };
    exclusion.inherited(metadata.labels.as_ref()).unwrap_or_else(|error| {
        findings.problem("metadata.labels", error.to_string());
        BTreeMap::new()
    })
}

fn is_traced(tracing: Option<&Tracing>, findings: &mut Findings) -> bool {
    match tracing.map(|tracing| &tracing.type_) {
        None => false,
        Some(TracingType::OpenTelemetry) => true,
        Some(TracingType::Jaeger) => {
            let message = "spec.tracing: jaeger is no more, and nothing is traced: write type: opentelemetry, or remove it";
            findings.warn(reasons::UNSUPPORTED_FIELDS, message);
            false
        }
    }
}

/// What the agents are told.
fn agent(
    fields: &Fields<'_>,
    clients: &[Client],
    metrics: Option<&Metrics>,
    jmx: Option<Jmx>,
) -> WorkerConfig {
    let options: JvmOptions = fields.jvm_options.map(JvmOptions::from).unwrap_or_default();
    let limits = fields.resources.and_then(|resources| resources.limits.as_ref());
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
        keystores: clients.iter().filter_map(|client| client.files.key_store(&client.access)).collect(),
        jaas_passwords: Vec::new(),
        jvm,
        rack: None,
        plug_ins: wanted,
        jmx: jmx.map(Jmx::remote),
    }
}

fn rack_source(rack: &Rack) -> RackSource {
    match rack {
        Rack::TopologyLabel(key) => RackSource::TopologyLabel { key: key.clone() },
        Rack::EnvironmentVariable(name) => RackSource::Env { name: name.clone() },
    }
}

fn templates(
    template: Option<&KafkaConnectTemplate>,
    workers: &Workers,
    settings: &PlanSettings,
    findings: &mut Findings,
) {
    let Some(template) = template else { return };
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
