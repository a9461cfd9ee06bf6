//! Keeps Kafka users, ACLs and quotas as KafkaUser resources say: the process.

use std::process::ExitCode;

use operator_runtime::entity;
use operator_runtime::program::Program;
use user_operator::{Settings, settings::HELP};

const PROGRAM: Program = Program {
    name: "user-operator",
    version: env!("CARGO_PKG_VERSION"),
    help: HELP,
    port: api::ports::USER_OPERATOR_HTTP as u16,
};

fn main() -> ExitCode {
    entity::main(&PROGRAM, Settings::from_env, user_operator::start)
}
