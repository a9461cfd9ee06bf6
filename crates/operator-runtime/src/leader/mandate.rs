//! How long ago this process proved that it leads.
//!
//! Losing the Lease ends all work, but a process that was frozen wakes up in the middle of its work, before the task that
//! renews the Lease has noticed anything. So what must not be done by two processes asks first how old the Lease is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// The Lease is older than a leader may let it become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the lease was not renewed in time, so another process may lead: nothing is changed")]
pub struct Lapsed;

/// Whether this process still leads. Cheap to clone; all clones say the same.
#[derive(Debug, Clone)]
pub struct Mandate(Option<Arc<Renewals>>);

#[derive(Debug)]
struct Renewals {
    last: Mutex<Renewal>,
    patience: Duration,
    lost: CancellationToken,
}

/// A renewal by two clocks: the monotonic one stands still while a machine is suspended, the other one may be set.
#[derive(Debug, Clone, Copy)]
struct Renewal {
    monotonic: Instant,
    wall: Timestamp,
}

impl Renewal {
    fn now() -> Self {
        Self { monotonic: Instant::now(), wall: clock::now() }
    }

    fn age(self, now: Self) -> Duration {
        let wall = Duration::try_from(now.wall.duration_since(self.wall)).unwrap_or_default();
        wall.max(now.monotonic.saturating_duration_since(self.monotonic))
    }
}

impl Mandate {
    /// That of a process that takes part in no election.
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// That of a process which has just got the Lease and has to renew it within `patience`.
    pub fn for_a_lease(patience: Duration, lost: CancellationToken) -> Self {
        Self(Some(Arc::new(Renewals { last: Mutex::new(Renewal::now()), patience, lost })))
    }

    /// Whether the process leads still.
    ///
    /// # Errors
    /// When the Lease was lost, or not renewed in time.
    pub fn check(&self) -> Result<(), Lapsed> {
        self.check_at(Renewal::now())
    }

    fn check_at(&self, now: Renewal) -> Result<(), Lapsed> {
        let Some(renewals) = &self.0 else { return Ok(()) };
        let last = *renewals.last.lock().unwrap_or_else(PoisonError::into_inner);
        if renewals.lost.is_cancelled() || last.age(now) >= renewals.patience { Err(Lapsed) } else { Ok(()) }
    }

    /// The Lease was renewed by a request that began when this was called.
    pub(super) fn begin_renewal(&self) -> impl FnOnce() + use<> {
        let (this, began) = (self.clone(), Renewal::now());
        move || {
            if let Some(renewals) = this.0 {
                *renewals.last.lock().unwrap_or_else(PoisonError::into_inner) = began;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn later(monotonic: u64, wall: i64) -> Renewal {
        let now = Renewal::now();
        Renewal {
            monotonic: now.monotonic + Duration::from_secs(monotonic),
            wall: now.wall + jiff::SignedDuration::from_secs(wall),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_did_not_renew_in_time_may_change_nothing() {
        let mandate = Mandate::for_a_lease(PATIENCE, CancellationToken::new());
        assert_eq!(mandate.check(), Ok(()));
        tokio::time::advance(PATIENCE).await;
        assert_eq!(mandate.check(), Err(Lapsed));
        let renewed = mandate.begin_renewal();
        tokio::time::advance(PATIENCE / 2).await;
        renewed();
        assert_eq!(mandate.clone().check(), Ok(()));
        // It counts from the moment at which the renewal was asked for.
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(mandate.check(), Err(Lapsed));
    }

    #[test]
    fn a_suspended_machine_is_noticed_by_the_other_clock_and_one_that_is_set_back_changes_nothing() {
        let mandate = Mandate::for_a_lease(PATIENCE, CancellationToken::new());
        assert_eq!(mandate.check_at(later(0, 60)), Err(Lapsed));
        assert_eq!(mandate.check_at(later(60, 0)), Err(Lapsed));
        assert_eq!(mandate.check_at(later(1, -3600)), Ok(()));
    }

    #[test]
    fn a_lost_lease_ends_it_and_without_an_election_there_is_no_end() {
        let lost = CancellationToken::new();
        let mandate = Mandate::for_a_lease(PATIENCE, lost.clone());
        lost.cancel();
        assert_eq!(mandate.check(), Err(Lapsed));
        assert_eq!(Mandate::unlimited().check_at(later(3600, 3600)), Ok(()));
    }
}
