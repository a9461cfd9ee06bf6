//! The resources that come out.

use api::kafka::listeners::{Listener, ListenerType};
use api::kafka::{EntityOperatorSpec, KafkaClusterSpec};
use api::{Kafka, KafkaNodePool, KafkaSpec, KafkaTopic, KafkaUser};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::notes::Note;

/// What came out of one document.
#[derive(Debug, Default)]
pub struct Converted {
    /// The resources, in the order in which they are applied.
    pub resources: Vec<Resource>,
    /// What is to be said of them.
    pub notes: Vec<Note>,
}

/// A Strimzi resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Resource {
    /// A cluster.
    Kafka(Box<Kafka>),
    /// Nodes of a cluster.
    Pool(Box<KafkaNodePool>),
    /// A topic.
    Topic(Box<KafkaTopic>),
    /// A user.
    User(Box<KafkaUser>),
}

/// A Kafka resource of which only the brokers' section and the operators of topics and users are said.
pub(super) fn kafka(
    metadata: ObjectMeta,
    kafka: KafkaClusterSpec,
    entity_operator: EntityOperatorSpec,
) -> Kafka {
    let spec = KafkaSpec {
        kafka,
        entity_operator: Some(entity_operator),
        cluster_ca: None,
        clients_ca: None,
        cruise_control: None,
        kafka_exporter: None,
        maintenance_time_windows: None,
        zookeeper: None,
        jmx_trans: None,
        object_overrides: None,
    };
    Kafka { metadata, spec, status: None }
}

/// A listener within Kubernetes without encryption, on the usual port.
pub(super) fn plain_listener() -> Listener {
    Listener {
        name: "plain".to_owned(),
        port: 9092,
        type_: ListenerType::Internal,
        tls: false,
        authentication: None,
        configuration: None,
        network_policy_peers: None,
    }
}
