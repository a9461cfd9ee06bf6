//! `kafka-connect.properties`: the configuration of the workers.

use std::collections::BTreeMap;

use api::agent::container::{self, KUBERNETES_NODE, RACK_FILE};
use api::common::external_configuration::EXTERNAL_CONFIGURATION_FOLDER;
use api::connect::{
    ADVERTISED_HOSTNAME, CONFIG_PROVIDERS, DIRECTORY_PROVIDER, ENV_PROVIDER, FILE_PROVIDER, PLUG_INS_FOLDER,
    SECRETS_PROVIDER,
};
use api::plug_in::{
    CLIENT_METRICS_REPORTERS, INTERCEPTORS, JMX_REPORTER, METRICS_REPORTER_OPTIONS, SECRETS_PROVIDER_CLASS,
    TRACING_INTERCEPTORS,
};
use api::ports;
use api::properties::Properties;

use super::Client;
use crate::clients::options;
use crate::process::Metrics;
use crate::rack::Rack;

/// The prefixes of options of the clients that a worker has: its own, and those of its connectors.
const CLIENTS: [&str; 4] = ["", "producer.", "consumer.", "admin."];
/// Folders that configurations of connectors may take files from: what users mount, the certificates that the workers trust, and
/// their rack. What the workers prove themselves by is in none of them, nor is their own configuration, in which it stands once the agent has
/// put it there.
const READABLE_FOLDERS: [&str; 3] = [container::USERS, container::TRUSTED_CERTIFICATES, KUBERNETES_NODE];
/// Converters of records where the user names none.
const JSON_CONVERTER: &str = "org.apache.kafka.connect.json.JsonConverter";
/// The converter that leaves records as they are.
const BYTES_CONVERTER: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";

/// The group of the workers and its topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Name of the group.
    pub id: String,
    /// Topic with the options of the connectors.
    pub config_topic: String,
    /// Topic with their states.
    pub status_topic: String,
    /// Topic with offsets of source connectors.
    pub offset_topic: String,
}

/// What the file is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// The Kafka cluster that the workers themselves work with.
    pub client: &'a Client,
    /// Their group.
    pub group: &'a Group,
    /// Where their rack comes from.
    pub rack: Option<&'a Rack>,
    /// Which metrics are offered to Prometheus.
    pub metrics: Option<&'a Metrics>,
    /// Whether their clients are traced.
    pub is_traced: bool,
    /// The user's options.
    pub options: &'a BTreeMap<String, String>,
    /// Whether the workers mirror records as they are.
    pub mirrors: bool,
    /// Whether there are volumes of an older resource, which configurations of connectors may take files from too.
    pub external: bool,
}

/// The file.
pub(crate) fn text(parts: &Parts<'_>) -> String {
    let mut lines = Properties::default();
    let access = &parts.client.access;
    let group = parts.group;
    for (name, value) in [
        ("bootstrap.servers", &access.bootstrap_servers),
        ("group.id", &group.id),
        ("config.storage.topic", &group.config_topic),
        ("status.storage.topic", &group.status_topic),
        ("offset.storage.topic", &group.offset_topic),
    ] {
        lines.set(name, value);
    }
    lines.set("rest.advertised.host.name", format!("${{{ENV_PROVIDER}:{ADVERTISED_HOSTNAME}}}"));
    lines.set("rest.advertised.port", ports::CONNECT_REST.to_string());
    lines.set("plugin.path", PLUG_INS_FOLDER);
    for prefix in CLIENTS {
        for (name, value) in options::of(access, &parts.client.files) {
            lines.set(format!("{prefix}{name}"), value);
        }
    }
    if let Some(rack) = parts.rack {
        lines.set(
            "consumer.client.rack",
            match rack {
                Rack::TopologyLabel(_) => format!("${{{DIRECTORY_PROVIDER}:{KUBERNETES_NODE}:{RACK_FILE}}}"),
                Rack::EnvironmentVariable(name) => format!("${{{ENV_PROVIDER}:{name}}}"),
            },
        );
    }
    providers(parts.options.get(CONFIG_PROVIDERS), parts.mirrors, parts.external, &mut lines);
    let converter = if parts.mirrors { BYTES_CONVERTER } else { JSON_CONVERTER };
    lines.set("key.converter", converter);
    lines.set("value.converter", converter);
    if parts.mirrors {
        lines.set("header.converter", converter);
    }
    for (name, value) in parts.options.iter().filter(|(name, _)| name.as_str() != CONFIG_PROVIDERS) {
        lines.set(name, value);
    }
    reporters(parts.metrics, &mut lines);
    if parts.is_traced {
        for (option, class) in INTERCEPTORS.into_iter().zip(TRACING_INTERCEPTORS) {
            lines.set(option, class);
        }
    }
    lines.to_text()
}

/// The providers that every worker has, behind those that the user configured.
fn providers(users: Option<&String>, mirrors: bool, external: bool, lines: &mut Properties) {
    let folder = |is_there: bool, folder: &str| if is_there { format!(",{folder}") } else { String::new() };
    let readable =
        format!("{}{}", READABLE_FOLDERS.join(","), folder(external, EXTERNAL_CONFIGURATION_FOLDER));
    let passwords = folder(mirrors, container::JAAS_PASSWORDS);
    let own = [ENV_PROVIDER, FILE_PROVIDER, DIRECTORY_PROVIDER, SECRETS_PROVIDER];
    let listed = users.into_iter().flat_map(|users| users.split(',')).map(str::trim);
    let others = listed.filter(|name| !name.is_empty() && !own.contains(name));
    lines.set(CONFIG_PROVIDERS, others.chain(own).collect::<Vec<_>>().join(","));
    let kafkas = |class: &str| format!("org.apache.kafka.common.config.provider.{class}");
    for (name, option, value) in [
        (ENV_PROVIDER, "class", kafkas("EnvVarConfigProvider")),
        (ENV_PROVIDER, "param.allowlist.pattern", ".*".to_owned()),
        (FILE_PROVIDER, "class", kafkas("FileConfigProvider")),
        (FILE_PROVIDER, "param.allowed.paths", readable.clone()),
        (DIRECTORY_PROVIDER, "class", kafkas("DirectoryConfigProvider")),
        (DIRECTORY_PROVIDER, "param.allowed.paths", format!("{readable}{passwords}")),
        (SECRETS_PROVIDER, "class", SECRETS_PROVIDER_CLASS.to_owned()),
    ] {
        lines.set(format!("{CONFIG_PROVIDERS}.{name}.{option}"), value);
    }
}

/// The reporters of metrics, behind those that the user lists. Those of the clients have no port of their own: in one process
/// they add to the same registry.
fn reporters(metrics: Option<&Metrics>, lines: &mut Properties) {
    let mut add = |prefix: &str, default: &str, reporter: &str| {
        let option = format!("{prefix}metric.reporters");
        let listed = lines.get(&option).unwrap_or(default).to_owned();
        let mut all: Vec<&str> = listed.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
        if !all.contains(&reporter) {
            all.push(reporter);
        }
        let all = all.join(",");
        lines.set(option, all);
    };
    match metrics {
        None => {}
        // The beans are there by default, but not beside other reporters.
        Some(Metrics::JmxExporter { .. }) => add("", "", JMX_REPORTER),
        Some(Metrics::Reporter { allow_list }) => {
            for prefix in CLIENTS {
                add(prefix, JMX_REPORTER, CLIENT_METRICS_REPORTERS[0]);
            }
            for prefix in CLIENTS {
                let option = |name: &str| format!("{prefix}{METRICS_REPORTER_OPTIONS}{name}");
                lines.set(option("listener.enable"), prefix.is_empty().to_string());
                lines.set(option("allowlist"), allow_list.join(","));
            }
            let listener = format!("http://:{}", ports::METRICS);
            lines.set(format!("{METRICS_REPORTER_OPTIONS}listener"), listener);
        }
    }
}
