//! The operator under test, in a runtime of its own, so that it outlives the runtime of one test, or can be killed.

use std::collections::BTreeMap;

use operator_runtime::{env::Env, metrics::Metrics, server::Health};
use test_support::ApiServer;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tracing::Dispatch;
use user_operator::{Operator, Settings};

pub struct Running {
    runtime: Runtime,
    shutdown: CancellationToken,
    operator: Operator,
    pub metrics: Metrics,
}

impl Running {
    /// Starts an operator with these environment variables. With a `log`, everything that its threads say goes there.
    pub async fn start(
        server: &'static ApiServer,
        variables: &BTreeMap<String, String>,
        log: Option<Dispatch>,
    ) -> Self {
        let settings = Settings::from_env(&Env::from_map(variables.clone())).unwrap();
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_all();
        if let Some(log) = log {
            // For as long as the thread lives.
            builder.on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&log)));
        }
        let runtime = builder.build().unwrap();
        let shutdown = CancellationToken::new();
        let metrics = Metrics::new().unwrap();
        let (token, of_operator) = (shutdown.clone(), metrics.clone());
        let start = runtime.spawn(async move {
            let client = server.client().await.unwrap();
            Operator::start(&client, settings, &of_operator, &Health::new(), &token)
        });
        let operator = start.await.unwrap();
        Self { runtime, shutdown, operator, metrics }
    }

    /// Ends it as SIGTERM does.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.operator.ended().await;
        self.runtime.shutdown_background();
    }

    /// Ends it as SIGKILL does: at once, wherever it is.
    pub fn kill(self) {
        self.runtime.shutdown_background();
    }
}
