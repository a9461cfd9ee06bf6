//! What became of a resource that left the watch: it may have been deleted, or only have lost its labels.
//!
//! Nothing tells of such a resource again, so whatever fails here is tried again until it succeeds.

use std::{sync::Arc, time::Duration};

use operator_runtime::queue::{Backoff, FIRST_BACKOFF, LONGEST_BACKOFF};

use crate::{
    batch::{Context, Latest, Next, Report},
    losses,
    resource::TopicResource,
};

/// A resource that left the watch.
#[derive(Clone, Debug)]
pub(crate) struct LeftWatch {
    /// As it was last seen.
    pub known: Arc<TopicResource>,
    /// The API server may have deleted it although it had our finalizer, which came too late. Only the first look, in the same
    /// moment, can tell that: later, another operator may have taken the finalizer off.
    pub despite_finalizer: bool,
    backoff: Backoff,
    pause: Duration,
}

/// What is there in its place.
#[derive(Debug)]
pub(crate) enum FoundTopic {
    /// This; none: nothing.
    Now(Option<Box<TopicResource>>),
    /// It cannot be told.
    Unknown,
}

impl LeftWatch {
    /// Has just left the watch.
    pub(crate) fn new(known: Arc<TopicResource>, despite_finalizer: bool) -> Self {
        let backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
        Self { known, despite_finalizer, backoff, pause: Duration::ZERO }
    }

    /// It is gone, and who wants its topic does not hold it yet: the next look comes later. None after many looks.
    pub(crate) fn waits_for_heir(mut self) -> Option<Self> {
        self.pause = self.backoff.pause();
        (self.pause < LONGEST_BACKOFF).then_some(self)
    }

    /// The next look comes later, and ever later.
    pub(crate) fn failed(mut self) -> Self {
        self.pause = self.backoff.pause();
        self
    }

    /// It could not be looked up.
    pub(crate) fn not_found_out(mut self) -> Self {
        self.despite_finalizer = false;
        self.failed()
    }

    /// The next look comes much later: the topic is not to be deleted now.
    pub(crate) fn held_back(mut self) -> Self {
        self.pause = losses::PAUSE;
        self
    }

    /// Looks what is there now, past the watch.
    pub(crate) async fn look_up(&self, context: &Context) -> FoundTopic {
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
        match context.kubernetes.get(&self.known.reference).await {
            Ok(now) => FoundTopic::Now(now.map(Box::new)),
            Err(error) => {
                if self.pause.is_zero() {
                    tracing::warn!(%error, "cannot tell what became of a resource that left the watch; looking again");
                }
                FoundTopic::Unknown
            }
        }
    }

    /// Takes the finalizer off what is there now. False when that has to be tried again.
    pub(crate) async fn release(&self, context: &Context, now: &TopicResource) -> bool {
        match context.kubernetes.set_finalizer(now, false).await {
            Ok(_) => {
                tracing::info!(resource = %now.reference, topic = now.claimed_topic(), "took the finalizer off a resource that is no longer selected");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "cannot let go of a resource that left the watch; trying again");
                false
            }
        }
    }
}

/// Whether the deletion of the topic of a resource that is gone has to be tried again. What Kafka refuses for good is written
/// to a status, and finds no resource: that is not tried again.
pub(crate) fn has_to_be_repeated(report: &Report) -> bool {
    report.done.iter().any(|d| d.next == Next::Retry && matches!(d.latest, Latest::Same))
}
