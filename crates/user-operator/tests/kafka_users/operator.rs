//! The operator under test, in a runtime of its own, so that it outlives the runtime of one test, or can be killed.

use std::collections::BTreeMap;

use operator_runtime::{
    entity::Operator, env::Env, metrics::Metrics, program::Parts, server::Health, telemetry,
};
use test_support::{ApiServer, Log};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use user_operator::Settings;

pub struct Running {
    runtime: Runtime,
    shutdown: CancellationToken,
    operator: Operator,
    pub metrics: Metrics,
    /// Everything that it said, at the level TRACE.
    pub log: Log,
}

impl Running {
    /// Starts an operator with these environment variables.
    pub async fn start(server: &'static ApiServer, variables: &BTreeMap<String, String>) -> Self {
        let loudest = Env::from_map([("STRIMZI_LOG_LEVEL", "TRACE")]);
        let log = Log::default();
        let runtime = log.runtime(&telemetry::Settings::from_env(&loudest).filter).unwrap();
        let settings = Settings::from_env(&Env::from_map(variables.clone())).unwrap();
        let shutdown = CancellationToken::new();
        let metrics = Metrics::new().unwrap();
        let (token, of_operator) = (shutdown.clone(), metrics.clone());
        let start = runtime.spawn(async move {
            let client = server.client().await.unwrap();
            let parts = Parts { client, metrics: of_operator, health: Health::new(), shutdown: token };
            user_operator::start(settings, &parts).unwrap()
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
