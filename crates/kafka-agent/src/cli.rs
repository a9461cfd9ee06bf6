//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::layout::Layout;
use crate::probe::{self, Kind};
use crate::run_error::RunError;
use crate::{install, run, termination, worker};

/// What `--help` prints.
const HELP: &str = "\
The entry point of every Kafka pod: prepares the storage, starts Kafka, and tells how it is.

Usage: kafka-agent install DIR | run [--port PORT] | connect | probe liveness|readiness

  install DIR  Copy this program into a volume, for the container that runs Kafka (the init container's job);
               the program becomes DIR/kafka-agent.
  run          Run the Kafka node that /opt/kafka/custom-config describes, as process 1 of its container.
               Resolves the configuration, puts the key stores together, formats empty storage, starts the JVM
               from /opt/kafka/libs and stays with it: signals are passed on, its exit code is the container's.
               Storage of another cluster or another node is refused. The log level of the agent itself is in
               RUST_LOG (default: info).
    --port PORT  Port of the endpoint that tells the node's state, HTTPS with client certificates [default: 8443]
  connect      Run the worker of Kafka Connect that /opt/kafka/custom-config describes, in the same way: configuration,
               key stores, plug-ins, JVM. Whether it is ready is what its REST API says at /health.
  probe        Ask the running agent on behalf of the kubelet; exit code 0 means yes.
    liveness     Kafka's process lives and, once it has run, accepts connections.
    readiness    It serves clients.

  -h, --help     Print this
  -V, --version  Print the version
";

/// The exit code for a command line that cannot be used.
const WRONG_USE: u8 = 2;

/// Where the endpoint listens that tells the node's state, if nothing else is said.
const DEFAULT_PORT: u16 = api::ports::KAFKA_AGENT as u16;

/// A command line.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    /// Directory in place of the file-system's root, for tests.
    root: PathBuf,
    command: Command,
}

#[derive(Debug, PartialEq, Eq)]
enum Command {
    Help,
    Version,
    Install { directory: PathBuf },
    Run { port: u16 },
    Connect,
    Probe { kind: Kind },
}

impl Arguments {
    /// Reads what follows the name of the program; else what is wrong with it.
    fn read(given: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let (mut root, mut port, mut words) = (PathBuf::from("/"), None, Vec::new());
        let mut given = given.into_iter();
        while let Some(argument) = given.next() {
            let text = argument.to_string_lossy().into_owned();
            let (name, inline) = match text.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(OsString::from(value))),
                _ => (text.as_str(), None),
            };
            let mut value = || inline.clone().or_else(|| given.next()).ok_or(format!("{name} needs a value"));
            match name {
                "-h" | "--help" | "help" => return Ok(Self { root, command: Command::Help }),
                "-V" | "--version" => return Ok(Self { root, command: Command::Version }),
                "--root" => root = value()?.into(),
                "--port" => {
                    let value = value()?;
                    let number = value.to_str().and_then(|value| value.parse().ok());
                    port = Some(number.ok_or_else(|| {
                        format!("--port is '{}': write a number up to 65535", value.display())
                    })?);
                }
                _ if text.starts_with('-') => return Err(format!("unknown option '{text}'")),
                _ => words.push(argument),
            }
        }
        let command = command(&words, port)?;
        Ok(Self { root, command })
    }
}

fn command(words: &[OsString], port: Option<u16>) -> Result<Command, String> {
    let texts: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    if port.is_some() && texts.first() != Some(&"run") {
        return Err("--port belongs to run".to_owned());
    }
    match texts.as_slice() {
        ["install", _] => Ok(Command::Install { directory: PathBuf::from(&words[1]) }),
        ["run"] => Ok(Command::Run { port: port.unwrap_or(DEFAULT_PORT) }),
        ["connect"] => Ok(Command::Connect),
        ["probe", "liveness"] => Ok(Command::Probe { kind: Kind::Liveness }),
        ["probe", "readiness"] => Ok(Command::Probe { kind: Kind::Readiness }),
        [] => Err("a command is missing".to_owned()),
        other => Err(format!("'{}' is no command", other.join(" "))),
    }
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            let text = format!("kafka-agent: {why}; see kafka-agent --help\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
            return ExitCode::from(WRONG_USE);
        }
    };
    let layout = Layout::new(&arguments.root);
    match arguments.command {
        Command::Help => print(HELP),
        Command::Version => print(&format!("kafka-agent {}\n", env!("CARGO_PKG_VERSION"))),
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
        Command::Run { port } => until_its_end(&layout, run::run(&layout, port)),
        Command::Connect => until_its_end(&layout, worker::run(&layout)),
    }
}

fn print(text: &str) -> ExitCode {
    // A closed pipe (`--help | head`) is no failure.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    ExitCode::SUCCESS
}

/// Runs what ends with the container, and says why if it cannot be run.
fn until_its_end(layout: &Layout, running: impl Future<Output = Result<u8, RunError>>) -> ExitCode {
    start_log();
    match run_blocking(running) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            termination::leave_message(layout, &error.to_string());
            failure(&*error)
        }
    }
}

fn run_blocking(
    running: impl Future<Output = Result<u8, RunError>>,
) -> Result<u8, Box<dyn std::error::Error>> {
    // One thread is plenty: the agent waits nearly always.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(running);
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
    use super::*;

    fn read(line: &str) -> Result<Arguments, String> {
        Arguments::read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn commands_and_options_are_understood_in_any_order() {
        let at = |root: &str, command| Ok(Arguments { root: root.into(), command });
        assert_eq!(read("probe readiness"), at("/", Command::Probe { kind: Kind::Readiness }));
        assert_eq!(read("--root /x probe liveness"), at("/x", Command::Probe { kind: Kind::Liveness }));
        assert_eq!(read("install /opt/a"), at("/", Command::Install { directory: "/opt/a".into() }));
        assert_eq!(read("run"), at("/", Command::Run { port: DEFAULT_PORT }));
        assert_eq!(read("run --root=/x --port=1"), at("/x", Command::Run { port: 1 }));
        assert_eq!(read("run --port 0 --root /x"), at("/x", Command::Run { port: 0 }));
        assert_eq!(read("run --help"), at("/", Command::Help));
        assert_eq!(read("connect"), at("/", Command::Connect));
        assert_eq!(read("-V"), at("/", Command::Version));
    }

    #[test]
    fn the_help_text_names_the_port_at_which_the_operator_asks() {
        assert!(HELP.contains(&format!("[default: {DEFAULT_PORT}]")), "{HELP}");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, named) in [
            ("", "missing"),
            ("probe", "'probe'"),
            ("probe health", "'probe health'"),
            ("run now", "'run now'"),
            ("run --port", "--port needs a value"),
            ("run --port 70000", "'70000'"),
            ("probe liveness --port 1", "run"),
            ("run --prot 1", "'--prot'"),
        ] {
            let why = read(line).unwrap_err();
            assert!(why.contains(named), "{line}: {why}");
        }
    }
}
