//! A cluster whose Kafka resource goes or is gone: `planner::kafka::deleted_cluster` plans what goes with it.

use std::sync::PoisonError;
use std::time::Duration;

use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::watch::ObjectRef;

use super::view::{Leaving, View};
use super::{Error, Reconciler, again};
use crate::caches;
use crate::carry_out;
use crate::kind::Seen;
use crate::room::BUSY;
use crate::unreadable;
use planner::kafka::plan::Plan;

/// Pause before it is looked again whether what is left of a deleted cluster can be read by now.
const TOO_MUCH_LEFT: Outcome = Outcome::Again(Duration::from_mins(5));

impl Reconciler {
    /// What is left of a cluster. `terminating`: its resource is still there, and is being deleted.
    pub(super) fn leaving(&self, key: &ObjectRef, terminating: bool) -> Seen<View> {
        if !terminating {
            self.answers.forget(key);
            self.observer.forget(key);
            self.memory(|memory| drop(memory.remove(key)));
            self.waiting.remove(key);
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(key);
        let gone_since = (!terminating).then(|| {
            let mut all = self.gone_since.lock().unwrap_or_else(PoisonError::into_inner);
            *all.entry(key.clone()).or_insert_with(clock::now)
        });
        if let Some(why) = unreadable::too_much_of(&self.caches, key) {
            tracing::warn!(cluster = %key, why, "what is left of a cluster is not looked at");
            return Seen::Settled(TOO_MUCH_LEFT);
        }
        let bytes = self.caches.bytes_of(&caches::kafka(key));
        let Some(place) = self.room.enter_to_read(bytes) else { return Seen::Settled(BUSY) };
        let remains = self.observer.remains(key, terminating, seen, gone_since);
        Seen::Live(View::Leaving(Box::new(Leaving { remains, _place: place })))
    }

    /// Deletes what is planned to go. Topics that changed meanwhile keep nothing of it waiting.
    pub(super) async fn take_away(&self, plan: &Plan) -> Result<(), Error> {
        let released = carry_out::finalizers(&self.applier, &self.mandate, &plan.finalizers).await;
        carry_out::deletions(&self.applier, &self.mandate, &plan.delete).await?;
        Ok(released?)
    }

    /// Forgets a cluster of which nothing is left to do.
    pub(super) fn taken_away(
        &self,
        key: &ObjectRef,
        leaving: &Leaving,
        plan: &Plan,
    ) -> Result<Outcome, Error> {
        if let Some(failure) = &plan.failure {
            return Err(Error::Unmade(failure.clone()));
        }
        if leaving.remains.exists == Some(true) {
            self.gone_since.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            return Ok(Outcome::Done);
        }
        let outcome = again(plan);
        if !leaving.remains.terminating && matches!(outcome, Outcome::Done) {
            // What appears under the name from now on belongs to a successor that may be on its way.
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            self.gone_since.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
        Ok(outcome)
    }
}
