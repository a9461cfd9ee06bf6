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
use api::{Kafka, KafkaNodePool, annotations};
use jiff::Timestamp;
use objects::quantity::Quantity;
use serde::{Deserialize, Serialize};

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
const USUAL_RATE: u64 = 50 * 1024 * 1024;

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

/// Whether the nodes of a pool that are to leave are emptied first. What the pool says counts before what the Kafka resource says.
pub fn is_asked(kafka: &Kafka, pool: &KafkaNodePool) -> bool {
    let own = pool.metadata.annotations.as_ref().filter(|all| all.contains_key(annotations::DRAIN_NODES));
    annotations::is_true(own.or(kafka.metadata.annotations.as_ref()), annotations::DRAIN_NODES)
}

/// What the pod sets remember, by the name of the pod set. One that cannot be read remembers nothing.
fn remembered(observed: &Observed) -> impl Iterator<Item = (&String, Drained)> {
    observed.pod_sets.iter().filter_map(|(name, set)| {
        let text = set.metadata.annotations.as_ref()?.get(annotations::DRAINED_NODES)?;
        Some((name, serde_json::from_str(text).ok()?))
    })
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
        let mut drained = known.get(*pool).cloned().unwrap_or_default();
        drained.nodes.extend(*nodes);
        drained.rates.insert(rate);
        plan.remembered.insert((*pool).to_owned(), drained);
    }
    let all_known: BTreeSet<i32> = known.values().flat_map(|drained| drained.nodes.iter().copied()).collect();
    let all_wanted: BTreeSet<i32> = wanted.values().flat_map(|nodes| nodes.iter().copied()).collect();
    let Some(view) = &observed.drain else {
        for (pool, drained) in known {
            plan.remembered.entry(pool).or_insert(drained);
        }
        let need = Need::Drain(&all_known | &all_wanted);
        plan.warnings = words::unanswered(&wanted, &observed.why_silent(|asked| *asked == need));
        plan.need = Some(need).filter(|need| observed.view.is_some() && observed.silence(need).is_none());
        return plan;
    };
    let drain = Drain {
        cluster,
        view,
        empties: &all_wanted & &all_known,
        ended: &all_known - &all_wanted,
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
fn rate(observed: &Observed) -> Result<u64, Warning> {
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
    if traces.is_clean {
        plan.look_again = !wanted.is_empty();
    } else {
        for (pool, drained) in known {
            plan.remembered.entry(pool.clone()).or_insert_with(|| drained.clone());
        }
    }
    let progress = moves.progress(observed.draining.as_ref(), now);
    plan.warnings = words::of(drain, wanted, &moves, &progress, now);
    plan.calls.extend(moves.cancel());
    plan.calls.extend(traces.begin(&moves));
    if !moves.moves.is_empty() && moves.under_way.is_empty() && !traces.has_rates {
        plan.event = Some((events::NODES_DRAIN_BEGAN, words::began(drain, &moves)));
    }
    if let Some((call, is_last)) = traces.take_off() {
        if is_last && drain.empties.is_empty() {
            plan.event = Some((events::NODES_DRAIN_ENDED, words::ended(drain)));
        }
        plan.calls.push(call);
    }
    plan.progress = Some(progress);
}
