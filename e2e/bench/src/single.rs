//! One new resource among many idle ones: from its creation to Ready.

use std::{fmt::Debug, time::Instant};

use anyhow::{Context as _, bail};
use futures::{StreamExt, pin_mut};
use kube::{
    Api, Resource, ResourceExt,
    api::{PostParams, WatchEvent, WatchParams},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::report::median;

/// How many are made, one after another.
const ROUNDS: usize = 21;

/// The median in milliseconds.
pub(crate) async fn median_ms<K>(
    api: &Api<K>,
    make: impl Fn(&str) -> anyhow::Result<K>,
    is_ready: impl Fn(&K) -> bool,
) -> anyhow::Result<f64>
where
    K: Resource + Clone + DeserializeOwned + Serialize + Debug,
{
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let name = format!("single-{round}");
        let object = make(&name)?;
        // The watch stands before the resource comes, so that its start is not measured.
        let version = api.list_metadata(&kube::api::ListParams::default().limit(1)).await?;
        let version = version.metadata.resource_version.context("a list has no version")?;
        let params = WatchParams::default().fields(&format!("metadata.name={name}"));
        let events = api.watch(&params, &version).await.context("open a watch")?;
        pin_mut!(events);
        let begun = Instant::now();
        api.create(&PostParams::default(), &object).await.context("create a resource")?;
        loop {
            match events.next().await {
                Some(Ok(WatchEvent::Added(seen) | WatchEvent::Modified(seen))) if is_ready(&seen) => break,
                Some(Ok(WatchEvent::Error(status))) => bail!("the watch of {name} failed: {status:?}"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error).context("watch a resource"),
                None => bail!("the watch of {} ended", object.name_any()),
            }
        }
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(median(times))
}
