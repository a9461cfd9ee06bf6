//! What handlers of a cache are told.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::object_ref::ObjectRef;

/// A change in a cache. The cache shows the new state already when a handler is called.
#[derive(Debug)]
pub enum Event<'a, T> {
    /// New or changed.
    Applied {
        /// Which object.
        key: &'a ObjectRef,
        /// As it was; `None` when it is new.
        old: Option<&'a Arc<T>>,
        /// As it is.
        new: &'a Arc<T>,
    },
    /// Gone, or no longer selected by the projection.
    Deleted {
        /// Which object.
        key: &'a ObjectRef,
        /// As it was last seen.
        old: &'a Arc<T>,
        /// Its metadata as the API server told them with the deletion (without annotations). `None`: it was found missing in a list.
        told: Option<&'a ObjectMeta>,
    },
}

impl<'a, T> Event<'a, T> {
    /// Which object.
    pub fn key(&self) -> &'a ObjectRef {
        match self {
            Self::Applied { key, .. } | Self::Deleted { key, .. } => key,
        }
    }

    /// As it is, or as it was last seen.
    pub fn latest(&self) -> &'a Arc<T> {
        match self {
            Self::Applied { new, .. } => new,
            Self::Deleted { old, .. } => old,
        }
    }
}
