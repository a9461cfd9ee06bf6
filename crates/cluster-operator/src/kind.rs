//! How every kind of resource is looked after: `observe → plan → answer, until the plan is complete → carry out → status`.
//!
//! A kind says how its resources are observed, what answers its plans get and how their calls are made; [`Driver`] does everything
//! else, in the same way for all of them: it writes and deletes, takes finalizers off, publishes events, writes the status, and tells
//! of what failed. What is planned is said by the kind's [`Observation`] in the crate `planner`, which also has the loop that completes
//! a plan.

mod error;
mod memory;
mod statuses;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::conditions::{events as words, reasons};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::core::object::HasStatus;
use objects::{Deletion, FinalizerChange, ObjectId, Write};
use operator_runtime::apply::Applier;
use operator_runtime::batches::{self, Interruption};
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::events::{self, Events, Note, Severity};
use operator_runtime::leader::Mandate;
use operator_runtime::status::WantedStatuses;
use operator_runtime::watch::{Cache, ObjectRef};
use planner::completion::{CallOf, Completion, NeedOf, Observation, Planned, Step};
use planner::plan::{Occasion, Plan, PlannedEvent, Statuses};
use planner::status::{self, WithStatus};
use serde::Serialize;

pub(crate) use self::error::Error;
use self::memory::Memories;
use crate::carry_out::{self, PlannedFor, Written};
use crate::room::Place;

/// What a look at a resource yields.
#[derive(Debug)]
pub(crate) enum Seen<O> {
    /// What its plan depends on.
    Live(O),
    /// The same, with the memory that was set apart for it: it is given back at the end of the pass.
    Placed(O, Place),
    /// There is nothing to plan: it is not there, cannot be read, or there is no room to read it now.
    Settled(Outcome),
}

/// The plans of a kind.
pub(crate) type PlanOf<K> = <<K as Kind>::Observed as Observation>::Plan;

/// The statuses of the resources of a kind.
pub(crate) type StatusOf<K> = <<K as Kind>::Resource as HasStatus>::Status;

/// Answers to what a plan of a kind asked for.
pub(crate) type AnswersOf<K> =
    Vec<(NeedOf<<K as Kind>::Observed>, <<K as Kind>::Observed as Observation>::Answer)>;

/// What was carried out of a plan, but for the status.
#[derive(Debug)]
pub(crate) struct Done<Said> {
    /// The objects that were changed.
    pub changed: BTreeSet<ObjectId>,
    /// What came of each call.
    pub said: Vec<Result<Said, Error>>,
    /// Whether nothing failed of the objects.
    pub is_whole: bool,
}

/// What a kind has found out when everything but the status is done.
#[derive(Debug)]
pub(crate) struct After<S> {
    /// What to write into the status.
    pub status: StatusAfter<S>,
    /// When to look again, in spite of what the plan says.
    pub look_again: Option<Duration>,
    /// Why the pass counts as failed once the status is written, which says so.
    pub failure: Option<String>,
}

/// What to write into a status.
#[derive(Debug)]
pub(crate) enum StatusAfter<S> {
    /// What is planned.
    Planned,
    /// This.
    Changed(S),
    /// Nothing: the next pass knows more.
    Left,
}

impl<S> Default for After<S> {
    fn default() -> Self {
        Self { status: StatusAfter::Planned, look_again: None, failure: None }
    }
}

/// A kind of resource.
pub(crate) trait Kind: Send + Sync + 'static {
    /// The kind of the resources, as their `kind` says it. Of a kind that owns objects by labels it is also the value of their label
    /// `strimzi.io/kind`.
    const NAME: &'static str;

    /// Calls of one plan that are under way at a time.
    const CALLS_AT_A_TIME: usize = 1;

    /// Whether the status of a resource tells of a pass that failed.
    const TELLS: bool = true;

    /// The resource in its cache.
    type Resource: WithStatus + HasStatus<Status: Serialize + Send + Sync> + Send + Sync + 'static;
    /// What a plan depends on, apart from the time, and how it is made: in crate `planner`.
    type Observed: Observation<
            Plan: Planned<
                Need: Send + Sync,
                Call: Send + Sync,
                Statuses: Statuses<Status = StatusOf<Self>> + Send + Sync,
            > + Send
                      + Sync,
            Answer: Send,
        > + Send
        + Sync;
    /// What came of a call that was made.
    type Said: Send;

    /// All resources of the kind.
    fn resources(&self) -> &Cache<Self::Resource>;

    /// Reads what a plan depends on, out of caches as far as possible. Changes nothing.
    fn observe(&self, key: &ObjectRef) -> impl Future<Output = Result<Seen<Self::Observed>, Error>> + Send;

    /// The resource, if it is looked after: the plan writes objects for it, and its status tells of what fails.
    fn looked_after<'a>(&self, observed: &'a Self::Observed) -> Option<&'a Arc<Self::Resource>>;

    /// A pod of the resource.
    fn pod<'a>(&self, _observed: &'a Self::Observed, _name: &str) -> Option<&'a Arc<Pod>> {
        None
    }

    /// Answers what a plan asks for, also by "it is not known". No policy.
    fn answer(
        &self,
        key: &ObjectRef,
        observed: &Self::Observed,
        needs: Vec<NeedOf<Self::Observed>>,
    ) -> impl Future<Output = Result<AnswersOf<Self>, Error>> + Send;

    /// Does what comes before the objects of the plan are written. No policy.
    fn before(
        &self,
        _key: &ObjectRef,
        _observed: &Self::Observed,
        _plan: &PlanOf<Self>,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }

    /// Makes one call. A call that fails does not keep the others from being made.
    fn call(
        &self,
        key: &ObjectRef,
        observed: &Self::Observed,
        call: &CallOf<Self::Observed>,
    ) -> impl Future<Output = Result<Self::Said, Error>> + Send;

    /// Whether a call did something that its events tell of.
    fn has_done(_said: &Self::Said) -> bool {
        true
    }

    /// Does what comes after the calls and before the status. No policy.
    fn after(
        &self,
        _key: &ObjectRef,
        _observed: &Self::Observed,
        _plan: &PlanOf<Self>,
        done: Done<Self::Said>,
    ) -> impl Future<Output = Result<After<StatusOf<Self>>, Error>> + Send {
        let failed = done.said.into_iter().find_map(Result::err);
        async move { failed.map_or_else(|| Ok(After::default()), Err) }
    }

    /// How the pass fails in the end where something was refused that holds nothing else up.
    fn refused_beside(&self, _observed: &Self::Observed, error: carry_out::Error) -> Error {
        error.into()
    }

    /// Forgets a resource that is gone.
    fn forget(&self, _key: &ObjectRef) {}
}

/// What passes over all kinds need.
#[derive(Clone)]
pub(crate) struct Means {
    /// Writes to Kubernetes.
    pub applier: Applier,
    /// Publishes events.
    pub events: Events,
    /// Whether this process leads. Without a mandate that holds no plan is carried out.
    pub mandate: Mandate,
}

/// Makes the passes over all resources of a kind.
pub(crate) struct Driver<K> {
    kind: K,
    means: Means,
    memories: Memories,
    /// What the statuses of the resources are to be.
    statuses: WantedStatuses,
}

impl<K: Kind> Driver<K> {
    /// For a kind.
    pub(crate) fn new(kind: K, means: Means) -> Self {
        Self { kind, means, memories: Memories::default(), statuses: WantedStatuses::default() }
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
                if self.means.mandate.check().is_ok() {
                    self.interrupted(&key, &why).await;
                }
                Err(why.to_string())
            }
        }
    }

    /// One pass over one resource.
    ///
    /// # Errors
    /// When it could not be made to its end; it is to be repeated.
    pub(crate) async fn pass(&self, key: &ObjectRef) -> Result<Outcome, Error> {
        let resources = self.kind.resources();
        if !resources.contains(key) && resources.unreadable(key).is_none() {
            self.memories.forget(key);
            self.statuses.forget(key);
            self.kind.forget(key);
        }
        let (mut observed, place) = match self.kind.observe(key).await {
            Ok(Seen::Live(observed)) => (observed, None),
            Ok(Seen::Placed(observed, place)) => (observed, Some(place)),
            Ok(Seen::Settled(outcome)) => {
                self.statuses.forget(key);
                return Ok(outcome);
            }
            Err(error) => return self.failed(key, resources.get(key).as_ref(), None, error).await,
        };
        let mut plan = match self.complete(key, &mut observed).await {
            Ok(plan) => plan,
            Err(error) => return self.failed(key, self.kind.looked_after(&observed), None, error).await,
        };
        // A process that does not lead any more carries out nothing, and writes no status.
        self.means.mandate.check()?;
        match self.carry_out(key, &observed, &mut plan, place).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                let planned = plan.common().status.of_resource();
                self.failed(key, self.kind.looked_after(&observed), planned, error).await
            }
        }
    }

    /// Plans, answers what the plan asks for, and plans again until it asks for nothing.
    async fn complete(&self, key: &ObjectRef, observed: &mut K::Observed) -> Result<PlanOf<K>, Error> {
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
        place: Option<Place>,
    ) -> Result<Outcome, Error> {
        // Many passes wait for the API server at a time, and the objects are the largest part of what each of them holds: they go
        // as they are written.
        let objects = std::mem::take(&mut plan.common_mut().apply);
        let plan = &*plan;
        let Plan {
            needs: _,
            apply: _,
            delete,
            finalizers,
            calls,
            status,
            events,
            look_again,
            waiting_for,
            held,
            failure,
        } = plan.common();
        let resource = self.kind.looked_after(observed);
        self.announce(key, observed, events);
        self.kind.before(key, observed, plan).await?;
        let (changed, put_off) = self.change(key, resource, objects, finalizers, delete).await?;
        // What took the memory is written, and calls may take their time.
        drop(place);
        let mut made = Vec::with_capacity(calls.len());
        for call in calls {
            made.push(self.kind.call(key, observed, call));
        }
        let said: Vec<_> = stream::iter(made).buffered(K::CALLS_AT_A_TIME.max(1)).collect().await;
        self.tell_of_calls(key, observed, events, &said);
        let done = Done { changed, said, is_whole: put_off.is_none() && failure.is_none() };
        let after = self.kind.after(key, observed, plan, done).await?;
        if let Some(error) = put_off {
            return Err(self.kind.refused_beside(observed, error));
        }
        self.memories.is_current(key);
        let status = match &after.status {
            StatusAfter::Planned => status.of_resource(),
            StatusAfter::Changed(status) => Some(status),
            StatusAfter::Left => None,
        };
        match status {
            Some(status) => self.statuses.note(key, status),
            None => self.statuses.forget(key),
        }
        if let Some(status) = status {
            // The calls may have taken a minute.
            self.means.mandate.check()?;
            carry_out::status(&self.means.applier, self.kind.resources(), key, status).await?;
        }
        for reason in waiting_for {
            tracing::debug!(kind = K::NAME, resource = %key, reason, "waiting");
        }
        for held in held {
            tracing::debug!(kind = K::NAME, resource = %key, part = ?held.part, why = held.message, "held back");
        }
        match failure.clone().or(after.failure) {
            Some(failure) => Err(Error::Told(failure)),
            None => Ok(after.look_again.or(*look_again).map_or(Outcome::Done, Outcome::Again)),
        }
    }

    /// Writes and deletes objects, and writes finalizers. Returns the objects that were changed, and why something was refused
    /// that holds nothing else up: the pass fails in the end.
    async fn change(
        &self,
        key: &ObjectRef,
        resource: Option<&Arc<K::Resource>>,
        objects: Vec<Write>,
        finalizers: &[FinalizerChange],
        delete: &[Deletion],
    ) -> Result<(BTreeSet<ObjectId>, Option<carry_out::Error>), Error> {
        let Means { applier, mandate, .. } = &self.means;
        let Written { changed, failed } = match resource {
            Some(resource) => {
                let owner = PlannedFor::new(self.kind.resources(), key, &**resource);
                carry_out::writes(applier, owner, objects).await?
            }
            None => Written::default(),
        };
        let mut put_off = failed.map(carry_out::Error::Apply);
        match carry_out::finalizers(applier, mandate, finalizers).await {
            Err(error @ carry_out::Error::Lapsed(_)) => return Err(error.into()),
            // Resources that are not released yet are seen again.
            Err(error) if resource.is_some() => {
                tracing::warn!(kind = K::NAME, resource = %key, %error, "cannot write finalizers");
            }
            Err(error) => drop(put_off.get_or_insert(error)),
            Ok(()) => {}
        }
        match carry_out::deletions(applier, mandate, delete).await {
            Err(error @ carry_out::Error::Lapsed(_)) => return Err(error.into()),
            Err(error) => drop(put_off.get_or_insert(error)),
            Ok(()) => {}
        }
        Ok((changed, put_off))
    }

    /// Publishes what lasts and was not published yet.
    fn announce(&self, key: &ObjectRef, observed: &K::Observed, events: &[PlannedEvent]) {
        let lasting = events.iter().filter_map(|event| match &event.occasion {
            Occasion::Lasting { episode } => Some((event, (event.reason.clone(), episode.clone()))),
            Occasion::Restart | Occasion::OptionChanged { .. } | Occasion::Called { .. } => None,
        });
        let lasting: Vec<_> = lasting.collect();
        let before =
            self.memories.announce(key, lasting.iter().map(|(_, episode)| episode.clone()).collect());
        for (event, episode) in lasting {
            if !before.contains(&episode) {
                tracing::info!(kind = K::NAME, resource = %key, reason = event.reason, since = %episode.1, "{}", event.text);
                self.publish(observed, event, words::ROLLING_UPDATE, Severity::Warning);
            }
        }
    }

    /// Publishes what is to be told of calls, of those that were made.
    fn tell_of_calls(
        &self,
        key: &ObjectRef,
        observed: &K::Observed,
        events: &[PlannedEvent],
        said: &[Result<K::Said, Error>],
    ) {
        for event in events {
            let Occasion::Called { call, action, is_warning } = event.occasion else { continue };
            if said.get(call).is_some_and(|said| said.as_ref().is_ok_and(K::has_done)) {
                tracing::info!(kind = K::NAME, resource = %key, reason = event.reason, pod = event.pod, "{}", event.text);
                let severity = if is_warning { Severity::Warning } else { Severity::Normal };
                self.publish(observed, event, action, severity);
            }
        }
    }

    fn publish(&self, observed: &K::Observed, event: &PlannedEvent, action: &str, severity: Severity) {
        let Some(resource) = self.kind.looked_after(observed) else { return };
        let pod = event.pod.as_ref().and_then(|pod| self.kind.pod(observed, pod));
        self.means.events.publish(Note {
            regarding: events::reference(&**resource),
            related: pod.map(|pod| events::reference(&**pod)),
            reason: event.reason.clone(),
            action: action.to_owned(),
            text: event.text.clone(),
            severity,
        });
    }

    /// A pass over a resource failed, which has this status planned if it got so far: says so in the status.
    async fn failed(
        &self,
        key: &ObjectRef,
        resource: Option<&Arc<K::Resource>>,
        planned: Option<&StatusOf<K>>,
        error: Error,
    ) -> Result<Outcome, Error> {
        // Another process may lead, and writes the statuses then.
        self.means.mandate.check()?;
        if let Error::Apply(carry_out::Error::Outdated { kind, name }) = &error {
            tracing::debug!(of = K::NAME, resource = %key, kind, name, "the caches are behind");
            return Ok(Outcome::Again(self.memories.is_outdated(key)));
        }
        let is_told = error.has_lapsed() || matches!(error, Error::Told(_));
        if let Some(resource) = resource.filter(|_| !is_told) {
            self.tell(key, resource, planned, error.reason(), &error.to_string()).await;
        }
        Err(error)
    }

    /// A pass panicked or did not end: says so in the status. The pass is repeated.
    async fn interrupted(&self, key: &ObjectRef, why: &Interruption) {
        let Some(resource) = self.kind.resources().get(key) else { return };
        let why = format!("the pass over the resource did not come to its end and is made again: {why}");
        self.tell(key, &resource, None, reasons::INTERNAL_ERROR, &why).await;
    }

    /// Says in the status why a pass failed.
    async fn tell(
        &self,
        key: &ObjectRef,
        resource: &K::Resource,
        planned: Option<&StatusOf<K>>,
        reason: &str,
        why: &str,
    ) {
        if !K::TELLS {
            return;
        }
        let status = status::failed(resource, planned, reason, why, clock::now());
        self.statuses.note(key, &status);
        let written = carry_out::status(&self.means.applier, self.kind.resources(), key, &status).await;
        if let Err(error) = written {
            tracing::warn!(kind = K::NAME, resource = %key, %error, "cannot say in the status why the pass failed");
        }
    }
}

#[cfg(test)]
#[path = "kind_tests.rs"]
mod tests;
