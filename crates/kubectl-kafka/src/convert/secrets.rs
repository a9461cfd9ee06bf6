//! Which values may be secrets: none of them is ever printed.

use planner::kafka::config::model::ValueType;
use planner::versions;
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
    "encryptionkey",
    "passcode",
    "pwd",
    "sharedkey",
    "signingkey",
];

/// Ends of names whose values are secrets.
const ENDS: &[&str] = &["token", "pass", "auth", "creds"];

/// Variables whose values are never secrets, beside [`HARMLESS_ENDS`]. What else a value of a name of the user's own is, nobody knows.
const HARMLESS: &[&str] = &["CLASSPATH", "LANG", "TZ"];

/// Ends of names of variables and properties that tell a place, a name or a kind.
const HARMLESS_ENDS: &[&str] = &[
    "address",
    "class",
    "dir",
    "directory",
    "encoding",
    "env",
    "environment",
    "factory",
    "file",
    "format",
    "home",
    "host",
    "hostname",
    "level",
    "locale",
    "location",
    "mode",
    "name",
    "namespace",
    "path",
    "port",
    "profile",
    "protocol",
    "provider",
    "region",
    "timezone",
    "type",
    "url",
    "version",
    "zone",
];

/// Beginnings of the names of properties that Java and Kafka know.
const KNOWN_PROPERTIES: &[&str] = &[
    "file.",
    "java.",
    "javax.",
    "jdk.",
    "kafka.",
    "log4j.",
    "log4j2.",
    "net.",
    "org.apache.",
    "sun.",
    "user.",
    "zookeeper.",
];

/// Ends of names that only refer to something: a Secret by its name, a file by its path.
const REFERENCES: &[&str] = &["name", "ref", "refs", "location", "path", "file", "class", "url", "type"];

/// Parts of texts that hold a secret, whatever their names are.
const INSIDE: &[&str] =
    &["password", "passwd", "secret=", "secret:", "secret\"", "private key-----", "loginmodule", "token="];

/// Whether a value of this name, the last part of a path, may be a secret.
pub(super) fn is_secret(path: &str, value: &Value) -> bool {
    match value {
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) => false,
        Value::String(text) if is_reference(text) => false,
        Value::String(text) => is_secret_name(path) || holds_secret(text),
        Value::Number(_) => is_secret_name(path),
    }
}

/// Whether the value of an option, a variable or a property of this name may be a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
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
        WORDS.iter().any(|word| plain.contains(word)) || ENDS.iter().any(|end| plain.ends_with(end));
    is_named && !REFERENCES.iter().any(|end| plain.ends_with(end))
}

/// Whether the value of a variable may be printed. Its name is the user's own and need not say that it is a secret: printed is what is
/// known to be none.
pub(super) fn is_harmless_variable(name: &str, text: &str) -> bool {
    if is_secret(name, &Value::from(text)) {
        return false;
    }
    let flags = text.split_whitespace();
    let is_known = HARMLESS.contains(&name.trim_end_matches('+')) || name.starts_with("LC_");
    is_known || tells_a_place(name) || is_plain(text) || flags.into_iter().all(is_harmless_flag)
}

/// The same of a system property of Java.
pub(super) fn is_harmless_property(name: &str, text: &str) -> bool {
    let is_known = KNOWN_PROPERTIES.iter().any(|beginning| name.starts_with(beginning));
    !is_secret(name, &Value::from(text)) && (is_known || tells_a_place(name) || is_plain(text))
}

fn is_harmless_flag(flag: &str) -> bool {
    match flag.strip_prefix("-D") {
        Some(property) => {
            let (name, value) = property.split_once('=').unwrap_or((property, ""));
            is_harmless_property(name, value)
        }
        None => flag.starts_with("-X") || flag.starts_with("-verbose") || flag.starts_with("--add-"),
    }
}

fn tells_a_place(name: &str) -> bool {
    let last = name.rsplit(['_', '.', '-']).next().unwrap_or(name).to_lowercase();
    HARMLESS_ENDS.contains(&last.as_str())
}

/// A number with or without a unit, or a word that switches something.
fn is_plain(text: &str) -> bool {
    const DIGITS: usize = 20;
    const UNIT: usize = 2;
    let words = [
        "", "true", "false", "yes", "no", "on", "off", "enabled", "disabled", "trace", "debug", "info",
        "warn", "error",
    ];
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let is_number = (1..=DIGITS).contains(&(text.len() - rest.len()));
    is_number && rest.len() <= UNIT && rest.chars().all(|c| c.is_ascii_alphabetic() || c == '%')
        || words.contains(&text.to_lowercase().as_str())
}

/// Whether a text is a placeholder that Kafka fills in when it starts.
pub(super) fn is_reference(text: &str) -> bool {
    text.starts_with("${") && text.ends_with('}') && text.matches("${").count() == 1
}

/// Whether a text has a secret in it.
pub(super) fn holds_secret(text: &str) -> bool {
    let lower = text.to_lowercase();
    let has_user_in_url = lower
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', '?', ' ']).next())
        .is_some_and(|authority| authority.contains('@') && authority.contains(':'));
    INSIDE.iter().any(|part| lower.contains(part)) || has_user_in_url
}

/// A value without the secrets in it.
pub(super) fn without(value: &Value) -> Value {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_variables_only_what_is_known_to_be_harmless_is_printed() {
        for (name, text) in [
            ("APP_SECRETS", "hunter2"),
            ("DB_PWD", "hunter2"),
            ("BASIC_AUTH", "dXNlcjpodW50ZXIy"),
            ("JWT_SIGNING_KEY", "hunter2"),
            ("ENCRYPTION_KEY", "hunter2"),
            ("LICENSE", "aaaa-bbbb"),
            ("CONFIG_JSON", "{\"a\": \"hunter2\"}"),
            ("EXTRA_ARGS", "-Dmy.thing=hunter2"),
            ("SERVICE_URL", "https://me:hunter2@example.com"),
            ("HUNTER", "hunter2 -Xmx1g"),
        ] {
            assert!(!is_harmless_variable(name, text), "{name}");
        }
        for (name, text) in [
            ("TZ", "Europe/Berlin"),
            ("CLASSPATH+", ":/opt/extra/*"),
            ("LC_ALL", "C.UTF-8"),
            ("LOG_LEVEL", "chatty"),
            ("REGISTRY_URL", "https://registry.example.com"),
            ("THREADS", "16"),
            ("FEATURE_X", "true"),
            ("BUFFER", "64Mi"),
            ("EXTRA_ARGS", "-Xlog:gc -Djava.net.preferIPv4Stack=true -Dmy.size=3"),
            ("EMPTY", ""),
        ] {
            assert!(is_harmless_variable(name, text), "{name}");
        }
    }

    #[test]
    fn of_properties_only_what_is_known_to_be_harmless_is_printed() {
        for (name, text) in
            [("my.thing", "hunter2"), ("javax.net.ssl.keyStorePassword", "x"), ("db.pwd", "1")]
        {
            assert!(!is_harmless_property(name, text), "{name}");
        }
        for (name, text) in
            [("java.io.tmpdir", "/tmp"), ("my.limit", "10"), ("app.config.file", "/mnt/a"), ("x", "")]
        {
            assert!(is_harmless_property(name, text), "{name}");
        }
    }
}
