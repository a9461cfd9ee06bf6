//! Which nodes exist: the union of what the statuses of the pools, the pod sets, the pods and Kafka itself say. Pure.
//!
//! Each of these sources may be behind, lost or restored from a backup. A node that one of them forgot exists all the
//! same; only [`transitions`](super::transitions) decide that a node may leave.

use std::collections::{BTreeMap, BTreeSet};

use api::kafka_node_pool::ProcessRole;
use api::{KafkaNodePool, StrimziPodSet, labels, names};
use k8s_openapi::api::core::v1::Pod;
use kube_core::ResourceExt;
use serde_json::Value;

use super::observed::Observed;
use super::transitions::quorum::QuorumState;

/// What exists of one pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PoolFacts {
    /// Nodes that the status of the pool, its pod set or a pod names.
    pub nodes: BTreeSet<i32>,
    /// Nodes that only Kafka still knows, and of which the pool has the volumes.
    pub remnants: BTreeSet<i32>,
    /// Node ids of which the pool has volumes, whether or not the nodes exist.
    pub volumes: BTreeSet<i32>,
    /// Whether the nodes are controllers.
    pub controller: RoleFacts,
    /// Whether the nodes are brokers.
    pub broker: RoleFacts,
}

/// Who says that the nodes of a pool have a role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RoleFacts {
    /// The status or the pod set: what was decided last. Where both are lost, the pods.
    pub decided: bool,
    /// A pod that runs, or Kafka: these follow a decision only after restarts.
    pub running: bool,
}

/// What exists of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Existing {
    pools: BTreeMap<String, PoolFacts>,
    /// Who has a node id. An id without an entry is free.
    holders: BTreeMap<i32, BTreeSet<IdHolder>>,
}

/// Who has a node id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum IdHolder {
    /// A pool of the cluster, by name.
    Pool(String),
    /// No pool: a pod of a pool that is no more, or a broker or voter that Kafka knows and of which no pool has the volumes.
    NoPool,
}

impl Existing {
    /// Collects what exists.
    pub(crate) fn of(observed: &Observed) -> Self {
        let cluster = observed.kafka.as_ref().map(|kafka| kafka.name_any()).unwrap_or_default();
        let mut found = Self::default();
        for pool in &observed.pools {
            let facts = facts(observed, &cluster, pool);
            for id in &facts.nodes {
                found.hold(*id, IdHolder::Pool(pool.name_any()));
            }
            found.pools.insert(pool.name_any(), facts);
        }
        for (pool, id) in observed.pods.values().filter_map(|pod| node_of_pod(&cluster, pod)) {
            let holder = if found.pools.contains_key(pool) {
                IdHolder::Pool(pool.to_owned())
            } else {
                IdHolder::NoPool
            };
            found.hold(id, holder);
        }
        for id in known_to_kafka(observed) {
            found.note_registration(id);
        }
        found
    }

    fn hold(&mut self, id: i32, holder: IdHolder) {
        self.holders.entry(id).or_default().insert(holder);
    }

    /// A broker or voter that Kafka knows: a node of the one pool that has its volumes, unless it is known already.
    fn note_registration(&mut self, id: i32) {
        if self.pools.values().any(|facts| facts.nodes.contains(&id)) {
            return;
        }
        let mut owners = self.pools.iter_mut().filter(|(_, facts)| facts.volumes.contains(&id));
        let holder = match (owners.next(), owners.next()) {
            (Some((name, facts)), None) => {
                facts.remnants.insert(id);
                IdHolder::Pool(name.clone())
            }
            _ => IdHolder::NoPool,
        };
        self.hold(id, holder);
    }

    /// What exists of a pool.
    pub(crate) fn pool(&self, name: &str) -> PoolFacts {
        self.pools.get(name).cloned().unwrap_or_default()
    }

    /// Whether a pool may give an id to a new node: nothing else has it.
    pub(crate) fn is_free(&self, id: i32, pool: &str) -> bool {
        self.holders.get(&id).is_none_or(|holders| {
            holders.iter().all(|holder| matches!(holder, IdHolder::Pool(name) if name == pool))
        })
    }

    /// Gives ids to the nodes of a pool.
    pub(crate) fn take(&mut self, ids: &BTreeSet<i32>, pool: &str) {
        for id in ids {
            self.hold(*id, IdHolder::Pool(pool.to_owned()));
        }
    }

    /// Keeps the ids of which a pool has volumes from all other pools, while Kafka cannot say which nodes it knows. Volumes of a pool that is no
    /// more count too: Kafka may still know the node.
    pub(crate) fn reserve_volumes(&mut self, observed: &Observed) {
        let cluster = observed.kafka.as_ref().map(|kafka| kafka.name_any()).unwrap_or_default();
        for (name, claim) in &observed.claims {
            let labels = claim.metadata.labels.as_ref();
            let pool = labels.and_then(|labels| labels.get(labels::POOL_NAME));
            let Some(pool) = pool.filter(|pool| !self.pools.contains_key(*pool)) else { continue };
            if let Some(id) = node_of_claim(&cluster, pool, name, labels) {
                self.hold(id, IdHolder::NoPool);
            }
        }
        let volumes: Vec<(i32, String)> = self
            .pools
            .iter()
            .flat_map(|(name, facts)| facts.volumes.iter().map(|id| (*id, name.clone())))
            .collect();
        for (id, pool) in volumes {
            self.hold(id, IdHolder::Pool(pool));
        }
    }

    /// Ids that two pools have as their nodes, each with the name of the second pool.
    pub(crate) fn conflicts(&self) -> Vec<(String, i32)> {
        let mut seen = BTreeSet::new();
        let mut twice = Vec::new();
        for (name, facts) in &self.pools {
            for id in facts.nodes.iter().filter(|id| !seen.insert(**id)) {
                twice.push((name.clone(), *id));
            }
        }
        twice
    }
}

fn facts(observed: &Observed, cluster: &str, pool: &KafkaNodePool) -> PoolFacts {
    let name = pool.name_any();
    let set = observed.pod_sets.get(&names::pod_set(cluster, &name));
    let status = pool.status.as_ref();
    let mut nodes: BTreeSet<i32> =
        status.and_then(|status| status.node_ids.as_ref()).into_iter().flatten().copied().collect();
    nodes.extend(set.iter().flat_map(|set| listed(set)).filter_map(|pod| {
        let name = pod["metadata"]["name"].as_str()?;
        id_of(cluster, &pool.name_any(), name)
    }));
    let known = status.is_some_and(|status| status.node_ids.is_some());
    let pods = || {
        let pods = observed.pods.values();
        pods.filter_map(|pod| Some((pod, node_of_pod(cluster, pod).filter(|(of, _)| *of == name)?.1)))
    };
    for (pod, id) in pods() {
        // A pod that stops was let go of when the pod set is there without it. Without a pod set it stops because the
        // pod set was lost; but where the pool was made anew as well, it is one of the former pool.
        if pod.metadata.deletion_timestamp.is_none() || (set.is_none() && known) {
            nodes.insert(id);
        }
    }
    nodes.retain(|id| *id >= 0);
    let role = |role: ProcessRole, label: &str| {
        let has = |labels: Option<&BTreeMap<String, String>>| {
            labels.and_then(|labels| labels.get(label)).is_some_and(|value| value == "true")
        };
        let roles = status.and_then(|status| status.roles.as_ref());
        let in_set =
            set.iter().flat_map(|set| listed(set)).any(|pod| pod["metadata"]["labels"][label] == "true");
        let of_pods = pods().any(|(pod, _)| has(pod.metadata.labels.as_ref()));
        let decided = roles.is_some_and(|roles| roles.contains(&role)) || in_set;
        RoleFacts {
            decided: decided || (roles.is_none() && set.is_none() && of_pods),
            running: of_pods || in_kafka(observed, role).any(|id| nodes.contains(&id)),
        }
    };
    PoolFacts {
        controller: role(ProcessRole::Controller, labels::CONTROLLER_ROLE),
        broker: role(ProcessRole::Broker, labels::BROKER_ROLE),
        volumes: volumes(observed, cluster, &name),
        remnants: BTreeSet::new(),
        nodes,
    }
}

fn listed(set: &StrimziPodSet) -> impl Iterator<Item = &Value> {
    set.spec.pods.iter()
}

/// Node ids of which a pool has claims. A claim that is being deleted is not counted on.
fn volumes(observed: &Observed, cluster: &str, pool: &str) -> BTreeSet<i32> {
    let claims = observed.claims.iter().filter(|(_, claim)| claim.metadata.deletion_timestamp.is_none());
    claims
        .filter_map(|(name, claim)| node_of_claim(cluster, pool, name, claim.metadata.labels.as_ref()))
        .collect()
}

/// The id of the node whose claim this is, if it is one of the pool.
pub(super) fn node_of_claim(
    cluster: &str,
    pool: &str,
    claim: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> Option<i32> {
    labels.and_then(|labels| labels.get(labels::POOL_NAME)).filter(|name| *name == pool)?;
    names::pods_of_claim(claim).find_map(|pod| id_of(cluster, pool, pod))
}

/// Pool and id of the node that a pod runs.
pub(super) fn node_of_pod<'a>(cluster: &str, pod: &'a Pod) -> Option<(&'a str, i32)> {
    let pool = pod.metadata.labels.as_ref()?.get(labels::POOL_NAME)?;
    Some((pool, id_of(cluster, pool, pod.metadata.name.as_deref()?)?))
}

fn id_of(cluster: &str, pool: &str, pod: &str) -> Option<i32> {
    let id = pod.strip_prefix(&names::pod_set(cluster, pool))?.strip_prefix('-')?;
    id.parse().ok().filter(|id| *id >= 0)
}

/// Nodes of a pool that its pod set, a pod or a ConfigMap names, and all that Kafka or what is remembered of the quorum knows. The ConfigMap
/// of a node goes after its pod, when the node leaves.
pub(super) fn witnessed(observed: &Observed, cluster: &str, pool: &str) -> BTreeSet<i32> {
    let mut ids = known_to_kafka(observed);
    let of_pods = observed.pods.values().filter_map(|pod| node_of_pod(cluster, pod));
    ids.extend(of_pods.filter(|(of, _)| *of == pool).map(|(_, id)| id));
    let set = observed.pod_sets.get(&names::pod_set(cluster, pool));
    let names = set.iter().flat_map(|set| listed(set)).filter_map(|pod| pod["metadata"]["name"].as_str());
    ids.extend(names.filter_map(|name| id_of(cluster, pool, name)));
    ids.extend(observed.config_maps.keys().filter_map(|name| id_of(cluster, pool, name)));
    ids.extend(QuorumState::of(observed).first_controllers());
    ids
}

/// Brokers and voters that Kafka knows.
fn known_to_kafka(observed: &Observed) -> BTreeSet<i32> {
    in_kafka(observed, ProcessRole::Broker).chain(in_kafka(observed, ProcessRole::Controller)).collect()
}

/// Node ids that Kafka knows in a role.
fn in_kafka(observed: &Observed, role: ProcessRole) -> impl Iterator<Item = i32> {
    let view = observed.view.as_ref();
    let brokers = view.filter(|_| role == ProcessRole::Broker).map(|view| view.registered_brokers.iter());
    let quorum = view.filter(|_| role == ProcessRole::Controller).and_then(|view| view.quorum.as_ref());
    let voters = quorum.map(|quorum| quorum.voters.keys());
    brokers.into_iter().flatten().chain(voters.into_iter().flatten()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_leads_to_its_node() {
        let labels = BTreeMap::from([(labels::POOL_NAME.to_owned(), "p".to_owned())]);
        let of = |cluster: &str, claim: &str| node_of_claim(cluster, "p", claim, Some(&labels));
        assert_eq!(of("c", "data-c-p-7"), Some(7));
        assert_eq!(of("c", "data-12-c-p-7"), Some(7));
        assert_eq!(of("3", "data-3-p-7"), Some(7));
        assert_eq!(of("c", "data-12-d-p-7"), None);
        assert_eq!(of("c", "data-c-q-7"), None);
        assert_eq!(of("c", "data-c-p--7"), None);
        assert_eq!(node_of_claim("c", "p", "data-c-p-7", None), None);
    }
}
