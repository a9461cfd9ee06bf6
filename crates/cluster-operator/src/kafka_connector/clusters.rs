//! The Connect clusters that connectors name: as much of the KafkaConnect resources as connectors depend on.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use api::conditions::types;
use api::connect::WORKERS_DEFAULT;
use api::{KafkaConnect, annotations};
use operator_runtime::watch::{Event, ObjectRef};

use crate::caches::{Caches, KAFKA_CONNECT};

/// What of a Connect cluster its connectors depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// UID of the resource.
    pub uid: Option<String>,
    /// Whether connector resources rule its connectors.
    pub uses_resources: bool,
    /// Whether it is left alone as its annotation asks for.
    pub is_paused: bool,
    /// Number of workers that it is to have.
    pub workers: i32,
    /// Whether its status says that it is ready.
    pub is_ready: bool,
}

impl From<&KafkaConnect> for Facts {
    fn from(connect: &KafkaConnect) -> Self {
        let is_true = |key| annotations::is_true(connect.metadata.annotations.as_ref(), key);
        let conditions = connect.status.iter().flat_map(|status| status.conditions.iter().flatten());
        Self {
            uid: connect.metadata.uid.clone(),
            uses_resources: is_true(annotations::USE_CONNECTOR_RESOURCES),
            is_paused: is_true(annotations::PAUSE_RECONCILIATION),
            workers: connect.spec.replicas.unwrap_or(WORKERS_DEFAULT),
            is_ready: conditions.into_iter().any(|condition| condition.is(types::READY)),
        }
    }
}

/// The facts of all Connect clusters. The cache keeps the resources packed, and passes over connectors ask often. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Clusters(Arc<RwLock<HashMap<ObjectRef, Arc<Facts>>>>);

impl Clusters {
    /// Of a cluster that this operator looks after.
    pub(super) fn get(&self, cluster: &ObjectRef) -> Option<Arc<Facts>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(cluster).cloned()
    }

    /// Follows the resources and the Services of their REST APIs. The function is told of every cluster of which something changed
    /// that connectors depend on.
    pub(super) fn follow(
        &self,
        caches: &Caches,
        changed: impl Fn(&ObjectRef) + Clone + Send + Sync + 'static,
    ) {
        let (this, tell) = (self.clone(), changed.clone());
        caches.connects.on_change(move |event| {
            if this.note(event) {
                tell(event.key());
            }
        });
        for kind in caches.services() {
            let tell = changed.clone();
            kind.cache.on_change(move |event| {
                let unchanged = matches!(event, Event::Applied { old: Some(old), new, .. } if old.rest_api == new.rest_api);
                let plain = event.latest();
                if plain.rest_api.is_some() && plain.owner.kind == KAFKA_CONNECT && !unchanged {
                    tell(&plain.owner.object);
                }
            });
        }
        // Who shares a group with another cluster removes nothing: it matters when that goes.
        caches.on_change_of_sharing(move |other| {
            if other.kind == KAFKA_CONNECT {
                changed(&ObjectRef::new(&other.namespace, &other.name));
            }
        });
    }

    fn note(&self, event: &Event<'_, KafkaConnect>) -> bool {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Applied { key, new, .. } => {
                let facts = Arc::new(Facts::from(&***new));
                all.insert((*key).clone(), Arc::clone(&facts)).is_none_or(|before| before != facts)
            }
            Event::Deleted { key, .. } => all.remove(*key).is_some(),
        }
    }
}
