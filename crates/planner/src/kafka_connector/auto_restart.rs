//! When a connector that ended with an error is restarted by itself.

use api::common::connector::{AutoRestart, AutoRestartStatus};
use jiff::{SignedDuration, Timestamp};

/// The longest pause between two restarts.
const LONGEST_MINUTES: i64 = 60;

/// Whether and how often a connector is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Whether it is.
    pub enabled: bool,
    /// How often in a row; `None`: without end.
    pub most: Option<i32>,
}

impl Policy {
    /// Of a resource.
    pub fn of(field: Option<&AutoRestart>) -> Self {
        let enabled = field.and_then(|field| field.enabled).unwrap_or_default();
        Self { enabled, most: field.and_then(|field| field.max_restarts) }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing; nothing is to be remembered.
    Nothing,
    /// Restart it now: this is the restart of this number in a row.
    Restart(i32),
    /// Restart it at this time.
    RestartAt(Timestamp),
    /// It was restarted as often as it may.
    GivenUp(i32),
    /// It is well; forget its restarts at this time.
    ForgetAt(Timestamp),
}

/// Minutes from restart number n to the next: n² + n, and no more than an hour. So the first comes at once, the next after 2, 6, 12,
/// 20, 30, 42, 56 and then every 60 minutes.
pub fn pause(count: i32) -> SignedDuration {
    let count = i64::from(count.max(0));
    SignedDuration::from_mins(count.saturating_mul(count).saturating_add(count).min(LONGEST_MINUTES))
}

/// Decides. `before`: the restarts in a row so far. They are forgotten once it has been well for longer than the pause until the next
/// restart.
pub fn decide(
    policy: Policy,
    before: Option<&AutoRestartStatus>,
    has_failed: bool,
    now: Timestamp,
) -> Verdict {
    let count = before.and_then(|before| before.count).unwrap_or_default().max(0);
    if !policy.enabled || (count == 0 && !has_failed) {
        return Verdict::Nothing;
    }
    let last = before.and_then(|before| before.last_restart_timestamp.as_deref()?.parse::<Timestamp>().ok());
    // Without a time that can be read it was long ago; a time to come is a clock that was set.
    let due = last.map_or(now, |last| last.min(now) + pause(count));
    match has_failed {
        true if policy.most.is_some_and(|most| count >= most) => Verdict::GivenUp(count),
        true if due <= now => Verdict::Restart(count.saturating_add(1)),
        true => Verdict::RestartAt(due),
        false if due < now => Verdict::Nothing,
        false => Verdict::ForgetAt(due + SignedDuration::from_secs(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn restarted(count: i32, minute: i64) -> AutoRestartStatus {
        AutoRestartStatus {
            count: Some(count),
            connector_name: Some("a".to_owned()),
            last_restart_timestamp: Some(at(minute).to_string()),
        }
    }

    const ON: Policy = Policy { enabled: true, most: None };

    #[test]
    fn pauses_grow_to_an_hour() {
        let minutes: Vec<i64> = (0..10).map(|count| pause(count).as_mins()).collect();
        assert_eq!(minutes, [0, 2, 6, 12, 20, 30, 42, 56, 60, 60]);
        assert_eq!((pause(i32::MAX).as_mins(), pause(-5).as_mins()), (60, 0));
    }

    #[test]
    fn every_situation_has_its_verdict() {
        let twice = restarted(2, 0);
        assert_eq!(decide(Policy::default(), Some(&twice), true, at(100)), Verdict::Nothing);
        assert_eq!(decide(ON, None, false, at(0)), Verdict::Nothing);
        assert_eq!(decide(ON, None, true, at(0)), Verdict::Restart(1));
        assert_eq!(decide(ON, Some(&twice), true, at(5)), Verdict::RestartAt(at(6)));
        assert_eq!(decide(ON, Some(&twice), true, at(6)), Verdict::Restart(3));
        let most = Policy { most: Some(2), ..ON };
        assert_eq!(decide(most, Some(&twice), true, at(60)), Verdict::GivenUp(2));
        assert_eq!(decide(Policy { most: Some(0), ..ON }, None, true, at(0)), Verdict::GivenUp(0));
        // A connector that works again: its restarts are forgotten after the pause, also when there were too many of them.
        assert!(matches!(decide(ON, Some(&twice), false, at(5)), Verdict::ForgetAt(_)));
        assert_eq!(decide(most, Some(&twice), false, at(7)), Verdict::Nothing);
    }

    #[test]
    fn a_time_that_says_nothing_does_not_stop_restarts() {
        let garbled =
            AutoRestartStatus { last_restart_timestamp: Some("soon".to_owned()), ..restarted(3, 0) };
        assert_eq!(decide(ON, Some(&garbled), true, at(0)), Verdict::Restart(4));
        // As if the last restart had been now.
        assert_eq!(decide(ON, Some(&restarted(1, 500)), true, at(0)), Verdict::RestartAt(at(2)));
    }
}
