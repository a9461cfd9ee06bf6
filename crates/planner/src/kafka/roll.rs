//! The roll as a part of the plan: which pods go now, and what the others wait for.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use api::StrimziPodSet;
use api::conditions::reasons;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube_core::Resource;
use objects::{ObjectId, Write};
use serde::Serialize;

use super::cluster::{Cluster, Node, Warning};
use super::config::server::quorum_fetch_timeout_ms;
use super::lost;
use super::need::{Admission, Need, Pods};
use super::observed::Observed;
use super::operator_hold::HeldPlan;
use super::operator_turns::TurnState;
use super::pod_state;
use super::restart::Restart;
use super::restart_reasons::is_new_with_claims;
use super::roll_basis::RollBasis;
use super::roll_order::{self, Decision};
use super::roll_recovery;
use super::roll_rules::Rules;
use super::roll_view::{Batches, RollKafka, RollNode};
use super::unresponsive;
use crate::restart_reason::RestartReason;
use crate::roll::waiting::{self, WaitKind, Waiting};
use crate::silence::{Silence, SilenceKind};

/// Partitions that a warning names.
const NAMED: usize = 10;

/// How long a batch waits until it is full, in all of a wait: then it goes as it is.
const GATHERING: SignedDuration = SignedDuration::from_mins(1);

/// The next step of a roll.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Roll {
    /// Every pod that is to be restarted when it is safe, with all reasons.
    pub wanted: Vec<Restart>,
    /// Names of the pods to delete now; the pod-set controller makes them again.
    pub now: Vec<String>,
    /// Claims that are deleted before the pods of `now` that mount them, by pod: each with its UID. Kubernetes keeps a claim as long
    /// as its pod runs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, BTreeMap<String, Option<String>>>,
    /// Pods of `now` whose pod set this plan changes, by name, with that set. When its write has changed it, they go with the next
    /// pass, which the watch brings: the pod-set controller works from the same cache, and would make the pod once more as the
    /// set was before, to be restarted again.
    pub unless_changed: BTreeMap<String, ObjectId>,
    /// What keeps every other restart that is due from being made; `None`: nothing is due, or a pod goes now, unless that was tried
    /// for a while and put off each time.
    pub waits: Option<Waiting>,
    /// Restarts that a new version of the operator brings, and that wait until a user approves them or a maintenance window opens:
    /// `wanted` has none of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldPlan>,
    /// How far the cluster is with the pods that the present operator wants; `None`: it cannot be planned.
    #[serde(skip)]
    pub turn: Option<TurnState>,
    /// What Kafka said of the pods that go now or wait; `None`: the pods alone decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<RollBasis>,
}

impl Roll {
    /// The pods to delete now, when the writes of the plan have changed these objects: all or none, since what stays behind of a batch
    /// is a batch of its own.
    pub fn going(&self, changed: &BTreeSet<ObjectId>) -> Vec<String> {
        let stays = |pod: &String| self.unless_changed.get(pod).is_some_and(|set| changed.contains(set));
        if self.now.iter().any(stays) { Vec::new() } else { self.now.clone() }
    }

    /// Notes which pods go only when the write of their set changes nothing. `pods` are all of them, each with its set.
    pub fn heed_writes<'a>(&mut self, pods: impl Iterator<Item = (&'a str, &'a str)>, writes: &[Write]) {
        let sets = writes.iter().filter(|write| write.reference.kind == StrimziPodSet::kind(&()));
        let changing: BTreeMap<&str, &ObjectId> = sets
            .filter(|write| write.is_change())
            .map(|write| (write.reference.name.as_str(), &write.reference))
            .collect();
        for (pod, set) in pods.filter(|(pod, _)| self.now.iter().any(|going| going == pod)) {
            if let Some(set) = changing.get(set) {
                self.unless_changed.insert(pod.to_owned(), (*set).clone());
            }
        }
    }

    /// What the restart of a pod waits for; `None`: it goes now, or none is wanted.
    pub fn waits_for(&self, pod: &str) -> Option<String> {
        let is_wanted = self.wanted.iter().any(|restart| restart.pod == pod);
        if !is_wanted || self.now.iter().any(|going| going == pod) {
            return None;
        }
        let others = || format!("the restart of {}", self.now.join(", "));
        Some(self.waits.as_ref().map_or_else(others, |waits| waits.why.clone()))
    }
}

/// What deciding about a roll yields.
#[derive(Debug, Default)]
pub struct DecidedRoll {
    /// The step.
    pub roll: Roll,
    /// What has to be known first.
    pub needs: Vec<Need>,
    /// What deserves a look.
    pub warnings: Vec<Warning>,
}

impl DecidedRoll {
    /// With a warning of what is waited for.
    fn with_words(mut self) -> Self {
        if let Some(waits) = self.roll.waits.as_ref().filter(|waits| !waits.is_usual()) {
            let reason = reasons::ROLLING_UPDATE_WAITS.to_owned();
            self.warnings.push(Warning { reason, message: waits.why.clone() });
        }
        self
    }

    /// Lets no pod go: first the user has to act.
    pub fn stop(&mut self, why: &str, observed: &Observed, now: Timestamp) {
        if self.roll.now.is_empty() {
            return;
        }
        let why = format!("restart of pod {} waits: {why}", self.roll.now.join(", "));
        self.roll.now.clear();
        self.roll.claims.clear();
        let reason = reasons::ROLLING_UPDATE_WAITS.to_owned();
        self.warnings.push(Warning { reason, message: why.clone() });
        self.roll.waits = Some(Waiting { why, since: waiting_since(observed, now), kind: WaitKind::Refused });
    }
}

/// Decides about the next step. `desired` are the pods as they stand in the pod sets, by name.
pub fn decide(
    cluster: &Cluster,
    restarts: &[Restart],
    desired: &BTreeMap<&str, &Pod>,
    observed: &Observed,
    now: Timestamp,
) -> DecidedRoll {
    decide_about(cluster, restarts, desired, observed, now).with_words()
}

/// The same without the warning that something is waited for.
fn decide_about(
    cluster: &Cluster,
    restarts: &[Restart],
    desired: &BTreeMap<&str, &Pod>,
    observed: &Observed,
    now: Timestamp,
) -> DecidedRoll {
    let mut outcome = DecidedRoll::default();
    let mut nodes = nodes(cluster, restarts, desired, observed, now);
    let decision = roll_order::by_pods(&nodes);
    let is_due = decision.is_none() && nodes.iter().any(|node| !node.reasons.is_empty());
    // Copies that nothing keeps are named as soon as they are there, not only when it is too late.
    let is_lossy = nodes.iter().any(|node| node.broker && node.loses_storage);
    let mut is_under_way = false;
    if is_due {
        outcome.needs.extend(roll_recovery::need(&nodes, observed));
        is_under_way = roll_recovery::note(&mut nodes, observed);
    }
    let mut view = None;
    if is_due || (is_lossy && pod_state::some_broker_is_ready(observed)) {
        match ask(&nodes, observed) {
            Ok(known) => view = Some(known),
            Err(need) => outcome.needs.push(need),
        }
    }
    if !outcome.needs.is_empty() {
        return outcome;
    }
    if let Some(Ok(brokers)) = view.as_deref().map(|view| &view.brokers) {
        for node in &mut nodes {
            node.rack = brokers.registered.get(&node.id).cloned().flatten();
        }
    }
    let batches = batches(cluster, observed, now);
    let rules = view
        .as_deref()
        .map(|view| Rules::new(&nodes, view, quorum_fetch_timeout_ms(cluster)).in_batches(batches));
    outcome.warnings.extend(rules.as_ref().and_then(single_copies));
    let decision = match (decision, &rules) {
        (Some(decision), _) => decision,
        (None, Some(rules)) => {
            let decision = lost::decide(&nodes, rules);
            outcome.roll.basis = view.as_deref().and_then(|view| basis(&decision, &nodes, view));
            unless_too_old(decision, &nodes, outcome.roll.basis.as_ref(), now)
        }
        (None, None) => Decision::Settled,
    };
    step(decision, &nodes, desired, observed, now, &mut outcome);
    is_under_way |= view.as_ref().is_some_and(|view| view.is_under_way());
    if is_under_way && said_since(observed).is_none() {
        // Nothing is wrong while the nodes still may take their time to answer.
        if let Some(waits) = outcome.roll.waits.as_mut().filter(|waits| waits.kind != WaitKind::Refused) {
            waits.kind = WaitKind::AnswerUnderWay;
        }
    }
    if let Some(put_off) = observed.put_off.as_ref().filter(|_| !outcome.roll.now.is_empty()) {
        let since = said_since(observed).unwrap_or(put_off.since);
        outcome.roll.waits = Waiting::put_off(&outcome.roll.now.join(", "), &put_off.why, since, now);
    }
    outcome
}

/// As [`decide`], and about the restarts of nodes that answer nothing when none of the others may be made now: a node that hangs again and
/// again must not keep certificates from the others. Returns all that are wanted with what was decided.
pub(super) fn decide_all(
    cluster: &Cluster,
    others: Vec<Restart>,
    of_unresponsive: Vec<Restart>,
    desired: &BTreeMap<&str, &Pod>,
    observed: &Observed,
    now: Timestamp,
) -> (Vec<Restart>, DecidedRoll) {
    let mut first = decide_about(cluster, &others, desired, observed, now);
    if !first.needs.is_empty() || !first.roll.now.is_empty() {
        return ([others, of_unresponsive].concat(), first.with_words());
    }
    if of_unresponsive.is_empty() {
        if first.roll.waits.is_none() && unresponsive::is_unknown(cluster, observed, now) {
            // What the status says stays until the agents say something else.
            first.roll.waits = as_said(observed);
        }
        return (others, first.with_words());
    }
    let all = [others, of_unresponsive].concat();
    let mut both = decide_about(cluster, &all, desired, observed, now);
    if let (Some(before), Some(waits)) = (&first.roll.waits, &mut both.roll.waits)
        && before.why != waits.why
    {
        waits.why = format!("{}; {}", before.why, waits.why);
    }
    (all, both.with_words())
}

/// How many brokers go at the same time. A status that tells of a wait in the future is that of a clock which was set back.
fn batches(cluster: &Cluster, observed: &Observed, now: Timestamp) -> Batches {
    let is_short = |since: Timestamp| {
        let waited = now.duration_since(since);
        waited >= SignedDuration::ZERO && waited < GATHERING
    };
    Batches { most: cluster.max_parallel_restarts, gather: said_since(observed).is_none_or(is_short) }
}

/// Lets nothing go for an answer that took Kafka so long that it may not be so any more.
fn unless_too_old(
    decision: Decision,
    nodes: &[RollNode],
    basis: Option<&RollBasis>,
    now: Timestamp,
) -> Decision {
    match (decision, basis) {
        (Decision::Restart(batch), Some(basis)) if !basis.is_current(now) => {
            let going = nodes.iter().filter(|node| batch.contains(&node.id)).map(|node| node.pod.as_str());
            Decision::Held(format!(
                "restart of pod {} waits: Kafka takes longer than {} s to say how its partitions are, and no pod is deleted \
                 for what it said before",
                going.collect::<Vec<_>>().join(", "),
                RollBasis::LONGEST_AGE.as_secs()
            ))
        }
        (decision, _) => decision,
    }
}

/// What Kafka said of the nodes that restart, or of those that might and wait.
fn basis(decision: &Decision, nodes: &[RollNode], view: &RollKafka) -> Option<RollBasis> {
    let due = || nodes.iter().filter(|node| !node.reasons.is_empty()).map(|node| node.id).collect();
    match decision {
        Decision::Restart(batch) => Some(RollBasis::of(view, batch)),
        Decision::Held(_) => Some(RollBasis::of(view, &due())),
        Decision::Settled | Decision::Starting(_) => None,
    }
}

/// Turns a decision into a step.
fn step(
    decision: Decision,
    nodes: &[RollNode],
    desired: &BTreeMap<&str, &Pod>,
    observed: &Observed,
    now: Timestamp,
    outcome: &mut DecidedRoll,
) {
    let held = |why: String| Waiting { why, since: waiting_since(observed, now), kind: WaitKind::Unsafe };
    match decision {
        Decision::Settled => {}
        Decision::Held(why) => outcome.roll.waits = Some(held(why)),
        Decision::Starting(why) => {
            let mut refused = nodes
                .iter()
                .filter_map(|node| observed.pod_errors.get(&node.pod).map(|error| error.words(&node.pod)));
            outcome.roll.waits = Some(match refused.next() {
                Some(why) => held(why),
                None => Waiting { kind: WaitKind::PodUnderWay, ..held(why) },
            });
        }
        Decision::Restart(batch) => {
            for node in nodes.iter().filter(|node| batch.contains(&node.id)) {
                match admitted(&node.pod, desired, observed) {
                    Ok(()) => outcome.roll.now.push(node.pod.clone()),
                    Err(NotAdmitted::Unasked(need)) => outcome.needs.push(need),
                    Err(NotAdmitted::Silent(why)) => outcome.roll.waits = Some(held(why)),
                    Err(NotAdmitted::Refused(why)) => {
                        outcome.roll.waits = Some(Waiting { kind: WaitKind::Refused, ..held(why) });
                    }
                }
            }
            if outcome.roll.waits.is_some() {
                // The pods of a batch go together or not at all.
                outcome.roll.now.clear();
            }
            let all = outcome.roll.now.iter().map(|pod| (pod.clone(), claims_that_go(pod, observed)));
            outcome.roll.claims = all.filter(|(_, claims)| !claims.is_empty()).collect();
        }
    }
}

/// The claims that are deleted with a pod, because a user asks for both to be made anew: those of the volumes with Kafka's logs.
fn claims_that_go(pod: &str, observed: &Observed) -> BTreeMap<String, Option<String>> {
    let Some(live) = observed.pods.get(pod).filter(|live| is_new_with_claims(live)) else {
        return BTreeMap::new();
    };
    let claims = pod_state::data_claims(live).into_iter().filter_map(|name| observed.claims.get(name));
    claims.filter_map(|claim| Some((claim.metadata.name.clone()?, claim.metadata.uid.clone()))).collect()
}

/// Why a pod is not deleted although it might be.
enum NotAdmitted {
    /// Whether another pod can take its place has to be asked first.
    Unasked(Need),
    /// That is not known.
    Silent(String),
    /// No pod can take its place.
    Refused(String),
}

/// Whether the API server would take the pod that is to take the place of this one: a pod that cannot come back is not deleted.
fn admitted(pod: &str, desired: &BTreeMap<&str, &Pod>, observed: &Observed) -> Result<(), NotAdmitted> {
    match observed.admissions.get(pod) {
        Some(Admission::Accepted | Admission::Unknown(_)) => return Ok(()),
        Some(Admission::Refused(why)) => {
            return Err(NotAdmitted::Refused(format!(
                "restart of pod {pod} waits: the API server refuses the pod that would take its place: {why}"
            )));
        }
        None => {}
    }
    let Some(object) = desired.get(pod) else { return Ok(()) };
    let need = Need::Admission { pod: pod.to_owned(), object: objects::json(object) };
    match observed.silence(&need) {
        None => Err(NotAdmitted::Unasked(need)),
        Some(silence) => Err(NotAdmitted::Silent(format!(
            "restart of pod {pod} waits: whether the API server takes the pod that would take its place is not known: \
             {silence}"
        ))),
    }
}

/// The nodes as the roll sees them.
fn nodes(
    cluster: &Cluster,
    restarts: &[Restart],
    desired: &BTreeMap<&str, &Pod>,
    observed: &Observed,
    now: Timestamp,
) -> Vec<RollNode> {
    let mut nodes = Vec::new();
    let reasons: BTreeMap<&str, &BTreeSet<RestartReason>> =
        restarts.iter().map(|restart| (restart.pod.as_str(), &restart.reasons)).collect();
    // A node that must not be started yet is not waited for.
    let listed = |node: &Node<'_>| desired.contains_key(cluster.pod_name(*node).as_str());
    for node in cluster.nodes().into_iter().filter(listed) {
        let pod = cluster.pod_name(node);
        let situation = pod_state::situation(observed, &pod, now);
        let live = observed.pods.get(&pod).zip(desired.get(pod.as_str()));
        let loses_claims = live.is_some_and(|(live, _)| pod_state::loses_claims(live, observed));
        nodes.push(RollNode {
            id: node.id,
            controller: node.pool.controller,
            departs: node.pool.departing.contains(&node.id),
            broker: node.pool.broker,
            rack: None,
            state: situation.state,
            long: situation.long,
            served: situation.served,
            unscheduled: situation.unscheduled,
            loses_storage: loses_claims
                || live.is_some_and(|(live, desired)| {
                    pod_state::loses_storage(live, desired, |volume| {
                        node.pool.removal.is_empty(node.id, volume)
                    })
                }),
            loses_claims,
            unresponsive: unresponsive::is_unresponsive(&pod, observed, now),
            unresponsive_broker: unresponsive::is_unresponsive_broker(&pod, observed, now),
            recovers: None,
            reasons: reasons.get(pod.as_str()).map(|reasons| (*reasons).clone()).unwrap_or_default(),
            pod,
        });
    }
    nodes
}

/// What Kafka says of a restart; else what has to be asked.
fn ask<'a>(nodes: &[RollNode], observed: &'a Observed) -> Result<Cow<'a, RollKafka>, Need> {
    if let Some(silence) = observed.other_cluster() {
        return Ok(Cow::Owned(RollKafka::silent(silence)));
    }
    if let Some(view) = &observed.roll {
        return Ok(Cow::Borrowed(view));
    }
    if !observed.pods.values().any(|pod| pod_state::kafka_runs(pod)) {
        let silence = Silence::new(SilenceKind::Nobody, "no pod runs Kafka");
        return Ok(Cow::Owned(RollKafka::silent(&silence)));
    }
    let pods: Pods = nodes
        .iter()
        .map(|node| {
            let uid = observed.pods.get(&node.pod).and_then(|pod| pod.metadata.uid.clone());
            (node.pod.clone(), (uid, node.state))
        })
        .collect();
    let need = Need::Roll(pods);
    match observed.silence(&need) {
        Some(silence) => Ok(Cow::Owned(RollKafka::silent(silence))),
        None => Err(need),
    }
}

/// Since when the roll waits: what it waits for may change meanwhile.
fn waiting_since(observed: &Observed, now: Timestamp) -> Timestamp {
    said_since(observed).unwrap_or(now)
}

/// The wait that the status tells of; `None`: it tells of none.
pub(super) fn as_said(observed: &Observed) -> Option<Waiting> {
    let status = observed.kafka.as_ref().and_then(|kafka| kafka.status.as_ref());
    waiting::said(status.and_then(|status| status.conditions.as_deref()).unwrap_or_default())
}

/// Since when the status says that the roll waits; `None`: it does not.
fn said_since(observed: &Observed) -> Option<Timestamp> {
    let status = observed.kafka.as_ref().and_then(|kafka| kafka.status.as_ref());
    waiting::said_since(status.and_then(|status| status.conditions.as_deref()).unwrap_or_default())
}

fn single_copies(rules: &Rules<'_>) -> Option<Warning> {
    let found = rules.single_copies();
    if found.is_empty() {
        return None;
    }
    let mut named = String::new();
    for (index, (partition, broker)) in found.iter().take(NAMED).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Writing into a String cannot fail.
        let _ = write!(named, "{comma}{partition} (broker {broker})");
    }
    if found.len() > NAMED {
        let _ = write!(named, " and {} more", found.len() - NAMED);
    }
    Some(Warning {
        reason: reasons::SINGLE_REPLICA_ON_EPHEMERAL_STORAGE.to_owned(),
        message: format!(
            "the only replica of these partitions lies on storage that does not outlive the pod of its broker, so that a \
             restart loses every record of them: {named}; give their topics more replicas"
        ),
    })
}
