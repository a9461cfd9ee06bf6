//! Which objects of the user's own a cluster refers to: those, and no others, are read.

mod listener_certificate;

use api::Kafka;
use api::kafka::CertificateAuthorityType;

use super::cluster::{self, Cluster, EntityContainer, Metrics};
use super::observed::Observed;
use super::validate::entity_operator::{TOPIC_OPERATOR, USER_OPERATOR};
use super::validate::{CertificateReference, LoggingOf, LoggingReference};
use super::watched_namespace;
use crate::findings::Findings;
use crate::process::exporter_rules;
pub use crate::references::References;
use crate::references::{ConfigMapKey, ConfigMaps, text_of};

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
        for authority in [&spec.cluster_ca, &spec.clients_ca].into_iter().flatten() {
            if authority.type_ == Some(CertificateAuthorityType::CertManager) {
                let trusted =
                    authority.cert_manager.as_ref().map(|issuer| issuer.ca_cert.secret_name.clone());
                references.secrets.extend(trusted.filter(|name| !name.is_empty()));
            }
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
}

/// Puts what the resources refer to into the cluster: logging texts and certificates; and looks for the grants of the namespaces
/// that its entity operator is to work in. What is missing or cannot be read is a problem.
pub fn resolve(
    cluster: &mut Cluster,
    logging: &[LoggingReference],
    metrics: Option<&ConfigMapKey>,
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
    let maps = ConfigMaps { read: &observed.config_maps, not_read: &observed.not_read.config_maps };
    for reference in logging {
        let text = text_of(&reference.text, &maps, findings);
        if let (Some(text), Some(logging)) = (text, logging_of(cluster, reference.of)) {
            *logging = cluster::Logging::External(text);
        }
    }
    if let Some(rules) = metrics.and_then(|reference| exporter_rules::read(reference, &maps, findings)) {
        cluster.metrics = Some(Metrics::JmxExporter { rules });
    }
    grants(cluster, observed, findings);
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
