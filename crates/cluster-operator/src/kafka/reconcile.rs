//! One pass over one Kafka resource: `observe → plan → apply → status`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::Kafka;
use api::conditions::{Condition, merge, reasons};
use jiff::Timestamp;
use kafka_admin::Admin;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::env::Namespaces;
use operator_runtime::events::Events;
use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;
use serde_json::{Value, json};
use thiserror::Error;

use super::admin_clients;
use super::admin_clients::Clients;
use super::apply;
use super::kafka_calls;
use super::key_making;
use super::late_answers::Asking;
use super::observe::Observer;
use super::option_calls;
use super::option_calls::OptionAnswer;
use super::restart_pods;
use super::restart_pods::RollAnswer;
use crate::caches::Caches;
use crate::unreadable;
use planner::kafka::config::live::memory::OptionChange;
use planner::kafka::config::live::memory::OptionMemory;
use planner::kafka::deleted_cluster;
use planner::kafka::observed::KafkaView;
use planner::kafka::observed::Observed;
use planner::kafka::plan::Plan;
use planner::kafka::plan::plan;
use planner::kafka::transitions::scaling::needs_replicas;

/// Rounds of finding out what a plan asks for after which it has to be complete.
const ROUNDS: usize = 8;

/// Pause before a roll that waits is looked at again.
const WAITING: Duration = Duration::from_secs(2);

/// The watch brings what changed, and with it the next pass; this is for the case that it brought it already.
const OUTDATED: Outcome = Outcome::Again(Duration::from_millis(200));

/// What can end a pass early. The pass is repeated with back-off.
#[derive(Debug, Error)]
pub enum Error {
    /// Kubernetes refused something.
    #[error(transparent)]
    Kubernetes(#[from] ApplyError),
    /// A plan could not be carried out.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// Keys could not be made.
    #[error(transparent)]
    Material(#[from] key_making::Error),
    /// Kafka refused something.
    #[error(transparent)]
    Kafka(#[from] kafka_calls::Error),
    /// The planner asks again and again.
    #[error("the plan is not complete after {ROUNDS} rounds of making what it asks for")]
    Endless,
}

/// Reconciles Kafka resources. One for the whole process.
pub struct Reconciler {
    caches: Caches,
    applier: Applier,
    observer: Observer,
    clients: Clients,
    events: Events,
    /// How each Kafka is.
    views: Asking<KafkaView>,
    /// With which options the brokers run.
    configs: Asking<OptionAnswer>,
    /// What a restart would do.
    rolls: Asking<RollAnswer>,
    /// What former passes found out about the options of brokers, per cluster.
    options: Mutex<HashMap<ObjectRef, OptionMemory>>,
    /// Every cluster that there is a resource of, or was until a pass cleared up after it.
    seen: Mutex<HashSet<ObjectRef>>,
    /// Since when it is known of clusters that their resource is gone, while something is left to clear up.
    gone_since: Mutex<HashMap<ObjectRef, Timestamp>>,
}

impl Reconciler {
    /// From the parts that all passes share.
    pub fn new(
        caches: Caches,
        applier: Applier,
        observer: Observer,
        events: Events,
        queue: &Queue<ObjectRef>,
    ) -> Self {
        Self {
            caches,
            applier,
            observer,
            clients: Clients::default(),
            events,
            views: Asking::new(queue.clone()),
            configs: Asking::second(queue.clone()),
            rolls: Asking::new(queue.clone()),
            options: Mutex::default(),
            seen: Mutex::default(),
            gone_since: Mutex::default(),
        }
    }

    /// Waits until every cache is filled.
    pub async fn ready(&self) {
        self.caches.ready().await;
    }

    /// One pass.
    pub async fn pass(&self, key: &ObjectRef) -> Result<Outcome, Error> {
        if let Some(unreadable) = self.caches.kafkas.unreadable(key) {
            // It is there. What runs is left as it is; its status says so already.
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
            return if unreadable.is_terminating() { self.gone(key, true).await } else { Ok(Outcome::Done) };
        }
        let Some(kafka) = self.caches.kafkas.get(key) else {
            return self.gone(key, false).await;
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        self.gone_since.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        if kafka.metadata.deletion_timestamp.is_some() {
            return self.gone(key, true).await;
        }
        if api::annotations::is_true(
            kafka.metadata.annotations.as_ref(),
            api::annotations::PAUSE_RECONCILIATION,
        ) {
            self.write_paused(key, &kafka).await?;
            return Ok(Outcome::Done);
        }
        if let Some(why) = unreadable::parts_of(&self.caches, key) {
            let conditions = vec![Condition::not_ready(reasons::INVALID_CONFIGURATION, why)];
            self.write_conditions(key, &kafka, conditions, kafka.metadata.generation).await?;
            return Ok(Outcome::Done);
        }
        let mut observed = self.observer.observe(key, Arc::clone(&kafka)).await?;
        let known = self.options.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        observed.options = known.unwrap_or_default();
        let admin = self.look(key, &mut observed).await;
        let (observed, plan) = self.plan(key, observed, admin.as_ref()).await?;
        match self.carry_out(key, &observed, &plan, admin.as_ref()).await {
            Ok(waits) => {
                apply::kafka_status(&self.applier, &self.caches, key, &plan.status).await?;
                for reason in plan.waiting_for.iter().chain(&waits) {
                    tracing::debug!(cluster = %key, reason, "waiting");
                }
                Ok(again(&plan, waits.is_some()))
            }
            Err(Error::Apply(apply::Error::Outdated { kind, name })) => {
                tracing::debug!(cluster = %key, kind, name, "the caches are behind");
                Ok(OUTDATED)
            }
            Err(error) => {
                self.write_failure(key, &kafka, &plan, &error).await?;
                Err(error)
            }
        }
    }

    /// Everything of a plan but the statuses. Returns what a roll waits for.
    async fn carry_out(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        plan: &Plan,
        admin: Option<&Admin>,
    ) -> Result<Option<String>, Error> {
        // Before the pod sets, and whatever fails: the statuses say which nodes there are.
        apply::pool_statuses(&self.applier, &self.caches, key, &plan.status).await?;
        apply::objects(&self.applier, &self.caches, plan).await?;
        let (mut refused, mut refusals) = (None, BTreeMap::new());
        if let Some(admin) = admin {
            for call in &plan.admin {
                tracing::info!(cluster = %key, ?call, "changing Kafka");
                match kafka_calls::make(admin, call).await {
                    Ok(more) => refusals.extend(more),
                    Err(error) => drop(refused.get_or_insert(error)),
                }
            }
        }
        if refused.is_none() {
            self.tell_what_was_undone(key, observed, plan, &refusals);
        }
        self.remember_options(key, plan, refusals);
        // What Kafka refuses must not hold up the restart that mends it.
        let waits =
            restart_pods::step(&self.applier, &self.events, &self.rolls, admin, key, observed, plan).await?;
        refused.map_or(Ok(waits), |error| Err(error.into()))
    }

    /// Asks Kafka about itself, once a broker is ready: before that there is nobody who could answer. Nothing that
    /// belongs to Kubernetes waits for the answer. Returns the client, with or without an answer.
    async fn look(&self, key: &ObjectRef, observed: &mut Observed) -> Option<Admin> {
        if !admin_clients::can_answer(observed) {
            self.forget_questions(key);
            return None;
        }
        let admin = match self.clients.get(key, observed) {
            Ok(admin) => admin?,
            // A Secret that is broken: the plan mends it.
            Err(error) => {
                tracing::warn!(cluster = %key, error = %error, "cannot make a client for the cluster");
                return None;
            }
        };
        let ask = |replicas| {
            let admin = admin.clone();
            self.views.answer(key, async move { kafka_calls::view(&admin, replicas).await })
        };
        observed.view = ask(needs_replicas(observed)).await;
        let unknown = observed.view.as_ref().is_some_and(|view| view.brokers_with_replicas.is_none());
        if unknown && needs_replicas(observed) {
            // It was asked before there was need to know, or said itself that there is need.
            observed.view = ask(true).await;
        }
        Some(admin)
    }

    fn forget_questions(&self, key: &ObjectRef) {
        self.views.forget(key);
        self.configs.forget(key);
        self.rolls.forget(key);
    }

    /// Plans, makes or reads what the plan asks for, and plans again.
    async fn plan(
        &self,
        key: &ObjectRef,
        mut observed: Observed,
        admin: Option<&Admin>,
    ) -> Result<(Observed, Plan), Error> {
        for _ in 0..ROUNDS {
            let wanted = plan(&observed, clock::now());
            if !wanted.materials.is_empty() {
                let made = key_making::make(wanted.materials).await?;
                observed.made.extend(made);
                continue;
            }
            if !wanted.storage_classes.is_empty() {
                for class in wanted.storage_classes {
                    let may_grow = self.observer.may_grow(&class).await?;
                    observed.storage_classes.insert(class, may_grow);
                }
                continue;
            }
            let pods = option_calls::broker_pods(&observed, &wanted);
            let (Some(admin), Some(view), true) = (admin, observed.view.as_mut(), wanted.look_at_options)
            else {
                return Ok((observed, wanted));
            };
            let (admin, brokers, of) = (admin.clone(), view.active_brokers.clone(), pods.clone());
            let question = async move { Ok((of, option_calls::broker_options(&admin, &brokers).await)) };
            let answer = self.configs.answer::<Infallible, _>(key, question).await;
            let configs = answer.map(|answer| option_calls::still_true(answer, &pods)).unwrap_or_default();
            if configs.is_empty() {
                return Ok((observed, wanted));
            }
            view.broker_configs = configs;
        }
        Err(Error::Endless)
    }

    /// Keeps for the next pass what this one found out about the options of brokers. A plan without nodes, of a resource
    /// that is wrong, knows nothing of them.
    fn remember_options(&self, key: &ObjectRef, plan: &Plan, refusals: BTreeMap<OptionChange, String>) {
        if plan.nodes.is_empty() {
            return;
        }
        for (change, why) in &refusals {
            tracing::warn!(cluster = %key, ?change, why, "Kafka refused to change an option at run time");
        }
        let mut memory = plan.options.clone();
        memory.refused.extend(refusals);
        self.options.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), memory);
    }

    /// Tells of the run-time values of other people's that were taken away.
    fn tell_what_was_undone(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        plan: &Plan,
        refusals: &BTreeMap<OptionChange, String>,
    ) {
        for value in &plan.undone {
            let mut refused = refusals.keys();
            if refused.any(|change| change.option == value.option && change.broker == value.broker) {
                continue;
            }
            tracing::warn!(cluster = %key, %value, "undid what was set in Kafka itself");
            if let Some(note) = option_calls::undone(observed, plan, value) {
                self.events.publish(note);
            }
        }
    }

    /// The resource is gone, or is about to: then only the topics must not wait for an operator that goes with them.
    async fn gone(&self, key: &ObjectRef, terminating: bool) -> Result<Outcome, Error> {
        if !terminating {
            self.clients.forget(key);
            self.observer.forget(key);
            self.forget_questions(key);
            self.options.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(key);
        let gone_since = (!terminating).then(|| {
            let mut all = self.gone_since.lock().unwrap_or_else(PoisonError::into_inner);
            *all.entry(key.clone()).or_insert_with(clock::now)
        });
        let Some(remains) = self.observer.remains(key, terminating, seen, gone_since).await? else {
            self.gone_since.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            return Ok(Outcome::Done);
        };
        let plan = deleted_cluster::plan(&remains, clock::now());
        let released = apply::finalizers(&self.applier, &plan).await;
        apply::deletions(&self.applier, &plan).await?;
        match released {
            Err(apply::Error::Outdated { .. }) => Ok(OUTDATED),
            other => {
                other?;
                let outcome = again(&plan, false);
                if !terminating && matches!(outcome, Outcome::Done) {
                    // What appears under the name from now on belongs to a successor that may be on its way.
                    self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
                    self.gone_since.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
                }
                Ok(outcome)
            }
        }
    }

    /// Clusters that have topics and no Kafka resource that this operator looks after: they may have been deleted
    /// while no operator ran.
    pub async fn strays(&self, namespaces: &Namespaces) -> Result<Vec<ObjectRef>, Error> {
        let named = self.observer.clusters_of_topics(namespaces).await?;
        Ok(named.into_iter().filter(|key| self.caches.kafkas.get(key).is_none()).collect())
    }

    async fn write_paused(&self, key: &ObjectRef, kafka: &Kafka) -> Result<(), Error> {
        let generation = kafka.status.as_ref().and_then(|status| status.observed_generation);
        self.write_conditions(key, kafka, vec![Condition::paused()], generation).await
    }

    /// Says in the status why a pass failed; what was known of the cluster stays.
    async fn write_failure(
        &self,
        key: &ObjectRef,
        kafka: &Kafka,
        plan: &Plan,
        error: &Error,
    ) -> Result<(), Error> {
        let reason = match error {
            Error::Kubernetes(_) | Error::Apply(_) => "KubernetesError",
            Error::Kafka(_) => reasons::KAFKA_ERROR,
            Error::Material(_) | Error::Endless => reasons::INTERNAL_ERROR,
        };
        let planned = plan.status.kafka.as_ref().and_then(|status| status.get("conditions"));
        let mut conditions: Vec<Condition> =
            planned.and_then(|planned| serde_json::from_value(planned.clone()).ok()).unwrap_or_default();
        conditions.retain(|condition| condition.is(api::conditions::types::WARNING));
        conditions.push(Condition::not_ready(reason, error.to_string()));
        self.write_conditions(key, kafka, conditions, kafka.metadata.generation).await
    }

    async fn write_conditions(
        &self,
        key: &ObjectRef,
        kafka: &Kafka,
        conditions: Vec<Condition>,
        generation: Option<i64>,
    ) -> Result<(), Error> {
        let old = kafka.status.as_ref().and_then(|status| status.conditions.as_deref());
        let now: Timestamp = clock::now();
        let live = kafka.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
        let mut wanted = live.clone().unwrap_or_else(|| json!({}));
        wanted["conditions"] = serde_json::to_value(merge(conditions, old, now)).unwrap_or(Value::Null);
        wanted["observedGeneration"] = generation.into();
        self.applier.patch_status::<Kafka>(key, live.as_ref(), &wanted).await?;
        Ok(())
    }
}

/// When to look again.
fn again(plan: &Plan, waits: bool) -> Outcome {
    let planned = plan.requeue_seconds.map(Duration::from_secs);
    let after = if waits { Some(planned.map_or(WAITING, |planned| planned.min(WAITING))) } else { planned };
    after.map_or(Outcome::Done, Outcome::Again)
}
