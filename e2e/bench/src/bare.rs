//! The same work as bare API calls: what Kafka and the API server take when nobody thinks in between.

use std::time::Instant;

use anyhow::Context as _;
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::Value;

use crate::world::IN_FLIGHT;

/// Runs both sides at once, as an operator does; the seconds of Kafka's side, of Kubernetes' side, and of both.
pub async fn together(
    kafka: impl Future<Output = anyhow::Result<()>>,
    kubernetes: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<(f64, f64, f64)> {
    let begun = Instant::now();
    let (kafka, kubernetes) = tokio::join!(timed(kafka), timed(kubernetes));
    Ok((kafka?, kubernetes?, begun.elapsed().as_secs_f64()))
}

async fn timed(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<f64> {
    let begun = Instant::now();
    work.await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Works on numbers, as many at a time as an operator has requests in flight.
pub async fn each<F: Future<Output = anyhow::Result<()>>>(
    count: usize,
    work: impl Fn(usize) -> F,
) -> anyhow::Result<()> {
    stream::iter(0..count).map(work).buffer_unordered(IN_FLIGHT).try_collect().await
}

/// A merge patch of the resource, or of its status.
pub async fn patch<K>(api: &Api<K>, name: &str, status: bool, patch: &Value) -> anyhow::Result<()>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
    let done = if status {
        api.patch_status(name, &params, &patch).await
    } else {
        api.patch(name, &params, &patch).await
    };
    done.map(drop).with_context(|| format!("patch {name}"))
}

/// A status that says Ready.
pub fn ready_status() -> Value {
    serde_json::json!({"status": {
        "observedGeneration": 1,
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00.000000000Z"}],
    }})
}
