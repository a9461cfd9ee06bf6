//! The fields of a manifest, taken one after the other: what nobody took is said at the end.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::notes::Notes;

/// The most seconds that anything lasts.
const LONGEST: i64 = 10 * 365 * 24 * 60 * 60;
/// What is said of a field that is not known.
const UNKNOWN: &str =
    "is not known to this converter: if it matters, look for its counterpart in the Kafka resource";

/// What is said of a field that a type of Kubernetes does not have.
const UNKNOWN_TO_KUBERNETES: &str =
    "is no field that Kubernetes has here, and was left out: correct its name, or where it stands";

/// An object of a manifest with its path.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    path: String,
    values: Map<String, Value>,
}

impl Fields {
    /// The object at a path.
    pub(super) fn new(path: impl Into<String>, values: Map<String, Value>) -> Self {
        Self { path: path.into(), values }
    }

    /// The path of a field.
    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The path of the object.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What is still there.
    pub(super) fn remaining(&self) -> &Map<String, Value> {
        &self.values
    }

    /// Takes a field; null is none.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a text, or a number or a flag as text.
    pub(super) fn text(&mut self, name: &str, notes: &mut Notes) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            other => self.wrong(name, &other, "a text", notes),
        }
    }

    /// Takes a whole number, also one in quotes.
    pub(super) fn number(&mut self, name: &str, notes: &mut Notes) -> Option<i64> {
        let value = self.take(name)?;
        let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
        number.or_else(|| self.wrong(name, &value, "a whole number", notes))
    }

    /// Takes a time in seconds, of up to ten years.
    pub(super) fn seconds(&mut self, name: &str, notes: &mut Notes) -> Option<i64> {
        let seconds = self.number(name, notes)?;
        if (0..=LONGEST).contains(&seconds) {
            return Some(seconds);
        }
        self.wrong(name, &Value::from(seconds), "a number of seconds up to ten years", notes)
    }

    /// Takes a flag, also one in quotes.
    pub(super) fn flag(&mut self, name: &str, notes: &mut Notes) -> Option<bool> {
        let value = self.take(name)?;
        let flag = value.as_bool().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
        flag.or_else(|| self.wrong(name, &value, "true or false", notes))
    }

    /// Takes an object.
    pub(super) fn object(&mut self, name: &str, notes: &mut Notes) -> Option<Self> {
        match self.take(name)? {
            Value::Object(values) => Some(Self::new(self.at(name), values)),
            other => self.wrong(name, &other, "an object", notes),
        }
    }

    /// Takes a list, each item with its path.
    pub(super) fn list(&mut self, name: &str, notes: &mut Notes) -> Vec<(String, Value)> {
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                let path = self.at(name);
                items
                    .into_iter()
                    .enumerate()
                    .map(|(index, item)| (format!("{path}[{index}]"), item))
                    .collect()
            }
            Some(other) => self.wrong(name, &other, "a list", notes).unwrap_or_default(),
        }
    }

    /// Takes a list of objects.
    pub(super) fn objects(&mut self, name: &str, notes: &mut Notes) -> Vec<Self> {
        let items = self.list(name, notes).into_iter();
        items
            .filter_map(|(path, item)| match item {
                Value::Object(values) => Some(Self::new(path, values)),
                other => {
                    notes.lost(path, &other, "is no object, and was left out: correct it");
                    None
                }
            })
            .collect()
    }

    /// Takes a value of a type of Kubernetes. What that type does not have is said.
    pub(super) fn typed<T: DeserializeOwned + Serialize>(
        &mut self,
        name: &str,
        notes: &mut Notes,
    ) -> Option<T> {
        let value = self.take(name)?;
        let typed = typed(&self.at(name), &value, notes);
        typed.or_else(|| self.wrong(name, &value, "what Kubernetes has here", notes))
    }

    /// Takes a field that has no counterpart.
    pub(super) fn lost(&mut self, name: &str, text: &str, notes: &mut Notes) {
        if let Some(value) = self.take(name).filter(|value| !is_nothing(value)) {
            notes.lost(self.at(name), &value, text);
        }
    }

    /// Takes a field that is not needed any more.
    pub(super) fn changed(&mut self, name: &str, text: &str, notes: &mut Notes) {
        if let Some(value) = self.take(name).filter(|value| !is_nothing(value)) {
            notes.changed(self.at(name), &value, text);
        }
    }

    /// Says what nobody took.
    pub(super) fn rest(self, notes: &mut Notes) {
        for (name, value) in &self.values {
            if !value.is_null() {
                notes.lost(self.at(name), value, UNKNOWN);
            }
        }
    }

    fn wrong<T>(&self, name: &str, value: &Value, expected: &str, notes: &mut Notes) -> Option<T> {
        notes.lost(self.at(name), value, format!("is not {expected}, and was left out: correct it"));
        None
    }
}

/// A value as a type of Kubernetes; fields that the type does not have are said, since nothing of them stays. `None`: it is no such
/// value.
pub(super) fn typed<T: DeserializeOwned + Serialize>(
    path: &str,
    value: &Value,
    notes: &mut Notes,
) -> Option<T> {
    let typed: T = serde_json::from_value(value.clone()).ok()?;
    let kept = serde_json::to_value(&typed).ok()?;
    unknown(path, value, &kept, notes);
    Some(typed)
}

/// Says what stands in `given` and not in `kept`.
fn unknown(path: &str, given: &Value, kept: &Value, notes: &mut Notes) {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (name, value) in given {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match kept.get(name) {
                    Some(kept) => unknown(&path, value, kept, notes),
                    None if is_nothing(value) => {}
                    None => notes.lost(path, value, UNKNOWN_TO_KUBERNETES),
                }
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            for (index, (given, kept)) in given.iter().zip(kept).enumerate() {
                unknown(&format!("{path}[{index}]"), given, kept, notes);
            }
        }
        _ => {}
    }
}

/// Whether a value asks for nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
