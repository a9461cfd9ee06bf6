//! The claims of a node's persistent volumes.

use api::{annotations, names};
use serde_json::json;

use super::meta::{Object, Owner, pool_labels};
use crate::kafka::cluster::{Cluster, Node, VolumeKind};
use objects::DesiredObject;

/// One claim for each persistent volume of the node. It goes with the pool only when the user said so.
pub fn of_node(cluster: &Cluster, node: Node<'_>) -> Vec<DesiredObject> {
    let pod = cluster.pod_name(node);
    let mut claims = Vec::new();
    for volume in &node.pool.volumes {
        let VolumeKind::Claim { size, class, selector, delete_claim, attributes_class } = &volume.kind else {
            continue;
        };
        let mut spec = json!({
            "accessModes": ["ReadWriteOnce"],
            "volumeMode": "Filesystem",
            "resources": {"requests": {"storage": size}},
        });
        if let Some(class) = class {
            spec["storageClassName"] = json!(class);
        }
        if !selector.is_empty() {
            spec["selector"] = json!({"matchLabels": selector});
        }
        if let Some(class) = attributes_class {
            spec["volumeAttributesClassName"] = json!(class);
        }
        let name = names::persistent_volume_claim(volume.id, &pod);
        let owner = if *delete_claim { Owner::Pool(node.pool) } else { Owner::Nobody };
        let claim =
            Object::new(cluster, "v1", "PersistentVolumeClaim", name, pool_labels(cluster, node.pool))
                .owner(owner)
                .annotation(annotations::DELETE_CLAIM, delete_claim.to_string())
                .template(node.pool.templates.get("persistentVolumeClaim"))
                .set("spec", spec);
        claims.push(claim.build());
    }
    claims
}
