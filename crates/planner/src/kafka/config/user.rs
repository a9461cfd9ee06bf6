//! The options of the user: which are allowed, and how they are written.

use std::collections::BTreeMap;

use serde_json::Value;

use super::model::Model;
pub use crate::option_text::is_option_name;
use crate::option_text::{as_text, no_option_name};

/// Options that the operator decides, in small letters. A resource with an option that starts with one of these is refused.
const FORBIDDEN_PREFIXES: &[&str] = &[
    "listeners",
    "advertised.",
    "broker.",
    "listener.",
    "host.name",
    "port",
    "inter.broker.listener.name",
    "sasl.",
    "ssl.",
    "security.",
    "password.",
    "log.dir",
    "zookeeper.connect",
    "zookeeper.set.acl",
    "zookeeper.ssl",
    "zookeeper.clientcnxnsocket",
    "authorizer.",
    "super.user",
    "cruise.control.metrics.topic",
    "cruise.control.metrics.reporter.bootstrap.servers",
    "node.id",
    "process.roles",
    "controller.",
    "metadata.log.dir",
    "client.quota.callback.static.",
    "prometheus.metrics.reporter.",
    "cordoned.log.dirs",
    "early.start.listeners",
];

/// Options below the forbidden prefixes that are the user's all the same.
const EXCEPTIONS: &[&str] = &[
    "sasl.server.max.receive.size",
    "ssl.cipher.suites",
    "ssl.protocol",
    "ssl.enabled.protocols",
    "ssl.secure.random.implementation",
    "cruise.control.metrics.topic.num.partitions",
    "cruise.control.metrics.topic.replication.factor",
    "cruise.control.metrics.topic.retention.ms",
    "cruise.control.metrics.topic.auto.create.retries",
    "cruise.control.metrics.topic.auto.create.timeout.ms",
    "cruise.control.metrics.topic.min.insync.replicas",
    "broker.session.timeout.ms",
    "broker.heartbeat.interval.ms",
    "controller.socket.timeout.ms",
    "controller.quorum.election.backoff.max.ms",
    "controller.quorum.election.timeout.ms",
    "controller.quorum.fetch.timeout.ms",
];

/// The user's options, sorted out.
#[derive(Debug, Default)]
pub struct UserConfig {
    /// What goes to Kafka.
    pub options: BTreeMap<String, String>,
    /// Keys that the operator decides.
    pub forbidden: Vec<String>,
    /// What is wrong with values, in words.
    pub complaints: Vec<String>,
}

/// Whether the operator decides the option.
pub fn is_forbidden(name: &str) -> bool {
    let lower = name.to_lowercase();
    !EXCEPTIONS.contains(&lower.as_str()) && FORBIDDEN_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}

/// Sorts the `config` map of a resource.
pub fn sort<'a>(raw: impl IntoIterator<Item = (&'a String, &'a Value)>, model: &Model) -> UserConfig {
    let mut sorted = UserConfig::default();
    for (name, value) in raw {
        if !is_option_name(name) {
            sorted.complaints.push(no_option_name(name));
            continue;
        }
        if is_forbidden(name) {
            sorted.forbidden.push(name.clone());
            continue;
        }
        match as_text(value) {
            None => sorted
                .complaints
                .push(format!("{name} must be text, a number, true, false or a list of them, not {value}")),
            Some(text) => match model.complaint(name, &text) {
                Some(complaint) => sorted.complaints.push(complaint),
                None => {
                    sorted.options.insert(name.clone(), text);
                }
            },
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_of_the_operator_are_set_aside_and_exceptions_pass() {
        let raw = json!({
            "listeners": "X://:1", "ssl.keystore.location": "/x", "ssl.cipher.suites": "A", "Node.ID": 7,
            "controller.quorum.voters": "x", "controller.quorum.fetch.timeout.ms": 3000,
            "auto.create.topics.enable": false, "log.retention.hours": 72, "message.max.bytes": "many",
            "metric.reporters": ["a", "b"], "x": {"y": 1},
        });
        let sorted = sort(raw.as_object().unwrap(), super::super::model::of("4.3.1"));
        assert_eq!(
            sorted.forbidden,
            ["Node.ID", "controller.quorum.voters", "listeners", "ssl.keystore.location"]
        );
        assert_eq!(sorted.options["auto.create.topics.enable"], "false");
        assert_eq!(sorted.options["log.retention.hours"], "72");
        assert_eq!(sorted.options["metric.reporters"], "a,b");
        assert_eq!(sorted.options["controller.quorum.fetch.timeout.ms"], "3000");
        assert_eq!(sorted.complaints.len(), 2, "{:?}", sorted.complaints);
    }

    /// The list of the reference, in its own words, and options of Kafka below each.
    #[test]
    fn every_option_that_the_reference_forbids_is_set_aside_and_none_that_it_excepts() {
        for name in [
            "listeners",
            "advertised.listeners",
            "broker.id",
            "broker.rack",
            "listener.security.protocol.map",
            "listener.name.plain-9092.ssl.client.auth",
            "host.name",
            "port",
            "inter.broker.listener.name",
            "sasl.enabled.mechanisms",
            "ssl.keystore.location",
            "ssl.client.auth",
            "security.inter.broker.protocol",
            "password.encoder.secret",
            "log.dir",
            "log.dirs",
            "zookeeper.connect",
            "zookeeper.connection.timeout.ms",
            "zookeeper.set.acl",
            "zookeeper.ssl.client.enable",
            "zookeeper.clientCnxnSocket",
            "authorizer.class.name",
            "super.users",
            "cruise.control.metrics.topic",
            "cruise.control.metrics.reporter.bootstrap.servers",
            "node.id",
            "process.roles",
            "controller.listener.names",
            "controller.quorum.voters",
            "controller.quorum.bootstrap.servers",
            "metadata.log.dir",
            "client.quota.callback.static.produce",
            "client.quota.callback.static.storage.per.volume.limit.min.available.bytes",
            "prometheus.metrics.reporter.listener",
            "cordoned.log.dirs",
            "early.start.listeners",
        ] {
            // Kafka itself tells capital letters apart; nobody means another option by them.
            for name in [name.to_owned(), name.to_uppercase()] {
                assert!(is_forbidden(&name), "{name}");
            }
        }
        for name in [
            "sasl.server.max.receive.size",
            "ssl.cipher.suites",
            "ssl.protocol",
            "ssl.enabled.protocols",
            "ssl.secure.random.implementation",
            "cruise.control.metrics.topic.num.partitions",
            "cruise.control.metrics.topic.replication.factor",
            "cruise.control.metrics.topic.retention.ms",
            "cruise.control.metrics.topic.auto.create.retries",
            "cruise.control.metrics.topic.auto.create.timeout.ms",
            "cruise.control.metrics.topic.min.insync.replicas",
            "broker.session.timeout.ms",
            "broker.heartbeat.interval.ms",
            "controller.socket.timeout.ms",
            "controller.quorum.election.backoff.max.ms",
            "controller.quorum.election.timeout.ms",
            "controller.quorum.fetch.timeout.ms",
            "log.retention.ms",
            "num.partitions",
            "zookeeper.session.timeout.ms",
            "client.quota.callback.class",
        ] {
            assert!(!is_forbidden(name), "{name}");
        }
    }
}
