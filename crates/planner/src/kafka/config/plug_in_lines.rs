//! The lines of `server.config` for what comes from further jars: metrics reporter, quotas, tiered storage.

use std::collections::BTreeMap;

use api::agent::container::{CLUSTER_TRUST, NODE_KEYSTORE};
use api::names;
use api::plug_in::{
    JMX_REPORTER, METRIC_REPORTERS, METRICS_REPORTER_OPTIONS, METRICS_REPORTERS, QUOTAS_CLASS,
    QUOTAS_OPTIONS, YAMMER_REPORTERS,
};

use super::lines::{Lines, REPLICATION_LISTENER, internal_protocol, keystore, truststore};
use crate::kafka::cluster::{
    Cluster, FreeSpace, Metrics, Pool, Quotas, QuotasPlugIn, REPLICATION_PORT, TieredStorage,
};

/// Adds the lines of a node.
pub(super) fn add(cluster: &Cluster, pool: &Pool, lines: &mut Lines) {
    if let Some(storage) = &cluster.tiered_storage {
        tiered_storage(cluster, pool, storage, lines);
    }
    if let Some(Quotas::PlugIn(quotas)) = cluster.quotas.as_ref().filter(|_| pool.broker) {
        quotas_plug_in(cluster, quotas, lines);
    }
    if let Some(Metrics::Reporter { allow_list }) = &cluster.metrics {
        lines.set(&format!("{METRICS_REPORTER_OPTIONS}listener.enable"), "true");
        let port = api::ports::METRICS;
        lines.set(&format!("{METRICS_REPORTER_OPTIONS}listener"), format!("http://:{port}"));
        lines.set(&format!("{METRICS_REPORTER_OPTIONS}allowlist"), allow_list.join(","));
    }
}

/// Adds the reporters of the metrics to those that the user lists.
pub(crate) fn add_reporters(metrics: Option<&Metrics>, options: &mut BTreeMap<String, String>) {
    let mut add = |option: &str, default: Option<&str>, reporter: &str| {
        let listed = options.get(option).map(String::as_str).or(default).unwrap_or_default();
        let mut all: Vec<&str> =
            listed.split(',').map(str::trim).filter(|reporter| !reporter.is_empty()).collect();
        if !all.contains(&reporter) {
            all.push(reporter);
        }
        let all = all.join(",");
        options.insert(option.to_owned(), all);
    };
    match metrics {
        // The beans are there by default, but not beside other reporters.
        Some(Metrics::JmxExporter { .. }) => add(METRIC_REPORTERS, None, JMX_REPORTER),
        Some(Metrics::Reporter { .. }) => {
            let [reporters, _] = METRICS_REPORTERS;
            add(METRIC_REPORTERS, Some(JMX_REPORTER), reporters.kafka);
            add(YAMMER_REPORTERS, None, reporters.yammer);
        }
        None => {}
    }
}

/// Whether the agent of a node may have to change the option: then nobody but it can set it.
pub(crate) fn is_the_agents(metrics: Option<&Metrics>, option: &str) -> bool {
    option == METRIC_REPORTERS && matches!(metrics, Some(Metrics::Reporter { .. }))
}

fn quotas_plug_in(cluster: &Cluster, quotas: &QuotasPlugIn, lines: &mut Lines) {
    lines.set(&format!("{QUOTAS_OPTIONS}class"), QUOTAS_CLASS);
    let option = |name: &str| format!("{QUOTAS_OPTIONS}static.{name}");
    client(cluster, &option("kafka.admin."), lines);
    lines.maybe(&option("produce"), quotas.produce);
    lines.maybe(&option("fetch"), quotas.fetch);
    let limit = option("storage.per.volume.limit.min.available.");
    match quotas.free_space {
        Some(FreeSpace::Bytes(bytes)) => lines.set(&format!("{limit}bytes"), bytes.to_string()),
        Some(FreeSpace::Ratio(ratio)) => lines.set(&format!("{limit}ratio"), ratio.to_string()),
        None => {}
    }
    let mut excluded = api::principals::without_limits(&cluster.name);
    excluded.extend(quotas.excluded.iter().cloned());
    lines.set(&option("excluded.principal.name.list"), excluded.join(";"));
}

/// The option with which a node has remote storage.
pub(crate) const REMOTE_STORAGE: &str = "remote.log.storage.system.enable";

fn tiered_storage(cluster: &Cluster, pool: &Pool, storage: &TieredStorage, lines: &mut Lines) {
    // The controllers judge the options of topics, and so have to know that there is remote storage.
    lines.set(REMOTE_STORAGE, "true");
    if !pool.broker {
        return;
    }
    lines.set("remote.log.metadata.manager.impl.prefix", "rlmm.config.");
    lines.set(
        "remote.log.metadata.manager.class.name",
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
    );
    lines.set("remote.log.metadata.manager.listener.name", REPLICATION_LISTENER);
    client(cluster, "rlmm.config.remote.log.metadata.common.client.", lines);
    lines.set("remote.log.storage.manager.class.name", &storage.class);
    lines.maybe("remote.log.storage.manager.class.path", storage.class_path.as_ref());
    lines.set("remote.log.storage.manager.impl.prefix", "rsm.config.");
    for (name, value) in &storage.config {
        lines.set(&format!("rsm.config.{name}"), value);
    }
}

/// A client of the cluster's own brokers, with the certificate of the node.
fn client(cluster: &Cluster, prefix: &str, lines: &mut Lines) {
    let servers = format!("{}:{REPLICATION_PORT}", names::brokers_service(&cluster.name));
    lines.set(&format!("{prefix}bootstrap.servers"), servers);
    lines.set(&format!("{prefix}security.protocol"), internal_protocol(cluster));
    if cluster.internal_security.encrypts() {
        keystore(lines, prefix, NODE_KEYSTORE);
        truststore(lines, prefix, CLUSTER_TRUST);
    }
}
