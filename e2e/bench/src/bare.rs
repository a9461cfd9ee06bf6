//! The same work as bare API calls: what Kafka and the API server take when nobody thinks in between.

use std::time::Instant;

use anyhow::Context as _;
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams, PostParams},
    core::{NamespaceResourceScope, Request},
};
use serde_json::{Value, json};

use crate::world::IN_FLIGHT;

/// Runs both sides at once, as an operator does; the seconds of Kafka's side, of Kubernetes' side, and of both.
pub(crate) async fn together(
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
pub(crate) async fn each<F: Future<Output = anyhow::Result<()>>>(
    count: usize,
    work: impl Fn(usize) -> F,
) -> anyhow::Result<()> {
    stream::iter(0..count).map(work).buffer_unordered(IN_FLIGHT).try_collect().await
}

/// A merge patch of the resource.
pub(crate) async fn patch<K>(api: &Api<K>, name: &str, patch: &Value) -> anyhow::Result<K>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let patched = api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
    patched.with_context(|| format!("patch {name}"))
}

/// A merge patch of its status.
pub(crate) async fn patch_status<K>(api: &Api<K>, name: &str, patch: &Value) -> anyhow::Result<()>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let patched = api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await;
    patched.map(drop).with_context(|| format!("patch the status of {name}"))
}

/// Replaces its status by the one in `status`, and sends nothing else of it. Less work for the API server than a patch.
pub(crate) async fn replace_status<K>(client: &Client, object: &K, status: &Value) -> anyhow::Result<()>
where
    K: Resource<Scope = NamespaceResourceScope> + serde::de::DeserializeOwned,
    K::DynamicType: Default,
{
    let (kind, meta) = (K::DynamicType::default(), object.meta());
    let name = meta.name.as_deref().unwrap_or_default();
    let body = json!({
        "apiVersion": K::api_version(&kind), "kind": K::kind(&kind),
        "metadata": {"name": name, "namespace": meta.namespace, "resourceVersion": meta.resource_version},
        "status": status["status"],
    });
    let url = K::url_path(&kind, meta.namespace.as_deref());
    let request = Request::new(url).replace_subresource(
        "status",
        name,
        &PostParams::default(),
        body.to_string().into_bytes(),
    )?;
    client.request::<K>(request).await.map(drop).with_context(|| format!("replace the status of {name}"))
}

/// A status that says Ready.
pub(crate) fn ready_status() -> Value {
    json!({"status": {
        "observedGeneration": 1,
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00.000000000Z"}],
    }})
}
