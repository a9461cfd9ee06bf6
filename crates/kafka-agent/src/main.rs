//! The entry point of every Kafka pod.

use std::process::ExitCode;

fn main() -> ExitCode {
    kafka_agent::cli::main()
}
