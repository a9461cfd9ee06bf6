//! The StrimziPodSet of a pool: the list of its pods.

use api::{annotations, labels};
use serde_json::{Value, json};

use super::meta::{Object, Owner, pool_labels};
use crate::kafka::cluster::{Cluster, Pool, Quorum};
use objects::DesiredObject;

/// On pod sets and on the ConfigMaps of nodes: directory ids of the first controllers, as JSON by node id. Each
/// object carries all of them, so that losing some loses nothing.
pub const DIRECTORY_IDS: &str = "kastellan.io/controller-directory-ids";
/// On pod sets: `true` once the metadata quorum has existed.
pub const QUORUM_FORMED: &str = "kastellan.io/quorum-formed";

/// On pod sets of clusters that were formatted with `controller.quorum.voters`: those voters, as a JSON list of node ids.
pub const STATIC_VOTERS: &str = "kastellan.io/static-controllers";

/// On pod sets: when a restart of all pods was asked for; pods that are older get one.
pub const MANUAL_SINCE: &str = "kastellan.io/manual-rolling-update-since";

/// The pod set of a pool with these pods. `manual_since` says when a restart of all was asked for.
pub fn of_pool(
    cluster: &Cluster,
    pool: &Pool,
    pods: &[Value],
    manual: Option<&ManualUpdate>,
) -> DesiredObject {
    let all = pool_labels(cluster, pool);
    let selector = labels::selector(&all);
    let mut object =
        Object::new(cluster, "core.strimzi.io/v1", "StrimziPodSet", cluster.pod_set_name(pool), all)
            .owner(Owner::Pool(pool))
            .annotation(annotations::KAFKA_VERSION, &cluster.version.version)
            .annotation(annotations::STORAGE, &pool.storage_json);
    object = match &cluster.quorum {
        Quorum::Dynamic { directory_ids, formed, .. } => object
            .annotation(DIRECTORY_IDS, json!(directory_ids).to_string())
            .annotation(QUORUM_FORMED, formed.to_string()),
        Quorum::Static => {
            let voters: Vec<i32> = cluster.controllers().into_iter().map(|node| node.id).collect();
            object.annotation(STATIC_VOTERS, json!(voters).to_string())
        }
    };
    if let Some(manual) = manual {
        object = object.annotation(MANUAL_SINCE, &manual.since);
        if manual.is_new {
            // The annotation is the user's: it can only be overwritten.
            object = object.annotation(annotations::MANUAL_ROLLING_UPDATE, "false");
        }
    }
    object
        .template(pool.templates.get("podSet"))
        .set("spec", json!({"selector": {"matchLabels": selector}, "pods": pods}))
        .build()
}

/// A restart of all pods that was asked for with an annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualUpdate {
    /// When, RFC 3339.
    pub since: String,
    /// Whether it was just seen.
    pub is_new: bool,
}
