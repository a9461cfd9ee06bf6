//! The process of an entity operator: the topic and the user operator differ only in what they start.

use std::process::ExitCode;

use kafka_admin::Admin;
use kube::Client;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    client::{self, ClientError},
    env::{Env, EnvErrors},
    metrics::Metrics,
    program::Program,
    server::{Health, Server, ServerError, Style},
    shutdown, telemetry,
};

/// What an operator gets to work with.
#[allow(missing_debug_implementations, reason = "the client has none")]
pub struct Parts {
    /// Kubernetes.
    pub client: Client,
    /// Where metrics are registered.
    pub metrics: Metrics,
    /// What liveness and readiness depend on.
    pub health: Health,
    /// The end.
    pub shutdown: CancellationToken,
}

/// A running topic or user operator.
#[derive(Debug)]
pub struct Operator {
    /// The kind that it looks after, in the plural.
    kind: &'static str,
    admin: watch::Receiver<Option<Admin>>,
    task: JoinHandle<()>,
}

impl Operator {
    /// Begins the work of a controller that ends with the shutdown.
    pub fn run(
        kind: &'static str,
        admin: watch::Receiver<Option<Admin>>,
        controller: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { kind, admin, task: tokio::spawn(controller) }
    }

    /// The connection to Kafka, once there is one.
    pub fn admin(&self) -> Option<Admin> {
        self.admin.borrow().clone()
    }

    /// Waits for the end, after the shutdown. Batches in flight are finished first.
    pub async fn ended(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the controller of {} ended unexpectedly", self.kind);
        }
    }
}

/// Why the process ends with an error.
#[derive(Debug, thiserror::Error)]
enum EntityError {
    #[error(transparent)]
    Settings(#[from] EnvErrors),
    #[error("start the runtime: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("listen for signals: {0}")]
    Signals(#[source] std::io::Error),
    #[error("register metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("serve health checks and metrics: {0}")]
    Serving(#[from] tokio::task::JoinError),
}

/// The whole of `main`. `read` reads the settings; `start` starts the operator.
pub fn main<S>(
    program: &Program,
    read: impl FnOnce(&Env) -> Result<S, EnvErrors>,
    start: impl FnOnce(S, &Parts) -> prometheus::Result<Operator>,
) -> ExitCode {
    program.main(|| work(program, read, start))
}

fn work<S>(
    program: &Program,
    read: impl FnOnce(&Env) -> Result<S, EnvErrors>,
    start: impl FnOnce(S, &Parts) -> prometheus::Result<Operator>,
) -> Result<(), EntityError> {
    let env = Env::from_process();
    telemetry::init(&telemetry::Settings::from_env(&env));
    let settings = read(&env)?;
    // Blocking work is the resolution of names and the making of keys: more threads would only cost memory.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .map_err(EntityError::Runtime)?;
    runtime.block_on(serve(program, settings, start))
}

async fn serve<S>(
    program: &Program,
    settings: S,
    start: impl FnOnce(S, &Parts) -> prometheus::Result<Operator>,
) -> Result<(), EntityError> {
    let shutdown = shutdown::on_signals().map_err(EntityError::Signals)?;
    let (metrics, health) = (Metrics::new()?, Health::new());
    let server = Server::bind(program.port, Style::Json, health.clone(), metrics.clone()).await?;
    let client = client::connect(&format!("kastellan-{}/{}", program.name, program.version)).await?;
    tracing::info!(version = program.version, "{} starts", program.name);
    let parts = Parts { client, metrics, health, shutdown: shutdown.clone() };
    let operator = start(settings, &parts)?;
    let serving = tokio::spawn(server.run(shutdown.clone()));
    operator.ended().await;
    shutdown.cancel();
    serving.await??;
    Ok(())
}
