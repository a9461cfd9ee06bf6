//! What is told of a resource while a batch works on it: it is taken in when the batch is done, after the batch's own writes.
//!
//! What a resource is that left the watch is looked up at once all the same. A label that left and a deletion look alike to the
//! watch, and only the look in the same moment tells them apart: minutes later, a resource that was let go may be deleted.

use std::time::{Duration, Instant};

use crate::{
    left_watch::{FoundTopic, LeftWatch},
    message::Message,
    plan,
    resource::TopicResource,
    topic::ResourceRef,
};

use super::Controller;

/// A deletion that the API server began before the finalizer was there ends within moments. What is told of a resource whose
/// finalizer has been there for longer is no such deletion: its label left.
const NEW: Duration = Duration::from_secs(10);

/// What was told of one resource.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// It left the watch.
    gone: bool,
    /// Its last state, since it left the watch last.
    seen: Option<Box<TopicResource>>,
    /// What was found in the places of resources of the name that left the watch.
    found: Vec<(LeftWatch, FoundTopic)>,
}

impl Held {
    /// The last look tells: earlier ones at the same resource are forgotten.
    fn keep(&mut self, left_watch: LeftWatch, found: FoundTopic) {
        self.found.retain(|(earlier, _)| earlier.known.uid != left_watch.known.uid);
        self.found.push((left_watch, found));
    }
}

impl Controller {
    /// Keeps the state of a resource in a batch.
    pub(super) fn hold_seen(&mut self, resource: Box<TopicResource>) {
        let reference = resource.reference.clone();
        if self.last_told(&reference).is_some_and(|known| known.uid != resource.uid) {
            // Made again: the resource that had the name before is gone.
            self.hold_gone(&reference, false);
        }
        self.note_finalizer(&resource);
        self.held.entry(reference).or_default().seen = Some(resource);
    }

    /// Keeps that a resource in a batch left the watch, and looks what is there in its place.
    pub(super) fn hold_gone(&mut self, reference: &ResourceRef, told_finalizer: bool) {
        let Some(known) = self.last_told(reference).cloned() else { return };
        let despite_finalizer = told_finalizer && self.finalizer_is_new(reference);
        let held = self.held.entry(reference.clone()).or_default();
        held.gone = true;
        held.seen = None;
        // Who else wants the topic counts when the look is over.
        if told_finalizer || plan::wants_lookup(&known, true, self.cluster_goes_away, &self.context.plan) {
            self.look_up(LeftWatch::new(known.into(), despite_finalizer));
        }
    }

    /// Keeps what was found in the place of a resource that a batch still works on; otherwise hands it back.
    pub(super) fn hold_found(
        &mut self,
        left_watch: LeftWatch,
        found: FoundTopic,
    ) -> Option<(LeftWatch, FoundTopic)> {
        let known = &left_watch.known;
        let worked_on = self.in_batch.contains(&known.reference)
            && self.index.get(&known.reference).is_some_and(|now| now.uid == known.uid);
        let held = self.held.get_mut(&known.reference).filter(|held| worked_on && held.gone);
        let Some(held) = held else { return Some((left_watch, found)) };
        held.keep(left_watch, found);
        None
    }

    /// Takes in what was held back of a resource whose batch is done.
    pub(super) fn take_in_held(&mut self, reference: &ResourceRef) {
        let Some(Held { gone, seen, found }) = self.held.remove(reference) else { return };
        if gone {
            let (known, others) = self.index.remove(reference);
            self.queue.succeeded(reference);
            self.push_all(others);
            let shows_it =
                |found: &FoundTopic| matches!(found, FoundTopic::Now(Some(now)) if now.has_finalizer());
            // The batch may have put the finalizer on after the look.
            if let Some(known) = known.filter(|known| known.has_finalizer())
                && self.context.plan.use_finalizers
                && !found.iter().any(|(_, found)| shows_it(found))
            {
                self.look_up(LeftWatch::new(known, false));
            }
        }
        if let Some(seen) = seen {
            self.take_in(Message::Seen(seen));
        }
        for (left_watch, found) in found {
            self.looked_up(left_watch, found);
        }
    }

    /// Notes when a resource was first seen with the finalizer that this operator put on.
    pub(super) fn note_finalizer(&mut self, now: &TopicResource) {
        let bare = self.index.get(&now.reference).is_some_and(|known| !known.has_finalizer());
        if bare && now.has_finalizer() {
            self.finalized.entry(now.reference.clone()).or_insert_with(Instant::now);
        }
    }

    /// Whether the API server may have begun to delete a resource before our finalizer was there.
    pub(super) fn finalizer_is_new(&self, reference: &ResourceRef) -> bool {
        let bare = || self.index.get(reference).is_some_and(|known| !known.has_finalizer());
        self.finalized.get(reference).map_or_else(bare, |since| since.elapsed() < NEW)
    }

    /// Forgets finalizers that are not new any more.
    pub(super) fn forget_finalizers(&mut self) {
        let in_batch = &self.in_batch;
        self.finalized.retain(|reference, since| since.elapsed() < NEW || in_batch.contains(reference));
    }

    /// The state of a resource in a batch that was told last; none when it left the watch after that.
    fn last_told(&self, reference: &ResourceRef) -> Option<&TopicResource> {
        let held = self.held.get(reference);
        let indexed = || self.index.get(reference).map(AsRef::as_ref);
        match held {
            Some(Held { seen: Some(seen), .. }) => Some(seen),
            Some(Held { gone: true, .. }) => None,
            _ => indexed(),
        }
    }
}
