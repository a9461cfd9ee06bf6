//! The pass over a node pool: it tells those that no Kafka resource looks after what they lack.

use std::convert::Infallible;
use std::sync::Arc;

use api::KafkaNodePool;
use jiff::Timestamp;
use kube::ResourceExt;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::controller::Outcome;
use operator_runtime::kind::{Endless, Kind, Seen};
use operator_runtime::leader::Lapsed;
use operator_runtime::watch::{Cache, ObjectRef};
use planner::kafka::transitions::membership::{Membership, Nobodys};
use serde_json::Value;
use thiserror::Error;

use super::membership;
use crate::caches::Caches;
use crate::kafka::observe;

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
