//! What the steps of a pass (see [`operator_runtime::kind`]) mean for a Kafka resource.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use api::Kafka;
use api::conditions::reasons;
use jiff::Timestamp;
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::kind::{Kind, Seen};
use operator_runtime::watch::{Cache, ObjectRef};

use super::{Error, Reconciler, again};
use crate::caches::{self, KAFKA};
use crate::kafka::call_time::CallTime;
use crate::kafka::late_answers::Patience;
use crate::kafka::plan_size::PlanSize;
use crate::kafka::room::{BUSY, Place};
use crate::kafka::{apply, kafka_calls, restart_pods};
use crate::unreadable;
use planner::kafka::admin_call::AdminCall;
use planner::kafka::completion::Completion;
use planner::kafka::config::live::memory::OptionChange;
use planner::kafka::need::Need;
use planner::kafka::observed::Observed;
use planner::kafka::plan::{self, Plan, StatusPlan};
use planner::kafka::status;

/// A cluster that is looked after.
pub struct LiveCluster {
    kafka: Arc<Kafka>,
    completion: Completion,
    /// How long the pass still waits for Kafka.
    patience: Patience,
    /// How long the pass has for changes of Kafka.
    call_time: CallTime,
    /// Pod sets that the pass changed.
    written: Mutex<BTreeSet<String>>,
    _place: Place,
}

impl LiveCluster {
    fn observed(&self) -> &Observed {
        self.completion.observed()
    }
}

impl Reconciler {
    /// Says that a cluster takes too much memory to be looked at. What runs is left as it is.
    async fn too_much(&self, key: &ObjectRef, kafka: &Kafka, why: String) -> Result<Outcome, Error> {
        self.mandate.check()?;
        let status = status::failed(kafka, None, reasons::INVALID_CONFIGURATION, why, clock::now());
        let status = StatusPlan { kafka: Some(status), ..StatusPlan::default() };
        apply::kafka_status(&self.applier, &self.caches, key, &status).await?;
        Ok(Outcome::Done)
    }
}

impl Kind for Reconciler {
    const NAME: &'static str = KAFKA;
    type Resource = Kafka;
    type Observed = LiveCluster;
    type Plan = Plan;
    type Need = Need;
    type Call = AdminCall;
    /// Options that Kafka refused to change at run time, and why.
    type Said = BTreeMap<OptionChange, String>;
    type Error = Error;

    fn resources(&self) -> &Cache<Kafka> {
        &self.caches.kafkas
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<LiveCluster>, Error> {
        let settled = |outcome| Ok(Seen::Settled(outcome));
        if let Some(unreadable) = self.caches.kafkas.unreadable(key) {
            // It is there. What runs is left as it is; its status says so already.
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
            if unreadable.is_terminating() {
                return self.gone(key, true).await.map(Seen::Settled);
            }
            return settled(Outcome::Done);
        }
        let Some(kafka) = self.caches.kafkas.get(key) else {
            return self.gone(key, false).await.map(Seen::Settled);
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        self.gone_since.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        if kafka.metadata.deletion_timestamp.is_some() {
            return self.gone(key, true).await.map(Seen::Settled);
        }
        let annotations = kafka.metadata.annotations.as_ref();
        if api::annotations::is_true(annotations, api::annotations::PAUSE_RECONCILIATION) {
            self.mandate.check()?;
            self.write_paused(key, &kafka).await?;
            return settled(Outcome::Done);
        }
        if let Some(why) = unreadable::too_much_of(&self.caches, key) {
            return self.too_much(key, &kafka, why).await.map(Seen::Settled);
        }
        let bytes = self.caches.bytes_of(&caches::kafka(key));
        let Some(place) = self.room.enter_to_read(bytes) else { return settled(BUSY) };
        let (observed, referred) = match self.look(key, &kafka).await {
            Ok(seen) => seen,
            Err(error) => {
                self.mandate.check()?;
                return self.fail(key, &kafka, None, error.into()).await.map(Seen::Settled);
            }
        };
        let completion = Completion::new(observed, clock::now());
        let size = PlanSize::of(&self.caches, key, completion.observed(), referred);
        if let Some(why) = size.too_much(self.caches.largest_cluster) {
            return self.too_much(key, &kafka, why).await.map(Seen::Settled);
        }
        let Some(place) = self.room.widen(place, size.nodes, bytes + size.bytes) else {
            return settled(BUSY);
        };
        Ok(Seen::Live(LiveCluster {
            kafka,
            completion,
            patience: Patience::default(),
            call_time: CallTime::default(),
            written: Mutex::default(),
            _place: place,
        }))
    }

    fn plan(live: &LiveCluster, now: Timestamp) -> Plan {
        plan::plan(live.observed(), now)
    }

    fn needs(plan: &mut Plan) -> Vec<Need> {
        std::mem::take(&mut plan.needs)
    }

    async fn answer(&self, key: &ObjectRef, live: &mut LiveCluster, needs: Vec<Need>) -> Result<(), Error> {
        let answers = self.answers.answer(key, live.observed(), needs, &live.patience).await;
        for (need, answer) in answers {
            live.completion.answer(need, answer);
        }
        Ok(())
    }

    async fn write(&self, key: &ObjectRef, live: &LiveCluster, plan: &Plan) -> Result<(), Error> {
        self.announce(key, live.observed(), plan);
        // Before the pod sets, and whatever fails: the statuses say which nodes there are.
        apply::pool_statuses(&self.applier, &self.caches, key, &plan.status).await?;
        let written = apply::objects(&self.applier, &self.caches, &self.mandate, plan).await?;
        *live.written.lock().unwrap_or_else(PoisonError::into_inner) = written;
        // Topics that are not released yet are seen again; they hold nothing else up.
        if let Err(error) = apply::finalizers(&self.applier, &self.mandate, plan).await {
            tracing::warn!(cluster = %key, error = %error, "cannot take the finalizers of the topic operator off");
        }
        Ok(())
    }

    fn calls(plan: &Plan) -> Vec<AdminCall> {
        plan.admin.clone()
    }

    async fn call(
        &self,
        key: &ObjectRef,
        live: &LiveCluster,
        call: &AdminCall,
    ) -> Result<BTreeMap<OptionChange, String>, Error> {
        let admin = self.answers.brokers(key, live.observed());
        let admin = admin.map_err(|silence| Error::Kafka(format!("cannot change Kafka: {silence}")))?;
        tracing::info!(cluster = %key, ?call, "changing Kafka");
        live.call_time.spend(kafka_calls::make(&admin, call)).await.map_err(Error::Kafka)
    }

    /// What Kafka refuses to change at run time is no failure: the next plan knows another way.
    async fn finish(
        &self,
        key: &ObjectRef,
        live: &LiveCluster,
        plan: &Plan,
        said: Vec<Result<BTreeMap<OptionChange, String>, Error>>,
    ) -> Result<Outcome, Error> {
        let observed = live.observed();
        let (mut failed, mut refusals) = (Vec::new(), BTreeMap::new());
        for said in said {
            match said {
                Ok(more) => refusals.extend(more),
                Err(error) => failed.push(error.to_string()),
            }
        }
        failed.dedup();
        if failed.is_empty() {
            self.tell_what_was_undone(key, observed, plan, &refusals);
        }
        self.remember_options(key, plan, refusals, failed.is_empty());
        // What Kafka refuses must not hold up the restart that mends it.
        let go = {
            let written = live.written.lock().unwrap_or_else(PoisonError::into_inner);
            restart_pods::may_go(plan, &written)
        };
        let restarts =
            restart_pods::restart(&self.applier, &self.events, &self.mandate, key, observed, plan, &go);
        let (deleted, ended) = restarts.await;
        self.memory(|memories| {
            let memory = memories.entry(key.clone()).or_default();
            memory.restarted.extend(deleted.known);
            memory.perhaps_deleted.extend(deleted.unknown);
        });
        ended?;
        if !failed.is_empty() {
            return Err(Error::Kafka(failed.join("; ")));
        }
        self.memory(|memories| memories.entry(key.clone()).or_default().outdated = 0);
        apply::kafka_status(&self.applier, &self.caches, key, &plan.status).await?;
        for reason in &plan.waiting_for {
            tracing::debug!(cluster = %key, reason, "waiting");
        }
        match &plan.failure {
            Some(failure) => Err(Error::Unmade(failure.clone())),
            None => Ok(again(plan)),
        }
    }

    async fn failed(
        &self,
        key: &ObjectRef,
        live: &LiveCluster,
        plan: Option<&Plan>,
        error: Error,
    ) -> Result<Outcome, Error> {
        match error {
            Error::Apply(apply::Error::Outdated { kind, name }) => {
                tracing::debug!(cluster = %key, kind, name, "the caches are behind");
                Ok(self.outdated(key))
            }
            // The status says so already, or another process writes it.
            Error::Unmade(_) | Error::Lapsed(_) | Error::Apply(apply::Error::Lapsed(_)) => Err(error),
            error => self.fail(key, &live.kafka, plan, error).await,
        }
    }
}
