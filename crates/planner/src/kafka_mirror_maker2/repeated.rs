//! What a resource says once and each of its connectors repeats: it decides how much memory a plan takes.

use api::KafkaMirrorMaker2;
use api::common::metrics::MetricsConfig;
use serde::Serialize;

use super::form::{self, Side};
use crate::findings::Findings;

/// What a resource says once and each of its connectors repeats.
#[derive(Debug, Clone, Serialize)]
pub struct Repeated<'a> {
    /// How many connectors there are.
    pub connectors: usize,
    target: Side<'a>,
    metrics: Option<&'a MetricsConfig>,
}

/// Of a resource; `None`: it is not understood, so that nothing is made of it.
pub fn of(resource: &KafkaMirrorMaker2) -> Option<Repeated<'_>> {
    let mut ignored = Findings::default();
    let form = form::read(resource, &mut ignored)?;
    Some(Repeated {
        connectors: form.mirrors.iter().map(|pair| pair.connectors().count()).sum(),
        target: form.target,
        metrics: resource.spec.metrics_config.as_ref(),
    })
}
