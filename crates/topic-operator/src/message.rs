//! What the controller is told of the world.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use operator_runtime::watch::ObjectRef;

use crate::{resource::TopicResource, topic::ResourceRef};

/// What the watches tell.
#[derive(Debug)]
pub(crate) enum Message {
    /// A KafkaTopic as it is.
    Seen(Box<TopicResource>),
    /// A KafkaTopic is gone, or its labels no longer select it. `told_finalizer`: the API server told of it as of a resource that had our
    /// finalizer and was not being deleted. That is so of every label that leaves, and of a deletion that the API server began
    /// before the finalizer was there.
    Gone { reference: ResourceRef, told_finalizer: bool },
    /// A KafkaTopic is there and cannot be read: what is known of it all the same.
    Unreadable(Box<TopicResource>),
    /// A KafkaTopic that could not be read can be read, or is gone.
    NotUnreadable(ResourceRef),
    /// Whether the Kafka resource is being deleted or was deleted.
    ClusterGoesAway(bool),
    /// Whether a namespace grants its topics.
    Grant { namespace: String, granted: bool },
}

/// The name of a KafkaTopic as this operator keeps it.
pub(crate) fn reference_of(key: &ObjectRef) -> ResourceRef {
    ResourceRef::new(&key.namespace, &key.name)
}

/// Whether what the API server told with a deletion shows an object that had our finalizer and was not being deleted.
pub(crate) fn told_finalizer(told: Option<&ObjectMeta>) -> bool {
    told.is_some_and(|told| {
        let finalizers = told.finalizers.iter().flatten();
        told.deletion_timestamp.is_none()
            && finalizers.into_iter().any(|f| f == api::annotations::FINALIZER_TOPIC_OPERATOR)
    })
}
