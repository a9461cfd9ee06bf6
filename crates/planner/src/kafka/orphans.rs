//! What of a Kafka cluster goes because nothing wants it any more: by the rule of [`crate::orphans`], with the exceptions that
//! [`stays`] spells out.

use std::collections::{BTreeMap, BTreeSet};

use api::kinds;
use api::{annotations, cert_manager, labels, names};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube_core::ResourceExt;
use objects::{Deletion, DesiredObject, ObjectId};

use super::cluster::Cluster;
use super::components;
use super::existing;
use super::observed::Observed;
use crate::live_object::{self, LiveObject, LiveObjects};
use crate::orphans;
use crate::workload::volume::mounts_secret;

/// What to delete.
pub(super) fn of(cluster: &Cluster, observed: &Observed, wanted: &[DesiredObject]) -> Vec<Deletion> {
    let live = live(&cluster.namespace, observed);
    // Also of a listener that is gone.
    let found: BTreeSet<&String> = live.values().filter_map(|facts| facts.component.as_ref()).collect();
    let is_made = |name: &&String| components::named(&cluster.name, name).is_some();
    let mut made: Vec<String> = found.into_iter().filter(is_made).cloned().collect();
    made.push(names::SHARED_COMPONENT_NAME.to_owned());
    let undecided = undecided_nodes(cluster, observed);
    let stays = |object: &ObjectId, facts: &LiveObject| {
        let is_of =
            |(pod_set, id): &(String, String)| object.name.starts_with(pod_set) && object.name.ends_with(id);
        if undecided.iter().any(is_of) { Some(true) } else { stays(cluster, observed, object, facts) }
    };
    orphans::of(&cluster.claimant(), &made, live, wanted, stays)
}

/// How the names begin and end of what belongs to nodes that the plan does not have: of those that run and have lost their pool, and while
/// Kafka does not say which nodes it knows, of those whose volumes are there. None of them has left for good, and clients keep their addresses.
fn undecided_nodes(cluster: &Cluster, observed: &Observed) -> Vec<(String, String)> {
    let is_planned = |pool: &str| cluster.pools.iter().any(|planned| planned.name == pool);
    let pods = observed.pods.values().filter_map(|pod| existing::node_of_pod(&cluster.name, pod));
    let orphaned = pods.filter(|(pool, _)| !is_planned(pool));
    let orphaned =
        orphaned.map(|(pool, id)| (format!("{}-", names::pod_set(&cluster.name, pool)), format!("-{id}")));
    if observed.view.is_some() {
        return orphaned.collect();
    }
    let planned: BTreeSet<i32> = cluster.nodes().into_iter().map(|node| node.id).collect();
    let claims = observed.claims.iter().filter_map(|(name, claim)| {
        let labels = claim.metadata.labels.as_ref();
        let pool = labels?.get(labels::POOL_NAME)?;
        let id = existing::node_of_claim(&cluster.name, pool, name, labels)?;
        (!planned.contains(&id))
            .then(|| (format!("{}-", names::pod_set(&cluster.name, pool)), format!("-{id}")))
    });
    claims.chain(orphaned).collect()
}

/// Every live object of the cluster, but its pods, which are the pod sets' business.
fn live(namespace: &str, observed: &Observed) -> LiveObjects {
    let mut found = observed.others.clone();
    live_object::add(&mut found, namespace, observed.config_maps.values());
    live_object::add(&mut found, namespace, observed.secrets.values());
    live_object::add(&mut found, namespace, observed.claims.values());
    live_object::add(&mut found, namespace, observed.deployments.values());
    live_object::add(&mut found, namespace, observed.pod_sets.values());
    found
}

/// Whether an object stays although nothing wants it; `None`: the general rule holds.
fn stays(cluster: &Cluster, observed: &Observed, object: &ObjectId, facts: &LiveObject) -> Option<bool> {
    let name = &object.name;
    let of_kafka = facts.component.as_ref() == Some(&names::kafka(&cluster.name));
    let is_issued = is_issued(observed, object);
    // The authorities and what they need stay.
    if facts.component.as_deref() == Some(names::SHARED_COMPONENT_NAME) {
        return (object.kind != cert_manager::CERTIFICATE).then_some(!is_issued);
    }
    let stays = match object.kind.as_str() {
        "Secret" if is_issued => false,
        // What belongs to a node goes after its pod. Kafka's component has others from other operators.
        "ConfigMap" => of_kafka && (!facts.of_a_pod || observed.pods.contains_key(name)),
        "Secret" if *name == names::kafka_jmx_secret(&cluster.name) => {
            observed.pods.values().any(|pod| mounts_secret(pod, name))
        }
        "Secret" => of_kafka && (!has_node_keys(observed, name) || observed.pods.contains_key(name)),
        "PersistentVolumeClaim" => {
            observed.pods.values().any(|pod| mounts(pod, name)) || !is_given_up(cluster, observed, name)
        }
        // Nodes leave one by one, by a decision. Only a set without any can go.
        kinds::STRIMZI_POD_SET => {
            let runs = |pod: &Pod| {
                let all = pod.metadata.labels.as_ref();
                all.and_then(|all| all.get(labels::CONTROLLER_NAME)) == Some(name)
            };
            observed.pod_sets.get(name).is_none_or(|set| !set.spec.pods.is_empty())
                || observed.pods.values().any(|pod| runs(pod))
        }
        "Deployment" => components::of_deployment(&cluster.name, name).is_none(),
        // From another operator: pods of its making may still need them.
        "Role" | "RoleBinding" if of_kafka => true,
        _ => return None,
    };
    Some(stays)
}

/// Whether it is a Certificate of cert-manager, or the Secret of one.
fn is_issued(observed: &Observed, object: &ObjectId) -> bool {
    let of_cert_manager = |secret: &Secret| {
        let is_empty = secret.data.as_ref().is_none_or(BTreeMap::is_empty);
        is_empty || secret.annotations().contains_key(cert_manager::CERTIFICATE_NAME)
    };
    match object.kind.as_str() {
        cert_manager::CERTIFICATE => true,
        "Secret" => {
            object.name.ends_with(names::ISSUED_SUFFIX)
                && observed.secrets.get(&object.name).is_some_and(|secret| of_cert_manager(secret))
        }
        _ => false,
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
/// said that it does not know the node any more.
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
    let Some(quorum) = view.quorum.as_ref().filter(|quorum| quorum.has_leader()) else { return false };
    !view.registered_brokers.contains(&id) && !quorum.voters.contains_key(&id)
}
