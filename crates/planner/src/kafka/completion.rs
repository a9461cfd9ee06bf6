//! From what was observed to a complete plan: the plan says what it needs, each need is answered, and the cluster is planned
//! again.
//!
//! This is as pure as the plan: who answers, and from where, is up to the caller. The operator asks Kubernetes and Kafka and
//! makes keys; tests and command lines answer out of what they have.

use std::fmt;

use jiff::Timestamp;

use super::answer::Answer;
use super::exposed::NodeAddresses;
use super::need::Need;
use super::observed::Observed;
use super::older::implied;
use super::plan;
use super::planned::Plan;
use super::silence::{Silence, SilenceKind};

/// Rounds after which a plan has to be complete.
const ROUNDS: usize = 12;

/// The plan asks again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeverComplete;

impl fmt::Display for NeverComplete {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the plan is not complete after {ROUNDS} rounds of answers")
    }
}

impl std::error::Error for NeverComplete {}

/// A plan on its way from what was observed to being complete.
#[derive(Debug)]
pub struct Completion {
    observed: Observed,
    now: Timestamp,
    rounds: usize,
}

impl Completion {
    /// Begins with what was observed.
    pub fn new(mut observed: Observed, now: Timestamp) -> Self {
        implied::add(&mut observed, now);
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
    pub fn plan(&mut self) -> Result<Plan, NeverComplete> {
        if self.rounds == ROUNDS {
            return Err(NeverComplete);
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
            (Need::NodeAddresses(names), Answer::NodeAddresses(found)) => {
                // A node that is gone has none.
                let missing = names.into_iter().filter(|name| !found.contains_key(name));
                let missing = missing.map(|name| (name, NodeAddresses::default())).collect::<Vec<_>>();
                observed.exposed.node_addresses.extend(found.into_iter().chain(missing));
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
) -> Result<(Observed, Plan), NeverComplete> {
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
