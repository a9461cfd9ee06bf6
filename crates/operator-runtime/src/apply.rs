//! Server-side apply: writes only what is not there yet, under one field manager.

use std::fmt;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, Request};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::object_ref::ObjectRef;
use objects::covers;
use objects::schema::SERVER_METADATA;

/// The one field manager of all operators, the same as Strimzi's, so that a takeover (or a way back) has one owner.
pub use api::FIELD_MANAGER;

/// Longest time for one request.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(20);

/// What an apply did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Everything was there; nothing was sent, or the server changed nothing.
    Unchanged,
    /// The object is new.
    Created,
    /// The object was changed.
    Updated,
}

/// Kind, namespace and name in a message: `Service ns/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Kind, for example `Service`.
    pub kind: String,
    /// Namespace and name.
    pub key: ObjectRef,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

/// A write that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server did not answer in time.
    #[error("{action} {subject}: no answer from the API server within {} s", deadline.as_secs())]
    Timeout {
        /// What was tried, for example `apply`.
        action: &'static str,
        /// On which object.
        subject: Subject,
        /// The deadline.
        deadline: Duration,
    },
    /// The API server refused, or could not be reached.
    #[error("{action} {subject}: {}", message(source))]
    Api {
        /// What was tried.
        action: &'static str,
        /// On which object.
        subject: Subject,
        /// The answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// The object cannot be sent: it lacks its kind or name, or cannot be written as JSON.
    #[error("{action} {subject}: {why}")]
    Malformed {
        /// What was tried.
        action: &'static str,
        /// On which object, as far as it is known.
        subject: Subject,
        /// What is wrong with it.
        why: String,
    },
}

/// The server's own words, without the debug form that the client's error adds.
pub(crate) fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} (HTTP {})", status.message, status.code),
        other => other.to_string(),
    }
}

impl ApplyError {
    /// The HTTP status code, when the server answered.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }

    /// Another client changed the object first, or a precondition did not hold.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// There is no such object, kind or namespace.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// The object that was named is gone. A 404 that names no object speaks of the kind: an API server that has just started,
    /// or whose definition was deleted, does not serve it, and that tells nothing of the object.
    pub fn is_gone(&self) -> bool {
        let Self::Api { source, .. } = self else { return false };
        let kube::Error::Api(status) = source.as_ref() else { return false };
        status.code == 404 && status.details.as_ref().is_some_and(|details| !details.name.is_empty())
    }

    /// The service account may not do this (a namespace that is being deleted counts too).
    pub fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    /// The server refuses the content: a wrong value, or a field that cannot be changed.
    pub fn is_invalid(&self) -> bool {
        matches!(self.code(), Some(400 | 422))
    }
}

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

/// Writes and deletes objects.
#[derive(Clone)]
pub struct Applier {
    client: Client,
    manager: String,
    deadline: Duration,
}

impl Applier {
    /// With [`FIELD_MANAGER`] and [`REQUEST_DEADLINE`].
    pub fn new(client: Client) -> Self {
        Self { client, manager: FIELD_MANAGER.to_owned(), deadline: REQUEST_DEADLINE }
    }

    /// The client, for reads.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Applies a typed object. See [`Applier::apply_value`].
    pub async fn apply<K>(&self, desired: &K, live: Option<&Value>) -> Result<Applied, ApplyError>
    where
        K: Resource + Serialize,
        K::DynamicType: Default,
    {
        let dynamic = K::DynamicType::default();
        let subject = Subject { kind: K::kind(&dynamic).into_owned(), key: ObjectRef::of(desired) };
        let mut value = serde_json::to_value(desired).map_err(|error| ApplyError::Malformed {
            action: "apply",
            subject: subject.clone(),
            why: error.to_string(),
        })?;
        if let Some(fields) = value.as_object_mut() {
            fields.entry("apiVersion").or_insert_with(|| K::api_version(&dynamic).into());
            fields.entry("kind").or_insert_with(|| K::kind(&dynamic).into());
        }
        self.apply_resource(value, &ApiResource::erase::<K>(&dynamic), live).await
    }

    /// Applies an object given as JSON with `apiVersion`, `kind` and `metadata.name`. Without `live` it is always written; with `live`
    /// only when [`covers`] says that something is missing. Fields that other managers own are taken over.
    pub async fn apply_value(&self, desired: &Value, live: Option<&Value>) -> Result<Applied, ApplyError> {
        let resource = resource_of(desired).ok_or_else(|| ApplyError::Malformed {
            action: "apply",
            subject: subject_of(desired),
            why: "the object has no apiVersion or kind".to_owned(),
        })?;
        self.apply_resource(desired.clone(), &resource, live).await
    }

    async fn apply_resource(
        &self,
        mut desired: Value,
        resource: &ApiResource,
        live: Option<&Value>,
    ) -> Result<Applied, ApplyError> {
        const ACTION: &str = "apply";
        let subject = subject_of(&desired);
        if subject.key.name.is_empty() {
            return Err(ApplyError::Malformed {
                action: ACTION,
                subject,
                why: "the object has no name".to_owned(),
            });
        }
        clean(&mut desired);
        if live.is_some_and(|live| covers(live, &desired)) {
            return Ok(Applied::Unchanged);
        }
        let api = self.api(resource, &subject.key.namespace);
        let patch = Patch::Apply(&desired);
        let params = PatchParams::apply(&self.manager);
        let mut result = self.request(ACTION, &subject, api.patch(&subject.key.name, &params, &patch)).await;
        if result.as_ref().is_err_and(ApplyError::is_conflict) {
            if live.is_none() {
                // The caches did not know it: another client made it.
                tracing::warn!(object = %subject, "another client made it, taking it over");
            } else {
                tracing::debug!(object = %subject, "fields belong to another manager, taking them over");
            }
            let forced = params.force();
            result = self.request(ACTION, &subject, api.patch(&subject.key.name, &forced, &patch)).await;
        }
        let written = result?;
        let before = live.and_then(|live| live.pointer("/metadata/resourceVersion")).and_then(Value::as_str);
        Ok(match (live, before) {
            (None, _) => Applied::Created,
            (Some(_), Some(before)) if written.metadata.resource_version.as_deref() == Some(before) => {
                Applied::Unchanged
            }
            _ => Applied::Updated,
        })
    }

    /// Deletes an object; `false` when there was none. With `uid`, only that very object: another one of the same name gives a conflict.
    pub async fn delete<K>(
        &self,
        key: &ObjectRef,
        uid: Option<&str>,
        propagation: PropagationPolicy,
    ) -> Result<bool, ApplyError>
    where
        K: Resource,
        K::DynamicType: Default,
    {
        self.delete_resource(
            &ApiResource::erase::<K>(&K::DynamicType::default()),
            key,
            uid.map(only),
            propagation,
        )
        .await
    }

    /// Deletes an object as it was seen: an object that was written since, or another object of its name, gives a conflict.
    pub async fn delete_under<K>(
        &self,
        key: &ObjectRef,
        preconditions: Preconditions,
        propagation: PropagationPolicy,
    ) -> Result<bool, ApplyError>
    where
        K: Resource,
        K::DynamicType: Default,
    {
        let resource = ApiResource::erase::<K>(&K::DynamicType::default());
        self.delete_resource(&resource, key, Some(preconditions), propagation).await
    }

    /// As [`Applier::delete`], for `apiVersion` and `kind` given as text.
    pub async fn delete_kind(
        &self,
        api_version: &str,
        kind: &str,
        key: &ObjectRef,
        uid: Option<&str>,
        propagation: PropagationPolicy,
    ) -> Result<bool, ApplyError> {
        self.delete_resource(&api_resource(api_version, kind), key, uid.map(only), propagation).await
    }

    async fn delete_resource(
        &self,
        resource: &ApiResource,
        key: &ObjectRef,
        preconditions: Option<Preconditions>,
        propagation: PropagationPolicy,
    ) -> Result<bool, ApplyError> {
        let subject = Subject { kind: resource.kind.clone(), key: key.clone() };
        let params =
            DeleteParams { propagation_policy: Some(propagation), preconditions, ..DeleteParams::default() };
        let api = self.api(resource, &key.namespace);
        match self.request("delete", &subject, api.delete(&key.name, &params)).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads an object past all caches; `None` when there is none.
    pub async fn get<K>(&self, key: &ObjectRef) -> Result<Option<K>, ApplyError>
    where
        K: Resource + Clone + fmt::Debug + DeserializeOwned,
        K::DynamicType: Default,
    {
        let resource = ApiResource::erase::<K>(&K::DynamicType::default());
        let subject = Subject { kind: resource.kind.clone(), key: key.clone() };
        let api = self.api(&resource, &key.namespace);
        let Some(object) = self.request("read", &subject, api.get_opt(&key.name)).await? else {
            return Ok(None);
        };
        let parsed = object.try_parse::<K>();
        parsed.map(Some).map_err(|error| ApplyError::Malformed {
            action: "read",
            subject,
            why: error.to_string(),
        })
    }

    /// A JSON merge patch, for single fields such as a finalizer or an annotation (`null` removes). `false` when the object is gone.
    pub async fn merge<K>(&self, key: &ObjectRef, patch: &Value) -> Result<bool, ApplyError>
    where
        K: Resource,
        K::DynamicType: Default,
    {
        let resource = ApiResource::erase::<K>(&K::DynamicType::default());
        let subject = Subject { kind: resource.kind.clone(), key: key.clone() };
        let api = self.api(&resource, &key.namespace);
        let params = PatchParams { field_manager: Some(self.manager.clone()), ..PatchParams::default() };
        let request = Request::new(api.resource_url()).patch(&key.name, &params, &Patch::Merge(patch));
        match self.send("change", &subject, request).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn manager(&self) -> &str {
        &self.manager
    }

    pub(crate) fn api(&self, resource: &ApiResource, namespace: &str) -> Api<DynamicObject> {
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, resource)
        }
    }

    /// Sends a request and does not look at its answer, the object: that may be one of those that cannot be read.
    pub(crate) async fn send(
        &self,
        action: &'static str,
        subject: &Subject,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<(), ApplyError> {
        let sent = async {
            let request = request.map_err(kube::Error::BuildRequest)?;
            self.client.request_text(request).await.map(drop)
        };
        self.request(action, subject, sent).await
    }

    /// One request with the deadline, and with an error that says what was tried: the path of the requests of this type and of
    /// the writes of the topic and user operators. `action` stands before the object in the error, as in `write the status of Kafka ns/name`.
    pub async fn request<T>(
        &self,
        action: &'static str,
        subject: &Subject,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, ApplyError> {
        match tokio::time::timeout(self.deadline, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => {
                Err(ApplyError::Api { action, subject: subject.clone(), source: Box::new(source) })
            }
            Err(_) => Err(ApplyError::Timeout { action, subject: subject.clone(), deadline: self.deadline }),
        }
    }
}

/// Only the object with this UID.
fn only(uid: &str) -> Preconditions {
    Preconditions { uid: Some(uid.to_owned()), resource_version: None }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn subject_of(value: &Value) -> Subject {
    let key = ObjectRef::new(text(value, "/metadata/namespace"), text(value, "/metadata/name"));
    Subject { kind: text(value, "/kind").to_owned(), key }
}

fn resource_of(value: &Value) -> Option<ApiResource> {
    let (api_version, kind) = (text(value, "/apiVersion"), text(value, "/kind"));
    (!api_version.is_empty() && !kind.is_empty()).then(|| api_resource(api_version, kind))
}

/// Group, version, kind and plural (made by the English rules, which hold for every kind that the operators write).
fn api_resource(api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// Drops what an apply must not carry: nulls (they would be owned), the status and the server's metadata.
fn clean(desired: &mut Value) {
    drop_nulls(desired);
    let Some(fields) = desired.as_object_mut() else { return };
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in SERVER_METADATA {
            metadata.remove(*name);
        }
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
