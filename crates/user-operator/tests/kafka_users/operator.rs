//! The operator under test, in a runtime of its own, so that it outlives the runtime of one test, or can be killed.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use operator_runtime::{env::Env, metrics::Metrics, server::Health, telemetry};
use test_support::ApiServer;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use user_operator::{Operator, Settings};

/// Everything that an operator said, at the level TRACE.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub struct Running {
    runtime: Runtime,
    shutdown: CancellationToken,
    operator: Operator,
    pub metrics: Metrics,
    pub log: Log,
}

impl Running {
    /// Starts an operator with these environment variables.
    pub async fn start(server: &'static ApiServer, variables: &BTreeMap<String, String>) -> Self {
        let (log, loudest) = (Log::default(), Env::from_map([("STRIMZI_LOG_LEVEL", "TRACE")]));
        let (sink, filter) = (log.clone(), telemetry::Settings::from_env(&loudest).filter);
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_env_filter(EnvFilter::try_new(filter).unwrap())
            .with_writer(move || sink.clone());
        let dispatch = tracing::Dispatch::new(subscriber.finish());
        let settings = Settings::from_env(&Env::from_map(variables.clone())).unwrap();
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_all();
        // For as long as the thread lives.
        builder.on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)));
        let runtime = builder.build().unwrap();
        let shutdown = CancellationToken::new();
        let metrics = Metrics::new().unwrap();
        let (token, of_operator) = (shutdown.clone(), metrics.clone());
        let start = runtime.spawn(async move {
            let client = server.client().await.unwrap();
            Operator::start(&client, settings, &of_operator, &Health::new(), &token)
        });
        let operator = start.await.unwrap();
        Self { runtime, shutdown, operator, metrics, log }
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
