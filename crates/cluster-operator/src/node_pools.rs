//! Which pools belong to which cluster, out of the caches, and the pools that no Kafka resource looks after.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use api::{KafkaNodePool, StrimziPodSet, names};
use jiff::Timestamp;
use kube::ResourceExt;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::controller::Outcome;
use operator_runtime::kind::{Endless, Kind, Seen};
use operator_runtime::leader::Lapsed;
use operator_runtime::watch::{Cache, ObjectRef};
use planner::kafka::transitions::membership::{self, Membership, Nobodys, Surroundings};
use serde_json::Value;
use thiserror::Error;

use crate::caches::lookups::cluster_id;
use crate::caches::{self, Caches};
use crate::kafka::observe;

/// The pools of one cluster.
#[derive(Debug, Default)]
pub struct Pools {
    /// Its own, by name.
    pub own: BTreeMap<String, Arc<KafkaNodePool>>,
    /// Those that only carry its label, each with the cluster that it belongs to.
    pub of_others: BTreeMap<String, String>,
}

/// The pools that belong to a cluster, or carry its label.
pub fn of_cluster(caches: &Caches, key: &ObjectRef) -> Pools {
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

/// Whose a pool is.
pub fn membership(caches: &Caches, pool: &KafkaNodePool) -> Membership {
    let namespace = pool.namespace().unwrap_or_default();
    let label = membership::label(pool).map(|name| ObjectRef::new(&namespace, name));
    let exists = |key: &ObjectRef| caches.kafkas.get(key).is_some();
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
pub fn concerned(caches: &Caches, pool: &KafkaNodePool) -> BTreeSet<ObjectRef> {
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
    let of_sets = with_nodes.filter_map(|set| caches::cluster_of(&**set).map(ToOwned::to_owned));
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
        .is_some_and(|set| is_of(&set, pool) && caches::cluster_of(&*set) == Some(&cluster.name))
}

/// Whether a pod set holds nodes of a pool.
fn is_of(set: &StrimziPodSet, pool: &KafkaNodePool) -> bool {
    let owners = set.metadata.owner_references.iter().flatten();
    !set.spec.pods.is_empty()
        && owners.into_iter().any(|owner| Some(&owner.uid) == pool.metadata.uid.as_ref())
}

/// The pool that owns a pod set.
pub fn owner(set: &StrimziPodSet) -> Option<ObjectRef> {
    let owner = set.metadata.owner_references.iter().flatten().find(|owner| owner.kind == "KafkaNodePool")?;
    Some(ObjectRef::new(set.namespace()?, &owner.name))
}

/// A node pool, and why no Kafka resource looks after it, if so.
#[derive(Debug)]
pub struct LivePool {
    pool: Arc<KafkaNodePool>,
    nobodys: Option<Nobodys>,
    /// Whether the Kafka resource that it names exists, though this operator does not look after it; `None`: nobody asked.
    exists: Option<bool>,
}

/// What a pass over a pool does.
#[derive(Debug, Default)]
pub struct PoolPlan {
    /// A Kafka resource of which has to be known whether it exists.
    needs: Option<ObjectRef>,
    /// The status to write.
    status: Option<Value>,
}

/// What can go wrong with a pass over a pool.
#[derive(Debug, Error)]
pub enum Error {
    /// A request to Kubernetes failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Another process may lead.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
    /// The plan asks again and again.
    #[error(transparent)]
    Endless(#[from] Endless),
}

/// Tells a pool that no Kafka resource looks after what it lacks, and takes that back when one does. The other pools have
/// their statuses from the pass over their cluster.
pub struct NodePools {
    caches: Caches,
    applier: Applier,
}

impl NodePools {
    /// From its parts.
    pub fn new(caches: Caches, applier: Applier) -> Self {
        Self { caches, applier }
    }
}

impl Kind for NodePools {
    const NAME: &'static str = "KafkaNodePool";
    type Resource = KafkaNodePool;
    type Observed = LivePool;
    type Plan = PoolPlan;
    type Need = ObjectRef;
    type Call = Infallible;
    type Said = ();
    type Error = Error;

    fn resources(&self) -> &Cache<KafkaNodePool> {
        &self.caches.pools
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<LivePool>, Error> {
        let pool = self.caches.pools.get(key).filter(|pool| pool.metadata.deletion_timestamp.is_none());
        let Some(pool) = pool else { return Ok(Seen::Settled(Outcome::Done)) };
        let nobodys = match membership(&self.caches, &pool) {
            Membership::Nobodys(nobodys) => Some(nobodys),
            Membership::Labelled(_) | Membership::Moved { .. } => None,
        };
        Ok(Seen::Live(LivePool { pool, nobodys, exists: None }))
    }

    fn plan(observed: &LivePool, now: Timestamp) -> PoolPlan {
        let LivePool { pool, nobodys, exists } = observed;
        let missing = nobodys.as_ref().and_then(Nobodys::missing);
        match (missing, exists) {
            (Some(missing), None) => {
                let namespace = pool.namespace().unwrap_or_default();
                PoolPlan { needs: Some(ObjectRef::new(namespace, missing)), status: None }
            }
            // Another operator looks after it, or this one will in a moment.
            (Some(_), Some(true)) => PoolPlan::default(),
            _ => PoolPlan { needs: None, status: planner::node_pool::status(pool, nobodys.as_ref(), now) },
        }
    }

    fn needs(plan: &mut PoolPlan) -> Vec<ObjectRef> {
        plan.needs.take().into_iter().collect()
    }

    async fn answer(
        &self,
        _: &ObjectRef,
        observed: &mut LivePool,
        needs: Vec<ObjectRef>,
    ) -> Result<(), Error> {
        for kafka in needs {
            observed.exists = Some(observe::kafka_exists(&self.applier, &kafka).await?);
        }
        Ok(())
    }

    async fn write(&self, _: &ObjectRef, _: &LivePool, _: &PoolPlan) -> Result<(), Error> {
        Ok(())
    }

    fn calls(_: &PoolPlan) -> Vec<Infallible> {
        Vec::new()
    }

    async fn call(&self, _: &ObjectRef, _: &LivePool, call: &Infallible) -> Result<(), Error> {
        match *call {}
    }

    async fn finish(
        &self,
        key: &ObjectRef,
        observed: &LivePool,
        plan: &PoolPlan,
        _: Vec<Result<(), Error>>,
    ) -> Result<Outcome, Error> {
        if let Some(status) = &plan.status {
            let live = observed.pool.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
            self.applier.patch_status::<KafkaNodePool>(key, live.as_ref(), status).await?;
        }
        Ok(Outcome::Done)
    }
}
