//! The loop that empties a queue: so many batches at a time, each on its own, with a deadline. A batch of one key is a pass.

use std::collections::HashSet;
use std::fmt::{Debug, Display};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::batches::{Batches, Ended, GRACE};
use crate::metrics::ReconcileMetrics;
use crate::queue::{Key, Queue};
use crate::server::Heartbeat;

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing more to do until something changes.
    Done,
    /// Look again after this time, for example when a certificate has to be renewed.
    Again(Duration),
    /// It failed in a way that may pass, and has said so itself: it is repeated with back-off.
    Retry,
}

/// Batches running at once, when nothing else is said. A pass over a Kafka cluster of three nodes holds 0.7 MB meanwhile.
pub const DEFAULT_CONCURRENCY: usize = 10;

/// A pass that takes longer than this is ended and counts as failed.
pub const DEFAULT_PASS_DEADLINE: Duration = Duration::from_mins(5);

/// How often an idle loop gives a sign of life.
const BEAT: Duration = Duration::from_secs(10);

/// Runs a function for the keys of a queue.
pub struct Controller<K> {
    name: &'static str,
    queue: Queue<K>,
    concurrency: usize,
    deadline: Duration,
    most: usize,
    linger: Duration,
    metrics: Option<ReconcileMetrics>,
    heartbeat: Option<Heartbeat>,
    each_round: Box<dyn Fn() + Send + Sync>,
}

impl<K: Debug> Debug for Controller<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller")
            .field("name", &self.name)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

/// The keys of a batch, each with how its pass ended.
type Said<K, E> = Vec<(K, Result<Outcome, E>)>;

impl<K: Key> Controller<K> {
    /// `name` is the kind, for logs.
    pub fn new(name: &'static str, queue: Queue<K>) -> Self {
        Self {
            name,
            queue,
            concurrency: DEFAULT_CONCURRENCY,
            deadline: DEFAULT_PASS_DEADLINE,
            most: 1,
            linger: Duration::ZERO,
            metrics: None,
            heartbeat: None,
            each_round: Box::new(|| {}),
        }
    }

    /// Batches at a time, at least 1.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// Longest time for one batch.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Up to `most` keys in a batch, for which `linger` is waited after the first.
    pub fn gather(mut self, most: usize, linger: Duration) -> Self {
        self.most = most.max(1);
        self.linger = linger;
        self
    }

    /// Counts passes, successes, failures and durations. Periodic ones are counted where they are queued: see
    /// [`Queue::resync_every`].
    pub fn metrics(mut self, metrics: ReconcileMetrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Gives signs of life.
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = Some(heartbeat);
        self
    }

    /// Called each time that the loop goes round: after each batch, and when nothing happens.
    pub fn each_round(mut self, show: impl Fn() + Send + Sync + 'static) -> Self {
        self.each_round = Box::new(show);
        self
    }

    /// As [`Controller::run_batches`], with a function for a single key.
    pub async fn run<F, Fut, E>(self, shutdown: CancellationToken, pass: F)
    where
        F: Fn(K) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Outcome, E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let pass = Arc::new(pass);
        let passes = move |keys: Vec<K>| {
            let pass = Arc::clone(&pass);
            async move {
                let mut said = Vec::with_capacity(keys.len());
                for key in keys {
                    let outcome = pass(key.clone()).await;
                    said.push((key, outcome));
                }
                said
            }
        };
        self.run_batches(shutdown, passes).await;
    }

    /// Works until `shutdown`, then lets running batches end (10 s at most). A key that fails is repeated with back-off. When a batch
    /// panics or exceeds its deadline, its keys are worked on one by one, and those that do so again are repeated with back-off; no
    /// other key is touched.
    pub async fn run_batches<F, Fut, E>(self, shutdown: CancellationToken, work: F)
    where
        F: Fn(Vec<K>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Said<K, E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let work = Arc::new(work);
        let mut batches = Batches::new(self.concurrency, self.deadline);
        loop {
            if let Some(heartbeat) = &self.heartbeat {
                heartbeat.beat();
            }
            (self.each_round)();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                ended = batches.ended() => self.end(ended),
                batch = self.queue.take_batch(self.most, self.linger), if batches.has_room() => {
                    if batch.is_empty() {
                        break;
                    }
                    if let Some(metrics) = &self.metrics {
                        metrics.reconciliations.inc_by(batch.len() as f64);
                    }
                    let work = Arc::clone(&work);
                    batches.begin(batch, move |keys| work(keys));
                }
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        let rest = async {
            while batches.running() > 0 {
                self.end(batches.ended().await);
            }
        };
        if tokio::time::timeout(GRACE, rest).await.is_err() {
            tracing::warn!(
                kind = self.name,
                "some were still being worked on and were stopped; the next start goes on with them"
            );
        }
    }

    fn end<E: Display>(&self, ended: Ended<K, Said<K, E>>) {
        let Ended { members, results, interrupted, took } = ended;
        let mut left: HashSet<K> = members.into_iter().collect();
        let said = results
            .into_iter()
            .flatten()
            .map(|(key, result)| (key, result.map_err(|error| error.to_string())));
        let interrupted = interrupted.into_iter().map(|(key, why)| (key, Err(why.to_string())));
        for (key, result) in said.chain(interrupted) {
            if left.remove(&key) {
                self.end_of(&key, result, took);
            }
        }
        for key in left {
            self.end_of(&key, Err("nothing was said of it".to_owned()), took);
        }
    }

    fn end_of(&self, key: &K, result: Result<Outcome, String>, took: Duration) {
        if let Some(metrics) = &self.metrics {
            metrics.observe(took);
            let succeeded = matches!(result, Ok(Outcome::Done | Outcome::Again(_)));
            if succeeded { metrics.successful.inc() } else { metrics.failed.inc() }
        }
        match result {
            Ok(Outcome::Retry) => {
                let pause = self.queue.failed(key);
                tracing::debug!(kind = self.name, key = %key, retry_ms = pause.as_millis() as u64, "to be tried again");
            }
            Ok(outcome) => {
                if let Outcome::Again(after) = outcome {
                    self.queue.add_after(key.clone(), after);
                }
                self.queue.done(key);
                tracing::debug!(kind = self.name, key = %key, took_ms = took.as_millis() as u64, "reconciled");
            }
            Err(error) => {
                let pause = self.queue.failed(key);
                tracing::warn!(kind = self.name, key = %key, error = %error, retry_ms = pause.as_millis() as u64, "reconciliation failed");
            }
        }
    }
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
