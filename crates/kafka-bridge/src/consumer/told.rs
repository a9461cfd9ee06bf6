//! What the library tells of one consumer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use tokio::sync::Notify;

use crate::consumer::held::Held;
use crate::kafka::said;

/// What the library calls, from within a look at its queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events {
    /// Something waits in the library's queue.
    pub ready: Arc<Notify>,
    /// An answer was taken, or lost.
    pub settled: Arc<Notify>,
    /// What is held for the consumer.
    pub held: Arc<Mutex<Held>>,
    /// How often the library has called: so many events of its queue were no records.
    pub calls: Arc<AtomicUsize>,
    /// It was not told from where to read some partitions, and has left them.
    pub has_unstarted: Arc<AtomicBool>,
}

/// How the library begins to tell that.
const UNSTARTED: &str = "Failed to fetch committed offset";

impl Events {
    fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.count();
        said::log("consumer", level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.count();
        if reason.starts_with(UNSTARTED) {
            self.has_unstarted.store(true, Ordering::Release);
        }
        said::failed("consumer", &error, reason);
    }
}

impl ConsumerContext for Events {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        self.count();
        if let Rebalance::Revoke(partitions) = rebalance {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            for partition in partitions.elements() {
                held.forget(partition.topic(), partition.partition());
            }
        }
    }
}
