//! Asks Kafka how it is, without holding up the pass that wants to know.
//!
//! A Kafka that is well answers within milliseconds, and the pass waits that long. When it takes longer, the pass goes on
//! without an answer; the question goes on too, and brings another pass when it is answered. After a failure it is not
//! asked again for a while. An answer is used by one pass, soon after it came, or not at all: nothing is decided on an
//! old one.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;
use planner::silence::{Silence, SilenceKind};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::lock::lock;

/// How long a pass waits for answers, all of them together.
const WAIT: Duration = Duration::from_millis(500);

/// Longest time for an answer.
const DEADLINE: Duration = Duration::from_secs(15);

/// How long an answer usually takes at most: only after that is it trouble that there is none yet.
const USUAL: Duration = Duration::from_secs(5);

/// How old an answer may be when a pass takes it.
const FRESH: Duration = Duration::from_secs(2);

/// How old an answer may be that is of use only together with the answer to another question. Longer than the deadline of
/// that question, or a slow Kafka would never have answered both.
const KEPT: Duration = Duration::from_secs(DEADLINE.as_secs() + 5);

/// First and longest pause after failures.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// How long one pass still waits for Kafka: a Kafka that does not answer costs it this time once, however much is asked.
#[derive(Debug)]
pub(crate) struct Patience(Mutex<Duration>);

impl Default for Patience {
    fn default() -> Self {
        Self(Mutex::new(WAIT))
    }
}

impl Patience {
    /// Waits as long as a pass still may; `None`: the future was not ready in that time. Of waits at the same time each counts.
    pub(crate) async fn wait<F: Future>(&self, awaited: F) -> Option<F::Output> {
        let (left, began) = (*lock(&self.0), Instant::now());
        let output = tokio::time::timeout(left, awaited).await.ok();
        let mut left = lock(&self.0);
        *left = left.saturating_sub(began.elapsed());
        output
    }
}

/// The questions of all clusters. `Q` is what is asked, as far as questions differ: an answer or a failure counts only for the
/// question that it belongs to. `V` is an answer. Cheap to clone.
pub(crate) struct Asking<Q, V> {
    states: Arc<Mutex<HashMap<ObjectRef, State<Q, V>>>>,
    queue: Queue<ObjectRef>,
    fresh: Duration,
    deadline: Duration,
    longest_pause: Duration,
}

impl<Q, V> Clone for Asking<Q, V> {
    fn clone(&self) -> Self {
        Self {
            states: Arc::clone(&self.states),
            queue: self.queue.clone(),
            fresh: self.fresh,
            deadline: self.deadline,
            longest_pause: self.longest_pause,
        }
    }
}

struct State<Q, V> {
    /// The question under way.
    question: Option<(Q, AbortHandle)>,
    /// Since when.
    asked_at: Option<Instant>,
    /// An answer that came after its pass had gone on, and when.
    late: Option<(Instant, Q, V)>,
    /// How the last question failed.
    failure: Option<(Q, Silence)>,
    /// Failures in a row.
    failures: u32,
    /// When to ask again.
    again_at: Option<Instant>,
}

impl<Q, V> Default for State<Q, V> {
    fn default() -> Self {
        Self { question: None, asked_at: None, late: None, failure: None, failures: 0, again_at: None }
    }
}

impl<Q: Clone + PartialEq + Send + 'static, V: Send + 'static> Asking<Q, V> {
    /// `queue` gets the clusters whose answer came late or that should be asked again.
    pub(crate) fn new(queue: Queue<ObjectRef>) -> Self {
        Self { states: Arc::default(), queue, fresh: FRESH, deadline: DEADLINE, longest_pause: PAUSE.1 }
    }

    /// As [`Self::new`], for a question that a pass asks only when it has the answer to another one: a late answer waits
    /// for that one.
    pub(crate) fn second(queue: Queue<ObjectRef>) -> Self {
        Self { fresh: KEPT, ..Self::new(queue) }
    }

    /// With another time until a question counts as not answered.
    pub(crate) fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// With another longest pause after failures.
    pub(crate) fn with_longest_pause(self, longest_pause: Duration) -> Self {
        Self { longest_pause, ..self }
    }

    /// The answer, if there is one within the time that a pass may wait; else why there is none. `question` is asked unless
    /// the same one is under way or failed a moment ago.
    pub(crate) async fn answer<E, F>(
        &self,
        key: &ObjectRef,
        about: Q,
        patience: &Patience,
        question: F,
    ) -> Result<V, Silence>
    where
        E: Into<Silence> + Send,
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let mut receiver = {
            let mut states = self.lock();
            let state = states.entry(key.clone()).or_default();
            let late = state.late.take().filter(|(at, of, _)| at.elapsed() < self.fresh && *of == about);
            if let Some((_, _, answer)) = late {
                return Ok(answer);
            }
            match state.question.take().filter(|(_, question)| !question.is_finished()) {
                Some((of, question)) if of == about => {
                    state.question = Some((of, question));
                    return Err(state.silence(&about));
                }
                Some((_, question)) => question.abort(),
                None => {}
            }
            let failed = state.failure.as_ref().is_some_and(|(of, _)| *of == about);
            if failed && state.again_at.is_some_and(|at| at > Instant::now()) {
                return Err(state.silence(&about));
            }
            let (sender, receiver) = oneshot::channel();
            let (asking, of, to) = (self.clone(), about.clone(), key.clone());
            let task = tokio::spawn(async move {
                let outcome = match tokio::time::timeout(asking.deadline, question).await {
                    Ok(outcome) => outcome.map_err(Into::into),
                    Err(_) => Err(Silence::new(
                        SilenceKind::Late,
                        format!("Kafka has not answered within {} s", asking.deadline.as_secs()),
                    )),
                };
                asking.end(&to, of, outcome, sender);
            });
            state.question = Some((about.clone(), task.abort_handle()));
            state.asked_at = Some(Instant::now());
            receiver
        };
        if let Some(Ok(outcome)) = patience.wait(&mut receiver).await {
            return outcome;
        }
        // It may have come this very moment.
        receiver.close();
        match receiver.try_recv() {
            Ok(outcome) => outcome,
            Err(_) => Err(self.lock().entry(key.clone()).or_default().silence(&about)),
        }
    }

    /// The answer that came after its pass had gone on, if it is fresh. Nothing is asked.
    pub(crate) fn late(&self, key: &ObjectRef, about: &Q) -> Option<V> {
        let late = self.lock().get_mut(key)?.late.take();
        late.filter(|(at, of, _)| at.elapsed() < self.fresh && of == about).map(|(_, _, answer)| answer)
    }

    /// When a question may be asked again; `None`: at once.
    fn end(
        &self,
        key: &ObjectRef,
        of: Q,
        outcome: Result<V, Silence>,
        waiting: oneshot::Sender<Result<V, Silence>>,
    ) {
        let mut states = self.lock();
        // A cluster that is gone is not remembered.
        let Some(state) = states.get_mut(key) else { return };
        // Nor is what another question took the place of.
        if state.question.take_if(|(asked, _)| *asked == of).is_none() {
            return;
        }
        match outcome {
            Ok(answer) => {
                if state.failures > 0 {
                    tracing::info!(cluster = %key, "Kafka answers again");
                }
                (state.failures, state.again_at, state.failure) = (0, None, None);
                if let Err(Ok(answer)) = waiting.send(Ok(answer)) {
                    state.late = Some((Instant::now(), of, answer));
                    self.queue.add(key.clone());
                }
            }
            Err(silence) => {
                let pause = PAUSE.0.saturating_mul(1 << state.failures.min(8)).min(self.longest_pause);
                tracing::warn!(cluster = %key, error = %silence, retry_ms = pause.as_millis() as u64, "Kafka did not say how it is");
                state.failures = state.failures.saturating_add(1);
                state.again_at = Some(Instant::now() + pause);
                state.failure = Some((of, silence.clone()));
                self.queue.add_after(key.clone(), pause);
                // A pass that has gone on asks again.
                let _ = waiting.send(Err(silence));
            }
        }
    }

    /// Ends the question to a cluster that is gone, or that has no broker that could answer.
    pub(crate) fn forget(&self, key: &ObjectRef) {
        let question = self.lock().remove(key).and_then(|state| state.question);
        if let Some((_, question)) = question {
            question.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef, State<Q, V>>> {
        lock(&self.states)
    }
}

impl<Q: PartialEq, V> State<Q, V> {
    /// Why a question has no answer: how it failed last time, or that the answer takes its time.
    fn silence(&self, about: &Q) -> Silence {
        match &self.failure {
            Some((of, silence)) if of == about => silence.clone(),
            _ => {
                let is_usual = self.asked_at.is_some_and(|asked_at| asked_at.elapsed() < USUAL);
                let kind = if is_usual { SilenceKind::UnderWay } else { SilenceKind::Late };
                Silence::new(kind, "Kafka has not answered yet")
            }
        }
    }
}

#[cfg(test)]
#[path = "late_answers_tests.rs"]
mod tests;
