//! Looks after Kafka resources: what a process remembers of each, and what the steps of a pass share. The steps themselves
//! are in [`driver`].

mod driver;
mod leaving;
mod refusals;
mod restarts;
mod view;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use api::Kafka;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::clock;
use operator_runtime::env::Namespaces;
use operator_runtime::events::Events;
use operator_runtime::leader::Mandate;
use operator_runtime::queue::Queue;
use operator_runtime::status::WantedStatuses;
use operator_runtime::watch::ObjectRef;
use serde_json::json;

use self::refusals::Refusals;
use super::answers::Answers;
use super::certificate_metrics::CertificateMetrics;
use super::observe::Observer;
use super::option_calls;
use super::roll_metrics::RollMetrics;
use crate::caches::Caches;
use crate::deleted_pods::{DeletedPods, uids};
use crate::kind::Error;
use crate::lock::lock;
use crate::node_pools;
use crate::pod_set::errors::PodErrors;
use crate::room::Room;
use crate::unreadable;
use planner::kafka::config::live::memory::OptionChange;
use planner::kafka::config::live::memory::OptionMemory;
use planner::kafka::drain_view::DrainProgress;
use planner::kafka::observed::{Observed, PutOff};
use planner::kafka::plan::Plan;
use planner::kafka::taken_up::Waiting;
use planner::roll::waiting::WaitKind;

/// What a process remembers of a cluster from pass to pass. Nothing that cannot be lost: a new process does without.
#[derive(Debug, Default)]
struct Memory {
    /// What former passes found out about the options of brokers.
    options: OptionMemory,
    /// Why the restart that was planned last was not made.
    put_off: Option<PutOff>,
    /// Pods that the last plan waited for to take new certificates up.
    taking_up: BTreeMap<String, Waiting>,
    /// How far partitions were moved off nodes in the last pass.
    draining: Option<DrainProgress>,
    /// What the roll waited for in the last pass.
    waited_for: Option<String>,
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
    /// How long restarts have been waiting.
    pub roll_metrics: RollMetrics,
    /// When authorities end.
    pub certificate_metrics: CertificateMetrics,
    /// The room for plans of all kinds.
    pub room: Room,
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
    roll_metrics: RollMetrics,
    certificate_metrics: CertificateMetrics,
    mandate: Mandate,
    /// How many large clusters are planned at a time.
    room: Room,
    memories: Mutex<HashMap<ObjectRef, Memory>>,
    /// Every cluster that there is a resource of, or was until a pass cleared up after it.
    seen: Mutex<HashSet<ObjectRef>>,
    deleted_pods: DeletedPods,
    /// What the statuses of node pools are to be.
    pool_statuses: Arc<WantedStatuses>,
    /// Since when it is known of clusters that their resource is gone, while something is left to clear up.
    gone_since: Mutex<HashMap<ObjectRef, Timestamp>>,
}

impl Reconciler {
    /// From the parts that all passes share.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            caches,
            applier,
            observer,
            answers,
            events,
            pod_errors,
            roll_metrics,
            certificate_metrics,
            room,
            mandate,
        } = parts;
        Self {
            caches,
            applier,
            observer,
            answers,
            events,
            pod_errors,
            roll_metrics,
            certificate_metrics,
            mandate,
            room,
            memories: Mutex::default(),
            seen: Mutex::default(),
            deleted_pods: DeletedPods::default(),
            pool_statuses: Arc::default(),
            gone_since: Mutex::default(),
        }
    }

    /// Brings another pass when the status of a node pool is not the last wanted one.
    pub(crate) fn watch_pool_statuses(&self, queue: &Queue<ObjectRef>) {
        let (statuses, queue, known) = (Arc::clone(&self.pool_statuses), queue.clone(), self.caches.clone());
        self.caches.pools.on_change(move |event| {
            if statuses.differ(event) {
                for cluster in node_pools::concerned(&known, event.latest()) {
                    queue.add(cluster);
                }
            }
        });
    }

    /// Waits until every cache is filled.
    pub(crate) async fn ready(&self) {
        self.caches.ready().await;
    }

    /// What is known of a live cluster without asking: the caches, and what this process remembers; and how many bytes of memory
    /// take what the resource refers to.
    async fn observe_live(
        &self,
        key: &ObjectRef,
        kafka: &Arc<Kafka>,
    ) -> Result<Option<(Observed, usize)>, ApplyError> {
        let Some((mut observed, referred)) = self.observer.observe(key, Arc::clone(kafka)).await? else {
            return Ok(None);
        };
        observed.pod_errors = self.pod_errors.of_sets(&key.namespace, observed.pod_sets.keys());
        unreadable::note_parts(&self.caches, key, &mut observed);
        let live = uids(observed.pods.values());
        observed.restarted = self.deleted_pods.still_shown(&self.applier, key, &live).await?;
        self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            observed.options.clone_from(&memory.options);
            observed.put_off.clone_from(&memory.put_off);
            observed.taking_up.clone_from(&memory.taking_up);
            observed.draining.clone_from(&memory.draining);
        });
        self.answers.forget_unless_ready(key, &observed);
        Ok(Some((observed, referred)))
    }

    /// Keeps for the next pass what this one found out about the options of brokers, and about partitions that move. A plan without nodes, of a resource
    /// that is wrong, knows nothing of them.
    fn remember(&self, key: &ObjectRef, plan: &Plan, refusals: Refusals, told: bool) {
        if plan.nodes.is_empty() {
            return;
        }
        for (change, why) in &refusals.options {
            tracing::warn!(cluster = %key, ?change, why, "Kafka refused to change an option at run time");
        }
        for (feature, refused) in &refusals.features {
            tracing::warn!(cluster = %key, feature, why = refused.why, "Kafka refused to raise the level of a feature");
        }
        let mut options = plan.options.clone();
        options.refused.extend(refusals.options);
        options.metadata_refused = refusals.metadata;
        options.features_refused = refusals.features;
        if !told {
            options.settled = None;
        }
        self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            (memory.options, memory.draining) = (options, plan.draining.clone());
        });
    }

    /// Writes into the annotations of pods that they run with their new certificates, and keeps for the next pass which pods do not yet.
    /// A pod whose annotations cannot be written restarts, and holds nothing up.
    async fn certificates_taken_up(&self, key: &ObjectRef, plan: &Plan) {
        // A plan of a resource that is wrong knows nothing of the nodes.
        if plan.nodes.is_empty() {
            return;
        }
        let mut taking_up = plan.taking_up.clone();
        for taken in &plan.taken_up {
            let pod = ObjectRef::new(&key.namespace, &taken.pod);
            let patch = json!({"metadata": {"uid": taken.uid, "annotations": taken.annotations}});
            match self.applier.merge::<Pod>(&pod, &patch).await {
                Ok(_) => {
                    tracing::info!(cluster = %key, pod = taken.pod, "the pod says with which certificates it runs");
                }
                Err(error) => {
                    tracing::warn!(cluster = %key, pod = taken.pod, %error, "the pod cannot be told with which certificates it runs");
                    // A pod that is waited for already goes on being waited for.
                    taking_up.entry(taken.pod.clone()).or_insert_with(|| Waiting {
                        wanted: taken.annotations.clone(),
                        since: Timestamp::UNIX_EPOCH,
                        asked: clock::now(),
                    });
                }
            }
        }
        self.memory(|memories| memories.entry(key.clone()).or_default().taking_up = taking_up);
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
        act(&mut lock(&self.memories))
    }

    /// Clusters that have topics and no Kafka resource that this operator looks after: they may have been deleted
    /// while no operator ran.
    pub(crate) async fn strays(&self, namespaces: &Namespaces) -> Result<Vec<ObjectRef>, Error> {
        let named = self.observer.clusters_of_topics(namespaces).await?;
        Ok(named.into_iter().filter(|key| !self.caches.kafkas.contains(key)).collect())
    }
}
