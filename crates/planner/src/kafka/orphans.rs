//! Objects of the cluster that nothing wants any more.

use std::collections::{BTreeMap, BTreeSet};

use api::{annotations, labels, names};
use k8s_openapi::api::core::v1::Pod;

use super::cluster::Cluster;
use super::existing;
use super::observed::Observed;
use objects::Deletion;
use objects::DesiredObject;
use objects::ObjectId;

/// What to delete. Only objects that this operator makes: those with its labels, or with names that only it gives.
pub fn of(cluster: &Cluster, observed: &Observed, wanted: &[DesiredObject]) -> Vec<Deletion> {
    let keep: BTreeSet<&ObjectId> = wanted.iter().map(|object| &object.reference).collect();
    let mut found: BTreeMap<ObjectId, Option<String>> = BTreeMap::new();
    let reference = |api_version: &str, kind: &str, name: &str| ObjectId {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: Some(cluster.namespace.clone()),
        name: name.to_owned(),
    };
    // What belongs to a node goes when its pod is gone.
    for (name, map) in &observed.config_maps {
        let all = map.metadata.labels.as_ref();
        let of_a_node = is_kafkas(cluster, all) && all.is_some_and(|all| all.contains_key(labels::POD_NAME));
        if of_a_node && !observed.pods.contains_key(name) {
            found.insert(reference("v1", "ConfigMap", name), map.metadata.uid.clone());
        }
    }
    for (name, secret) in &observed.secrets {
        let has_node_keys =
            secret.data.as_ref().is_some_and(|data| data.contains_key(&format!("{name}.crt")));
        if is_kafkas(cluster, secret.metadata.labels.as_ref())
            && has_node_keys
            && !observed.pods.contains_key(name)
        {
            found.insert(reference("v1", "Secret", name), secret.metadata.uid.clone());
        }
    }
    for (name, claim) in &observed.claims {
        let deletable = annotations::is_true(claim.metadata.annotations.as_ref(), annotations::DELETE_CLAIM);
        let all = claim.metadata.labels.as_ref();
        let in_use = observed.pods.values().any(|pod| mounts(pod, name));
        if is_kafkas(cluster, all) && deletable && !in_use && is_given_up(cluster, observed, name, all) {
            found.insert(reference("v1", "PersistentVolumeClaim", name), claim.metadata.uid.clone());
        }
    }
    let entity = names::entity_operator::deployment(&cluster.name);
    if let Some(deployment) = observed.deployments.get(&entity) {
        found.insert(reference("apps/v1", "Deployment", &entity), deployment.metadata.uid.clone());
    }
    for name in [
        names::entity_operator::topic_operator_config_map(&cluster.name),
        names::entity_operator::user_operator_config_map(&cluster.name),
    ] {
        if let Some(map) = observed.config_maps.get(&name) {
            found.insert(reference("v1", "ConfigMap", &name), map.metadata.uid.clone());
        }
    }
    for name in [
        names::entity_operator::topic_operator_certs_secret(&cluster.name),
        names::entity_operator::user_operator_certs_secret(&cluster.name),
    ] {
        if let Some(secret) = observed.secrets.get(&name) {
            found.insert(reference("v1", "Secret", &name), secret.metadata.uid.clone());
        }
    }
    let ours = BTreeSet::from([
        entity.clone(),
        names::entity_operator::topic_operator_role_binding(&cluster.name),
        names::entity_operator::user_operator_role_binding(&cluster.name),
        names::kafka_network_policy(&cluster.name),
        names::kafka(&cluster.name),
    ]);
    let removable = ["ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "PodDisruptionBudget"];
    for other in &observed.others {
        // A Role of Kafka's pods comes from another operator; pods of its making may still need it.
        let foreign = other.name == names::kafka(&cluster.name)
            && matches!(other.kind.as_str(), "Role" | "RoleBinding");
        if ours.contains(&other.name) && removable.contains(&other.kind.as_str()) && !foreign {
            found.insert(other.clone(), None);
        }
    }
    let unwanted = found.into_iter().filter(|(object, _)| !keep.contains(object));
    unwanted.map(|(object, uid)| Deletion { object, uid }).collect()
}

/// Whether the node of a claim left the cluster for good, or stays and has lost the volume: Kafka said that it does not
/// know the node any more. What a pool owns that was deleted goes with it, by Kubernetes.
fn is_given_up(
    cluster: &Cluster,
    observed: &Observed,
    claim: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> bool {
    let node = cluster.pools.iter().find_map(|pool| {
        existing::node_of_claim(&cluster.name, &pool.name, claim, labels).map(|id| (pool, id))
    });
    let Some((pool, id)) = node else { return false };
    if pool.nodes.contains(&id) {
        return true;
    }
    let Some(view) = &observed.view else { return false };
    let Some(quorum) = &view.quorum else { return false };
    !view.registered_brokers.contains(&id) && !quorum.voters.contains_key(&id)
}

/// Whether a pod was made with the claim. A volume that left its pool is in use until the pod was made anew.
fn mounts(pod: &Pod, claim: &str) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    let mut claims =
        volumes.into_iter().flatten().filter_map(|volume| volume.persistent_volume_claim.as_ref());
    claims.any(|mounted| mounted.claim_name == claim)
}

/// Whether the labels say that the object belongs to Kafka itself and was made by this operator.
fn is_kafkas(cluster: &Cluster, all: Option<&BTreeMap<String, String>>) -> bool {
    let is = |key: &str, value: &str| all.and_then(|all| all.get(key)).is_some_and(|found| found == value);
    is(labels::CLUSTER, &cluster.name)
        && is(labels::NAME, &names::kafka(&cluster.name))
        && is(labels::KUBERNETES_MANAGED_BY, labels::MANAGED_BY_CLUSTER_OPERATOR)
}
