//! Which classes of connectors the workers offer. That changes only when a worker starts, so Connect is asked once for each set of
//! pods, beside the passes: a worker that does not answer holds up none. The agents of the workers are asked with that, which jars they did not find.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use operator_runtime::queue::{Backoff, Queue};
use operator_runtime::watch::ObjectRef;
use planner::workers::need::{Silence, SilenceKind, WorkerAnswer, WorkerNeed};
use planner::workers::observed::{Missing, ObservedWorkers, Plugins};
use planner::workers::plug_ins;

use super::apis::Apis;
use crate::lock::lock;
use crate::workers::agents;

/// First and longest pause before workers are asked again that did not answer.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));

/// Times that workers are asked; then a later pass has them asked anew.
const TRIES: usize = 20;

/// What is known of one resource.
#[derive(Debug, Clone)]
struct Known {
    /// Fingerprint of the pods.
    pods: String,
    plugins: Plugins,
    missing: Missing,
}

/// What is known of all resources. Cheap to clone.
#[derive(Clone)]
pub(crate) struct KnownPlugins {
    known: Arc<Mutex<HashMap<ObjectRef, Known>>>,
    apis: Arc<Apis>,
    queue: Queue<ObjectRef>,
}

impl KnownPlugins {
    /// The queue gets a resource when its workers have answered.
    pub(crate) fn new(apis: Arc<Apis>, queue: Queue<ObjectRef>) -> Self {
        Self { known: Arc::default(), apis, queue }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef, Known>> {
        lock(&self.known)
    }

    /// What is known of the workers that are these pods.
    pub(crate) fn of(&self, connect: &ObjectRef, pods: &str) -> Plugins {
        let known = self.lock().get(connect).filter(|known| known.pods == pods).cloned();
        known.map(|known| known.plugins).unwrap_or_default()
    }

    /// What the agents of these workers did not find.
    pub(crate) fn missing(&self, connect: &ObjectRef, pods: &str) -> Missing {
        let known = self.lock();
        let known = known.get(connect).filter(|known| known.pods == pods);
        known.map(|known| known.missing.clone()).unwrap_or_default()
    }

    /// Forgets a resource that is gone.
    pub(crate) fn forget(&self, connect: &ObjectRef) {
        self.lock().remove(connect);
    }

    /// Has the workers asked that a plan asks for, and leaves the other needs of the plan.
    pub(crate) fn answer(
        &self,
        connect: &ObjectRef,
        uid: Option<&str>,
        observed: Option<&ObservedWorkers>,
        needs: Vec<WorkerNeed>,
    ) -> (Vec<(WorkerNeed, WorkerAnswer)>, Vec<WorkerNeed>) {
        let (of_plugins, others): (Vec<_>, Vec<_>) =
            needs.into_iter().partition(|need| matches!(need, WorkerNeed::Plugins(_)));
        let answer = |need: WorkerNeed| {
            if let WorkerNeed::Plugins(pods) = &need {
                self.ask(connect, uid, pods, observed.map(plug_ins::agents).unwrap_or_default());
            }
            // The pass that their answer brings knows it.
            let silence = Silence::new(SilenceKind::UnderWay, "Kafka Connect is being asked");
            (need, WorkerAnswer::Unknown(silence))
        };
        (of_plugins.into_iter().map(answer).collect(), others)
    }

    /// Has the workers asked that are these pods.
    fn ask(&self, connect: &ObjectRef, uid: Option<&str>, pods: &str, agents: BTreeMap<String, IpAddr>) {
        let known = Known { pods: pods.to_owned(), plugins: Plugins::Asked, missing: Missing::new() };
        self.lock().insert(connect.clone(), known);
        let (uid, pods) = (uid.map(ToOwned::to_owned), pods.to_owned());
        tokio::spawn(self.clone().find_out(connect.clone(), uid, pods, agents));
    }

    async fn find_out(
        self,
        connect: ObjectRef,
        uid: Option<String>,
        pods: String,
        agents: BTreeMap<String, IpAddr>,
    ) {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        for _ in 0..TRIES {
            let listed = match self.apis.of(&connect, uid.as_deref()) {
                Ok(api) => api.connector_plugins().await.map_err(|error| error.to_string()),
                Err(why) => Err(why),
            };
            let is_current = self.lock().get(&connect).is_some_and(|known| known.pods == pods);
            if !is_current {
                return;
            }
            match listed {
                Ok(plugins) => {
                    let plugins = Plugins::Known(plugins);
                    let known = Known { pods: pods.clone(), plugins, missing: Missing::new() };
                    self.lock().insert(connect.clone(), known);
                    self.queue.add(connect.clone());
                    // Agents that look for nothing do not answer: nothing waits for that.
                    self.note_missing(connect, &pods, agents::missing(agents).await);
                    return;
                }
                Err(why) => tracing::debug!(%connect, why, "Kafka Connect did not list its plug-ins"),
            }
            tokio::time::sleep(backoff.pause()).await;
        }
        self.lock().remove(&connect);
    }

    fn note_missing(&self, connect: ObjectRef, pods: &str, missing: Missing) {
        if missing.is_empty() {
            return;
        }
        if let Some(known) = self.lock().get_mut(&connect).filter(|known| known.pods == pods) {
            known.missing = missing;
            self.queue.add(connect);
        }
    }
}
