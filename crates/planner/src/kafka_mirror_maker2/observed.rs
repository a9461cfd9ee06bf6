//! What was seen of a KafkaMirrorMaker2 before planning.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::KafkaMirrorMaker2;
use jiff::Timestamp;

use super::progress::Known;
use super::removals::Removals;
use crate::kafka_connector::actual::Actual;
use crate::kafka_connector::asked::Annotation;
use crate::kafka_connector::past::Past;
use crate::workers::observed::ObservedWorkers;

/// A resource that is looked after.
#[derive(Debug, Clone)]
pub struct LiveMirrorMaker2 {
    /// The resource.
    pub resource: Arc<KafkaMirrorMaker2>,
    /// What was seen of its workers.
    pub observed: ObservedWorkers,
    /// What these say of their connectors.
    pub connect: Connect,
    /// What was done about each connector before, by name.
    pub past: BTreeMap<String, Past>,
    /// Annotations whose work is done and that are still there.
    pub answered: Vec<Annotation>,
    /// How far its mirrors are.
    pub progress: Known,
    /// Connectors that Connect has, or may have, and that the resource does not ask for.
    pub removals: Removals,
}

/// What Connect says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Connect {
    /// Connect was not asked: no worker is ready.
    #[default]
    Unasked,
    /// No worker answers.
    Away {
        /// Since when.
        since: Timestamp,
    },
    /// The answer cannot be used: why.
    Unusable(String),
    /// Those of its connectors that the resource asks for, by name.
    Here(BTreeMap<String, Actual>),
}
