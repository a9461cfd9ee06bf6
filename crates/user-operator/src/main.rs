//! Keeps Kafka users, ACLs and quotas as KafkaUser resources say: the process.

use std::{io::Write, process::ExitCode};

use anyhow::Context as _;
use operator_runtime::{
    client,
    env::Env,
    metrics::Metrics,
    server::{Health, Server, Style},
    shutdown, telemetry,
};
use user_operator::{Operator, Settings, settings::HELP};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Port of health checks and metrics.
const PORT: u16 = 8081;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--help" | "-h") => return print(HELP),
        Some("--version" | "-V") => return print(&format!("user-operator {VERSION}\n")),
        Some(other) => {
            let _ = writeln!(
                std::io::stderr(),
                "unknown argument '{other}': settings are environment variables, see --help"
            );
            return ExitCode::from(2);
        }
    }
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "user-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> ExitCode {
    // A closed pipe (`--help | head`) is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn start() -> anyhow::Result<()> {
    let env = Env::from_process();
    telemetry::init(&telemetry::Settings::from_env(&env));
    let settings = Settings::from_env(&env)?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(run(settings))
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signals().context("listen for signals")?;
    let metrics = Metrics::new().context("register metrics")?;
    let health = Health::new();
    let server = Server::bind(PORT, Style::Json, health.clone(), metrics.clone()).await?;
    let client = client::connect(&format!("kastellan-user-operator/{VERSION}")).await?;
    tracing::info!(version = VERSION, namespace = %settings.namespace, bootstrap = %settings.bootstrap.join(","), "user operator starts");
    let operator = Operator::start(&client, settings, &metrics, &health, &shutdown);
    let serving = tokio::spawn(server.run(shutdown.clone()));
    operator.ended().await;
    shutdown.cancel();
    serving.await.context("serve health checks and metrics")??;
    Ok(())
}
