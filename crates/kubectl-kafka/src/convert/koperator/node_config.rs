//! `readOnlyConfig` and `config` of single brokers: what all of them have is the cluster's, the rest is `spec.kafka.nodeConfig`.

use std::collections::BTreeMap;

use api::kafka::cluster::MOST_NODE_CONFIGS;
use api::schema::FreeMap;
use planner::kafka::cluster::NodeIds;
use planner::kafka::validate::is_same_on_all_nodes;
use serde_json::Value;

use super::brokers::Node;
use crate::convert::notes::Notes;
use crate::convert::options::{self, Options};

/// Options that say who may do what, which a single node cannot have for itself.
const OF_AUTHORIZATION: [&str; 2] = ["authorizer.class.name", "super.users"];

/// Sorts the options of single nodes: what all brokers have goes into `options`, those of the cluster.
pub(super) fn of(
    brokers: Vec<Node>,
    controllers: Vec<Node>,
    options: &mut Options,
    notes: &mut Notes,
) -> Option<BTreeMap<String, FreeMap>> {
    let common = common(&brokers);
    let mut alike: BTreeMap<String, (Vec<i32>, FreeMap)> = BTreeMap::new();
    for node in brokers.into_iter().chain(controllers) {
        let mut own = node.options;
        own.retain(|name, given| {
            let same = |known: Option<&options::Given>| known.is_some_and(|known| known.value == given.value);
            !same(common.get(name).or_else(|| options.get(name)))
        });
        let taken = taken(&node.path, own, notes);
        if !taken.is_empty() {
            let key = Value::Object(taken.clone().into_iter().collect()).to_string();
            alike.entry(key).or_insert_with(|| (Vec::new(), taken)).0.push(node.id);
        }
    }
    options.extend(common);
    let mut all = BTreeMap::new();
    for (mut ids, taken) in alike.into_values() {
        ids.sort_unstable();
        for key in keys(&ids) {
            all.insert(key, taken.clone());
        }
    }
    if all.len() > MOST_NODE_CONFIGS {
        notes.lost(
            "spec.brokers",
            &Value::from(all.len()),
            format!(
                "so many brokers have options of their own, and spec.kafka.nodeConfig has room for {MOST_NODE_CONFIGS}: they were left \
                 out; write those that matter"
            ),
        );
        return None;
    }
    Some(all).filter(|all| !all.is_empty())
}

/// What all brokers have.
fn common(brokers: &[Node]) -> Options {
    let Some(first) = brokers.first() else { return Options::new() };
    let everywhere = |name: &String, value: &String| {
        brokers.iter().all(|node| node.options.get(name).is_some_and(|given| given.value == *value))
    };
    let all = first.options.iter().filter(|(name, given)| everywhere(name, &given.value));
    all.map(|(name, given)| (name.clone(), given.clone())).collect()
}

/// The options of one node that it can have for itself; of the others it is said what became of them.
fn taken(path: &str, mut own: Options, notes: &mut Notes) -> FreeMap {
    own.retain(|name, given| {
        let why = if OF_AUTHORIZATION.contains(&name.as_str()) {
            "a single broker cannot have an authorizer of its own: write spec.kafka.authorization"
        } else if is_same_on_all_nodes(name) {
            "has to be the same on all brokers: write it into spec.kafka.config, or leave it out"
        } else {
            return true;
        };
        notes.lost(format!("{path} {name}"), &Value::from(given.value.as_str()), why);
        false
    });
    // How many brokers there are bounds options of the cluster alone.
    let sorted = options::sort(own, 0, notes);
    for (name, given) in sorted.secret {
        notes.lost(
            format!("{path} {name}"),
            &Value::Null,
            format!(
                "may be a secret, and is not printed ({}): put it into a file of the pod, and let the option of spec.kafka.nodeConfig \
                 refer to it with a configuration provider",
                given.path
            ),
        );
    }
    for (name, value) in &sorted.config {
        notes.changed(
            format!("{path} {name}"),
            value,
            "is an option of this broker alone: it is in spec.kafka.nodeConfig, which is no field of Strimzi's",
        );
    }
    sorted.config
}

/// Ids as keys of `nodeConfig`: as few as there are, each no longer than a key may be.
fn keys(ids: &[i32]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for range in ranges(ids) {
        match keys.last_mut() {
            Some(key) if key.len() + 2 + range.len() <= NodeIds::LONGEST => {
                key.push_str(", ");
                key.push_str(&range);
            }
            _ => keys.push(range),
        }
    }
    keys
}

/// Ids in a row, as `0-2`, and single ones.
pub(super) fn ranges(ids: &[i32]) -> Vec<String> {
    let mut parts: Vec<(i32, i32)> = Vec::new();
    for id in ids {
        match parts.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*id) => *last = *id,
            _ => parts.push((*id, *id)),
        }
    }
    let text = |(first, last)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
    parts.into_iter().map(text).collect()
}
