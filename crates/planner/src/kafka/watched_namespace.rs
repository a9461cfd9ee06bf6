//! Whether topic and user operator may work in another namespace than the cluster's: the operator's settings and the
//! owner of that namespace both have to allow it, because the operators get rights there.

use std::collections::BTreeSet;

use api::{Kafka, watch_grant};

use super::observed::Observed;

/// The namespaces that a Kafka resource wants its entity operator to work in, apart from its own.
pub fn others(kafka: &Kafka) -> BTreeSet<String> {
    let Some(entity) = &kafka.spec.entity_operator else { return BTreeSet::new() };
    let topics = entity.topic_operator.as_ref().and_then(|topics| topics.watched_namespace.clone());
    let users = entity.user_operator.as_ref().and_then(|users| users.watched_namespace.clone());
    let own = kafka.metadata.namespace.as_ref();
    [topics, users].into_iter().flatten().filter(|asked| !asked.is_empty() && Some(asked) != own).collect()
}

/// Why the operator that `key` of the grant is about may not work in the namespace `other`; `None`: it may.
pub fn refusal(observed: &Observed, kafka: &Kafka, key: &str, other: &str) -> Option<String> {
    let own = kafka.metadata.namespace.as_deref().unwrap_or_default();
    let name = kafka.metadata.name.as_deref().unwrap_or_default();
    if other == own {
        return None;
    }
    if !observed.settings.entity_operator_watched_namespace {
        return Some(format!(
            "{other:?} is not the namespace of the cluster: remove it, or set {}=true on the operator",
            api::env::ENTITY_OPERATOR_WATCHED_NAMESPACE_ENABLED
        ));
    }
    let granted =
        observed.watch_grants.get(other).is_some_and(|data| watch_grant::lets_in(data, key, own, name));
    (!granted).then(|| {
        format!(
            "the namespace {other:?}, which the operator has to watch, does not let this cluster in: whoever owns it makes \
             a ConfigMap {} there with `{key}: {own}/{name}` in its data",
            watch_grant::NAME
        )
    })
}
