//! Live objects that nothing wants any more: those of the components that this operator makes, and that no plan wants. What
//! stays all the same is spelled out in [`stays`].

use std::collections::{BTreeMap, BTreeSet};

use api::{StrimziPodSet, annotations, labels, names};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_core::Resource;

use super::cluster::Cluster;
use super::existing;
use super::observed::{Observed, Other};
use objects::Deletion;
use objects::DesiredObject;
use objects::ObjectId;

/// What to delete.
pub fn of(cluster: &Cluster, observed: &Observed, wanted: &[DesiredObject]) -> Vec<Deletion> {
    let keep: BTreeSet<&ObjectId> = wanted.iter().map(|object| &object.reference).collect();
    let live = live(cluster, observed);
    let orphans = live.into_iter().filter(|(object, facts)| {
        !keep.contains(object) && is_ours(cluster, facts) && !stays(cluster, observed, object, facts)
    });
    orphans.map(|(object, facts)| Deletion { object, uid: facts.uid }).collect()
}

/// Every live object of the cluster, but its pods, which are the pod sets' business.
fn live(cluster: &Cluster, observed: &Observed) -> BTreeMap<ObjectId, Other> {
    let mut found = observed.others.clone();
    let mut add = |api_version: &str, kind: &str, metadata: &ObjectMeta| {
        let object = ObjectId {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(cluster.namespace.clone()),
            name: metadata.name.clone().unwrap_or_default(),
        };
        found.insert(object, Other::of(metadata));
    };
    observed.config_maps.values().for_each(|object| add("v1", "ConfigMap", object.meta()));
    observed.secrets.values().for_each(|object| add("v1", "Secret", object.meta()));
    observed.claims.values().for_each(|object| add("v1", "PersistentVolumeClaim", object.meta()));
    observed.deployments.values().for_each(|object| add("apps/v1", "Deployment", object.meta()));
    observed
        .pod_sets
        .values()
        .for_each(|object| add(&StrimziPodSet::api_version(&()), "StrimziPodSet", object.meta()));
    found
}

/// Whether the labels say that the object belongs to one of the components of this cluster that this operator makes.
fn is_ours(cluster: &Cluster, facts: &Other) -> bool {
    let components = [
        names::kafka(&cluster.name),
        names::entity_operator::deployment(&cluster.name),
        names::entity_operator::topic_operator(&cluster.name),
        names::entity_operator::user_operator(&cluster.name),
        names::kafka_exporter::deployment(&cluster.name),
    ];
    facts.made_by_operator
        && facts.kind.as_deref() == Some("Kafka")
        && facts.cluster.as_ref() == Some(&cluster.name)
        && facts.component.as_ref().is_some_and(|component| components.contains(component))
}

/// Whether an object stays although nothing wants it.
fn stays(cluster: &Cluster, observed: &Observed, object: &ObjectId, facts: &Other) -> bool {
    let name = &object.name;
    let of_kafka = facts.component.as_ref() == Some(&names::kafka(&cluster.name));
    match object.kind.as_str() {
        // What belongs to a node goes after its pod. Kafka's component has others from other operators.
        "ConfigMap" => of_kafka && (!facts.of_a_pod || observed.pods.contains_key(name)),
        "Secret" => of_kafka && (!has_node_keys(observed, name) || observed.pods.contains_key(name)),
        "PersistentVolumeClaim" => {
            observed.pods.values().any(|pod| mounts(pod, name)) || !is_given_up(cluster, observed, name)
        }
        // Nodes leave one by one, by a decision. Only a set without any can go.
        "StrimziPodSet" => {
            let runs = |pod: &Pod| {
                let all = pod.metadata.labels.as_ref();
                all.and_then(|all| all.get(labels::CONTROLLER_NAME)) == Some(name)
            };
            observed.pod_sets.get(name).is_none_or(|set| !set.spec.pods.is_empty())
                || observed.pods.values().any(|pod| runs(pod))
        }
        "Deployment" => {
            *name != names::entity_operator::deployment(&cluster.name)
                && *name != names::kafka_exporter::deployment(&cluster.name)
        }
        // From another operator: pods of its making may still need them.
        "Role" | "RoleBinding" if of_kafka => true,
        // Nothing outside the namespace can have an owner; in it, what has none is a copy that a user made.
        _ => object.namespace.as_ref() == Some(&cluster.namespace) && !facts.owned,
    }
}

fn has_node_keys(observed: &Observed, secret: &str) -> bool {
    let data = observed.secrets.get(secret).and_then(|secret| secret.data.as_ref());
    data.is_some_and(|data| data.contains_key(&format!("{secret}.crt")))
}

/// Whether a pod was made with the claim. A volume that left its pool is in use until the pod was made anew.
fn mounts(pod: &Pod, claim: &str) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    let mut claims =
        volumes.into_iter().flatten().filter_map(|volume| volume.persistent_volume_claim.as_ref());
    claims.any(|mounted| mounted.claim_name == claim)
}

/// Whether a claim is to go with its node and the node left the cluster for good, or stays and has lost the volume: Kafka
/// said that it does not know the node any more. What a pool owns that was deleted goes with it, by Kubernetes.
fn is_given_up(cluster: &Cluster, observed: &Observed, name: &str) -> bool {
    let Some(claim) = observed.claims.get(name) else { return false };
    if !annotations::is_true(claim.metadata.annotations.as_ref(), annotations::DELETE_CLAIM) {
        return false;
    }
    let labels = claim.metadata.labels.as_ref();
    let node = cluster.pools.iter().find_map(|pool| {
        existing::node_of_claim(&cluster.name, &pool.name, name, labels).map(|id| (pool, id))
    });
    let Some((pool, id)) = node else { return false };
    if pool.nodes.contains(&id) {
        return true;
    }
    let Some(view) = &observed.view else { return false };
    let Some(quorum) = &view.quorum else { return false };
    !view.registered_brokers.contains(&id) && !quorum.voters.contains_key(&id)
}
