//! Tells the owners of resources that cannot be read: in the status of each, and as an event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use api::conditions::{Condition, merge};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, Request};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::apply::{Applier, ApplyError, Subject};
use crate::clock;
use crate::controller::{Controller, Outcome};
use crate::events::{Events, Note, Severity};
use crate::queue::Queue;
use crate::watch::{Cache, ObjectRef, Unreadable};

/// Reason of the condition and of the event.
pub const REASON: &str = api::conditions::reasons::INVALID_RESOURCE;

/// From so many unreadable resources of a kind on, there are no more events: they would keep out those about others.
const EVENTS_UP_TO: usize = 20;

/// What is said of a resource that cannot be read.
pub fn message(unreadable: &Unreadable) -> String {
    format!("the resource cannot be used, and nothing is done for it until it can: {}", unreadable.why)
}

/// Has every object of type `K` that cannot be read say so in its status. `condition` makes the condition out of a reason
/// and a message. Ends with `shutdown`.
pub fn in_status<K, T>(
    cache: &Cache<T>,
    applier: &Applier,
    events: Option<Events>,
    condition: fn(&str, String) -> Condition,
    shutdown: &CancellationToken,
) where
    K: Resource,
    K::DynamicType: Default,
    T: Send + Sync + 'static,
{
    let queue = Queue::new();
    let teller = Arc::new(Teller {
        resource: ApiResource::erase::<K>(&K::DynamicType::default()),
        cache: cache.clone(),
        applier: applier.clone(),
        events,
        condition,
        told: Mutex::default(),
    });
    let (adding, forgetting) = (queue.clone(), Arc::clone(&teller));
    cache.on_unreadable(move |key, unreadable| {
        if unreadable.is_some() {
            adding.add(key.clone());
        } else {
            forgetting.told.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
    });
    let controller = Controller::new("unreadable resources", queue).concurrency(2);
    let shutdown = shutdown.clone();
    tokio::spawn(controller.run(shutdown, move |key| {
        let teller = Arc::clone(&teller);
        async move { teller.tell(&key).await }
    }));
}

/// What was told last: a resource of this uid and generation, and why it cannot be read.
type Told = (Option<String>, Option<i64>, String);

struct Teller<T> {
    resource: ApiResource,
    cache: Cache<T>,
    applier: Applier,
    events: Option<Events>,
    condition: fn(&str, String) -> Condition,
    told: Mutex<HashMap<ObjectRef, Told>>,
}

impl<T: Send + Sync + 'static> Teller<T> {
    async fn tell(&self, key: &ObjectRef) -> Result<Outcome, ApplyError> {
        let Some(found) = self.cache.unreadable(key) else { return Ok(Outcome::Done) };
        let meta = &found.metadata;
        let now: Told = (meta.uid.clone(), meta.generation, found.why.clone());
        let known = self.told.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        // A status makes a new version of the resource, which is told of again.
        if known.as_ref() == Some(&now) {
            return Ok(Outcome::Done);
        }
        let text = message(&found);
        let wanted = (self.condition)(REASON, text.clone());
        let said = found.observed_generation == meta.generation
            && found.conditions.len() == 1
            && found.conditions.iter().all(|said| said.says_the_same(&wanted));
        if !said {
            self.write(key, &found, wanted).await?;
            self.publish(key, &found, text);
        }
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), now);
        Ok(Outcome::Done)
    }

    /// Writes the status. The answer, an object that cannot be read, is not looked at.
    async fn write(&self, key: &ObjectRef, found: &Unreadable, wanted: Condition) -> Result<(), ApplyError> {
        let conditions = merge(vec![wanted], Some(&found.conditions), clock::now());
        let patch = json!({"status": {
            "conditions": conditions,
            "observedGeneration": found.metadata.generation,
        }});
        let url = self.applier.api(&self.resource, &key.namespace).resource_url().to_owned();
        let params =
            PatchParams { field_manager: Some(self.applier.manager().to_owned()), ..PatchParams::default() };
        let request =
            Request::new(url).patch_subresource("status", &key.name, &params, &Patch::Merge(&patch));
        let subject = Subject { kind: self.resource.kind.clone(), key: key.clone() };
        match self.applier.send("write the status of", &subject, request).await {
            // It is gone, or its definition does not take a status with it as it is: the log says it all the same.
            Err(error) if error.is_not_found() || error.is_invalid() || error.is_forbidden() => {
                tracing::debug!(%error, "a resource that cannot be read cannot be told so");
                Ok(())
            }
            other => other,
        }
    }

    fn publish(&self, key: &ObjectRef, found: &Unreadable, text: String) {
        let Some(events) = &self.events else { return };
        if self.cache.count_unreadable() > EVENTS_UP_TO {
            return;
        }
        events.publish(Note {
            regarding: ObjectReference {
                api_version: Some(self.resource.api_version.clone()),
                kind: Some(self.resource.kind.clone()),
                namespace: Some(key.namespace.clone()),
                name: Some(key.name.clone()),
                uid: found.metadata.uid.clone(),
                ..ObjectReference::default()
            },
            related: None,
            reason: REASON.to_owned(),
            action: api::conditions::events::READING.to_owned(),
            text,
            severity: Severity::Warning,
        });
    }
}
