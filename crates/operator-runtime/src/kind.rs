//! How every kind of resource is looked after: `observe → plan → answer, until the plan is complete → write → call → finish`.
//!
//! A kind says what each step means for it; [`Driver`] puts the steps together, in the same way for all of them.

use std::fmt::Display;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use thiserror::Error;

use crate::clock;
use crate::controller::Outcome;
use crate::leader::{Lapsed, Mandate};
use crate::watch::{Cache, ObjectRef};

/// Rounds of answers after which a plan has to be complete.
const ROUNDS: usize = 12;

/// The plan asks again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the plan is not complete after {ROUNDS} rounds of answers")]
pub struct Endless;

/// What a look at a resource yields.
#[derive(Debug)]
pub enum Seen<O> {
    /// What its plan depends on.
    Live(O),
    /// There is nothing to plan: it is gone, paused, or cannot be read, and that was seen to.
    Settled(Outcome),
}

/// A kind of resource.
pub trait Kind: Send + Sync + 'static {
    /// The kind, as the label `strimzi.io/kind` of what its resources own names it.
    const NAME: &'static str;

    /// Calls of one plan that are under way at a time.
    const CALLS_AT_A_TIME: usize = 1;

    /// The resource in its cache.
    type Resource: Send + Sync + 'static;
    /// What a plan depends on, apart from the time.
    type Observed: Send + Sync;
    /// What a pass does.
    type Plan: Send + Sync;
    /// What a plan asks for before it is complete.
    type Need: Send;
    /// Something that is done beside writing objects, for instance a call to Kafka.
    type Call: Send + Sync;
    /// What came of a call that was made.
    type Said: Send;
    /// What can end a pass early.
    type Error: Display + From<Endless> + From<Lapsed> + Send;

    /// All resources of the kind.
    fn resources(&self) -> &Cache<Self::Resource>;

    /// Reads what a plan depends on, out of caches as far as possible. Changes nothing of a resource that is live.
    fn observe(
        &self,
        key: &ObjectRef,
    ) -> impl Future<Output = Result<Seen<Self::Observed>, Self::Error>> + Send;

    /// Plans. Pure.
    fn plan(observed: &Self::Observed, now: Timestamp) -> Self::Plan;

    /// Takes what a plan asks for out of it; a plan that asks for nothing is complete.
    fn needs(plan: &mut Self::Plan) -> Vec<Self::Need>;

    /// Answers into what was observed, also by "it is not known". No policy.
    fn answer(
        &self,
        key: &ObjectRef,
        observed: &mut Self::Observed,
        needs: Vec<Self::Need>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Writes and deletes the objects of a plan. No policy.
    fn write(
        &self,
        key: &ObjectRef,
        observed: &Self::Observed,
        plan: &Self::Plan,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The calls of a plan, in their order.
    fn calls(plan: &Self::Plan) -> Vec<Self::Call>;

    /// Makes one call. One that fails does not keep the others from being made.
    fn call(
        &self,
        key: &ObjectRef,
        observed: &Self::Observed,
        call: &Self::Call,
    ) -> impl Future<Output = Result<Self::Said, Self::Error>> + Send;

    /// Does what comes after the calls, the status last. `said` is what came of each call.
    fn finish(
        &self,
        key: &ObjectRef,
        observed: &Self::Observed,
        plan: &Self::Plan,
        said: Vec<Result<Self::Said, Self::Error>>,
    ) -> impl Future<Output = Result<Outcome, Self::Error>> + Send;

    /// A pass over a live resource failed; `plan` is there if it got so far.
    fn failed(
        &self,
        _key: &ObjectRef,
        _observed: &Self::Observed,
        _plan: Option<&Self::Plan>,
        error: Self::Error,
    ) -> impl Future<Output = Result<Outcome, Self::Error>> + Send {
        async { Err(error) }
    }
}

/// Makes the passes over all resources of a kind.
pub struct Driver<K> {
    kind: K,
    mandate: Mandate,
}

impl<K: Kind> Driver<K> {
    /// For a kind. Without a mandate that holds no plan is carried out.
    pub fn new(kind: K, mandate: Mandate) -> Self {
        Self { kind, mandate }
    }

    /// The kind.
    pub fn kind(&self) -> &K {
        &self.kind
    }

    /// One pass over one resource.
    ///
    /// # Errors
    /// When it could not be made to its end; it is to be repeated.
    pub async fn pass(&self, key: &ObjectRef) -> Result<Outcome, K::Error> {
        let mut observed = match self.kind.observe(key).await? {
            Seen::Live(observed) => observed,
            Seen::Settled(outcome) => return Ok(outcome),
        };
        let plan = match self.complete(key, &mut observed).await {
            Ok(plan) => plan,
            Err(error) => return self.kind.failed(key, &observed, None, error).await,
        };
        // Whoever does not lead any more says nothing in statuses either.
        self.mandate.check()?;
        match self.carry_out(key, &observed, &plan).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => self.kind.failed(key, &observed, Some(&plan), error).await,
        }
    }

    /// Plans, answers what the plan asks for, and plans again until it asks for nothing.
    async fn complete(&self, key: &ObjectRef, observed: &mut K::Observed) -> Result<K::Plan, K::Error> {
        let now = clock::now();
        for _ in 0..ROUNDS {
            let mut plan = K::plan(observed, now);
            let needs = K::needs(&mut plan);
            if needs.is_empty() {
                return Ok(plan);
            }
            self.kind.answer(key, observed, needs).await?;
        }
        Err(Endless.into())
    }

    async fn carry_out(
        &self,
        key: &ObjectRef,
        observed: &K::Observed,
        plan: &K::Plan,
    ) -> Result<Outcome, K::Error> {
        self.kind.write(key, observed, plan).await?;
        let calls = K::calls(plan);
        let mut made = Vec::with_capacity(calls.len());
        for call in &calls {
            made.push(self.kind.call(key, observed, call));
        }
        let said = stream::iter(made).buffered(K::CALLS_AT_A_TIME.max(1)).collect().await;
        self.kind.finish(key, observed, plan, said).await
    }
}

#[cfg(test)]
#[path = "kind_tests.rs"]
mod tests;
