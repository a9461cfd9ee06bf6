//! The process of an operator: what its arguments mean, its settings, its runtime, its server, its end. The operators differ
//! only in what they start.

use std::{error::Error, fmt::Display, io::Write, process::ExitCode};

use api::env as names;
use kube::Client;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::{
    client::{self, ClientError},
    env::{Env, EnvErrors},
    log_file::LogFile,
    metrics::Metrics,
    server::{Health, Server, ServerError, Style},
    shutdown, telemetry,
};

/// What a binary says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Name of the binary.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What `--help` prints.
    pub help: &'static str,
    /// How it tells of its health.
    pub style: Style,
}

/// What an operator gets to work with.
#[derive(Clone)]
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

/// Why an operator ended, or could not begin.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Why the process ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There are no threads.
    #[error("start the runtime: {0}")]
    Runtime(#[source] std::io::Error),
    /// Signals that end it could not be received.
    #[error("listen for signals: {0}")]
    Signals(#[source] std::io::Error),
    /// A metric cannot be had.
    #[error("register metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Nothing answers on the port.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// There is no client of Kubernetes.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What answered ended.
    #[error("serve health checks and metrics: {0}")]
    Serving(#[from] tokio::task::JoinError),
    /// The work itself failed.
    #[error("{0}")]
    Work(Failure),
}

/// The exit code for arguments and settings that cannot be used.
pub const WRONG_USE: u8 = 2;

/// The whole of `main`. `read` reads the settings, which know the port of health checks and metrics; `start` registers what
/// readiness depends on, and its answer is the work, which ends after the shutdown.
pub fn main<S, W>(
    program: &Program,
    read: impl FnOnce(&Env) -> Result<S, EnvErrors>,
    port: impl FnOnce(&S) -> u16,
    start: impl FnOnce(S, &Parts) -> Result<W, Failure>,
) -> ExitCode
where
    W: Future<Output = Result<(), Failure>>,
{
    if let Some(argument) = std::env::args().nth(1) {
        return answer(program, &argument);
    }
    let env = Env::from_process();
    let logs = telemetry::Settings::from_env(&env);
    let settings = match read(&env) {
        Ok(settings) => settings,
        Err(errors) => {
            complain(format_args!("{}: wrong settings\n{errors}", program.name));
            return ExitCode::from(WRONG_USE);
        }
    };
    let log = telemetry::init(&logs);
    // A variable wins over the file, which then is not looked at.
    let mut file = env.optional(names::LOG_LEVEL).is_none().then(|| LogFile::of(program.name));
    if let Some(filter) = file.as_mut().and_then(LogFile::look) {
        log.set(&filter);
    }
    let work = async {
        if let Some(file) = file {
            tokio::spawn(file.follow(log));
        }
        let port = port(&settings);
        serve(program, port, move |parts| start(settings, parts)).await
    };
    let ended = runtime().map_err(ProgramError::Runtime).and_then(|runtime| runtime.block_on(work));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole of `main` of a program that needs no Kubernetes: `work` does everything beside the arguments.
pub fn alone<E: Display>(program: &Program, work: impl FnOnce() -> Result<(), E>) -> ExitCode {
    if let Some(argument) = std::env::args().nth(1) {
        return answer(program, &argument);
    }
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("{}: {error}", program.name));
            ExitCode::FAILURE
        }
    }
}

/// The async runtime of an operator.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // Names of the API server and of proxies are resolved, and keys made, on these. Names of brokers have threads of
        // their own (kafka-admin), so that a name server that does not answer keeps no keys waiting.
        .max_blocking_threads(5)
        // Reading a resource nests deeply. The stack is only reserved; memory is used as far as it is touched.
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()
}

fn answer(program: &Program, argument: &str) -> ExitCode {
    let text = match argument {
        "--help" | "-h" => program.help.to_owned(),
        "--version" | "-V" => format!("{} {}\n", program.name, program.version),
        other => {
            complain(format_args!(
                "unknown argument '{other}': settings are environment variables, see --help"
            ));
            return ExitCode::from(WRONG_USE);
        }
    };
    say(&text)
}

/// Prints what was asked for.
pub fn say(text: &str) -> ExitCode {
    // A closed pipe (`--help | head`) is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// Prints what is wrong, before there is a log.
pub fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

async fn serve<W>(
    program: &Program,
    port: u16,
    start: impl FnOnce(&Parts) -> Result<W, Failure>,
) -> Result<(), ProgramError>
where
    W: Future<Output = Result<(), Failure>>,
{
    let prepare = async |served: Served| {
        let client = client::connect(&format!("kastellan-{}/{}", program.name, program.version)).await?;
        let Served { metrics, health, shutdown } = served;
        start(&Parts { client, metrics, health, shutdown }).map_err(ProgramError::Work)
    };
    while_served(program, port, prepare).await
}

/// What a program gets whose health and metrics are served.
#[derive(Clone, Debug)]
pub struct Served {
    /// Where metrics are registered.
    pub metrics: Metrics,
    /// What liveness and readiness depend on.
    pub health: Health,
    /// The end.
    pub shutdown: CancellationToken,
}

/// Serves health and metrics on a port while work goes on. `prepare` registers what readiness depends on, before anything is answered; its
/// answer is the work, which ends after the shutdown.
///
/// # Errors
/// When the program cannot begin, or its work fails.
pub async fn while_served<W>(
    program: &Program,
    port: u16,
    prepare: impl AsyncFnOnce(Served) -> Result<W, ProgramError>,
) -> Result<(), ProgramError>
where
    W: Future<Output = Result<(), Failure>>,
{
    let shutdown = shutdown::on_signals().map_err(ProgramError::Signals)?;
    let (metrics, health) = (Metrics::new()?, Health::new());
    let server = Server::bind(port, program.style, health.clone(), metrics.clone()).await?;
    let work = prepare(Served { metrics, health, shutdown: shutdown.clone() }).await?;
    tracing::info!(version = program.version, "{} starts", program.name);
    let serving = tokio::spawn(server.run(shutdown.clone()));
    let worked = work.await.map_err(ProgramError::Work);
    shutdown.cancel();
    let served = serving.await;
    worked?;
    served??;
    Ok(())
}
