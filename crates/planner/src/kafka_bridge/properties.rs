//! `application.properties`: what the bridge is configured with.

use std::collections::BTreeMap;

use api::agent::container::RACK_FILE;
use api::bridge::{CUSTOM_CONFIG, HTTP_CERTIFICATES, RACK_FOLDER};
use api::connect::{CONFIG_PROVIDERS, DIRECTORY_PROVIDER, ENV_PROVIDER, FILE_PROVIDER};
use api::names::keys;
use api::plug_in::{CLIENT_METRICS_REPORTERS, METRICS_REPORTER_OPTIONS};
use api::properties::Properties;

use super::bridge::{Http, Program};
use crate::clients::Access;
use crate::clients::files::ClientFiles;
use crate::clients::options::{self, Form};
use crate::process::Metrics;
use crate::rack::Rack;

/// Clients of Kafka in the bridge, by the beginnings of their options.
const ADMIN: &str = "kafka.admin.";
const PRODUCER: &str = "kafka.producer.";
const CONSUMER: &str = "kafka.consumer.";

/// Folders that values may be read from.
const READABLE_FOLDERS: &str = "/opt/strimzi,/opt/kafka,/mnt";

/// The options of the user's, by what they are for.
#[derive(Debug, Clone, Default)]
pub(super) struct UserOptions {
    /// Of the bridge itself.
    pub bridge: BTreeMap<String, String>,
    /// Of the client for topics and offsets.
    pub admin: BTreeMap<String, String>,
    /// Of the client that writes records.
    pub producer: BTreeMap<String, String>,
    /// Of the clients that read records.
    pub consumer: BTreeMap<String, String>,
    /// Of TLS towards HTTP clients.
    pub tls: BTreeMap<String, String>,
}

/// What the file is made of.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// Name of the resource.
    pub name: &'a str,
    /// Which program reads the file.
    pub program: &'a Program,
    /// How Kafka is reached.
    pub access: &'a Access,
    /// Where the files are for that.
    pub files: &'a ClientFiles,
    /// Where the rack comes from.
    pub rack: Option<&'a Rack>,
    /// Which metrics are offered to Prometheus.
    pub metrics: Option<&'a Metrics>,
    /// Whether requests are traced.
    pub is_traced: bool,
    /// The HTTP server.
    pub http: &'a Http,
    /// Web pages of other sites: origins and methods.
    pub cors: Option<(String, String)>,
    /// Whether records can be read.
    pub consumer_enabled: bool,
    /// Whether records can be written.
    pub producer_enabled: bool,
    /// Seconds after which a consumer that was not used is closed.
    pub timeout: i64,
    /// The user's options.
    pub options: &'a UserOptions,
}

/// The file.
pub(super) fn text(parts: &Parts<'_>) -> String {
    let mut lines = Properties::default();
    lines.set("bridge.id", parts.name);
    metrics(parts, &mut lines);
    if parts.is_traced {
        lines.set("bridge.tracing", "opentelemetry");
    }
    lines.set("kafka.bootstrap.servers", &parts.access.bootstrap_servers);
    let form = match parts.program {
        Program::Own => Form::Program,
        Program::Java(_) => Form::Kafka,
    };
    for (name, value) in options::in_form(parts.access, parts.files, form) {
        lines.set(format!("kafka.{name}"), value);
    }
    let of_clients = [
        (ADMIN, &parts.options.admin),
        (PRODUCER, &parts.options.producer),
        (CONSUMER, &parts.options.consumer),
    ];
    for (prefix, options) in of_clients {
        if form == Form::Kafka {
            providers(prefix, options.get(CONFIG_PROVIDERS), &mut lines);
        }
        for (name, value) in options.iter().filter(|(name, _)| name.as_str() != CONFIG_PROVIDERS) {
            lines.set(format!("{prefix}{name}"), value);
        }
    }
    if let Some(rack) = parts.rack {
        lines.set(
            format!("{CONSUMER}client.rack"),
            match rack {
                Rack::TopologyLabel(_) => format!("${{{DIRECTORY_PROVIDER}:{RACK_FOLDER}:{RACK_FILE}}}"),
                Rack::EnvironmentVariable(name) => format!("${{{ENV_PROVIDER}:{name}}}"),
            },
        );
    }
    http(parts, &mut lines);
    for (name, value) in &parts.options.bridge {
        lines.set(name, value);
    }
    lines.to_text()
}

fn metrics(parts: &Parts<'_>, lines: &mut Properties) {
    let is_java = *parts.program != Program::Own;
    match parts.metrics {
        None => {}
        Some(Metrics::JmxExporter { .. }) => {
            lines.set("bridge.metrics", "jmxPrometheusExporter");
            if is_java {
                let rules = format!("{CUSTOM_CONFIG}/{}", keys::METRICS_CONFIG);
                lines.set("bridge.metrics.exporter.config.path", rules);
            }
        }
        Some(Metrics::Reporter { allow_list }) => {
            lines.set("bridge.metrics", "strimziMetricsReporter");
            if is_java {
                let option = |name: &str| format!("kafka.{METRICS_REPORTER_OPTIONS}{name}");
                lines.set("kafka.metric.reporters", CLIENT_METRICS_REPORTERS[0]);
                lines.set(option("listener.enable"), "false");
                lines.set(option("allowlist"), allow_list.join(","));
            }
        }
    }
}

/// The providers that each client of the bridge in Java has, behind those that the user configured.
fn providers(prefix: &str, users: Option<&String>, lines: &mut Properties) {
    let own = [ENV_PROVIDER, FILE_PROVIDER, DIRECTORY_PROVIDER];
    let listed = users.into_iter().flat_map(|users| users.split(',')).map(str::trim);
    let others = listed.filter(|name| !name.is_empty() && !own.contains(name));
    let option = |rest: &str| format!("{prefix}{CONFIG_PROVIDERS}{rest}");
    lines.set(option(""), others.chain(own).collect::<Vec<_>>().join(","));
    let kafkas = |class: &str| format!("org.apache.kafka.common.config.provider.{class}");
    for (provider, name, value) in [
        (ENV_PROVIDER, "class", kafkas("EnvVarConfigProvider")),
        (ENV_PROVIDER, "param.allowlist.pattern", ".*".to_owned()),
        (FILE_PROVIDER, "class", kafkas("FileConfigProvider")),
        (FILE_PROVIDER, "param.allowed.paths", READABLE_FOLDERS.to_owned()),
        (DIRECTORY_PROVIDER, "class", kafkas("DirectoryConfigProvider")),
        (DIRECTORY_PROVIDER, "param.allowed.paths", READABLE_FOLDERS.to_owned()),
    ] {
        lines.set(option(&format!(".{provider}.{name}")), value);
    }
}

fn http(parts: &Parts<'_>, lines: &mut Properties) {
    lines.set("http.host", "0.0.0.0");
    lines.set("http.port", parts.http.port.to_string());
    if let Some(certificate) = &parts.http.certificate {
        let path = |key: &str| format!("{HTTP_CERTIFICATES}/{}/{key}", certificate.secret);
        lines.set("http.ssl.enable", "true");
        lines.set("http.ssl.keystore.certificate.location", path(&certificate.certificate));
        lines.set("http.ssl.keystore.key.location", path(&certificate.key));
        for (name, value) in &parts.options.tls {
            lines.set(format!("http.{name}"), value);
        }
    }
    if let Some((origins, methods)) = &parts.cors {
        lines.set("http.cors.enabled", "true");
        lines.set("http.cors.allowedOrigins", origins);
        lines.set("http.cors.allowedMethods", methods);
    }
    lines.set("http.consumer.enabled", parts.consumer_enabled.to_string());
    lines.set("http.timeoutSeconds", parts.timeout.to_string());
    lines.set("http.producer.enabled", parts.producer_enabled.to_string());
}
