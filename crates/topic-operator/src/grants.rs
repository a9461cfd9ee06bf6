//! KafkaTopics in other namespaces than the cluster's (opt-in; docs/topics-in-other-namespaces.md).
//!
//! Two sides have to agree. The cluster's side lists the namespace in `KASTELLAN_TOPIC_NAMESPACES`, each as `namespace`
//! or `namespace=prefix`; with a prefix, only topics whose names start with it can be had from there. The
//! namespace's side has a ConfigMap `kastellan-topic-grant` that names the cluster. Without either, no topic is made,
//! altered or deleted because of a resource in that namespace.

use std::collections::{BTreeMap, HashMap};

use api::{conditions::reasons, topic_grant};
use operator_runtime::refusal::Refusal;

use crate::{plan::Intent, resource::TopicResource, settings::Guest};

pub(crate) use topic_grant::{KEY as GRANT_KEY, NAME as GRANT_NAME};

/// True when the data of a namespace's grant names this cluster.
pub(crate) fn names_cluster(data: &BTreeMap<String, String>, namespace: &str, cluster: &str) -> bool {
    topic_grant::clusters(data).any(|named| named == (namespace, cluster))
}

/// Why a topic of this name must not be served for a guest; none when it may.
pub(crate) fn refusal(guest: &Guest, granted: bool, cluster: (&str, &str), topic: &str) -> Option<String> {
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

/// What both sides say.
#[derive(Debug)]
pub(crate) struct Grants {
    guests: Vec<Guest>,
    /// The cluster's namespace and name.
    cluster: (String, String),
    /// Whether each namespace grants its topics; no entry for a namespace whose ConfigMap was not read yet.
    granted: HashMap<String, bool>,
}

impl Grants {
    /// For the namespaces that the cluster's side lists; none of them has said anything yet.
    pub(crate) fn new(guests: Vec<Guest>, cluster: (String, String)) -> Self {
        Self { guests, cluster, granted: HashMap::new() }
    }

    /// Takes in what a namespace says; true when that is new.
    pub(crate) fn set(&mut self, namespace: &str, granted: bool) -> bool {
        self.granted.insert(namespace.to_owned(), granted) != Some(granted)
    }

    /// Whether a resource may have the topic that it asks for. None: its namespace has not said yet.
    fn allows(&self, resource: &TopicResource) -> Option<Result<(), String>> {
        if resource.home {
            return Some(Ok(()));
        }
        let namespace = &*resource.reference.namespace;
        let guest = self.guests.iter().find(|g| g.namespace == namespace)?;
        let granted = *self.granted.get(namespace)?;
        let (home, name) = &self.cluster;
        let refusal = refusal(guest, granted, (home, name), resource.claimed_topic());
        Some(refusal.map_or(Ok(()), Err))
    }

    /// False when a resource may not have its topic, and so has no say in who manages it.
    pub(crate) fn counts(&self, resource: &TopicResource) -> bool {
        !matches!(self.allows(resource), Some(Err(_)))
    }

    /// What a resource may have of what it asks for. Nothing happens to it before its namespace has said whether it grants that.
    pub(crate) fn permitted(&self, resource: &TopicResource, intent: Intent) -> Intent {
        if !matches!(intent, Intent::Reconcile | Intent::Delete(_) | Intent::HandOver(_) | Intent::Refuse(_))
        {
            return intent;
        }
        match self.allows(resource) {
            None => Intent::Nothing,
            Some(Ok(())) => intent,
            Some(Err(_)) if resource.deleting => Intent::Release,
            Some(Err(why)) => Intent::Refuse(Refusal::new(reasons::NOT_SUPPORTED, why)),
        }
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
        let mut grants = Grants::new(vec![Guest::parse("ns=t")], ("kafka".into(), "my".into()));
        let delete = || Intent::Delete("t".into());
        let mut r = resource("t");
        assert_eq!(
            grants.permitted(&r, Intent::Reconcile),
            Intent::Reconcile,
            "the cluster's own namespace needs no grant"
        );
        r.home = false;
        assert_eq!(grants.permitted(&r, Intent::Reconcile), Intent::Nothing);
        assert_eq!(
            grants.permitted(&r, delete()),
            Intent::Nothing,
            "not known yet: the topic may have to go"
        );
        assert!(grants.counts(&r), "nor is its topic another's before");
        assert!(grants.set("ns", true) && !grants.set("ns", true));
        assert_eq!(grants.permitted(&r, Intent::Reconcile), Intent::Reconcile);
        assert_eq!(grants.permitted(&r, delete()), delete());
        grants.set("ns", false);
        let conflict = || Intent::Refuse(Refusal::new(reasons::RESOURCE_CONFLICT, "taken"));
        for intent in [Intent::Reconcile, conflict()] {
            assert!(matches!(
                grants.permitted(&r, intent),
                Intent::Refuse(f) if f.reason == reasons::NOT_SUPPORTED
            ));
        }
        assert!(!grants.counts(&r));
        assert_eq!(grants.permitted(&r, Intent::Release), Intent::Release);
        r.deleting = true;
        assert_eq!(grants.permitted(&r, delete()), Intent::Release);
        let mut strange = resource("elsewhere");
        strange.home = false;
        strange.reference.namespace = "other".into();
        assert_eq!(grants.permitted(&strange, Intent::Reconcile), Intent::Nothing);
    }
}
