//! KafkaTopics in other namespaces than the cluster's (opt-in; docs/topics-in-other-namespaces.md).
//!
//! Two sides have to agree. The cluster's side lists the namespace in `KASTELLAN_TOPIC_NAMESPACES`, each as `namespace`
//! or `namespace=prefix`; with a prefix, only topics whose names start with it can be had from there. The
//! namespace's side has a ConfigMap `kastellan-topic-grant` that names the cluster. Without either, no topic is made,
//! altered or deleted because of a resource in that namespace.

use std::collections::BTreeMap;

use api::topic_grant;

use crate::{
    plan::Intent,
    resource::TopicResource,
    topic::{Failure, Reason},
};

pub use topic_grant::{KEY as GRANT_KEY, NAME as GRANT_NAME};

/// A namespace that may be served, from the cluster's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The namespace.
    pub namespace: String,
    /// What its topics' names have to start with; empty: any name.
    pub prefix: String,
}

impl Guest {
    /// Reads `namespace` or `namespace=prefix`.
    pub fn parse(text: &str) -> Self {
        let (namespace, prefix) = text.split_once('=').unwrap_or((text, ""));
        Self { namespace: namespace.trim().into(), prefix: prefix.trim().into() }
    }
}

/// True when the data of a namespace's grant names this cluster.
pub fn names_cluster(data: &BTreeMap<String, String>, namespace: &str, cluster: &str) -> bool {
    topic_grant::clusters(data).any(|named| named == (namespace, cluster))
}

/// Why a topic of this name must not be served for a guest; none when it may.
pub fn refusal(guest: &Guest, granted: bool, cluster: (&str, &str), topic: &str) -> Option<String> {
    if !granted {
        return Some(format!(
            "namespace '{}' does not let cluster '{}/{}' serve its topics: make a ConfigMap {GRANT_NAME} in it with \
             the key {GRANT_KEY}: {}/{}",
            guest.namespace, cluster.0, cluster.1, cluster.0, cluster.1
        ));
    }
    if !topic.starts_with(&guest.prefix) {
        return Some(format!(
            "topics of namespace '{}' have to start with '{}': change spec.topicName '{topic}'",
            guest.namespace, guest.prefix
        ));
    }
    // Offsets, transactions and share-group state belong to the cluster.
    if topic.starts_with("__") {
        return Some(format!(
            "topic '{topic}' is Kafka's own: choose a spec.topicName without the leading '__'"
        ));
    }
    None
}

/// What a resource may have of what it asks for. `guest` is what the cluster's side says of its namespace.
pub fn permitted(
    resource: &TopicResource,
    intent: Intent,
    guest: Option<&Guest>,
    granted: bool,
    cluster: (&str, &str),
) -> Intent {
    if resource.home || !matches!(intent, Intent::Reconcile | Intent::Delete(_)) {
        return intent;
    }
    let Some(guest) = guest else { return Intent::Nothing };
    match refusal(guest, granted, cluster, resource.claimed_topic()) {
        None => intent,
        Some(_) if resource.deleting => Intent::Release,
        Some(why) => Intent::Refuse(Failure::new(Reason::NotSupported, why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_resources::resource;

    fn data(clusters: &str) -> BTreeMap<String, String> {
        [(GRANT_KEY.to_owned(), clusters.to_owned())].into()
    }

    #[test]
    fn a_grant_names_the_cluster_exactly() {
        assert!(names_cluster(&data("kafka/a, kafka/my\n"), "kafka", "my"));
        assert!(!names_cluster(&data("kafka/my2"), "kafka", "my"));
        assert!(!names_cluster(&data("my"), "kafka", "my"));
        assert!(!names_cluster(&BTreeMap::new(), "kafka", "my"));
    }

    #[test]
    fn both_sides_have_to_agree() {
        let guest = Guest::parse("team-a=team-a.");
        let cluster = ("kafka", "my");
        assert!(refusal(&guest, false, cluster, "team-a.x").unwrap().contains("kafka/my"));
        assert!(refusal(&guest, true, cluster, "x").unwrap().contains("start with 'team-a.'"));
        assert_eq!(refusal(&guest, true, cluster, "team-a.x"), None);
        assert!(refusal(&Guest::parse("team-b"), true, cluster, "__consumer_offsets").is_some());
    }

    #[test]
    fn a_guest_gets_what_both_sides_allow_and_is_never_held_up() {
        let cluster = ("kafka", "my");
        let guest = Guest::parse("ns");
        let mut r = resource("t");
        let ask =
            |r: &TopicResource, guest, granted| permitted(r, Intent::Reconcile, guest, granted, cluster);
        assert_eq!(ask(&r, None, false), Intent::Reconcile, "the cluster's own namespace needs no grant");
        r.home = false;
        assert_eq!(ask(&r, Some(&guest), true), Intent::Reconcile);
        assert_eq!(ask(&r, None, true), Intent::Nothing);
        assert!(
            matches!(ask(&r, Some(&guest), false), Intent::Refuse(f) if f.reason == Reason::NotSupported)
        );
        assert_eq!(permitted(&r, Intent::Release, None, false, cluster), Intent::Release);
        r.deleting = true;
        let delete = || Intent::Delete("t".into());
        assert_eq!(permitted(&r, delete(), Some(&guest), true, cluster), delete());
        assert_eq!(permitted(&r, delete(), Some(&guest), false, cluster), Intent::Release);
    }
}
