//! Keeps Kafka topics as KafkaTopic resources say: the process.

use std::process::ExitCode;

use operator_runtime::program::{self, Program};
use operator_runtime::server::Style;
use topic_operator::{Settings, settings::HELP};

const PROGRAM: Program =
    Program { name: "topic-operator", version: env!("CARGO_PKG_VERSION"), help: HELP, style: Style::Json };

const PORT: u16 = api::ports::TOPIC_OPERATOR_HTTP as u16;

fn main() -> ExitCode {
    program::main(
        &PROGRAM,
        Settings::from_env,
        |_| PORT,
        |settings, parts| {
            let operator = topic_operator::start(settings, parts)?;
            Ok(async move {
                operator.ended().await;
                Ok(())
            })
        },
    )
}
