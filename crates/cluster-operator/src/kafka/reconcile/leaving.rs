//! A cluster whose Kafka resource goes or is gone: `planner::kafka::deleted_cluster` plans what goes with it.

use std::time::Duration;

use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::watch::ObjectRef;

use super::Reconciler;
use super::view::{ClusterView, Leaving};
use crate::caches;
use crate::kind::Seen;
use crate::lock::lock;
use crate::room::BUSY;
use crate::unreadable;
use planner::kafka::plan::{Forgotten, Plan};

/// Pause before it is looked again whether what is left of a deleted cluster can be read by now.
const TOO_MUCH_LEFT: Outcome = Outcome::Again(Duration::from_mins(5));

impl Reconciler {
    /// What is left of a cluster. `terminating`: its resource is still there, and is being deleted.
    pub(super) fn leaving(&self, key: &ObjectRef, terminating: bool) -> Seen<ClusterView> {
        if terminating {
            self.answers.turn_of(key, None);
        } else {
            self.answers.forget(key);
            self.observer.forget(key);
            self.memory(|memory| drop(memory.remove(key)));
            self.deleted_pods.forget(key);
            self.roll_metrics.remove(key);
            self.certificate_metrics.remove(key);
        }
        let seen = lock(&self.seen).contains(key);
        let gone_since = (!terminating).then(|| {
            let mut all = lock(&self.gone_since);
            *all.entry(key.clone()).or_insert_with(clock::now)
        });
        if let Some(why) = unreadable::too_much_of(&self.caches, key) {
            tracing::warn!(cluster = %key, why, "what is left of a cluster is not looked at");
            return Seen::Settled(TOO_MUCH_LEFT);
        }
        let bytes = self.caches.bytes_of(&caches::kafka(key));
        let Some(place) = self.room.enter_to_read(bytes) else { return Seen::Settled(BUSY) };
        let remains = self.observer.remains(key, terminating, seen, gone_since);
        Seen::Live(ClusterView::Leaving(Box::new(Leaving { remains, _place: place })))
    }

    /// Forgets of a deleted cluster what need not be remembered. `is_whole`: all that was planned to go has gone.
    pub(super) fn taken_away(&self, key: &ObjectRef, plan: &Plan, is_whole: bool) {
        if !is_whole || plan.forgets == Forgotten::Nothing {
            return;
        }
        if plan.forgets == Forgotten::Cluster {
            lock(&self.seen).remove(key);
        }
        lock(&self.gone_since).remove(key);
    }
}
