//! Nodes that are to leave are emptied first: their partitions are moved to brokers that stay.
//!
//! What is under way is read from Kafka at every look. The pod set of the pool remembers which nodes are being emptied and with which
//! rates before Kafka is told anything, until Kafka has no trace of it: so a drain is gone on with, or taken back, by whichever process
//! comes next.

mod look;
mod moves;
mod traces;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::{events, reasons};
use api::{Kafka, KafkaNodePool, StrimziPodSet, annotations};
use jiff::Timestamp;
use objects::quantity::Quantity;
use serde::{Deserialize, Serialize};

use super::deleted_pools;
use crate::findings::Warning;
use crate::kafka::admin_call::AdminCall;
use crate::kafka::cluster::{Cluster, Pool};
use crate::kafka::drain_view::DrainProgress;
use crate::kafka::need::Need;
use crate::kafka::observed::Observed;

use self::look::Drain;
use self::moves::Moves;
use self::traces::Traces;

/// Bytes per second that a broker sends, and that it receives, where the resource names none: 50 MiB, as for changes of topics.
pub(crate) const USUAL_RATE: u64 = 50 * 1024 * 1024;

/// What there may be in Kafka of the drain of a pool's nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drained {
    /// The nodes.
    pub nodes: BTreeSet<i32>,
    /// Rates that may have been set.
    pub rates: BTreeSet<u64>,
}

/// What is to be done about nodes that are emptied.
#[derive(Debug, Default)]
pub(crate) struct DrainPlan {
    /// What has to be known first.
    pub need: Option<Need>,
    /// What Kafka is told.
    pub calls: Vec<AdminCall>,
    /// What the pod sets are to remember, by pool.
    pub remembered: BTreeMap<String, Drained>,
    /// How far it is, by pool.
    pub warnings: BTreeMap<String, Warning>,
    /// What else deserves a look.
    pub complaint: Option<Warning>,
    /// An event about the last of the calls: its reason, and the text.
    pub event: Option<(&'static str, String)>,
    /// For the next pass.
    pub progress: Option<DrainProgress>,
    /// Whether something goes on that no event tells of.
    pub look_again: bool,
}

/// Whether an annotation asks for nodes of a pool, or volumes of them, to be emptied before they leave. What the pool says counts before
/// what the Kafka resource says, as long as there is one on which it can be changed.
pub fn is_asked(kafka: &Kafka, pool: &KafkaNodePool, annotation: &str) -> bool {
    let says =
        |all: &Option<BTreeMap<String, String>>| all.as_ref().is_some_and(|all| all.contains_key(annotation));
    let (of_pool, of_kafka) = (&pool.metadata.annotations, &kafka.metadata.annotations);
    let counts = says(of_pool) && !(deleted_pools::is_remembered(pool) && says(of_kafka));
    annotations::is_true(if counts { of_pool.as_ref() } else { of_kafka.as_ref() }, annotation)
}

/// What the pod sets remember, by the name of the pod set. A pod set that cannot be read remembers nothing.
fn remembered(observed: &Observed) -> impl Iterator<Item = (&String, Drained)> {
    observed.pod_sets.iter().filter_map(|(name, set)| Some((name, of_set(set)?)))
}

/// Whether a pod set remembers nodes that are emptied, or that Kafka has traces of.
pub(crate) fn is_under_way(set: &StrimziPodSet) -> bool {
    of_set(set).is_some_and(|drained| !drained.nodes.is_empty())
}

fn of_set(set: &StrimziPodSet) -> Option<Drained> {
    let text = set.metadata.annotations.as_ref()?.get(annotations::DRAINED_NODES)?;
    serde_json::from_str(text).ok()
}

/// Nodes of whose drain Kafka may have traces.
pub(crate) fn nodes(observed: &Observed) -> BTreeSet<i32> {
    remembered(observed).flat_map(|(_, drained)| drained.nodes).collect()
}

/// Decides. A cluster of which no node is emptied asks Kafka nothing.
pub(crate) fn plan(cluster: &Cluster, observed: &Observed, now: Timestamp) -> DrainPlan {
    let sets: BTreeMap<String, &Pool> =
        cluster.pools.iter().map(|pool| (cluster.pod_set_name(pool), pool)).collect();
    let of_pool = |(set, drained): (&String, Drained)| Some((sets.get(set)?.name.clone(), drained));
    let known: BTreeMap<String, Drained> = remembered(observed).filter_map(of_pool).collect();
    let wanted: BTreeMap<&str, &BTreeSet<i32>> = cluster.pools.iter().filter_map(wanted_of).collect();
    if known.is_empty() && wanted.is_empty() {
        return DrainPlan::default();
    }
    let (rate, complaint) = match rate(observed) {
        Ok(rate) => (rate, None),
        Err(complaint) => (USUAL_RATE, Some(complaint)),
    };
    let mut plan = DrainPlan { complaint, look_again: true, ..DrainPlan::default() };
    for (pool, nodes) in &wanted {
        let drained = Drained { nodes: (*nodes).clone(), rates: [rate].into() };
        plan.remembered.insert((*pool).to_owned(), drained);
    }
    let all_known: BTreeSet<i32> = known.values().flat_map(|drained| drained.nodes.iter().copied()).collect();
    let all_wanted: BTreeSet<i32> = wanted.values().flat_map(|nodes| nodes.iter().copied()).collect();
    let Some(view) = &observed.drain else {
        for (pool, drained) in known {
            let remembered = plan.remembered.entry(pool).or_default();
            remembered.nodes.extend(drained.nodes);
            remembered.rates.extend(drained.rates);
        }
        let need = Need::Drain(&all_known | &all_wanted);
        plan.warnings = words::unanswered(&wanted, &observed.why_silent(|asked| *asked == need));
        plan.need = Some(need).filter(|need| observed.view.is_some() && observed.silence(need).is_none());
        return plan;
    };
    let ended = &all_known - &all_wanted;
    let emptied = cluster.pools.iter().filter(|pool| pool.emptied);
    let emptied: BTreeSet<i32> = emptied.flat_map(|pool| pool.drained.iter().copied()).collect();
    let drain = Drain {
        cluster,
        view,
        empties: &all_wanted & &all_known,
        back: &ended & &cluster.broker_ids(),
        emptied: &ended & &emptied,
        ended,
        known: all_known,
        rates: known.values().flat_map(|drained| drained.rates.iter().copied()).chain([rate]).collect(),
        rate,
    };
    fill(&mut plan, &drain, &known, &wanted, observed, now);
    plan
}

/// The nodes of a pool whose partitions are to be moved away.
fn wanted_of(pool: &Pool) -> Option<(&str, &BTreeSet<i32>)> {
    let wants = !pool.drained.is_empty() && !pool.emptied;
    wants.then_some((pool.name.as_str(), &pool.drained))
}

/// The rate that the Kafka resource asks for.
pub(crate) fn rate(observed: &Observed) -> Result<u64, Warning> {
    let all = observed.kafka.as_ref().and_then(|kafka| kafka.metadata.annotations.as_ref());
    let Some(text) = all.and_then(|all| all.get(annotations::DRAIN_RATE)) else { return Ok(USUAL_RATE) };
    let rate = Quantity::parse(text).and_then(Quantity::whole);
    rate.filter(|rate| i64::try_from(*rate).is_ok()).ok_or_else(|| Warning {
        reason: reasons::INVALID_DRAIN_RATE.to_owned(),
        message: format!(
            "metadata.annotations.{}: {} is no number of bytes per second: write one such as 100Mi, or 0 for no limit; until then it is \
             {USUAL_RATE}",
            annotations::DRAIN_RATE,
            crate::words::quoted(text)
        ),
    })
}

/// Compares what Kafka says with what is wanted.
fn fill(
    plan: &mut DrainPlan,
    drain: &Drain<'_>,
    known: &BTreeMap<String, Drained>,
    wanted: &BTreeMap<&str, &BTreeSet<i32>>,
    observed: &Observed,
    now: Timestamp,
) {
    let moves = Moves::of(drain);
    let traces = Traces::of(drain, &moves);
    remember(plan, drain, known, &traces);
    plan.look_again = !plan.remembered.is_empty();
    let progress = moves.progress(observed.draining.as_ref(), now);
    plan.warnings = words::of(drain, wanted, &moves, &progress, now);
    plan.calls.extend(moves.cancel());
    plan.calls.extend(traces.begin(&moves));
    if !moves.begun.is_empty() && moves.under_way.count == 0 && !traces.has_rates {
        plan.event = Some((events::NODES_DRAIN_BEGAN, words::began(drain, &moves)));
    }
    if let Some((call, is_last)) = traces.take_off(drain) {
        let said = words::ended(drain);
        if is_last && !said.is_empty() {
            plan.event = Some((events::NODES_DRAIN_ENDED, said));
        }
        plan.calls.push(call);
    }
    plan.progress = Some(progress);
}

/// Remembers what Kafka has left of what the pod sets remember: nodes for themselves, so that what others move off them is theirs as soon
/// as nothing of the operator's is left, and rates until no broker has one. A pool without nodes leaves these to another one.
fn remember(plan: &mut DrainPlan, drain: &Drain<'_>, known: &BTreeMap<String, Drained>, traces: &Traces) {
    let mut left = BTreeSet::new();
    for (pool, drained) in known {
        let nodes = &drained.nodes & &traces.kept;
        let is_there = drain.cluster.pools.iter().any(|one| one.name == *pool && !one.nodes.is_empty());
        let rates = if traces.keeps_rates { drained.rates.clone() } else { BTreeSet::new() };
        if !is_there {
            left.extend(rates.iter().copied());
        }
        let rates = if is_there { rates } else { BTreeSet::new() };
        if !nodes.is_empty() || !rates.is_empty() {
            let remembered = plan.remembered.entry(pool.clone()).or_default();
            remembered.nodes.extend(nodes);
            remembered.rates.extend(rates);
        }
    }
    let keeper = drain.cluster.pools.iter().find(|pool| pool.broker && !pool.nodes.is_empty());
    if let Some(keeper) = keeper.filter(|_| !left.is_empty()) {
        plan.remembered.entry(keeper.name.clone()).or_default().rates.extend(left);
    }
}
