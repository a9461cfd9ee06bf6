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

/// Cordons the brokers that are emptied, and takes every other one out: Kafka keeps the option of a broker that has left, and has it
/// again when one of the id comes.
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
    let drained: BTreeSet<i32> = cluster.pools.iter().flat_map(|pool| pool.drained.iter().copied()).collect();
    let change = |(id, options): (&i32, &BTreeMap<String, ConfigView>)| {
        let present = options.get(OPTION).and_then(|view| view.on_broker.as_deref());
        let wanted = drained.contains(id).then_some(ALL);
        let value = wanted.map(str::to_owned);
        (present != wanted).then(|| OptionChange { broker: Some(*id), option: OPTION.to_owned(), value })
    };
    configs.iter().filter_map(change).filter(|change| !memory.refused.contains_key(change)).collect()
}
