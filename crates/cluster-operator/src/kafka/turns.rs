//! Tells clusters whether it is their turn to restart pods for a new version of the operator, and wakes those whose turn comes.

use std::sync::Mutex;

use jiff::Timestamp;
use operator_runtime::clock;
use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;
use planner::kafka::operator_turns::{OperatorTurns, Turn, TurnState};

use crate::caches::Caches;
use crate::lock::lock;
use crate::settings::TurnSettings;

/// Whose turn it is. One for the whole process.
pub(crate) struct Turns {
    known: Mutex<OperatorTurns>,
    queue: Queue<ObjectRef>,
}

impl Turns {
    /// With the queue in which clusters wait for their passes.
    pub(crate) fn new(settings: &TurnSettings, queue: &Queue<ObjectRef>) -> Self {
        let known = OperatorTurns::new(settings.canaries.clone(), settings.at_once);
        Self { known: Mutex::new(known), queue: queue.clone() }
    }

    /// Whether it is the turn of a cluster.
    pub(crate) fn ask(&self, key: &ObjectRef, caches: &Caches) -> Turn {
        let all = || caches.kafkas.keys().iter().map(name).collect();
        let turn = lock(&self.known).ask(&name(key), all, clock::now());
        tracing::debug!(cluster = %key, ?turn, "whether it is the turn of the cluster to restart its pods for the new version of the operator");
        turn
    }

    /// Notes what a pass found of a cluster; `None`: it cannot be planned, or is left alone for now.
    pub(crate) fn report(&self, key: &ObjectRef, state: Option<TurnState>) {
        self.note(|known, now| known.report(&name(key), state, now));
    }

    /// The cluster is gone.
    pub(crate) fn forget(&self, key: &ObjectRef) {
        self.note(|known, now| known.forget(&name(key), now));
    }

    fn note(&self, note: impl FnOnce(&mut OperatorTurns, Timestamp) -> Vec<String>) {
        let woken = note(&mut lock(&self.known), clock::now());
        for cluster in woken {
            if let Some((namespace, name)) = cluster.split_once('/') {
                self.queue.add(ObjectRef::new(namespace, name));
            }
        }
    }
}

fn name(key: &ObjectRef) -> String {
    format!("{}/{}", key.namespace, key.name)
}
