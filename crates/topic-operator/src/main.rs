//! Keeps Kafka topics as KafkaTopic resources say: the process.

use std::process::ExitCode;

use operator_runtime::entity::{self, Program};
use topic_operator::{Operator, Settings, settings::HELP};

const PROGRAM: Program = Program {
    name: "topic-operator",
    version: env!("CARGO_PKG_VERSION"),
    help: HELP,
    port: api::ports::TOPIC_OPERATOR_HTTP as u16,
};

fn main() -> ExitCode {
    entity::main(&PROGRAM, Settings::from_env, |settings, parts| {
        Operator::start(&parts.client, settings, &parts.metrics, &parts.health, &parts.shutdown)
            .map(Operator::ended)
    })
}
