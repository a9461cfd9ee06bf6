//! The node pools of a cluster, as they stand in their resources.

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use api::kafka::KafkaClusterSpec;
use api::kafka_node_pool::ProcessRole;
use api::labels::ExclusionPattern;
use api::{KafkaNodePool, annotations};
use kube_core::ResourceExt;

use super::wanted::WantedPool;
use super::{Findings, resources, storage, text};
use crate::kafka::cluster::{JvmOptions, Pool, PoolOrigin, PoolOwner, VolumeRemoval, Warning};
use crate::kafka::older::{fields, implied};
use crate::kafka::transitions::{deleted_pools, node_ids};

/// Reads a pool; `shared` is the section of the Kafka resource whose values hold where the pool has none.
pub(super) fn read(
    raw: &KafkaNodePool,
    shared: &KafkaClusterSpec,
    exclusion: &ExclusionPattern,
    max_ids: usize,
    findings: &mut Findings,
) -> WantedPool {
    let (name, origin) = (raw.name_any(), origin(raw));
    let note = if origin == PoolOrigin::Deleted { " (deleted: create it again to correct it)" } else { "" };
    let path = format!("KafkaNodePool {name}{note}");
    let mut warnings = fields::of_pool(raw);
    if raw.spec.roles.is_empty() {
        findings.problem(
            format!("{path} spec.roles"),
            "is empty: write [broker], [controller] or [controller, broker]",
        );
    }
    // A pool that is deleted wants no nodes.
    let replicas =
        if deleted_pools::is_terminating(raw) { Some(0) } else { usize::try_from(raw.spec.replicas).ok() };
    if replicas.is_none() {
        findings.problem(
            format!("{path} spec.replicas"),
            format!("{} is negative: write 0 or more", raw.spec.replicas),
        );
    }
    let mut ids = |key: &str| node_ids_of(raw, key, max_ids, &mut warnings);
    let (next, remove) = (ids(annotations::NEXT_NODE_IDS), ids(annotations::REMOVE_NODE_IDS));
    let labels = exclusion.inherited(raw.metadata.labels.as_ref()).unwrap_or_else(|error| {
        findings.problem(format!("{path} metadata.labels"), error.to_string());
        BTreeMap::new()
    });
    let storage = storage::read(&raw.spec.storage, &format!("{path} spec.storage"), findings);
    text::jvm(raw.spec.jvm_options.as_ref(), &format!("{path} spec.jvmOptions"), findings);
    resources::claims(raw.spec.resources.as_ref(), &format!("{path} spec.resources"), findings);
    let jvm_options = raw.spec.jvm_options.as_ref().or(shared.jvm_options.as_ref());
    let asks = |role| raw.spec.roles.contains(&role);
    let pool = Pool {
        uid: raw.uid().unwrap_or_default(),
        origin,
        // As long as nothing is there that could be lost.
        owner: if origin == PoolOrigin::Resource { PoolOwner::Pool } else { PoolOwner::Cluster },
        remembered: None,
        generation: raw.metadata.generation,
        labels,
        controller: asks(ProcessRole::Controller),
        broker: asks(ProcessRole::Broker),
        nodes: BTreeSet::new(),
        leaving: BTreeSet::new(),
        drained: BTreeSet::new(),
        emptied: false,
        departing: BTreeSet::new(),
        waits_for: None,
        volumes: storage.volumes.clone(),
        removal: VolumeRemoval::default(),
        jbod: storage.jbod,
        storage_json: storage.json.clone(),
        resources: raw
            .spec
            .resources
            .clone()
            .or_else(|| shared.resources.clone().filter(|_| asks(ProcessRole::Broker))),
        jvm: jvm_options.map(JvmOptions::from).unwrap_or_default(),
        templates: shared.template.clone().unwrap_or_default().overlaid(raw.spec.template.as_ref()),
        warnings,
        name,
    };
    WantedPool { pool, storage, replicas, next, remove }
}

fn origin(raw: &KafkaNodePool) -> PoolOrigin {
    if implied::is_implied(raw) {
        PoolOrigin::Implied
    } else if deleted_pools::is_remembered(raw) {
        PoolOrigin::Deleted
    } else {
        PoolOrigin::Resource
    }
}

/// The ids that an annotation of a pool lists.
fn node_ids_of(raw: &KafkaNodePool, key: &str, most: usize, warnings: &mut Vec<Warning>) -> Vec<i32> {
    let text = raw.metadata.annotations.as_ref().and_then(|all| all.get(key));
    let parsed = text.map(|text| node_ids::parse_ranges(text, most)).transpose();
    let ids = parsed.unwrap_or_else(|message| {
        let message = format!("annotation {key} is ignored: {message}");
        warnings.push(Warning { reason: reasons::INVALID_NODE_IDS.to_owned(), message });
        None
    });
    ids.unwrap_or_default()
}
