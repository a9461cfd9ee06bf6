//! `log4j2.properties`.

use std::collections::BTreeMap;

use api::common::logging::{Logging as RawLogging, LoggingType};
use api::properties::Properties;

use crate::findings::Findings;
use crate::references::ConfigMapKey;
use crate::text;

/// Loggers and levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logging {
    /// Loggers over the defaults; empty: the defaults.
    Inline(BTreeMap<String, String>),
    /// The whole text, out of a ConfigMap of the user's own.
    External(String),
}

/// Reads a logging section at this path, and where its text lies if that is a ConfigMap.
pub(crate) fn read(
    raw: Option<&RawLogging>,
    field: &str,
    findings: &mut Findings,
) -> (Logging, Option<ConfigMapKey>) {
    let none = Logging::Inline(BTreeMap::new());
    let Some(raw) = raw else { return (none, None) };
    if raw.type_ == LoggingType::Inline {
        let loggers = raw.loggers.clone().unwrap_or_default();
        text::loggers(&loggers, field, findings);
        return (Logging::Inline(loggers), None);
    }
    let path = format!("{field}.valueFrom.configMapKeyRef");
    let Some(reference) = raw.value_from.as_ref().and_then(|source| source.config_map_key_ref.as_ref())
    else {
        findings.problem(path, "is missing: name the ConfigMap and the key, or use type: inline");
        return (none, None);
    };
    let place = ConfigMapKey {
        field: path,
        name: reference.name.clone(),
        key: reference.key.clone(),
        optional: reference.optional.unwrap_or(false),
    };
    (none, Some(place))
}

/// The file, with these loggers and levels unless the user says otherwise.
pub(crate) fn file(logging: &Logging, defaults: &[(&str, &str)]) -> String {
    let chosen = match logging {
        Logging::External(text) => return with_monitor_interval(text),
        Logging::Inline(chosen) => chosen,
    };
    let root = chosen
        .get("rootLogger.level")
        .or_else(|| chosen.get("kafka.root.logger.level"))
        .map_or("INFO", String::as_str);
    let mut lines = Properties::default();
    for (name, value) in [
        ("name", "config"),
        ("monitorInterval", "30"),
        ("appender.console.type", "Console"),
        ("appender.console.name", "STDOUT"),
        ("appender.console.layout.type", "PatternLayout"),
        ("appender.console.layout.pattern", "%d{yyyy-MM-dd HH:mm:ss} %-5p [%t] %c{1}:%L - %m%n"),
        ("rootLogger.level", root),
        ("rootLogger.appenderRefs", "console"),
        ("rootLogger.appenderRef.console.ref", "STDOUT"),
    ] {
        lines.set(name, value);
    }
    // A logger of the user's replaces a default one of the same name; both notations are understood:
    // `logger.x.name`/`logger.x.level` pairs and `log4j.logger.NAME` or plain names with a level.
    let mut named: BTreeMap<&str, &str> = defaults.iter().copied().collect();
    let mut further = Vec::new();
    for (key, value) in chosen {
        if key == "rootLogger.level" || key == "kafka.root.logger.level" {
            continue;
        }
        if let Some(id) = key.strip_prefix("logger.").and_then(|rest| rest.strip_suffix(".level")) {
            let name = chosen.get(&format!("logger.{id}.name")).map_or(id, String::as_str);
            named.insert(name, value);
        } else if key.starts_with("logger.") && key.ends_with(".name") {
            if !chosen.contains_key(&key.replace(".name", ".level")) {
                further.push((key, value));
            }
        } else if let Some(name) = key.strip_prefix("log4j.logger.") {
            named.insert(name, value);
        } else if key.starts_with("appender.") || key.starts_with("rootLogger.") || key == "monitorInterval" {
            further.push((key, value));
        } else {
            named.insert(key, value);
        }
    }
    for (position, (name, level)) in named.iter().enumerate() {
        lines.set(format!("logger.l{position}.name"), *name);
        lines.set(format!("logger.l{position}.level"), *level);
    }
    for (key, value) in further {
        lines.set(key, value);
    }
    lines.to_text()
}

/// Log4j looks for changes of the file only when told to.
fn with_monitor_interval(text: &str) -> String {
    if text.lines().any(|line| line.trim_start().starts_with("monitorInterval")) {
        text.to_owned()
    } else {
        // At the beginning: a last line that ends in a back slash would swallow what follows it.
        format!("monitorInterval=30\n{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &[(&str, &str)] =
        &[("kafka.log.LogCleaner", "INFO"), ("kafka.authorizer.logger", "INFO")];

    #[test]
    fn a_users_logger_replaces_the_default_one_in_either_notation() {
        let chosen = BTreeMap::from([
            ("rootLogger.level".to_owned(), "WARN".to_owned()),
            ("logger.cleaner.name".to_owned(), "kafka.log.LogCleaner".to_owned()),
            ("logger.cleaner.level".to_owned(), "DEBUG".to_owned()),
            ("kafka.authorizer.logger".to_owned(), "TRACE".to_owned()),
        ]);
        let text = file(&Logging::Inline(chosen), DEFAULTS);
        assert!(text.contains("rootLogger.level=WARN"));
        assert_eq!(text.matches("kafka.log.LogCleaner").count(), 1);
        let cleaner = text.lines().position(|line| line.ends_with("=kafka.log.LogCleaner")).unwrap();
        assert!(text.lines().nth(cleaner + 1).unwrap().ends_with("=DEBUG"));
        assert!(text.contains("=TRACE"));
    }

    #[test]
    fn an_external_file_is_kept_and_watched_for_changes() {
        let text = file(&Logging::External("rootLogger.level = INFO\n".to_owned()), DEFAULTS);
        assert_eq!(text, "monitorInterval=30\nrootLogger.level = INFO\n");
        let own = "monitorInterval = 5\nrootLogger.level = INFO\n";
        assert_eq!(file(&Logging::External(own.to_owned()), DEFAULTS), own);
    }
}
