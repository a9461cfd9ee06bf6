//! What is kept of a live object, so that an apply can be compared with it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use api::FIELD_MANAGER;

/// Keeps only our own entry of the managed fields, without the fields that no comparison reads. For `project` functions of watches this was done already.
pub fn own_entry(entries: Vec<ManagedFieldsEntry>) -> Option<Vec<ManagedFieldsEntry>> {
    let mine = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    };
    let mut own: Vec<ManagedFieldsEntry> = entries.into_iter().filter(mine).collect();
    for entry in &mut own {
        entry.time = None;
        entry.fields_type = None;
    }
    // An empty list still says that the managed fields were looked at and none is ours.
    Some(own)
}

/// An object in the form that [`Applier`] compares with, at a fraction of the memory of a JSON tree: its text, compressed.
#[derive(Debug, Clone)]
pub struct Stored {
    uid: Box<str>,
    terminating: bool,
    packed: Box<[u8]>,
}

impl Stored {
    /// From a live object. Its status is left out.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn of<K: Resource + Serialize>(object: &K) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(object)?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("status");
        }
        let meta: &ObjectMeta = object.meta();
        Ok(Self {
            uid: meta.uid.clone().unwrap_or_default().into_boxed_str(),
            terminating: meta.deletion_timestamp.is_some(),
            packed: lz4_flex::compress_prepend_size(&serde_json::to_vec(&value)?).into_boxed_slice(),
        })
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Whether the object is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.terminating
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.uid.len() + self.packed.len()
    }

    /// The object as JSON.
    pub fn value(&self) -> Value {
        self.parse().unwrap_or(Value::Null)
    }

    /// The object as its type; `None` when it is of another type.
    pub fn parse<K: DeserializeOwned>(&self) -> Option<K> {
        let text = lz4_flex::decompress_size_prepended(&self.packed).ok()?;
        serde_json::from_slice(&text).ok()
    }
}
