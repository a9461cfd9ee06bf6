//! Which pools belong to which cluster, out of the caches.

pub(crate) mod driver;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{KafkaNodePool, StrimziPodSet, labels, names};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::watch::{Cache, ObjectRef};
use planner::kafka::transitions::deleted_pools;
use planner::kafka::transitions::membership::{self, Membership, Surroundings};

use crate::caches::Caches;
use crate::caches::owners::{self, cluster_id};

/// The pools of one cluster.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    /// Its own, by name.
    pub own: BTreeMap<String, Arc<KafkaNodePool>>,
    /// Those that only carry its label, each with the cluster that it belongs to.
    pub of_others: BTreeMap<String, String>,
}

/// The pools that belong to a cluster, or carry its label.
pub(crate) fn of_cluster(caches: &Caches, key: &ObjectRef) -> Pools {
    let kafka = caches.kafkas.get(key);
    let cluster_id = kafka.as_deref().and_then(cluster_id);
    let mut found = Pools::default();
    for pool in caches.pools_near(key, cluster_id).into_values() {
        let may_be_its_own = membership::label(&pool) == Some(&key.name)
            || membership::is_home(&pool, cluster_id)
            || has_nodes_in(caches, &pool, key);
        if !may_be_its_own {
            continue;
        }
        let home = match membership(caches, &pool) {
            Membership::Labelled(home) | Membership::Moved { home, .. } => home,
            Membership::Nobodys(nobodys) => match nobodys.missing() {
                // The cache may be behind, or the pass is about what is left of the cluster.
                Some(home) => home.to_owned(),
                None => continue,
            },
        };
        if home == key.name {
            found.own.insert(pool.name_any(), pool);
        } else if membership::label(&pool) == Some(&key.name) {
            found.of_others.insert(pool.name_any(), home);
        }
    }
    found
}

/// The pools of a cluster that are gone while a pod set of it remembers them; `None`: the cache is behind, and lacks a pool that the API server has.
/// To take such a pool for deleted would take the votes of its controllers away.
pub(crate) async fn deleted(
    cache: &Cache<KafkaNodePool>,
    applier: &Applier,
    cluster: &ObjectRef,
    pools: &Pools,
    pod_sets: &BTreeMap<String, Arc<StrimziPodSet>>,
) -> Result<Option<BTreeSet<String>>, ApplyError> {
    let mut found = BTreeSet::new();
    for (set_name, set) in pod_sets {
        let is_lost =
            |name: &&str| *set_name == names::pod_set(&cluster.name, name) && !pools.own.contains_key(*name);
        let Some(name) = deleted_pools::remembered_name(set).filter(is_lost) else { continue };
        let key = ObjectRef::new(&cluster.namespace, name);
        let unreadable = cache.unreadable(&key);
        // A pool of this name may belong to another cluster by now. Of a pool that cannot be read the label tells.
        let is_own = |metadata: &ObjectMeta| {
            let label = metadata.labels.as_ref().and_then(|all| all.get(labels::CLUSTER));
            label == Some(&cluster.name) || is_owned(set, metadata.uid.as_deref())
        };
        let is_there = match (cache.get(&key), unreadable) {
            (Some(pool), _) => is_of(set, &pool),
            (None, Some(unreadable)) => is_own(&unreadable.metadata),
            (None, None) if applier.metadata::<KafkaNodePool>(&key).await?.is_some() => {
                tracing::warn!(cluster = %cluster, pool = name, "the cache of node pools is behind, and nothing is decided without it");
                return Ok(None);
            }
            (None, None) => false,
        };
        if !is_there {
            found.insert(name.to_owned());
        }
    }
    Ok(Some(found))
}

/// Whose a pool is.
pub(crate) fn membership(caches: &Caches, pool: &KafkaNodePool) -> Membership {
    let namespace = pool.namespace().unwrap_or_default();
    let label = membership::label(pool).map(|name| ObjectRef::new(&namespace, name));
    let exists = |key: &ObjectRef| caches.kafkas.contains(key);
    if let Some(label) = label.as_ref().filter(|label| has_nodes_in(caches, pool, label) && exists(label)) {
        // As nearly always, without a look at all the others.
        return Membership::Labelled(label.name.clone());
    }
    let homes = homes(caches, pool);
    let named = homes.iter().cloned().chain(label.map(|label| label.name));
    let kafkas = named.filter(|name| exists(&ObjectRef::new(&namespace, name))).collect();
    membership::of(pool, &Surroundings { kafkas, homes })
}

/// Clusters whose queues a change of a pool concerns.
pub(crate) fn concerned(caches: &Caches, pool: &KafkaNodePool) -> BTreeSet<ObjectRef> {
    let namespace = pool.namespace().unwrap_or_default();
    let label = membership::label(pool).map(ToOwned::to_owned);
    let names = homes(caches, pool).into_iter().chain(label);
    names.map(|name| ObjectRef::new(&namespace, name)).collect()
}

/// Clusters that a pool has nodes in.
fn homes(caches: &Caches, pool: &KafkaNodePool) -> BTreeSet<String> {
    let namespace = pool.namespace().unwrap_or_default();
    let sets = caches.pod_sets_of_pool(&ObjectRef::of(pool));
    let with_nodes = sets.iter().filter(|set| is_of(set, pool));
    let of_sets = with_nodes.filter_map(|set| owners::cluster_of(&**set).map(ToOwned::to_owned));
    let mut homes: BTreeSet<String> = of_sets.collect();
    if let Some(id) = pool.status.as_ref().and_then(|status| status.cluster_id.as_deref()) {
        let kafkas = caches.kafkas_with_id(&namespace, id).into_iter();
        let at_home = kafkas.filter(|kafka| membership::is_home(pool, cluster_id(kafka)));
        homes.extend(at_home.map(|kafka| kafka.name_any()));
    }
    homes
}

/// Whether a cluster runs nodes of a pool.
fn has_nodes_in(caches: &Caches, pool: &KafkaNodePool, cluster: &ObjectRef) -> bool {
    let key = ObjectRef::new(&cluster.namespace, names::pod_set(&cluster.name, &pool.name_any()));
    caches
        .pod_sets
        .get(&key)
        .is_some_and(|set| is_of(&set, pool) && owners::cluster_of(&*set) == Some(&cluster.name))
}

/// Whether a pod set holds nodes of a pool.
fn is_of(set: &StrimziPodSet, pool: &KafkaNodePool) -> bool {
    !set.spec.pods.is_empty() && is_owned(set, pool.metadata.uid.as_deref())
}

fn is_owned(set: &StrimziPodSet, uid: Option<&str>) -> bool {
    set.metadata.owner_references.iter().flatten().any(|owner| Some(owner.uid.as_str()) == uid)
}

#[cfg(test)]
#[path = "node_pools_tests.rs"]
mod tests;
