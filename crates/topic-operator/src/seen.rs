//! A KafkaTopic on its way from the watch to the controller, and what it takes there.

use std::sync::{Mutex, PoisonError};

use crate::resource::TopicResource;

/// A KafkaTopic in the cache. The index of the controller is the memory of resources: the cache hands each over as soon as there
/// is room for it, and keeps what it takes there, which its namespace is charged for.
#[derive(Debug)]
pub(crate) struct Seen {
    resource: Mutex<Option<Box<TopicResource>>>,
    bytes: usize,
}

impl Seen {
    /// Bytes of memory that it takes in the index.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// As the watch shows it.
    pub(crate) fn of(resource: TopicResource) -> Self {
        Self { bytes: resource.bytes(), resource: Mutex::new(Some(Box::new(resource))) }
    }

    /// The resource, the first time that it is asked for.
    pub(crate) fn take(&self) -> Option<Box<TopicResource>> {
        self.resource.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
