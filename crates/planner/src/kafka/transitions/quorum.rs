//! How the controllers find each other: what the first format decided, out of the objects that remember it.

use std::collections::{BTreeMap, BTreeSet};

use api::{annotations, labels, names};

use crate::kafka::cluster::{Pool, Quorum};
use crate::kafka::observed::Observed;

/// Material that becomes the directory id of a first controller.
pub(crate) fn directory_id_request(node: i32) -> String {
    format!("directory-id-{node}")
}

/// How far the quorum of the controllers is, as the objects remember it and Kafka says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QuorumState {
    /// There is none yet: its first controllers are formatted with these directory ids, those that were made so far.
    New {
        /// Directory ids by node id.
        directory_ids: BTreeMap<i32, String>,
    },
    /// It has existed, and Kafka itself keeps who its voters are (KIP-853).
    Formed {
        /// Directory ids of the first controllers.
        directory_ids: BTreeMap<i32, String>,
        /// Voters, as Kafka says.
        voters: BTreeSet<i32>,
    },
    /// The cluster was formatted with `controller.quorum.voters`, a list that cannot change.
    Fixed {
        /// Node ids in that list.
        listed: BTreeSet<i32>,
        /// Directory ids that objects remember nevertheless.
        directory_ids: BTreeMap<i32, String>,
        /// Voters, as Kafka says.
        voters: BTreeSet<i32>,
    },
}

impl QuorumState {
    /// Reads it from the objects, and from what Kafka says.
    pub(crate) fn of(observed: &Observed) -> Self {
        let kafka = observed.kafka.as_ref();
        let existed =
            kafka.and_then(|kafka| kafka.status.as_ref()).is_some_and(|status| status.cluster_id.is_some());
        let mut formed = existed;
        let pod_sets = observed.pod_sets.values().filter_map(|set| set.metadata.annotations.as_ref());
        let config_maps = observed.config_maps.values().filter_map(|map| map.metadata.annotations.as_ref());
        let (mut directory_ids, mut has_directory_ids) = (BTreeMap::new(), false);
        for annotations in pod_sets.chain(config_maps) {
            formed |= annotations.get(annotations::QUORUM_FORMED).is_some_and(|value| value == "true");
            let remembered = annotations
                .get(annotations::CONTROLLER_DIRECTORY_IDS)
                .map(String::as_str)
                .unwrap_or_default();
            if let Ok(ids) = serde_json::from_str::<BTreeMap<i32, String>>(remembered) {
                has_directory_ids = true;
                directory_ids.extend(ids);
            }
        }
        let mut voters = BTreeSet::new();
        if let Some(quorum) = observed.view.as_ref().and_then(|view| view.quorum.as_ref()) {
            formed |= quorum.has_leader();
            voters = quorum.voters.keys().copied().collect();
        }
        match (fixed_list(observed, existed && !has_directory_ids), formed) {
            (Some(listed), _) => Self::Fixed { listed, directory_ids, voters },
            (None, true) => Self::Formed { directory_ids, voters },
            (None, false) => Self::New { directory_ids },
        }
    }

    /// Whether it has existed.
    pub(crate) fn has_existed(&self) -> bool {
        match self {
            Self::New { .. } => false,
            Self::Formed { .. } | Self::Fixed { .. } => true,
        }
    }

    /// The list that cannot change, where there is one.
    pub(crate) fn fixed_list(&self) -> Option<&BTreeSet<i32>> {
        match self {
            Self::Fixed { listed, .. } => Some(listed),
            Self::New { .. } | Self::Formed { .. } => None,
        }
    }

    /// Those of some nodes that Kafka says are voters.
    pub(crate) fn voters_among(&self, nodes: &BTreeSet<i32>) -> BTreeSet<i32> {
        match self {
            Self::New { .. } => BTreeSet::new(),
            Self::Formed { voters, .. } | Self::Fixed { voters, .. } => {
                voters.intersection(nodes).copied().collect()
            }
        }
    }

    /// The controllers that the cluster was formatted with, as far as objects remember them.
    pub(crate) fn first_controllers(&self) -> BTreeSet<i32> {
        match self {
            Self::New { directory_ids } | Self::Formed { directory_ids, .. } => {
                directory_ids.keys().copied().collect()
            }
            Self::Fixed { listed, directory_ids, .. } => {
                listed.iter().chain(directory_ids.keys()).copied().collect()
            }
        }
    }

    /// The quorum of a cluster with these pools.
    pub(crate) fn quorum(&self, observed: &Observed, pools: &[Pool]) -> Quorum {
        let (mut directory_ids, formed) = match self {
            Self::Fixed { .. } => return Quorum::Static,
            Self::New { directory_ids } => (directory_ids.clone(), false),
            Self::Formed { directory_ids, .. } => (directory_ids.clone(), true),
        };
        let mut initial: BTreeSet<i32> = directory_ids.keys().copied().collect();
        if initial.is_empty() && !formed {
            for pool in pools.iter().filter(|pool| pool.controller) {
                initial.extend(&pool.nodes);
            }
        }
        for id in &initial {
            if let Some(pki::Material::Text(text)) = observed.made.get(&directory_id_request(*id)) {
                directory_ids.entry(*id).or_insert_with(|| text.0.clone());
            }
        }
        Quorum::Dynamic { directory_ids, initial, formed }
    }
}

/// The voters of a cluster that was formatted with a fixed list of them. `nothing_remembered`: the cluster exists and
/// none of its objects has directory ids, as every object of any other cluster would.
fn fixed_list(observed: &Observed, nothing_remembered: bool) -> Option<BTreeSet<i32>> {
    // Kafka knows best: the voters of a fixed list have no directory ids.
    let quorum = observed.view.as_ref().and_then(|view| view.quorum.as_ref());
    if let Some(quorum) = quorum.filter(|quorum| !quorum.voters.is_empty()) {
        let fixed = quorum.voters.values().all(String::is_empty);
        return fixed.then(|| quorum.voters.keys().copied().collect());
    }
    let mut voters = BTreeSet::new();
    let mut fixed = false;
    for map in observed.config_maps.values() {
        let of_a_node = map.metadata.labels.as_ref().is_some_and(|all| all.contains_key(labels::POOL_NAME));
        let config = map.data.as_ref().and_then(|data| data.get(names::keys::SERVER_CONFIG));
        for line in config.iter().filter(|_| of_a_node).flat_map(|text| text.lines()) {
            if let Some(list) = line.strip_prefix("controller.quorum.voters=") {
                fixed = true;
                voters.extend(
                    list.split(',').filter_map(|voter| voter.split_once('@')?.0.trim().parse::<i32>().ok()),
                );
            }
        }
    }
    for set in observed.pod_sets.values() {
        let remembered =
            set.metadata.annotations.as_ref().and_then(|all| all.get(annotations::STATIC_CONTROLLERS));
        if let Some(Ok(ids)) = remembered.map(|text| serde_json::from_str::<BTreeSet<i32>>(text)) {
            fixed = true;
            voters.extend(ids);
        }
    }
    if !fixed && nothing_remembered && !observed.pod_sets.is_empty() {
        fixed = true;
        let pods = observed.pod_sets.values().flat_map(|set| &set.spec.pods);
        let controllers = pods.filter(|pod| pod["metadata"]["labels"][labels::CONTROLLER_ROLE] == "true");
        voters.extend(
            controllers
                .filter_map(|pod| pod["metadata"]["name"].as_str()?.rsplit_once('-')?.1.parse::<i32>().ok()),
        );
    }
    fixed.then_some(voters)
}
