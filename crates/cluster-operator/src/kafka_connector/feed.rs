//! Which watch event leads to which pass over connectors.

use api::KafkaConnector;
use operator_runtime::queue::Queue;
use operator_runtime::status::more_than_status_changed;
use operator_runtime::watch::{Event, ObjectRef};

use super::resources::{Resources, cluster};

/// The queues of connectors.
#[derive(Clone, Default)]
pub struct Queues {
    /// Connectors.
    pub connectors: Queue<ObjectRef>,
    /// Connect clusters, for rounds over all their connectors.
    pub rounds: Queue<ObjectRef>,
}

/// Leads every change that matters into the queues.
pub fn feed(resources: &Resources, queues: &Queues) {
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
        add.rounds.add(left);
    }
    if more_than_status_changed(event) {
        add.connectors.add(key.clone());
    }
}
