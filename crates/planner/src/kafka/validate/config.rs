//! The options of Kafka that a resource sets: for all nodes, and for single ones.

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use api::kafka::KafkaClusterSpec;
use api::kafka::cluster::MOST_NODE_CONFIGS;
use api::schema::FreeMap;

use super::Findings;
use crate::kafka::cluster::{Cluster, NodeConfig, NodeIds};
use crate::kafka::config::user;
use crate::kafka::older::no_longer;
use crate::versions::KafkaVersion;

/// Path of the options of single nodes.
const OF_NODES: &str = "spec.kafka.nodeConfig";

/// Ids that a warning names.
const SHOWN: usize = 50;

/// Options that all nodes have to agree about: topics, the partitions of Kafka's own topics and what counts as written depend on
/// them, whichever node happens to decide.
const SAME_EVERYWHERE: &[&str] = &[
    "default.replication.factor",
    "min.insync.replicas",
    "num.partitions",
    "offsets.topic.",
    "remote.log.storage.system.enable",
    "share.coordinator.state.topic.",
    "transaction.state.log.",
    "unclean.leader.election.enable",
];

/// The options of all nodes.
pub(super) fn of_all(
    spec: &KafkaClusterSpec,
    version: Option<&KafkaVersion>,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let (Some(raw), Some(version)) = (&spec.config, version) else {
        return BTreeMap::new();
    };
    options(raw, version, "spec.kafka.config", findings)
}

/// The options of single nodes.
pub(super) fn of_nodes(
    spec: &KafkaClusterSpec,
    version: Option<&KafkaVersion>,
    findings: &mut Findings,
) -> NodeConfig {
    let (Some(raw), Some(version)) = (&spec.node_config, version) else {
        return NodeConfig::default();
    };
    if raw.len() > MOST_NODE_CONFIGS {
        findings.problem(
            OF_NODES,
            format!("has {} entries: write at most {MOST_NODE_CONFIGS}, with ranges such as 3-5", raw.len()),
        );
    }
    let mut all = Vec::new();
    for (key, raw) in raw.iter().take(MOST_NODE_CONFIGS) {
        let shown: String = key.chars().take(NodeIds::LONGEST).collect();
        let field = format!("{OF_NODES}.{shown}");
        let ids = NodeIds::parse(key);
        if let Err(complaint) = &ids {
            findings.problem(&field, complaint);
        }
        let mut options = options(raw, version, &field, findings);
        options.retain(|name, _| {
            let shared = is_same_on_all_nodes(name);
            if shared {
                findings.problem(
                    format!("{field}.{name}"),
                    "has to be the same on all nodes: write it into spec.kafka.config",
                );
            }
            !shared
        });
        if let Ok(ids) = ids {
            all.push((key.clone(), ids, options));
        }
    }
    NodeConfig(all)
}

/// Whether all nodes have to agree about an option.
pub fn is_same_on_all_nodes(name: &str) -> bool {
    SAME_EVERYWHERE.iter().any(|option| match option.strip_suffix('.') {
        Some(_) => name.starts_with(option),
        None => name == *option,
    })
}

/// Options that can be taken as they are. `field` is the path of the section.
fn options(
    raw: &FreeMap,
    version: &KafkaVersion,
    field: &str,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let sorted = user::sort(raw, version.model());
    for name in sorted.forbidden {
        findings.problem(
            format!("{field}.{name}"),
            "is set by the operator: remove it; listeners, storage, roles and security have sections of their own",
        );
    }
    for complaint in sorted.complaints {
        findings.problem(field, complaint);
    }
    let mut options = sorted.options;
    no_longer::take_options_out(&mut options, field, findings);
    options
}

/// Gives the nodes of a cluster the options of their own, and says what is wrong with them.
pub fn settle_node_config(wanted: &NodeConfig, cluster: &mut Cluster, findings: &mut Findings) {
    let nodes: BTreeSet<i32> = cluster.nodes().into_iter().map(|node| node.id).collect();
    for id in &nodes {
        let (options, conflicts) = wanted.of(*id);
        for (first, second, name) in conflicts {
            findings.problem(
                format!("{OF_NODES}.{second}.{name}"),
                format!("is another value for node {id} than in {OF_NODES}.{first}: leave one of the two"),
            );
        }
        if !options.is_empty() {
            cluster.node_config.insert(*id, options);
        }
    }
    let missing: BTreeSet<String> =
        wanted.0.iter().flat_map(|(_, ids, _)| ids.without_node(&nodes)).collect();
    if !missing.is_empty() {
        let shown: Vec<&str> = missing.iter().take(SHOWN).map(String::as_str).collect();
        let more = if missing.len() > SHOWN { ", …" } else { "" };
        findings.warn(
            reasons::NODE_CONFIG_WITHOUT_NODE,
            format!(
                "{OF_NODES}: the cluster has no node {}{more}: these options count as soon as it has; which ids there are \
                 stands in the statuses of the node pools",
                shown.join(", ")
            ),
        );
    }
}
