//! The restarts of a plan, which come after everything that may take its time: what Kafka said of its partitions is old by then.

use std::sync::PoisonError;

use operator_runtime::clock;
use operator_runtime::watch::ObjectRef;

use super::view::LiveCluster;
use super::{Error, Reconciler};
use crate::kafka::restart_pods;
use planner::kafka::completion::decided_anew;
use planner::kafka::plan::Plan;

impl Reconciler {
    /// Deletes the pods that go now. Returns whether the restart was put off, to be decided about anew.
    pub(super) async fn restart(
        &self,
        key: &ObjectRef,
        live: &LiveCluster,
        plan: &Plan,
    ) -> Result<bool, Error> {
        let going = |plan: &Plan| {
            let written = live.written.lock().unwrap_or_else(PoisonError::into_inner);
            plan.roll.going(&written)
        };
        let mut go = going(plan);
        let is_old = plan.roll.basis.as_ref().is_some_and(|basis| !basis.is_current(clock::now()));
        let anew = if !go.is_empty() && is_old { self.decided_anew(key, live).await } else { None };
        if let Some(anew) = &anew {
            let still = going(anew);
            go.retain(|pod| still.contains(pod));
        }
        let (applier, observed) = (&self.applier, &live.observed);
        let plan = anew.as_ref().unwrap_or(plan);
        let restarts = restart_pods::restart(applier, &self.events, &self.mandate, key, observed, plan, &go);
        let (deleted, ended) = restarts.await;
        let is_put_off = deleted.outdated.is_some();
        self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            memory.restarted.extend(deleted.known);
            memory.perhaps_deleted.extend(deleted.unknown);
        });
        ended?;
        Ok(is_put_off)
    }

    /// The plan with what Kafka says by now: changes of Kafka that it does not make, or an API server that is slow, take their time in
    /// every pass, and a restart that waited for the next one would never be made. `None`: Kafka does not answer quickly.
    async fn decided_anew(&self, key: &ObjectRef, live: &LiveCluster) -> Option<Plan> {
        match self.answers.roll_at_once(key, &live.observed).await {
            Ok(view) => Some(decided_anew(&live.observed, view, clock::now())),
            Err(silence) => {
                tracing::info!(cluster = %key, %silence, "Kafka is not asked anew whether a pod may restart");
                None
            }
        }
    }
}
