//! Which objects of the user's own a KafkaBridge refers to: those, and no others, are read.

use api::KafkaBridge;

use crate::clients::Access;
use crate::findings::Findings;
use crate::references::References;

/// Of a KafkaBridge. What a template mounts or passes on is between Kubernetes and the pod.
pub fn of(bridge: &KafkaBridge) -> References {
    let mut references = References::default();
    let spec = &bridge.spec;
    access(bridge, &mut Findings::default()).refer(&mut references);
    let http = spec.http.as_ref().and_then(|http| http.tls.as_ref());
    references.secrets.extend(http.map(|tls| tls.certificate_and_key.secret_name.clone()));
    references.logging(spec.logging.as_ref());
    let rules = spec.metrics_config.as_ref().and_then(|metrics| metrics.value_from.as_ref());
    let rules = rules.and_then(|from| from.config_map_key_ref.as_ref());
    references.config_maps.extend(rules.map(|reference| reference.name.clone()));
    references
}

/// How it reaches Kafka.
pub(super) fn access(bridge: &KafkaBridge, findings: &mut Findings) -> Access {
    let spec = &bridge.spec;
    Access::read("spec", &spec.bootstrap_servers, spec.tls.as_ref(), spec.authentication.as_ref(), findings)
}
