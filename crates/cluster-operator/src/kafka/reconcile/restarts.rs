//! The restarts of a plan, which come after everything that may take its time: what Kafka said of its partitions is old by then.

use std::collections::BTreeSet;

use objects::ObjectId;
use operator_runtime::clock;
use operator_runtime::watch::ObjectRef;

use super::Reconciler;
use super::view::LiveCluster;
use crate::kafka::restart_pods::{self, Restart};
use crate::kind::Error;
use planner::kafka::completion::decided_anew;
use planner::kafka::plan::Plan;

impl Reconciler {
    /// Deletes the pods that go now; `changed` are the objects that this pass has written. Returns whether the restart was put off, to be
    /// decided about anew.
    pub(super) async fn restart(
        &self,
        key: &ObjectRef,
        live: &LiveCluster,
        plan: &Plan,
        changed: &BTreeSet<ObjectId>,
    ) -> Result<bool, Error> {
        let mut go = plan.roll.going(changed);
        let is_old = plan.roll.basis.as_ref().is_some_and(|basis| !basis.is_current(clock::now()));
        let anew = if !go.is_empty() && is_old { self.decided_anew(key, live).await } else { None };
        if let Some(anew) = &anew {
            let still = anew.roll.going(changed);
            go.retain(|pod| still.contains(pod));
        }
        let restart = Restart {
            applier: &self.applier,
            events: &self.events,
            mandate: &self.mandate,
            deleted_pods: &self.deleted_pods,
            key,
            observed: &live.observed,
            plan: anew.as_ref().unwrap_or(plan),
        };
        let outdated = restart.pods(&go).await?;
        let is_put_off = outdated.is_some();
        self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            memory.put_off = restart_pods::put_off(outdated, memory.put_off.take(), plan, clock::now());
        });
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
