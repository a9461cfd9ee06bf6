//! What was seen of a KafkaMirrorMaker before planning.

use std::sync::Arc;

use api::{KafkaMirrorMaker, KafkaMirrorMaker2};

use crate::workers::observed::ObservedWorkers;

/// A resource that is looked after.
#[derive(Debug, Clone)]
pub struct LiveMirrorMaker {
    /// The resource.
    pub resource: Arc<KafkaMirrorMaker>,
    /// The KafkaMirrorMaker2 of its name, whoever made it.
    pub made: Option<Arc<KafkaMirrorMaker2>>,
    /// What there is of Strimzi's MirrorMaker 1.
    pub observed: ObservedWorkers,
}
