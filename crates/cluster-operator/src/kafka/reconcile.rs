//! Looks after Kafka resources: what a process remembers of each, and what the steps of a pass share. The steps themselves
//! are in [`driver`].

mod driver;
mod leaving;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::Kafka;
use api::conditions::reasons;
use api::kafka::status::KafkaStatus;
use jiff::Timestamp;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::env::Namespaces;
use operator_runtime::events::{self, Events, Note, Severity};
use operator_runtime::leader::{Lapsed, Mandate};
use operator_runtime::watch::ObjectRef;
use thiserror::Error;

use super::answers::Answers;
use super::observe::Observer;
use super::roll_metric::RollMetric;
use super::{option_calls, restart_pods};
use crate::caches::Caches;
use crate::carry_out;
use crate::pod_set::errors::PodErrors;
use crate::room::Room;
use crate::unreadable;
use planner::completion::NeverComplete;
use planner::kafka::config::live::memory::OptionChange;
use planner::kafka::config::live::memory::OptionMemory;
use planner::kafka::observed::Observed;
use planner::kafka::plan::Plan;
use planner::kafka::status;
use planner::plan::Occasion;
use planner::roll::waiting::WaitKind;

/// The watch brings what changed, and with it the next pass; this is for the case that it brought it already. Each time in a
/// row the pause is doubled: a watch that is broken must not have keys made in a loop.
const OUTDATED: Duration = Duration::from_millis(200);

/// How often that pause is doubled.
const OUTDATED_DOUBLINGS: u32 = 6;

/// Action of events about a roll that waits.
const ROLL: &str = api::conditions::events::ROLLING_UPDATE;

/// What can end a pass early. The pass is repeated with back-off.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// Kubernetes refused something.
    #[error(transparent)]
    Kubernetes(#[from] ApplyError),
    /// A plan could not be carried out.
    #[error(transparent)]
    Apply(#[from] carry_out::Error),
    /// What the plan needs could not be made.
    #[error("{0}")]
    Unmade(String),
    /// Kafka refused something.
    #[error("{0}")]
    Kafka(String),
    /// The plan asks again and again.
    #[error(transparent)]
    NeverComplete(#[from] NeverComplete),
    /// Another process may lead.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
}

impl From<restart_pods::Error> for Error {
    fn from(error: restart_pods::Error) -> Self {
        match error {
            restart_pods::Error::Kubernetes(error) => Self::Kubernetes(error),
            restart_pods::Error::Lapsed(lapsed) => Self::Lapsed(lapsed),
        }
    }
}

impl Error {
    /// Reason of the condition that tells of it.
    fn reason(&self) -> &'static str {
        match self {
            Self::Kubernetes(_) | Self::Apply(_) => reasons::KUBERNETES_ERROR,
            Self::Kafka(_) => reasons::KAFKA_ERROR,
            Self::Unmade(_) | Self::NeverComplete(_) | Self::Lapsed(_) => reasons::INTERNAL_ERROR,
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
    /// UIDs and names of pods whose deletion was not answered: they count as deleted until the API server says more.
    perhaps_deleted: BTreeMap<String, String>,
    /// What the roll waited for in the last pass.
    waited_for: Option<String>,
    /// What was announced and lasts.
    announced: BTreeSet<(String, Timestamp)>,
}

/// What the passes over all clusters share with other parts of the process.
pub(crate) struct Parts {
    /// What is watched.
    pub caches: Caches,
    /// Writes to Kubernetes.
    pub applier: Applier,
    /// Reads what plans depend on.
    pub observer: Arc<Observer>,
    /// Answers what plans ask for.
    pub answers: Answers,
    /// Publishes events.
    pub events: Events,
    /// Why pods could not be made, deleted or changed.
    pub pod_errors: PodErrors,
    /// How long rolls have been waiting.
    pub waiting: RollMetric,
    /// Whether this process leads.
    pub mandate: Mandate,
}

/// Reconciles Kafka resources. One for the whole process.
pub(crate) struct Reconciler {
    caches: Caches,
    applier: Applier,
    observer: Arc<Observer>,
    answers: Answers,
    events: Events,
    pod_errors: PodErrors,
    waiting: RollMetric,
    mandate: Mandate,
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
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { caches, applier, observer, answers, events, pod_errors, waiting, mandate } = parts;
        Self {
            caches,
            applier,
            observer,
            answers,
            events,
            pod_errors,
            waiting,
            mandate,
            room: Room::default(),
            memories: Mutex::default(),
            seen: Mutex::default(),
            gone_since: Mutex::default(),
        }
    }

    /// Waits until every cache is filled.
    pub(crate) async fn ready(&self) {
        self.caches.ready().await;
    }

    /// When to try again what the caches were behind for.
    fn outdated(&self, key: &ObjectRef) -> Outcome {
        let times = self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            memory.outdated = memory.outdated.saturating_add(1);
            memory.outdated
        });
        Outcome::Again(outdated_pause(times))
    }

    /// What is known of a live cluster without asking: the caches, and what this process remembers; and how many bytes of memory
    /// take what the resource refers to.
    async fn observe_live(
        &self,
        key: &ObjectRef,
        kafka: &Arc<Kafka>,
    ) -> Result<(Observed, usize), ApplyError> {
        let (mut observed, referred) = self.observer.observe(key, Arc::clone(kafka)).await?;
        observed.pod_errors = self.pod_errors.of_sets(&key.namespace, observed.pod_sets.keys());
        unreadable::note_parts(&self.caches, key, &mut observed);
        let live: BTreeSet<&String> =
            observed.pods.values().filter_map(|pod| pod.metadata.uid.as_ref()).collect();
        let perhaps_deleted = self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            memory.restarted.retain(|uid| live.contains(uid));
            memory.perhaps_deleted.retain(|uid, _| live.contains(uid));
            memory.perhaps_deleted.clone()
        });
        for (uid, pod) in perhaps_deleted {
            if restart_pods::still_runs(&self.applier, &ObjectRef::new(&key.namespace, pod), &uid).await? {
                self.memory(|memories| memories.entry(key.clone()).or_default().perhaps_deleted.remove(&uid));
            }
        }
        (observed.options, observed.restarted) = self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            let going = memory.restarted.iter().chain(memory.perhaps_deleted.keys()).cloned();
            (memory.options.clone(), going.collect())
        });
        self.answers.forget_unless_ready(key, &observed);
        Ok((observed, referred))
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

    /// Tells of what the calls of a plan changed.
    fn tell_of_changes(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        plan: &Plan,
        refusals: &BTreeMap<OptionChange, String>,
    ) {
        for note in option_calls::taken(observed, plan, refusals) {
            tracing::warn!(cluster = %key, reason = note.reason, "{}", note.text);
            self.events.publish(note);
        }
    }

    /// Publishes what lasts and was not published yet, and shows how long a roll has been waiting.
    fn announce(&self, key: &ObjectRef, observed: &Observed, plan: &Plan) {
        self.waiting.show(key, plan.roll.waits.as_ref(), clock::now());
        self.log_wait(key, plan);
        let lasting = plan.events.iter().filter_map(|event| match event.occasion {
            Occasion::Lasting { since } => Some((event, (event.reason.clone(), since))),
            Occasion::Restart | Occasion::OptionChanged { .. } => None,
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

    /// Logs what a roll waits for when it waits for something else than in the pass before, with what Kafka said of it.
    fn log_wait(&self, key: &ObjectRef, plan: &Plan) {
        let waits = plan.roll.waits.as_ref().filter(|waits| waits.kind != WaitKind::AnswerUnderWay);
        let why = waits.map(|waits| waits.why.clone());
        let before = self.memory(|memories| {
            std::mem::replace(&mut memories.entry(key.clone()).or_default().waited_for, why.clone())
        });
        if let Some(why) = why.filter(|why| before.as_ref() != Some(why)) {
            let basis = plan.roll.basis.as_ref();
            let answer_ms = basis.and_then(|basis| basis.age_ms(clock::now()));
            tracing::info!(cluster = %key, why, answer_ms, kafka_said = basis.map(ToString::to_string), "the roll waits");
        }
    }

    fn memory<T>(&self, act: impl FnOnce(&mut HashMap<ObjectRef, Memory>) -> T) -> T {
        act(&mut self.memories.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Clusters that have topics and no Kafka resource that this operator looks after: they may have been deleted
    /// while no operator ran.
    pub(crate) async fn strays(&self, namespaces: &Namespaces) -> Result<Vec<ObjectRef>, Error> {
        let named = self.observer.clusters_of_topics(namespaces).await?;
        Ok(named.into_iter().filter(|key| !self.caches.kafkas.contains(key)).collect())
    }

    /// Writes the status of the Kafka resource if it differs.
    async fn write_status(&self, key: &ObjectRef, status: &KafkaStatus) -> Result<(), ApplyError> {
        carry_out::status(&self.applier, &self.caches.kafkas, key, status).await
    }

    /// Says in the status why a pass failed; what was known of the cluster stays.
    async fn fail(
        &self,
        key: &ObjectRef,
        kafka: &Kafka,
        plan: Option<&Plan>,
        error: Error,
    ) -> Result<Outcome, Error> {
        let planned = plan.and_then(|plan| plan.status.kafka.as_ref());
        let status = status::failed(kafka, planned, error.reason(), error.to_string(), clock::now());
        self.say_that_it_failed(key, &status).await;
        Err(error)
    }

    async fn say_that_it_failed(&self, key: &ObjectRef, status: &KafkaStatus) {
        if let Err(unwritten) = self.write_status(key, status).await {
            tracing::warn!(cluster = %key, error = %unwritten, "cannot say in the status why the pass failed");
        }
    }
}

/// When to look again.
fn again(plan: &Plan) -> Outcome {
    plan.requeue_seconds.map_or(Outcome::Done, |seconds| Outcome::Again(Duration::from_secs(seconds)))
}

/// The pause after the caches were behind for so many passes in a row.
fn outdated_pause(times: u32) -> Duration {
    OUTDATED * 2_u32.pow(times.saturating_sub(1).min(OUTDATED_DOUBLINGS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_that_stay_behind_are_asked_less_and_less_often() {
        let pauses: Vec<Duration> = (1..=8).map(outdated_pause).collect();
        assert_eq!(pauses[0], OUTDATED, "the first time it is likely to be over within moments");
        assert!(pauses[..7].windows(2).all(|pair| pair[1] == pair[0] * 2), "{pauses:?}");
        assert!(pauses[6] >= Duration::from_secs(10), "keys are made in each such pass: {pauses:?}");
        assert_eq!((pauses[7], outdated_pause(u32::MAX)), (pauses[6], pauses[6]), "and it goes on trying");
    }
}
