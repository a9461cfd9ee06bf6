//! Which cluster a node pool belongs to. Its label says so, until it has nodes: these cannot be moved.

use std::collections::BTreeSet;
use std::fmt;

use api::{KafkaNodePool, labels};

/// Whose a pool is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// It belongs to the cluster that its label names.
    Labelled(String),
    /// It has nodes in a cluster that its label does not name, and stays there.
    Moved {
        /// The cluster with the nodes.
        home: String,
        /// What the label names.
        label: Option<String>,
    },
    /// No Kafka resource looks after it.
    Nobodys(Nobodys),
}

/// Why no Kafka resource looks after a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nobodys {
    /// It has no label.
    Unlabelled,
    /// There is no Kafka resource of the name on its label.
    NoKafka {
        /// That name.
        label: String,
    },
    /// It has nodes in a cluster of which there is no Kafka resource, and its label does not name that one.
    Elsewhere {
        /// The cluster with the nodes.
        home: String,
        /// What the label names.
        label: Option<String>,
    },
}

impl Nobodys {
    /// The Kafka resource that is missing.
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Unlabelled => None,
            Self::NoKafka { label } => Some(label),
            Self::Elsewhere { home, .. } => Some(home),
        }
    }
}

impl fmt::Display for Nobodys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlabelled => formatter.write_str(
                "metadata.labels has no strimzi.io/cluster: write the name of a Kafka resource of this namespace",
            ),
            Self::NoKafka { label } => write!(
                formatter,
                "metadata.labels strimzi.io/cluster: there is no Kafka resource {label} in this namespace: create it or \
                 write the name of another one"
            ),
            Self::Elsewhere { home, label } => write!(
                formatter,
                "metadata.labels {}: the nodes of this pool belong to cluster {home}, of which there is no Kafka resource: \
                 write strimzi.io/cluster: {home} and create that one, or delete the StrimziPodSet with the nodes",
                labelled(label.as_deref())
            ),
        }
    }
}

/// The label as a text.
pub fn labelled(label: Option<&str>) -> String {
    label.map_or_else(
        || "without strimzi.io/cluster".to_owned(),
        |label| format!("strimzi.io/cluster: {label}"),
    )
}

/// What has to be known beside the pool.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Kafka resources of the namespace, as far as their names matter here.
    pub kafkas: BTreeSet<String>,
    /// Clusters with nodes of the pool, see [`is_home`].
    pub homes: BTreeSet<String>,
}

/// Decides which cluster a pool belongs to.
pub fn of(pool: &KafkaNodePool, surroundings: &Surroundings) -> Membership {
    let label = label(pool).map(ToOwned::to_owned);
    let Surroundings { kafkas, homes } = surroundings;
    if let Some(label) = label.clone().filter(|label| homes.is_empty() || homes.contains(label)) {
        return if kafkas.contains(&label) {
            Membership::Labelled(label)
        } else {
            Membership::Nobodys(Nobodys::NoKafka { label })
        };
    }
    if let Some(home) = homes.intersection(kafkas).next() {
        return Membership::Moved { home: home.clone(), label };
    }
    let nobodys = match homes.first() {
        Some(home) => Nobodys::Elsewhere { home: home.clone(), label },
        None => Nobodys::Unlabelled,
    };
    Membership::Nobodys(nobodys)
}

/// The cluster that the label names.
pub fn label(pool: &KafkaNodePool) -> Option<&str> {
    pool.metadata.labels.as_ref()?.get(labels::CLUSTER).map(String::as_str)
}

/// Whether a Kafka resource with this cluster id is the one that the pool has its nodes in.
pub fn is_home(pool: &KafkaNodePool, cluster_id: Option<&str>) -> bool {
    let Some(status) = &pool.status else { return false };
    let has_nodes = status.node_ids.as_ref().is_some_and(|ids| !ids.is_empty());
    has_nodes && cluster_id.is_some() && status.cluster_id.as_deref() == cluster_id
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pool(label: Option<&str>) -> KafkaNodePool {
        let labels = label.map(|label| json!({"strimzi.io/cluster": label}));
        serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool", "metadata": {"name": "p", "labels": labels},
            "spec": {"replicas": 1, "roles": ["broker"], "storage": {"type": "ephemeral"}},
            "status": {"nodeIds": [0], "clusterId": "id-of-a"},
        }))
        .unwrap()
    }

    fn decide(label: Option<&str>, kafkas: &[&str], homes: &[&str]) -> Membership {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        of(&pool(label), &Surroundings { kafkas: set(kafkas), homes: set(homes) })
    }

    #[test]
    fn the_label_decides_until_there_are_nodes() {
        assert_eq!(decide(Some("a"), &["a"], &[]), Membership::Labelled("a".to_owned()));
        assert_eq!(decide(Some("a"), &["a", "b"], &["a"]), Membership::Labelled("a".to_owned()));
        let moved =
            |label: Option<&str>| Membership::Moved { home: "a".to_owned(), label: label.map(str::to_owned) };
        assert_eq!(decide(Some("b"), &["a", "b"], &["a"]), moved(Some("b")));
        assert_eq!(decide(Some("c"), &["a", "b"], &["a"]), moved(Some("c")));
        assert_eq!(decide(None, &["a"], &["a"]), moved(None));
    }

    #[test]
    fn a_pool_without_a_kafka_is_told_what_is_missing() {
        let missing = |membership: Membership| match membership {
            Membership::Nobodys(nobodys) => (nobodys.missing().map(str::to_owned), nobodys.to_string()),
            other => panic!("{other:?}"),
        };
        assert_eq!(missing(decide(None, &[], &[])).0, None);
        assert_eq!(missing(decide(Some("a"), &["b"], &[])).0.as_deref(), Some("a"));
        assert_eq!(missing(decide(Some("a"), &["b"], &["a"])).0.as_deref(), Some("a"));
        let (kafka, text) = missing(decide(Some("b"), &["b"], &["a"]));
        assert_eq!(kafka.as_deref(), Some("a"));
        assert!(text.contains("strimzi.io/cluster: b") && text.contains("strimzi.io/cluster: a"), "{text}");
    }

    #[test]
    fn a_cluster_id_binds_a_pool_that_has_nodes() {
        let mut pool = pool(None);
        assert!(is_home(&pool, Some("id-of-a")));
        assert!(!is_home(&pool, Some("id-of-b")) && !is_home(&pool, None));
        pool.status.as_mut().unwrap().node_ids = Some(Vec::new());
        assert!(!is_home(&pool, Some("id-of-a")));
    }
}
