//! Options that left the resource and have not left Kafka yet.
//!
//! Kafka does not tell who set a run-time value. So that those of the operator's can be told from other people's, every
//! node's ConfigMap remembers the options that it once had until no broker has a trace of them.

use std::collections::BTreeSet;

use api::{annotations, names};

use crate::kafka::cluster::Cluster;
use crate::kafka::config::user;
use crate::kafka::observed::Observed;
use crate::option_text::is_option_name;

/// Options that some live ConfigMap has, or remembers, and that are wanted no more.
pub fn candidates(
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
pub fn annotation(taken_out: &BTreeSet<String>) -> Option<String> {
    (!taken_out.is_empty()).then(|| taken_out.iter().map(String::as_str).collect::<Vec<_>>().join(","))
}
