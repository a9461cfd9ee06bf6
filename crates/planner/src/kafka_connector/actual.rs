//! What Kafka Connect says of a connector.

use std::collections::BTreeMap;

/// What a connector or a task does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It works.
    Running,
    /// It keeps its resources and moves no records.
    Paused,
    /// It has no tasks, on purpose.
    Stopped,
    /// It ended with an error.
    Failed,
    /// No worker has it, it is being started, or something else that does not last, in Connect's word.
    Passing(String),
}

impl State {
    /// From Connect's word.
    pub fn of(word: &str) -> Self {
        match word {
            "RUNNING" => Self::Running,
            "PAUSED" => Self::Paused,
            "STOPPED" => Self::Stopped,
            "FAILED" => Self::Failed,
            other => Self::Passing(other.to_owned()),
        }
    }

    /// Connect's word.
    pub fn word(&self) -> &str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
            Self::Passing(word) => word,
        }
    }
}

/// A connector without its tasks, or a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it does.
    pub state: State,
    /// The worker that has it.
    pub worker: String,
    /// The error with which it ended, with its stack.
    pub trace: Option<String>,
    /// Version of the plug-in that runs.
    pub version: Option<String>,
}

/// A connector as Connect has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actual {
    /// Its options, name and class among them.
    pub config: BTreeMap<String, String>,
    /// `source` or `sink`.
    pub type_: Option<String>,
    /// The connector.
    pub connector: Part,
    /// Its tasks.
    pub tasks: BTreeMap<i32, Part>,
}

impl Actual {
    /// Tasks that ended with an error.
    pub fn failed_tasks(&self) -> impl Iterator<Item = (i32, &Part)> {
        self.tasks.iter().filter(|(_, task)| task.state == State::Failed).map(|(id, task)| (*id, task))
    }

    /// Whether the connector or a task ended with an error.
    pub fn has_failed(&self) -> bool {
        self.connector.state == State::Failed || self.failed_tasks().next().is_some()
    }
}
