//! Memory for long answers that the clients of many clusters share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory for long answers, shared by the clients of many clusters: together they hold no more at a time.
#[derive(Debug, Clone)]
pub struct AnswerRoom {
    kilobytes: u32,
    free: Arc<Semaphore>,
    /// The memory that this is a part of.
    whole: Option<Arc<Semaphore>>,
}

/// Memory that is taken from an [`AnswerRoom`] as long as this is there.
#[derive(Debug)]
pub(crate) struct Room {
    _own: OwnedSemaphorePermit,
    _whole: Option<OwnedSemaphorePermit>,
}

/// Answers up to this length need no room. Bytes.
const SHORT_ANSWER: usize = 64 * 1024;

/// How many times its length an answer takes while it is read and decoded.
const DECODED: usize = 4;

impl AnswerRoom {
    /// Of this many bytes.
    pub fn new(bytes: usize) -> Self {
        let kilobytes = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        Self { kilobytes, free: Arc::new(Semaphore::new(kilobytes as usize)), whole: None }
    }

    /// So many bytes of it at most, for some of the clients: they wait for each other first, so that others find room however much these
    /// want.
    #[must_use]
    pub fn part(&self, bytes: usize) -> Self {
        let part = Self::new(bytes.min(self.kilobytes as usize * 1024));
        Self { whole: Some(Arc::clone(self.whole.as_ref().unwrap_or(&self.free))), ..part }
    }

    /// Waits for the room that an answer of this length takes. `None`: it is so short that it needs none.
    pub(crate) async fn take(&self, length: usize) -> Option<Room> {
        if length <= SHORT_ANSWER {
            return None;
        }
        self.hold(length * DECODED).await
    }

    /// Waits for this many bytes, or for all that there are.
    pub(crate) async fn hold(&self, bytes: usize) -> Option<Room> {
        let wanted = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).min(self.kilobytes);
        // They are never closed.
        let own = Arc::clone(&self.free).acquire_many_owned(wanted).await.ok()?;
        let whole = match &self.whole {
            None => None,
            Some(whole) => Some(Arc::clone(whole).acquire_many_owned(wanted).await.ok()?),
        };
        Some(Room { _own: own, _whole: whole })
    }
}
