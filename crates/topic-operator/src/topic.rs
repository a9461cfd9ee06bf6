//! The words this operator thinks in: a resource's name, a topic's legal names, conditions, a status.

use std::{fmt, sync::Arc};

use kafka_admin::{ErrorCode, KafkaError};

/// The longest topic name Kafka accepts, in characters (`Topic.MAX_NAME_LENGTH`).
pub const MAX_NAME_LENGTH: usize = 249;

/// Which KafkaTopic: its namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceRef {
    /// The namespace; shared between all resources of one namespace.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
}

impl ResourceRef {
    /// Names a resource.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The form in which a ResourceConflict names the managing resource.
    pub fn conflict_text(&self) -> String {
        format!("Managed by Ref{{namespace='{}', name='{}'}}", self.namespace, self.name)
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What is wrong with a topic name, if anything: Kafka's own rule (letters, digits, `.`, `_`, `-`; 1 to 249
/// characters; neither `.` nor `..`).
pub fn name_problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the topic name is empty: write at least one character in spec.topicName".into());
    }
    if name == "." || name == ".." {
        return Some(format!("the topic name '{name}' is reserved: choose another spec.topicName"));
    }
    if name.chars().count() > MAX_NAME_LENGTH {
        let length = name.chars().count();
        return Some(format!(
            "the topic name is {length} characters long: Kafka accepts at most {MAX_NAME_LENGTH}, shorten spec.topicName"
        ));
    }
    let bad = name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))?;
    Some(format!(
        "the topic name '{name}' contains '{bad}': use only ASCII letters, digits, '.', '_' and '-' in spec.topicName"
    ))
}

/// Topics in which Kafka keeps its own state: offsets, transactions, share groups, metadata, and where remote segments are.
/// Other names with two underscores are those of programs, whose topics may go.
const KAFKAS_OWN: [&str; 5] = [
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
    "__cluster_metadata",
    "__remote_log_metadata",
];

/// True for a topic in which Kafka keeps its own state. It is never deleted.
pub fn is_kafkas_own(topic: &str) -> bool {
    KAFKAS_OWN.contains(&topic)
}

/// What Kafka says about something that concerns replicas. What it says about a missing right changes with every request.
pub fn refusal(what: &str, operation: &str, error: &KafkaError) -> KafkaError {
    let why = if error.code == ErrorCode::CLUSTER_AUTHORIZATION_FAILED {
        format!("the operator's user needs the operation {operation} on the cluster")
    } else {
        error.message.clone()
    };
    KafkaError::new(error.code, format!("{what}: {why}"))
}

/// A condition of a status; `lastTransitionTime` is RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `Ready`, `Unmanaged`, `ReconciliationPaused` or `Warning`.
    pub kind: Box<str>,
    /// `True` or `False`.
    pub status: Box<str>,
    /// One word why.
    pub reason: Option<Box<str>>,
    /// A sentence why.
    pub message: Option<Box<str>>,
    /// When the condition became what it is.
    pub last_transition: Option<Box<str>>,
}

impl Condition {
    /// True when both say the same, whenever they began to say it.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.status == other.status
            && self.reason == other.reason
            && self.message == other.message
    }
}

/// Where a change of the replication factor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeState {
    /// Wanted, not yet handed to Kafka.
    Pending,
    /// Kafka is moving replicas.
    Ongoing,
}

/// `status.replicasChange`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicasChange {
    /// The replication factor that is being established.
    pub target: i32,
    /// Where it stands.
    pub state: ChangeState,
    /// How far it is, or why it does not proceed.
    pub message: Option<Box<str>>,
    /// An external Cruise Control's task id; kept only so that a status written by another operator compares.
    pub session: Option<Box<str>>,
}

/// `status` of a KafkaTopic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicStatus {
    /// The topic this resource manages; unset while it manages none.
    pub topic_name: Option<Box<str>>,
    /// Kafka's id of that topic.
    pub topic_id: Option<Box<str>>,
    /// The generation this status speaks about.
    pub observed_generation: Option<i64>,
    /// A replication factor change in progress.
    pub replicas_change: Option<Box<ReplicasChange>>,
    /// The conditions.
    pub conditions: Box<[Condition]>,
}

impl TopicStatus {
    /// True when the status says `Ready: True`.
    pub fn is_ready(&self) -> bool {
        self.conditions.iter().any(|c| &*c.kind == "Ready" && &*c.status == "True")
    }

    /// True when both say the same, whenever they began to say it: such a status is not written again.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.topic_name == other.topic_name
            && self.topic_id == other.topic_id
            && self.observed_generation == other.observed_generation
            && self.replicas_change == other.replicas_change
            && self.conditions.len() == other.conditions.len()
            && self.conditions.iter().zip(&other.conditions).all(|(a, b)| a.says_the_same(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_names_have_no_problem() {
        for name in ["a", "my-topic", "my.topic_1", "A-Z.0-9", "...", &"x".repeat(249)] {
            assert_eq!(name_problem(name), None, "{name}");
        }
    }

    #[test]
    fn illegal_names_are_told_what_to_write() {
        assert!(name_problem("").unwrap().contains("empty"));
        assert!(name_problem("..").unwrap().contains("reserved"));
        assert!(name_problem("a b").unwrap().contains("contains ' '"));
        assert!(name_problem("ä").unwrap().contains("contains 'ä'"));
        assert!(name_problem(&"x".repeat(250)).unwrap().contains("250 characters"));
    }

    #[test]
    fn a_conflict_names_the_manager_as_strimzi_does() {
        assert_eq!(ResourceRef::new("ns", "t").conflict_text(), "Managed by Ref{namespace='ns', name='t'}");
    }
}
