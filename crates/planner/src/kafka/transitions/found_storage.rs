//! The storage of nodes whose pod set is not there to tell of it, as after a restore from a backup without pod sets: volumes that the pool does
//! not ask for, and that may hold something all the same.
//!
//! A pod tells what its node has. Of a node without a pod, every claim counts, also that of a volume that left the pool long ago and was kept:
//! nothing tells the two apart before the broker runs and says what is on them.

use std::collections::{BTreeMap, BTreeSet};

use api::common::storage::{
    KRaftMetadataStorage, Storage as RawStorage, StorageOverride, Volume as RawVolume, VolumeType,
};
use api::{annotations, labels, names};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec};
use objects::quantity::Quantity;

use crate::findings::Findings;
use crate::kafka::cluster::{Storage, jbod};
use crate::kafka::objects::claim;
use crate::kafka::observed::Observed;
use crate::kafka::pod_state;
use crate::kafka::validate::storage::{self, MAX_VOLUMES};

/// The size of a claim that is mounted and not seen: a claim that is larger than asked for stays as it is.
const UNSEEN_SIZE: &str = "1";

/// What a node has of a volume.
struct OnNode<'a> {
    node: i32,
    /// Whether it ends with the pod.
    ephemeral: bool,
    claim: Option<&'a PersistentVolumeClaim>,
}

/// The storage that a pool asks for with the other volumes that its nodes have; `None`: they have no others.
pub(super) fn of(
    asked: &Storage,
    cluster: &str,
    pool: &str,
    nodes: &BTreeSet<i32>,
    observed: &Observed,
) -> Option<Storage> {
    if !asked.jbod {
        return None;
    }
    let mut found: BTreeMap<i32, Vec<OnNode<'_>>> = BTreeMap::new();
    for node in nodes {
        for (id, volume) in on_node(cluster, pool, *node, observed) {
            found.entry(id).or_default().push(volume);
        }
    }
    found.retain(|id, _| asked.volumes.iter().all(|volume| volume.id != Some(*id)));
    if found.is_empty() {
        return None;
    }
    let mut raw: RawStorage = serde_json::from_str(&asked.json).ok()?;
    let volumes = raw.volumes.get_or_insert_default();
    if volumes.iter().all(|volume| volume.kraft_metadata.is_none())
        && let Some(first) = volumes.iter_mut().min_by_key(|volume| volume.id)
    {
        // Where the metadata log lies is not known, and an agent finds it on any volume: it is to be on a volume that stays.
        first.kraft_metadata = Some(KRaftMetadataStorage::Shared);
    }
    let room = MAX_VOLUMES.saturating_sub(volumes.len());
    volumes.extend(found.into_iter().take(room).map(|(id, nodes)| volume(id, &nodes)));
    let mut unheard = Findings::default();
    let storage = storage::read(&raw, "", &mut unheard);
    unheard.problems.is_empty().then_some(storage)
}

/// The volumes of a node, by their ids.
fn on_node<'a>(cluster: &str, pool: &str, node: i32, observed: &'a Observed) -> Vec<(i32, OnNode<'a>)> {
    let pod = names::pod(cluster, pool, node);
    if let Some(live) = observed.pods.get(&pod) {
        let volumes = pod_state::data_volumes(live).filter_map(|volume| {
            let claim = volume.persistent_volume_claim.as_ref();
            let on_node = OnNode {
                node,
                ephemeral: claim.is_none(),
                claim: claim.and_then(|claim| observed.claims.get(&claim.claim_name)).map(AsRef::as_ref),
            };
            Some((jbod::id_of(&volume.name)?, on_node))
        });
        return volumes.collect();
    }
    let end = format!("-{pod}");
    let claims = observed.claims.iter().filter_map(|(name, claim)| {
        let of_pool = claim.metadata.labels.as_ref()?.get(labels::POOL_NAME)?;
        let is_there = of_pool == pool && claim.metadata.deletion_timestamp.is_none();
        let id = jbod::id_of(name.strip_suffix(&end)?).filter(|_| is_there)?;
        Some((id, OnNode { node, ephemeral: false, claim: Some(claim) }))
    });
    claims.collect()
}

/// A volume as a pool would ask for it.
fn volume(id: i32, nodes: &[OnNode<'_>]) -> RawVolume {
    if nodes.iter().all(|on| on.ephemeral) {
        return RawVolume { id: Some(id), ..RawVolume::new(VolumeType::Ephemeral) };
    }
    let specs: Vec<(i32, &PersistentVolumeClaimSpec)> =
        nodes.iter().filter_map(|on| Some((on.node, on.claim?.spec.as_ref()?))).collect();
    let first = specs.first().map(|(_, spec)| *spec);
    let size_of = |spec: &PersistentVolumeClaimSpec| {
        let size = &spec.resources.as_ref()?.requests.as_ref()?.get(claim::STORAGE)?.0;
        Some((Quantity::parse(size)?, size.clone()))
    };
    // A claim that is larger stays so.
    let sizes = specs.iter().filter_map(|(_, spec)| size_of(spec));
    let size = sizes.reduce(|one, other| if other.0 < one.0 { other } else { one });
    let class = first.and_then(|spec| spec.storage_class_name.clone());
    let others = specs.iter().filter(|(_, spec)| spec.storage_class_name != class);
    let overrides: Vec<StorageOverride> = others
        .map(|(node, spec)| StorageOverride { class: spec.storage_class_name.clone(), broker: Some(*node) })
        .collect();
    let goes = |on: &OnNode<'_>| {
        let claim = on.claim.and_then(|claim| claim.metadata.annotations.as_ref());
        annotations::is_true(claim, annotations::DELETE_CLAIM)
    };
    RawVolume {
        id: Some(id),
        size: Some(size.map_or_else(|| UNSEEN_SIZE.to_owned(), |(_, size)| size)),
        class,
        selector: first.and_then(|spec| spec.selector.as_ref()?.match_labels.clone()),
        delete_claim: Some(nodes.iter().all(goes)),
        volume_attributes_class: first.and_then(|spec| spec.volume_attributes_class_name.clone()),
        overrides: Some(overrides).filter(|overrides| !overrides.is_empty()),
        ..RawVolume::new(VolumeType::PersistentClaim)
    }
}
