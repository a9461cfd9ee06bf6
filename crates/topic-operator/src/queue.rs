//! Which resources wait to be looked at. Without bound, and without a wait: what is there goes into the next batch.
//!
//! A batch is small when little happens and grows by itself while earlier batches keep the operator busy. A topic is
//! in one batch at a time.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use operator_runtime::queue::{Backoff, FIRST_BACKOFF, LONGEST_BACKOFF};

use crate::topic::ResourceRef;

/// How long a resource that failed in a way that may pass waits for its next attempt, and since when it has been failing.
#[derive(Clone, Debug)]
struct Attempts {
    backoff: Backoff,
    since: Instant,
}

/// Waiting resources, topics in flight, and attempts that wait for their time.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<ResourceRef>,
    queued: HashSet<ResourceRef>,
    in_flight: HashSet<Arc<str>>,
    parked: Vec<ResourceRef>,
    later: BTreeSet<(Instant, ResourceRef)>,
    /// When each resource in `later` is due: once, however often it was put there.
    due: HashMap<ResourceRef, Instant>,
    attempts: HashMap<ResourceRef, Attempts>,
    largest: usize,
}

impl Queue {
    /// Puts a resource at the end, unless it waits already; the answer says whether it was put there.
    pub(crate) fn push(&mut self, reference: ResourceRef) -> bool {
        if !self.queued.insert(reference.clone()) {
            return false;
        }
        self.waiting.push_back(reference);
        self.largest = self.largest.max(self.waiting.len());
        true
    }

    /// True when the resource waits for its turn.
    pub(crate) fn waits(&self, reference: &ResourceRef) -> bool {
        self.queued.contains(reference)
    }

    #[cfg(test)]
    /// How many resources wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True when none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The most that ever waited.
    pub(crate) fn largest(&self) -> usize {
        self.largest
    }

    /// Takes up to `most` resources whose topics (as `topic_of` tells) are in no batch, and marks those topics. A
    /// resource that is gone is left out; one whose topic is busy waits for [`Queue::done`].
    pub(crate) fn take(
        &mut self,
        most: usize,
        topic_of: impl Fn(&ResourceRef) -> Option<Arc<str>>,
    ) -> Vec<(ResourceRef, Arc<str>)> {
        let mut out = Vec::new();
        while out.len() < most {
            let Some(reference) = self.waiting.pop_front() else { break };
            let Some(topic) = topic_of(&reference) else {
                self.queued.remove(&reference);
                continue;
            };
            if self.in_flight.insert(topic.clone()) {
                self.queued.remove(&reference);
                out.push((reference, topic));
            } else {
                self.parked.push(reference);
            }
        }
        out
    }

    /// Marks a topic outside [`Queue::take`]; false when it is in a batch already.
    pub(crate) fn begin(&mut self, topic: Arc<str>) -> bool {
        self.in_flight.insert(topic)
    }

    /// Frees a topic.
    pub(crate) fn done(&mut self, topic: &str) {
        self.in_flight.remove(topic);
    }

    /// Lets the resources wait again whose topics were busy. Called after the topics of a batch were freed.
    pub(crate) fn unpark(&mut self) {
        self.waiting.extend(self.parked.drain(..));
    }

    /// Looks at a resource again later: at most 0.5 s after the first failure, then twice as long each time, at most a
    /// minute. Resources that failed together come back apart. The answer is how long it has been failing.
    pub(crate) fn retry(&mut self, reference: &ResourceRef, now: Instant) -> Duration {
        let first = || Attempts { backoff: Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF), since: now };
        let attempts = self.attempts.entry(reference.clone()).or_insert_with(first);
        let (delay, failing) = (attempts.backoff.pause(), now - attempts.since);
        self.at(now + delay, reference.clone());
        failing
    }

    /// How long a resource has been failing in a way that may pass.
    pub(crate) fn failing(&self, reference: &ResourceRef, now: Instant) -> Duration {
        self.attempts.get(reference).map_or(Duration::ZERO, |a| now.saturating_duration_since(a.since))
    }

    /// Looks at a resource again at a given time, and not at the one it was to be looked at before.
    pub(crate) fn at(&mut self, when: Instant, reference: ResourceRef) {
        self.cancel(&reference);
        self.due.insert(reference.clone(), when);
        self.later.insert((when, reference));
    }

    /// Looks at a resource again at a given time because something goes on there, not because something failed.
    pub(crate) fn again(&mut self, when: Instant, reference: ResourceRef) {
        self.attempts.remove(&reference);
        self.at(when, reference);
    }

    fn cancel(&mut self, reference: &ResourceRef) {
        if let Some(when) = self.due.remove(reference) {
            self.later.remove(&(when, reference.clone()));
        }
    }

    /// Forgets earlier refusals of a resource, and the attempt that was still to come.
    pub(crate) fn succeeded(&mut self, reference: &ResourceRef) {
        self.attempts.remove(reference);
        self.cancel(reference);
    }

    /// When the next delayed attempt is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.later.first().map(|(when, _)| *when)
    }

    /// Lets delayed attempts wait in line whose time has come.
    pub(crate) fn promote(&mut self, now: Instant) {
        while self.next_due().is_some_and(|when| when <= now) {
            if let Some((_, reference)) = self.later.pop_first() {
                self.due.remove(&reference);
                self.push(reference);
            }
        }
    }

    /// Lets all delayed attempts wait in line at once: what they failed for has passed.
    pub(crate) fn promote_all(&mut self) {
        for (_, reference) in std::mem::take(&mut self.later) {
            self.push(reference);
        }
        self.due.clear();
        self.attempts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(name: &str) -> ResourceRef {
        ResourceRef::new("ns", name)
    }

    #[allow(clippy::unnecessary_wraps)] // The signature that `take` asks for.
    fn own_topic(reference: &ResourceRef) -> Option<Arc<str>> {
        Some(reference.name.clone())
    }

    #[test]
    fn a_resource_waits_once_and_nothing_is_ever_refused() {
        let mut q = Queue::default();
        assert!(q.push(r("a")));
        assert!(!q.push(r("a")));
        for i in 0..10_000 {
            q.push(r(&i.to_string()));
        }
        assert_eq!((q.len(), q.largest()), (10_001, 10_001));
        assert_eq!(q.take(3, own_topic).len(), 3);
    }

    #[test]
    fn a_topic_is_in_one_batch_at_a_time() {
        let mut q = Queue::default();
        q.push(r("a"));
        let first = q.take(10, own_topic);
        q.push(r("a"));
        assert!(q.take(10, own_topic).is_empty());
        q.done(&first[0].1);
        q.unpark();
        assert_eq!(q.take(10, own_topic).len(), 1);
    }

    #[test]
    fn failures_are_retried_ever_more_seldom() {
        let mut q = Queue::default();
        let t0 = Instant::now();
        assert_eq!(q.retry(&r("a"), t0), Duration::ZERO);
        q.promote(t0 + Duration::from_millis(249));
        assert!(q.is_empty());
        q.promote(t0 + Duration::from_millis(500));
        assert_eq!(q.take(1, own_topic).len(), 1);
        q.done("a");
        for _ in 0..20 {
            q.retry(&r("a"), t0);
        }
        assert!(
            q.next_due().is_some_and(|due| (LONGEST_BACKOFF / 2..=LONGEST_BACKOFF).contains(&(due - t0)))
        );
        q.promote_all();
        assert_eq!((q.len(), q.next_due()), (1, None));
    }

    #[test]
    fn resources_that_failed_together_come_back_apart() {
        let mut q = Queue::default();
        let t0 = Instant::now();
        let mut due = HashSet::new();
        for i in 0..50 {
            q.retry(&r(&i.to_string()), t0);
        }
        due.extend(q.later.iter().map(|(when, _)| *when));
        assert!(due.len() > 25, "{} moments for 50 resources", due.len());
    }

    #[test]
    fn looks_in_between_do_not_multiply_the_attempts_to_come() {
        let mut q = Queue::default();
        let t0 = Instant::now();
        q.retry(&r("a"), t0);
        q.retry(&r("a"), t0);
        q.again(t0 + Duration::from_secs(5), r("a"));
        assert_eq!(q.failing(&r("a"), t0 + LONGEST_BACKOFF), Duration::ZERO, "what goes on has not failed");
        q.promote(t0 + Duration::from_secs(4));
        assert!(q.is_empty());
        q.promote(t0 + Duration::from_secs(5));
        assert_eq!((q.len(), q.next_due()), (1, None));
        q.retry(&r("b"), t0);
        q.succeeded(&r("b"));
        assert_eq!(q.next_due(), None);
    }
}
