//! Asks Kafka how it is, without holding up the pass that wants to know.
//!
//! A Kafka that is well answers within milliseconds, and the pass waits that long. When it takes longer, the pass goes on
//! without an answer; the question goes on too, and brings another pass when it is answered. After a failure it is not
//! asked again for a while. An answer is used by one pass, soon after it came, or not at all: nothing is decided on an
//! old one.

use std::collections::HashMap;
use std::fmt::Display;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How long a pass waits for the answer.
const WAIT: Duration = Duration::from_millis(500);

/// Longest time for an answer.
const DEADLINE: Duration = Duration::from_secs(15);

/// How old an answer may be when a pass takes it.
const FRESH: Duration = Duration::from_secs(2);

/// The same for one that is of use only together with the answer to another question. It outlasts that one's deadline,
/// or a slow Kafka would never have answered both.
const KEPT: Duration = Duration::from_secs(DEADLINE.as_secs() + 5);

/// First and longest pause after failures.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// The questions of all clusters. `V` is an answer. Cheap to clone.
pub struct Asking<V> {
    states: Arc<Mutex<HashMap<ObjectRef, State<V>>>>,
    queue: Queue<ObjectRef>,
    fresh: Duration,
}

impl<V> Clone for Asking<V> {
    fn clone(&self) -> Self {
        Self { states: Arc::clone(&self.states), queue: self.queue.clone(), fresh: self.fresh }
    }
}

struct State<V> {
    /// The question under way.
    question: Option<AbortHandle>,
    /// An answer that came after its pass had gone on, and when.
    late: Option<(Instant, V)>,
    /// Failures in a row.
    failures: u32,
    /// When to ask again.
    again_at: Option<Instant>,
}

impl<V> Default for State<V> {
    fn default() -> Self {
        Self { question: None, late: None, failures: 0, again_at: None }
    }
}

impl<V: Send + 'static> Asking<V> {
    /// `queue` gets the clusters whose answer came late or that should be asked again.
    pub fn new(queue: Queue<ObjectRef>) -> Self {
        Self { states: Arc::default(), queue, fresh: FRESH }
    }

    /// As [`Self::new`], for a question that a pass asks only when it has the answer to another one: a late answer waits
    /// for that one.
    pub fn second(queue: Queue<ObjectRef>) -> Self {
        Self { fresh: KEPT, ..Self::new(queue) }
    }

    /// The answer, if there is one within the time that a pass may wait. `question` is asked unless another one is
    /// under way or the last one failed a moment ago.
    pub async fn answer<E, F>(&self, key: &ObjectRef, question: F) -> Option<V>
    where
        E: Display + Send,
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let mut receiver = {
            let mut states = self.lock();
            let state = states.entry(key.clone()).or_default();
            if let Some((_, answer)) = state.late.take().filter(|(at, _)| at.elapsed() < self.fresh) {
                return Some(answer);
            }
            let asked = state.question.as_ref().is_some_and(|question| !question.is_finished());
            if asked || state.again_at.is_some_and(|at| at > Instant::now()) {
                return None;
            }
            let (sender, receiver) = oneshot::channel();
            let (asking, of) = (self.clone(), key.clone());
            let task = tokio::spawn(async move {
                let outcome = match tokio::time::timeout(DEADLINE, question).await {
                    Ok(Ok(answer)) => Ok(answer),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
                };
                asking.end(&of, outcome, sender);
            });
            state.question = Some(task.abort_handle());
            receiver
        };
        if let Ok(answer) = tokio::time::timeout(WAIT, &mut receiver).await {
            return answer.ok();
        }
        // It may have come this very moment.
        receiver.close();
        receiver.try_recv().ok()
    }

    /// When a question may be asked again; `None`: at once.
    fn end(&self, key: &ObjectRef, outcome: Result<V, String>, waiting: oneshot::Sender<V>) {
        let mut states = self.lock();
        // A cluster that is gone is not remembered.
        let Some(state) = states.get_mut(key) else { return };
        state.question = None;
        match outcome {
            Ok(answer) => {
                if state.failures > 0 {
                    tracing::info!(cluster = %key, "Kafka answers again");
                }
                (state.failures, state.again_at) = (0, None);
                if let Err(answer) = waiting.send(answer) {
                    state.late = Some((Instant::now(), answer));
                    self.queue.add(key.clone());
                }
            }
            Err(error) => {
                let pause = PAUSE.0.saturating_mul(1 << state.failures.min(8)).min(PAUSE.1);
                tracing::warn!(cluster = %key, error, retry_ms = pause.as_millis() as u64, "Kafka did not say how it is");
                state.failures = state.failures.saturating_add(1);
                state.again_at = Some(Instant::now() + pause);
                self.queue.add_after(key.clone(), pause);
            }
        }
    }

    /// Ends the question to a cluster that is gone, or that has nobody who could answer.
    pub fn forget(&self, key: &ObjectRef) {
        let question = self.lock().remove(key).and_then(|state| state.question);
        if let Some(question) = question {
            question.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef, State<V>>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "late_answers_tests.rs"]
mod tests;
