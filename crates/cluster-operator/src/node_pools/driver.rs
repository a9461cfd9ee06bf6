//! The pass over a node pool: it tells those that no Kafka resource looks after what they lack.

use std::convert::Infallible;

use api::{Kafka, KafkaNodePool};
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::controller::Outcome;
use operator_runtime::leader::Lapsed;
use operator_runtime::watch::{Cache, ObjectRef};
use planner::completion::NeverComplete;
use planner::kafka::transitions::membership::Membership;
use planner::node_pool::{KafkaNamed, Observed, Plan};
use thiserror::Error;

use super::membership;
use crate::caches::Caches;
use crate::kind::{AnswersOf, Kind, Seen};

/// What can go wrong with a pass over a pool.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// A request to Kubernetes failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Another process may lead.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
    /// The plan asks again and again.
    #[error(transparent)]
    NeverComplete(#[from] NeverComplete),
}

/// Tells a pool that no Kafka resource looks after what it lacks, and takes that back when one does. The other pools have
/// their statuses from the pass over their cluster.
pub(crate) struct NodePools {
    caches: Caches,
    applier: Applier,
}

impl NodePools {
    /// From its parts.
    pub(crate) fn new(caches: Caches, applier: Applier) -> Self {
        Self { caches, applier }
    }
}

impl Kind for NodePools {
    const NAME: &'static str = "KafkaNodePool";
    type Resource = KafkaNodePool;
    type Observed = Observed;
    type Said = ();
    type Error = Error;

    fn resources(&self) -> &Cache<KafkaNodePool> {
        &self.caches.pools
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<Observed>, Error> {
        let pool = self.caches.pools.get(key).filter(|pool| pool.metadata.deletion_timestamp.is_none());
        let Some(pool) = pool else { return Ok(Seen::Settled(Outcome::Done)) };
        let nobodys = match membership(&self.caches, &pool) {
            Membership::Nobodys(nobodys) => Some(nobodys),
            Membership::Labelled(_) | Membership::Moved { .. } => None,
        };
        Ok(Seen::Live(Observed { pool, nobodys, exists: None }))
    }

    async fn answer(
        &self,
        key: &ObjectRef,
        _: &Observed,
        needs: Vec<KafkaNamed>,
    ) -> Result<AnswersOf<Self>, Error> {
        let mut answers = Vec::with_capacity(needs.len());
        for need in needs {
            let kafka = ObjectRef::new(&key.namespace, &need.0);
            answers.push((need, self.applier.metadata::<Kafka>(&kafka).await?.is_some()));
        }
        Ok(answers)
    }

    async fn write(&self, _: &ObjectRef, _: &Observed, _: &mut Plan) -> Result<(), Error> {
        Ok(())
    }

    async fn call(&self, _: &ObjectRef, _: &Observed, call: &Infallible) -> Result<(), Error> {
        match *call {}
    }

    async fn finish(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        plan: &Plan,
        _: Vec<Result<(), Error>>,
    ) -> Result<Outcome, Error> {
        if let Some(status) = &plan.status {
            let live = observed.pool.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
            self.applier.patch_status::<KafkaNodePool>(key, live.as_ref(), status).await?;
        }
        Ok(Outcome::Done)
    }
}
