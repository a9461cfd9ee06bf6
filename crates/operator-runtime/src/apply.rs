//! Server-side apply: writes only what is not there yet, under one field manager.

mod error;
mod stored;

use std::fmt;
use std::time::Duration;

use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, Request};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::object_ref::ObjectRef;

pub(crate) use self::error::message;
pub use self::error::{ApplyError, Subject};
pub use self::stored::own_entry;

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

    /// Creates an object in a namespace. One of its name that is there is a conflict ([`ApplyError::is_conflict`]).
    pub async fn create<K>(&self, namespace: &str, object: &K) -> Result<(), ApplyError>
    where
        K: Resource + Serialize,
        K::DynamicType: Default,
    {
        self.create_or_ask("create", namespace, object, false).await
    }

    /// Asks the API server whether it would create an object, without creating it.
    pub async fn dry_run<K>(&self, namespace: &str, object: &K) -> Result<(), ApplyError>
    where
        K: Resource + Serialize,
        K::DynamicType: Default,
    {
        self.create_or_ask("try the creation of", namespace, object, true).await
    }

    async fn create_or_ask<K>(
        &self,
        action: &'static str,
        namespace: &str,
        object: &K,
        dry_run: bool,
    ) -> Result<(), ApplyError>
    where
        K: Resource + Serialize,
        K::DynamicType: Default,
    {
        let resource = ApiResource::erase::<K>(&K::DynamicType::default());
        let name = object.meta().name.as_deref().unwrap_or_default();
        let subject = Subject { kind: resource.kind.clone(), key: ObjectRef::new(namespace, name) };
        let body = serde_json::to_vec(object).map_err(|error| ApplyError::Malformed {
            action,
            subject: subject.clone(),
            why: error.to_string(),
        })?;
        let params = PostParams { dry_run, field_manager: Some(self.manager.clone()) };
        let request = Request::new(self.api(&resource, namespace).resource_url()).create(&params, body);
        self.send(action, &subject, request).await
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
        let parsed = serde_json::to_value(&object).and_then(|object| objects::typed::<K>(&object));
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
        self.merge_resource(&ApiResource::erase::<K>(&K::DynamicType::default()), key, patch).await
    }

    /// As [`Applier::merge`], for `apiVersion` and `kind` given as text.
    pub async fn merge_kind(
        &self,
        api_version: &str,
        kind: &str,
        key: &ObjectRef,
        patch: &Value,
    ) -> Result<bool, ApplyError> {
        self.merge_resource(&api_resource(api_version, kind), key, patch).await
    }

    /// A strategic merge patch of a part of an object that has a path of its own, such as `resize` of a pod.
    pub async fn strategic<K>(
        &self,
        key: &ObjectRef,
        subresource: &str,
        patch: &Value,
    ) -> Result<(), ApplyError>
    where
        K: Resource,
        K::DynamicType: Default,
    {
        let resource = ApiResource::erase::<K>(&K::DynamicType::default());
        let subject = Subject { kind: resource.kind.clone(), key: key.clone() };
        let api = self.api(&resource, &key.namespace);
        let params = PatchParams { field_manager: Some(self.manager.clone()), ..PatchParams::default() };
        let request = Request::new(api.resource_url());
        let request = request.patch_subresource(subresource, &key.name, &params, &Patch::Strategic(patch));
        self.send("change", &subject, request).await
    }

    /// Posts to a part of an object that has a path of its own, such as `instantiate` of a BuildConfig.
    /// `action` stands before the object in an error.
    pub async fn create_part<K, B>(
        &self,
        action: &'static str,
        key: &ObjectRef,
        part: &str,
        body: &B,
    ) -> Result<(), ApplyError>
    where
        K: Resource,
        K::DynamicType: Default,
        B: Serialize,
    {
        let resource = ApiResource::erase::<K>(&K::DynamicType::default());
        let subject = Subject { kind: resource.kind.clone(), key: key.clone() };
        let body = serde_json::to_vec(body).map_err(|error| ApplyError::Malformed {
            action,
            subject: subject.clone(),
            why: error.to_string(),
        })?;
        let api = self.api(&resource, &key.namespace);
        let params = PostParams { dry_run: false, field_manager: Some(self.manager.clone()) };
        let request = Request::new(api.resource_url()).create_subresource(part, &key.name, &params, body);
        self.send(action, &subject, request).await
    }

    async fn merge_resource(
        &self,
        resource: &ApiResource,
        key: &ObjectRef,
        patch: &Value,
    ) -> Result<bool, ApplyError> {
        let subject = Subject { kind: resource.kind.clone(), key: key.clone() };
        let api = self.api(resource, &key.namespace);
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

pub(crate) fn subject_of(value: &Value) -> Subject {
    let key = ObjectRef::new(text(value, "/metadata/namespace"), text(value, "/metadata/name"));
    Subject { kind: text(value, "/kind").to_owned(), key }
}

/// Group, version, kind and plural (made by the English rules, which hold for every kind that the operators write).
pub(crate) fn api_resource(api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}
