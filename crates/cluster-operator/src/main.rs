//! Runs Kafka clusters from Kafka and KafkaNodePool resources: the process.

use std::process::ExitCode;

use cluster_operator::settings::{HELP, Settings};
use operator_runtime::program::{self, Parts, Program};
use operator_runtime::server::Style;

const PROGRAM: Program = Program {
    name: "cluster-operator",
    version: env!("CARGO_PKG_VERSION"),
    help: HELP,
    style: Style::NoContent,
};

fn main() -> ExitCode {
    program::main(
        &PROGRAM,
        Settings::from_env,
        |settings| settings.http_port,
        |settings, parts| {
            let Parts { client, metrics, health, shutdown } = parts.clone();
            Ok(async move {
                let worked = cluster_operator::operate(&settings, client, &health, &metrics, &shutdown).await;
                worked.map_err(|error| format!("{error:#}").into())
            })
        },
    )
}
