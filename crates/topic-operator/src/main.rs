//! Keeps Kafka topics as KafkaTopic resources say: the process.

use std::process::ExitCode;

use operator_runtime::entity;
use operator_runtime::program::Program;
use topic_operator::{Settings, settings::HELP};

const PROGRAM: Program = Program {
    name: "topic-operator",
    version: env!("CARGO_PKG_VERSION"),
    help: HELP,
    port: api::ports::TOPIC_OPERATOR_HTTP as u16,
};

fn main() -> ExitCode {
    entity::main(&PROGRAM, Settings::from_env, topic_operator::start)
}
