//! What the controller is told of the world.

use operator_runtime::watch::ObjectRef;

use crate::{resource::TopicResource, topic::ResourceRef};

/// What the watches tell.
#[derive(Debug)]
pub(crate) enum Message {
    /// A KafkaTopic as it is.
    Seen(Box<TopicResource>),
    /// A KafkaTopic is gone, or its labels no longer select it.
    Gone(ResourceRef),
    /// Whether a KafkaTopic is there and cannot be read.
    Unreadable { reference: ResourceRef, unreadable: bool },
    /// Whether the Kafka resource is being deleted or was deleted.
    ClusterGoesAway(bool),
    /// Whether a namespace grants its topics.
    Grant { namespace: String, granted: bool },
}

/// The name of a KafkaTopic as this operator keeps it.
pub(crate) fn reference_of(key: &ObjectRef) -> ResourceRef {
    ResourceRef::new(&key.namespace, &key.name)
}
