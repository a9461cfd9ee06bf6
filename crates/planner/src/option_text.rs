//! Names and values of options as the `config` maps of resources have them.

use serde_json::Value;

/// Whether a name can be one of an option: no character in it means anything in a properties file or a list.
pub fn is_option_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// What is wrong with a name that is none.
pub fn no_option_name(name: &str) -> String {
    format!("{name:?} is not the name of an option: use letters, digits, '.', '_' and '-' only")
}

/// A value of the `config` map as Kafka's text; lists are joined with commas.
pub fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            let parts: Option<Vec<String>> = items.iter().map(as_text).collect();
            parts.map(|parts| parts.join(","))
        }
        Value::Object(_) => None,
    }
}
