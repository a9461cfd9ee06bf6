//! Which objects of the user's own a cluster refers to: those, and no others, are read.

use std::collections::BTreeSet;

use api::Kafka;
use api::common::logging::{Logging, LoggingType};

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
        if let Some(entity) = &spec.entity_operator {
            references.logging(entity.topic_operator.as_ref().and_then(|topic| topic.logging.as_ref()));
            references.logging(entity.user_operator.as_ref().and_then(|user| user.logging.as_ref()));
        }
        references
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
