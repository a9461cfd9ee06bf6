//! How the controllers find each other: what the first format decided, out of the objects that remember it.

use std::collections::{BTreeMap, BTreeSet};

use api::{labels, names};

use crate::kafka::cluster::{Pool, Quorum};
use crate::kafka::objects::pod_set::{DIRECTORY_IDS, QUORUM_FORMED};
use crate::kafka::observed::Observed;

/// Material that becomes the directory id of a first controller.
pub fn directory_id_request(node: i32) -> String {
    format!("directory-id-{node}")
}

/// Finds out.
pub fn of(observed: &Observed, pools: &[Pool]) -> Quorum {
    if was_formatted_statically(observed) {
        return Quorum::Static;
    }
    let mut directory_ids: BTreeMap<i32, String> = BTreeMap::new();
    let mut formed = observed
        .kafka
        .as_ref()
        .and_then(|kafka| kafka.status.as_ref())
        .is_some_and(|status| status.cluster_id.is_some());
    let pod_sets = observed.pod_sets.values().filter_map(|set| set.metadata.annotations.as_ref());
    let config_maps = observed.config_maps.values().filter_map(|map| map.metadata.annotations.as_ref());
    for annotations in pod_sets.chain(config_maps) {
        formed |= annotations.get(QUORUM_FORMED).is_some_and(|value| value == "true");
        let remembered = annotations.get(DIRECTORY_IDS).map(String::as_str).unwrap_or_default();
        if let Ok(ids) = serde_json::from_str::<BTreeMap<i32, String>>(remembered) {
            directory_ids.extend(ids);
        }
    }
    if let Some(quorum) = observed.view.as_ref().and_then(|view| view.quorum.as_ref()) {
        formed |= quorum.leader >= 0;
    }
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

/// A cluster that was formatted with a fixed list of voters keeps it.
fn was_formatted_statically(observed: &Observed) -> bool {
    observed.config_maps.values().any(|map| {
        let of_a_node = map.metadata.labels.as_ref().is_some_and(|all| all.contains_key(labels::POOL_NAME));
        let config = map.data.as_ref().and_then(|data| data.get(names::keys::SERVER_CONFIG));
        of_a_node
            && config
                .is_some_and(|text| text.lines().any(|line| line.starts_with("controller.quorum.voters=")))
    })
}
