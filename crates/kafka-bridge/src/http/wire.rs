//! The connection of a client, as its answers see it: whether it broke, and by when the client must have taken an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use tokio::time::Instant;

/// A connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    is_broken: AtomicBool,
    due: watch::Sender<Option<Instant>>,
}

impl Default for Inner {
    fn default() -> Self {
        Self { is_broken: AtomicBool::new(false), due: watch::Sender::new(None) }
    }
}

/// As long as it is there the connection is.
#[derive(Debug)]
pub(crate) struct Open(Wire);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.is_broken.store(true, Ordering::Release);
    }
}

/// An answer that has to be taken by a time; dropped when it was.
#[derive(Debug)]
pub(crate) struct Due(Wire);

impl Drop for Due {
    fn drop(&mut self) {
        self.0.0.due.send_replace(None);
    }
}

impl Wire {
    /// From when this is dropped on, what is dropped with the connection was not taken.
    pub(crate) fn open(&self) -> Open {
        Open(self.clone())
    }

    /// Whether the connection is no more.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.is_broken.load(Ordering::Acquire)
    }

    /// The answer that begins has to be taken by then. A connection has one answer at a time.
    pub(crate) fn due(&self, by: Instant) -> Due {
        self.0.due.send_replace(Some(by));
        Due(self.clone())
    }

    /// Ends when an answer was not taken in time.
    pub(crate) async fn overdue(&self) {
        let mut due = self.0.due.subscribe();
        loop {
            let by = *due.borrow_and_update();
            let changed = async {
                // The sender is in `self`.
                let _ = due.changed().await;
            };
            match by {
                None => changed.await,
                Some(by) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(by) => return,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_an_answer_that_is_not_taken_in_time_ends_the_connection() {
        let wire = Wire::default();
        let second = Duration::from_secs(1);
        let taken = wire.due(Instant::now() + second);
        let watched = {
            let wire = wire.clone();
            tokio::spawn(async move { wire.overdue().await })
        };
        tokio::time::sleep(second / 2).await;
        drop(taken);
        tokio::time::sleep(second * 100).await;
        assert!(!watched.is_finished());
        let _late = wire.due(Instant::now() + second);
        let began = Instant::now();
        watched.await.unwrap();
        assert_eq!(began.elapsed(), second);
    }
}
