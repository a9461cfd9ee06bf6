//! What is said of a conversion.

use serde::Serialize;
use serde_json::Value;

use super::secrets;

/// The most characters of a value that a note shows.
const SHOWN: usize = 100;

/// Something that is to be said of a conversion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Whether something is missing in the result.
    pub weight: Weight,
    /// The path in the manifest, `spec.brokers[0].brokerConfig.containers`.
    pub path: String,
    /// What stands there, shortened; nothing where it may be a secret, or where the path says it all.
    pub value: Option<String>,
    /// What became of it, and what to do.
    pub text: String,
}

/// How much a note weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// What the manifest asks for is in no resource: the reader has to act.
    Lost,
    /// It is there in another shape.
    Changed,
}

/// The notes of one document.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Note>);

impl Notes {
    /// Something that is in no resource.
    pub(super) fn lost(&mut self, path: impl Into<String>, value: &Value, text: impl Into<String>) {
        self.add(Weight::Lost, path.into(), value, text.into());
    }

    /// Something that is there in another shape.
    pub(super) fn changed(&mut self, path: impl Into<String>, value: &Value, text: impl Into<String>) {
        self.add(Weight::Changed, path.into(), value, text.into());
    }

    fn add(&mut self, weight: Weight, path: String, value: &Value, text: String) {
        let value = shown(&path, value);
        self.0.push(Note { weight, path, value, text });
    }

    /// What is lost first; else in the order in which it was said, without repetitions.
    pub(super) fn into_list(self) -> Vec<Note> {
        let mut list: Vec<Note> = Vec::new();
        for note in self.0 {
            if !list.contains(&note) {
                list.push(note);
            }
        }
        list.sort_by_key(|note| note.weight);
        list
    }
}

/// A value on one line, shortened, and without secrets.
fn shown(path: &str, value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    if secrets::is_secret(path, value) {
        return Some("(not shown)".to_owned());
    }
    let text = match secrets::without(value) {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    if line.chars().count() <= SHOWN {
        return Some(line.to_owned());
    }
    Some(line.chars().take(SHOWN).chain("…".chars()).collect())
}
