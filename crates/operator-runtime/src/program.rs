//! The outermost part of `main`: arguments, and how a program ends with an error.

use std::{fmt::Display, io::Write, process::ExitCode};

/// What a binary says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Name of the binary.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What `--help` prints.
    pub help: &'static str,
    /// Port of health checks and metrics.
    pub port: u16,
}

impl Program {
    /// Answers an argument, or does the work; an error ends the process with its text on standard error.
    pub fn main<E: Display>(&self, work: impl FnOnce() -> Result<(), E>) -> ExitCode {
        if let Some(argument) = std::env::args().nth(1) {
            return self.answer(&argument);
        }
        match work() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(format_args!("{}: {error}", self.name));
                ExitCode::FAILURE
            }
        }
    }

    fn answer(&self, argument: &str) -> ExitCode {
        let text = match argument {
            "--help" | "-h" => self.help.to_owned(),
            "--version" | "-V" => format!("{} {}\n", self.name, self.version),
            other => {
                complain(format_args!(
                    "unknown argument '{other}': settings are environment variables, see --help"
                ));
                return ExitCode::from(2);
            }
        };
        // A closed pipe (`--help | head`) is no failure.
        let _ = std::io::stdout().write_all(text.as_bytes());
        ExitCode::SUCCESS
    }
}

fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
