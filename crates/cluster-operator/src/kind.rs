//! How every kind of resource is looked after: `observe → plan → answer, until the plan is complete → write → call → finish`.
//!
//! A kind says what each step means for it; [`Driver`] puts the steps together, in the same way for all of them. What is planned
//! is said by the kind's [`Observation`] in the crate `planner`, which also has the loop that completes a plan.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use operator_runtime::batches::{self, Interruption};
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::leader::{Lapsed, Mandate};
use operator_runtime::watch::{Cache, ObjectRef};
use planner::completion::{CallOf, Completion, NeedOf, NeverComplete, Observation, Planned, Step};

/// What a look at a resource yields.
#[derive(Debug)]
pub(crate) enum Seen<O> {
    /// What its plan depends on.
    Live(O),
    /// There is nothing to plan: it is not there, cannot be read, or there is no room to read it now.
    Settled(Outcome),
}

/// The plans of a kind.
pub(crate) type PlanOf<K> = <<K as Kind>::Observed as Observation>::Plan;

/// Answers to what a plan of a kind asked for.
pub(crate) type AnswersOf<K> =
    Vec<(NeedOf<<K as Kind>::Observed>, <<K as Kind>::Observed as Observation>::Answer)>;

/// A kind of resource.
pub(crate) trait Kind: Send + Sync + 'static {
    /// The kind of the resources, as their `kind` says it. Of a kind that owns objects by labels it is also the value of their label
    /// `strimzi.io/kind`.
    const NAME: &'static str;

    /// Calls of one plan that are under way at a time.
    const CALLS_AT_A_TIME: usize = 1;

    /// The resource in its cache.
    type Resource: Send + Sync + 'static;
    /// What a plan depends on, apart from the time, and how it is made: in crate `planner`.
    type Observed: Observation<Plan: Planned<Need: Send, Call: Send + Sync> + Send + Sync, Answer: Send>
        + Send
        + Sync;
    /// What came of a call that was made.
    type Said: Send;
    /// What can end a pass early.
    type Error: Display + From<NeverComplete> + From<Lapsed> + Send;

    /// All resources of the kind.
    fn resources(&self) -> &Cache<Self::Resource>;

    /// Reads what a plan depends on, out of caches as far as possible. Changes nothing.
    fn observe(
        &self,
        key: &ObjectRef,
    ) -> impl Future<Output = Result<Seen<Self::Observed>, Self::Error>> + Send;

    /// Answers what a plan asks for, also by "it is not known". No policy.
    fn answer(
        &self,
        key: &ObjectRef,
        observed: &Self::Observed,
        needs: Vec<NeedOf<Self::Observed>>,
    ) -> impl Future<Output = Result<AnswersOf<Self>, Self::Error>> + Send;

    /// Writes and deletes the objects of a plan. No policy. It may take out of the plan what nobody reads afterwards: many passes
    /// wait for the API server at a time, and the objects are the largest part of what each of them holds.
    fn write(
        &self,
        key: &ObjectRef,
        observed: &Self::Observed,
        plan: &mut PlanOf<Self>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Makes one call. A call that fails does not keep the others from being made.
    fn call(
        &self,
        key: &ObjectRef,
        observed: &Self::Observed,
        call: &CallOf<Self::Observed>,
    ) -> impl Future<Output = Result<Self::Said, Self::Error>> + Send;

    /// Does what comes after the calls, the status last. `said` is what came of each call.
    fn finish(
        &self,
        key: &ObjectRef,
        observed: &Self::Observed,
        plan: &PlanOf<Self>,
        said: Vec<Result<Self::Said, Self::Error>>,
    ) -> impl Future<Output = Result<Outcome, Self::Error>> + Send;

    /// A pass over a live resource failed; `plan` is there if it got so far.
    fn failed(
        &self,
        _key: &ObjectRef,
        _observed: &Self::Observed,
        _plan: Option<&PlanOf<Self>>,
        error: Self::Error,
    ) -> impl Future<Output = Result<Outcome, Self::Error>> + Send {
        async { Err(error) }
    }

    /// A pass panicked or did not end. Says so where people look for it; the pass is repeated.
    fn interrupted(&self, _key: &ObjectRef, _why: &Interruption) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Makes the passes over all resources of a kind.
pub(crate) struct Driver<K> {
    kind: K,
    mandate: Mandate,
}

impl<K: Kind> Driver<K> {
    /// For a kind. Without a mandate that holds no plan is carried out.
    pub(crate) fn new(kind: K, mandate: Mandate) -> Self {
        Self { kind, mandate }
    }

    /// The kind.
    pub(crate) fn kind(&self) -> &K {
        &self.kind
    }

    /// One pass over one resource that ends within a time.
    ///
    /// # Errors
    /// When it could not be made to its end; it is to be repeated.
    pub(crate) async fn pass_within(
        self: Arc<Self>,
        key: ObjectRef,
        deadline: Duration,
    ) -> Result<Outcome, String> {
        let (driver, of) = (Arc::clone(&self), key.clone());
        match batches::run(async move { driver.pass(&of).await }, deadline).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(why) => {
                if self.mandate.check().is_ok() {
                    self.kind.interrupted(&key, &why).await;
                }
                Err(why.to_string())
            }
        }
    }

    /// One pass over one resource.
    ///
    /// # Errors
    /// When it could not be made to its end; it is to be repeated.
    pub(crate) async fn pass(&self, key: &ObjectRef) -> Result<Outcome, K::Error> {
        let mut observed = match self.kind.observe(key).await? {
            Seen::Live(observed) => observed,
            Seen::Settled(outcome) => return Ok(outcome),
        };
        let mut plan = match self.complete(key, &mut observed).await {
            Ok(plan) => plan,
            Err(error) => {
                self.mandate.check()?;
                return self.kind.failed(key, &observed, None, error).await;
            }
        };
        // A process that does not lead any more carries out nothing, and writes no status.
        self.mandate.check()?;
        match self.carry_out(key, &observed, &mut plan).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => self.kind.failed(key, &observed, Some(&plan), error).await,
        }
    }

    /// Plans, answers what the plan asks for, and plans again until it asks for nothing.
    async fn complete(&self, key: &ObjectRef, observed: &mut K::Observed) -> Result<PlanOf<K>, K::Error> {
        let mut completion = Completion::new(observed, clock::now());
        loop {
            match completion.step(observed)? {
                Step::Complete(plan) => return Ok(plan),
                Step::Asks(needs) => {
                    for (need, answer) in self.kind.answer(key, observed, needs).await? {
                        observed.answer(need, answer);
                    }
                }
            }
        }
    }

    async fn carry_out(
        &self,
        key: &ObjectRef,
        observed: &K::Observed,
        plan: &mut PlanOf<K>,
    ) -> Result<Outcome, K::Error> {
        self.kind.write(key, observed, plan).await?;
        let plan = &*plan;
        let calls = plan.calls();
        let mut made = Vec::with_capacity(calls.len());
        for call in calls {
            made.push(self.kind.call(key, observed, call));
        }
        let said = stream::iter(made).buffered(K::CALLS_AT_A_TIME.max(1)).collect().await;
        self.kind.finish(key, observed, plan, said).await
    }
}

#[cfg(test)]
#[path = "kind_tests.rs"]
mod tests;
