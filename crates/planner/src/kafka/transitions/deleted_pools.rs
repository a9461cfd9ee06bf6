//! Node pools that are deleted while they have nodes. Once the quorum has formed nothing goes with the resource: the nodes leave as all others do,
//! when they hold no replicas and have no votes. Of a KafkaNodePool that is gone its pod set remembers what the nodes are, so that they are looked
//! after until then. Before, there is nothing to lose, and a pool that is deleted makes room for the next attempt.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::conditions::reasons;
use api::{KafkaNodePool, KafkaNodePoolSpec, StrimziPodSet, annotations, labels, names};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube_core::ResourceExt;
use serde::{Deserialize, Serialize};

use crate::kafka::cluster::{Cluster, Pool, PoolOrigin, PoolOwner, Warning};
use crate::kafka::observed::Observed;
use crate::kafka::older::implied;

/// Most bytes that a pod set remembers of its pool: all annotations of an object have room for 256 KiB, and a template may have some, too.
const MOST_BYTES: usize = 64 * 1024;

/// The UID of what is no object any more: the API server gives no such one.
const UID: &str = "deleted";

/// Prefixes of the annotations of a pool that say something about its nodes.
const OWN_ANNOTATIONS: [&str; 2] = ["strimzi.io/", "kastellan.io/"];

/// What a pod set remembers of its KafkaNodePool.
#[derive(Serialize, Deserialize)]
struct Remembered {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    spec: KafkaNodePoolSpec,
}

/// Whether a pool is being deleted: its nodes are to leave.
pub fn is_terminating(pool: &KafkaNodePool) -> bool {
    pool.metadata.deletion_timestamp.is_some()
}

/// Whether there is no KafkaNodePool any more.
pub(crate) fn is_remembered(pool: &KafkaNodePool) -> bool {
    pool.metadata.uid.as_deref() == Some(UID)
}

/// Has the pod set of a pool remember its KafkaNodePool, and the objects of the pool go with the last of pool and cluster. `is_released`: no
/// object may name the KafkaNodePool any more.
pub(crate) fn protect(pool: &mut Pool, raw: &KafkaNodePool, is_released: bool) {
    pool.remembered = memory(pool, raw);
    if pool.origin != PoolOrigin::Resource {
        return;
    }
    if pool.remembered.is_some() {
        pool.owner = if is_released { PoolOwner::Cluster } else { PoolOwner::PoolAndCluster };
        return;
    }
    let message = format!(
        "KafkaNodePool {} spec: has more than {} KiB, which is more than can be remembered of it: its nodes go with it when it is deleted, whatever \
         they hold; make spec.template smaller",
        pool.name,
        MOST_BYTES / 1024
    );
    pool.warnings.push(Warning { reason: reasons::POOL_TOO_LARGE.to_owned(), message });
}

/// What a pod set is to remember of the KafkaNodePool; `None`: it is too large.
fn memory(pool: &Pool, raw: &KafkaNodePool) -> Option<String> {
    let is_own = |key: &str| OWN_ANNOTATIONS.iter().any(|prefix| key.starts_with(prefix));
    // Nobody can take back a `false` on what is gone, and the Kafka resource may say `true` by then.
    let asks = |key: &str| [annotations::DRAIN_NODES, annotations::DRAIN_VOLUMES].contains(&key);
    let says_no = |key: &str, value: &str| asks(key) && value != "true";
    let own = raw.annotations().iter().filter(|(key, value)| is_own(key) && !says_no(key, value));
    let mut spec = raw.spec.clone();
    if pool.removal.states.is_empty() {
        // Of a storage that was refused the nodes have nothing. While volumes leave, what stays of them is no wish.
        spec.storage = serde_json::from_str(&pool.storage_json).unwrap_or(spec.storage);
    }
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

fn text(set: &StrimziPodSet) -> Option<&str> {
    set.annotations().get(annotations::NODE_POOL).map(String::as_str).filter(|text| text.len() <= MOST_BYTES)
}

/// Adds the pools of which the pod sets are all that is left. A pool that the Kafka resource implies is that from then on.
pub(crate) fn add(observed: &mut Observed, now: Timestamp) {
    let Some(kafka) = observed.kafka.clone() else { return };
    // Whether the resource implies a pool depends on the roles of all others.
    let is_implied = |name: &String| implied::pool_names(&kafka).any(|implied| implied == name);
    let (last, first): (Vec<String>, Vec<String>) =
        observed.deleted_pools.iter().cloned().partition(is_implied);
    for name in first.iter().chain(&last) {
        let is_there = observed.pools.iter().any(|pool| pool.name_any() == *name);
        if is_there || implied::is_to_be_added(observed, name) {
            continue;
        }
        let set = observed.pod_sets.get(&names::pod_set(&kafka.name_any(), name));
        let remembered = set.and_then(|set| serde_json::from_str::<Remembered>(text(set)?).ok());
        let Some(Remembered { mut labels, annotations, spec }) = remembered else { continue };
        // Whatever the label said, the nodes are here.
        labels.insert(labels::CLUSTER.to_owned(), kafka.name_any());
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

/// A warning for each pool whose KafkaNodePool is gone while it has nodes.
pub(crate) fn warnings(cluster: &Cluster) -> Vec<Warning> {
    let left = cluster.pools.iter().filter(|pool| pool.origin == PoolOrigin::Deleted);
    left.filter(|pool| !pool.nodes.is_empty()).map(warning).collect()
}

fn warning(pool: &Pool) -> Warning {
    let nodes: Vec<String> = pool.nodes.iter().map(ToString::to_string).collect();
    let to_empty = if pool.drained.is_empty() {
        format!(
            "to have them emptied, write the annotation {}: \"true\" on the Kafka resource; ",
            annotations::DRAIN_NODES
        )
    } else {
        String::new()
    };
    Warning {
        reason: reasons::PODS_WITHOUT_NODE_POOL.to_owned(),
        message: format!(
            "KafkaNodePool {} was deleted, and its nodes {} leave when they hold no replicas and have no vote in the quorum: {to_empty}to keep \
             them, create the KafkaNodePool again, with the same roles and storage",
            pool.name,
            nodes.join(", ")
        ),
    }
}
