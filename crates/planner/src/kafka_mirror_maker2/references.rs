//! Which objects of the user's own a KafkaMirrorMaker2 refers to: those, and no others, are read.

use api::KafkaMirrorMaker2;

use super::form;
use crate::findings::Findings;
use crate::references::References;

/// Of a KafkaMirrorMaker2. What a template mounts or passes on is between Kubernetes and the pod.
pub fn of(resource: &KafkaMirrorMaker2) -> References {
    let mut references = References::default();
    let spec = &resource.spec;
    let mut ignored = Findings::default();
    if let Some(form) = form::read(resource, &mut ignored) {
        for side in std::iter::once(&form.target).chain(form.mirrors.iter().map(|pair| &pair.source)) {
            side.access(&mut ignored).refer(&mut references);
        }
    }
    references.logging(spec.logging.as_ref());
    let rules = spec.metrics_config.as_ref().and_then(|metrics| metrics.value_from.as_ref());
    let rules = rules.and_then(|from| from.config_map_key_ref.as_ref());
    references.config_maps.extend(rules.map(|reference| reference.name.clone()));
    references
}
