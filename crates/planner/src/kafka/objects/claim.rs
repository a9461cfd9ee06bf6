//! The claims of a node's persistent volumes.

use api::{annotations, names};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use objects::Object;

use super::meta::pool_labels;
use crate::kafka::cluster::{Cluster, Node, PoolOrigin, VolumeKind};

/// The request of a claim that says how large it is.
pub(crate) const STORAGE: &str = "storage";

/// One claim for each persistent volume of the node. It goes with its node only when the user said so.
pub(crate) fn of_node(cluster: &Cluster, node: Node<'_>) -> Vec<Object<PersistentVolumeClaim>> {
    let pod = cluster.pod_name(node);
    let owner = cluster.owner_of_pool(node.pool);
    let template = node.pool.templates.persistent_volume_claim.as_ref();
    let mut claims = Vec::new();
    for volume in node.pool.volumes_of(node.id) {
        let VolumeKind::Claim { size, class, classes_of_nodes, selector, delete_claim, attributes_class } =
            &volume.kind
        else {
            continue;
        };
        let match_labels = Some(selector.clone()).filter(|selector| !selector.is_empty());
        let spec = PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            volume_mode: Some("Filesystem".to_owned()),
            resources: Some(VolumeResourceRequirements {
                requests: Some([(STORAGE.to_owned(), Quantity(size.clone()))].into()),
                ..VolumeResourceRequirements::default()
            }),
            storage_class_name: classes_of_nodes.get(&node.id).or(class.as_ref()).cloned(),
            selector: match_labels
                .map(|labels| LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }),
            volume_attributes_class_name: attributes_class.clone(),
            ..PersistentVolumeClaimSpec::default()
        };
        let body = PersistentVolumeClaim { spec: Some(spec), ..PersistentVolumeClaim::default() };
        let name = names::persistent_volume_claim(volume.id, &pod);
        let mut claim = Object::new(&owner, name, pool_labels(cluster, node.pool), body)
            .stays(!delete_claim)
            .annotation(annotations::DELETE_CLAIM, delete_claim.to_string())
            .template(template.and_then(|template| template.metadata.as_ref()));
        if node.pool.origin == PoolOrigin::Implied {
            claim = claim.annotation(annotations::IMPLIED_POOL, "true");
        }
        claims.push(claim);
    }
    claims
}
