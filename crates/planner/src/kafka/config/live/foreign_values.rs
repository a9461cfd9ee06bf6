//! Run-time values of options that do not belong there: of those that the files set, and of all others.

use std::collections::BTreeSet;

use api::conditions::reasons;

use super::cordon;
use super::memory::{OptionChange, OptionMemory, RunTimeValue};
use crate::kafka::cluster::{Cluster, Node, Warning};
use crate::kafka::config::server;
use crate::kafka::log_dirs_view::RATE;
use crate::kafka::observed::{BrokerConfigs, ConfigView};

/// Values that a warning names.
const SHOWN: usize = 20;

/// How many are kept from pass to pass.
const KEPT: usize = 200;

/// The throttle of a broker's replication, which is set while replicas move, and taken off again.
const THROTTLES: [&str; 2] = rebalance::throttle::BROKER_RATES;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct FoundValues {
    /// Changes that remove values of options that the files set.
    pub changes: Vec<OptionChange>,
    /// The values that the changes remove.
    pub undone: Vec<RunTimeValue>,
    /// Values of options that the files do not set: they stay, and a warning names them.
    pub foreign: BTreeSet<RunTimeValue>,
}

/// Looks at every run-time value but those of the options that `is_handled` says are looked after elsewhere.
pub(super) fn find(
    cluster: &Cluster,
    configs: &BrokerConfigs,
    memory: &OptionMemory,
    is_handled: impl Fn(&str) -> bool,
) -> FoundValues {
    let mut found = FoundValues::default();
    let nodes = cluster.nodes();
    let mut everywhere = BTreeSet::new();
    for (id, options) in configs {
        let changed = options.iter().filter(|(name, view)| view.is_changed() && !is_handled(name));
        let mut changed = changed.peekable();
        if changed.peek().is_none() {
            continue;
        }
        let in_files = nodes.iter().find(|node| node.id == *id).map(|node| names_in_file(cluster, *node));
        for (name, view) in changed {
            let is_set = in_files.as_ref().is_some_and(|names| names.contains(name.as_str()));
            for present in values(*id, name, view) {
                if cordon::is_own(cluster, *id, name, &present.value) {
                    continue;
                }
                if present.broker.is_none() && !everywhere.insert(present.option.clone()) {
                    continue;
                }
                let change = OptionChange { broker: present.broker, option: name.clone(), value: None };
                if is_set && !memory.refused.contains_key(&change) {
                    found.changes.push(change);
                    found.undone.push(present);
                } else if found.foreign.len() < KEPT && !is_throttle(cluster, name) {
                    found.foreign.insert(present.shortened());
                }
            }
        }
    }
    found
}

/// Whether the topic operator may have set an option, or a drain of nodes.
fn is_throttle(cluster: &Cluster, option: &str) -> bool {
    let has_topic_operator = cluster.entity_operator.as_ref().is_some_and(|entity| entity.topic.is_some());
    let drains = cluster.pools.iter().any(|pool| !pool.drained.is_empty());
    let moves =
        cluster.pools.iter().any(|pool| !pool.removal.states.is_empty() || !pool.removal.known.is_empty());
    THROTTLES.contains(&option) && (has_topic_operator || drains) || option == RATE && moves
}

fn names_in_file(cluster: &Cluster, node: Node<'_>) -> BTreeSet<String> {
    let fixed = server::fixed(cluster, node);
    let of_operator = fixed.lines().filter_map(|line| Some(line.split_once('=')?.0));
    of_operator.chain(server::options_of(cluster, node).into_keys()).map(str::to_owned).collect()
}

fn values(broker: i32, option: &str, view: &ConfigView) -> impl Iterator<Item = RunTimeValue> {
    let layers = [(Some(broker), view.on_broker.clone()), (None, view.everywhere.clone())];
    layers.into_iter().filter_map(move |(broker, value)| {
        Some(RunTimeValue { broker, option: option.to_owned(), value: value? })
    })
}

/// A warning that names the values; `None`: there are none.
pub(super) fn warning(foreign: &BTreeSet<RunTimeValue>) -> Option<Warning> {
    if foreign.is_empty() {
        return None;
    }
    let mut shown: Vec<String> = foreign.iter().take(SHOWN).map(ToString::to_string).collect();
    if foreign.len() > SHOWN {
        shown.push(format!("and {} more", foreign.len() - SHOWN));
    }
    Some(Warning {
        reason: reasons::FOREIGN_BROKER_CONFIGURATION.to_owned(),
        message: format!(
            "Kafka runs with options that were set in Kafka itself and not in this resource: {}; write them into \
             spec.kafka.config, or those of single brokers into spec.kafka.nodeConfig, or remove them from Kafka",
            shown.join(", ")
        ),
    })
}
