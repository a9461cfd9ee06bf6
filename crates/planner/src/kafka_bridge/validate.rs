//! What a KafkaBridge asks for, and everything that is wrong with it.

use std::collections::BTreeMap;

use ::objects::Owner;
use api::common::metrics::TracingType;
use api::common::sections::Sections;
use api::conditions::reasons;
use api::connect::SECRETS_PROVIDER;
use api::kafka_bridge::BridgeHttp;
use api::labels::ExclusionPattern;
use api::limits::{DNS_LABEL, is_dns_label};
use api::names::{bridge as names, keys};
use api::{KafkaBridge, annotations, bridge as contract, last_applied, ports};
use kube_core::ResourceExt;

use super::bridge::{Bridge, Http, HttpCertificate, Program};
use super::properties::{self, Parts, UserOptions};
use super::{deployment, java, references};
use crate::clients::Authentication;
use crate::clients::files::ClientFiles;
use crate::findings::Findings;
use crate::process::{Metrics, log_file};
use crate::rack::Rack;
use crate::referred::Referred;
use crate::settings::PlanSettings;
use crate::text;
use crate::user_options::{self, Rules, TLS_EXCEPTIONS};
use crate::workload::probe::Probe;
use crate::workload::templates::{TemplateVolumes, check, check_container, check_pod};

/// Probes: the rhythm after the start; the start itself is watched every second.
const PROBE: Probe = Probe { initial_delay: 0, timeout: 5, period: 10, failures: 3, successes: 1 };
/// Pods of a resource that names no number of them.
const REPLICAS: i32 = 1;
/// A consumer that nobody uses is never closed.
const NEVER: i64 = -1;
/// The name of the Kafka cluster, in names of files and volumes.
const CLIENT: &str = "client";
/// Path of the template.
const TEMPLATE: &str = "spec.template";

/// Names of metrics that the bridge in Java offers by default.
const ALLOWED: [&str; 4] =
    ["kafka_admin_client.*", "kafka_consumer.*", "kafka_producer.*", "strimzi_bridge.*"];

/// Which options of the clients are the user's.
const OF_CLIENTS: Rules = Rules {
    forbidden: &["ssl.", "sasl.", "security.", "bootstrap.servers", "group.id"],
    exceptions: TLS_EXCEPTIONS,
    instead: "addresses, TLS and authentication have sections of their own, and the group stands in the path of a request",
};

/// Which options of the bridge itself are the user's.
const OF_BRIDGE: Rules = Rules {
    forbidden: &["kafka.", "http.", "bridge.id", "bridge.tracing", "bridge.metrics"],
    exceptions: &[],
    instead: "the clients, the HTTP server, metrics and tracing have sections of their own",
};

/// Which options of TLS towards HTTP clients are the user's.
const OF_TLS: Rules = Rules {
    forbidden: &[""],
    exceptions: &["ssl.enabled.protocols", "ssl.enabled.cipher.suites"],
    instead: "only ssl.enabled.protocols and ssl.enabled.cipher.suites may be written here",
};

/// Judges a resource by itself, as if there were nothing yet. What it refers to (Secrets, ConfigMaps) is taken for given.
pub fn alone(resource: &KafkaBridge, settings: &PlanSettings) -> Findings {
    let mut findings = Findings::default();
    read(resource, settings, Referred::TakenForGiven, &mut findings);
    findings.settle(true);
    findings
}

/// The bridge that a resource asks for. What is wrong is a problem in `findings` and a default in the bridge.
pub(super) fn read(
    resource: &KafkaBridge,
    settings: &PlanSettings,
    referred: Referred<'_>,
    findings: &mut Findings,
) -> Bridge {
    let spec = &resource.spec;
    let (name, namespace) = (resource.name_any(), resource.namespace().unwrap_or_default());
    check_name(&name, findings);
    let program = program(resource, findings);
    let image = image(resource, settings);
    let rack = Rack::read(spec.rack.as_ref(), "spec.rack", findings);
    let (mut metrics, rules) =
        Metrics::read(spec.metrics_config.as_ref(), "spec.metricsConfig", &ALLOWED, findings);
    if let Some(rules) = rules.and_then(|rules| referred.exporter_rules(&rules, findings)) {
        metrics = Some(Metrics::JmxExporter { rules });
    }
    if metrics.is_none() && spec.enable_metrics == Some(true) {
        metrics = Some(Metrics::Reporter { allow_list: ALLOWED.map(str::to_owned).to_vec() });
    }
    let (mut logging, log_text) = log_file::read(spec.logging.as_ref(), "spec.logging", findings);
    if let Some(text) = log_text.and_then(|place| referred.text(&place, findings)) {
        logging = log_file::Logging::External(text);
    }
    let access = references::access(resource, findings);
    let credentials = referred.credentials(&access, findings);
    let files = ClientFiles { name: CLIENT.to_owned(), trusted_key: keys::CA_CRT.to_owned() };
    let http = http(spec.http.as_ref(), referred, findings);
    let options = options(resource, findings);
    if program == Program::Own {
        only_java(resource, &access.authentication, &options, findings);
    }
    say(resource, &program, findings);
    let parts = Parts {
        name: &name,
        program: &program,
        access: &access,
        files: &files,
        rack: rack.as_ref(),
        metrics: metrics.as_ref(),
        is_traced: spec.tracing.as_ref().is_some_and(|tracing| tracing.type_ == TracingType::OpenTelemetry),
        http: &http,
        cors: cors(spec.http.as_ref(), findings),
        consumer_enabled: spec.consumer.as_ref().and_then(|consumer| consumer.enabled).unwrap_or(true),
        producer_enabled: spec.producer.as_ref().and_then(|producer| producer.enabled).unwrap_or(true),
        timeout: timeout(resource, findings),
        options: &options,
    };
    let properties = properties::text(&parts);
    let labels = inherited_labels(resource, settings, findings);
    let rules = match (&metrics, &program) {
        (Some(Metrics::JmxExporter { rules }), Program::Java(_)) => Some(rules.clone()),
        _ => None,
    };
    let bridge = Bridge {
        owner: Owner::new::<KafkaBridge>(&name, &namespace, &resource.uid().unwrap_or_default(), &labels),
        replicas: replicas(resource, settings, findings),
        image,
        program,
        http,
        properties,
        logging,
        rules,
        rack,
        access,
        files,
        trusted: credentials.trusted,
        auth_hash: credentials.hash,
        liveness: Probe::read(spec.liveness_probe.as_ref(), PROBE),
        readiness: Probe::read(spec.readiness_probe.as_ref(), PROBE),
        resources: spec.resources.clone(),
        templates: spec.template.clone().unwrap_or_default(),
    };
    templates(resource, &bridge, settings, findings);
    bridge
}

/// A Service has limits of its own.
fn check_name(name: &str, findings: &mut Findings) {
    let service = names::service(name);
    if is_dns_label(&service) {
        return;
    }
    let room = DNS_LABEL.saturating_sub(service.len() - name.len());
    findings.problem(
        "metadata.name",
        format!(
            "{name:?} gives no name that a Service can have, {service:?}: names cannot be changed, so create the resource under \
             one of at most {room} lower-case letters, digits and \"-\""
        ),
    );
}

fn replicas(resource: &KafkaBridge, settings: &PlanSettings, findings: &mut Findings) -> i32 {
    match resource.spec.replicas {
        None => {
            let message = format!("spec.replicas is missing: {REPLICAS} is used; write it");
            findings.warn(reasons::DEPRECATED_FIELDS, message);
            REPLICAS
        }
        Some(asked) if asked < 0 => {
            findings.problem("spec.replicas", format!("{asked} is no number of pods: write 0 or more"));
            0
        }
        Some(asked) if usize::try_from(asked).is_ok_and(|asked| asked > settings.max_nodes) => {
            let (most, variable) = (settings.max_nodes, api::env::own::MAX_NODES);
            let message = format!("{asked} is more than {most} ({variable} of the operator): write less");
            findings.problem("spec.replicas", message);
            0
        }
        Some(asked) => asked,
    }
}

/// Which program runs.
fn program(resource: &KafkaBridge, findings: &mut Findings) -> Program {
    let field = format!("metadata.annotations.{}", annotations::BRIDGE_RUNTIME);
    let asked = resource.metadata.annotations.as_ref().and_then(|all| all.get(annotations::BRIDGE_RUNTIME));
    match asked.map(String::as_str) {
        None => Program::Own,
        Some(contract::JAVA_RUNTIME) => {
            if resource.spec.image.as_ref().is_none_or(String::is_empty) {
                findings.problem(
                    "spec.image",
                    format!("is missing: {field} needs an image with the bridge in Java"),
                );
            }
            java::check(&resource.spec, findings);
            Program::Java(java::environment(&resource.spec))
        }
        Some(other) => {
            let message = format!(
                "{other:?} is no program of a bridge: write {:?}, or remove the annotation",
                contract::JAVA_RUNTIME
            );
            findings.problem(field, message);
            Program::Own
        }
    }
}

fn image(resource: &KafkaBridge, settings: &PlanSettings) -> String {
    let own = resource.spec.image.clone().filter(|image| !image.is_empty());
    own.or_else(|| settings.kafka_bridge_image.clone()).unwrap_or_else(|| settings.operator_image.clone())
}

/// The HTTP server.
fn http(raw: Option<&BridgeHttp>, referred: Referred<'_>, findings: &mut Findings) -> Http {
    let port = raw.and_then(|http| http.port).unwrap_or(ports::BRIDGE_HTTP);
    if port == ports::BRIDGE_MANAGEMENT {
        findings.problem(
            "spec.http.port",
            format!(
                "{port} is the port of health and metrics: choose another one, for example {}",
                ports::BRIDGE_HTTP
            ),
        );
    } else if !(1023..=65_535).contains(&port) {
        findings.problem(
            "spec.http.port",
            format!("{port} is no port that may be used: write one from 1023 to 65535"),
        );
    }
    let certificate = raw.and_then(|http| http.tls.as_ref()).map(|tls| {
        let own = &tls.certificate_and_key;
        let field = "spec.http.tls.certificateAndKey";
        let place = (own.secret_name.as_str(), (own.certificate.as_str(), own.key.as_str()), field);
        let hash = referred.of_server(place, findings);
        HttpCertificate {
            secret: own.secret_name.clone(),
            certificate: own.certificate.clone(),
            key: own.key.clone(),
            hash,
        }
    });
    Http { port, certificate }
}

/// Origins and methods of web pages of other sites.
fn cors(raw: Option<&BridgeHttp>, findings: &mut Findings) -> Option<(String, String)> {
    let cors = raw.and_then(|http| http.cors.as_ref())?;
    let mut list = |field: &str, what: &str, items: &[String]| {
        for (index, item) in items.iter().enumerate() {
            text::item(item, ',', &format!("spec.http.cors.{field}[{index}]"), what, findings);
        }
        items.join(",")
    };
    let origins = list("allowedOrigins", "an origin", &cors.allowed_origins);
    Some((origins, list("allowedMethods", "an HTTP method", &cors.allowed_methods)))
}

fn timeout(resource: &KafkaBridge, findings: &mut Findings) -> i64 {
    let asked =
        resource.spec.consumer.as_ref().and_then(|consumer| consumer.timeout_seconds).unwrap_or(NEVER);
    if !(NEVER..=i64::from(i32::MAX)).contains(&asked) {
        let message =
            format!("{asked} is no number of seconds: write -1 for never, or a number up to {}", i32::MAX);
        findings.problem("spec.consumer.timeoutSeconds", message);
    }
    asked
}

fn options(resource: &KafkaBridge, findings: &mut Findings) -> UserOptions {
    let spec = &resource.spec;
    let admin = spec.admin_client.as_ref().and_then(|client| client.config.as_ref());
    let producer = spec.producer.as_ref().and_then(|client| client.config.as_ref());
    let consumer = spec.consumer.as_ref().and_then(|client| client.config.as_ref());
    let tls = spec.http.as_ref().and_then(|http| http.tls.as_ref()).and_then(|tls| tls.config.as_ref());
    UserOptions {
        bridge: user_options::read(spec.config.as_ref(), "spec.config", &OF_BRIDGE, findings),
        admin: user_options::read(admin, "spec.adminClient.config", &OF_CLIENTS, findings),
        producer: user_options::read(producer, "spec.producer.config", &OF_CLIENTS, findings),
        consumer: user_options::read(consumer, "spec.consumer.config", &OF_CLIENTS, findings),
        tls: user_options::read(tls, "spec.http.tls.config", &OF_TLS, findings),
    }
}

/// What our program could not start with.
fn only_java(
    resource: &KafkaBridge,
    authentication: &Authentication,
    options: &UserOptions,
    findings: &mut Findings,
) {
    let java = format!(
        "or run the bridge in Java with the annotation {}: {} and its image in spec.image",
        annotations::BRIDGE_RUNTIME,
        contract::JAVA_RUNTIME
    );
    if let Authentication::Custom { options, .. } = authentication {
        for (name, value) in options {
            let field = format!("spec.authentication.config.{name}");
            let is_mechanism =
                name == "sasl.mechanism" && ["OAUTHBEARER", "GSSAPI"].contains(&value.as_str());
            if is_mechanism {
                let message =
                    format!("{value:?} is not spoken: write SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN, {java}");
                findings.problem(field.clone(), message);
            }
            if name == "ssl.keystore.type" && value == "JKS" {
                findings
                    .problem(field.clone(), format!("{value:?} is not read: write PEM or PKCS12, {java}"));
            }
            secrets_provider(&field, value, &java, findings);
        }
    }
    let sections: [(&str, &BTreeMap<String, String>); 4] = [
        ("spec.config", &options.bridge),
        ("spec.adminClient.config", &options.admin),
        ("spec.producer.config", &options.producer),
        ("spec.consumer.config", &options.consumer),
    ];
    for (section, options) in sections {
        for (name, value) in options {
            secrets_provider(&format!("{section}.{name}"), value, &java, findings);
        }
    }
    if resource.spec.jvm_options.is_some() {
        let message = "spec.jvmOptions: without effect: the bridge is no Java program, and spec.resources bounds its memory; remove it";
        findings.warn(reasons::FIELDS_WITHOUT_EFFECT, message);
    }
}

fn secrets_provider(field: &str, value: &str, java: &str, findings: &mut Findings) {
    if value.contains(&format!("${{{SECRETS_PROVIDER}:")) {
        findings.problem(
            field,
            format!(
                "{SECRETS_PROVIDER} is not known to the bridge: mount the Secret below /mnt with {TEMPLATE}.pod.volumes and \
                 {TEMPLATE}.bridgeContainer.volumeMounts and write ${{strimzidir:FOLDER:FILE}}, {java}"
            ),
        );
    }
}

/// Says which fields are deprecated, unknown, or not carried out.
fn say(resource: &KafkaBridge, program: &Program, findings: &mut Findings) {
    if let Some(complaint) = last_applied::complaint(&resource.metadata) {
        findings.warn(reasons::UNKNOWN_FIELDS, complaint);
    }
    let spec = &resource.spec;
    if spec.tracing.as_ref().is_some_and(|tracing| tracing.type_ == TracingType::Jaeger) {
        let message =
            "spec.tracing: jaeger is no more, and nothing is traced: write type: opentelemetry, or remove it";
        findings.warn(reasons::UNSUPPORTED_FIELDS, message);
    }
    if spec.enable_metrics.is_some() {
        let message =
            "spec.enableMetrics: write spec.metricsConfig with type: strimziMetricsReporter instead";
        findings.warn(reasons::DEPRECATED_FIELDS, message);
    }
    if spec.client_rack_init_image.is_some() {
        let message = "spec.clientRackInitImage: without effect: the agent finds the rack, whose image is the operator's; remove it";
        findings.warn(reasons::FIELDS_WITHOUT_EFFECT, message);
    }
    let is_listed = |values: &api::common::metrics::MetricsReporterValues| values.allow_list.is_some();
    let lists =
        spec.metrics_config.as_ref().and_then(|metrics| metrics.values.as_ref()).is_some_and(is_listed);
    if *program == Program::Own && lists {
        let message = "spec.metricsConfig.values.allowList: without effect: the bridge has few metrics, and offers them all; remove it";
        findings.warn(reasons::FIELDS_WITHOUT_EFFECT, message);
    }
}

fn inherited_labels(
    resource: &KafkaBridge,
    settings: &PlanSettings,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let exclusion = match &settings.labels_exclusion_pattern {
        None => ExclusionPattern::default(),
        Some(pattern) => ExclusionPattern::parse(pattern).unwrap_or_default(),
    };
    exclusion.inherited(resource.metadata.labels.as_ref()).unwrap_or_else(|error| {
        findings.problem("metadata.labels", error.to_string());
        BTreeMap::new()
    })
}

fn templates(resource: &KafkaBridge, bridge: &Bridge, settings: &PlanSettings, findings: &mut Findings) {
    let Some(template) = &resource.spec.template else { return };
    check(template, TEMPLATE, findings);
    let taken = deployment::taken(bridge, settings);
    let field = format!("{TEMPLATE}.pod");
    if let Some(pod) = &template.pod {
        check_pod(pod, &field, &taken, findings);
    }
    let volumes = TemplateVolumes { field, pod: template.pod.as_ref(), hidden: None };
    for (section, container) in template.containers() {
        let field = format!("{TEMPLATE}.{section}");
        check_container(container, &field, section, &volumes, &taken, findings);
    }
}
