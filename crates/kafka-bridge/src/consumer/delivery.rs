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

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use rdkafka::message::OwnedMessage;

    use super::*;
    use crate::consumer::held::AnswerBounds;
    use crate::format::Format;

    #[tokio::test]
    async fn an_answer_arrives_if_it_was_begun_and_its_connection_held() {
        for (is_begun, is_open) in [(true, true), (true, false), (false, true)] {
            let held = Arc::new(Mutex::new(Held::default()));
            let value = Some(b"1".to_vec());
            held.lock().unwrap().push(OwnedMessage::new(
                value,
                None,
                "t".into(),
                Timestamp::NotAvailable,
                0,
                7,
                None,
            ));
            let bounds = AnswerBounds { records: 1, soft_bytes: 9, max_bytes: None };
            let answer = held.lock().unwrap().write(Format::Text, bounds).unwrap().answer.unwrap();
            let settled = Arc::new(Notify::new());
            let told = settled.notified();
            let wire = Wire::default();
            let open = wire.open();
            let mut delivery = Delivery::new(Arc::clone(&held), Arc::clone(&settled), answer, wire);
            if is_begun {
                delivery.begin();
            }
            // A connection that ends is broken for what is dropped with it.
            let kept = is_open.then_some(open);
            drop(delivery);
            drop(kept);
            told.await;
            let arrives = is_begun && is_open;
            let held = held.lock().unwrap();
            assert_eq!(held.positions().count(), usize::from(arrives));
            let comes_again = if arrives { Vec::new() } else { vec![(("t".to_owned(), 0), 7)] };
            assert_eq!(held.to_go_back(), comes_again, "{is_begun} {is_open}");
        }
    }
}
