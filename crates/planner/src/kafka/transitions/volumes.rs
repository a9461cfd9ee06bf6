//! The volumes of the nodes of a pool: sizes grow, volumes of a `jbod` storage come and go; any other change would lose what
//! lies on them.

use std::collections::BTreeSet;

use api::common::storage::{KRaftMetadataStorage, Storage as RawStorage, Volume as RawVolume};
use api::{StrimziPodSet, annotations, names};
use objects::quantity::Quantity;

use super::found_storage;
use crate::findings::Findings;
use crate::kafka::cluster::{Storage, Volume, VolumeKind};
use crate::kafka::observed::Observed;
use crate::kafka::validate::storage;

/// What becomes of the volumes of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Volumes {
    /// As they were, or there was no node yet.
    Settled,
    /// They become what is asked for.
    Changing {
        /// Ids of the volumes that every node gets.
        added: BTreeSet<i32>,
        /// Ids of the volumes that every node loses, once nothing is on them.
        removed: BTreeSet<i32>,
    },
    /// What is asked for cannot be had with what there is: the storage in use stays.
    Kept {
        /// The storage in use.
        in_use: Storage,
        /// Why.
        why: String,
    },
}

/// The storage that the nodes of a pool were made with, as its pod set remembers it.
pub(crate) fn remembered(pod_set: Option<&StrimziPodSet>) -> Option<Storage> {
    parsed(pod_set?.metadata.annotations.as_ref()?.get(annotations::STORAGE)?)
}

/// The storage that the nodes of a pool have, as far as anything tells; `None`: they have what is asked for, or there are none yet.
pub(crate) fn in_use(
    asked: &Storage,
    cluster: &str,
    pool: &str,
    nodes: &BTreeSet<i32>,
    observed: &Observed,
) -> Option<Storage> {
    let set = observed.pod_sets.get(&names::pod_set(cluster, pool));
    remembered(set.map(AsRef::as_ref)).or_else(|| found_storage::of(asked, cluster, pool, nodes, observed))
}

/// The volume with the metadata log.
pub(crate) fn metadata_of(storage: &Storage) -> Option<i32> {
    let marked = storage.volumes.iter().find(|volume| volume.metadata);
    marked.or_else(|| storage.volumes.first()).and_then(|volume| volume.id)
}

/// The storage that is asked for, with volumes of the one in use that stay for now. Where none that is asked for is marked to hold the
/// metadata log, it stays where it is.
pub(crate) fn with_kept(asked: &Storage, in_use: &Storage, kept: &BTreeSet<i32>) -> Storage {
    let read = |storage: &Storage| serde_json::from_str::<RawStorage>(&storage.json).ok();
    let (Some(mut raw), Some(old)) = (read(asked), read(in_use)) else { return in_use.clone() };
    let mut volumes = raw.volumes.take().unwrap_or_default();
    let is_marked = volumes.iter().any(|volume| volume.kraft_metadata.is_some());
    let stays = |volume: &RawVolume| volume.id.is_some_and(|id| kept.contains(&id));
    for mut volume in old.volumes.into_iter().flatten().filter(stays) {
        volume.kraft_metadata = volume.kraft_metadata.filter(|_| !is_marked);
        volumes.push(volume);
    }
    volumes.sort_by_key(|volume| volume.id);
    let holds_log = metadata_of(in_use);
    let is_marked = volumes.iter().any(|volume| volume.kraft_metadata.is_some());
    if !is_marked && volumes.first().is_some_and(|first| first.id != holds_log) {
        // Without a mark the first one would get it, which may be a volume that leaves.
        if let Some(holder) = volumes.iter_mut().find(|volume| volume.id == holds_log) {
            holder.kraft_metadata = Some(KRaftMetadataStorage::Shared);
        }
    }
    raw.volumes = Some(volumes);
    let mut unheard = Findings::default();
    let storage = storage::read(&raw, "", &mut unheard);
    if unheard.problems.is_empty() { storage } else { in_use.clone() }
}

/// Decides.
pub(crate) fn of(asked: &Storage, in_use: Option<Storage>) -> Volumes {
    let Some(in_use) = in_use else { return Volumes::Settled };
    if asked.volumes.is_empty() || in_use.volumes == asked.volumes && in_use.jbod == asked.jbod {
        return Volumes::Settled;
    }
    if let Some(why) = forbidden(&in_use, asked) {
        return Volumes::Kept { in_use, why };
    }
    let (had, wanted) = (ids(&in_use.volumes), ids(&asked.volumes));
    Volumes::Changing { added: &wanted - &had, removed: &had - &wanted }
}

/// A storage without those of its volumes that have these ids, and which these are. It stays as it is where nothing would be left of it.
pub(crate) fn without(storage: &Storage, ids: &BTreeSet<i32>) -> (Storage, BTreeSet<i32>) {
    let whole = || (storage.clone(), BTreeSet::new());
    let removed = &self::ids(&storage.volumes) & ids;
    let Ok(mut raw) = serde_json::from_str::<RawStorage>(&storage.json) else { return whole() };
    if removed.is_empty() {
        return whole();
    }
    if let Some(volumes) = &mut raw.volumes {
        volumes.retain(|volume| volume.id.is_none_or(|id| !removed.contains(&id)));
    }
    let mut unheard = Findings::default();
    let rest = storage::read(&raw, "", &mut unheard);
    if unheard.problems.is_empty() { (rest, removed) } else { whole() }
}

/// The ids of volumes.
pub(crate) fn ids(volumes: &[Volume]) -> BTreeSet<i32> {
    volumes.iter().filter_map(|volume| volume.id).collect()
}

/// A storage as the annotation remembers it; `None`: it cannot be read.
fn parsed(text: &str) -> Option<Storage> {
    let raw = serde_json::from_str(text).ok()?;
    let mut unheard = Findings::default();
    let read = storage::read(&raw, "", &mut unheard);
    unheard.problems.is_empty().then(|| Storage { json: text.to_owned(), ..read })
}

/// Why a change from one storage to another cannot be made; `None`: it can. What may change: whether claims are
/// deleted, where the metadata log lies, attribute classes, volumes that come and go in a jbod, sizes that grow.
fn forbidden(old: &Storage, new: &Storage) -> Option<String> {
    if old.jbod != new.jbod {
        return Some("the storage type cannot change between jbod and a single volume".to_owned());
    }
    for volume in &new.volumes {
        let Some(before) = old.volumes.iter().find(|before| before.id == volume.id) else { continue };
        let which = volume.id.map_or_else(|| "the volume".to_owned(), |id| format!("volume {id}"));
        match (&before.kind, &volume.kind) {
            (VolumeKind::Ephemeral { .. }, VolumeKind::Ephemeral { .. }) => {}
            (
                VolumeKind::Claim {
                    size: old_size,
                    class: old_class,
                    classes_of_nodes: old_classes,
                    selector: old_selector,
                    ..
                },
                VolumeKind::Claim { size, class, classes_of_nodes, selector, .. },
            ) => {
                if Quantity::parse(size) < Quantity::parse(old_size) {
                    return Some(format!("{which} cannot shrink from {old_size} to {size}"));
                }
                if old_class != class {
                    return Some(format!("the storage class of {which} cannot change"));
                }
                let moved =
                    old_classes.iter().find(|(node, class)| classes_of_nodes.get(node) != Some(class));
                if let Some((node, class)) = moved {
                    return Some(format!(
                        "the storage class {class} of {which} of node {node} cannot change"
                    ));
                }
                if old_selector != selector {
                    return Some(format!("the selector of {which} cannot change"));
                }
            }
            _ => {
                return Some(format!(
                    "the type of {which} cannot change between ephemeral and persistent-claim"
                ));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn storage(raw: &Value) -> Storage {
        parsed(&raw.to_string()).unwrap()
    }

    fn jbod(volumes: &[(i32, &str, Option<&str>)]) -> Value {
        let volume = |(id, size, class): &(i32, &str, Option<&str>)| json!({"id": id, "type": "persistent-claim", "size": size, "class": class});
        json!({"type": "jbod", "volumes": volumes.iter().map(volume).collect::<Vec<_>>()})
    }

    fn change(from: &Value, to: &Value) -> Volumes {
        let set = json!({"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet",
            "metadata": {"annotations": {"strimzi.io/storage": from.to_string()}},
            "spec": {"selector": {}, "pods": []}});
        of(&storage(to), remembered(Some(&serde_json::from_value(set).unwrap())))
    }

    #[test]
    fn volumes_grow_but_never_shrink() {
        let old = jbod(&[(0, "10Gi", None)]);
        let none = BTreeSet::new;
        assert_eq!(change(&old, &old), Volumes::Settled);
        let grown = Volumes::Changing { added: none(), removed: none() };
        assert_eq!(change(&old, &jbod(&[(0, "20Gi", None)])), grown);
        let refused = |to: &Value| match change(&old, to) {
            Volumes::Kept { in_use, why } => {
                assert_eq!(in_use, storage(&old));
                why
            }
            other => panic!("{other:?}"),
        };
        assert!(refused(&jbod(&[(0, "5Gi", None)])).contains("shrink"));
        assert!(refused(&jbod(&[(0, "10Gi", Some("fast"))])).contains("storage class"));
        assert!(refused(&json!({"type": "persistent-claim", "size": "10Gi"})).contains("jbod"));
        let mut of_a_node = old.clone();
        of_a_node["volumes"][0]["overrides"] = json!([{"broker": 0, "class": "zone-a"}]);
        assert_eq!(change(&old, &of_a_node), grown);
        assert!(
            matches!(change(&of_a_node, &old), Volumes::Kept { why, .. } if why.contains("zone-a of volume 0 of node 0"))
        );
        assert!(
            refused(&json!({"type": "jbod", "volumes": [{"id": 0, "type": "ephemeral"}]})).contains("type")
        );
    }

    #[test]
    fn volumes_of_a_jbod_come_and_go() {
        let (old, new) =
            (jbod(&[(0, "1Gi", None), (1, "1Gi", None)]), jbod(&[(1, "1Gi", None), (2, "1Gi", None)]));
        let expected = Volumes::Changing { added: BTreeSet::from([2]), removed: BTreeSet::from([0]) };
        assert_eq!(change(&old, &new), expected);
        assert_eq!(of(&storage(&new), None), Volumes::Settled);
    }
}
