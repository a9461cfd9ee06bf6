//! Text of the user's that ends up in properties files, in lists joined by a separator and in command lines: what would
//! mean something else there is refused, with what to write instead.

use std::collections::BTreeMap;

use api::common::jvm::JvmOptions;

use crate::findings::Findings;
use crate::option_text;

/// Characters of a text that a message shows.
const LONGEST_SHOWN: usize = 100;

/// Refuses control characters. `what` says what the text is ("a level").
pub(crate) fn plain(value: &str, field: &str, what: &str, findings: &mut Findings) {
    if value.chars().any(char::is_control) {
        findings.problem(
            field,
            format!("{} is not {what}: remove line ends and other control characters", shown(value)),
        );
    }
}

/// Refuses control characters in what may be secret, without showing it.
fn hidden(value: &str, field: &str, findings: &mut Findings) {
    if value.chars().any(char::is_control) {
        findings.problem(field, "holds a line end or another control character: write a value of one line");
    }
}

/// A text as it stands in a message, no longer than tells which one it is.
fn shown(text: &str) -> String {
    let start = start(text);
    if start.len() < text.len() { format!("{start:?}…") } else { format!("{text:?}") }
}

/// The beginning of a text, as much as a message shows.
pub(crate) fn start(text: &str) -> &str {
    text.char_indices().nth(LONGEST_SHOWN).map_or(text, |(end, _)| &text[..end])
}

/// An item of a list that is joined by a separator. `what` says what the item is ("a regular expression").
pub(crate) fn item(text: &str, separator: char, field: &str, what: &str, findings: &mut Findings) {
    if text.trim().is_empty() {
        findings.problem(field, format!("{text:?} is not {what}: write one, or remove the item"));
    } else if text.contains(separator) {
        let message = format!(
            "{} holds the separator {separator:?}: write each part as an item of its own",
            shown(text)
        );
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
        hidden(property.value.as_deref().unwrap_or_default(), &format!("{field}.value"), findings);
    }
    for (name, value) in options.xx.iter().flatten() {
        plain(name, &format!("{field}.-XX"), "the name of an option of the JVM", findings);
        hidden(value, &format!("{field}.-XX.{name}"), findings);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(check: impl FnOnce(&mut Findings)) -> String {
        let mut findings = Findings::default();
        check(&mut findings);
        findings.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let options = json!({"javaSystemProperties": [{"name": "a.password", "value": "hunter2\n"}],
            "-XX": {"OnError": "run --token=hunter2\n"}});
        let options: JvmOptions = serde_json::from_value(options).unwrap();
        let said = problems(|findings| jvm(Some(&options), "spec.jvmOptions", findings));
        assert!(said.contains("javaSystemProperties[0].value: holds a line end"), "{said}");
        assert!(said.contains("-XX.OnError: ") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn a_long_text_is_shown_in_part() {
        let long = format!("{},", "ä".repeat(1_000_000));
        let said = problems(|findings| item(&long, ',', "spec.groupId", "a name", findings));
        assert!(said.contains("spec.groupId: \"ää") && said.len() < 500, "{} bytes", said.len());
        let said = problems(|findings| plain(&long.replace(',', "\n"), "f", "a name", findings));
        assert!(said.len() < 500, "{} bytes", said.len());
    }
}
