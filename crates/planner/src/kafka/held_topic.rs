//! KafkaTopics that nobody can delete before the topic operator's finalizer is taken off.

use api::{KafkaTopic, annotations};
use jiff::Timestamp;
use kube_core::Resource;
use objects::{FinalizerChange, ObjectId};

/// A KafkaTopic that carries the topic operator's finalizer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldTopic {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Version that was seen.
    pub resource_version: Option<String>,
    /// All finalizers.
    pub finalizers: Vec<String>,
    /// Since when it is being deleted.
    pub deleted_at: Option<Timestamp>,
}

/// How the topic operator's finalizer is taken off a topic; `None`: it is not there.
pub fn removal(topic: &HeldTopic) -> Option<FinalizerChange> {
    let is_ours = |one: &String| one == annotations::FINALIZER_TOPIC_OPERATOR;
    if !topic.finalizers.iter().any(is_ours) {
        return None;
    }
    Some(FinalizerChange {
        object: ObjectId {
            api_version: KafkaTopic::api_version(&()).into_owned(),
            kind: KafkaTopic::kind(&()).into_owned(),
            namespace: Some(topic.namespace.clone()),
            name: topic.name.clone(),
        },
        resource_version: topic.resource_version.clone(),
        finalizers: topic.finalizers.iter().filter(|one| !is_ours(one)).cloned().collect(),
    })
}
