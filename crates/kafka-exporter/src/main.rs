//! Shows Prometheus what Kafka says of topics, partitions and consumer groups: the process.

use std::process::ExitCode;

use kafka_exporter::{Settings, settings};
use operator_runtime::env::{Env, EnvErrors};
use operator_runtime::program::{self, Program, ProgramError, Served};
use operator_runtime::server::Style;
use operator_runtime::telemetry;

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
    #[error(transparent)]
    Program(#[from] ProgramError),
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
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProgramError::Runtime)?;
    let port = settings.port;
    let work = async |served: Served| {
        let Served { metrics, health, shutdown } = served;
        Ok(async { Ok(kafka_exporter::run(settings, metrics, health, shutdown).await?) })
    };
    Ok(runtime.block_on(program::while_served(&PROGRAM, port, work))?)
}
