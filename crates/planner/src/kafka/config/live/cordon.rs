//! Brokers that are emptied take no new partitions, where Kafka knows how to keep these away (KIP-1066).

use std::collections::{BTreeMap, BTreeSet};

use super::memory::{OptionChange, OptionMemory};
use crate::kafka::cluster::{Cluster, jbod};
use crate::kafka::config::model::Model;
pub(super) use crate::kafka::log_dirs_view::CORDONED as OPTION;
use crate::kafka::observed::{BrokerConfigs, ConfigView};

/// All log directories of a broker.
const ALL: &str = "*";

/// The first metadata version with it: Kafka refuses the option before.
const SINCE: &str = "4.3-IV0";

/// Whether a value of the option on a broker is the operator's.
pub(super) fn is_own(cluster: &Cluster, broker: i32, option: &str, value: &str) -> bool {
    option == OPTION && foreign(cluster, broker, value).is_empty()
}

/// The directories that a value names and that others cordoned: they stay so.
fn foreign(cluster: &Cluster, broker: i32, value: &str) -> BTreeSet<String> {
    let entries = value.split(',').map(str::trim).filter(|entry| !entry.is_empty() && *entry != ALL);
    entries.filter(|entry| !is_of_removal(cluster, broker, entry)).map(str::to_owned).collect()
}

/// Whether a directory lies on a volume that leaves, left or was to leave. Kafka takes no option of a broker any more while it names a
/// directory that the broker does not have.
fn is_of_removal(cluster: &Cluster, broker: i32, path: &str) -> bool {
    // A broker that is about to go takes its volumes along.
    let Some(pool) = cluster.pools.iter().find(|pool| pool.nodes.contains(&broker)) else { return true };
    let Some(volume) = jbod::volume_of(path, broker) else { return false };
    let is_there = pool.volumes_of(broker).any(|one| one.id == Some(volume));
    !is_there || pool.removal.states.contains_key(&volume) || pool.removal.is_known(broker, volume)
}

/// Whether Kafka knows how to keep new replicas away from a log directory.
pub(crate) fn is_possible(model: &Model, level: Option<i16>) -> bool {
    model.options.contains_key(OPTION)
        && model.metadata_level(SINCE).is_some_and(|(_, since)| level.is_some_and(|level| level >= since))
}

/// Cordons the brokers that are emptied and the log directories on volumes that leave, and opens every other one of the cluster: Kafka keeps
/// the option of a broker that has left, and has it again when a broker of that id comes. A broker that is about to go stays as it is, or it
/// would get new replicas in its last moment.
pub(super) fn changes(
    cluster: &Cluster,
    model: &Model,
    level: Option<i16>,
    configs: &BrokerConfigs,
    memory: &OptionMemory,
) -> Vec<OptionChange> {
    if !is_possible(model, level) {
        return Vec::new();
    }
    let mut drained: BTreeSet<i32> =
        cluster.pools.iter().flat_map(|pool| pool.drained.iter().copied()).collect();
    let brokers = cluster.broker_ids();
    if brokers.difference(&drained).count() < most_replicas(cluster) {
        // Kafka would refuse new topics for as long as the drain lasts, which may be for ever.
        drained.clear();
    }
    let change = |(id, options): (&i32, &BTreeMap<String, ConfigView>)| {
        let present = options.get(OPTION).and_then(|view| view.on_broker.as_deref()).unwrap_or_default();
        // A directory that a user cordoned, for instance to empty a disk, stays so.
        let mut wanted = foreign(cluster, *id, present);
        if drained.contains(id) && wanted.is_empty() {
            wanted.insert(ALL.to_owned());
        } else if let Some(pool) = cluster.pools.iter().find(|pool| pool.nodes.contains(id)) {
            wanted.extend(pool.removal.cordoned(*id));
        }
        let entries = present.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let is_so = entries.collect::<BTreeSet<&str>>() == wanted.iter().map(String::as_str).collect();
        let value = wanted.into_iter().collect::<Vec<_>>().join(",");
        let value = Some(value).filter(|value| !value.is_empty());
        (!is_so).then(|| OptionChange { broker: Some(*id), option: OPTION.to_owned(), value })
    };
    let of_cluster = configs.iter().filter(|(id, _)| brokers.contains(id));
    of_cluster.filter_map(change).filter(|change| !memory.refused.contains_key(change)).collect()
}

/// The most replicas that a new topic gets where nobody says how many.
fn most_replicas(cluster: &Cluster) -> usize {
    let of = |name: &str, usual: usize| {
        cluster.config.get(name).and_then(|value| value.trim().parse().ok()).unwrap_or(usual)
    };
    let topics = ["offsets.topic.replication.factor", "transaction.state.log.replication.factor"];
    let usual = of("default.replication.factor", 1);
    topics.into_iter().map(|name| of(name, 3)).chain([usual]).max().unwrap_or(usual)
}
