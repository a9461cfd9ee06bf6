//! Runs of the simulator: a cluster of a seed, from its start through trouble to the end of its last roll.

use planner::kafka::cluster::Cluster;
use planner::restart_reason::RestartReason;

use super::clusters::{self, Shape, cluster_of, ephemeral_nodes, pods_of};
use super::mind::{Mind, RollMind};
use super::node::{Node, Stage, Unresponsive};
use super::random::Random;
use super::simulation::{Counts, Fault, Simulation};
use crate::common::World;

/// What tells the chance of batches from that of the rest.
const BATCHES: u64 = 0x000b_a7c4;

/// What tells the chance of a node that falls silent from that of the rest.
const SILENCE: u64 = 0x5_11e7;

/// How long a node that answers nothing goes on so once all else is well: long enough for its restart.
const SILENT_MS: u64 = 900_000;

/// What decides in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The decisions of a roll.
    Roll,
    /// The whole plan, on small clusters.
    Whole,
}

/// Clusters of one seed after the other, until so many steps were made. The error tells the seed and what was found.
pub(super) fn many(first: u64, steps: u64, kind: Kind, fault: Fault) -> Result<Counts, String> {
    let mut total = Counts::default();
    let mut seed = first;
    while total.steps < steps {
        let counts = one(seed, kind, fault)?;
        total.steps += counts.steps;
        total.passes += counts.passes;
        total.restarts += counts.restarts;
        total.batches += counts.batches;
        total.waits += counts.waits;
        total.put_off += counts.put_off;
        total.deaths += counts.deaths;
        total.troubles += counts.troubles;
        total.races += counts.races;
        total.lost_by_others += counts.lost_by_others;
        total.unresponsive_restarts += counts.unresponsive_restarts;
        total.finished += counts.finished;
        seed += 1;
    }
    Ok(total)
}

/// The cluster of a seed.
pub(super) fn one(seed: u64, kind: Kind, fault: Fault) -> Result<Counts, String> {
    let mut simulation = begin(seed, kind, fault);
    settle(&mut simulation);
    trouble(&mut simulation);
    finish(&mut simulation);
    match simulation.violation {
        None => Ok(simulation.counts),
        Some(found) => Err(format!("KASTELLAN_SIMULATOR_SEED={seed} finds: {found}")),
    }
}

fn begin(seed: u64, kind: Kind, fault: Fault) -> Simulation {
    let mut random = Random::of(seed);
    let most = match kind {
        Kind::Roll => 60,
        Kind::Whole => 5,
    };
    let mut shape = if random.permille(150) { Shape::ephemeral(3) } else { Shape::any(&mut random, most) };
    // Chance of its own, so that a seed without batches is the cluster that it was before there were any.
    let mut further = Random::of(seed ^ BATCHES);
    let in_batches = further.permille(500);
    if in_batches {
        shape = batched(&mut further, kind);
    }
    let mut world = shape.world();
    let (cluster, mind) = match kind {
        Kind::Whole => {
            world.settle();
            (cluster_of(&world.observed), Mind::Whole(Box::new(world)))
        }
        Kind::Roll => roll_mind(world, &shape, &mut random),
    };
    let ephemeral = ephemeral_nodes(&cluster, &shape);
    let mut kafka = clusters::kafka(&cluster, &ephemeral, &mut random);
    if in_batches && further.permille(600) {
        clusters::spread_over_racks(&mut kafka, &mut further);
    }
    let mut simulation = Simulation::new(random, kafka, mind, fault);
    let mut silence = Random::of(seed ^ SILENCE);
    let is_hasty = fault == Fault::Hasty;
    while is_hasty && simulation.stops_answering.is_empty() || fault == Fault::None && silence.permille(300) {
        simulation.stops_answering.push((silence.within(0..240_000), silence.index(60)));
    }
    simulation
}

/// What decides about the rolls of a cluster.
pub(super) fn roll_mind(world: World, shape: &Shape, random: &mut Random) -> (Cluster, Mind) {
    let cluster = cluster_of(&world.observed);
    let reasons = [
        RestartReason::ManualRollingUpdate,
        RestartReason::PodHasOldRevision,
        RestartReason::KafkaCertificatesChanged,
        RestartReason::ConfigChangeRequiresRestart,
    ];
    let ephemeral = ephemeral_nodes(&cluster, shape);
    let desired = pods_of(&cluster, &ephemeral, 1);
    let reason = reasons[random.index(reasons.len())];
    let observed = world.observed;
    let mind = RollMind { cluster: cluster.clone(), observed, ephemeral, revision: 1, reason, desired };
    (cluster, Mind::Roll(Box::new(mind)))
}

/// A cluster of which several brokers may restart at once.
fn batched(random: &mut Random, kind: Kind) -> Shape {
    let (few, many) = (random.permille(500), [6, 12, 30][random.index(3)]);
    let most = 2 + random.within(0..if few { 3 } else { 8 });
    let brokers = match kind {
        Kind::Roll => 2 + random.within(0..many),
        Kind::Whole => 2 + random.within(0..4),
    };
    Shape::of_brokers(brokers, most, random.permille(400))
}

pub(super) fn is_well(simulation: &Simulation) -> bool {
    let ready = simulation.kubernetes.live.values().filter(|live| live.is_ready()).count();
    let partitions = &simulation.kafka.metadata.partitions;
    ready == simulation.kubernetes.wanted.len()
        && partitions.iter().all(|one| one.isr.len() == one.replicas.len())
}

/// The cluster comes up.
pub(super) fn settle(simulation: &mut Simulation) {
    for _ in 0..1000 {
        simulation.advance(500);
        if is_well(simulation) {
            return;
        }
    }
    simulation.violated("the cluster does not come up");
}

/// A roll, or several, while things go wrong.
fn trouble(simulation: &mut Simulation) {
    let mut revision = 2;
    change(simulation, revision);
    let nodes = simulation.kafka.nodes.len() as u64;
    let began = simulation.now;
    let until = began + simulation.random.within(60_000..120_000 + nodes * 20_000);
    let calm = simulation.random.permille(200);
    while simulation.now < until && simulation.violation.is_none() {
        if !calm {
            happens(simulation);
        }
        stop_answering(simulation, began);
        if simulation.random.permille(2) {
            revision += 1;
            change(simulation, revision);
        }
        step(simulation, !calm);
    }
}

pub(super) fn change(simulation: &mut Simulation, revision: u64) {
    simulation.tell(format!("the resource asks for revision {revision}"));
    if let Some(mind) = &mut simulation.mind {
        mind.change(revision);
        simulation.kubernetes.wanted = mind.listed();
    }
    simulation.operator.next_pass = simulation.now;
}

pub(super) fn step(simulation: &mut Simulation, may_die: bool) {
    let ms = simulation.random.within(100..500);
    simulation.advance(ms);
    if may_die && simulation.random.permille(2) {
        simulation.dies();
    }
    if simulation.is_pass_due() {
        let dies = (may_die && simulation.random.permille(20)).then(|| simulation.random.index(3) as u32);
        simulation.pass(dies);
    }
}

/// Something goes wrong, or nothing.
fn happens(simulation: &mut Simulation) {
    if !simulation.random.permille(15) {
        return;
    }
    let names: Vec<String> = simulation.kubernetes.live.keys().cloned().collect();
    if names.is_empty() {
        return;
    }
    simulation.counts.troubles += 1;
    let name = &names[simulation.random.index(names.len())];
    match simulation.random.index(12) {
        kind @ 0..5 => to_a_pod(simulation, name, kind),
        kind @ 5..9 => to_a_process(simulation, name, kind),
        kind => around(simulation, kind),
    }
}

/// A pod crashes, is silent, is lost or deleted.
fn to_a_pod(simulation: &mut Simulation, name: &str, kind: usize) {
    let now = simulation.now;
    let id = simulation.kubernetes.live[name].node;
    let ms = simulation.random.within(1000..60_000);
    if kind >= 3 && simulation.kafka.nodes[&id].ephemeral {
        simulation.harms_disk(id);
    }
    simulation.falls_silent(id);
    match kind {
        0 | 1 => {
            simulation.tell(format!("the container of node {id} crashes for {ms} ms"));
            simulation.kubernetes.crash(name, &mut simulation.kafka, now, ms);
        }
        2 => {
            simulation.tell(format!("the machine of node {id} is silent for {ms} ms"));
            simulation.kubernetes.silence(name, &mut simulation.kafka, now, ms);
        }
        3 => {
            simulation.tell(format!("node {id} is lost with its machine"));
            simulation.kubernetes.lose(name, &mut simulation.kafka);
        }
        _ => {
            simulation.tell(format!("somebody deletes the pod of node {id}"));
            let uid = simulation.kubernetes.live[name].uid().to_owned();
            simulation.kubernetes.delete(name, &uid, &mut simulation.kafka, now);
        }
    }
}

/// A process stands still, copies nothing, or takes in no metadata.
fn to_a_process(simulation: &mut Simulation, name: &str, kind: usize) {
    let now = simulation.now;
    let id = simulation.kubernetes.live[name].node;
    let ms = simulation.random.within(1000..60_000);
    simulation.falls_silent(id);
    let known = (simulation.kafka.metadata.offset, simulation.kafka.metadata.partitions.clone());
    let Some(process) = simulation.kafka.nodes.get_mut(&id).and_then(|node| node.process.as_mut()) else {
        return;
    };
    let what = match kind {
        5 => {
            process.frozen_until = now + ms / 2;
            "stands still"
        }
        6 | 7 => {
            process.slow_until = now + ms;
            "copies nothing"
        }
        _ => {
            process.behind = Some(known);
            process.behind_until = now + ms;
            "takes in no metadata"
        }
    };
    simulation.tell(format!("node {id} {what} for {ms} ms"));
}

/// Those nodes stop answering of which it is time, in a time that began then.
fn stop_answering(simulation: &mut Simulation, began: u64) {
    let now = simulation.now;
    let due: Vec<(u64, usize)> =
        simulation.stops_answering.extract_if(.., |(at, _)| began + *at <= now).collect();
    for (_, which) in due {
        stops_answering(simulation, which);
    }
}

/// The Kafka of a broker takes connections and answers nothing, until its pod is made anew.
fn stops_answering(simulation: &mut Simulation, which: usize) {
    let now = simulation.now;
    let serves = |node: &&mut Node| {
        node.broker && node.process.as_ref().is_some_and(|process| process.stage == Stage::Serves)
    };
    let mut serving: Vec<&mut Node> = simulation.kafka.nodes.values_mut().filter(serves).collect();
    if serving.is_empty() {
        return;
    }
    let node = which % serving.len();
    let id = serving[node].id;
    if let Some(process) = &mut serving[node].process {
        process.unresponsive =
            Some(Unresponsive { since: now, until: u64::MAX, keeps_in_sync: which.is_multiple_of(2) });
    }
    simulation.falls_silent(id);
    simulation.tell(format!("node {id} takes connections and answers nothing"));
}

/// What is around Kafka is slow.
fn around(simulation: &mut Simulation, kind: usize) {
    let now = simulation.now;
    let ms = simulation.random.within(1000..60_000);
    match kind {
        9 => {
            simulation.tell(format!("the caches of the operator stand still for {} ms", ms / 3));
            simulation.kubernetes.cache_stands_until = now + ms / 3;
        }
        10 => {
            simulation.tell(format!("Kafka is slow to answer for {ms} ms"));
            simulation.kafka_slow_until = now + ms;
        }
        _ => {
            let slowness = if simulation.random.permille(200) { 3_600_000 } else { ms };
            simulation.tell(format!("pods are made within {slowness} ms"));
            simulation.kubernetes.slowness_ms = slowness;
        }
    }
}

/// All is well again, and the roll ends.
fn finish(simulation: &mut Simulation) {
    if simulation.violation.is_some() {
        return;
    }
    simulation.tell("all is well again");
    stop_answering(simulation, 0);
    simulation.kubernetes.heal(simulation.now);
    simulation.kafka_slow_until = 0;
    for node in simulation.kafka.nodes.values_mut() {
        if let Some(process) = &mut node.process {
            (process.frozen_until, process.slow_until, process.behind_until) = (0, 0, 0);
            // What may not be restarted, since it has the only copy of a partition, answers again at last.
            if let Some(silent) = &mut process.unresponsive {
                silent.until = simulation.now + SILENT_MS;
            }
        }
    }
    simulation.kafka.copied_per_second = simulation.kafka.copied_per_second.max(2000);
    let until = simulation.now + 1_200_000 + simulation.kafka.nodes.len() as u64 * 120_000;
    while simulation.now < until && simulation.violation.is_none() {
        step(simulation, false);
        if is_well(simulation) && is_current(simulation) {
            simulation.counts.finished += 1;
            return;
        }
    }
    let waits = simulation.waits.clone();
    simulation.violated(&format!("the roll does not end; it waits for {waits:?}"));
}

/// Whether every pod is as it is to be.
pub(super) fn is_current(simulation: &Simulation) -> bool {
    simulation.kubernetes.wanted.iter().all(|(name, (_, wanted))| {
        let live = simulation.kubernetes.live.get(name);
        live.is_some_and(|live| live.pod.metadata.annotations == wanted.metadata.annotations)
    })
}
