//! Records on their way to a client: they arrive, or they come again.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::consumer::held::Held;
use crate::http::wire::Wire;

/// The records of one answer. When it is dropped, the system has taken them for the client, or the connection broke.
#[allow(missing_debug_implementations, reason = "records are not for logs")]
pub(crate) struct Delivery {
    held: Arc<Mutex<Held>>,
    settled: Arc<Notify>,
    answer: u64,
    wire: Wire,
    is_begun: bool,
}

impl Delivery {
    /// Of an answer. Its consumer may end meanwhile.
    pub(crate) fn new(held: Arc<Mutex<Held>>, settled: Arc<Notify>, answer: u64, wire: Wire) -> Self {
        Self { held, settled, answer, wire, is_begun: false }
    }

    /// The connection has it, and will write it. Before that it cannot arrive.
    pub(crate) fn begin(&mut self) {
        self.is_begun = true;
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_begun && !self.wire.is_broken() {
            held.arrived(self.answer);
        } else {
            held.lost(self.answer);
        }
        drop(held);
        self.settled.notify_waiters();
    }
}
