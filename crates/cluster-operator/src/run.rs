//! Wires the parts of the cluster operator together.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use operator_runtime::apply::Applier;
use operator_runtime::env::Namespaces;
use operator_runtime::events::{self, Events};
use operator_runtime::leader::{LeaderElector, Leadership, Mandate};
use operator_runtime::metrics::Metrics;
use operator_runtime::queue::{Backoff, FIRST_BACKOFF, LONGEST_BACKOFF, Queue};
use operator_runtime::server::Health;
use operator_runtime::watch::ObjectRef;
use planner::settings::PlanSettings;
use tokio_util::sync::CancellationToken;

use crate::caches::Caches;
use crate::controller::{
    Queues, feed_bridges, feed_connects, feed_first_mirror_makers, feed_kafkas, feed_mirror_makers,
    feed_owners, feed_pod_sets, feed_pools, feed_sharing,
};
use crate::evictions;
use crate::kafka::answers::Answers;
use crate::kafka::certificate_metrics::CertificateMetrics;
use crate::kafka::observe::Observer;
use crate::kafka::reconcile::{Parts, Reconciler};
use crate::kafka::roll_metrics::RollMetrics;
use crate::kafka_bridge::driver::Bridges;
use crate::kafka_connect::driver::Connects;
use crate::kafka_connector;
use crate::kafka_connector::apis::Apis;
use crate::kafka_connector::metrics::AutoRestarts;
use crate::kafka_connector::plugins::KnownPlugins;
use crate::kafka_connector::sharers::Sharers;
use crate::kafka_mirror_maker::driver::FirstMirrorMakers;
use crate::kafka_mirror_maker2::driver::{self as mirror_makers, MirrorMakers};
use crate::kafka_mirror_maker2::progress::Progresses;
use crate::kind::{Driver, Kind as _, Means};
use crate::node_pools::driver::NodePools;
use crate::platform;
use crate::pod_set::apply::PodSets;
use crate::pod_set::errors::PodErrors;
use crate::room::Room;
use crate::settings::Settings;
use crate::start::{Manner, Running, Start};
use crate::unreadable;
use crate::workers::observe::Observer as WorkerObserver;

/// Waits to lead, then works until `stop` is cancelled. Cancels `stop` when it ends for another reason.
///
/// # Errors
/// When another process took the lead, or the election cannot be held.
pub async fn operate(
    settings: &Settings,
    kubernetes: kube::Client,
    health: &Health,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> Result<()> {
    // Before anything else: a process that does not lead answers, too.
    evictions::start(settings, &kubernetes, health, stop).await?;
    let leadership = match &settings.leader {
        None => None,
        Some(config) => {
            tracing::info!(lease = config.lease_name, identity = config.identity, "waiting to lead");
            match LeaderElector::new(kubernetes.clone(), config.clone()).acquire(stop).await? {
                Some(leadership) => Some(leadership),
                None => return Ok(()),
            }
        }
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespaces = %settings.namespaces, "working");

    let worked = work(settings, kubernetes, health, metrics, stop, leadership.as_ref()).await;
    stop.cancel();
    if let Some(leadership) = leadership {
        leadership.release().await;
    }
    worked
}

async fn work(
    settings: &Settings,
    kubernetes: kube::Client,
    health: &Health,
    metrics: &Metrics,
    stop: &CancellationToken,
    leadership: Option<&Leadership>,
) -> Result<()> {
    let caches =
        Caches::start(&kubernetes, &settings.namespaces, &settings.selector, &settings.limits, health, stop);
    let queues = Queues::new();
    feed_pod_sets(&caches, &queues.pod_sets);
    let applier = Applier::new(kubernetes.clone());
    let events = Events::start(kubernetes, events::CLUSTER_OPERATOR, &settings.operator_name);
    let pod_errors = PodErrors::default();
    let mandate = leadership.map_or_else(Mandate::unlimited, Leadership::mandate);
    let means = Means { applier: applier.clone(), events: events.clone(), mandate: mandate.clone() };
    let start = Start { settings, metrics, caches: &caches, health, means: &means, stop };
    let pod_sets = PodSets::new(
        caches.clone(),
        applier.clone(),
        events.clone(),
        pod_errors.clone(),
        queues.clone(),
        mandate.clone(),
    );
    let (_, pod_sets) = start.kind(pod_sets, &queues.pod_sets);
    unreadable::tell_resources(&caches, &applier, Some(&events), stop);
    let mut running = vec![pod_sets];
    if !settings.pod_sets_only {
        feed_owners(&caches, &queues);
        feed_kafkas(&caches, &queues.kafkas);
        unreadable::feed(&caches, &queues);
        feed_pools(&caches, &queues.pools);
        let (_, pools) = start.kind(NodePools::new(caches.clone(), applier.clone()), &queues.pools);
        running.push(pools);
        let Some(openshift) = stop.run_until_cancelled(platform::openshift_builds(&means.applier)).await
        else {
            return Ok(());
        };
        let mut plan_settings = PlanSettings::clone(&settings.plan);
        plan_settings.image_builds.openshift = openshift;
        let plan_settings = Arc::new(plan_settings);
        let (of_kafkas, limits) = (Arc::clone(&plan_settings), &settings.limits);
        let observer = Observer::new(caches.clone(), applier.clone(), of_kafkas, limits);
        let observer = Arc::new(observer);
        let answers =
            Answers::new(caches.clone(), applier.clone(), Arc::clone(&observer), settings, &queues.kafkas);
        let room = Room::default();
        let connect = ConnectParts { pod_errors: &pod_errors, room: &room, plan: &plan_settings };
        let connects_and_connectors = start.connect(&queues, &connect)?;
        running.push(start.bridges(&queues, &connect));
        let kafkas = Reconciler::new(Parts {
            caches: caches.clone(),
            applier,
            observer,
            answers,
            events,
            pod_errors,
            roll_metrics: RollMetrics::new(metrics).context("cannot make the metrics")?,
            certificate_metrics: CertificateMetrics::new(metrics).context("cannot make the metrics")?,
            room,
            mandate: mandate.clone(),
        });
        let (driver, kafkas) = start.kind(kafkas, &queues.kafkas);
        driver.kind().watch_pool_statuses(&queues.kafkas);
        running.push(kafkas);
        running.extend(connects_and_connectors);
        let namespaces = settings.namespaces.clone();
        tokio::spawn(find_strays(namespaces, queues.kafkas.clone(), driver, stop.clone()));
    }
    let lost = leadership.map(Leadership::lost);
    let lost = async {
        match lost {
            Some(lost) => lost.cancelled().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = lost => bail!("another process leads now"),
    }
    for (kind, controller) in running {
        controller.await.with_context(|| format!("the controller of {kind} failed"))?;
    }
    Ok(())
}

/// Passes over KafkaMirrorMaker2 resources at a time.
const MIRROR_PASSES: usize = 256;

/// What the controllers of Kafka Connect and of bridges take besides.
struct ConnectParts<'a> {
    pod_errors: &'a PodErrors,
    room: &'a Room,
    plan: &'a Arc<PlanSettings>,
}

impl Start<'_> {
    /// Starts what looks after Connect clusters, after MirrorMakers and after connectors.
    fn connect(&self, queues: &Queues, parts: &ConnectParts<'_>) -> Result<Vec<Running>> {
        let settings = self.settings;
        feed_connects(self.caches, &queues.connects);
        let addresses = settings.connect_addresses.clone();
        let apis = Arc::new(Apis::new(self.caches.clone(), addresses, settings.longest_answer));
        let plugins = KnownPlugins::new(Arc::clone(&apis), queues.connects.clone());
        let connects = Connects::new(self.caches.clone(), self.means.clone(), self.observer(parts), plugins);
        let (_, connects) = self.kind(connects, &queues.connects);
        let auto_restarts = AutoRestarts::new(self.metrics, &settings.namespaces, &settings.selector)
            .context("cannot make the metrics of connectors")?;
        feed_mirror_makers(self.caches, &queues.mirror_makers);
        feed_sharing(self.caches, &queues.connects, &queues.mirror_makers);
        let addresses = settings.connect_addresses.clone().of_mirror_makers();
        let of_mirror_makers = Arc::new(apis.beside(addresses));
        let sharers = Sharers::new(self.caches.clone(), Arc::clone(&apis), Arc::clone(&of_mirror_makers));
        let sharers = Arc::new(sharers);
        let progress = if settings.mirror_lag {
            Progresses::new(Arc::clone(&of_mirror_makers), queues.mirror_makers.clone(), settings.resync)
        } else {
            Progresses::off()
        };
        let mirror_makers = MirrorMakers::new(mirror_makers::Parts {
            caches: self.caches.clone(),
            means: self.means.clone(),
            observer: self.observer(parts),
            plugins: KnownPlugins::new(Arc::clone(&of_mirror_makers), queues.mirror_makers.clone()),
            progress,
            apis: of_mirror_makers,
            sharers: Arc::clone(&sharers),
            auto_restarts: auto_restarts.of(MirrorMakers::NAME),
        });
        // Passes mostly wait for Connect, and keep no others waiting.
        let manner = Manner { concurrency: MIRROR_PASSES, ..Manner::default() };
        let ready = std::future::ready(());
        let (_, mirror_makers) = self.kind_in(manner, mirror_makers, &queues.mirror_makers, ready);
        feed_first_mirror_makers(self.caches, &queues.first_mirror_makers);
        let first = FirstMirrorMakers::new(self.caches.clone(), self.means.clone(), self.observer(parts));
        let (_, first) = self.kind(first, &queues.first_mirror_makers);
        let mut running = kafka_connector::start(self, apis, sharers, &auto_restarts);
        running.extend([connects, mirror_makers, first]);
        Ok(running)
    }

    /// Starts what looks after bridges.
    fn bridges(&self, queues: &Queues, parts: &ConnectParts<'_>) -> Running {
        feed_bridges(self.caches, &queues.bridges);
        let bridges = Bridges::new(self.caches.clone(), self.means.clone(), self.observer(parts));
        self.kind(bridges, &queues.bridges).1
    }

    fn observer(&self, parts: &ConnectParts<'_>) -> WorkerObserver {
        WorkerObserver::new(
            self.caches.clone(),
            self.means.applier.clone(),
            Arc::clone(parts.plan),
            &self.settings.limits,
            parts.pod_errors.clone(),
            parts.room.clone(),
        )
    }
}

/// Once at the start: topics may have kept the finalizer of a topic operator that went with its cluster.
async fn find_strays(
    namespaces: Namespaces,
    queue: Queue<ObjectRef>,
    driver: Arc<Driver<Reconciler>>,
    stop: CancellationToken,
) {
    let reconciler = driver.kind();
    let mut backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
    let find = async {
        reconciler.ready().await;
        loop {
            match reconciler.strays(&namespaces).await {
                Ok(strays) => break strays,
                Err(error) => tracing::warn!(error = %error, "cannot look for topics of deleted clusters"),
            }
            tokio::time::sleep(backoff.pause()).await;
        }
    };
    for key in stop.run_until_cancelled(find).await.into_iter().flatten() {
        queue.add(key);
    }
}
