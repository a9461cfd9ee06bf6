//! How much memory answers take: whoever may configure a worker decides what it says, and all of them share one memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit.
const STEP: usize = 1024;

/// Answers of no more than this take no room: usual ones never wait for others.
const FREE: usize = 256 * 1024;

/// About what an item of a list or an object takes when it is read, beside its text: the entry of a map with its two texts.
const ITEM: usize = 64;

/// The memory that large answers of all clients together may take. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AnswerRoom {
    steps: Arc<Semaphore>,
    all: usize,
}

impl AnswerRoom {
    /// Of so many bytes.
    pub fn new(bytes: usize) -> Self {
        let all = (bytes / STEP).clamp(1, Semaphore::MAX_PERMITS >> 1);
        Self { steps: Arc::new(Semaphore::new(all)), all }
    }
}

impl Default for AnswerRoom {
    /// 64 MiB.
    fn default() -> Self {
        Self::new(64 << 20)
    }
}

/// What one answer takes of the room, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Place {
    steps: Option<OwnedSemaphorePermit>,
    /// A client reads one large answer at a time.
    turn: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// The answer is read: the next large one may be, also while this one is kept.
    pub(crate) fn end_turn(&mut self) {
        self.turn = None;
    }

    /// Takes as much as an answer of so many bytes needs, more than before or not; waits for it.
    pub(crate) async fn grow(&mut self, room: &AnswerRoom, turn: &Arc<Semaphore>, bytes: usize) {
        if bytes <= FREE {
            return;
        }
        if self.turn.is_none() {
            // The semaphores are never closed.
            self.turn = Arc::clone(turn).acquire_owned().await.ok();
        }
        let wanted = bytes.div_ceil(STEP).min(room.all);
        let held = self.steps.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(wanted.saturating_sub(held)).unwrap_or(u32::MAX);
        if more == 0 {
            return;
        }
        let Ok(more) = Arc::clone(&room.steps).acquire_many_owned(more).await else { return };
        match &mut self.steps {
            Some(steps) => steps.merge(more),
            None => self.steps = Some(more),
        }
    }
}

/// About the memory that an answer takes once it is read, its text included: every item stands behind a comma, a bracket or a brace.
pub(crate) fn memory_of(text: &[u8]) -> usize {
    let items = text.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    text.len().saturating_add(items.saturating_mul(ITEM))
}
