//! One pass over one Kafka resource: `observe → complete the plan → carry it out → write`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::Kafka;
use api::conditions::{Condition, merge, reasons};
use jiff::Timestamp;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::env::Namespaces;
use operator_runtime::events::{self, Events, Note, Severity};
use operator_runtime::watch::ObjectRef;
use serde_json::{Value, json};
use thiserror::Error;

use super::answers::Answers;
use super::late_answers::Patience;
use super::observe::Observer;
use super::roll_metric::RollMetric;
use super::room::Room;
use super::{apply, kafka_calls, option_calls, restart_pods};
use crate::caches::Caches;
use crate::pod_set::errors::PodErrors;
use crate::unreadable;
use planner::kafka::config::live::memory::OptionChange;
use planner::kafka::config::live::memory::OptionMemory;
use planner::kafka::deleted_cluster;
use planner::kafka::need::{Completion, Endless};
use planner::kafka::observed::Observed;
use planner::kafka::plan::{Occasion, Plan, StatusPlan};
use planner::kafka::status;

/// The watch brings what changed, and with it the next pass; this is for the case that it brought it already. Each time in a
/// row the pause is doubled: a watch that is broken must not have keys made in a loop.
const OUTDATED: Duration = Duration::from_millis(200);

/// How often that pause is doubled.
const OUTDATED_DOUBLINGS: u32 = 6;

/// Pause before a large cluster is looked at again while others are planned.
const BUSY: Outcome = Outcome::Again(Duration::from_secs(1));

/// Action of events about a roll that waits.
const ROLL: &str = "RollingUpdate";

/// What can end a pass early. The pass is repeated with back-off.
#[derive(Debug, Error)]
pub enum Error {
    /// Kubernetes refused something.
    #[error(transparent)]
    Kubernetes(#[from] ApplyError),
    /// A plan could not be carried out.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// What the plan needs could not be made.
    #[error("{0}")]
    Unmade(String),
    /// Kafka refused something.
    #[error("{0}")]
    Kafka(String),
    /// The plan asks again and again.
    #[error(transparent)]
    Endless(#[from] Endless),
}

impl Error {
    /// Reason of the condition that tells of it.
    fn reason(&self) -> &'static str {
        match self {
            Self::Kubernetes(_) | Self::Apply(_) => reasons::KUBERNETES_ERROR,
            Self::Kafka(_) => reasons::KAFKA_ERROR,
            Self::Unmade(_) | Self::Endless(_) => reasons::INTERNAL_ERROR,
        }
    }
}

/// What a process remembers of a cluster from pass to pass. Nothing that cannot be lost: a new process does without.
#[derive(Debug, Default)]
struct Memory {
    /// What former passes found out about the options of brokers.
    options: OptionMemory,
    /// Passes in a row that ended because the caches were behind.
    outdated: u32,
    /// UIDs of pods that were deleted and that the watch still shows.
    restarted: BTreeSet<String>,
    /// What was announced and lasts.
    announced: BTreeSet<(String, Timestamp)>,
}

/// Reconciles Kafka resources. One for the whole process.
pub struct Reconciler {
    caches: Caches,
    applier: Applier,
    observer: Arc<Observer>,
    answers: Answers,
    events: Events,
    pod_errors: PodErrors,
    waiting: RollMetric,
    /// How many large clusters are planned at a time.
    room: Room,
    memories: Mutex<HashMap<ObjectRef, Memory>>,
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
        observer: Arc<Observer>,
        answers: Answers,
        events: Events,
        pod_errors: PodErrors,
        waiting: RollMetric,
    ) -> Self {
        Self {
            caches,
            applier,
            observer,
            answers,
            events,
            pod_errors,
            waiting,
            room: Room::default(),
            memories: Mutex::default(),
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
        let observed = match self.observe(key, &kafka).await {
            Ok(observed) => observed,
            Err(error) => return self.fail(key, &kafka, None, error.into()).await,
        };
        let wished = observed.pools.iter().filter_map(|pool| usize::try_from(pool.spec.replicas).ok());
        let Some(_place) = self.room.enter(wished.fold(0, usize::saturating_add)) else { return Ok(BUSY) };
        let (observed, plan) = match self.complete(key, observed).await {
            Ok(planned) => planned,
            Err(error) => return self.fail(key, &kafka, None, error.into()).await,
        };
        self.announce(key, &observed, &plan);
        match self.carry_out(key, &observed, &plan).await {
            Ok(()) => {
                self.memory(|memories| memories.entry(key.clone()).or_default().outdated = 0);
                apply::kafka_status(&self.applier, &self.caches, key, &plan.status).await?;
                for reason in &plan.waiting_for {
                    tracing::debug!(cluster = %key, reason, "waiting");
                }
                match plan.failure {
                    Some(failure) => Err(Error::Unmade(failure)),
                    None => Ok(again(&plan)),
                }
            }
            Err(Error::Apply(apply::Error::Outdated { kind, name })) => {
                tracing::debug!(cluster = %key, kind, name, "the caches are behind");
                Ok(self.outdated(key))
            }
            Err(error) => self.fail(key, &kafka, Some(&plan), error).await,
        }
    }

    /// When to try again what the caches were behind for.
    fn outdated(&self, key: &ObjectRef) -> Outcome {
        let times = self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            memory.outdated = memory.outdated.saturating_add(1);
            memory.outdated
        });
        Outcome::Again(OUTDATED * 2_u32.pow((times - 1).min(OUTDATED_DOUBLINGS)))
    }

    /// What is known without asking: the caches, and what this process remembers.
    async fn observe(&self, key: &ObjectRef, kafka: &Arc<Kafka>) -> Result<Observed, ApplyError> {
        let mut observed = self.observer.observe(key, Arc::clone(kafka)).await?;
        observed.pod_errors = self.pod_errors.of_sets(&key.namespace, observed.pod_sets.keys());
        observed.unreadable = unreadable::parts_of(&self.caches, key);
        let live: BTreeSet<&String> =
            observed.pods.values().filter_map(|pod| pod.metadata.uid.as_ref()).collect();
        (observed.options, observed.restarted) = self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            memory.restarted.retain(|uid| live.contains(uid));
            (memory.options.clone(), memory.restarted.clone())
        });
        self.answers.forget_unless_ready(key, &observed);
        Ok(observed)
    }

    /// Plans, answers what the plan asks for, and plans again until it is complete.
    async fn complete(&self, key: &ObjectRef, observed: Observed) -> Result<(Observed, Plan), Endless> {
        let mut completion = Completion::new(observed, clock::now());
        let patience = Patience::default();
        loop {
            let plan = completion.plan()?;
            if plan.needs.is_empty() {
                return Ok((completion.into_observed(), plan));
            }
            let answers = self.answers.answer(key, completion.observed(), plan.needs, &patience).await;
            for (need, answer) in answers {
                completion.answer(need, answer);
            }
        }
    }

    /// Everything of a plan but the statuses.
    async fn carry_out(&self, key: &ObjectRef, observed: &Observed, plan: &Plan) -> Result<(), Error> {
        // Before the pod sets, and whatever fails: the statuses say which nodes there are.
        apply::pool_statuses(&self.applier, &self.caches, key, &plan.status).await?;
        let written = apply::objects(&self.applier, &self.caches, plan).await?;
        // Topics that are not released yet are seen again; they hold nothing else up.
        if let Err(error) = apply::finalizers(&self.applier, plan).await {
            tracing::warn!(cluster = %key, error = %error, "cannot take the finalizers of the topic operator off");
        }
        let refused = self.tell_kafka(key, observed, plan).await;
        // What Kafka refuses must not hold up the restart that mends it.
        let deleted =
            restart_pods::restart(&self.applier, &self.events, key, observed, plan, &written).await?;
        self.memory(|memories| memories.entry(key.clone()).or_default().restarted.extend(deleted));
        if refused.is_empty() { Ok(()) } else { Err(Error::Kafka(refused.join("; "))) }
    }

    /// Makes the calls of a plan, and returns what failed. What Kafka refuses to change at run time is no failure: the next
    /// plan knows another way.
    async fn tell_kafka(&self, key: &ObjectRef, observed: &Observed, plan: &Plan) -> Vec<String> {
        let (mut failed, mut refusals) = (Vec::new(), BTreeMap::new());
        if !plan.admin.is_empty() {
            match self.answers.brokers(key, observed) {
                Ok(admin) => {
                    for call in &plan.admin {
                        tracing::info!(cluster = %key, ?call, "changing Kafka");
                        match kafka_calls::make(&admin, call).await {
                            Ok(more) => refusals.extend(more),
                            Err(error) => failed.push(error.to_string()),
                        }
                    }
                }
                Err(silence) => failed.push(format!("cannot change Kafka: {silence}")),
            }
        }
        if failed.is_empty() {
            self.tell_what_was_undone(key, observed, plan, &refusals);
        }
        self.remember_options(key, plan, refusals, failed.is_empty());
        failed
    }

    /// Keeps for the next pass what this one found out about the options of brokers. A plan without nodes, of a resource
    /// that is wrong, knows nothing of them.
    fn remember_options(
        &self,
        key: &ObjectRef,
        plan: &Plan,
        refusals: BTreeMap<OptionChange, String>,
        told: bool,
    ) {
        if plan.nodes.is_empty() {
            return;
        }
        for (change, why) in &refusals {
            tracing::warn!(cluster = %key, ?change, why, "Kafka refused to change an option at run time");
        }
        let mut options = plan.options.clone();
        options.refused.extend(refusals);
        if !told {
            options.settled = None;
        }
        self.memory(|memories| memories.entry(key.clone()).or_default().options = options);
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

    /// Publishes what lasts and was not published yet, and shows how long a roll has been waiting.
    fn announce(&self, key: &ObjectRef, observed: &Observed, plan: &Plan) {
        self.waiting.show(key, plan.roll.waits.as_ref(), clock::now());
        let lasting = plan.events.iter().filter_map(|event| match event.occasion {
            Occasion::Lasting { since } => Some((event, (event.reason.clone(), since))),
            Occasion::Restart => None,
        });
        let lasting: Vec<_> = lasting.collect();
        let before = self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            let now = lasting.iter().map(|(_, episode)| episode.clone()).collect();
            std::mem::replace(&mut memory.announced, now)
        });
        let Some(kafka) = &observed.kafka else { return };
        for (event, episode) in lasting {
            if before.contains(&episode) {
                continue;
            }
            tracing::info!(cluster = %key, reason = event.reason, since = %episode.1, "{}", event.text);
            self.events.publish(Note {
                regarding: events::reference(&**kafka),
                related: event
                    .pod
                    .as_ref()
                    .and_then(|pod| observed.pods.get(pod))
                    .map(|pod| events::reference(&**pod)),
                reason: event.reason.clone(),
                action: ROLL.to_owned(),
                text: event.text.clone(),
                severity: Severity::Warning,
            });
        }
    }

    fn memory<T>(&self, act: impl FnOnce(&mut HashMap<ObjectRef, Memory>) -> T) -> T {
        act(&mut self.memories.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The resource is gone, or is about to: then only the topics must not wait for an operator that goes with them.
    async fn gone(&self, key: &ObjectRef, terminating: bool) -> Result<Outcome, Error> {
        if !terminating {
            self.answers.forget(key);
            self.observer.forget(key);
            self.memory(|memory| drop(memory.remove(key)));
            self.waiting.remove(key);
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
            Err(apply::Error::Outdated { .. }) => Ok(self.outdated(key)),
            other => {
                other?;
                let outcome = again(&plan);
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
        let old = kafka.status.as_ref().and_then(|status| status.conditions.as_deref());
        let live = kafka.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
        let mut wanted = live.clone().unwrap_or_else(|| json!({}));
        let conditions = merge(vec![Condition::paused()], old, clock::now());
        wanted["conditions"] = serde_json::to_value(conditions).unwrap_or(Value::Null);
        self.applier.patch_status::<Kafka>(key, live.as_ref(), &wanted).await?;
        Ok(())
    }

    /// Says in the statuses why a pass failed; what was known of the cluster stays.
    async fn fail(
        &self,
        key: &ObjectRef,
        kafka: &Kafka,
        plan: Option<&Plan>,
        error: Error,
    ) -> Result<Outcome, Error> {
        let planned = plan.and_then(|plan| plan.status.kafka.as_ref());
        let kafka = status::failed(kafka, planned, error.reason(), error.to_string(), clock::now());
        let statuses = StatusPlan { kafka: Some(kafka), ..StatusPlan::default() };
        if let Err(unwritten) = apply::kafka_status(&self.applier, &self.caches, key, &statuses).await {
            tracing::warn!(cluster = %key, error = %unwritten, "cannot say in the status why the pass failed");
        }
        Err(error)
    }
}

/// When to look again.
fn again(plan: &Plan) -> Outcome {
    plan.requeue_seconds.map_or(Outcome::Done, |seconds| Outcome::Again(Duration::from_secs(seconds)))
}
