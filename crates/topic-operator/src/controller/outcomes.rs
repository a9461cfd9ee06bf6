//! What follows from the end of a batch, and from other work that the controller began.

use std::time::{Duration, Instant};

use operator_runtime::batches::Ended;

use crate::{
    apply,
    batch::{Done, Item, Latest, Next, Reach, Report},
    left_watch::{self, FoundTopic, LeftWatch},
    message::Message,
    plan::{self, Intent},
};

use super::Controller;

/// Between two attempts to remove throttle rates.
const RATES_INTERVAL: Duration = Duration::from_mins(1);

/// A resource that is gone, and the work on its topic.
pub(super) type Deletion = (LeftWatch, Item);

/// What has ended, beside the batches.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A resource left the watch; this is what is really there.
    LookedUp {
        left_watch: LeftWatch,
        found: FoundTopic,
    },
    /// The throttle rates of brokers were removed, or that has to wait.
    RatesCleared(bool),
    Quiet,
}

impl Controller {
    pub(super) fn finish(&mut self, outcome: Result<Outcome, tokio::task::JoinError>) {
        match outcome {
            Ok(Outcome::LookedUp { left_watch, found }) => self.looked_up(left_watch, found),
            Ok(Outcome::RatesCleared(done)) => {
                self.clearing_rates = false;
                if !done {
                    self.rates_due = Some(Instant::now() + RATES_INTERVAL);
                }
            }
            Ok(Outcome::Quiet) => {}
            Err(error) => {
                // A fault of the operator: start over with a clean state, which loses nothing.
                tracing::error!(%error, "a look at topics failed unexpectedly; restarting");
                self.shutdown.cancel();
            }
        }
    }

    pub(super) fn deletion_done(&mut self, ended: Ended<Deletion, Report>) {
        let Ended { members, results, interrupted, took } = ended;
        let items = |all: Vec<Deletion>| all.into_iter().map(|(_, item)| item).collect();
        let interrupted = interrupted.into_iter().map(|((_, item), why)| (item, why)).collect();
        let ended = Ended { members: items(members.clone()), results, interrupted, took };
        let report = apply::report(ended);
        // The resource is not in the index any more, and a successor may be.
        self.log_troubles(&report);
        let again = left_watch::has_to_be_repeated(&report);
        for (left_watch, item) in members {
            self.queue.done(&item.topic);
            if again {
                self.look_up(left_watch.failed());
            }
        }
        self.queue.unpark();
    }

    pub(super) fn batch_done(&mut self, ended: Ended<Item, Report>) {
        let report = apply::report(ended);
        self.log_troubles(&report);
        let now = Instant::now();
        for done in report.done {
            self.resource_done(done, now);
        }
        self.queue.unpark();
        if self.index.a_change_runs() && self.rates_due.is_none() {
            self.rates_due = Some(now);
        }
    }

    /// Tells the log of what a batch met.
    fn log_troubles(&mut self, report: &Report) {
        self.note_kafka(report);
        let mut troubles = report.done.iter().filter_map(|d| d.trouble.as_deref()).filter(|t| !t.is_empty());
        if let Some(first) = troubles.next() {
            tracing::warn!(
                resources = 1 + troubles.count(),
                first,
                "some resources could not be worked on; trying again"
            );
        }
    }

    fn resource_done(&mut self, done: Done, now: Instant) {
        self.queue.done(&done.topic);
        self.in_batch.remove(&done.reference);
        let (mut changed_meanwhile, mut bare) = (false, false);
        match done.latest {
            // Of what is gone the watch tells, and whether the deletion took notice of the finalizer.
            Latest::Same | Latest::Gone => {}
            Latest::Now(resource) => {
                // The answer to a write may hold a change by a user, whose event then tells nothing new.
                let known = self.index.get(&done.reference);
                changed_meanwhile = known.is_some_and(|known| resource.asks_for_else_than(known));
                self.note_finalizer(&resource);
                let lacks_finalizer = plan::wants_finalizer(&resource, &self.context.plan);
                let others = self.index.upsert(*resource).others;
                self.push_all(others);
                let known = self.index.get(&done.reference);
                bare = lacks_finalizer && known.is_some_and(|now| self.intent(now) == Intent::Reconcile);
            }
        }
        match done.next {
            // Another client took the finalizer off in the same moment, such as the operator of a cluster that the resource
            // came from. The back-off keeps the two from racing each other.
            Next::Settled if bare => {
                changed_meanwhile |= self.queue.retry(&done.reference, now).is_zero();
            }
            Next::Settled => self.queue.succeeded(&done.reference),
            Next::Again(delay) => self.queue.again(now + delay, done.reference.clone()),
            Next::Retry => {
                self.queue.retry(&done.reference, now);
            }
        }
        if changed_meanwhile {
            self.push(done.reference.clone());
        }
        self.take_in_held(&done.reference);
    }

    fn note_kafka(&mut self, report: &Report) {
        match (&report.kafka, self.kafka_lost) {
            (Reach::Failed(why), None) => {
                tracing::warn!(why = %why, "Kafka cannot be reached; topics are looked at again as soon as it can");
                self.kafka_lost = Some(Instant::now());
            }
            (Reach::Reached, Some(since)) => {
                tracing::info!(seconds = since.elapsed().as_secs(), "Kafka can be reached again");
                self.kafka_lost = None;
                self.queue.promote_all();
                self.next_sweep = Instant::now();
            }
            _ => {}
        }
    }

    fn wait_for_heir(&mut self, left_watch: LeftWatch) {
        if let Some(left_watch) = left_watch.waits_for_heir() {
            self.look_up(left_watch);
        }
    }

    pub(super) fn looked_up(&mut self, left_watch: LeftWatch, found: FoundTopic) {
        if matches!(found, FoundTopic::Unknown) {
            self.look_up(left_watch.not_found_out());
            return;
        }
        let Some((left_watch, FoundTopic::Now(now))) = self.hold_found(left_watch, found) else { return };
        let known = left_watch.known.clone();
        if self.index.get(&known.reference).is_some_and(|now| now.uid == known.uid) {
            // Back in the watch, whose events lead on.
            return;
        }
        if let Some(now) = &now
            && now.uid == known.uid
            && now.selected
        {
            // It is not gone. Its next event may be long in coming.
            self.take_in(Message::Seen(now.clone()));
            return;
        }
        let topic = known.topic_key();
        let wanted = self.index.is_wanted(&topic, |r| self.grants.counts(r));
        let stays = self.cluster_goes_away || wanted;
        let untold = left_watch.despite_finalizer || !self.context.plan.use_finalizers;
        let Some(intent) = plan::intent_of_unwatched(&known, now.as_deref(), stays, untold) else {
            if now.is_none() && !wanted && known.has_finalizer() && !known.deleting {
                tracing::warn!(resource = %known.reference, topic = %topic, "a KafkaTopic is gone whose finalizer nobody asked this operator to take off: its topic stays in Kafka");
            }
            // Who wants the topic may be about to go as well, and has no finalizer yet.
            if now.is_none() && left_watch.despite_finalizer && wanted && !self.index.is_held(&topic) {
                self.wait_for_heir(left_watch);
            }
            return;
        };
        let intent = self.grants.permitted(&known, intent);
        if matches!(intent, Intent::Delete(_)) && !self.losses.allow(Instant::now(), self.index.len()) {
            tracing::debug!(%topic, "the topic is not deleted now");
            self.look_up(left_watch.held_back());
            return;
        }
        let context = self.context.clone();
        if intent == Intent::Release {
            // Needs no hold on the topic, which another resource may have taken by now.
            let Some(now) = now else { return };
            self.tasks.spawn(async move {
                if left_watch.release(&context, &now).await {
                    return Outcome::Quiet;
                }
                Outcome::LookedUp { left_watch, found: FoundTopic::Unknown }
            });
        } else if self.queue.begin(topic.clone()) {
            let item = Item { resource: known, topic, intent, failing: Duration::ZERO };
            self.deletions.begin(vec![(left_watch, item)], move |deletions: Vec<Deletion>| {
                let (context, items) =
                    (context.clone(), deletions.into_iter().map(|(_, item)| item).collect());
                async move { apply::run(&context, items, false).await }
            });
        } else {
            self.look_up(left_watch.failed());
        }
    }
}
