//! A pool whose nodes are emptied, and lose their votes, before they leave goes after them: a finalizer holds it until then.

use std::collections::BTreeSet;

use api::{Kafka, KafkaNodePool, annotations, labels};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube_core::{Resource, ResourceExt};
use objects::{FinalizerChange, ObjectId};

use super::leaving::Replicas;
use super::{deleted_pools, drain};
use crate::kafka::cluster::{Cluster, Pool, PoolOrigin};
use crate::kafka::existing::{Existing, node_of_claim};
use crate::kafka::observed::{Observed, QuorumView};
use crate::live_object::LiveObject;

/// Whether a pool is being deleted and waits for its nodes to leave.
pub fn holds(pool: &KafkaNodePool) -> bool {
    pool.metadata.deletion_timestamp.is_some() && has_it(pool)
}

/// Whether a pool has the finalizer.
pub fn has_it(pool: &KafkaNodePool) -> bool {
    pool.finalizers().iter().any(|one| one == annotations::FINALIZER_DRAIN_NODES)
}

/// Whether Kubernetes waits until no object names a pool as its owner (a deletion in the foreground), or takes it out of them itself.
pub(crate) fn is_released(pool: &KafkaNodePool) -> bool {
    let is_of_kubernetes = |one: &String| ["foregroundDeletion", "orphan"].contains(&one.as_str());
    deleted_pools::is_terminating(pool) && (!has_it(pool) || pool.finalizers().iter().any(is_of_kubernetes))
}

/// What is written into a pool so that it has the finalizer, or has it no more; `None`: it is right. Kubernetes takes none for a pool that
/// is being deleted.
pub fn change(pool: &KafkaNodePool, wanted: bool) -> Option<FinalizerChange> {
    if wanted == has_it(pool) || wanted && pool.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let mut finalizers = pool.finalizers().to_vec();
    finalizers.retain(|one| one != annotations::FINALIZER_DRAIN_NODES);
    if wanted {
        finalizers.push(annotations::FINALIZER_DRAIN_NODES.to_owned());
    }
    Some(FinalizerChange {
        object: ObjectId {
            api_version: KafkaNodePool::api_version(&()).into_owned(),
            kind: KafkaNodePool::kind(&()).into_owned(),
            namespace: pool.namespace(),
            name: pool.name_any(),
        },
        resource_version: pool.metadata.resource_version.clone(),
        finalizers,
    })
}

/// The finalizers that the pools of a live cluster get or lose. One that is being deleted keeps it until its nodes have left, whatever the
/// annotation says by then, unless the user takes the loss: that of what brokers hold. Votes are taken away one at a time all the same, and the pool
/// waits for that.
pub(crate) fn changes(kafka: &Kafka, cluster: &Cluster, observed: &Observed) -> Vec<FinalizerChange> {
    let is_wanted = |raw: &KafkaNodePool| {
        let pool =
            cluster.pools.iter().find(|pool| pool.name == raw.name_any() && pool.origin.has_resource());
        pool.is_some_and(|pool| {
            if raw.metadata.deletion_timestamp.is_some() {
                let votes = pool.controller && !pool.nodes.is_empty();
                let waits = votes || !Replicas::of(observed).are_unchecked();
                waits && !is_gone(cluster, pool, observed)
            } else {
                drain::is_asked(kafka, raw, annotations::DRAIN_NODES)
            }
        })
    };
    observed.pools.iter().filter_map(|raw| change(raw, is_wanted(raw))).collect()
}

/// Whether nothing is left of a pool whose KafkaNodePool is gone: its pod set is the last that goes.
pub(crate) fn is_over(cluster: &Cluster, pool: &Pool, observed: &Observed) -> bool {
    pool.origin == PoolOrigin::Deleted && is_gone(cluster, pool, observed)
}

/// Whether nothing of a pool's nodes is left that goes with them: no pod, no trace of what emptied them, no claim that was not to stay, and Kafka
/// has said that it knows none of them.
fn is_gone(cluster: &Cluster, pool: &Pool, observed: &Observed) -> bool {
    let Some(view) = &observed.view else { return false };
    if !view.quorum.as_ref().is_some_and(QuorumView::has_leader) {
        return false;
    }
    let volumes = Existing::of(observed).pool(&pool.name).volumes;
    let voters = view.quorum.iter().flat_map(|quorum| quorum.voters.keys());
    let others = cluster.pools.iter().filter(|other| other.name != pool.name);
    let taken: BTreeSet<i32> = others.flat_map(|other| other.nodes.iter().copied()).collect();
    // Volumes stay, and other pools get the ids of their nodes.
    let mut known = view.registered_brokers.iter().chain(voters);
    let is_known = known.any(|id| volumes.contains(id) && !taken.contains(id));
    let set = observed.pod_sets.get(&cluster.pod_set_name(pool));
    let lists_none = set.is_none_or(|set| set.spec.pods.is_empty() && !drain::is_under_way(set));
    let has_pod = |pod: &Pod| {
        let name = pod.metadata.labels.as_ref().and_then(|all| all.get(labels::POOL_NAME));
        name.is_some_and(|name| *name == pool.name)
    };
    // Those that are deleted after their nodes, and have not been: see `orphans`.
    let is_to_go = |name: &str, claim: &PersistentVolumeClaim| {
        let (metadata, facts) = (&claim.metadata, LiveObject::of(&claim.metadata));
        metadata.deletion_timestamp.is_none()
            && facts.made_by_operator
            && facts.owned
            && annotations::is_true(metadata.annotations.as_ref(), annotations::DELETE_CLAIM)
            && node_of_claim(&cluster.name, &pool.name, name, metadata.labels.as_ref()).is_some()
    };
    !is_known
        && pool.nodes.is_empty()
        && lists_none
        && !observed.pods.values().any(|pod| has_pod(pod))
        && !observed.claims.iter().any(|(name, claim)| is_to_go(name, claim))
}
