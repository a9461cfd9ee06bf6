//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::layout::Layout;
use crate::probe::{self, Kind};
use crate::{install, run, termination};

/// The entry point of every Kafka pod: prepares the storage, starts Kafka, and tells how it is.
#[derive(Debug, Parser)]
#[command(name = "kafka-agent", version)]
struct Arguments {
    /// Directory to use in place of the file-system's root, for tests.
    #[arg(long, global = true, hide = true, default_value = "/")]
    root: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy this program into a volume, for the container that runs Kafka (the init container's job).
    Install {
        /// Directory of the volume; the program becomes DIR/kafka-agent.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Run the Kafka node that /opt/kafka/custom-config describes, as process 1 of its container.
    ///
    /// Resolves the configuration, puts the key stores together, formats empty storage, starts the JVM from
    /// /opt/kafka/libs and stays with it: signals are passed on, its exit code is the container's. Storage of
    /// another cluster or another node is refused. The log level of the agent itself is in RUST_LOG (default: info).
    Run {
        /// Port of the endpoint that tells the node's state (HTTPS with client certificates).
        #[arg(long, default_value_t = 8443)]
        port: u16,
    },
    /// Ask the running agent on behalf of the kubelet; exit code 0 means yes.
    Probe {
        /// liveness: Kafka's process lives and, once it has run, accepts connections. readiness: it serves clients.
        kind: Kind,
    },
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let layout = Layout::new(&arguments.root);
    match arguments.command {
        Command::Probe { kind } => match probe::probe(kind, &layout.socket()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(&error),
        },
        Command::Install { directory } => match install::install(&directory) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => {
                termination::leave_message(&layout, &error.to_string());
                failure(&error)
            }
        },
        Command::Run { port } => {
            start_log();
            match run_blocking(&layout, port) {
                Ok(code) => ExitCode::from(code),
                Err(error) => {
                    termination::leave_message(&layout, &error.to_string());
                    failure(&*error)
                }
            }
        }
    }
}

fn run_blocking(layout: &Layout, port: u16) -> Result<u8, Box<dyn std::error::Error>> {
    // One thread is plenty: the agent waits nearly always.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(run::run(layout, port));
    // A pod that is asked to stop does not wait until its storage is prepared: each step of that may be cut short.
    runtime.shutdown_background();
    Ok(ended?)
}

fn start_log() {
    use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};
    let asked = std::env::var("RUST_LOG").ok().filter(|asked| !asked.is_empty());
    let filter = asked.and_then(|asked| asked.parse().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
}

fn failure(error: &dyn std::error::Error) -> ExitCode {
    // The kubelet shows standard error of a failed probe in its event, and the log of a failed container.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("kafka-agent: {error}\n").as_bytes());
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
        let parsed = Arguments::parse_from(["kafka-agent", "probe", "readiness"]);
        assert!(matches!(parsed.command, Command::Probe { kind: Kind::Readiness }));
    }
}
