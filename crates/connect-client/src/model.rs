//! The answers of Kafka Connect.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a connector or a task does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// No worker has it.
    Unassigned,
    /// It works.
    Running,
    /// It keeps its resources and moves no records.
    Paused,
    /// It has no tasks, on purpose.
    Stopped,
    /// It ended with an error.
    Failed,
    /// It is being started again.
    Restarting,
    /// It was deleted.
    Destroyed,
    /// A state that this client does not know.
    Other(String),
}

impl State {
    /// As Connect spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
            Self::Destroyed => "DESTROYED",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl From<String> for State {
    fn from(name: String) -> Self {
        match name.as_str() {
            "UNASSIGNED" => Self::Unassigned,
            "RUNNING" => Self::Running,
            "PAUSED" => Self::Paused,
            "STOPPED" => Self::Stopped,
            "FAILED" => Self::Failed,
            "RESTARTING" => Self::Restarting,
            "DESTROYED" => Self::Destroyed,
            _ => Self::Other(name),
        }
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How a connector or a task is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Condition {
    /// What it does.
    pub state: State,
    /// The worker that has it, `host:port`.
    #[serde(default)]
    pub worker_id: String,
    /// The error with which it ended, with its stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Version of the plug-in that runs. Workers before 4.1 do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// How a task is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Its number.
    pub id: i32,
    /// How it is.
    #[serde(flatten)]
    pub condition: Condition,
}

/// How a connector and its tasks are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConnectorStatus {
    /// Its name.
    pub name: String,
    /// The connector.
    pub connector: Condition,
    /// Its tasks.
    #[serde(default)]
    pub tasks: Vec<TaskStatus>,
    /// `source`, `sink` or `unknown`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
}

/// What a connector is to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct ConnectorInfo {
    /// Its name.
    pub name: String,
    /// Its options, `name` and `connector.class` among them.
    #[serde(deserialize_with = "without_nulls")]
    pub config: BTreeMap<String, String>,
    /// `source`, `sink` or `unknown`.
    #[serde(default, rename = "type")]
    pub type_: Option<String>,
}

/// A connector in the list of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Listed {
    /// What it is to do.
    pub info: ConnectorInfo,
    /// How it is.
    pub status: ConnectorStatus,
}

/// A plug-in that the workers offer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Plugin {
    /// Name of the class.
    pub class: String,
    /// `source`, `sink`, `converter` and so on.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its version, where it says one.
    #[serde(default)]
    pub version: Option<String>,
}

/// Whether a connector would be taken with some options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validation {
    /// Number of errors.
    pub error_count: usize,
    /// What is wrong, by the name of the option.
    pub errors: BTreeMap<String, Vec<String>>,
}

impl<'de> Deserialize<'de> for Validation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Answer {
            error_count: usize,
            #[serde(default)]
            configs: Vec<Config>,
        }
        #[derive(Deserialize)]
        struct Config {
            value: Value,
        }
        #[derive(Deserialize)]
        struct Value {
            name: String,
            #[serde(default)]
            errors: Vec<String>,
        }
        let answer = Answer::deserialize(deserializer)?;
        let wrong = answer.configs.into_iter().filter(|config| !config.value.errors.is_empty());
        let errors = wrong.map(|config| (config.value.name, config.value.errors)).collect();
        Ok(Self { error_count: answer.error_count, errors })
    }
}

/// What a logger says at least.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Logger {
    /// The level; a logger without one has that of its parent.
    pub level: Option<String>,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Worker {
    /// Version of Kafka Connect.
    pub version: String,
    /// Id of the Kafka cluster.
    #[serde(default)]
    pub kafka_cluster_id: Option<String>,
}

/// The topics of a connector, as `{"name": {"topics": []}}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Topics {
    #[serde(default)]
    pub topics: Vec<String>,
}

fn without_nulls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Texts;

    impl<'de> Visitor<'de> for Texts {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object of texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some((name, value)) = fields.next_entry::<String, Option<String>>()? {
                all.extend(value.map(|value| (name, value)));
            }
            Ok(all)
        }
    }

    deserializer.deserialize_map(Texts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_of_connectors_is_read_with_states_that_nobody_knows_yet() {
        let answer = json!({
            "a": {
                "info": {"name": "a", "config": {"connector.class": "FileStreamSource", "file": null, "name": "a",
                    "tasks.max": "1"}, "tasks": [{"connector": "a", "task": 0}], "type": "source"},
                "status": {"name": "a", "connector": {"state": "RUNNING", "worker_id": "10.0.0.1:8083", "version": "4.3.1"},
                    "tasks": [{"id": 0, "state": "FAILED", "worker_id": "10.0.0.1:8083", "trace": "java.lang.X: y\n\tat z"},
                        {"id": 1, "state": "DREAMING", "worker_id": "w"}],
                    "type": "source"},
            },
        });
        let list: BTreeMap<String, Listed> = serde_json::from_value(answer).unwrap();
        let Listed { info, status } = &list["a"];
        assert_eq!(info.config.len(), 3, "an option without a value is none");
        assert_eq!(status.connector.state, State::Running);
        assert_eq!(status.tasks[0].condition.state, State::Failed);
        assert!(status.tasks[0].condition.trace.as_ref().unwrap().starts_with("java.lang.X"));
        assert_eq!(status.tasks[1].condition.state.as_str(), "DREAMING");
        let written = serde_json::to_value(status).unwrap();
        assert_eq!(written["tasks"][1], json!({"id": 1, "state": "DREAMING", "worker_id": "w"}));
        assert_eq!(written["connector"]["version"], "4.3.1");
    }

    #[test]
    fn a_validation_names_the_options_that_are_wrong() {
        let answer = json!({"name": "FileStreamSource", "error_count": 1, "groups": ["Common"], "configs": [
            {"definition": {"name": "topic"}, "value": {"name": "topic", "value": null, "recommended_values": [],
                "errors": ["Missing required configuration \"topic\" which has no default value."], "visible": true}},
            {"definition": {"name": "file"}, "value": {"name": "file", "value": "x", "errors": []}},
        ]});
        let validation: Validation = serde_json::from_value(answer).unwrap();
        assert_eq!(validation.error_count, 1);
        assert_eq!(validation.errors.keys().collect::<Vec<_>>(), ["topic"]);
    }

    #[test]
    fn plug_ins_may_have_no_version() {
        let answer = json!([{"class": "a.B", "type": "source", "version": "1"}, {"class": "c.D", "type": "sink", "version": null}]);
        let plugins: Vec<Plugin> = serde_json::from_value(answer).unwrap();
        assert_eq!((plugins[0].version.as_deref(), plugins[1].version.as_deref()), (Some("1"), None));
    }
}
