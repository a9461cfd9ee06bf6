//! The loop that empties a queue: so many passes at a time, each on its own, with a deadline.

use std::fmt::Display;
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::apart::GRACE;
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
}

/// Passes running at once, when nothing else is said.
pub const DEFAULT_CONCURRENCY: usize = 16;

/// A pass that takes longer than this is ended and counts as failed.
pub const DEFAULT_PASS_DEADLINE: Duration = Duration::from_mins(5);

/// How often an idle loop gives a sign of life.
const BEAT: Duration = Duration::from_secs(15);

/// Runs a function for every key of a queue.
#[derive(Debug)]
pub struct Controller<K> {
    name: &'static str,
    queue: Queue<K>,
    concurrency: usize,
    deadline: Duration,
    metrics: Option<ReconcileMetrics>,
    heartbeat: Option<Heartbeat>,
}

impl<K: Key> Controller<K> {
    /// `name` is the kind, for logs.
    pub fn new(name: &'static str, queue: Queue<K>) -> Self {
        Self {
            name,
            queue,
            concurrency: DEFAULT_CONCURRENCY,
            deadline: DEFAULT_PASS_DEADLINE,
            metrics: None,
            heartbeat: None,
        }
    }

    /// Passes at a time, at least 1.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// Longest time for one pass.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
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

    /// Works until `shutdown`, then lets running passes end (10 s at most). A pass that fails, panics or exceeds its deadline is repeated
    /// with back-off and touches no other key.
    pub async fn run<F, Fut, E>(self, shutdown: CancellationToken, pass: F)
    where
        F: Fn(K) -> Fut,
        Fut: Future<Output = Result<Outcome, E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let mut passes = Passes { running: JoinSet::new(), keys: std::collections::HashMap::new() };
        loop {
            if let Some(heartbeat) = &self.heartbeat {
                heartbeat.beat();
            }
            let free = passes.running.len() < self.concurrency;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = passes.running.join_next_with_id() => self.end(&mut passes, ended),
                next = self.queue.next(), if free => {
                    let Some(key) = next else { break };
                    self.begin(&mut passes, key, &pass);
                }
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        let rest = async {
            while let Some(ended) = passes.running.join_next_with_id().await {
                self.end(&mut passes, ended);
            }
        };
        if tokio::time::timeout(GRACE, rest).await.is_err() {
            tracing::warn!(kind = self.name, "passes did not end in time and were stopped");
        }
    }

    fn begin<F, Fut, E>(&self, passes: &mut Passes<K, E>, key: K, pass: &F)
    where
        F: Fn(K) -> Fut,
        Fut: Future<Output = Result<Outcome, E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        if let Some(metrics) = &self.metrics {
            metrics.reconciliations.inc();
        }
        let work = pass(key.clone());
        let deadline = self.deadline;
        let handle = passes.running.spawn(async move { tokio::time::timeout(deadline, work).await.ok() });
        passes.keys.insert(handle.id(), (key, Instant::now()));
    }

    fn end<E: Display>(
        &self,
        passes: &mut Passes<K, E>,
        ended: Result<(Id, Option<Result<Outcome, E>>), JoinError>,
    ) {
        let (id, result) = match ended {
            Ok((id, Some(Ok(outcome)))) => (id, Ok(outcome)),
            Ok((id, Some(Err(error)))) => (id, Err(error.to_string())),
            Ok((id, None)) => {
                (id, Err(format!("pass took longer than {} s and was stopped", self.deadline.as_secs())))
            }
            Err(error) => (error.id(), Err(format!("pass broke off: {error}"))),
        };
        let Some((key, began)) = passes.keys.remove(&id) else { return };
        let took = began.elapsed();
        if let Some(metrics) = &self.metrics {
            metrics.observe(took);
            if result.is_ok() { metrics.successful.inc() } else { metrics.failed.inc() }
        }
        match result {
            Ok(outcome) => {
                if let Outcome::Again(after) = outcome {
                    self.queue.add_after(key.clone(), after);
                }
                self.queue.done(&key);
                tracing::debug!(kind = self.name, key = %key, took_ms = took.as_millis() as u64, "reconciled");
            }
            Err(error) => {
                let pause = self.queue.failed(&key);
                tracing::warn!(kind = self.name, key = %key, error = %error, retry_ms = pause.as_millis() as u64, "reconciliation failed");
            }
        }
    }
}

struct Passes<K, E> {
    running: JoinSet<Option<Result<Outcome, E>>>,
    keys: std::collections::HashMap<Id, (K, Instant)>,
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Runs the pass function until the log has `count` lines.
    async fn run<Fut>(queue: Queue<String>, count: usize, pass: impl Fn(String) -> Fut) -> Vec<String>
    where
        Fut: Future<Output = (String, Result<Outcome, String>)> + Send + 'static,
    {
        let log = Arc::new(Mutex::new(Vec::new()));
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let lines = Arc::clone(&log);
        let controller = Controller::new("Test", queue).concurrency(4).deadline(Duration::from_secs(30));
        let work = controller.run(shutdown, |key| {
            let (lines, stop, future) = (Arc::clone(&lines), stop.clone(), pass(key));
            async move {
                let (line, result) = future.await;
                let mut lines = lines.lock().unwrap();
                lines.push(line);
                if lines.len() >= count {
                    stop.cancel();
                }
                result
            }
        });
        work.await;
        log.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_that_panics_hangs_or_fails_does_not_stop_the_others() {
        let queue = Queue::new();
        for key in ["panics", "hangs", "fails", "works"] {
            queue.add(key.to_owned());
        }
        let log = run(queue.clone(), 2, |key| async move {
            match key.as_str() {
                "panics" => panic!("as the test wants it"),
                "hangs" => std::future::pending().await,
                "fails" => (key, Err("no".to_owned())),
                _ => (key, Ok(Outcome::Done)),
            }
        });
        assert_eq!(log.await, ["fails", "works"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_that_hangs_is_ended_and_repeated() {
        let queue = Queue::new();
        queue.add("k".to_owned());
        let first = Arc::new(Mutex::new(true));
        let log = run(queue, 1, |key| {
            let hang = std::mem::take(&mut *first.lock().unwrap());
            async move {
                if hang {
                    std::future::pending::<()>().await;
                }
                (key, Ok(Outcome::Done))
            }
        });
        assert_eq!(log.await, ["k"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_can_ask_to_be_called_again_later() {
        let queue = Queue::new();
        queue.add("k".to_owned());
        let began = tokio::time::Instant::now();
        let log = run(queue, 3, |_| async move {
            (began.elapsed().as_secs().to_string(), Ok(Outcome::Again(Duration::from_mins(1))))
        });
        assert_eq!(log.await, ["0", "60", "120"]);
    }
}
