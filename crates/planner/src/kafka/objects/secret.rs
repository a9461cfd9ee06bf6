//! The Secrets: authorities, trust, certificates.

use api::{annotations, labels, names};
use objects::{DesiredObject, Object, Pairs, Precondition};

use super::meta::{component_labels, kafka_labels};
use crate::kafka::cluster::{CaSettings, Cluster};
pub(crate) use crate::workload::secret::Data;
use crate::workload::secret::opaque;

/// The Secret with the certificates, or the one with the key, of an authority. `annotated` are annotations of it beside
/// those of the user's template.
pub(crate) fn authority(
    cluster: &Cluster,
    settings: &CaSettings,
    name: &str,
    data: Data,
    annotated: Pairs,
    precondition: Precondition,
) -> DesiredObject {
    let labels =
        component_labels(cluster, names::SHARED_COMPONENT_NAME, labels::component::CERTIFICATE_AUTHORITY);
    let template = cluster.templates.cluster_ca_cert.as_ref();
    let template = template.filter(|_| name == names::cluster_ca_cert_secret(&cluster.name));
    let mut object = Object::new(&cluster.owner(), name, labels, opaque(data))
        .stays(!settings.owner_reference)
        .template(template.and_then(|template| template.metadata.as_ref()))
        .precondition(precondition);
    for (key, value) in annotated {
        object = object.annotation(&key, value);
    }
    object.build()
}

/// `<c>-trustbundle`: whom the nodes trust.
pub(crate) fn trust_bundle(cluster: &Cluster, data: Data, cluster_ca: i64, clients_ca: i64) -> DesiredObject {
    let labels = component_labels(cluster, names::SHARED_COMPONENT_NAME, labels::component::TRUST_BUNDLE);
    Object::new(&cluster.owner(), names::trust_bundle_secret(&cluster.name), labels, opaque(data))
        .annotation(annotations::CLUSTER_CA_CERT_GENERATION, cluster_ca.to_string())
        .annotation(annotations::CLIENTS_CA_CERT_GENERATION, clients_ca.to_string())
        .build()
}

/// `<c>-kafka-jmx`: user and password of remote JMX.
pub(crate) fn jmx(cluster: &Cluster, data: Data) -> DesiredObject {
    let template = cluster.templates.jmx_secret.as_ref();
    Object::new(&cluster.owner(), names::kafka_jmx_secret(&cluster.name), kafka_labels(cluster), opaque(data))
        .template(template.and_then(|template| template.metadata.as_ref()))
        .build()
}

/// A Secret with a leaf certificate: of a node, of the operator, of the entity operator.
pub(crate) fn leaf(
    cluster: &Cluster,
    owner: &LeafOwner,
    data: Data,
    ca_generation: i64,
    precondition: Precondition,
) -> DesiredObject {
    let (name, labels) = (owner.secret(&cluster.name), leaf_labels(cluster, owner));
    Object::new(&cluster.owner(), name, labels, opaque(data))
        .annotation(annotations::CLUSTER_CA_CERT_GENERATION, ca_generation.to_string())
        .precondition(precondition)
        .build()
}

/// The labels of the objects for a leaf certificate.
pub(super) fn leaf_labels(cluster: &Cluster, owner: &LeafOwner) -> Pairs {
    let (name, type_) = match owner {
        LeafOwner::Node { .. } => return kafka_labels(cluster),
        LeafOwner::ClusterOperator => {
            (names::SHARED_COMPONENT_NAME.to_owned(), labels::component::CLUSTER_OPERATOR_CERTS)
        }
        LeafOwner::TopicOperator => {
            (names::entity_operator::topic_operator(&cluster.name), labels::component::ENTITY_TOPIC_OPERATOR)
        }
        LeafOwner::KafkaExporter => {
            (names::kafka_exporter::deployment(&cluster.name), labels::component::KAFKA_EXPORTER)
        }
        LeafOwner::UserOperator => {
            (names::entity_operator::user_operator(&cluster.name), labels::component::ENTITY_USER_OPERATOR)
        }
    };
    component_labels(cluster, &name, type_)
}

/// Whose certificate it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LeafOwner {
    /// A Kafka node's.
    Node {
        /// Name of the pod.
        pod: String,
    },
    /// The cluster operator's.
    ClusterOperator,
    /// The topic operator's.
    TopicOperator,
    /// The user operator's.
    UserOperator,
    /// The exporter's.
    KafkaExporter,
}

impl LeafOwner {
    /// Name of the Secret.
    pub(crate) fn secret(&self, cluster: &str) -> String {
        match self {
            Self::Node { pod } => pod.clone(),
            Self::ClusterOperator => names::cluster_operator_certs_secret(cluster),
            Self::TopicOperator => names::entity_operator::topic_operator_certs_secret(cluster),
            Self::UserOperator => names::entity_operator::user_operator_certs_secret(cluster),
            Self::KafkaExporter => names::kafka_exporter::certs_secret(cluster),
        }
    }

    /// Common name in the certificate.
    pub(crate) fn common_name(&self, cluster: &str) -> String {
        match self {
            Self::Node { .. } => api::principals::kafka_common_name(cluster),
            Self::ClusterOperator => api::principals::CLUSTER_OPERATOR_COMMON_NAME.to_owned(),
            Self::TopicOperator => names::entity_operator::topic_operator(cluster),
            Self::UserOperator => names::entity_operator::user_operator(cluster),
            Self::KafkaExporter => names::kafka_exporter::deployment(cluster),
        }
    }

    /// Keys of the certificate and the private key in the Secret.
    pub(crate) fn keys(&self) -> (String, String) {
        match self {
            Self::Node { pod } => (format!("{pod}.crt"), format!("{pod}.key")),
            Self::ClusterOperator => {
                (names::keys::CLUSTER_OPERATOR_CRT.to_owned(), names::keys::CLUSTER_OPERATOR_KEY.to_owned())
            }
            Self::KafkaExporter => {
                (names::keys::KAFKA_EXPORTER_CRT.to_owned(), names::keys::KAFKA_EXPORTER_KEY.to_owned())
            }
            Self::TopicOperator | Self::UserOperator => {
                (names::keys::ENTITY_OPERATOR_CRT.to_owned(), names::keys::ENTITY_OPERATOR_KEY.to_owned())
            }
        }
    }
}
