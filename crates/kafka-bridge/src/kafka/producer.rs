//! Sends records and collects what Kafka says of each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::kafka::said;
use crate::metrics::BridgeMetrics;
use crate::requests::NewRecord;

/// How long a request waits for room among the records that are on their way.
const ROOM_PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks for room.
const ROOM_PAUSE: Duration = Duration::from_millis(5);

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Kafka has it.
    Sent {
        /// The partition.
        partition: i32,
        /// Its offset there.
        offset: i64,
    },
    /// Kafka does not have it.
    Failed(RDKafkaErrorCode),
}

/// The records of one request.
#[derive(Debug)]
struct Batch {
    left: AtomicUsize,
    outcomes: Mutex<Vec<Option<Outcome>>>,
    done: Notify,
}

impl Batch {
    fn new(records: usize) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(records),
            outcomes: Mutex::new(vec![None; records]),
            done: Notify::new(),
        })
    }

    fn set(&self, index: usize, outcome: Outcome) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = outcomes.get_mut(index) {
            *place = Some(outcome);
        }
        drop(outcomes);
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    async fn wait(&self) -> Vec<Outcome> {
        while self.left.load(Ordering::Acquire) > 0 {
            self.done.notified().await;
        }
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.iter().map(|outcome| outcome.unwrap_or(Outcome::Failed(RDKafkaErrorCode::Fail))).collect()
    }
}

/// Travels with a record through the library.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// None: nobody waits for the outcome.
    batch: Option<Arc<Batch>>,
    index: usize,
    bytes: usize,
}

/// What the library tells.
#[derive(Debug)]
pub(crate) struct Context {
    metrics: BridgeMetrics,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        said::log("producer", level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        said::failed("producer", &error, reason);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let outcome = match result {
            Ok(message) => {
                if ticket.batch.is_none() {
                    self.metrics.produced(message.topic(), 1, ticket.bytes, 0);
                }
                Outcome::Sent { partition: message.partition(), offset: message.offset() }
            }
            Err((error, message)) => {
                if ticket.batch.is_none() {
                    self.metrics.produced(message.topic(), 0, 0, 1);
                    tracing::warn!(topic = message.topic(), %error, "a record is lost that was sent with async=true");
                }
                Outcome::Failed(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail))
            }
        };
        if let Some(batch) = &ticket.batch {
            batch.set(ticket.index, outcome);
        }
    }
}

/// The producer of all requests.
#[allow(missing_debug_implementations, reason = "the producer of the library has none")]
pub(crate) struct Producer {
    native: ThreadedProducer<Context>,
    metrics: BridgeMetrics,
}

impl Producer {
    /// Of a configuration.
    pub(crate) fn new(config: &ClientConfig, metrics: BridgeMetrics) -> KafkaResult<Self> {
        let context = Context { metrics: metrics.clone() };
        let native = ThreadedProducer::from_config_and_context(config, context)?;
        Ok(Self { native, metrics })
    }

    /// The producer of the library.
    pub(crate) fn native(&self) -> &ThreadedProducer<Context> {
        &self.native
    }

    /// The error after which it sends nothing any more.
    pub(crate) fn fatal(&self) -> Option<RDKafkaErrorCode> {
        self.native.client().fatal_error().map(|(code, _)| code)
    }

    /// Sends records, and waits for what becomes of each.
    pub(crate) async fn send(&self, topic: &str, records: &[NewRecord]) -> Vec<Outcome> {
        let batch = Batch::new(records.len());
        for (index, record) in records.iter().enumerate() {
            let ticket = Ticket { batch: Some(Arc::clone(&batch)), index, bytes: size(record) };
            if let Err(code) = self.enqueue(topic, record, ticket).await {
                batch.set(index, Outcome::Failed(code));
            }
        }
        let mut outcomes = batch.wait().await;
        if let Some(fatal) = self.fatal() {
            // The library says of the others only that they were given up.
            for outcome in &mut outcomes {
                if matches!(outcome, Outcome::Failed(_)) {
                    *outcome = Outcome::Failed(fatal);
                }
            }
        }
        let sent =
            records.iter().zip(&outcomes).filter(|(_, outcome)| matches!(outcome, Outcome::Sent { .. }));
        let (count, bytes) =
            sent.fold((0, 0), |(count, bytes), (record, _)| (count + 1, bytes + size(record)));
        self.metrics.produced(topic, count, bytes, outcomes.len() - count);
        outcomes
    }

    /// Sends records without waiting. The error is that of the first record that the library does not take.
    pub(crate) async fn send_and_forget(
        &self,
        topic: &str,
        records: &[NewRecord],
    ) -> Result<(), RDKafkaErrorCode> {
        for record in records {
            let ticket = Ticket { batch: None, index: 0, bytes: size(record) };
            self.enqueue(topic, record, ticket).await?;
        }
        Ok(())
    }

    async fn enqueue(&self, topic: &str, record: &NewRecord, ticket: Ticket) -> Result<(), RDKafkaErrorCode> {
        let deadline = Instant::now() + ROOM_PATIENCE;
        let mut ticket = Box::new(ticket);
        loop {
            let mut sent: BaseRecord<'_, [u8], [u8], Box<Ticket>> = BaseRecord::with_opaque_to(topic, ticket);
            sent.payload = record.value.as_deref();
            sent.key = record.key.as_deref();
            sent.partition = record.partition;
            sent.timestamp = record.timestamp;
            sent.headers = headers(record);
            let (error, back) = match self.native.send(sent) {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            if code != RDKafkaErrorCode::QueueFull || Instant::now() > deadline {
                return Err(code);
            }
            ticket = back.delivery_opaque;
            tokio::time::sleep(ROOM_PAUSE).await;
        }
    }
}

fn headers(record: &NewRecord) -> Option<OwnedHeaders> {
    if record.headers.is_empty() {
        return None;
    }
    let all = OwnedHeaders::new_with_capacity(record.headers.len());
    Some(record.headers.iter().fold(all, |all, (key, value)| all.insert(Header { key, value: Some(value) })))
}

fn size(record: &NewRecord) -> usize {
    record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_batch_is_done_with_its_last_record() {
        let batch = Batch::new(3);
        let waiting = {
            let batch = Arc::clone(&batch);
            tokio::spawn(async move { batch.wait().await })
        };
        batch.set(2, Outcome::Sent { partition: 1, offset: 7 });
        batch.set(0, Outcome::Failed(RDKafkaErrorCode::UnknownTopic));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        batch.set(1, Outcome::Sent { partition: 0, offset: 8 });
        let outcomes = waiting.await.unwrap();
        assert_eq!(outcomes[0], Outcome::Failed(RDKafkaErrorCode::UnknownTopic));
        assert_eq!(outcomes[2], Outcome::Sent { partition: 1, offset: 7 });
        assert!(Batch::new(0).wait().await.is_empty());
    }
}
