//! Log levels out of a configuration of Log4j 1.

use std::collections::BTreeMap;

use api::common::logging::{Logging, LoggingType};
use serde_json::Value;

use super::notes::Notes;

/// Takes the levels of loggers; appenders are the operator's.
pub(super) fn of(text: &str, path: &str, notes: &mut Notes) -> Option<Logging> {
    let Ok(properties) = api::properties::parse(text) else {
        notes.lost(
            path,
            &Value::Null,
            "cannot be read as Java properties, and was left out: write spec.kafka.logging",
        );
        return None;
    };
    let mut loggers = BTreeMap::new();
    let mut number = 0;
    for (name, value) in properties.iter() {
        let level = value.split(',').next().unwrap_or_default().trim();
        if !is_level(level) {
            continue;
        }
        let logger = name.strip_prefix("log4j.logger.").or_else(|| name.strip_prefix("log4j.category."));
        if matches!(name, "log4j.rootLogger" | "log4j.rootCategory") {
            loggers.insert("rootLogger.level".to_owned(), level.to_uppercase());
        } else if let Some(logger) = logger.filter(|logger| is_logger(logger)) {
            loggers.insert(format!("logger.converted{number}.name"), logger.to_owned());
            loggers.insert(format!("logger.converted{number}.level"), level.to_uppercase());
            number += 1;
        }
    }
    notes.changed(
        path,
        &Value::Null,
        "the levels of loggers are in spec.kafka.logging; everything is written to the standard output, in place of appenders",
    );
    (!loggers.is_empty()).then_some(Logging {
        type_: LoggingType::Inline,
        loggers: Some(loggers),
        value_from: None,
    })
}

fn is_level(text: &str) -> bool {
    let levels = ["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL"];
    levels.iter().any(|level| text.eq_ignore_ascii_case(level))
}

fn is_logger(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '$'))
}
