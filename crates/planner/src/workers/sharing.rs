//! What workers share with others by name: those with the same group id in one Kafka are one group, and those with the same topic
//! of options have the same connectors, whichever resources they are for.

use std::collections::BTreeSet;

use api::conditions::reasons;

use super::properties::Group;
use crate::findings::Warning;

/// Addresses of Kafka that are looked at.
const ADDRESSES: usize = 100;
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
}

/// What is said of others that have the same names.
pub fn warnings(sharing: &[Sharing], namespace: &str) -> Vec<Warning> {
    let warning = |other: &Sharing| {
        let of = if other.namespace == namespace {
            other.name.clone()
        } else {
            format!("{} of namespace {}", other.name, other.namespace)
        };
        let why = if other.field.shares_connectors() {
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
    sharing.iter().take(SHOWN).map(warning).collect()
}
