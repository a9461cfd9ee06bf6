//! What the steps of a pass (see [`crate::kind`]) mean for a Kafka resource.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use api::Kafka;
use api::conditions::reasons;
use operator_runtime::batches::Interruption;
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::watch::{Cache, ObjectRef};

use super::view::{LiveCluster, View};
use super::{Error, Reconciler, again};
use crate::caches::{self, KAFKA};
use crate::carry_out::{self, PlannedFor};
use crate::kafka::plan_size::PlanSize;
use crate::kafka::{kafka_calls, restart_pods};
use crate::kind::{AnswersOf, Kind, Seen};
use crate::room::BUSY;
use crate::unreadable;
use planner::completion::Observation;
use planner::kafka::admin_call::AdminCall;
use planner::kafka::config::live::memory::OptionChange;
use planner::kafka::made_size;
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use planner::kafka::status;
use planner::kafka::unplanned::Unplanned;

/// Pause before a restart that was put off is decided about anew.
const DECIDED_ANEW: Duration = Duration::from_millis(500);

impl Kind for Reconciler {
    const NAME: &'static str = KAFKA;
    type Resource = Kafka;
    type Observed = View;
    /// Options that Kafka refused to change at run time, and why.
    type Said = BTreeMap<OptionChange, String>;
    type Error = Error;

    fn resources(&self) -> &Cache<Kafka> {
        &self.caches.kafkas
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<View>, Error> {
        if let Some(unreadable) = self.caches.kafkas.unreadable(key) {
            // It is there. What runs is left as it is; its status says so already.
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
            if unreadable.is_terminating() {
                return Ok(self.leaving(key, true));
            }
            return Ok(Seen::Settled(Outcome::Done));
        }
        let Some(kafka) = self.caches.kafkas.get(key) else {
            return Ok(self.leaving(key, false));
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        self.gone_since.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        if kafka.metadata.deletion_timestamp.is_some() {
            return Ok(self.leaving(key, true));
        }
        let annotations = kafka.metadata.annotations.as_ref();
        if api::annotations::is_true(annotations, api::annotations::PAUSE_RECONCILIATION) {
            return Ok(Seen::Live(View::Unplanned(kafka, Unplanned::Paused)));
        }
        if let Some(why) = unreadable::too_much_of(&self.caches, key) {
            // What runs is left as it is, but its certificates must not run out.
            let Some(place) = self.room.enter_to_read(self.caches.largest_cluster.bytes) else {
                return Ok(Seen::Settled(BUSY));
            };
            let observed = self.observer.observe_certificates(key, Arc::clone(&kafka), why);
            return Ok(LiveCluster::seen(kafka, observed, place));
        }
        let bytes = self.caches.bytes_of(&caches::kafka(key));
        let Some(place) = self.room.enter_to_read(bytes) else { return Ok(Seen::Settled(BUSY)) };
        let (mut observed, referred) = match self.observe_live(key, &kafka).await {
            Ok(seen) => seen,
            Err(error) => {
                return Ok(Seen::Live(View::Unplanned(kafka, Unplanned::Unread(error.to_string()))));
            }
        };
        // Pools that an older resource implies have nodes too.
        observed.prepare(clock::now());
        let size = PlanSize::of(&self.caches, key, &observed, referred);
        if let Some(why) = size.too_much(self.caches.largest_cluster) {
            observed.incomplete = Some(why);
            made_size::leave_out(&mut observed);
            return Ok(LiveCluster::seen(kafka, observed, place));
        }
        let Some(place) = self.room.widen(place, size.nodes, bytes + size.bytes) else {
            return Ok(Seen::Settled(BUSY));
        };
        Ok(LiveCluster::seen(kafka, observed, place))
    }

    async fn answer(&self, key: &ObjectRef, view: &View, needs: Vec<Need>) -> Result<AnswersOf<Self>, Error> {
        Ok(match view {
            View::Live(live) => self.answers.answer(key, &live.observed, needs, &live.patience).await,
            View::Leaving(_) | View::Unplanned(..) => self.answers.of_leaving(key, needs).await,
        })
    }

    async fn write(&self, key: &ObjectRef, view: &View, plan: &mut Plan) -> Result<(), Error> {
        let live = match view {
            View::Live(live) => live,
            View::Leaving(_) => return self.take_away(plan).await,
            View::Unplanned(..) => return Ok(()),
        };
        self.announce(key, &live.observed, plan);
        // Before the pod sets, and whatever fails: the statuses say which nodes there are.
        for (name, status) in &plan.status.pools {
            let pool = ObjectRef::new(&key.namespace, name);
            carry_out::status(&self.applier, &self.caches.pools, &pool, status).await?;
        }
        let owner = PlannedFor::new(&self.caches.kafkas, key, &*live.kafka);
        let written = carry_out::writes(&self.applier, owner, std::mem::take(&mut plan.apply)).await?;
        *live.written.lock().unwrap_or_else(PoisonError::into_inner) = written.changed;
        *live.put_off.lock().unwrap_or_else(PoisonError::into_inner) = written.failed;
        if let Err(error) = carry_out::deletions(&self.applier, &self.mandate, &plan.delete).await {
            let carry_out::Error::Apply(error) = error else { return Err(error.into()) };
            live.put_off.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        // Topics that are not released yet are seen again; they hold nothing else up.
        if let Err(error) = carry_out::finalizers(&self.applier, &self.mandate, &plan.finalizers).await {
            tracing::warn!(cluster = %key, error = %error, "cannot take the finalizers of the topic operator off");
        }
        Ok(())
    }

    async fn call(
        &self,
        key: &ObjectRef,
        view: &View,
        call: &AdminCall,
    ) -> Result<BTreeMap<OptionChange, String>, Error> {
        let View::Live(live) = view else {
            return Err(Error::Kafka("cannot change Kafka: the cluster is not looked after".to_owned()));
        };
        let admin = self.answers.brokers(key, &live.observed);
        let admin = admin.map_err(|silence| Error::Kafka(format!("cannot change Kafka: {silence}")))?;
        tracing::info!(cluster = %key, ?call, "changing Kafka");
        live.call_time.spend(kafka_calls::make(&admin, call)).await.map_err(Error::Kafka)
    }

    /// What Kafka refuses to change at run time is no failure: the next plan knows another way.
    async fn finish(
        &self,
        key: &ObjectRef,
        view: &View,
        plan: &Plan,
        said: Vec<Result<BTreeMap<OptionChange, String>, Error>>,
    ) -> Result<Outcome, Error> {
        let live = match view {
            View::Live(live) => live,
            View::Leaving(leaving) => return self.taken_away(key, leaving, plan),
            View::Unplanned(..) => return self.end(key, plan).await,
        };
        let observed = &live.observed;
        let (mut failed, mut refusals) = (Vec::new(), BTreeMap::new());
        for said in said {
            match said {
                Ok(more) => refusals.extend(more),
                Err(error) => failed.push(error.to_string()),
            }
        }
        failed.dedup();
        if failed.is_empty() {
            self.tell_of_changes(key, observed, plan, &refusals);
        }
        self.remember_options(key, plan, refusals, failed.is_empty());
        // What Kafka refuses must not hold up the restart that mends it.
        let go = {
            let written = live.written.lock().unwrap_or_else(PoisonError::into_inner);
            plan.roll.going(&written)
        };
        let restarts =
            restart_pods::restart(&self.applier, &self.events, &self.mandate, key, observed, plan, &go);
        let (deleted, ended) = restarts.await;
        let put_off_restart = deleted.outdated.is_some();
        self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            memory.restarted.extend(deleted.known);
            memory.perhaps_deleted.extend(deleted.unknown);
        });
        ended?;
        if !failed.is_empty() {
            return Err(Error::Kafka(failed.join("; ")));
        }
        let put_off = live.put_off.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(error) = put_off {
            return Err(carry_out::Error::Apply(error).into());
        }
        self.memory(|memories| memories.entry(key.clone()).or_default().outdated = 0);
        let ended = self.end(key, plan).await?;
        // Neither a pod nor an answer that is on its way would bring the next pass.
        Ok(if put_off_restart { Outcome::Again(DECIDED_ANEW) } else { ended })
    }

    async fn failed(
        &self,
        key: &ObjectRef,
        view: &View,
        plan: Option<&Plan>,
        error: Error,
    ) -> Result<Outcome, Error> {
        match error {
            Error::Apply(carry_out::Error::Outdated { kind, name }) => {
                tracing::debug!(cluster = %key, kind, name, "the caches are behind");
                Ok(self.outdated(key))
            }
            // The status says so already, or another process writes it.
            Error::Unmade(_) | Error::Lapsed(_) | Error::Apply(carry_out::Error::Lapsed(_)) => Err(error),
            error => match view {
                View::Live(live) => self.fail(key, &live.kafka, plan, error).await,
                // There is no status any more, or it was what could not be written.
                View::Leaving(_) | View::Unplanned(..) => Err(error),
            },
        }
    }

    async fn interrupted(&self, key: &ObjectRef, why: &Interruption) {
        let Some(kafka) = self.caches.kafkas.get(key) else { return };
        let why = format!("the pass over the resource did not come to its end and is made again: {why}");
        let status = status::failed(&kafka, None, reasons::INTERNAL_ERROR, why, clock::now());
        self.say_that_it_failed(key, &status).await;
    }
}

impl Reconciler {
    /// Writes the status of a plan of which everything else is done, and says when to look again.
    async fn end(&self, key: &ObjectRef, plan: &Plan) -> Result<Outcome, Error> {
        if let Some(status) = &plan.status.kafka {
            self.write_status(key, status).await?;
        }
        for reason in &plan.waiting_for {
            tracing::debug!(cluster = %key, reason, "waiting");
        }
        match &plan.failure {
            Some(failure) => Err(Error::Unmade(failure.clone())),
            None => Ok(again(plan)),
        }
    }
}
