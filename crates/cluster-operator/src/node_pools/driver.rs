//! The pass over a node pool: it tells those that no Kafka resource looks after what they lack, and lets go of those whose nodes nobody
//! empties any more.

use std::sync::Arc;

use api::kinds;
use api::{Kafka, KafkaNodePool, annotations};
use operator_runtime::apply::Applier;
use operator_runtime::controller::Outcome;
use operator_runtime::watch::{Cache, ObjectRef};
use planner::kafka::transitions::drain;
use planner::kafka::transitions::membership::Membership;
use planner::kafka::transitions::pool_finalizer;
use planner::node_pool::{KafkaNamed, ObservedNodePool};
use planner::plan::Never;

use super::membership;
use crate::caches::Caches;
use crate::kind::{AnswersOf, Error, Kind, Seen};

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
    const NAME: &'static str = kinds::KAFKA_NODE_POOL;
    /// The pass over its cluster writes the status of a pool.
    const TELLS: bool = false;
    type Resource = KafkaNodePool;
    type Observed = ObservedNodePool;
    type Said = ();

    fn resources(&self) -> &Cache<KafkaNodePool> {
        &self.caches.pools
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<ObservedNodePool>, Error> {
        let goes =
            |pool: &KafkaNodePool| pool.metadata.deletion_timestamp.is_some() && !pool_finalizer::holds(pool);
        let pool = self.caches.pools.get(key).filter(|pool| !goes(pool));
        let Some(pool) = pool else { return Ok(Seen::Settled(Outcome::Done)) };
        let (nobodys, home) = match membership(&self.caches, &pool) {
            Membership::Nobodys(nobodys) => (Some(nobodys), None),
            Membership::Labelled(home) | Membership::Moved { home, .. } => (None, Some(home)),
        };
        let kafka = home.and_then(|home| self.caches.kafkas.get(&ObjectRef::new(&key.namespace, home)));
        // Of a resource that cannot be read it is not known what it asks for: what is there stays.
        let drains = match kafka {
            Some(kafka) => drain::is_asked(&kafka, &pool, annotations::DRAIN_NODES),
            None => pool_finalizer::has_it(&pool),
        };
        Ok(Seen::Live(ObservedNodePool { pool, nobodys, exists: None, drains }))
    }

    fn looked_after<'a>(&self, observed: &'a ObservedNodePool) -> Option<&'a Arc<KafkaNodePool>> {
        Some(&observed.pool)
    }

    async fn answer(
        &self,
        key: &ObjectRef,
        _: &ObservedNodePool,
        needs: Vec<KafkaNamed>,
    ) -> Result<AnswersOf<Self>, Error> {
        let mut answers = Vec::with_capacity(needs.len());
        for need in needs {
            let kafka = ObjectRef::new(&key.namespace, &need.0);
            answers.push((need, self.applier.metadata::<Kafka>(&kafka).await?.is_some()));
        }
        Ok(answers)
    }

    async fn call(&self, _: &ObjectRef, _: &ObservedNodePool, call: &Never) -> Result<(), Error> {
        match *call {}
    }
}
