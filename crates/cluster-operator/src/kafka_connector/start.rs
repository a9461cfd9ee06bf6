//! Starts what looks after connectors.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::KafkaConnector;
use api::conditions::Condition;
use operator_runtime::report;

use super::apis::Apis;
use super::driver::Connectors;
use super::feed::{Queues, feed};
use super::memory::Memories;
use super::metrics::AutoRestarts;
use super::resources::Resources;
use super::rounds::Rounds;
use super::sharers::Sharers;
use crate::kind::Kind as _;
use crate::start::{Manner, Running, Start};

/// Passes over connectors at a time. They mostly wait, and what they wait for has bounds of its own for each Connect cluster.
const PASSES: usize = 4096;

/// Rounds over Connect clusters at a time.
const ROUNDS: usize = 64;

/// Longest time between two rounds over a cluster: so long a connector may have failed unnoticed.
const LONGEST_INTERVAL: Duration = Duration::from_secs(30);

/// Starts the watches, the passes over connectors and the rounds over Connect clusters.
pub(crate) fn start(
    start: &Start<'_>,
    apis: Arc<Apis>,
    sharers: Arc<Sharers>,
    auto_restarts: &AutoRestarts,
) -> Vec<Running> {
    let Start { caches, settings, means, stop, .. } = *start;
    let resources = Resources::start(means.applier.client(), caches, settings, stop);
    let queues = Queues::default();
    feed(caches, &resources, &queues);
    report::in_status::<KafkaConnector, _>(
        &resources.connectors,
        &means.applier,
        Some(means.events.clone()),
        Condition::not_ready,
        stop,
    );
    let memories = Arc::new(Memories::default());
    let rounds = Rounds {
        resources: resources.clone(),
        connects: caches.connects.clone(),
        apis: Arc::clone(&apis),
        sharers,
        memories: Arc::clone(&memories),
        queues: queues.clone(),
        mandate: means.mandate.clone(),
        interval: settings.resync.min(LONGEST_INTERVAL),
        turns: Mutex::default(),
    };
    let restarts = auto_restarts.of(Connectors::NAME);
    let kind = Connectors::new(resources.clone(), means.clone(), apis, memories, restarts);
    let manner = Manner { concurrency: PASSES, resync: false, ..Manner::default() };
    let known = resources.clone();
    let (_, passes) = start.kind_in(manner, kind, &queues.connectors, async move { known.ready().await });
    // The rounds are metered by what they bring about, and each one says when the next one is due.
    let manner = Manner { concurrency: ROUNDS, resync: false, metrics: false };
    let (_, rounds) = start.kind_in(manner, rounds, &queues.rounds, async move { resources.ready().await });
    vec![passes, rounds]
}
