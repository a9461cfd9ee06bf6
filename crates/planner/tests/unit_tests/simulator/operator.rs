//! The operator around the planner, as far as a roll depends on it: how it asks Kafka (`late_answers.rs`, `roll_calls.rs`), what it looks
//! at before it deletes a pod (`restart_pods.rs`), and what it forgets when it dies.

use std::collections::{BTreeMap, BTreeSet};

use planner::kafka::need::Pods;
use planner::kafka::observed::PutOff;
use planner::kafka::roll_view::{RollBrokers, RollKafka};
use planner::silence::{Silence, SilenceKind};

use super::kafka::Kafka;
use super::kubernetes::timestamp;
use super::node::Stage;
use super::partition::Partition;
use super::random::Random;

/// A question is given up after this long.
pub(super) const DEADLINE_MS: u64 = 15_000;

/// A late answer is used that long.
pub(super) const FRESH_MS: u64 = 2000;

/// An answer that takes longer is trouble.
pub(super) const USUAL_MS: u64 = 5000;

/// A look that takes longer is taken once more.
pub(super) const SLOW_MS: u64 = 1000;

/// What Kafka said, and how it was at that moment.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// The answer.
    pub view: RollKafka,
    /// All of Kafka at that moment.
    pub truth: Box<Kafka>,
    /// That moment.
    pub at: u64,
}

/// A question under way.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// What it is about.
    pub about: Pods,
    /// When it was asked.
    pub asked_at: u64,
    /// When Kafka looks.
    pub looks_at: u64,
    /// When its answer comes.
    pub answered_at: u64,
    /// The answer.
    pub told: Option<Told>,
}

/// What a plan depends on of a process's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// UIDs of pods that it deleted.
    pub restarted: BTreeSet<String>,
    /// Why the last restart was not made.
    pub put_off: Option<PutOff>,
}

/// What a process of the operator has in its memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Operator {
    /// When it runs; before, none does.
    pub starts_at: u64,
    /// When it makes its next pass.
    pub next_pass: u64,
    /// What plans depend on of it.
    pub memory: Memory,
    /// What it asks.
    pub question: Option<Question>,
    /// How the last question failed, and when it asks again.
    pub failure: Option<(Pods, u64)>,
    /// Failures in a row.
    pub failures: u32,
}

impl Operator {
    /// Another process takes its place.
    pub(super) fn die(&mut self, back_at: u64) {
        *self = Self { starts_at: back_at, next_pass: back_at, ..Self::default() };
    }

    /// Time passes: Kafka looks when it is time.
    pub(super) fn advance(&mut self, kafka: &Kafka, lies: bool, now: u64, random: &mut Random) {
        if self.question.as_ref().is_some_and(|question| now > question.answered_at + FRESH_MS) {
            self.question = None;
        }
        let Some(question) = &mut self.question else { return };
        if question.told.is_none() && now >= question.looks_at {
            question.told =
                Some(Told { view: look(kafka, lies, now, random), truth: Box::new(kafka.clone()), at: now });
        }
        if now >= question.asked_at + DEADLINE_MS && question.answered_at > now {
            let pause = (1000 << self.failures.min(4)).min(15_000);
            self.failures += 1;
            self.failure = Some((question.about.clone(), now + pause));
            self.next_pass = self.next_pass.min(now + pause);
            self.question = None;
        }
    }
}

/// What Kafka says at this moment. `lies`: that all replicas are in sync.
fn look(kafka: &Kafka, lies: bool, now: u64, random: &mut Random) -> RollKafka {
    let asked_at = Some(timestamp(now));
    let runs = |broker: bool| {
        kafka.nodes.values().any(|node| node.works(now) && if broker { node.broker } else { node.controller })
    };
    let nobody =
        |what: &str| Silence::new(SilenceKind::Unreachable, format!("no {what} accepts a connection"));
    let quorum = match kafka.quorum.told(&kafka.nodes, now, random) {
        Some(quorum) => Ok(Some(quorum)),
        None if runs(false) => Ok(None),
        None => Err(nobody("controller")),
    };
    let brokers = if runs(true) {
        brokers(kafka, quorum.as_ref().ok().and_then(Option::as_ref).is_some(), lies, now)
    } else {
        Err(nobody("broker"))
    };
    RollKafka { asked_at, quorum, brokers }
}

/// The partitions as an up-to-date broker knows them: two are asked that are least behind.
fn brokers(kafka: &Kafka, quorum_is_known: bool, lies: bool, now: u64) -> Result<RollBrokers, Silence> {
    let mut able: Vec<_> = kafka
        .nodes
        .values()
        .filter_map(|node| Some((node, node.process.as_ref()?)))
        .filter(|(node, process)| node.broker && process.works(now) && process.stage == Stage::Serves)
        .collect();
    able.sort_by_key(|(node, process)| (now - process.caught_up, node.id));
    let up_to_date = able.iter().take(2).find(|(_, process)| process.behind.is_none());
    let (told_by, mut partitions): (_, Vec<_>) = match (up_to_date, able.first()) {
        (Some((node, _)), _) if quorum_is_known => {
            (Some(node.id), kafka.metadata.partitions.iter().map(Partition::told).collect())
        }
        (_, None) => return Err(Silence::new(SilenceKind::Late, "no broker serves")),
        (None, Some(_)) if quorum_is_known => {
            return Err(Silence::new(SilenceKind::Refused, "the brokers are behind the controllers"));
        }
        // Who is behind is not known.
        (_, Some((_, process))) => {
            let known = process.behind.as_ref().map_or(&kafka.metadata.partitions, |(_, known)| known);
            (None, known.iter().map(Partition::told).collect())
        }
    };
    if lies {
        for one in &mut partitions {
            one.isr.clone_from(&one.replicas);
        }
    }
    let racks: BTreeMap<i32, Option<String>> =
        kafka.metadata.registered.keys().map(|id| (*id, Some(kafka.nodes[id].rack.clone()))).collect();
    Ok(RollBrokers { partitions, registered: racks, told_by })
}
