//! The StrimziPodSet of a pool: the list of its pods.

use std::collections::BTreeSet;

use api::{annotations, labels};
use objects::{DesiredObject, json};
use serde_json::Value;

use super::meta::pool_labels;
use crate::kafka::cluster::{Cluster, Node, Pool, PoolOrigin, Quorum, Resizing};
use crate::kafka::config::live::taken_out;
use crate::kafka::observed::Observed;
use crate::kafka::transitions::drain::Drained;
use crate::kafka::transitions::volume_removal::RemovedVolumes;
use crate::workload::manual_update::ManualUpdate;
use crate::workload::pod_set;

/// What the pod set remembers: above all what there is in Kafka that the operator set and that Kafka itself does not tell from what others set.
#[derive(Debug, Clone)]
pub(crate) struct Memory<'a> {
    /// Whether there are default quotas of users.
    pub quotas: bool,
    /// Brokers, and their options that have a value of their own.
    pub own_options: &'a BTreeSet<(i32, String)>,
    /// Nodes of the pool that are emptied.
    pub drained: Option<&'a Drained>,
    /// Volumes that leave the pool, or left it.
    pub volumes: Option<&'a RemovedVolumes>,
    /// For which operator and which resources the pods were last let go.
    pub let_go_for: Option<String>,
    /// What the nodes are, should their KafkaNodePool be deleted.
    pub node_pool: Option<String>,
}

/// The pod set of a pool with these pods. `manual` says which live pods are to be restarted because a user asked for it;
/// `memory`, what it remembers.
pub(crate) fn of_pool(
    cluster: &Cluster,
    pool: &Pool,
    pods: Vec<Value>,
    manual: Option<&ManualUpdate>,
    memory: Memory<'_>,
) -> DesiredObject {
    let all = pool_labels(cluster, pool);
    let selector = labels::selector(&all);
    let mut object = pod_set::new(&cluster.owner_of_pool(pool), &cluster.pod_set_name(pool), all, selector)
        .annotation(annotations::KAFKA_VERSION, &cluster.version.version)
        .annotation(annotations::STORAGE, &pool.storage_json);
    for (key, value) in cluster.resizing.into_iter().flat_map(Resizing::annotations) {
        object = object.annotation(key, value);
    }
    object = object.maybe_annotation(
        annotations::OPTIONS_OF_BROKERS,
        taken_out::of_brokers_annotation(memory.own_options),
    );
    object = object.maybe_annotation(
        annotations::DRAINED_NODES,
        memory.drained.map(|drained| json(drained).to_string()),
    );
    let volumes = memory.volumes.map(|volumes| json(volumes).to_string());
    object = object.maybe_annotation(annotations::REMOVED_VOLUMES, volumes);
    object = object.maybe_annotation(annotations::LET_GO_FOR, memory.let_go_for);
    object = object.maybe_annotation(annotations::NODE_POOL, memory.node_pool);
    if memory.quotas {
        object = object.annotation(annotations::DEFAULT_USER_QUOTAS, "true");
    }
    if pool.origin == PoolOrigin::Implied {
        object = object.annotation(annotations::IMPLIED_POOL, "true");
    }
    object = match &cluster.quorum {
        Quorum::Dynamic { directory_ids, formed, .. } => object
            .annotation(annotations::CONTROLLER_DIRECTORY_IDS, json(directory_ids).to_string())
            .annotation(annotations::QUORUM_FORMED, formed.to_string()),
        Quorum::Static => {
            let voters: Vec<i32> = cluster.controllers().into_iter().map(|node| node.id).collect();
            object.annotation(annotations::STATIC_CONTROLLERS, json(&voters).to_string())
        }
    };
    let template = pool.templates.pod_set.as_ref();
    let metadata = template.and_then(|template| template.metadata.as_ref());
    pod_set::with_pods(object, manual, metadata, pods)
}

/// The pods of a pool for which a restart was asked for on their pod set and that have not had it.
pub(crate) fn manual_update(cluster: &Cluster, pool: &Pool, observed: &Observed) -> Option<ManualUpdate> {
    let set = observed.pod_sets.get(&cluster.pod_set_name(pool))?;
    let pods =
        pool.nodes.iter().filter_map(|id| observed.pods.get(&cluster.pod_name(Node { id: *id, pool })));
    ManualUpdate::of(set, pods.map(AsRef::as_ref), &observed.restarted)
}
