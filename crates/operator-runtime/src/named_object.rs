//! One object past all caches, read no further than an operator has memory for.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference};
use kube::Resource;
use kube::core::{ApiResource, DynamicObject};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::apply::{Applier, ApplyError, Subject};
use crate::limits::Largest;
use crate::watch::json::{self, NotJson};
use crate::watch::source::{Source, SourceError};
use crate::watch::{ObjectRef, Seen, Unreadable, metadata, read};

const ACTION: &str = "read";

/// Owners that are kept of an object.
const OWNERS: usize = 3;

/// Field managers that are kept of an object.
const MANAGERS: usize = 10;

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
        Err(unread(subject, failed))
    }

    /// Reads, past all caches, what the metadata of an object say of whose it is; `None` when there is none: name, uid, time of
    /// deletion, Strimzi's labels and `app.kubernetes.io/managed-by`, at most three owners, the one that controls it
    /// first, and the names of field managers with what they did. It takes the right to list the kind.
    ///
    /// # Errors
    /// When the API server does not answer or refuses.
    pub async fn ownership(
        &self,
        resource: &ApiResource,
        key: &ObjectRef,
    ) -> Result<Option<ObjectMeta>, ApplyError> {
        let subject = Subject { kind: resource.kind.clone(), key: key.clone() };
        let fields = format!("metadata.name={}", key.name);
        let source = Source::of::<DynamicObject>(self.client(), resource, &key.namespace);
        let source = source.metadata_only().fields(Some(&fields));
        let mut found = None;
        let listed = source.list(|object| found = Some(ownership(object)));
        let failed = match (listed.await, found) {
            (Ok(_), None) => return Ok(None),
            (Ok(_), Some(Ok(found))) => return Ok(Some(found)),
            (Ok(_), Some(Err(error))) => error.into(),
            (Err(error), _) => error,
        };
        Err(unread(subject, failed))
    }
}

/// What a list of an object's kind ended with, as the error of reading the object.
pub(crate) fn unread(subject: Subject, failed: SourceError) -> ApplyError {
    match failed.into_request() {
        Ok(source) => ApplyError::Api { action: ACTION, subject, source },
        Err(error) => ApplyError::Malformed { action: ACTION, subject, why: error.to_string() },
    }
}

/// A field manager without its fields, which nest as deeply as the object.
#[derive(Debug, Deserialize)]
struct Manager {
    manager: Option<String>,
    operation: Option<String>,
}

/// What the metadata of an object say of whose it is. Each part is read by itself: a part that cannot be read says nothing.
fn ownership(object: &str) -> Result<ObjectMeta, NotJson> {
    fn part<T: DeserializeOwned + Default>(metadata: &str, name: &str) -> Result<T, NotJson> {
        let text = json::member(metadata, name)?;
        Ok(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }
    let text = json::member(object, "metadata")?.unwrap_or("{}");
    let mut labels: BTreeMap<String, String> = part(text, "labels")?;
    labels.retain(|name, _| name.starts_with("strimzi.io/") || name == api::labels::KUBERNETES_MANAGED_BY);
    let mut owners: Vec<OwnerReference> = part(text, "ownerReferences")?;
    owners.sort_by_key(|owner| owner.controller != Some(true));
    owners.truncate(OWNERS);
    let mut managers: Vec<Manager> = Vec::new();
    if let Some(all) = json::member(text, "managedFields")?.filter(|all| *all != "null") {
        for entry in json::items(all)? {
            let entry = entry?.text;
            let entry = Manager { manager: part(entry, "manager")?, operation: part(entry, "operation")? };
            let is_ours = entry.manager.as_deref() == Some(api::FIELD_MANAGER);
            if is_ours || managers.len() < MANAGERS {
                managers.push(entry);
            }
        }
    }
    let managers = managers.into_iter().map(|Manager { manager, operation }| ManagedFieldsEntry {
        manager,
        operation,
        ..ManagedFieldsEntry::default()
    });
    Ok(ObjectMeta {
        labels: Some(labels),
        owner_references: Some(owners),
        managed_fields: Some(managers.collect()),
        ..metadata(object)?
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whose_an_object_is_is_read_of_metadata_of_any_size() {
        let mut deep = json!({});
        for _ in 0..150 {
            deep = json!({"f:a": deep});
        }
        let owner = |number: usize, controls: bool| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": format!("o{number}"), "uid": "u", "controller": controls});
        let mut owners: Vec<_> = (0..1000).map(|number| owner(number, false)).collect();
        owners.push(owner(1000, true));
        let mut managers: Vec<_> = (0..1000)
            .map(|n| json!({"manager": format!("m{n}"), "operation": "Update", "fieldsV1": deep}))
            .collect();
        managers.push(json!({"manager": api::FIELD_MANAGER, "operation": "Apply", "fieldsV1": deep}));
        let object = json!({"metadata": {"name": "n", "namespace": "ns", "uid": "u",
            "labels": {"strimzi.io/cluster": "c", "app.kubernetes.io/managed-by": "Helm", "other": "x"},
            "annotations": {"a": "x".repeat(100_000)}, "ownerReferences": owners, "managedFields": managers}});
        let found = ownership(&object.to_string()).unwrap();
        assert_eq!((found.name.as_deref(), found.uid.as_deref()), (Some("n"), Some("u")));
        assert_eq!(found.labels.unwrap().len(), 2);
        let owners: Vec<String> =
            found.owner_references.unwrap().into_iter().map(|owner| owner.name).collect();
        assert_eq!(owners, ["o1000", "o0", "o1"], "the one that controls it first");
        let managers = found.managed_fields.unwrap();
        assert_eq!((managers.len(), managers[0].manager.as_deref()), (MANAGERS + 1, Some("m0")));
        assert_eq!(managers[MANAGERS].operation.as_deref(), Some("Apply"));
        assert_eq!(found.annotations, None);
        assert_eq!(ownership(r#"{"metadata":{"name":"n","labels":7}}"#).unwrap().labels.unwrap().len(), 0);
    }
}
