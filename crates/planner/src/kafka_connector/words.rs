//! Words about connectors that ended with an error, or that Connect refuses.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::actual::{Actual, State};

/// Lines of a stack that are shown.
const LINES: usize = 3;

/// Characters of a line that are shown.
const LINE: usize = 300;

/// Tasks that are named.
const TASKS: usize = 20;

/// The lines of a stack that say what happened: the first one, and those of the causes.
pub fn first_lines(trace: &str) -> String {
    let lines = trace.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling = lines.enumerate().filter(|(number, line)| *number == 0 || line.starts_with("Caused by:"));
    let short = telling.take(LINES).map(|(_, line)| {
        let mut short: String = line.chars().take(LINE).collect();
        if short.len() < line.len() {
            short.push('…');
        }
        short
    });
    short.collect::<Vec<_>>().join("; ")
}

/// What has failed of a connector, and why.
pub fn failed(actual: &Actual) -> String {
    let why = |trace: Option<&String>| match trace.map(|trace| first_lines(trace)) {
        Some(lines) if !lines.is_empty() => format!(": {lines}"),
        _ => String::new(),
    };
    if actual.connector.state == State::Failed {
        return format!("the connector has failed{}", why(actual.connector.trace.as_ref()));
    }
    let failed: Vec<_> = actual.failed_tasks().collect();
    let ids: Vec<String> = failed.iter().take(TASKS).map(|(id, _)| id.to_string()).collect();
    let more = failed.len().saturating_sub(TASKS);
    let mut words = format!("of {} tasks have failed: {}", actual.tasks.len(), ids.join(", "));
    if more > 0 {
        // Writing into a String cannot fail.
        let _ = write!(words, " and {more} more");
    }
    if let Some((id, task)) = failed.first().filter(|(_, task)| task.trace.is_some()) {
        let _ = write!(words, "; task {id}{}", why(task.trace.as_ref()));
    }
    words
}

/// Connect's words without the values of options that are placeholders in the resource: Connect may say what it found in their place,
/// which may be a secret.
pub fn without_secrets(message: &str, config: &BTreeMap<String, String>) -> String {
    let placeholders: Vec<&String> =
        config.iter().filter(|(_, value)| value.contains("${")).map(|(name, _)| name).collect();
    if placeholders.is_empty() {
        return message.to_owned();
    }
    let line = |line: &str| {
        let of = placeholders.iter().find(|name| line.contains(name.as_str()));
        of.map_or_else(
            || line.to_owned(),
            |name| format!("what is found for the placeholder in option {name} is not accepted"),
        )
    };
    message.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka_connector::actual::Part;

    fn part(state: State, trace: Option<&str>) -> Part {
        Part { state, worker: "w:8083".to_owned(), trace: trace.map(ToOwned::to_owned), version: None }
    }

    #[test]
    fn the_lines_that_tell_something_are_shown() {
        let trace = "org.apache.kafka.connect.errors.ConnectException: cannot read\n\tat a.B.c(B.java:1)\n\t... 3 more\n\
                     Caused by: java.io.IOException: no such file\n\tat d.E.f(E.java:2)\nCaused by: x\nCaused by: y\n";
        let lines = first_lines(trace);
        assert!(lines.starts_with(
            "org.apache.kafka.connect.errors.ConnectException: cannot read; Caused by: java.io"
        ));
        assert!(!lines.contains("\tat") && !lines.ends_with('y'), "{lines}");
        assert!(first_lines(&"ä".repeat(1000)).chars().count() == LINE + 1);
    }

    #[test]
    fn failed_tasks_are_named() {
        let tasks = (0..30).map(|id| (id, part(State::Failed, Some("java.lang.X: y")))).collect();
        let mut actual =
            Actual { config: BTreeMap::new(), type_: None, connector: part(State::Running, None), tasks };
        let words = failed(&actual);
        assert!(words.starts_with("of 30 tasks have failed: 0, 1, 2,"), "{words}");
        assert!(words.ends_with(" and 10 more; task 0: java.lang.X: y"), "{words}");
        actual.connector = part(State::Failed, Some("java.lang.Z: w"));
        assert_eq!(failed(&actual), "the connector has failed: java.lang.Z: w");
    }

    #[test]
    fn what_a_placeholder_stands_for_is_not_shown() {
        let config = [("database.password", "${strimzidir:/a:b}"), ("tasks.max", "x")];
        let config = config.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let message = "Connector configuration is invalid and contains the following 2 error(s):\n\
                       Invalid value hunter2 for configuration database.password: too short\n\
                       Invalid value x for configuration tasks.max: Not a number of type INT";
        let shown = without_secrets(message, &config);
        assert!(!shown.contains("hunter2") && shown.contains("option database.password"), "{shown}");
        assert!(shown.contains("Invalid value x for configuration tasks.max"), "{shown}");
    }
}
