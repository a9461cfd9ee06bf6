//! Options that change at run time: what Kafka must be told so that it runs with what the resource says.

use std::collections::BTreeMap;

use crate::fingerprint;
use crate::kafka::admin_call::AdminCall;
use crate::kafka::cluster::{Cluster, Node};
use crate::kafka::observed::{ConfigSource, ConfigView, KafkaView};

use super::model::Model;
use super::server;

/// Fingerprint of everything in the configuration of a node that needs a restart to change.
pub fn restart_fingerprint(cluster: &Cluster, node: Node<'_>) -> String {
    let model = cluster.version.model();
    let mut text = String::new();
    for line in server::fixed(cluster, node).lines() {
        // Where a node first looks for the quorum; later it knows the voters. A controller more restarts nobody.
        if !line.starts_with("controller.quorum.bootstrap.servers=") {
            text.push_str(line);
            text.push('\n');
        }
    }
    for (name, value) in server::user_options(cluster) {
        if !model.is_live(name) {
            text.push_str(name);
            text.push('=');
            text.push_str(value);
            text.push('\n');
        }
    }
    let agent = super::agent::config(cluster, node);
    // With which voters an empty disk is formatted matters only when a disk is empty; it must not restart a pod.
    let heap = agent.heap.as_ref().map(api::agent::Heap::in_bytes);
    let agent = api::agent::AgentConfig { initial_controllers: None, heap, ..agent };
    text.push_str(&serde_json::to_string(&agent).unwrap_or_default());
    fingerprint::short(text.as_bytes())
}

/// Fingerprint of every option that can change at run time.
pub fn live_fingerprint(cluster: &Cluster) -> String {
    let model = cluster.version.model();
    let mut text = String::new();
    for (name, value) in server::user_options(cluster).into_iter().filter(|(name, _)| model.is_live(name)) {
        text.push_str(name);
        text.push('=');
        text.push_str(value);
        text.push('\n');
    }
    for id in cluster.broker_ids() {
        text.push_str(&id.to_string());
        text.push(' ');
    }
    fingerprint::short(text.as_bytes())
}

/// The calls that make the brokers run with the wanted values of the options that can change at run time.
///
/// A wanted value that differs on any broker is set for the whole cluster; an override on a single broker is removed.
/// An option that is wanted no more goes back to Kafka's default: it is set, because removing the run-time value
/// would bring back what the file said when the broker started.
pub fn calls(cluster: &Cluster, view: &KafkaView) -> Vec<AdminCall> {
    let model = cluster.version.model();
    let wanted: BTreeMap<&str, &str> = server::user_options(cluster).into_iter().collect();
    let mut everywhere = BTreeMap::new();
    let mut calls = Vec::new();
    for (broker, options) in &view.broker_configs {
        let mut here = BTreeMap::new();
        for (name, option) in options.iter().filter(|(name, _)| model.is_live(name)) {
            let Some(target) = target(model, name, wanted.get(name.as_str()).copied(), option) else {
                continue;
            };
            if !same(model, name, option.value.as_deref(), &target) {
                everywhere.insert(name.clone(), Some(target));
                if option.source == ConfigSource::DynamicBroker {
                    here.insert(name.clone(), None);
                }
            }
        }
        if !here.is_empty() {
            calls.push(AdminCall::AlterBrokerConfig { broker: Some(*broker), changes: here });
        }
    }
    if !everywhere.is_empty() {
        // First the value for all, then the overrides go: no broker falls back to its file in between.
        calls.insert(0, AdminCall::AlterBrokerConfig { broker: None, changes: everywhere });
    }
    calls
}

/// The value that a broker should have; `None`: leave it.
fn target(model: &Model, name: &str, wanted: Option<&str>, now: &ConfigView) -> Option<String> {
    if let Some(wanted) = wanted {
        return Some(wanted.to_owned());
    }
    if matches!(now.source, ConfigSource::Default | ConfigSource::Other) {
        return None;
    }
    model.options.get(name).and_then(|option| option.default.clone())
}

/// Whether two values mean the same: numbers by value, lists without blanks, switches without case.
fn same(model: &Model, name: &str, now: Option<&str>, wanted: &str) -> bool {
    use super::model::Kind;
    // A value that the pod resolves, or that Kafka does not show, cannot be compared.
    if wanted.contains("${") {
        return true;
    }
    let Some(now) = now else { return wanted.is_empty() };
    let (now, wanted) = (now.trim(), wanted.trim());
    match model.options.get(name).map(|option| option.kind) {
        Some(Kind::Double) => match (now.parse::<f64>(), wanted.parse::<f64>()) {
            (Ok(now), Ok(wanted)) => now.to_bits() == wanted.to_bits(),
            _ => now == wanted,
        },
        Some(Kind::Int | Kind::Long | Kind::Short) => match (now.parse::<i64>(), wanted.parse::<i64>()) {
            (Ok(now), Ok(wanted)) => now == wanted,
            _ => now == wanted,
        },
        Some(Kind::Boolean) => now.eq_ignore_ascii_case(wanted),
        Some(Kind::List) => {
            let items = |text: &str| -> Vec<String> {
                text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
            };
            items(now) == items(wanted)
        }
        Some(Kind::Password) => true,
        _ => now == wanted,
    }
}
