//! Node pools that were deleted without their objects (`--cascade=orphan`), and of which nothing tells what their nodes are: they were too large to be
//! remembered ([`deleted_pools`](super::transitions::deleted_pools)). Their pods run on, because nothing is given up that nobody asked for; but nobody
//! looks after them either, so the status says so until the pool is there again or its pod set gone.

use api::conditions::reasons;
use api::{StrimziPodSet, kinds, labels, names};
use kube_core::ResourceExt;

use super::cluster::{Cluster, Warning};
use super::observed::Observed;

/// A warning for each pod set that lost its pool.
pub(super) fn warnings(cluster: &Cluster, observed: &Observed) -> Vec<Warning> {
    let is_of_a_pool = |name: &String| {
        let own = cluster.pools.iter().map(|pool| pool.name.as_str());
        let mut pools = own.chain(observed.pools_of_others.keys().map(String::as_str));
        pools.any(|pool| *name == names::pod_set(&cluster.name, pool))
    };
    let lost = observed.pod_sets.iter().filter(|(name, set)| is_alone(set) && !is_of_a_pool(name));
    lost.map(|(name, set)| warning(name, set)).collect()
}

/// Whether a pod set has pods and no pool owns it.
fn is_alone(set: &StrimziPodSet) -> bool {
    set.owner_references().iter().all(|owner| owner.kind != kinds::KAFKA_NODE_POOL)
        && set.metadata.deletion_timestamp.is_none()
        && !set.spec.pods.is_empty()
}

fn warning(name: &str, set: &StrimziPodSet) -> Warning {
    let pool = set.labels().get(labels::POOL_NAME).map_or("", String::as_str);
    Warning {
        reason: reasons::PODS_WITHOUT_NODE_POOL.to_owned(),
        message: format!(
            "StrimziPodSet {name} lost its KafkaNodePool {pool}, and does not say what its nodes are: its {} pods run on, and are \
             neither restarted nor changed, and get no new certificates; create the KafkaNodePool again, with the same \
             roles and storage, to have them looked after, or, if none is a controller, move their partitions away and delete the \
             StrimziPodSet",
            set.spec.pods.len()
        ),
    }
}
