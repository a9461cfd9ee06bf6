//! Shows Prometheus what Kafka says of topics, partitions and consumer groups: the process.

use std::process::ExitCode;

use kafka_exporter::{Settings, settings};
use operator_runtime::env::{Env, EnvErrors};
use operator_runtime::metrics::Metrics;
use operator_runtime::program::{self, Program};
use operator_runtime::server::{Health, Server, ServerError, Style};
use operator_runtime::{shutdown, telemetry};

const PROGRAM: Program = Program {
    name: "kafka-exporter",
    version: env!("CARGO_PKG_VERSION"),
    help: settings::HELP,
    style: Style::Text,
};

/// Why the process ends with an error.
#[derive(Debug, thiserror::Error)]
enum MainError {
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
    #[error("serve health checks and metrics: {0}")]
    Serving(#[from] tokio::task::JoinError),
}

fn main() -> ExitCode {
    program::alone(&PROGRAM, work)
}

fn work() -> Result<(), MainError> {
    let env = Env::from_process();
    telemetry::init(&settings::log(&env));
    let settings = Settings::from_env(&env)?;
    // One thread does it: more would only cost memory.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(MainError::Runtime)?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: Settings) -> Result<(), MainError> {
    let shutdown = shutdown::on_signals().map_err(MainError::Signals)?;
    let (metrics, health) = (Metrics::new()?, Health::new());
    let server = Server::bind(settings.port, PROGRAM.style, health.clone(), metrics.clone()).await?;
    tracing::info!(version = PROGRAM.version, "{} starts", PROGRAM.name);
    let serving = tokio::spawn(server.run(shutdown.clone()));
    kafka_exporter::run(settings, metrics, health, shutdown.clone()).await?;
    shutdown.cancel();
    serving.await??;
    Ok(())
}
