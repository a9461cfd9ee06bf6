//! One object past all caches, read no further than an operator has memory for.

use std::fmt;

use kube::Resource;
use kube::core::ApiResource;
use serde::de::DeserializeOwned;

use crate::apply::{Applier, ApplyError, Subject};
use crate::limits::Largest;
use crate::watch::source::Source;
use crate::watch::{ObjectRef, Seen, Unreadable, read};

const ACTION: &str = "read";

/// An object that was asked for by its name.
#[derive(Debug)]
pub enum Named<K> {
    /// Its type.
    Readable(Box<K>),
    /// It is there and is not read.
    Unreadable(Box<Unreadable>),
}

impl Applier {
    /// Reads an object past all caches, unless its values take more memory than `largest`; `None` when there is none. It takes
    /// the right to list the kind. Memory for long texts is shared with the watches, so that no number of large objects that are
    /// read at a time takes more of it.
    ///
    /// # Errors
    /// When the API server does not answer or refuses.
    pub async fn get_within<K>(
        &self,
        key: &ObjectRef,
        largest: Largest,
    ) -> Result<Option<Named<K>>, ApplyError>
    where
        K: Resource + DeserializeOwned + fmt::Debug + Send,
        K::DynamicType: Default,
    {
        let resource = ApiResource::erase::<K>(&K::DynamicType::default());
        let subject = Subject { kind: resource.kind.clone(), key: key.clone() };
        let fields = format!("metadata.name={}", key.name);
        let source = Source::new::<K>(self.client(), &key.namespace).fields(Some(&fields));
        let mut found = None;
        let listed = source.list(|object| found = Some(read::<K>(object, largest)));
        let failed = match (listed.await, found) {
            (Ok(_), None) => return Ok(None),
            (Ok(_), Some(Ok(Seen::Readable(object)))) => return Ok(Some(Named::Readable(object))),
            (Ok(_), Some(Ok(Seen::Unreadable(found)))) => return Ok(Some(Named::Unreadable(found))),
            (Ok(_), Some(Err(error))) => error.into(),
            (Err(error), _) => error,
        };
        Err(match failed.into_request() {
            Ok(source) => ApplyError::Api { action: ACTION, subject, source },
            Err(error) => ApplyError::Malformed { action: ACTION, subject, why: error.to_string() },
        })
    }
}
