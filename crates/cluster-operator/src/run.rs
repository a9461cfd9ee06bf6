//! Wires the parts of the cluster operator together.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use operator_runtime::apply::Applier;
use operator_runtime::controller::Controller;
use operator_runtime::env::{LabelSelector, Namespaces};
use operator_runtime::events::{self, Events};
use operator_runtime::leader::{LeaderElector, Leadership, Mandate};
use operator_runtime::metrics::Metrics;
use operator_runtime::queue::{Backoff, FIRST_BACKOFF, LONGEST_BACKOFF, Queue};
use operator_runtime::server::Health;
use operator_runtime::watch::{Cache, ObjectRef};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::caches::Caches;
use crate::controller::{
    Queues, feed_bridges, feed_connects, feed_kafkas, feed_mirror_makers, feed_owners, feed_pod_sets,
    feed_pools,
};
use crate::kafka::admin_clients::Clients;
use crate::kafka::answers::Answers;
use crate::kafka::observe::Observer;
use crate::kafka::reconcile::{Parts, Reconciler};
use crate::kafka::roll_metric::RollMetric;
use crate::kafka_bridge::driver::Bridges;
use crate::kafka_connect::driver::Connects;
use crate::kafka_connect::plugins::KnownPlugins;
use crate::kafka_connector;
use crate::kafka_connector::apis::Apis;
use crate::kafka_connector::metrics::AutoRestarts;
use crate::kafka_mirror_maker2::driver::{self as mirror_makers, MirrorMakers};
use crate::kind::{Driver, Kind};
use crate::node_pools::driver::NodePools;
use crate::pod_set::apply::PodSets;
use crate::pod_set::errors::PodErrors;
use crate::room::Room;
use crate::settings::Settings;
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
    let start = Start { settings, metrics, caches: &caches, health, mandate: &mandate, stop };
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
    let mut running = vec![(PodSets::NAME, pod_sets)];
    if !settings.pod_sets_only {
        feed_owners(&caches, &queues);
        feed_kafkas(&caches, &queues.kafkas);
        unreadable::feed(&caches, &queues);
        feed_pools(&caches, &queues.pools);
        let (_, pools) = start.kind(NodePools::new(caches.clone(), applier.clone()), &queues.pools);
        running.push((NodePools::NAME, pools));
        let plan_settings = Arc::clone(&settings.plan);
        let observer = Observer::new(caches.clone(), applier.clone(), plan_settings, &settings.limits);
        let observer = Arc::new(observer);
        let clients = Clients::new(settings.longest_answer);
        let answers =
            Answers::new(caches.clone(), applier.clone(), Arc::clone(&observer), clients, &queues.kafkas);
        let waiting = RollMetric::new(metrics).context("cannot make the metrics")?;
        let room = Room::default();
        let connect =
            ConnectParts { applier: &applier, events: &events, pod_errors: &pod_errors, room: &room };
        let connects_and_connectors = start.connect(&queues, &connect)?;
        running.push((Bridges::NAME, start.bridges(&queues, &connect)));
        let kafkas = Reconciler::new(Parts {
            caches: caches.clone(),
            applier,
            observer,
            answers,
            events,
            pod_errors,
            waiting,
            room,
            mandate: mandate.clone(),
        });
        let (driver, kafkas) = start.kind(kafkas, &queues.kafkas);
        running.push((Reconciler::NAME, kafkas));
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

/// How long it may take to say that a pass was interrupted.
const TELLING: std::time::Duration = std::time::Duration::from_secs(30);

/// What all kinds are started with.
struct Start<'a> {
    settings: &'a Settings,
    metrics: &'a Metrics,
    caches: &'a Caches,
    health: &'a Health,
    mandate: &'a Mandate,
    stop: &'a CancellationToken,
}

impl Start<'_> {
    fn kind<K: Kind>(&self, kind: K, queue: &Queue<ObjectRef>) -> (Arc<Driver<K>>, JoinHandle<()>) {
        let driver = Arc::new(Driver::new(kind, self.mandate.clone()));
        let tuning = tuning(self.settings, self.metrics, K::NAME);
        let (caches, health, stop) = (self.caches.clone(), self.health.clone(), self.stop.clone());
        let running = run_kind(Arc::clone(&driver), queue.clone(), tuning, caches, health, stop);
        (driver, tokio::spawn(running))
    }
}

/// What the controllers of Kafka Connect and of bridges take besides.
struct ConnectParts<'a> {
    applier: &'a Applier,
    events: &'a Events,
    pod_errors: &'a PodErrors,
    room: &'a Room,
}

impl Start<'_> {
    /// Starts what looks after Connect clusters and after connectors.
    fn connect(
        &self,
        queues: &Queues,
        parts: &ConnectParts<'_>,
    ) -> Result<Vec<(&'static str, JoinHandle<()>)>> {
        let settings = self.settings;
        feed_connects(self.caches, &queues.connects);
        let observer = || self.observer(parts);
        let addresses = settings.connect_addresses.clone();
        let apis = Arc::new(Apis::new(self.caches.clone(), addresses, settings.longest_answer));
        let (applier, events) = (parts.applier.clone(), parts.events.clone());
        let connects = Connects::new(
            self.caches.clone(),
            applier.clone(),
            observer(),
            events.clone(),
            KnownPlugins::new(Arc::clone(&apis), queues.connects.clone()),
            parts.room.clone(),
            self.mandate.clone(),
        );
        let (_, connects) = self.kind(connects, &queues.connects);
        let auto_restarts = AutoRestarts::new(self.metrics, &settings.namespaces, &settings.selector)
            .context("cannot make the metrics of connectors")?;
        feed_mirror_makers(self.caches, &queues.mirror_makers);
        let addresses = settings.connect_addresses.clone().of_mirror_makers();
        let mirror_makers = MirrorMakers::new(mirror_makers::Parts {
            caches: self.caches.clone(),
            applier: applier.clone(),
            observer: observer(),
            events: events.clone(),
            mandate: self.mandate.clone(),
            apis: Arc::new(apis.beside(addresses)),
            auto_restarts: auto_restarts.of(MirrorMakers::NAME),
        });
        let (_, mirror_makers) = self.kind(mirror_makers, &queues.mirror_makers);
        let connectors = kafka_connector::start(kafka_connector::Parts {
            caches: self.caches,
            settings,
            applier,
            events,
            metrics: self.metrics,
            health: self.health,
            mandate: self.mandate,
            stop: self.stop,
            apis,
            auto_restarts: &auto_restarts,
        });
        let mut running = connectors;
        running.push((Connects::NAME, connects));
        running.push((MirrorMakers::NAME, mirror_makers));
        Ok(running)
    }
}

impl Start<'_> {
    /// Starts what looks after bridges.
    fn bridges(&self, queues: &Queues, parts: &ConnectParts<'_>) -> JoinHandle<()> {
        feed_bridges(self.caches, &queues.bridges);
        let (caches, applier, observer) = (self.caches.clone(), parts.applier.clone(), self.observer(parts));
        self.kind(Bridges::new(caches, applier, observer, self.mandate.clone()), &queues.bridges).1
    }

    fn observer(&self, parts: &ConnectParts<'_>) -> WorkerObserver {
        WorkerObserver::new(
            self.caches.clone(),
            parts.applier.clone(),
            Arc::clone(&self.settings.plan),
            &self.settings.limits,
            parts.pod_errors.clone(),
        )
    }
}

/// What a controller takes from the settings.
struct Tuning {
    resync: std::time::Duration,
    deadline: std::time::Duration,
    metrics: operator_runtime::metrics::ReconcileMetrics,
}

fn tuning(settings: &Settings, metrics: &Metrics, kind: &str) -> Tuning {
    let selector: &LabelSelector = &settings.selector;
    Tuning {
        resync: settings.resync,
        deadline: settings.pass_deadline,
        metrics: metrics.of_kind(kind, &settings.namespaces, selector),
    }
}

/// Brings a pass over every object in each interval, spread over the whole of it.
fn resync<K: Send + Sync + 'static>(
    queue: &Queue<ObjectRef>,
    cache: &Cache<K>,
    tuning: &Tuning,
    stop: &CancellationToken,
) {
    let (queue, cache, stop, interval) = (queue.clone(), cache.clone(), stop.clone(), tuning.resync);
    let counter = tuning.metrics.periodical.clone();
    tokio::spawn(async move {
        queue.resync_every(interval, interval, stop, || cache.keys(), |_| counter.inc()).await;
    });
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

/// Makes the passes over all resources of a kind, until `stop`.
async fn run_kind<K: Kind>(
    driver: Arc<Driver<K>>,
    queue: Queue<ObjectRef>,
    tuning: Tuning,
    caches: Caches,
    health: Health,
    stop: CancellationToken,
) {
    // A plan made before every cache is filled would take what is not listed yet for missing.
    if stop.run_until_cancelled(caches.ready()).await.is_none() {
        return;
    }
    resync(&queue, driver.kind().resources(), &tuning, &stop);
    let deadline = tuning.deadline;
    Controller::new(K::NAME, queue)
        .deadline(deadline + TELLING)
        .metrics(tuning.metrics)
        .heartbeat(health.heartbeat(K::NAME))
        .run(stop, move |key| {
            let driver = Arc::clone(&driver);
            driver.pass_within(key, deadline)
        })
        .await;
}
