//! What a connector is to be, checked.

use std::collections::BTreeMap;

use api::common::connector::{AutoRestart, ConnectorState};
use api::conditions::reasons;
use api::schema::FreeMap;
use api::{KafkaConnector, last_applied};
use serde_json::Value;

use super::auto_restart::Policy;
use crate::findings::Findings;

/// Option with the name of the connector.
pub const NAME: &str = "name";
/// Option with the class.
pub const CLASS: &str = "connector.class";
/// Option with the largest number of tasks.
pub const TASKS_MAX: &str = "tasks.max";
/// Option with the version of the plug-in, or a range of versions.
pub const VERSION: &str = "connector.plugin.version";

/// Options that have a field of their own, and that field.
const OWN_FIELDS: [(&str, &str); 4] =
    [(NAME, "metadata.name"), (CLASS, "class"), (TASKS_MAX, "tasksMax"), (VERSION, "version")];

/// What a connector is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name in Connect.
    pub name: String,
    /// All its options, as Connect keeps them.
    pub config: BTreeMap<String, String>,
    /// What it is to do.
    pub state: ConnectorState,
    /// Whether and how often it is restarted after an error.
    pub auto_restart: Policy,
}

/// The fields that say what a connector is to be, whatever the resource.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// Its name in Connect.
    pub name: &'a str,
    /// Its class.
    pub class: Option<&'a str>,
    /// Its largest number of tasks.
    pub tasks_max: Option<i32>,
    /// The version of its plug-in.
    pub version: Option<&'a str>,
    /// Its options.
    pub config: Option<&'a FreeMap>,
    /// What it is to do.
    pub state: Option<ConnectorState>,
    /// What older versions said of that.
    pub pause: Option<bool>,
    /// Restarts.
    pub auto_restart: Option<&'a AutoRestart>,
}

/// What a KafkaConnector asks for; `None`: it cannot be carried out, and the findings say why.
pub fn of(connector: &KafkaConnector, findings: &mut Findings) -> Option<Wanted> {
    let spec = &connector.spec;
    if let Some(complaint) = last_applied::complaint(&connector.metadata) {
        findings.warn(reasons::UNKNOWN_FIELDS, complaint);
    }
    let fields = Fields {
        name: connector.metadata.name.as_deref().unwrap_or_default(),
        class: spec.class.as_deref(),
        tasks_max: spec.tasks_max,
        version: spec.version.as_deref(),
        config: spec.config.as_ref(),
        state: spec.state,
        pause: spec.pause,
        auto_restart: spec.auto_restart.as_ref(),
    };
    of_fields(&fields, "spec", findings)
}

/// As [`of`], from the fields of any resource; `path` is where they stand in it.
pub fn of_fields(fields: &Fields<'_>, path: &str, findings: &mut Findings) -> Option<Wanted> {
    let known = findings.problems.len();
    let mut config = options(fields.config, path, findings);
    config.insert(NAME.to_owned(), fields.name.to_owned());
    match fields.class.map(str::trim) {
        Some(class) if !class.is_empty() => {
            config.insert(CLASS.to_owned(), class.to_owned());
        }
        _ => findings.problem(
            format!("{path}.class"),
            "is missing: write the class of the connector, such as org.apache.kafka.connect.file.FileStreamSourceConnector",
        ),
    }
    if let Some(tasks) = fields.tasks_max {
        config.insert(TASKS_MAX.to_owned(), tasks.to_string());
    }
    if let Some(version) = fields.version {
        config.insert(VERSION.to_owned(), version.to_owned());
    }
    let wanted = Wanted {
        name: fields.name.to_owned(),
        config,
        state: state(fields, path, findings),
        auto_restart: Policy::of(fields.auto_restart),
    };
    (findings.problems.len() == known).then_some(wanted)
}

fn state(fields: &Fields<'_>, path: &str, findings: &mut Findings) -> ConnectorState {
    let Some(pause) = fields.pause else { return fields.state.unwrap_or(ConnectorState::Running) };
    let of_pause = if pause { ConnectorState::Paused } else { ConnectorState::Running };
    let (state, words) = match fields.state {
        Some(state) => {
            (state, format!("{path}.pause: {path}.state says {state}, which counts; remove pause"))
        }
        None => (of_pause, format!("{path}.pause: write state: {of_pause} instead")),
    };
    findings.warn(reasons::DEPRECATED_FIELDS, words);
    state
}

/// The options as Connect keeps them: texts.
fn options(config: Option<&FreeMap>, path: &str, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    for (name, value) in config.into_iter().flatten() {
        if let Some((_, field)) = OWN_FIELDS.iter().find(|(own, _)| own == name) {
            let field = if field.contains('.') { (*field).to_owned() } else { format!("{path}.{field}") };
            let message =
                format!("{path}.config.{name} is ignored: {field} says what counts; remove the option");
            findings.warn(reasons::OPTIONS_IGNORED, message);
            continue;
        }
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(_) | Value::Object(_) => {
                findings.problem(
                    format!("{path}.config.{name}"),
                    "is a list or an object: options of connectors are texts, write items as one text, separated by commas",
                );
                continue;
            }
        };
        options.insert(name.clone(), text);
    }
    options
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(spec: &Value) -> (Option<Wanted>, Findings) {
        let connector: KafkaConnector = serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnector", "metadata": {"name": "a"}, "spec": spec,
        }))
        .unwrap();
        let mut findings = Findings::default();
        (of(&connector, &mut findings), findings)
    }

    #[test]
    fn options_are_texts_as_connect_keeps_them() {
        let (wanted, findings) = read(&json!({"class": " a.B ", "tasksMax": 2, "version": "[1.0,2.0)",
            "config": {"a": 1, "b": true, "c": "x", "d": 1.5, "e": null, "f": ""}}));
        let config = wanted.unwrap().config;
        let expected = [
            ("a", "1"),
            ("b", "true"),
            ("c", "x"),
            (CLASS, "a.B"),
            (VERSION, "[1.0,2.0)"),
            ("d", "1.5"),
            ("f", ""),
            (NAME, "a"),
            (TASKS_MAX, "2"),
        ];
        assert_eq!(config, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert!(findings.warnings.is_empty());
    }

    #[test]
    fn what_cannot_be_an_option_is_refused_and_what_a_field_decides_is_ignored_with_a_word() {
        let (wanted, findings) = read(&json!({"config": {"list": [1], "name": "x", "tasks.max": 7}}));
        assert_eq!(wanted, None);
        let problems: Vec<&str> = findings.problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(problems, ["spec.config.list", "spec.class"]);
        let words: Vec<&str> = findings.warnings.iter().map(|warning| warning.message.as_str()).collect();
        assert!(words[0].contains("spec.config.name") && words[0].contains("metadata.name"), "{words:?}");
        assert!(words[1].contains("spec.tasksMax"), "{words:?}");
        assert!(
            !read(&json!({"class": "A", "config": {"tasks.max": 7}}))
                .0
                .unwrap()
                .config
                .contains_key(TASKS_MAX)
        );
    }

    #[test]
    fn the_state_counts_more_than_the_pause_of_older_versions() {
        let state = |spec: &Value| {
            let (wanted, findings) = read(spec);
            (wanted.unwrap().state, findings.warnings.len())
        };
        assert_eq!(state(&json!({"class": "A"})), (ConnectorState::Running, 0));
        assert_eq!(state(&json!({"class": "A", "state": "stopped"})), (ConnectorState::Stopped, 0));
        assert_eq!(state(&json!({"class": "A", "pause": true})), (ConnectorState::Paused, 1));
        assert_eq!(state(&json!({"class": "A", "pause": false})), (ConnectorState::Running, 1));
        assert_eq!(
            state(&json!({"class": "A", "pause": true, "state": "running"})),
            (ConnectorState::Running, 1)
        );
    }
}
