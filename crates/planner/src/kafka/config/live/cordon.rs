//! Brokers that are emptied take no new partitions, where Kafka knows how to keep these away (KIP-1066).

use std::collections::{BTreeMap, BTreeSet};

use super::memory::{OptionChange, OptionMemory};
use crate::kafka::cluster::Cluster;
use crate::kafka::config::model::Model;
use crate::kafka::observed::{BrokerConfigs, ConfigView};

/// The log directories of a broker in which no new partition is placed. No resource sets it.
pub(super) const OPTION: &str = "cordoned.log.dirs";

/// All log directories of a broker.
const ALL: &str = "*";

/// The first metadata version with it: Kafka refuses the option before.
const SINCE: &str = "4.3-IV0";

/// Whether a value of the option is the operator's.
pub(super) fn is_own(option: &str, value: &str) -> bool {
    option == OPTION && value == ALL
}

/// Cordons the brokers that are emptied, and opens every other one of the cluster: Kafka keeps the option of a broker that has left, and
/// has it again when a broker of that id comes. A broker that is about to go stays as it is, or it would get new replicas in its last
/// moment.
pub(super) fn changes(
    cluster: &Cluster,
    model: &Model,
    level: Option<i16>,
    configs: &BrokerConfigs,
    memory: &OptionMemory,
) -> Vec<OptionChange> {
    let is_possible = model.options.contains_key(OPTION)
        && model.metadata_level(SINCE).is_some_and(|(_, since)| level.is_some_and(|level| level >= since));
    if !is_possible {
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
        let present = options.get(OPTION).and_then(|view| view.on_broker.as_deref());
        let wanted = drained.contains(id).then_some(ALL);
        let value = wanted.map(str::to_owned);
        // A directory that a user cordoned, for instance to empty a disk, stays so.
        let is_ours = present.is_none_or(|present| present == ALL);
        (present != wanted && is_ours).then(|| OptionChange {
            broker: Some(*id),
            option: OPTION.to_owned(),
            value,
        })
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
