//! How many questions about the lag of mirrors there are at a time, and which of them may take much memory. A namespace has a share of both that
//! is not the whole: sources that never answer take nothing from other namespaces.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use kafka_admin::AnswerRoom;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::lock::lock;

/// Questions at a time: of one namespace, and of all together. Who waits has the next turn.
const AT_A_TIME: (usize, usize) = (8, 32);

/// The places and the room of all namespaces.
#[derive(Debug)]
pub(super) struct Shares {
    places: Arc<Semaphore>,
    room: AnswerRoom,
    /// What one of them may have of the room.
    part: usize,
    of: Mutex<HashMap<String, Weak<Share>>>,
}

/// Those of one namespace.
#[derive(Debug)]
pub(super) struct Share {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
    /// Room for long answers.
    pub room: AnswerRoom,
}

/// A place: as long as it is there, it is taken.
#[derive(Debug)]
pub(super) struct Place {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Shares {
    /// With a room, of which one namespace has a part of so many bytes at most.
    pub(super) fn new(room: AnswerRoom, part: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(AT_A_TIME.1)), room, part, of: Mutex::default() }
    }

    /// The share of a namespace, which all of its questions under way have together.
    pub(super) fn of(&self, namespace: &str) -> Arc<Share> {
        let mut of = lock(&self.of);
        if let Some(share) = of.get(namespace).and_then(Weak::upgrade) {
            return share;
        }
        of.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Share {
            own: Arc::new(Semaphore::new(AT_A_TIME.0)),
            all: Arc::clone(&self.places),
            room: self.room.part(self.part),
        });
        of.insert(namespace.to_owned(), Arc::downgrade(&share));
        share
    }
}

impl Share {
    /// Waits for a place.
    pub(super) async fn place(&self) -> Option<Place> {
        // Neither is ever closed. The own one comes first: a namespace waits for its own questions, and others do not.
        let own = Arc::clone(&self.own).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Place { _own: own, _all: all })
    }
}

#[cfg(test)]
mod tests {
    use futures::future::{join_all, select};
    use kafka_admin::Budget;

    use super::*;

    const PART: usize = 1024 * 1024;

    fn shares() -> Shares {
        Shares::new(AnswerRoom::new(2 * PART), PART)
    }

    /// Whether something comes at once.
    async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            found = future => Some(found),
            () = tokio::task::yield_now() => None,
        }
    }

    #[tokio::test]
    async fn a_namespace_whose_sources_do_not_answer_takes_no_place_from_another() {
        let shares = shares();
        let silent = shares.of("silent");
        let mut held = Vec::new();
        while let Some(place) = at_once(silent.place()).await {
            held.push(place.unwrap());
        }
        assert_eq!(held.len(), AT_A_TIME.0);
        let waiting: Vec<_> = (0..100).map(|_| silent.place()).collect();
        let waiting = std::pin::pin!(join_all(waiting));
        let other = shares.of("other");
        let place = std::pin::pin!(other.place());
        assert!(matches!(select(waiting, place).await, futures::future::Either::Right((Some(_), _))));
    }

    #[tokio::test]
    async fn nor_does_it_take_the_room_for_large_sources() {
        let shares = shares();
        let silent = shares.of("silent");
        let large = |share: &Share| Budget::with_more(0, PART, &share.room);
        let first = large(&silent);
        assert!(at_once(first.take(PART)).await.unwrap().is_ok());
        let second = large(&shares.of("silent"));
        assert!(at_once(second.take(PART)).await.is_none(), "it waits for its own");
        let other = large(&shares.of("other"));
        assert!(at_once(other.take(PART)).await.unwrap().is_ok());
        let third = large(&shares.of("third"));
        assert!(at_once(third.take(PART)).await.is_none(), "together they take no more than there is");
        drop(other);
        assert!(at_once(large(&shares.of("third")).take(PART)).await.unwrap().is_ok());
    }
}
