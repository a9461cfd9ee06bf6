//! The plan of a resource as a value: what the plans of all kinds have in common.

use std::time::Duration;

use objects::{Deletion, FinalizerChange, Write};
use serde::Serialize;

use crate::findings::Held;

/// The outcome of planning one resource: everything that a pass does or waits for. `Need` is what it asks for before it is
/// complete, `Call` what it does beside writing objects, `Status` the statuses that it writes.
///
/// A complete plan is carried out in this order: lasting events, `apply`, `delete`, `finalizers`, `calls`, the status of the
/// resource. What else a kind has in its plan stands beside this.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan<Need, Call, Status> {
    /// What has to be known or made first.
    pub needs: Vec<Need>,
    /// Every object that is wanted and what its write changes, in the order in which they are written. An object equal to the live one
    /// is listed too and not written.
    pub apply: Vec<Write>,
    /// Objects to delete.
    pub delete: Vec<Deletion>,
    /// Finalizers to take off, or to put on.
    pub finalizers: Vec<FinalizerChange>,
    /// What is done beside that, for instance calls to Kafka.
    pub calls: Vec<Call>,
    /// What is asked for and not carried out before an annotation approves it or its obstacle is gone; nothing else of the plan does
    /// any of it, and the status says so.
    pub held: Vec<Held>,
    /// What to write into the statuses.
    pub status: Status,
    /// What to publish.
    pub events: Vec<PlannedEvent>,
    /// When to look again without an event (renewal of a certificate, a retry).
    pub look_again: Option<Duration>,
    /// What the resource still waits for, in words ("pod my-dual-0 is not ready").
    pub waiting_for: Vec<String>,
    /// What could not be found out or made, so that nothing else can be done: the pass counts as failed.
    pub failure: Option<String>,
}

impl<Need, Call, Status: Default> Default for Plan<Need, Call, Status> {
    fn default() -> Self {
        Self {
            needs: Vec::new(),
            apply: Vec::new(),
            delete: Vec::new(),
            finalizers: Vec::new(),
            calls: Vec::new(),
            held: Vec::new(),
            status: Status::default(),
            events: Vec::new(),
            look_again: None,
            waiting_for: Vec::new(),
            failure: None,
        }
    }
}

impl<Need, Call, Status: Default> Plan<Need, Call, Status> {
    /// A plan that needs answers first.
    pub fn asking(needs: Vec<Need>) -> Self {
        Self { needs, ..Self::default() }
    }
}

impl<Need, Call, Status> Plan<Need, Call, Status> {
    /// Looks again after so many seconds, or sooner where that is planned already.
    pub fn look_again_in(&mut self, seconds: u64) {
        self.look_again_after(Duration::from_secs(seconds));
    }

    /// Looks again after a time, or sooner where that is planned already.
    pub fn look_again_after(&mut self, pause: Duration) {
        self.look_again = Some(self.look_again.map_or(pause, |planned| planned.min(pause)));
    }

    /// When to look again, in whole seconds.
    pub fn look_again_seconds(&self) -> Option<u64> {
        self.look_again.map(|pause| pause.as_secs())
    }
}

/// What never comes: a plan of a kind that asks for nothing has no needs, one of a kind that only writes has no calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Never {}

/// The statuses that a plan writes.
pub trait Statuses {
    /// The status of the resource itself.
    type Status;

    /// It; `None` writes nothing.
    fn of_resource(&self) -> Option<&Self::Status>;
}

impl<S> Statuses for Option<S> {
    type Status = S;

    fn of_resource(&self) -> Option<&S> {
        self.as_ref()
    }
}

/// An event to publish. Its text never holds keys or passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedEvent {
    /// PascalCase word.
    pub reason: String,
    /// The text.
    pub text: String,
    /// The pod that it is about; its resource is named anyway.
    pub pod: Option<String>,
    /// When it is published.
    pub occasion: Occasion,
}

/// When an event is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Occasion {
    /// When its pod was deleted.
    Restart,
    /// Once while this lasts, as a warning.
    Lasting {
        /// What tells it from another of the same reason, for example since when it lasts.
        episode: String,
    },
    /// When Kafka has taken the change of this option, as a warning.
    OptionChanged {
        /// Of which broker; `None`: of all.
        broker: Option<i32>,
        /// The option.
        option: String,
    },
    /// When a call of the plan was made.
    Called {
        /// The place of the call among the calls of the plan.
        call: usize,
        /// What the operator did, as the `action` of the event says it.
        action: &'static str,
        /// Whether a person should look.
        is_warning: bool,
    },
}
