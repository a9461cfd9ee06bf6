//! Options that left the resource and have not left Kafka yet.
//!
//! Kafka does not tell who set a run-time value. So that those of the operator's can be told from other people's, every
//! node's ConfigMap remembers the options that it once had until no broker has a trace of them, and the pod sets remember which
//! brokers have values of their own, since such a value outlives its node.

use std::collections::{BTreeMap, BTreeSet};

use api::{annotations, names};

use crate::kafka::cluster::Cluster;
use crate::kafka::config::user;
use crate::kafka::observed::Observed;
use crate::option_text::is_option_name;

/// Options that some live ConfigMap has, or remembers, and that are wanted no more.
pub(crate) fn candidates(
    cluster: &Cluster,
    observed: &Observed,
    is_wanted: impl Fn(&str) -> bool,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for node in cluster.nodes() {
        let Some(map) = observed.config_maps.get(&cluster.pod_name(node)) else { continue };
        let remembered =
            map.metadata.annotations.as_ref().and_then(|all| all.get(annotations::OPTIONS_TAKEN_OUT));
        let remembered = remembered.iter().flat_map(|names| names.split(','));
        let file = map.data.as_ref().and_then(|data| data.get(names::keys::SERVER_CONFIG));
        let lines = file.iter().flat_map(|text| text.lines());
        // Names of options are plain: nothing in them is escaped.
        let in_file = lines.filter_map(|line| Some(line.split_once('=')?.0.trim()));
        for name in remembered.chain(in_file) {
            if !is_wanted(name) && is_option_name(name) && !user::is_forbidden(name) && !found.contains(name)
            {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

/// How a ConfigMap remembers them; `None`: there is nothing to remember.
pub(crate) fn annotation(taken_out: &BTreeSet<String>) -> Option<String> {
    (!taken_out.is_empty()).then(|| taken_out.iter().map(String::as_str).collect::<Vec<_>>().join(","))
}

/// Brokers and their options to which the operator gave a value of their own, as the pod sets remember them. Kafka keeps such a value when the
/// node leaves, and has it again when a node of the id comes.
pub(crate) fn of_brokers(observed: &Observed) -> BTreeSet<(i32, String)> {
    let all = observed.pod_sets.values().filter_map(|set| set.metadata.annotations.as_ref());
    let texts = all.filter_map(|all| all.get(annotations::OPTIONS_OF_BROKERS));
    let read = texts.filter_map(|text| serde_json::from_str::<BTreeMap<i32, BTreeSet<String>>>(text).ok());
    let usable = |name: &String| is_option_name(name) && !user::is_forbidden(name);
    let pairs = read.flatten().flat_map(|(id, names)| names.into_iter().map(move |name| (id, name)));
    pairs.filter(|(_, name)| usable(name)).collect()
}

/// How a pod set remembers them; `None`: there is nothing to remember.
pub(crate) fn of_brokers_annotation(own_values: &BTreeSet<(i32, String)>) -> Option<String> {
    let mut by_broker: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
    for (id, name) in own_values {
        by_broker.entry(*id).or_default().push(name);
    }
    (!by_broker.is_empty()).then(|| objects::json(&by_broker).to_string())
}
