//! Which values may be secrets: none of them is ever printed.

use planner::kafka::config::model::ValueType;
use planner::kafka::versions;
use serde_json::Value;

/// Parts of names whose values are secrets.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "jaas",
    "privatekey",
    "apikey",
    "accesskey",
];

/// Ends of names that only refer to something: a Secret by its name, a file by its path.
const REFERENCES: &[&str] =
    &["name", "ref", "refs", "location", "path", "file", "class", "url", "secrets", "type"];

/// Parts of texts that hold a secret, whatever their names are.
const INSIDE: &[&str] =
    &["password", "passwd", "secret=", "secret:", "secret\"", "private key-----", "loginmodule", "token="];

/// Whether a value of this name, the last part of a path, may be a secret.
pub fn is_secret(path: &str, value: &Value) -> bool {
    match value {
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) => false,
        Value::String(text) if is_reference(text) => false,
        Value::String(text) => is_secret_name(path) || holds_secret(text),
        Value::Number(_) => is_secret_name(path),
    }
}

/// Whether the value of an option, a variable or a property of this name may be a secret.
pub fn is_secret_name(name: &str) -> bool {
    let is_password = |option: &str| {
        let model = versions::default_version().map(versions::KafkaVersion::model);
        model
            .and_then(|model| model.options.get(option))
            .is_some_and(|option| option.kind == ValueType::Password)
    };
    // The name of an option has dots, as the path before it has.
    let ends = name.match_indices(['.', ' ']).map(|(at, _)| &name[at + 1..]);
    if std::iter::once(name).chain(ends).any(is_password) {
        return true;
    }
    let plain: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let is_named =
        WORDS.iter().any(|word| plain.contains(word)) || plain.ends_with("token") || plain.ends_with("pass");
    is_named && !REFERENCES.iter().any(|end| plain.ends_with(end))
}

/// Whether a text is a placeholder that Kafka fills in when it starts.
pub fn is_reference(text: &str) -> bool {
    text.starts_with("${") && text.ends_with('}') && text.matches("${").count() == 1
}

/// Whether a text has a secret in it.
pub fn holds_secret(text: &str) -> bool {
    let lower = text.to_lowercase();
    let has_user_in_url = lower
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', '?', ' ']).next())
        .is_some_and(|authority| authority.contains('@') && authority.contains(':'));
    INSIDE.iter().any(|part| lower.contains(part)) || has_user_in_url
}

/// A value without the secrets in it.
pub fn without(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let named = fields.get("name").and_then(Value::as_str).unwrap_or_default();
            let clean = fields.iter().map(|(name, value)| {
                // A variable has its name beside its value.
                let hidden = is_secret(name, value) || name == "value" && is_secret(named, value);
                (name.clone(), if hidden { Value::from("(not shown)") } else { without(value) })
            });
            Value::Object(clean.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without).collect()),
        Value::String(text) if holds_secret(text) => Value::from("(not shown)"),
        other => other.clone(),
    }
}
