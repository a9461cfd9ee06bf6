//! The webhook for evictions: Kubernetes asks before it evicts a pod, and what is a node of Kafka is restarted instead. Every process of the
//! operator answers, also those that do not lead: nothing of it depends on caches.

mod ask;
mod identity;
mod review;
mod server;
pub mod settings;
mod upkeep;

use std::sync::Arc;

use anyhow::{Context, Result};
use operator_runtime::apply::Applier;
use operator_runtime::connections;
use operator_runtime::server::Health;
use tokio_util::sync::CancellationToken;

use self::ask::Asker;
use self::identity::Door;
use self::upkeep::Upkeep;
use crate::settings::Settings;

/// Serves the webhook until `stop`, where it is switched on.
///
/// # Errors
/// When the port cannot be used.
pub(crate) async fn start(
    settings: &Settings,
    kubernetes: &kube::Client,
    health: &Health,
    stop: &CancellationToken,
) -> Result<()> {
    let Some(evictions) = &settings.evictions else { return Ok(()) };
    let port = evictions.port;
    let listener = connections::listen(port)
        .await
        .with_context(|| format!("listen for questions about evictions on port {port}"))?;
    let (door, applier) = (Door::default(), Applier::new(kubernetes.clone()));
    let upkeep = Upkeep::new(applier.clone(), &evictions.namespace, door.clone());
    // Kubernetes leads questions to processes that are ready.
    let gate = health.gate("the certificate of the webhook for evictions");
    tokio::spawn(upkeep.run(gate, stop.clone()));
    let asker = Asker::new(applier, settings);
    tokio::spawn(server::serve(listener, door, Arc::new(asker), stop.clone()));
    tracing::info!(port, "asked before pods are evicted");
    Ok(())
}
