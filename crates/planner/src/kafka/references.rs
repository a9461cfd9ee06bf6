//! Which objects of the user's own a cluster refers to: those, and no others, are read.

pub(super) mod exporter_rules;
mod listener_certificate;

use std::collections::BTreeSet;

use api::Kafka;
use api::common::logging::{Logging, LoggingType};

use super::cluster::{self, Cluster, EntityContainer, Metrics};
use super::observed::Observed;
use super::validate::entity_operator::{TOPIC_OPERATOR, USER_OPERATOR};
use super::validate::{CertificateReference, LoggingOf, LoggingReference, MetricsReference};
use super::watched_namespace;
use crate::findings::Findings;

/// Names of the Secrets and ConfigMaps that planning a cluster looks into. What a template mounts or passes on is between
/// Kubernetes and the pod.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct References {
    /// Secrets.
    pub secrets: BTreeSet<String>,
    /// ConfigMaps.
    pub config_maps: BTreeSet<String>,
}

impl References {
    /// Of a Kafka resource.
    pub fn of(kafka: &Kafka) -> Self {
        let mut references = Self::default();
        let spec = &kafka.spec;
        for listener in spec.kafka.listeners.iter().filter(|listener| listener.tls) {
            let configuration = listener.configuration.as_ref();
            let own = configuration.and_then(|all| all.broker_cert_chain_and_key.as_ref());
            references.secrets.extend(own.map(|own| own.secret_name.clone()));
        }
        references.logging(spec.kafka.logging.as_ref());
        let rules = spec.kafka.metrics_config.as_ref().and_then(|metrics| metrics.value_from.as_ref());
        let rules = rules.and_then(|from| from.config_map_key_ref.as_ref());
        references.config_maps.extend(rules.map(|reference| reference.name.clone()));
        if let Some(entity) = &spec.entity_operator {
            references.logging(entity.topic_operator.as_ref().and_then(|topic| topic.logging.as_ref()));
            references.logging(entity.user_operator.as_ref().and_then(|user| user.logging.as_ref()));
        }
        references
    }

    /// The names beyond so many, which are taken out: ConfigMaps come before Secrets, each in the order of their names.
    pub fn split_off(&mut self, most: usize) -> Self {
        fn beyond(names: &mut BTreeSet<String>, most: usize) -> BTreeSet<String> {
            names.iter().nth(most).cloned().map(|first| names.split_off(&first)).unwrap_or_default()
        }
        let config_maps = beyond(&mut self.config_maps, most);
        let secrets = beyond(&mut self.secrets, most - self.config_maps.len());
        Self { secrets, config_maps }
    }

    /// Whether one of the names is among them.
    pub fn contain(&self, name: &str) -> bool {
        self.secrets.contains(name) || self.config_maps.contains(name)
    }

    fn logging(&mut self, logging: Option<&Logging>) {
        let Some(logging) = logging.filter(|logging| logging.type_ == LoggingType::External) else { return };
        let reference = logging.value_from.as_ref().and_then(|from| from.config_map_key_ref.as_ref());
        self.config_maps.extend(reference.map(|reference| reference.name.clone()));
    }
}

/// Puts what the resources refer to into the cluster: logging texts and certificates; and looks for the grants of the namespaces
/// that its entity operator is to work in. What is missing or cannot be read is a problem.
pub fn resolve(
    cluster: &mut Cluster,
    logging: &[LoggingReference],
    metrics: Option<&MetricsReference>,
    certificates: &[CertificateReference],
    observed: &Observed,
    findings: &mut Findings,
) {
    for reference in certificates {
        let read = listener_certificate::read(reference, observed, findings);
        let listener = cluster.listeners.iter_mut().find(|listener| listener.name == reference.listener);
        if let Some(listener) = listener {
            listener.certificate = read;
        }
    }
    for reference in logging {
        let LoggingReference { of, field, name, key, optional } = reference;
        let text = text_of(&Place { field, name, key, optional: *optional }, observed, findings);
        if let (Some(text), Some(logging)) = (text, logging_of(cluster, *of)) {
            *logging = cluster::Logging::External(text);
        }
    }
    if let Some(MetricsReference { field, name, key, optional }) = metrics
        && let Some(text) = text_of(&Place { field, name, key, optional: *optional }, observed, findings)
    {
        match exporter_rules::as_json(&text) {
            Ok(rules) => cluster.metrics = Some(Metrics::JmxExporter { rules }),
            Err(why) => {
                findings.problem(format!("{field}.key"), format!("key {key:?} of ConfigMap {name:?} {why}"));
            }
        }
    }
    grants(cluster, observed, findings);
}

/// A key of a ConfigMap of the user's own.
struct Place<'a> {
    /// Path of the reference.
    field: &'a str,
    name: &'a str,
    key: &'a str,
    /// Whether it may be missing.
    optional: bool,
}

/// The text in a place; `None`: it is missing, and the default holds.
fn text_of(place: &Place<'_>, observed: &Observed, findings: &mut Findings) -> Option<String> {
    let Place { field, name, key, optional } = *place;
    if let Some(why) = observed.not_read.config_maps.get(name) {
        findings.problem(format!("{field}.name"), format!("ConfigMap {name:?} is not read: {why}"));
        return None;
    }
    let Some(map) = observed.config_maps.get(name) else {
        if !optional {
            findings.problem(
                format!("{field}.name"),
                format!("ConfigMap {name:?} does not exist in the namespace: create it, or correct the name"),
            );
        }
        return None;
    };
    let text = map.data.as_ref().and_then(|data| data.get(key)).cloned();
    if text.is_none() && !optional {
        findings.problem(format!("{field}.key"), format!("ConfigMap {name:?} has no key {key:?}"));
    }
    text
}

/// Where the logging of a part of the cluster stands.
fn logging_of(cluster: &mut Cluster, of: LoggingOf) -> Option<&mut cluster::Logging> {
    let entity = cluster.entity_operator.as_mut();
    match of {
        LoggingOf::Kafka => Some(&mut cluster.logging),
        LoggingOf::TopicOperator => Some(&mut entity?.topic.as_mut()?.logging),
        LoggingOf::UserOperator => Some(&mut entity?.user.as_mut()?.logging),
    }
}

/// Looks for the grants with which the owners of other namespaces let the entity operator work there.
fn grants(cluster: &Cluster, observed: &Observed, findings: &mut Findings) {
    let Some(entity) = &cluster.entity_operator else { return };
    let mut ask = |container: Option<&EntityContainer>, grant: &str, field: &str| {
        let Some(container) = container else { return };
        let other = &container.watched_namespace;
        if let Some(why) = watched_namespace::refused_by_grant(observed, cluster, grant, other) {
            findings.problem(format!("{field}.watchedNamespace"), why);
        }
    };
    ask(entity.topic.as_ref(), api::watch_grant::TOPIC_OPERATOR, TOPIC_OPERATOR);
    ask(entity.user.as_ref(), api::watch_grant::USER_OPERATOR, USER_OPERATOR);
}
