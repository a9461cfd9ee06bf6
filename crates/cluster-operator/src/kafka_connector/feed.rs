//! Which watch event leads to which pass over connectors.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use api::KafkaConnector;
use operator_runtime::queue::Queue;
use operator_runtime::status::more_than_status_changed;
use operator_runtime::watch::{Event, ObjectRef};

use super::resources::{Resources, cluster};
use crate::caches::Caches;
use crate::lock::lock;

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
    /// Names of connectors whose resources left a cluster and that are not known to be gone.
    pub(super) fn left(&self, cluster: &ObjectRef) -> BTreeSet<String> {
        lock(&self.left).get(cluster).cloned().unwrap_or_default()
    }

    /// Forgets a connector that is gone from a cluster, or whose name stands in its list.
    pub(super) fn forget_left(&self, cluster: &ObjectRef, name: &str) {
        let mut left = lock(&self.left);
        if let Some(names) = left.get_mut(cluster) {
            names.remove(name);
            if names.is_empty() {
                left.remove(cluster);
            }
        }
    }

    /// Forgets all that left a cluster which is gone itself.
    pub(super) fn forget_all_left(&self, cluster: &ObjectRef) {
        lock(&self.left).remove(cluster);
    }

    /// Notes connectors whose resources left a cluster.
    pub(super) fn note_left(&self, cluster: &ObjectRef, names: impl IntoIterator<Item = String>) {
        let mut left = lock(&self.left);
        left.entry(cluster.clone()).or_default().extend(names);
    }
}

/// Leads every change that matters into the queues.
pub(super) fn feed(caches: &Caches, resources: &Resources, queues: &Queues) {
    let (add, known) = (queues.clone(), resources.clone());
    resources.clusters.follow(caches, move |cluster| {
        for connector in known.of_cluster(cluster) {
            add.connectors.add(connector);
        }
        add.rounds.add(cluster.clone());
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
