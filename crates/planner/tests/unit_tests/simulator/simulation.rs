//! One simulated cluster: time passes, things go wrong, the operator makes its passes, and every restart is held against the laws.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use planner::kafka::answer::Answer;
use planner::kafka::need::{Admission, Need, Pods};
use planner::kafka::observed::PutOff;
use planner::kafka::restart::Restart;
use planner::kafka::roll::Roll;
use planner::restart_reason::RestartReason;
use planner::silence::{Silence, SilenceKind};

use super::kafka::{Kafka, Loss};
use super::kubernetes::{Kubernetes, timestamp};
use super::mind::{Decided, Mind};
use super::node::Node;
use super::operator::{FRESH_MS, Operator, Question, SLOW_MS, Told, USUAL_MS};
use super::random::Random;

/// Longest piece of time in which everybody acts once.
const TICK_MS: u64 = 500;

/// How long a partition that was harmed is excused at least.
const EXCUSED_MS: u64 = 60_000;

/// How long a careless operator uses an answer.
const OLD_MS: u64 = 30_000;

/// What is wrong with the operator on purpose, so that a test sees that the laws find it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Kafka says that every replica is in sync.
    Lies,
    /// Answers are used again for other pods, and neither their age nor the pods are looked at before a pod is deleted.
    Careless,
    /// A restart takes further pods of the rack along, without a look at what they share.
    Greedy,
    /// A node that answers nothing is restarted whatever Kafka says.
    Hasty,
}

/// What happened, in numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub steps: u64,
    pub passes: u64,
    pub restarts: u64,
    /// Restarts of several pods at once.
    pub batches: u64,
    pub waits: u64,
    pub put_off: u64,
    pub deaths: u64,
    pub troubles: u64,
    /// Restarts that were right for what Kafka had said, and wrong a moment later.
    pub races: u64,
    /// Records that were lost by others than the planner.
    pub lost_by_others: u64,
    /// Restarts of nodes that answered nothing.
    pub unresponsive_restarts: u64,
    pub finished: u64,
}

/// A cluster.
pub(super) struct Simulation {
    pub random: Random,
    pub now: u64,
    pub kafka: Kafka,
    pub kubernetes: Kubernetes,
    pub operator: Operator,
    pub mind: Option<Mind>,
    pub fault: Fault,
    pub counts: Counts,
    /// Until when Kafka takes its time to answer.
    pub kafka_slow_until: u64,
    /// What was found.
    pub violation: Option<String>,
    /// The last wait of the roll.
    pub waits: Option<String>,
    /// Partitions whose records others than the planner may have lost.
    pub excused: BTreeMap<usize, u64>,
    pub wiped_at: BTreeMap<i32, u64>,
    /// When the Kafka of nodes stops answering, and which ones of all in their order.
    pub stops_answering: Vec<(u64, usize)>,
    /// Nodes whose pods were deleted for a plan.
    pub deleted: BTreeSet<i32>,
    /// Others than the planner destroyed what controllers had stored, and they do not all have it again.
    controllers_harmed: bool,
    /// Restarts that were made, each with its cause.
    pub restarts: BTreeSet<(i32, String)>,
    /// The nodes that were restarted together, in their order.
    pub batches: Vec<BTreeSet<i32>>,
    /// What Kafka said, for the pass that is made.
    pub told: Option<Told>,
    old: Option<Told>,
    seen: BTreeMap<String, Arc<Pod>>,
    story: Vec<String>,
}

impl Simulation {
    pub(super) fn new(random: Random, kafka: Kafka, mind: Mind, fault: Fault) -> Self {
        let kubernetes = Kubernetes::of(mind.listed());
        Self {
            random,
            now: 10_000,
            kafka,
            kubernetes,
            operator: Operator::default(),
            mind: Some(mind),
            fault,
            counts: Counts::default(),
            kafka_slow_until: 0,
            violation: None,
            waits: None,
            excused: BTreeMap::new(),
            wiped_at: BTreeMap::new(),
            stops_answering: Vec::new(),
            deleted: BTreeSet::new(),
            controllers_harmed: false,
            restarts: BTreeSet::new(),
            batches: Vec::new(),
            told: None,
            old: None,
            seen: BTreeMap::new(),
            story: Vec::new(),
        }
    }

    /// Notes what happened.
    pub(super) fn tell(&mut self, what: impl Into<String>) {
        let line = format!("{:>8.1} s  {}", self.now as f64 / 1000.0, what.into());
        if self.story.len() > 400 {
            self.story.drain(..200);
        }
        self.story.push(line);
    }

    pub(super) fn violated(&mut self, what: &str) {
        if self.violation.is_none() {
            let mut text = format!("{what}\n");
            for line in self.story.iter().rev().take(60).rev() {
                let _ = writeln!(text, "{line}");
            }
            let _ = writeln!(
                text,
                "eligible leaders {}, dynamic quorum {}, nodes {:?}",
                self.kafka.metadata.elr,
                self.kafka.quorum.dynamic,
                self.kafka.nodes.values().map(Node::words).collect::<Vec<_>>()
            );
            self.violation = Some(text);
        }
    }

    /// Time passes, and everybody but the operator acts.
    pub(super) fn advance(&mut self, mut ms: u64) {
        while ms > 0 && self.violation.is_none() {
            let tick = ms.min(TICK_MS);
            ms -= tick;
            self.now += tick;
            self.counts.steps += 1;
            for loss in self.kafka.advance(tick, self.now, &mut self.random) {
                self.judge(&loss);
            }
            for id in self.kubernetes.advance(&mut self.kafka, self.now, &mut self.random) {
                if !self.deleted.remove(&id) {
                    self.harms_disk(id);
                }
                self.tell(format!("the disk of node {id} went with its pod"));
            }
            let lies = self.fault == Fault::Lies;
            self.operator.advance(&self.kafka, lies, self.now, &mut self.random);
            self.controllers_harmed &=
                !self.kafka.quorum.is_whole(&self.kafka.nodes, &self.kafka.metadata, self.now);
            let (kafka, now) = (&self.kafka, self.now);
            self.excused.retain(|index, since| {
                let one = &kafka.metadata.partitions[*index];
                let all = one.replicas.len();
                let is_whole =
                    one.leader.is_some() && one.isr.len() == all && kafka.complete(*index).len() == all;
                !is_whole || *since + EXCUSED_MS > now
            });
        }
    }

    /// Others than the planner destroy a disk, or have destroyed it.
    pub(super) fn harms_disk(&mut self, id: i32) {
        self.wiped_at.insert(id, self.now);
        self.controllers_harmed |= self.kafka.nodes[&id].controller;
        for index in 0..self.kafka.metadata.partitions.len() {
            let one = &self.kafka.metadata.partitions[index];
            if !one.replicas.contains(&id) {
                continue;
            }
            let complete = self.kafka.complete(index);
            // Kafka counts on what it does not know to be lost, until the broker comes back.
            let counts = [&one.isr, &one.eligible, &one.last_known].iter().any(|ids| ids.contains(&id));
            if counts || complete.iter().all(|other| *other == id) {
                self.excused.insert(index, self.now);
            }
        }
    }

    /// A node falls silent while others that the planner restarts are on their way down: nobody could know.
    pub(super) fn falls_silent(&mut self, id: i32) {
        let going: Vec<i32> =
            self.deleted.iter().copied().filter(|id| self.kafka.nodes[id].ephemeral).collect();
        let partitions = self.kafka.metadata.partitions.iter().enumerate();
        let meets = |ids: &[i32]| ids.contains(&id) && going.iter().any(|other| ids.contains(other));
        // Without a majority of controllers no broker stops in order, whatever partitions it has.
        let quorum: Vec<i32> = self.kafka.quorum.voters.keys().copied().collect();
        let all = meets(&quorum);
        let met: Vec<usize> = partitions
            .filter(|(_, one)| {
                meets(&one.replicas) || all && one.replicas.iter().any(|id| going.contains(id))
            })
            .map(|(index, _)| index)
            .collect();
        self.excuse(met.into_iter());
    }

    fn judge(&mut self, loss: &Loss) {
        let partition = match loss {
            Loss::Elected { partition, .. } | Loss::Gone { partition } => Some(*partition),
            Loss::Decided => None,
        };
        let is_excused = match partition {
            Some(index) => self.excused.contains_key(&index),
            None => self.controllers_harmed,
        };
        let state = partition.map(|index| format!("{:?}", self.kafka.metadata.partitions[index]));
        self.tell(format!("lost: {loss:?} {state:?}"));
        if is_excused {
            self.counts.lost_by_others += 1;
        } else {
            self.violated(&format!("records are lost: {loss:?}, {state:?}"));
        }
    }

    /// Whether something happened that brings a pass.
    pub(super) fn is_pass_due(&self) -> bool {
        let answered =
            self.operator.question.as_ref().is_some_and(|question| self.now >= question.answered_at);
        let same = |(name, pod): (&String, &Arc<Pod>)| {
            self.kubernetes.cache.get(name).is_some_and(|other| Arc::ptr_eq(pod, other))
        };
        let is_new = self.seen.len() != self.kubernetes.cache.len() || !self.seen.iter().all(same);
        self.now >= self.operator.starts_at && (answered || is_new || self.now >= self.operator.next_pass)
    }

    /// The operator makes a pass. `dies`: after so many of its actions.
    pub(super) fn pass(&mut self, dies: Option<u32>) {
        if let Some(mut mind) = self.mind.take() {
            self.pass_with(&mut mind, dies);
            self.mind = Some(mind);
        }
    }

    fn pass_with(&mut self, mind: &mut Mind, mut dies: Option<u32>) {
        self.counts.passes += 1;
        let mut dies_now = |simulation: &mut Self| {
            let ends = dies == Some(0);
            dies = dies.map(|left| left.saturating_sub(1));
            if ends {
                simulation.dies();
            }
            ends
        };
        self.seen.clone_from(&self.kubernetes.cache);
        self.told = None;
        let began = self.now;
        let memory = self.operator.memory.clone();
        let pods = self.seen.clone();
        let decided = mind.plan(pods.clone(), &memory, timestamp(began), |need| self.answer(need));
        self.check_words(&decided, &memory.restarted);
        let longest = if self.random.permille(30) { 8000 } else { 600 };
        let writing = self.random.within(10..longest);
        self.advance(writing);
        if dies_now(self) {
            return;
        }
        let mut going = decided.roll.going(&decided.changed);
        match self.fault {
            Fault::Greedy => self.add_a_rack(&mut going, &decided.roll),
            Fault::Hasty if going.is_empty() => going.extend(first_unresponsive(&decided.roll)),
            _ => {}
        }
        let mut gone = BTreeSet::new();
        let outdated = !going.is_empty() && self.is_outdated(&decided.roll, &pods, &gone);
        if outdated {
            self.counts.put_off += 1;
            let since = memory.put_off.map_or(timestamp(self.now), |before| before.since);
            let why = "what was planned for is not so any more".to_owned();
            self.operator.memory.put_off = Some(PutOff { why, since });
        } else {
            if !going.is_empty() || decided.roll.wanted.is_empty() {
                self.operator.memory.put_off = None;
            }
            let batch = self.nodes_of(&going);
            for pod in &going {
                let pause = self.random.within(1..200);
                self.advance(pause);
                if !gone.is_empty() && self.is_outdated(&decided.roll, &pods, &gone) {
                    self.tell("the rest of the batch waits");
                    break;
                }
                self.restart(pod, &decided.roll, &pods, &batch);
                gone.insert(pod.clone());
                if dies_now(self) {
                    return;
                }
            }
        }
        mind.write(&decided, timestamp(began));
        self.kubernetes.wanted = mind.listed();
        let again = if outdated { 1 } else { decided.again.unwrap_or(15).max(1) };
        self.operator.next_pass = self.now + again * 1000;
    }

    pub(super) fn dies(&mut self) {
        self.counts.deaths += 1;
        let back = self.now + self.random.within(1000..20_000);
        self.tell("the operator dies");
        self.operator.die(back);
        self.seen.clear();
    }

    /// A plan that has something to restart says what goes or what is waited for.
    fn check_words(&mut self, decided: &Decided, restarted: &BTreeSet<String>) {
        let roll = &decided.roll;
        self.waits =
            roll.waits.as_ref().map(|waits| format!("{waits:?}; the status says {:?}", decided.said));
        if let Some(waits) = &self.waits {
            self.counts.waits += 1;
            let waits = waits.clone();
            self.tell(format!("waits: {waits}"));
        }
        let is_due = roll.wanted.iter().any(|restart| {
            let live = self.seen.get(&restart.pod).and_then(|pod| pod.metadata.uid.as_ref());
            live.is_some_and(|uid| !restarted.contains(uid))
        });
        let waits = roll.waits.as_ref();
        if is_due && roll.now.is_empty() && waits.is_none_or(|waits| waits.why.is_empty()) {
            self.violated(&format!("restarts are due, none is made and nothing says why: {:?}", roll.wanted));
        }
        if waits.is_some_and(|waits| !waits.is_usual()) && decided.said.is_none() {
            self.violated(&format!("the status does not say that the roll waits: {waits:?}"));
        }
    }

    fn answer(&mut self, need: &Need) -> Answer {
        match need {
            Need::Roll(about) => match self.remembered().map_or_else(|| self.ask(about), Ok) {
                Ok(told) => {
                    let view = told.view.clone();
                    self.old = (self.fault == Fault::Careless).then(|| told.clone());
                    self.told = Some(told);
                    Answer::Roll(view)
                }
                Err(silence) => Answer::Unknown(silence),
            },
            Need::UnresponsiveNodes(_) => {
                Answer::UnresponsiveNodes(self.kubernetes.unresponsive_nodes(&self.kafka, self.now))
            }
            // A process that crashed recovers while it starts, and is not asked here.
            Need::Recoveries(_) => Answer::Recoveries(BTreeMap::new()),
            Need::Admission { .. } => Answer::Admission(Admission::Accepted),
            need => panic!("{need:?}"),
        }
    }

    /// What a careless operator takes for an answer: one that it had half a minute ago, about whatever pods there were.
    fn remembered(&self) -> Option<Told> {
        let old =
            self.old.as_ref().filter(|old| self.fault == Fault::Careless && old.at + OLD_MS > self.now)?;
        let mut told = old.clone();
        told.view.asked_at = Some(timestamp(self.now));
        Some(told)
    }

    /// Asks Kafka as `late_answers.rs` does.
    fn ask(&mut self, about: &Pods) -> Result<Told, Silence> {
        let under_way = |asked_at: u64, now: u64| {
            let kind = if now < asked_at + USUAL_MS { SilenceKind::UnderWay } else { SilenceKind::Late };
            Silence::new(kind, "Kafka has not answered yet")
        };
        if let Some(question) = self.operator.question.take() {
            let is_same = question.about == *about;
            if self.now >= question.answered_at {
                if is_same && self.now < question.answered_at + FRESH_MS {
                    return Ok(question.told.unwrap());
                }
            } else if is_same {
                let silence = under_way(question.asked_at, self.now);
                self.operator.question = Some(question);
                return Err(silence);
            }
        }
        if let Some((failed, again_at)) = &self.operator.failure
            && failed == about
            && self.now < *again_at
        {
            return Err(Silence::new(SilenceKind::Late, "Kafka has not answered within 15 s"));
        }
        let asked_at = self.now;
        let is_slow = self.now < self.kafka_slow_until;
        let look =
            |random: &mut Random| if is_slow { random.within(300..9000) } else { random.within(20..400) };
        let first = look(&mut self.random);
        let second = if first > SLOW_MS { look(&mut self.random) } else { 0 };
        let (looks_at, answered_at) = if second > 0 {
            (asked_at + first, asked_at + first + second)
        } else {
            (asked_at, asked_at + first)
        };
        let about = about.clone();
        self.operator.question = Some(Question { about, asked_at, looks_at, answered_at, told: None });
        let lies = self.fault == Fault::Lies;
        self.operator.advance(&self.kafka, lies, self.now, &mut self.random);
        self.advance((answered_at - asked_at).min(500));
        match self.operator.question.take() {
            Some(question) if self.now >= question.answered_at && question.told.is_some() => {
                self.operator.failures = 0;
                Ok(question.told.unwrap())
            }
            question => {
                self.operator.question = question;
                Err(under_way(asked_at, self.now))
            }
        }
    }

    pub(super) fn excuse(&mut self, partitions: impl Iterator<Item = usize>) {
        let now = self.now;
        self.excused.extend(partitions.map(|index| (index, now)));
    }
}

/// A pod that answers nothing.
fn first_unresponsive(roll: &Roll) -> Option<String> {
    let is_one = |restart: &&Restart| restart.reasons.contains(&RestartReason::PodUnresponsive);
    roll.wanted.iter().find(is_one).map(|restart| restart.pod.clone())
}
