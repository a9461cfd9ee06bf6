//! Which objects of the user's own a KafkaConnect refers to: those, and no others, are read.

use api::KafkaConnect;

use super::build::read::pull_secret;
use crate::clients::Access;
use crate::findings::Findings;
use crate::references::References;

/// Of a KafkaConnect. What a template mounts or passes on is between Kubernetes and the pod.
pub fn of(connect: &KafkaConnect) -> References {
    let mut references = References::default();
    let spec = &connect.spec;
    access(connect, &mut Findings::default()).refer(&mut references);
    references.logging(spec.logging.as_ref());
    let rules = spec.metrics_config.as_ref().and_then(|metrics| metrics.value_from.as_ref());
    let rules = rules.and_then(|from| from.config_map_key_ref.as_ref());
    references.config_maps.extend(rules.map(|reference| reference.name.clone()));
    let push = spec.build.as_ref().and_then(|build| build.output.push_secret.as_ref());
    let pull = spec.build.as_ref().and_then(|_| pull_secret(connect));
    references.secrets.extend(push.into_iter().chain(pull).filter(|name| !name.is_empty()).cloned());
    references
}

/// How its workers reach Kafka.
pub(super) fn access(connect: &KafkaConnect, findings: &mut Findings) -> Access {
    let spec = &connect.spec;
    Access::read("spec", &spec.bootstrap_servers, spec.tls.as_ref(), spec.authentication.as_ref(), findings)
}
