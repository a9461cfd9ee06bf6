//! Waiting for what should happen, with a deadline and with what was seen last in the error.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::bail;
use futures::{StreamExt, pin_mut};
use kube::runtime::watcher;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Watches one object until it meets the condition, and gives it back.
pub async fn for_object<K>(
    api: &Api<K>,
    name: &str,
    deadline: Duration,
    what: &str,
    condition: impl Fn(&K) -> bool,
) -> anyhow::Result<K>
where
    K: Resource + Clone + DeserializeOwned + Serialize + Debug + Send + 'static,
{
    let mut seen = None;
    let found = follow(api, name, deadline, |object| {
        let met = object.is_some_and(&condition);
        seen = object.cloned();
        met
    });
    let met = found.await;
    match seen {
        Some(object) if met => Ok(object),
        Some(object) => {
            let text = serde_json::to_string_pretty(&object).unwrap_or_default();
            bail!("after {} s it is not so that {name} {what}; it is\n{text}", deadline.as_secs())
        }
        None => bail!("after {} s it is not so that {name} {what}; it does not exist", deadline.as_secs()),
    }
}

/// Watches until there is no object of that name.
pub async fn for_absence<K>(api: &Api<K>, name: &str, deadline: Duration) -> anyhow::Result<()>
where
    K: Resource + Clone + DeserializeOwned + Serialize + Debug + Send + 'static,
{
    if follow(api, name, deadline, |object| object.is_none()).await {
        return Ok(());
    }
    bail!("after {} s {name} still exists", deadline.as_secs())
}

async fn follow<K>(
    api: &Api<K>,
    name: &str,
    deadline: Duration,
    mut met: impl FnMut(Option<&K>) -> bool,
) -> bool
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let watching = async {
        let stream = watcher::watch_object(api.clone(), name);
        pin_mut!(stream);
        while let Some(item) = stream.next().await {
            match item {
                Ok(object) => {
                    if met(object.as_ref()) {
                        return true;
                    }
                }
                // The server may be restarting: that is what some tests are about.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        false
    };
    tokio::time::timeout(deadline, watching).await.unwrap_or(false)
}

/// Asks again and again until the answer is `Some`, for things that nobody announces. `what` is for the error.
pub async fn until<T, F>(deadline: Duration, what: &str, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Option<T>>,
{
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        if began.elapsed() > deadline {
            bail!("after {} s it is not so that {what}", deadline.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
