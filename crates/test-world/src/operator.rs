//! The operator under test, in a runtime of its own, so that it outlives the runtime of one test, or can be killed.

use std::collections::BTreeMap;
use std::fmt::Debug;

use kube::Resource;
use operator_runtime::env::Env;
use operator_runtime::metrics::Metrics;
use operator_runtime::program::Parts;
use operator_runtime::server::Health;
use operator_runtime::telemetry;
use serde::Serialize;
use serde::de::DeserializeOwned;
use test_support::{ApiServer, Log};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::behind::Behind;
use crate::held_watch::HeldWatch;

/// An operator as tests start it.
pub trait UnderTest: 'static {
    /// What it looks after.
    type Resource: Resource<DynamicType = ()>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;
    /// What runs.
    type Operator: Send + 'static;

    /// Starts it as its `main` does, in the runtime that is its own.
    fn start(env: &Env, parts: &Parts) -> Self::Operator;

    /// Waits for its end, after the shutdown.
    fn ended(operator: Self::Operator) -> impl Future<Output = ()> + Send;
}

/// An operator that runs. Dropped, it ends as by SIGKILL: at once, wherever it is.
pub struct Running<O: UnderTest> {
    /// Its metrics.
    pub metrics: Metrics,
    operator: Option<O::Operator>,
    shutdown: CancellationToken,
    runtime: Option<Runtime>,
}

impl<O: UnderTest> Running<O> {
    /// Starts an operator with these environment variables; what it says at this level goes into the log. It runs as a service
    /// account (namespace and name), or may do everything. Its watches may be held back, and some of its requests be answered by a server
    /// behind the API server.
    pub async fn start(
        server: &'static ApiServer,
        account: Option<(String, String)>,
        variables: &BTreeMap<String, String>,
        log: &Log,
        level: &str,
        (held, behind): (Option<&HeldWatch>, Option<&Behind>),
    ) -> Self {
        let level = Env::from_map([("STRIMZI_LOG_LEVEL", level)]);
        let runtime = log.runtime(&telemetry::Settings::from_env(&level).filter).unwrap();
        let (metrics, shutdown) = (Metrics::new().unwrap(), CancellationToken::new());
        let (counted, stop, variables) = (metrics.clone(), shutdown.clone(), variables.clone());
        let (held, behind) = (held.cloned(), behind.cloned());
        let start = runtime.spawn(async move {
            let client = match account {
                None => server.client().await.unwrap(),
                Some((namespace, name)) => {
                    server.client_for_service_account(&namespace, &name).await.unwrap()
                }
            };
            let client = held.map_or_else(|| client.clone(), |held| held.around(client.clone()));
            let client = behind.map_or_else(|| client.clone(), |behind| behind.around(client.clone()));
            let parts = Parts { client, metrics: counted, health: Health::new(), shutdown: stop };
            O::start(&Env::from_map(variables), &parts)
        });
        let operator = Some(start.await.unwrap());
        Self { metrics, operator, shutdown, runtime: Some(runtime) }
    }

    /// What runs.
    pub fn operator(&self) -> &O::Operator {
        self.operator.as_ref().unwrap()
    }

    /// A metric, summed over its labels, of which one says this; the empty text for all.
    pub fn metric(&self, name: &str, label: &str) -> f64 {
        metric(&self.metrics, name, label)
    }

    /// Ends it as SIGTERM does.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        O::ended(self.operator.take().unwrap()).await;
    }
}

impl<O: UnderTest> Drop for Running<O> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A metric, summed over its labels, of which one says this; the empty text for all.
pub(crate) fn metric(metrics: &Metrics, name: &str, label: &str) -> f64 {
    let text = metrics.render().unwrap();
    let counts = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(label);
    text.lines().filter(counts).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
