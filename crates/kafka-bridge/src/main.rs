//! HTTP to Kafka: the process.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use api::names::keys::LOG4J2_PROPERTIES;
use kafka_bridge::{Bridge, Settings, StartError, settings};
use operator_runtime::env::{Env, EnvErrors};
use operator_runtime::log_file::LogFile;
use operator_runtime::program::{self, WRONG_USE, say};
use operator_runtime::{shutdown, telemetry};

const NAME: &str = "kafka-bridge";

/// What the arguments ask for.
enum Asked {
    Help,
    Version,
    Serve(PathBuf),
}

/// Why the process ends with an error.
#[derive(Debug, thiserror::Error)]
enum MainError {
    #[error("read environment variables: {0}")]
    Variables(#[from] EnvErrors),
    #[error("read the configuration file {0}:\n{1}")]
    Settings(PathBuf, #[source] settings::SettingsError),
    #[error("start the runtime: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("listen for signals: {0}")]
    Signals(#[source] std::io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("serve: {0}")]
    Serving(#[from] tokio::task::JoinError),
}

fn main() -> ExitCode {
    let file = match asked(std::env::args().skip(1)) {
        Ok(Asked::Serve(file)) => file,
        Ok(Asked::Help) => return say(settings::HELP),
        Ok(Asked::Version) => return say(&format!("{NAME} {}\n", env!("CARGO_PKG_VERSION"))),
        Err(text) => {
            complain(&text);
            return ExitCode::from(WRONG_USE);
        }
    };
    match work(file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            let wrong = matches!(error, MainError::Variables(_) | MainError::Settings(..));
            if wrong { ExitCode::from(WRONG_USE) } else { ExitCode::FAILURE }
        }
    }
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
    const USE: &str = "write --config-file FILE, --help or --version";
    let first = arguments.next().ok_or_else(|| USE.to_owned())?;
    let asked = match first.as_str() {
        "--help" | "-h" => Asked::Help,
        "--version" | "-V" => Asked::Version,
        "--config-file" => {
            Asked::Serve(arguments.next().ok_or("--config-file needs the path of a file")?.into())
        }
        other => match other.strip_prefix("--config-file=") {
            Some(file) => Asked::Serve(file.into()),
            None => return Err(format!("unknown argument '{other}': {USE}")),
        },
    };
    match arguments.next() {
        Some(more) => Err(format!("unknown argument '{more}': {USE}")),
        None => Ok(asked),
    }
}

fn complain(text: &impl Display) {
    program::complain(format_args!("{NAME}: {text}"));
}

fn work(file: PathBuf) -> Result<(), MainError> {
    let env = Env::from_process();
    let log = telemetry::init(&telemetry::Settings::from_env(&env));
    env.finish()?;
    // A variable wins over the file, which then is not looked at.
    let by_variable = env.optional(api::env::LOG_LEVEL).is_some();
    let mut log_file = (!by_variable).then(|| LogFile::at(file.with_file_name(LOG4J2_PROPERTIES)));
    if let Some(filter) = log_file.as_mut().and_then(LogFile::look) {
        log.set(&filter);
    }
    let settings = Settings::from_file(&file).map_err(|error| MainError::Settings(file.clone(), error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(kafka_bridge::WAITING_THREADS)
        .enable_all()
        .build()
        .map_err(MainError::Runtime)?;
    runtime.block_on(async {
        if let Some(log_file) = log_file {
            tokio::spawn(log_file.follow(log));
        }
        let shutdown = shutdown::on_signals().map_err(MainError::Signals)?;
        let bridge = Bridge::start(settings, Some(file), shutdown).await?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            port = bridge.port,
            management_port = bridge.management_port,
            "{NAME} serves"
        );
        bridge.wait().await?;
        Ok(())
    })
}
