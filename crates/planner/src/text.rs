//! Text of the user's that ends up in properties files, in lists joined by a separator and in command lines: what would
//! mean something else there is refused, with what to write instead.

use std::collections::BTreeMap;

use api::common::jvm::JvmOptions;

use crate::findings::Findings;
use crate::option_text;

/// Refuses control characters. `what` says what the text is ("a level").
pub(crate) fn plain(value: &str, field: &str, what: &str, findings: &mut Findings) {
    if value.chars().any(char::is_control) {
        findings.problem(
            field,
            format!("{value:?} is not {what}: remove line ends and other control characters"),
        );
    }
}

/// An item of a list that is joined by a separator. `what` says what the item is ("a regular expression").
pub(crate) fn item(text: &str, separator: char, field: &str, what: &str, findings: &mut Findings) {
    if text.trim().is_empty() {
        findings.problem(field, format!("{text:?} is not {what}: write one, or remove the item"));
    } else if text.contains(separator) {
        let message =
            format!("{text:?} holds the separator {separator:?}: write each part as an item of its own");
        findings.problem(field, message);
    } else {
        plain(text, field, what, findings);
    }
}

/// Name of a Java class.
pub(crate) fn class(name: &str, field: &str, findings: &mut Findings) {
    if !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '$')) {
        findings.problem(
            field,
            format!("{name:?} is not the name of a Java class: write it like com.example.MyAuthorizer"),
        );
    }
}

/// Name of an environment variable, as Kubernetes allows it.
pub(crate) fn environment_variable(name: &str, field: &str, findings: &mut Findings) {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_known) {
        findings.problem(
            field,
            format!(
                "{name:?} is not the name of an environment variable: use letters, digits, '_', '-' and '.', and no \
                 digit at the beginning"
            ),
        );
    }
}

/// Names of options of a listener; says whether the name may be used.
pub(crate) fn option_name(name: &str, field: &str, findings: &mut Findings) -> bool {
    let known = option_text::is_option_name(name);
    if !known {
        findings.problem(field, option_text::no_option_name(name));
    }
    known
}

/// Loggers and their levels.
pub(crate) fn loggers(loggers: &BTreeMap<String, String>, field: &str, findings: &mut Findings) {
    for (name, level) in loggers {
        let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '$');
        if name.is_empty() || !name.chars().all(is_known) {
            findings.problem(
                format!("{field}.loggers"),
                format!(
                    "{name:?} is not the name of a logger: use letters, digits, '.', '_', '-' and '$' only"
                ),
            );
        } else {
            plain(level, &format!("{field}.loggers.{name}"), "a level or a setting of one line", findings);
        }
    }
}

/// Arguments of the JVM.
pub(crate) fn jvm(options: Option<&JvmOptions>, field: &str, findings: &mut Findings) {
    let Some(options) = options else { return };
    for (index, property) in options.java_system_properties.iter().flatten().enumerate() {
        let field = format!("{field}.javaSystemProperties[{index}]");
        if let Some(name) = &property.name {
            let is_name = !name.is_empty() && !name.contains('=');
            if !is_name {
                findings.problem(
                    format!("{field}.name"),
                    format!("{name:?} is not the name of a system property: write it like com.example.name"),
                );
            }
            plain(name, &format!("{field}.name"), "the name of a system property", findings);
        }
        plain(
            property.value.as_deref().unwrap_or_default(),
            &format!("{field}.value"),
            "a value of one line",
            findings,
        );
    }
    for (name, value) in options.xx.iter().flatten() {
        plain(name, &format!("{field}.-XX"), "the name of an option of the JVM", findings);
        plain(value, &format!("{field}.-XX"), "the value of an option of the JVM", findings);
    }
}
