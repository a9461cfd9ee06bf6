//! What the steps of a pass (see [`crate::kind`]) mean for a Kafka resource.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::kafka::status::KafkaStatus;
use api::{Kafka, KafkaNodePool};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::memory;
use operator_runtime::watch::{Cache, ObjectRef};

use super::Reconciler;
use super::refusals::Refusals;
use super::view::{ClusterView, LiveCluster};
use crate::caches::{self, KAFKA};
use crate::carry_out;
use crate::kafka::kafka_calls;
use crate::kind::{After, AnswersOf, Done, Error, Kind, Seen};
use crate::lock::lock;
use crate::room::BUSY;
use crate::unreadable;
use planner::completion::Observation;
use planner::kafka::admin_call::AdminCall;
use planner::kafka::config::live::memory::{OptionChange, RefusedLevel};
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use planner::kafka::plan_size::{PlanSize, WrittenSize};
use planner::kafka::unplanned::Unplanned;
use planner::view::is_paused;

/// Pause before a restart that was put off is decided about anew.
const DECIDED_ANEW: Duration = Duration::from_millis(500);

/// What a pass ends with while a cache is behind: the watch brings what it lacks.
const BEHIND: Outcome = Outcome::Again(Duration::from_secs(1));

/// Characters of a call that the log repeats: calls may name hundreds of partitions.
const LONGEST_CALL: usize = 1000;

/// What the log says of a call; of a long one the beginning.
fn beginning(call: &AdminCall) -> String {
    let text = format!("{call:?}");
    match text.char_indices().nth(LONGEST_CALL) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What came of a call that Kafka answered.
#[derive(Debug)]
pub(crate) enum Said {
    /// Options that it refused to change at run time, and why.
    Options(BTreeMap<OptionChange, String>),
    /// Why it refused a metadata version.
    MetadataRefused(String),
    /// The feature of which it refused a level.
    FeatureRefused(String, RefusedLevel),
}

impl Kind for Reconciler {
    const NAME: &'static str = KAFKA;
    type Resource = Kafka;
    type Observed = ClusterView;
    type Said = Said;

    fn resources(&self) -> &Cache<Kafka> {
        &self.caches.kafkas
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<ClusterView>, Error> {
        if let Some(unreadable) = self.caches.kafkas.unreadable(key) {
            // It is there. What runs is left as it is; its status says so already.
            lock(&self.seen).insert(key.clone());
            self.answers.turn_of(key, None);
            if unreadable.is_terminating() {
                return Ok(self.leaving(key, true));
            }
            self.certificate_metrics.show(key, &self.caches.secrets);
            return Ok(Seen::Settled(Outcome::Done));
        }
        let Some(kafka) = self.caches.kafkas.get(key) else {
            return Ok(self.leaving(key, false));
        };
        lock(&self.seen).insert(key.clone());
        lock(&self.gone_since).remove(key);
        if kafka.metadata.deletion_timestamp.is_some() {
            return Ok(self.leaving(key, true));
        }
        if is_paused(&*kafka) {
            return Ok(Seen::Live(ClusterView::Unplanned(kafka, Unplanned::Paused)));
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
            Ok(Some(seen)) => seen,
            Ok(None) => return Ok(Seen::Settled(BEHIND)),
            Err(error) => {
                return Ok(Seen::Live(ClusterView::Unplanned(kafka, Unplanned::Unread(error.to_string()))));
            }
        };
        // Pools that an older resource implies have nodes too, and so have those that are gone.
        observed.prepare(clock::now());
        let of_pool = |pool: &Arc<KafkaNodePool>| {
            let of_cache =
                self.caches.pools.bytes_when_read(&ObjectRef::new(&key.namespace, pool.name_any()));
            // Some that have nodes are no objects.
            let bytes = if of_cache == 0 { memory::size_of(&**pool) } else { of_cache };
            (pool.name_any(), bytes)
        };
        let written = WrittenSize {
            kafka: self.caches.kafkas.bytes_when_read(key) + referred,
            pools: observed.pools.iter().map(of_pool).collect(),
        };
        let size = PlanSize::of(&observed, &written);
        if size.refuse_beyond(self.caches.largest_cluster.bytes, &mut observed) {
            return Ok(LiveCluster::seen(kafka, observed, place));
        }
        let Some(place) = self.room.widen(place, size.nodes, bytes + size.bytes) else {
            return Ok(Seen::Settled(BUSY));
        };
        Ok(LiveCluster::seen(kafka, observed, place))
    }

    fn looked_after<'a>(&self, view: &'a ClusterView) -> Option<&'a Arc<Kafka>> {
        match view {
            ClusterView::Live(live) => Some(&live.kafka),
            // There is no status any more, or it is all that there is to write.
            ClusterView::Leaving(_) | ClusterView::Unplanned(..) => None,
        }
    }

    fn pod<'a>(&self, view: &'a ClusterView, name: &str) -> Option<&'a Arc<Pod>> {
        match view {
            ClusterView::Live(live) => live.observed.pods.get(name),
            ClusterView::Leaving(_) | ClusterView::Unplanned(..) => None,
        }
    }

    async fn answer(
        &self,
        key: &ObjectRef,
        view: &ClusterView,
        needs: Vec<Need>,
    ) -> Result<AnswersOf<Self>, Error> {
        Ok(match view {
            ClusterView::Live(live) => self.answers.answer(key, &live.observed, needs, &live.patience).await,
            ClusterView::Leaving(_) | ClusterView::Unplanned(..) => self.answers.of_leaving(key, needs).await,
        })
    }

    async fn before(&self, key: &ObjectRef, view: &ClusterView, plan: &Plan) -> Result<(), Error> {
        if !matches!(view, ClusterView::Leaving(_)) {
            // Also of a cluster that is paused or refused: its certificates end all the same.
            self.certificate_metrics.show(key, &self.caches.secrets);
        }
        if !matches!(view, ClusterView::Live(_)) {
            self.roll_metrics.remove(key);
            if matches!(view, ClusterView::Unplanned(_, Unplanned::Paused)) {
                self.answers.turn_of(key, None);
            }
            return Ok(());
        }
        self.answers.turn_of(key, plan.roll.turn);
        self.roll_metrics.show(key, plan, clock::now());
        self.log_wait(key, plan);
        // Before the pod sets, and whatever fails: the statuses say which nodes there are.
        for (name, status) in &plan.status.pools {
            let pool = ObjectRef::new(&key.namespace, name);
            self.pool_statuses.note(&pool, status);
            carry_out::status(&self.applier, &self.caches.pools, &pool, status).await?;
        }
        self.certificates_taken_up(key, plan).await;
        Ok(())
    }

    async fn call(&self, key: &ObjectRef, view: &ClusterView, call: &AdminCall) -> Result<Said, Error> {
        let ClusterView::Live(live) = view else {
            return Err(Error::of_kafka("cannot change Kafka: the cluster is not looked after".to_owned()));
        };
        let admin = self.answers.brokers(key, &live.observed);
        let admin = admin.map_err(|silence| Error::of_kafka(format!("cannot change Kafka: {silence}")))?;
        tracing::info!(cluster = %key, call = %beginning(call), "changing Kafka");
        let made = async {
            match (kafka_calls::make(&admin, call).await, call) {
                // The cluster runs on with the levels that it has.
                (Err(error), AdminCall::UpdateMetadataVersion { .. }) if !error.is_silence() => {
                    Ok(Said::MetadataRefused(error.to_string()))
                }
                (Err(error), AdminCall::RaiseFeature { name, level }) if !error.is_silence() => {
                    let refused = RefusedLevel { level: *level, why: error.to_string() };
                    Ok(Said::FeatureRefused(name.clone(), refused))
                }
                (other, _) => other.map(Said::Options),
            }
        };
        live.call_time.spend(made).await.map_err(Error::of_kafka)
    }

    /// What Kafka refuses to change at run time is no failure: the next plan knows another way.
    async fn after(
        &self,
        key: &ObjectRef,
        view: &ClusterView,
        plan: &Plan,
        done: Done<Said>,
    ) -> Result<After<KafkaStatus>, Error> {
        let live = match view {
            ClusterView::Live(live) => live,
            ClusterView::Leaving(_) => {
                self.taken_away(key, plan, done.is_whole);
                return Ok(After::default());
            }
            ClusterView::Unplanned(..) => return Ok(After::default()),
        };
        let observed = &live.observed;
        let (mut failed, mut refusals) = (Vec::new(), Refusals::default());
        for said in done.said {
            match said {
                Ok(Said::Options(more)) => refusals.options.extend(more),
                Ok(Said::MetadataRefused(why)) => refusals.metadata = Some(why),
                Ok(Said::FeatureRefused(name, refused)) => drop(refusals.features.insert(name, refused)),
                Err(error) => failed.push(error.to_string()),
            }
        }
        failed.dedup();
        if failed.is_empty() {
            self.tell_of_changes(key, observed, plan, &refusals.options);
        }
        let is_news = refusals.metadata.is_some() && refusals.metadata != observed.options.metadata_refused;
        self.remember(key, plan, refusals, failed.is_empty());
        // What Kafka refuses must not hold up the restart that mends it.
        let is_put_off = self.restart(key, live, plan, &done.changed).await?;
        if !failed.is_empty() {
            return Err(Error::of_kafka(failed.join("; ")));
        }
        // Neither a pod nor an answer that is on its way would bring the next pass, which says it.
        let look_again = (is_put_off || is_news).then_some(DECIDED_ANEW);
        Ok(After { look_again, ..After::default() })
    }
}
