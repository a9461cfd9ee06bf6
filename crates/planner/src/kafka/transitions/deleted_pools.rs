//! Node pools that are deleted while they have nodes. Nothing goes with the resource: the nodes leave as all others do, when they hold no
//! replicas and have no votes. Of a KafkaNodePool that is gone its pod set remembers what the nodes are, so that they are looked after until then.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{KafkaNodePool, KafkaNodePoolSpec, StrimziPodSet, annotations, labels, names};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube_core::ResourceExt;
use serde::{Deserialize, Serialize};

use super::pool_finalizer;
use crate::kafka::cluster::{Cluster, Pool, PoolOrigin, Warning};
use crate::kafka::observed::Observed;
use crate::kafka::older::implied;

/// Most bytes that a pod set remembers of its pool: all annotations of an object have room for 256 KiB.
const MOST_BYTES: usize = 128 * 1024;

/// The UID of what is no object any more: the API server gives no such one.
const UID: &str = "deleted";

/// Prefixes of the annotations of a pool that say something about its nodes.
const OWN_ANNOTATIONS: [&str; 2] = ["strimzi.io/", "kastellan.io/"];

/// Reason of the warning.
const REASON: &str = "PodsWithoutNodePool";

/// What a pod set remembers of its KafkaNodePool.
#[derive(Serialize, Deserialize)]
struct Remembered {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    spec: KafkaNodePoolSpec,
}

/// Whether the nodes of a pool are to leave because it is deleted.
pub fn is_deleted(pool: &KafkaNodePool) -> bool {
    pool.metadata.deletion_timestamp.is_some()
}

/// Whether there is no KafkaNodePool any more.
pub(crate) fn is_remembered(pool: &KafkaNodePool) -> bool {
    pool.metadata.uid.as_deref() == Some(UID)
}

/// What the pod set of a pool is to remember of its KafkaNodePool; `None`: there is none, or it is too large.
pub(crate) fn memory(pool: &Pool, observed: &Observed) -> Option<String> {
    if pool.origin == PoolOrigin::Implied {
        return None;
    }
    let raw = observed.pools.iter().find(|raw| raw.name_any() == pool.name)?;
    let is_own = |key: &str| OWN_ANNOTATIONS.iter().any(|prefix| key.starts_with(prefix));
    // Nobody can take back a `false` on what is gone, and the Kafka resource may say `true` by then.
    let says_no = |key: &str, value: &str| key == annotations::DRAIN_NODES && value != "true";
    let own = raw.annotations().iter().filter(|(key, value)| is_own(key) && !says_no(key, value));
    let mut spec = raw.spec.clone();
    // Of a storage that was refused the nodes have nothing.
    spec.storage = serde_json::from_str(&pool.storage_json).unwrap_or(spec.storage);
    let remembered = Remembered {
        labels: raw.labels().clone(),
        annotations: own.map(|(key, value)| (key.clone(), value.clone())).collect(),
        spec,
    };
    serde_json::to_string(&remembered).ok().filter(|text| text.len() <= MOST_BYTES)
}

/// The name of the KafkaNodePool that a pod set remembers.
pub fn remembered_name(set: &StrimziPodSet) -> Option<&str> {
    text(set)?;
    set.labels().get(labels::POOL_NAME).map(String::as_str)
}

/// How many bytes a pod set remembers of its KafkaNodePool.
pub fn bytes(set: &StrimziPodSet) -> usize {
    text(set).map_or(0, str::len)
}

fn text(set: &StrimziPodSet) -> Option<&str> {
    set.annotations().get(annotations::NODE_POOL).map(String::as_str)
}

/// Adds the pools of which the pod sets are all that is left. A pool that the Kafka resource implies is that from then on.
pub(crate) fn add(observed: &mut Observed, now: Timestamp) {
    let Some(kafka) = observed.kafka.clone() else { return };
    for name in &observed.deleted_pools {
        let is_there = observed.pools.iter().any(|pool| pool.name_any() == *name);
        if is_there || implied::pool_names(&kafka).any(|implied| implied == name) {
            continue;
        }
        let set = observed.pod_sets.get(&names::pod_set(&kafka.name_any(), name));
        let remembered = set.and_then(|set| serde_json::from_str::<Remembered>(text(set)?).ok());
        let Some(Remembered { labels, annotations, spec }) = remembered else { continue };
        let mut pool = KafkaNodePool::new(name, spec);
        pool.metadata.namespace = kafka.namespace();
        pool.metadata.uid = Some(UID.to_owned());
        pool.metadata.labels = Some(labels);
        pool.metadata.annotations = Some(annotations);
        pool.metadata.deletion_timestamp = Some(Time(now));
        observed.pools.push(Arc::new(pool));
    }
    observed.pools.sort_by_key(|pool| pool.name_any());
}

/// Whether nothing is left of a pool whose KafkaNodePool is gone: its pod set is the last that goes.
pub(crate) fn is_over(cluster: &Cluster, pool: &Pool, observed: &Observed) -> bool {
    pool.origin == PoolOrigin::Deleted && pool_finalizer::is_gone(cluster, pool, observed)
}

/// A warning for each pool whose KafkaNodePool is gone while it has nodes.
pub(crate) fn warnings(cluster: &Cluster) -> Vec<Warning> {
    let left = cluster.pools.iter().filter(|pool| pool.origin == PoolOrigin::Deleted);
    left.filter(|pool| !pool.nodes.is_empty()).map(warning).collect()
}

fn warning(pool: &Pool) -> Warning {
    let nodes: Vec<String> = pool.nodes.iter().map(ToString::to_string).collect();
    Warning {
        reason: REASON.to_owned(),
        message: format!(
            "KafkaNodePool {} was deleted, and its nodes {} leave when they hold no replicas and have no vote in the quorum: to have them \
             emptied, write the annotation {}: \"true\" on the Kafka resource; to keep them, create the KafkaNodePool again, with the same \
             roles and storage",
            pool.name,
            nodes.join(", "),
            annotations::DRAIN_NODES
        ),
    }
}
