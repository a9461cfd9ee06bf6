//! How far a drain is, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use api::conditions::{format_time, reasons};
use jiff::{SignedDuration, Timestamp};

use super::look::Drain;
use super::moves::Moves;
use crate::findings::Warning;
use crate::kafka::drain_view::DrainProgress;
use crate::kafka::transitions::leaving::list;
use crate::words::first;

/// Names that a message lists.
const NAMED: usize = 5;

/// How long no partition may arrive before the status names those that are under way. Large ones take their time.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// While Kafka does not say how far it is.
pub(super) fn unanswered(wanted: &BTreeMap<&str, &BTreeSet<i32>>, why: &str) -> BTreeMap<String, Warning> {
    let of_pool = |pool: &str, nodes: &BTreeSet<i32>| {
        let nodes = list(nodes);
        warning(
            pool,
            &format!("nodes {nodes} are emptied before they leave; Kafka has not said how far that is{why}"),
        )
    };
    wanted.iter().map(|(pool, nodes)| ((*pool).to_owned(), of_pool(pool, nodes))).collect()
}

fn warning(pool: &str, message: &str) -> Warning {
    Warning { reason: reasons::NODES_DRAIN.to_owned(), message: format!("pool {pool}: {message}") }
}

/// For each pool how far it is, and what it waits for.
pub(super) fn of(
    drain: &Drain<'_>,
    wanted: &BTreeMap<&str, &BTreeSet<i32>>,
    moves: &Moves,
    progress: &DrainProgress,
    now: Timestamp,
) -> BTreeMap<String, Warning> {
    let begun: usize = moves.begun.values().map(BTreeMap::len).sum();
    let under_way = moves.under_way.count + begun;
    let rate = match drain.rate {
        0 => "without a limit".to_owned(),
        rate => format!("with at most {rate} bytes per second and broker"),
    };
    let blocks = blocks(moves, progress, now);
    let of_pool = |pool: &str, nodes: &BTreeSet<i32>| {
        let left = nodes.iter().map(|node| match progress.left.get(node) {
            None => format!("node {node} is about to be emptied"),
            Some(1) => format!("1 partition is left on node {node}"),
            Some(left) => format!("{left} partitions are left on node {node}"),
        });
        let left: Vec<String> = left.collect();
        let mut parts =
            vec![left.join(", "), format!("{under_way} are being moved to other brokers, {rate}")];
        parts.extend(blocks.iter().cloned());
        warning(pool, &parts.join("; "))
    };
    wanted.iter().map(|(pool, nodes)| ((*pool).to_owned(), of_pool(pool, nodes))).collect()
}

/// What keeps partitions from moving.
fn blocks(moves: &Moves, progress: &DrainProgress, now: Timestamp) -> Vec<String> {
    let mut blocks = Vec::new();
    if !moves.too_wide.is_empty() {
        let topics = moves.too_wide.iter().map(|(topic, replicas)| format!("{topic} ({replicas})"));
        blocks.push(format!(
            "topics with more replicas than the {} brokers that stay cannot be moved: {}: give them fewer replicas, or let more brokers \
             stay",
            moves.staying.len(),
            named(topics)
        ));
    }
    if !moves.down.is_empty() {
        blocks.push(format!("brokers {} are down, and partitions wait for them", list(&moves.down)));
    }
    if !moves.leaderless.is_empty() {
        let partitions = named(moves.leaderless.iter());
        blocks.push(format!("nobody leads the partitions {partitions}, so that nothing can be copied"));
    }
    if !moves.of_others.is_empty() {
        let partitions = named(moves.of_others.iter());
        blocks.push(format!("the partitions {partitions} are moved by somebody else first"));
    }
    if moves.under_way.count > 0 && now.duration_since(progress.since) > PATIENCE {
        let first = moves.under_way.first.iter();
        let to = first.map(|(name, brokers)| format!("{name} to {}", list(brokers)));
        blocks.push(format!(
            "no partition has arrived since {}; under way are {}",
            format_time(progress.since),
            named(to)
        ));
    }
    blocks
}

fn named<T: Display>(all: impl Iterator<Item = T>) -> String {
    first(&all.collect::<Vec<_>>(), NAMED, ", ")
}

/// That it begins.
pub(super) fn began(drain: &Drain<'_>, moves: &Moves) -> String {
    let left: Vec<String> = moves.left.iter().map(|(node, left)| format!("{left} of node {node}")).collect();
    format!(
        "partitions are moved off nodes {}, which are to leave: {}",
        list(&drain.empties),
        left.join(", ")
    )
}

/// That it has ended.
pub(super) fn ended(drain: &Drain<'_>) -> String {
    let (empty, stay) = (&drain.emptied, &drain.back - &drain.emptied);
    let mut said = Vec::new();
    if !empty.is_empty() {
        said.push(format!("nodes {} hold no partition any more and leave", list(empty)));
    }
    if !stay.is_empty() {
        said.push(format!("no partition is moved off nodes {} any more", list(&stay)));
    }
    said.join("; ")
}
