//! What the library tells of one consumer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
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
    /// How many logs, errors and rebalances the library has told of.
    pub calls: Arc<AtomicUsize>,
    /// The library was refused from where to read, and has left the partitions of its assignment.
    pub has_unstarted: Arc<AtomicBool>,
}

/// How the library begins to tell that. `unit_coordinator` fails if it says it otherwise.
const UNSTARTED: &str = "Failed to fetch committed offsets for";

impl Events {
    fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// All its partitions are new: what was told of those before does not count.
    pub(crate) fn begin_anew(&self) {
        self.held().begin_anew();
        self.has_unstarted.store(false, Ordering::Release);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn pre_rebalance(&self, native: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        self.count();
        match rebalance {
            Rebalance::Assign(_) => {
                if native.assignment().is_ok_and(|before| before.count() == 0) {
                    self.begin_anew();
                }
            }
            Rebalance::Revoke(partitions) => {
                let mut held = self.held();
                for partition in partitions.elements() {
                    held.forget(partition.topic(), partition.partition());
                }
            }
            Rebalance::Error(_) => {}
        }
    }
}
