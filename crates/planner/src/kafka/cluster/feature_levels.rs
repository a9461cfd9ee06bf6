//! The levels that features of Kafka are to have, besides the metadata version.

use std::collections::BTreeMap;

/// What the resource asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FeatureLevels {
    /// Nothing: every feature keeps its level.
    #[default]
    Kept,
    /// Each feature gets the highest level that every node supports.
    Latest,
    /// These features get these levels.
    Named(BTreeMap<String, i16>),
}
