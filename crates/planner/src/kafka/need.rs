//! What a plan has to know, or to have made, before it is complete: each thing is asked for by name, and each question
//! is answered, also by "it is not known, because …".
//!
//! [`Completion`] leads from one to the other and is as pure as the plan: who answers, and from where, is up to the caller.
//! The operator asks Kubernetes and Kafka and makes keys; tests and command lines answer out of what they have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::deleted_cluster::Topic;
use super::observed::{BrokerConfigs, KafkaView, Observed};
use super::ownership::Holder;
use super::plan::{self, Plan};
use super::roll_order::{PodState, RollKafka};
use objects::ObjectId;
use pki::{Material, MaterialRequest};

/// Rounds after which a plan has to be complete.
const ROUNDS: usize = 12;

/// Something that a plan asks for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Need {
    /// A key, a certificate or an identifier that has to be made. Answer: [`Answer::Material`].
    Material(Box<MaterialRequest>),
    /// Whether the volumes of the storage class with this name may grow. Answer: [`Answer::StorageClass`].
    StorageClass(String),
    /// Whose the objects are that have these names, if there are any. Answer: [`Answer::Holders`].
    Holders(Vec<ObjectId>),
    /// Which topics have the topic operator's finalizer. Answer: [`Answer::HeldTopics`].
    HeldTopics,
    /// How Kafka describes itself. Answer: [`Answer::Kafka`].
    Kafka,
    /// Which brokers hold replicas. Answer: [`Answer::BrokersWithReplicas`].
    BrokersWithReplicas,
    /// With which options these brokers run, by node id, in the pods with these UIDs: what a broker said before its pod was
    /// replaced says nothing of it. Answer: [`Answer::BrokerConfigs`].
    BrokerConfigs(BTreeMap<i32, String>),
    /// What a restart of a node would do, while the pods are these: what Kafka said before one of them was replaced says
    /// nothing of it. Answer: [`Answer::Roll`].
    Roll(Pods),
    /// Whether the API server would create this pod. Answer: [`Answer::Admission`].
    Admission {
        /// Its name.
        pod: String,
        /// The whole pod.
        object: Value,
    },
}

/// Which pods there are, by name: their UIDs, and how they are.
pub type Pods = BTreeMap<String, (Option<String>, PodState)>;

/// The answer to a [`Need`].
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// What was made.
    Material(Material),
    /// Whether volumes of the class may grow; `None`: the operator has not the right to know.
    StorageClass(Option<bool>),
    /// What each of the objects says of whose it is; `None`: there is no such object.
    Holders(BTreeMap<ObjectId, Option<Holder>>),
    /// Topics that have the topic operator's finalizer.
    HeldTopics(Vec<Topic>),
    /// What Kafka says of itself.
    Kafka(KafkaView),
    /// Brokers that hold at least one replica.
    BrokersWithReplicas(BTreeSet<i32>),
    /// Options of those brokers that answered.
    BrokerConfigs(BrokerConfigs),
    /// What the safety of a restart depends on.
    Roll(RollKafka),
    /// Whether the API server takes the pod.
    Admission(Admission),
    /// It is not known, or could not be made.
    Unknown(Silence),
}

/// Whether the API server would create a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Admission {
    /// It would.
    Accepted,
    /// It would not, and says why.
    Refused(String),
    /// It cannot be asked, for instance because a webhook takes no part in a dry run.
    Unknown(String),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// What kind of silence.
    pub kind: SilenceKind,
    /// In words.
    pub why: String,
}

/// The kinds of silence: they differ in what a restart can do about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum SilenceKind {
    /// No container runs that could be asked.
    Nobody,
    /// No node that was asked accepts a connection.
    Unreachable,
    /// The nodes that were asked and the operator do not agree on TLS: certificates or trust.
    Tls,
    /// There is no answer yet, or there was none in time.
    Late,
    /// The answer is an error, or cannot be read.
    Refused,
}

/// Characters that are kept of why there is no answer.
const LONGEST_WORDS: usize = 2000;

impl Silence {
    /// A silence of a kind. Of very long words the first are kept: they go into statuses.
    pub fn new(kind: SilenceKind, why: impl Into<String>) -> Self {
        let mut why = why.into();
        if let Some((end, _)) = why.char_indices().nth(LONGEST_WORDS) {
            why.truncate(end);
            why.push('…');
        }
        Self { kind, why }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.why)
    }
}

/// The plan asks again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the plan is not complete after {ROUNDS} rounds of answers")
    }
}

impl std::error::Error for Endless {}

/// A plan on its way from what was observed to being complete.
#[derive(Debug)]
pub struct Completion {
    observed: Observed,
    now: Timestamp,
    rounds: usize,
}

impl Completion {
    /// Begins with what was observed.
    pub fn new(observed: Observed, now: Timestamp) -> Self {
        Self { observed, now, rounds: 0 }
    }

    /// What was observed, with the answers so far.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// The plan as far as the answers allow. It is complete when it needs nothing; else each of its needs is to be
    /// answered with [`Self::answer`] before the next call.
    ///
    /// # Errors
    /// When it has asked too often.
    pub fn plan(&mut self) -> Result<Plan, Endless> {
        if self.rounds == ROUNDS {
            return Err(Endless);
        }
        self.rounds += 1;
        Ok(plan::plan(&self.observed, self.now))
    }

    /// Takes an answer in.
    pub fn answer(&mut self, need: Need, answer: Answer) {
        let observed = &mut self.observed;
        match (need, answer) {
            (Need::Material(request), Answer::Material(material)) => {
                observed.made.insert(request.id().to_owned(), material);
            }
            (Need::StorageClass(class), Answer::StorageClass(may_grow)) => {
                observed.storage_classes.insert(class, may_grow);
            }
            (Need::Holders(_), Answer::Holders(holders)) => observed.holders.extend(holders),
            (Need::HeldTopics, Answer::HeldTopics(topics)) => observed.held_topics = Some(topics),
            (Need::Kafka, Answer::Kafka(view)) => observed.view = Some(view),
            (Need::BrokersWithReplicas, Answer::BrokersWithReplicas(brokers)) => {
                if let Some(view) = &mut observed.view {
                    view.brokers_with_replicas = Some(brokers);
                }
            }
            (need @ Need::BrokerConfigs(_), Answer::BrokerConfigs(configs)) => match &mut observed.view {
                Some(view) if !configs.is_empty() => view.broker_configs = configs,
                _ => observed.unanswered.push((need, Silence::new(SilenceKind::Late, "no broker answered"))),
            },
            (Need::Roll(_), Answer::Roll(view)) => observed.roll = Some(view),
            (Need::Admission { pod, .. }, Answer::Admission(admission)) => {
                observed.admissions.insert(pod, admission);
            }
            (need, Answer::Unknown(silence)) => observed.unanswered.push((need, silence)),
            (need, _) => {
                let silence = Silence::new(SilenceKind::Refused, "the answer is to another question");
                observed.unanswered.push((need, silence));
            }
        }
    }
}

/// Plans until nothing is asked any more. Returns what was observed, answers included, and the complete plan.
///
/// # Errors
/// When the plan asks again and again.
pub fn complete(
    observed: Observed,
    now: Timestamp,
    mut answer: impl FnMut(&Need) -> Answer,
) -> Result<(Observed, Plan), Endless> {
    let mut completion = Completion::new(observed, now);
    loop {
        let plan = completion.plan()?;
        if plan.needs.is_empty() {
            return Ok((completion.observed, plan));
        }
        for need in plan.needs {
            let answer = answer(&need);
            completion.answer(need, answer);
        }
    }
}

impl Observed {
    /// Why a need has no answer; `None`: it was not asked for yet, or has one.
    pub fn silence(&self, need: &Need) -> Option<&Silence> {
        self.unanswered.iter().find(|(asked, _)| asked == need).map(|(_, silence)| silence)
    }
}
