//! What the operator remembers of a connector from pass to pass. Without it, after a start of the operator, everything is
//! only tried once more.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::actual::State;
use super::call::ConnectorCall;

/// How long what was done may take to show.
pub const SHOWS_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// A call that is made again within this time was of no avail, or what it did was undone.
const IN_A_ROW: SignedDuration = SignedDuration::from_mins(1);

/// First and longest pause before a call is tried again that failed.
const PAUSES: (i64, i64) = (5, 120);
/// First and longest pause, in milliseconds, before a call is tried again that met a rebalance.
const SHORT_PAUSES: (i64, i64) = (250, 5000);

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Connect divides its connectors among the workers: waited for.
    Rebalancing,
    /// The connector was made before, with the options of the call, and has no state yet: waited for.
    NotStarted,
    /// The connector was made before, with other options than those of the call, and has no state yet.
    OtherOptions,
    /// No worker answered.
    Silence,
    /// Connect does not take what was sent.
    Refused,
    /// There is no such connector or task.
    Missing,
    /// Connect could not do it.
    Failed,
    /// A ConfigMap could not be read or written.
    ConfigMap,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The call.
    pub call: ConnectorCall,
    /// How.
    pub kind: FailureKind,
    /// Why, in words.
    pub message: String,
    /// When it failed last.
    pub at: Timestamp,
    /// How often in a row, from 1.
    pub times: u32,
}

impl Failure {
    /// When it is tried again.
    pub fn again_at(&self) -> Timestamp {
        self.at + pause_after(self.kind, self.times)
    }
}

/// How long a call is not tried again that failed so many times in a row.
pub fn pause_after(kind: FailureKind, times: u32) -> SignedDuration {
    let growth = 1_i64 << times.saturating_sub(1).min(10);
    match kind {
        FailureKind::Rebalancing => {
            SignedDuration::from_millis((SHORT_PAUSES.0 * growth).min(SHORT_PAUSES.1))
        }
        // What was refused once is refused again, until an administrator does something about the workers.
        FailureKind::Refused => SignedDuration::from_secs(PAUSES.1),
        _ => SignedDuration::from_secs((PAUSES.0 * growth).min(PAUSES.1)),
    }
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The call.
    pub call: ConnectorCall,
    /// When it was made last.
    pub at: Timestamp,
    /// When it was made first, of the times that followed each other: what has to be done again and again has an opponent.
    pub since: Timestamp,
}

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// The last call of each kind that failed and was not made since.
    pub failures: Vec<Failure>,
    /// The last call that was made.
    pub made: Option<Made>,
    /// What the connector did at the last look, and since when.
    pub state: Option<(Option<State>, Timestamp)>,
    /// The number of automatic restarts in a row that the status may not say yet.
    pub restarted: Option<api::common::connector::AutoRestartStatus>,
}

impl Past {
    /// Notes what Connect says now; `None`: there is no such connector.
    pub fn see(&mut self, state: Option<&State>, now: Timestamp) {
        if self.state.as_ref().is_none_or(|(known, _)| known.as_ref() != state) {
            self.state = Some((state.cloned(), now));
        }
    }

    /// Notes a call that was made.
    pub fn note_made(&mut self, call: &ConnectorCall, now: Timestamp) {
        // A connector that was given its options has no others any more.
        let gives_options = matches!(call, ConnectorCall::Configure { .. });
        self.failures.retain(|failure| {
            let is_over = gives_options && failure.kind == FailureKind::OtherOptions;
            !is_over && !failure.call.is_like(call)
        });
        let before = self.made.as_ref().filter(|before| before.call == *call);
        let row = before.filter(|before| now.duration_since(before.at) < IN_A_ROW);
        let since = row.map_or(now, |before| before.since);
        self.made = Some(Made { call: call.clone(), at: now, since });
    }

    /// Notes a call that failed.
    pub fn note_failed(&mut self, call: &ConnectorCall, kind: FailureKind, message: String, now: Timestamp) {
        let before = self.failures.iter().position(|failure| failure.call.is_like(call));
        let before = before.map(|position| self.failures.remove(position));
        let times = before
            .filter(|before| before.call == *call && before.kind == kind)
            .map_or(1, |before| before.times.saturating_add(1));
        self.failures.push(Failure { call: call.clone(), kind, message, at: now, times });
    }

    /// How this very call failed last.
    pub fn failure(&self, call: &ConnectorCall) -> Option<&Failure> {
        self.failures.iter().find(|failure| failure.call == *call)
    }

    /// Whether this very call was made so short a time ago that it need not show yet.
    pub fn is_settling(&self, call: &ConnectorCall, now: Timestamp) -> bool {
        self.made
            .as_ref()
            .is_some_and(|made| made.call == *call && now.duration_since(made.at) < SHOWS_WITHIN)
    }

    /// Whether this very call is the last one that was made, and not before a time.
    pub fn was_made_since(&self, call: &ConnectorCall, since: Timestamp) -> bool {
        self.made.as_ref().is_some_and(|made| made.call == *call && made.at >= since)
    }

    /// When a call that was made a moment ago need not be given more time to show.
    pub fn settled_at(&self, call: &ConnectorCall) -> Option<Timestamp> {
        self.made.as_ref().filter(|made| made.call == *call).map(|made| made.at + SHOWS_WITHIN)
    }

    /// Since when the same call is made again and again; `None`: it was made once.
    pub fn in_vain_since(&self) -> Option<Timestamp> {
        self.made.as_ref().filter(|made| made.since < made.at).map(|made| made.since)
    }

    /// Since when something is waited for: since the last call, or since the connector does what it does; since the first one of
    /// calls that are made again and again.
    pub fn waits_since(&self) -> Option<Timestamp> {
        if let Some(since) = self.in_vain_since() {
            return Some(since);
        }
        let made = self.made.as_ref().map(|made| made.at);
        let state = self.state.as_ref().map(|(_, since)| *since);
        made.max(state)
    }

    /// When to look again while something is waited for: soon at first, and then ever later.
    pub fn next_look(&self, now: Timestamp) -> Duration {
        let waited = self.waits_since().map_or(0, |since| now.duration_since(since).as_millis());
        let pause = u64::try_from(waited / 2).unwrap_or_default();
        Duration::from_millis(pause.clamp(100, 10_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    #[test]
    fn a_call_that_fails_again_and_again_is_tried_ever_later() {
        let mut past = Past::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            past.note_failed(&ConnectorCall::Pause, FailureKind::Silence, "no".to_owned(), at(0));
            pauses.push(past.failure(&ConnectorCall::Pause).unwrap().again_at().as_second());
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 120, 120]);
        past.note_failed(&ConnectorCall::Pause, FailureKind::Rebalancing, "no".to_owned(), at(0));
        assert_eq!(past.failure(&ConnectorCall::Pause).unwrap().again_at().as_millisecond(), 250);
        past.note_failed(&ConnectorCall::Stop, FailureKind::Refused, "no".to_owned(), at(0));
        assert_eq!(past.failures.len(), 2, "each kind of call by itself");
        past.note_made(&ConnectorCall::Pause, at(1));
        assert_eq!(past.failures.len(), 1);
    }

    #[test]
    fn what_was_done_may_take_a_while_to_show() {
        let mut past = Past::default();
        past.note_made(&ConnectorCall::Resume, at(0));
        assert!(
            past.is_settling(&ConnectorCall::Resume, at(9)) && !past.is_settling(&ConnectorCall::Stop, at(9))
        );
        assert!(!past.is_settling(&ConnectorCall::Resume, at(10)));
    }

    #[test]
    fn looks_become_rarer() {
        let mut past = Past::default();
        past.see(Some(&State::Running), at(0));
        past.see(Some(&State::Running), at(50));
        assert_eq!(past.waits_since(), Some(at(0)));
        let looks = [0, 1, 10, 1000].map(|second| past.next_look(at(second)).as_millis());
        assert_eq!(looks, [100, 500, 5000, 10_000]);
    }
}
