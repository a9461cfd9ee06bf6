//! Keeps Kafka users, ACLs and quotas as KafkaUser resources say: the process.

use std::process::ExitCode;

use operator_runtime::program::{self, Program};
use operator_runtime::server::Style;
use user_operator::{Settings, settings::HELP};

const PROGRAM: Program =
    Program { name: "user-operator", version: env!("CARGO_PKG_VERSION"), help: HELP, style: Style::Json };

const PORT: u16 = api::ports::USER_OPERATOR_HTTP as u16;

fn main() -> ExitCode {
    program::main(
        &PROGRAM,
        Settings::from_env,
        |_| PORT,
        |settings, parts| {
            let operator = user_operator::start(settings, parts)?;
            Ok(async move {
                operator.ended().await;
                Ok(())
            })
        },
    )
}
