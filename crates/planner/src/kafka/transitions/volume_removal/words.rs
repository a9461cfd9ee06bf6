//! Why volumes stay, in words.

use std::collections::{BTreeMap, BTreeSet};

use api::annotations;

use crate::kafka::cluster::{Pool, VolumeState};
use crate::kafka::transitions::leaving::list;
use crate::words::{first, shortened};

/// Nodes of which a message says how much a volume holds there.
const NAMED: usize = 10;

/// Why volumes of a pool stay for now, and what to do; `None`: none does.
pub(super) fn held(pool: &Pool) -> Option<String> {
    let of_volume = |(volume, nodes): (&i32, &BTreeMap<i32, VolumeState>)| {
        let why = why(*volume, nodes, pool.removal.moves);
        (!why.is_empty()).then(|| format!("volume {volume} stays: {}", why.join("; ")))
    };
    let all: Vec<String> = pool.removal.states.iter().filter_map(of_volume).collect();
    (!all.is_empty()).then(|| format!("KafkaNodePool {} spec.storage.volumes: {}", pool.name, all.join("; ")))
}

fn why(volume: i32, nodes: &BTreeMap<i32, VolumeState>, moves: bool) -> Vec<String> {
    let with = |wanted: VolumeState| -> BTreeSet<i32> {
        nodes.iter().filter(|(_, state)| **state == wanted).map(|(node, _)| *node).collect()
    };
    let mut parts = Vec::new();
    let holding: Vec<String> = nodes
        .iter()
        .filter_map(|(node, state)| match state {
            VolumeState::Replicas(1) => Some(format!("1 replica on node {node}")),
            VolumeState::Replicas(count) => Some(format!("{count} replicas on node {node}")),
            _ => None,
        })
        .collect();
    if !holding.is_empty() {
        let holding = first(&holding, NAMED, ", ");
        parts.push(if moves {
            format!("it holds {holding}, which are moved to the other volumes of their nodes")
        } else {
            format!(
                "it holds {holding}: have the operator move them, with the annotation {}: \"true\" on the KafkaNodePool, or write the \
                 volume as it was",
                annotations::DRAIN_VOLUMES
            )
        });
    }
    let metadata = with(VolumeState::MetadataLog);
    if !metadata.is_empty() {
        parts.push(format!(
            "it holds the metadata log of nodes {}: write kraftMetadata: shared on a volume that stays, to which it is moved first",
            list(&metadata)
        ));
    }
    let leaves = with(VolumeState::MetadataLogLeaves);
    if !leaves.is_empty() {
        parts.push(format!("the metadata log of nodes {} leaves it when they restart", list(&leaves)));
    }
    let open = with(VolumeState::Open);
    if !open.is_empty() {
        parts.push(format!("it is empty on nodes {}, and Kafka is told to place nothing there", list(&open)));
    }
    parts.extend(unknown(volume, nodes));
    parts
}

/// Nodes of which it is not known what they hold, with the reason of the first.
fn unknown(volume: i32, nodes: &BTreeMap<i32, VolumeState>) -> Option<String> {
    let mut all = nodes.iter().filter_map(|(node, state)| match state {
        VolumeState::Unknown(why) => Some((*node, why)),
        _ => None,
    });
    let (node, why) = all.next()?;
    let nodes: BTreeSet<i32> = all.map(|(node, _)| node).chain([node]).collect();
    Some(format!(
        "what it holds on nodes {} is not known (node {node}: {}); of a disk that is lost for good, {}: \"[{volume}]\" on the \
         KafkaNodePool gives up what it held",
        list(&nodes),
        shortened(why),
        annotations::DISCARD_VOLUMES
    ))
}
