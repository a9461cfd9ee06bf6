//! The resources that come out.

use api::{Kafka, KafkaNodePool, KafkaTopic, KafkaUser};

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
