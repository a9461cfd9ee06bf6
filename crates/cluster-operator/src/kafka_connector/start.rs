//! Starts what looks after connectors.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::KafkaConnector;
use api::conditions::Condition;
use operator_runtime::apply::Applier;
use operator_runtime::controller::Controller;
use operator_runtime::events::Events;
use operator_runtime::leader::Mandate;
use operator_runtime::metrics::Metrics;
use operator_runtime::report;
use operator_runtime::server::Health;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::apis::Apis;
use super::driver::Connectors;
use super::feed::{Queues, feed};
use super::memory::Memories;
use super::metrics::AutoRestarts;
use super::resources::Resources;
use super::rounds::Rounds;
use crate::kind::{Driver, Kind as _};
use crate::settings::Settings;

/// Passes over connectors at a time. They mostly wait, and what they wait for has bounds of its own for each Connect cluster.
const PASSES: usize = 4096;

/// Rounds over Connect clusters at a time.
const ROUNDS: usize = 64;

/// Longest time between two rounds over a cluster: so long a connector may have failed unnoticed.
const LONGEST_INTERVAL: Duration = Duration::from_secs(30);

/// What is needed.
pub(crate) struct Parts<'a> {
    /// The settings of the process.
    pub settings: &'a Settings,
    /// Writes to Kubernetes.
    pub applier: Applier,
    /// Publishes events.
    pub events: Events,
    /// The metrics of the process.
    pub metrics: &'a Metrics,
    /// The health of the process.
    pub health: &'a Health,
    /// Whether this process leads.
    pub mandate: &'a Mandate,
    /// Ends everything.
    pub stop: &'a CancellationToken,
    /// The APIs of Connect clusters.
    pub apis: Arc<Apis>,
    /// Counts automatic restarts.
    pub auto_restarts: &'a AutoRestarts,
}

/// Starts the watches, the passes over connectors and the rounds over Connect clusters.
pub(crate) fn start(parts: Parts<'_>) -> Vec<(&'static str, JoinHandle<()>)> {
    let Parts { settings, applier, events, metrics, health, mandate, stop, apis, auto_restarts } = parts;
    let resources = Resources::start(applier.client(), settings, stop);
    let queues = Queues::default();
    feed(&resources, &queues);
    report::in_status::<KafkaConnector, _>(
        &resources.connectors,
        &applier,
        Some(events.clone()),
        Condition::not_ready,
        stop,
    );
    let restarts = auto_restarts.of(Connectors::NAME);
    let metrics = metrics.of_kind(Connectors::NAME, &settings.namespaces, &settings.selector);
    let memories = Arc::new(Memories::default());
    let rounds = Arc::new(Rounds {
        resources: resources.clone(),
        apis: Arc::clone(&apis),
        memories: Arc::clone(&memories),
        queues: queues.clone(),
        events: events.clone(),
        mandate: mandate.clone(),
        interval: settings.resync.min(LONGEST_INTERVAL),
        turns: Mutex::default(),
    });
    let kind = Connectors::new(resources.clone(), applier, apis, memories, events, restarts);
    let driver = Arc::new(Driver::new(kind, mandate.clone()));
    let deadline = settings.pass_deadline;
    let (stopping, known, of_passes, beating) =
        (stop.clone(), resources.clone(), queues.connectors, health.clone());
    let passes = tokio::spawn(async move {
        if stopping.run_until_cancelled(known.ready()).await.is_none() {
            return;
        }
        let (common, shown) = (metrics.clone(), metrics);
        Controller::new(Connectors::NAME, of_passes)
            .concurrency(PASSES)
            .deadline(deadline)
            .metrics(common)
            .heartbeat(beating.heartbeat(Connectors::NAME))
            .each_round(move || shown.resources.set(known.connectors.len() as f64))
            .run(stopping, move |key| Arc::clone(&driver).pass_within(key, deadline))
            .await;
    });
    let (stopping, beating) = (stop.clone(), health.clone());
    let going_round = tokio::spawn(async move {
        if stopping.run_until_cancelled(resources.ready()).await.is_none() {
            return;
        }
        Controller::new("connectors of Connect clusters", queues.rounds)
            .concurrency(ROUNDS)
            .deadline(deadline)
            .heartbeat(beating.heartbeat("connectors of Connect clusters"))
            .run(stopping, move |cluster| Arc::clone(&rounds).round(cluster))
            .await;
    });
    vec![(Connectors::NAME, passes), ("connectors of Connect clusters", going_round)]
}
