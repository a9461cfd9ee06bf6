//! Memory for long answers that the clients of many clusters share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory for long answers, shared by the clients of many clusters: together they hold no more at a time.
#[derive(Debug, Clone)]
pub struct AnswerRoom {
    kilobytes: u32,
    free: Arc<Semaphore>,
}

/// A part of an [`AnswerRoom`].
pub(crate) type Room = OwnedSemaphorePermit;

/// Answers up to this length need no room. Bytes.
const SHORT_ANSWER: usize = 64 * 1024;

/// How many times its length an answer takes while it is read and decoded.
const DECODED: usize = 4;

impl AnswerRoom {
    /// Of this many bytes.
    pub fn new(bytes: usize) -> Self {
        let kilobytes = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        Self { kilobytes, free: Arc::new(Semaphore::new(kilobytes as usize)) }
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
        // It is never closed.
        Arc::clone(&self.free).acquire_many_owned(wanted).await.ok()
    }
}
