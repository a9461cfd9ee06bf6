//! What workers share with others by name: those with the same group id in one Kafka are one group, and those with the same topic
//! of options have the same connectors, whichever resources they are for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::conditions::reasons;

use super::properties::Group;
use crate::findings::Warning;

/// Addresses of Kafka that are looked at: whoever writes more does not make a look at them longer.
const ADDRESSES: usize = 16;
/// The longest name of a group, a topic or a host that is looked at: Kafka and name servers take none that are longer.
const LONGEST: usize = 255;

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

/// The names that workers have for themselves: those of their group, in the Kafka of these addresses.
pub(crate) fn keys(bootstrap_servers: &str, namespace: &str, group: Group) -> BTreeSet<GroupKey> {
    let hosts: BTreeSet<String> =
        bootstrap_servers.split(',').take(ADDRESSES).filter_map(|one| host(one, namespace)).collect();
    let fields = [
        (Field::GroupId, group.id),
        (Field::ConfigTopic, group.config_topic),
        (Field::StatusTopic, group.status_topic),
        (Field::OffsetTopic, group.offset_topic),
    ];
    let of = |kafka: &String| {
        let kafka = kafka.clone();
        let known = fields.iter().filter(|(_, value)| value.len() <= LONGEST);
        known.map(move |(field, value)| GroupKey {
            kafka: kafka.clone(),
            field: *field,
            value: value.clone(),
        })
    };
    hosts.iter().flat_map(of).collect()
}

/// The host of an address: of one Service of Kubernetes the same, however much of its name is written. The port does not count:
/// a Kafka has several.
fn host(address: &str, namespace: &str) -> Option<String> {
    let address = address.trim();
    let host =
        address.rsplit_once(':').map_or(address, |(host, _)| host).trim_end_matches('.').to_lowercase();
    let host = host.strip_suffix(".cluster.local").unwrap_or(&host);
    let host = host.strip_suffix(".svc").unwrap_or(host);
    if host.is_empty() || host.len() > LONGEST {
        return None;
    }
    Some(if host.contains('.') { host.to_owned() } else { format!("{host}.{namespace}") })
}

/// Another resource with the same name in the same Kafka.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sharing {
    /// Kind of the other resource.
    pub kind: &'static str,
    /// Namespace of the other resource.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The field that has the same value.
    pub field: Field,
    /// Whether its workers were asked, and have other connectors all the same.
    pub is_apart: bool,
}

impl Sharing {
    /// Whether both see each other's connectors, or may do so.
    pub fn shares_connectors(&self) -> bool {
        self.field.shares_connectors() && !self.is_apart
    }
}

/// How long workers of another namespace that are ready may leave unanswered what they have. Workers that are ready answer: those that
/// do not for so long keep nobody from anything any more.
pub const PATIENCE: Duration = Duration::from_mins(10);

/// What the connectors of workers are to do, by name: a fingerprint of all their options.
pub type Connectors = BTreeMap<String, u64>;

/// Whether other workers have the connectors of these: then they show at least one with the same options. Workers with the same topic show
/// the same list, and others cannot know what is in it. `None`: they did not answer, or there is nothing to compare.
pub fn compare(own: &Connectors, theirs: Option<&Connectors>) -> Option<bool> {
    let theirs = theirs?;
    if own.is_empty() {
        return None;
    }
    Some(own.iter().any(|(name, options)| theirs.get(name) == Some(options)))
}

/// What is said of others that have the same names.
pub fn warnings(sharing: &[Sharing], namespace: &str) -> Vec<Warning> {
    let warning = |other: &Sharing| {
        // What is in another namespace is not for everybody who reads this one.
        let of = if other.namespace == namespace { &other.name } else { "of another namespace" };
        let why = if other.field.shares_connectors() && other.namespace != namespace {
            "where both see the same connectors, they change each other's, and neither removes one that it does not ask for"
        } else if other.field.shares_connectors() {
            "both see the same connectors, change each other's, and neither removes one that it does not ask for"
        } else {
            "connectors of one name continue where the other one is"
        };
        let path = other.field.path();
        let message = format!(
            "{path} is also that of {} {of}, in the same Kafka: {why}; write another one here or there",
            other.kind
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
    fn workers_of_another_namespace_prove_that_they_have_the_same_connectors() {
        let all = |all: &[(&str, u64)]| -> Connectors {
            all.iter().map(|(name, options)| ((*name).to_owned(), *options)).collect()
        };
        let own = all(&[("orders", 1), ("old", 2)]);
        assert_eq!(compare(&own, Some(&own)), Some(true));
        assert_eq!(compare(&own, Some(&all(&[("old", 2), ("theirs", 3)]))), Some(true));
        assert_eq!(compare(&own, Some(&all(&[]))), Some(false));
        assert_eq!(
            compare(&own, Some(&all(&[("old", 7), ("orders", 8)]))),
            Some(false),
            "names can be guessed"
        );
        assert_eq!(compare(&own, None), None);
        assert_eq!(compare(&all(&[]), Some(&own)), None, "nothing of these can be found there");
    }

    #[test]
    fn others_are_named_in_their_own_namespace_alone() {
        let other = |namespace: &str, name: &str| Sharing {
            kind: "KafkaConnect",
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            field: Field::GroupId,
            is_apart: false,
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
