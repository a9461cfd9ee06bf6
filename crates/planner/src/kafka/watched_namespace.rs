//! Whether topic and user operator may work in another namespace than the cluster's: the operator's settings and the
//! owner of that namespace both have to allow it, because the operators get rights there.

use std::collections::BTreeSet;

use api::{Kafka, watch_grant};

use super::cluster::Cluster;
use super::observed::Observed;
use crate::settings::PlanSettings;

/// The namespaces that a Kafka resource wants its entity operator to work in, apart from its own.
pub fn others(kafka: &Kafka) -> BTreeSet<String> {
    let Some(entity) = &kafka.spec.entity_operator else { return BTreeSet::new() };
    let topics = entity.topic_operator.as_ref().and_then(|topics| topics.watched_namespace.clone());
    let users = entity.user_operator.as_ref().and_then(|users| users.watched_namespace.clone());
    let own = kafka.metadata.namespace.as_ref();
    [topics, users].into_iter().flatten().filter(|asked| !asked.is_empty() && Some(asked) != own).collect()
}

/// Why the settings of the operator keep an entity operator from working in the namespace `other`; `own` is that of its cluster.
/// `None`: they do not.
pub fn refused_by_settings(settings: &PlanSettings, own: &str, other: &str) -> Option<String> {
    (other != own && !settings.entity_operator_watched_namespace).then(|| {
        format!(
            "{other:?} is not the namespace of the cluster: remove it, or set {}=true on the operator",
            api::env::ENTITY_OPERATOR_WATCHED_NAMESPACE_ENABLED
        )
    })
}

/// Why the owner of the namespace `other` keeps the operator that `key` of the grant is about from working there; `None`: the
/// grant lets it in, or none is needed.
pub fn refused_by_grant(observed: &Observed, cluster: &Cluster, key: &str, other: &str) -> Option<String> {
    let (own, name) = (cluster.namespace.as_str(), cluster.name.as_str());
    if other == own || !observed.settings.entity_operator_watched_namespace {
        return None;
    }
    if let Some(why) = observed.not_read.watch_grants.get(other) {
        let grant = watch_grant::NAME;
        return Some(format!("the ConfigMap {grant} of the namespace {other:?} is not read: {why}"));
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
