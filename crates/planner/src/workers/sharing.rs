//! What workers share with others by name: those with the same group id in one Kafka are one group, and those with the same topic
//! of options have the same connectors, whichever resources they are for.

use api::conditions::reasons;

use crate::findings::Warning;

/// Others that are named.
const SHOWN: usize = 8;

/// A name in a Kafka cluster that workers of one resource have for themselves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// The host name of an address of Kafka, complete.
    pub kafka: String,
    /// The field of the resource.
    pub field: Field,
    /// The name.
    pub value: String,
}

/// A field with a name that workers have for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The group.
    GroupId,
    /// The topic with the options of connectors.
    ConfigTopic,
    /// The topic with their states.
    StatusTopic,
    /// The topic with their offsets.
    OffsetTopic,
}

impl Field {
    /// Its path.
    pub fn path(self) -> &'static str {
        match self {
            Self::GroupId => "spec.groupId",
            Self::ConfigTopic => "spec.configStorageTopic",
            Self::StatusTopic => "spec.statusStorageTopic",
            Self::OffsetTopic => "spec.offsetStorageTopic",
        }
    }

    /// Whether resources with the same name there see each other's connectors.
    pub fn shares_connectors(self) -> bool {
        self != Self::OffsetTopic
    }
}

/// Another resource with the same name in the same Kafka.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sharing {
    /// Namespace of the other resource.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The field that has the same value.
    pub field: Field,
}

/// What is said of others that have the same names.
pub fn warnings(sharing: &[Sharing], namespace: &str) -> Vec<Warning> {
    let warning = |other: &Sharing| {
        // What is in another namespace is not for everybody who reads this one.
        let of = if other.namespace == namespace { &other.name } else { "of another namespace" };
        let why = if other.field.shares_connectors() {
            "both see the same connectors, change each other's, and neither removes one that no KafkaConnector declares"
        } else {
            "connectors of one name continue where the other one is"
        };
        let path = other.field.path();
        let message = format!(
            "{path} is also that of KafkaConnect {of}, in the same Kafka: {why}; write another one here or there"
        );
        Warning { reason: reasons::SHARED_GROUP.to_owned(), message }
    };
    let mut all: Vec<Warning> = Vec::new();
    for made in sharing.iter().map(warning) {
        if all.len() < SHOWN && !all.iter().any(|known| known.message == made.message) {
            all.push(made);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_named_in_their_own_namespace_alone() {
        let other = |namespace: &str, name: &str| Sharing {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            field: Field::GroupId,
        };
        let all = [other("a", "mine"), other("b", "payroll"), other("c", "mergers")];
        let said: Vec<String> = warnings(&all, "a").into_iter().map(|one| one.message).collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].contains("KafkaConnect mine,") && said[1].contains("KafkaConnect of another namespace,")
        );
        assert!(said.iter().all(|one| !one.contains("payroll") && !one.contains("mergers")), "{said:?}");
    }
}
