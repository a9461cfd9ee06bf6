//! What Kafka refused to do.

use std::collections::BTreeMap;

use planner::kafka::config::live::memory::{OptionChange, RefusedLevel};

/// What Kafka refused in a pass.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Options, and why.
    pub(super) options: BTreeMap<OptionChange, String>,
    /// Why a metadata version.
    pub(super) metadata: Option<String>,
    /// Levels of other features.
    pub(super) features: BTreeMap<String, RefusedLevel>,
}
