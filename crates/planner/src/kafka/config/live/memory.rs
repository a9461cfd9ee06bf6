//! What one pass leaves for the next about the options that change at run time. Losing it, as a restart of the operator
//! does, costs a look at the brokers and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

/// What former passes found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OptionMemory {
    /// When the brokers were last seen to run with the wanted options.
    pub settled: Option<SettledOptions>,
    /// Run-time values that neither the resource nor the operator sets.
    pub foreign: BTreeSet<RunTimeValue>,
    /// Changes that Kafka refused, and why. They count while the wanted options stay as they are.
    pub refused: BTreeMap<OptionChange, String>,
    /// Brokers and their options to which the operator gave a value of their own.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub own_values: BTreeSet<(i32, String)>,
    /// Options that Kafka has stored and a broker has not taken up, since when.
    pub not_taken_up: BTreeMap<String, Timestamp>,
    /// Why Kafka refused the metadata version that the last pass asked for; `None`: it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_refused: Option<String>,
    /// Levels of features that Kafka refused in the last pass, by the name of the feature.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub features_refused: BTreeMap<String, RefusedLevel>,
    /// Fingerprint of the wanted options that `refused` and `not_taken_up` are about.
    pub about: String,
}

/// A level of a feature that Kafka refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedLevel {
    /// The level.
    pub level: i16,
    /// Why.
    pub why: String,
}

/// That the brokers run with the wanted options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettledOptions {
    /// Fingerprint of the options.
    pub fingerprint: String,
    /// When that was seen.
    pub at: Timestamp,
}

/// A run-time value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RunTimeValue {
    /// The broker; `None`: the default of all brokers.
    pub broker: Option<i32>,
    /// Name of the option.
    pub option: String,
    /// Its value, as far as Kafka shows it.
    pub value: String,
}

impl RunTimeValue {
    /// Characters of a name or a value that are kept of what is only told of.
    const LONGEST: usize = 255;

    /// With so much of name and value as people read: Kafka shows what anybody wrote into it.
    pub fn shortened(self) -> Self {
        let cut = |text: String| match text.char_indices().nth(Self::LONGEST) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        };
        Self { option: cut(self.option), value: cut(self.value), ..self }
    }
}

impl fmt::Display for RunTimeValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.broker {
            Some(id) => write!(formatter, "{}={} on broker {id}", self.option, self.value),
            None => write!(formatter, "{}={} on all brokers", self.option, self.value),
        }
    }
}

/// A change of one option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OptionChange {
    /// The broker; `None`: the default of all brokers.
    pub broker: Option<i32>,
    /// Name of the option.
    pub option: String,
    /// The new value; `None`: the run-time value is deleted.
    pub value: Option<String>,
}
