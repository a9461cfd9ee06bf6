//! What all consumers together may hold of records that nobody has asked for yet.
//!
//! The client library takes its bounds when a consumer is made and keeps them. So each consumer gets a part of what is left then:
//! the first ones a large one, for speed, later ones less, and what a consumer had comes back when it ends.

use std::sync::{Arc, Mutex, PoisonError};

/// The least that a consumer works with. Bytes.
pub(crate) const LEAST: usize = 64 * 1024;

/// The most that one gets. Bytes.
const MOST: usize = 8 * 1024 * 1024;

/// What is left is divided by this.
const DIVISOR: usize = 16;

/// The whole, and what of it is given away.
#[derive(Debug)]
pub(crate) struct Budget {
    whole: usize,
    given: Mutex<usize>,
}

/// What one consumer may hold; comes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// Of so many bytes for all consumers.
    pub(crate) fn new(whole: usize) -> Arc<Self> {
        Arc::new(Self { whole, given: Mutex::default() })
    }

    /// The part of one more consumer; `None`: there is not enough left for one.
    pub(crate) fn share(self: &Arc<Self>) -> Option<Share> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.whole.saturating_sub(*given);
        if left < LEAST {
            return None;
        }
        // Half of the whole is for the consumers that get the least.
        let for_large = left.saturating_sub(self.whole / 2);
        let bytes = (for_large / DIVISOR).clamp(LEAST, MOST);
        *given += bytes;
        Some(Share { budget: Arc::clone(self), bytes })
    }

    /// What consumers have of it. Bytes.
    pub(crate) fn given(&self) -> usize {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Bytes of records that wait in the client library.
    pub(crate) fn queue(&self) -> usize {
        self.bytes / 2
    }

    /// Bytes that one answer of a broker may have.
    pub(crate) fn fetch(&self) -> usize {
        self.bytes / 4
    }

    /// Records that wait: each takes some hundred bytes beside its own.
    pub(crate) fn records(&self) -> usize {
        (self.bytes / 1024).max(1)
    }

    /// Bytes of keys and values in one answer of the bridge, unless a single record is larger.
    pub(crate) fn answer(&self) -> usize {
        self.bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut given = self.budget.given.lock().unwrap_or_else(PoisonError::into_inner);
        *given = given.saturating_sub(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_together_stay_within_the_whole_and_hundreds_get_one() {
        let budget = Budget::new(128 << 20);
        let mut shares = Vec::new();
        while let Some(share) = budget.share() {
            shares.push(share);
        }
        assert!(budget.given() <= 128 << 20);
        assert!(shares.len() > 1_000, "{}", shares.len());
        assert!(shares[0].bytes >= 4 << 20, "{}", shares[0].bytes);
        assert!(shares.iter().all(|share| share.queue() + share.fetch() <= share.bytes));
        shares.clear();
        assert_eq!(budget.given(), 0);
    }
}
