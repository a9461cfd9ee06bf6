//! Starts the passes over the resources of a kind, in the same way for every kind.

use std::sync::Arc;
use std::time::Duration;

use operator_runtime::controller::{Controller, DEFAULT_CONCURRENCY};
use operator_runtime::metrics::{Metrics, ReconcileMetrics};
use operator_runtime::queue::Queue;
use operator_runtime::server::Health;
use operator_runtime::watch::{Cache, ObjectRef};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::caches::Caches;
use crate::kind::{Driver, Kind, Means};
use crate::settings::Settings;

/// How long it may take to say that a pass was interrupted.
const TELLING: Duration = Duration::from_secs(30);

/// What all kinds are started with.
pub(crate) struct Start<'a> {
    pub settings: &'a Settings,
    pub metrics: &'a Metrics,
    pub caches: &'a Caches,
    pub health: &'a Health,
    pub means: &'a Means,
    pub stop: &'a CancellationToken,
}

/// In which manner the passes over a kind are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Passes at a time.
    pub concurrency: usize,
    /// Whether there is a pass over every resource now and then, though nothing happens.
    pub resync: bool,
    /// Whether metrics count the passes and the resources.
    pub metrics: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self { concurrency: DEFAULT_CONCURRENCY, resync: true, metrics: true }
    }
}

/// The passes of a kind, under the name of the kind, until they end.
pub(crate) type Running = (&'static str, JoinHandle<()>);

impl Start<'_> {
    /// Starts a kind in the usual manner.
    pub(crate) fn kind<K: Kind>(&self, kind: K, queue: &Queue<ObjectRef>) -> (Arc<Driver<K>>, Running) {
        self.kind_in(Manner::default(), kind, queue, std::future::ready(()))
    }

    /// Starts a kind in a manner of its own. Its passes begin when every cache is filled, and `ready` as well.
    pub(crate) fn kind_in<K: Kind>(
        &self,
        manner: Manner,
        kind: K,
        queue: &Queue<ObjectRef>,
        ready: impl Future<Output = ()> + Send + 'static,
    ) -> (Arc<Driver<K>>, Running) {
        let driver = Arc::new(Driver::new(kind, self.means.clone()));
        driver.watch_statuses(queue);
        let Settings { namespaces, selector, pass_deadline, resync, .. } = self.settings;
        let metrics = manner.metrics.then(|| self.metrics.of_kind(K::NAME, namespaces, selector));
        let (resync, deadline) = (manner.resync.then_some(*resync), *pass_deadline);
        let mut controller = Controller::new(K::NAME, queue.clone())
            .concurrency(manner.concurrency)
            .deadline(deadline + TELLING)
            .heartbeat(self.health.heartbeat(K::NAME));
        let resources = driver.kind().resources().clone();
        if let Some(metrics) = metrics.clone() {
            let (shown, resources) = (metrics.resources.clone(), resources.clone());
            controller = controller.metrics(metrics).each_round(move || shown.set(resources.len() as f64));
        }
        let (caches, queue, stop) = (self.caches.clone(), queue.clone(), self.stop.clone());
        let passes = Arc::clone(&driver);
        let running = tokio::spawn(async move {
            // A plan made before every cache is filled would take what is not listed yet for missing.
            let filled = async {
                caches.ready().await;
                ready.await;
            };
            if stop.run_until_cancelled(filled).await.is_none() {
                return;
            }
            if let Some(interval) = resync {
                self::resync(&queue, &resources, interval, metrics.as_ref(), &stop);
            }
            controller.run(stop, move |key| Arc::clone(&passes).pass_within(key, deadline)).await;
        });
        (driver, (K::NAME, running))
    }
}

/// Brings a pass over every object in each interval, spread over the whole of it.
fn resync<K: Send + Sync + 'static>(
    queue: &Queue<ObjectRef>,
    cache: &Cache<K>,
    interval: Duration,
    metrics: Option<&ReconcileMetrics>,
    stop: &CancellationToken,
) {
    let (queue, cache, stop) = (queue.clone(), cache.clone(), stop.clone());
    let counter = metrics.map(|metrics| metrics.periodical.clone());
    tokio::spawn(async move {
        let count = |_: &ObjectRef| counter.iter().for_each(prometheus::Counter::inc);
        queue.resync_every(interval, interval, stop, || cache.keys(), count).await;
    });
}
