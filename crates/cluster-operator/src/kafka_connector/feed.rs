//! Which watch event leads to which pass over connectors.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use api::KafkaConnector;
use operator_runtime::queue::Queue;
use operator_runtime::status::more_than_status_changed;
use operator_runtime::watch::{Event, ObjectRef};

use super::resources::{Resources, cluster};

/// The queues of connectors.
#[derive(Clone, Default)]
pub(super) struct Queues {
    /// Connectors.
    pub connectors: Queue<ObjectRef>,
    /// Connect clusters, for rounds over all their connectors.
    pub rounds: Queue<ObjectRef>,
    /// Connectors whose resources left a cluster, by cluster.
    left: Arc<Mutex<HashMap<ObjectRef, BTreeSet<String>>>>,
}

impl Queues {
    /// Takes the names of connectors whose resources left a cluster since the last call.
    pub(super) fn take_left(&self, cluster: &ObjectRef) -> BTreeSet<String> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster).unwrap_or_default()
    }

    /// Notes connectors whose resources left a cluster.
    pub(super) fn note_left(&self, cluster: &ObjectRef, names: impl IntoIterator<Item = String>) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.entry(cluster.clone()).or_default().extend(names);
    }
}

/// Leads every change that matters into the queues.
pub(super) fn feed(resources: &Resources, queues: &Queues) {
    let (add, known) = (queues.clone(), resources.clone());
    resources.connects.on_change(move |event| {
        if let Event::Applied { old: Some(old), new, .. } = event
            && old == new
        {
            return;
        }
        for connector in known.of_cluster(event.key()) {
            add.connectors.add(connector);
        }
        add.rounds.add(event.key().clone());
    });
    let add = queues.clone();
    resources.connectors.on_change(move |event| connector_changed(event, &add));
    let add = queues.connectors.clone();
    resources.connectors.on_unreadable(move |key, unreadable| {
        if unreadable.is_none() {
            add.add(key.clone());
        }
    });
}

fn connector_changed(event: &Event<'_, KafkaConnector>, add: &Queues) {
    let key = event.key();
    let left = match event {
        Event::Applied { old: Some(old), new, .. } => {
            cluster(key, old).filter(|old| cluster(key, new).as_ref() != Some(old))
        }
        Event::Applied { .. } => None,
        Event::Deleted { old, .. } => cluster(key, old),
    };
    // It is undeclared where it was.
    if let Some(left) = left {
        add.note_left(&left, [key.name.clone()]);
        add.rounds.add(left);
    }
    if more_than_status_changed(event) {
        add.connectors.add(key.clone());
    }
}
