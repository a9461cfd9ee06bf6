//! What a client may take in memory altogether, for clusters that somebody else names: each of its connections, and all answers
//! until the client is gone.
//!
//! A bound for each answer is none for all of them: answers come one after another and are kept, and short ones come on many connections
//! at a time. So a client has a little memory of its own, and what it needs beyond that comes out of a room that it shares with others. It takes all of
//! that at once: a client that held a part and waited for more could wait for another that does the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::OnceCell;

use crate::room::{AnswerRoom, Room};

/// What an open connection takes at most: the certificates that the server showed, buffers, the versions that it knows. Bytes.
pub(crate) const CONNECTION: usize = 96 * 1024;

/// The memory of one client. Clones are the same memory.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    own: usize,
    /// What there is with the shared room, and that room.
    more: Option<(usize, AnswerRoom)>,
    taken: AtomicUsize,
    held: OnceCell<Option<Room>>,
}

/// Nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    most: usize,
}

impl std::fmt::Display for Spent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "with what came before it takes more than {} bytes of memory", self.most)
    }
}

impl Budget {
    /// Of this many bytes.
    pub fn new(own: usize) -> Self {
        Self::of(own, None)
    }

    /// Of this many bytes, and of so many altogether once there is as much in a room that is shared with others.
    pub fn with_more(own: usize, most: usize, room: &AnswerRoom) -> Self {
        Self::of(own, Some((most, room.clone())))
    }

    fn of(own: usize, more: Option<(usize, AnswerRoom)>) -> Self {
        Self(Arc::new(Inner { own, more, taken: AtomicUsize::new(0), held: OnceCell::new() }))
    }

    /// Takes memory, and waits for the shared room where its own does not suffice.
    ///
    /// # Errors
    /// When there is not as much.
    pub async fn take(&self, bytes: usize) -> Result<(), Spent> {
        self.note(bytes);
        if self.taken() <= self.0.own {
            return Ok(());
        }
        if self.taken() <= self.most() {
            self.grow().await;
        }
        if self.taken() <= self.bound() { Ok(()) } else { Err(self.spent()) }
    }

    /// Notes what is taken already.
    pub(crate) fn note(&self, bytes: usize) {
        self.0.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What is left as long as nothing more is taken out of the shared room.
    pub(crate) fn left(&self) -> usize {
        self.bound().saturating_sub(self.taken())
    }

    /// Takes its part of the shared room. Returns whether that makes it larger.
    pub(crate) async fn grow(&self) -> bool {
        let Some((most, room)) = &self.0.more else { return false };
        let before = self.bound();
        self.0.held.get_or_init(|| room.hold(most.saturating_sub(self.0.own))).await;
        self.bound() > before
    }

    /// Whether it holds what others wait for.
    pub(crate) fn holds_room(&self) -> bool {
        self.0.held.initialized()
    }

    pub(crate) fn spent(&self) -> Spent {
        Spent { most: self.most() }
    }

    fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }

    fn bound(&self) -> usize {
        if self.holds_room() { self.most() } else { self.0.own }
    }

    fn most(&self) -> usize {
        self.0.more.as_ref().map_or(self.0.own, |(most, _)| *most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_taken_adds_up_and_ends() {
        let budget = Budget::new(100);
        assert!(budget.take(60).await.is_ok() && budget.take(40).await.is_ok());
        let spent = budget.take(1).await.unwrap_err();
        assert_eq!(spent.to_string(), "with what came before it takes more than 100 bytes of memory");
        assert_eq!(budget.left(), 0);
    }

    #[tokio::test]
    async fn clients_together_hold_no_more_than_the_room() {
        let room = AnswerRoom::new(8 * 1024);
        let of = || Budget::with_more(100, 100 + 8 * 1024, &room);
        let (one, other, third) = (of(), of(), of());
        assert!(third.take(100).await.is_ok(), "its own memory needs no room");
        assert!(one.take(101).await.is_ok() && one.holds_room());
        let waiting = tokio::spawn(async move { (other.take(101).await, other) });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "there is no room for both");
        assert!(third.take(8 * 1024 + 1).await.is_err(), "what never fits does not wait");
        drop(one);
        let (taken, other) = waiting.await.unwrap();
        assert!(taken.is_ok() && other.holds_room());
    }
}
