//! A pool whose nodes are emptied, and lose their votes, before they leave goes after them: a finalizer holds it until then.

use api::{Kafka, KafkaNodePool, annotations, labels};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube_core::{Resource, ResourceExt};
use objects::{FinalizerChange, ObjectId};

use super::drain;
use super::leaving::Replicas;
use crate::kafka::cluster::{Cluster, Pool};
use crate::kafka::existing::Existing;
use crate::kafka::observed::{Observed, QuorumView};

/// Whether a pool is being deleted and waits for its nodes to leave.
pub fn holds(pool: &KafkaNodePool) -> bool {
    pool.metadata.deletion_timestamp.is_some() && has_it(pool)
}

/// Whether a pool has the finalizer.
pub fn has_it(pool: &KafkaNodePool) -> bool {
    pool.finalizers().iter().any(|one| one == annotations::FINALIZER_DRAIN_NODES)
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
/// annotation says by then, unless the user takes the loss: that of what brokers hold. No check stands for the majority of a quorum, which
/// would go with the pods.
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

/// Whether nothing of a pool's nodes is left that goes with them: no pod, no trace of what emptied them, no claim that was not to stay, and Kafka
/// has said that it knows none of them.
pub(crate) fn is_gone(cluster: &Cluster, pool: &Pool, observed: &Observed) -> bool {
    let Some(view) = &observed.view else { return false };
    if !view.quorum.as_ref().is_some_and(QuorumView::has_leader) {
        return false;
    }
    let volumes = Existing::of(observed).pool(&pool.name).volumes;
    let voters = view.quorum.iter().flat_map(|quorum| quorum.voters.keys());
    let is_known = view.registered_brokers.iter().chain(voters).any(|id| volumes.contains(id));
    let set = observed.pod_sets.get(&cluster.pod_set_name(pool));
    let lists_none = set.is_none_or(|set| set.spec.pods.is_empty() && !drain::is_under_way(set));
    let has_pod = |pod: &Pod| {
        let name = pod.metadata.labels.as_ref().and_then(|all| all.get(labels::POOL_NAME));
        name.is_some_and(|name| *name == pool.name)
    };
    let has_claim = |claim: &PersistentVolumeClaim| {
        let name = claim.metadata.labels.as_ref().and_then(|all| all.get(labels::POOL_NAME));
        name.is_some_and(|name| *name == pool.name)
            && annotations::is_true(claim.metadata.annotations.as_ref(), annotations::DELETE_CLAIM)
    };
    !is_known
        && pool.nodes.is_empty()
        && lists_none
        && !observed.pods.values().any(|pod| has_pod(pod))
        && !observed.claims.values().any(|claim| has_claim(claim))
}
