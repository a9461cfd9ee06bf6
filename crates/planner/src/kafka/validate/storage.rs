//! `spec.storage` of a pool.

use std::collections::BTreeSet;

use api::common::storage::{Storage as RawStorage, StorageType, Volume as RawVolume, VolumeType};

use objects::quantity::Quantity;

use super::Findings;
use crate::kafka::cluster::{Storage, Volume, VolumeKind};

/// Volumes of a node, at most: each is a disk, and a claim of every node.
pub(crate) const MAX_VOLUMES: usize = 100;

/// Reads a storage. `field` is the path for messages.
pub(crate) fn read(storage: &RawStorage, field: &str, findings: &mut Findings) -> Storage {
    let before = findings.problems.len();
    let mut volumes = Vec::new();
    let jbod = storage.type_ == StorageType::Jbod;
    if jbod {
        let raw = storage.volumes.as_deref().unwrap_or_default();
        if raw.is_empty() {
            findings
                .problem(format!("{field}.volumes"), "is empty: a jbod storage needs at least one volume");
        }
        if raw.len() > MAX_VOLUMES {
            findings.problem(
                format!("{field}.volumes"),
                format!("has {} volumes: write at most {MAX_VOLUMES}", raw.len()),
            );
        }
        let raw = raw.get(..MAX_VOLUMES).unwrap_or(raw);
        let mut ids = BTreeSet::new();
        for (index, volume) in raw.iter().enumerate() {
            let path = format!("{field}.volumes[{index}]");
            match volume.id {
                None => findings.problem(
                    format!("{path}.id"),
                    "is missing: give each volume a number of its own, from 0",
                ),
                Some(id) if !ids.insert(id) => {
                    findings.problem(
                        format!("{path}.id"),
                        format!("{id} is used twice: give each volume a number of its own"),
                    );
                }
                Some(id) if id < 0 => {
                    findings.problem(format!("{path}.id"), format!("{id} is negative: write 0 or more"));
                }
                Some(_) => {}
            }
            volumes.extend(read_volume(volume, volume.id, &path, findings));
        }
        if raw.iter().filter(|volume| volume.kraft_metadata.is_some()).count() > 1 {
            findings.problem(
                format!("{field}.volumes"),
                "more than one volume has kraftMetadata: shared: leave it on one",
            );
        }
        volumes.sort_by_key(|volume| volume.id);
    } else {
        let type_ = if storage.type_ == StorageType::Ephemeral {
            VolumeType::Ephemeral
        } else {
            VolumeType::PersistentClaim
        };
        let only = RawVolume {
            type_,
            id: None,
            size: storage.size.clone(),
            class: storage.class.clone(),
            selector: storage.selector.clone(),
            delete_claim: storage.delete_claim,
            volume_attributes_class: storage.volume_attributes_class.clone(),
            size_limit: storage.size_limit.clone(),
            kraft_metadata: storage.kraft_metadata,
            overrides: storage.overrides.clone(),
        };
        volumes.extend(read_volume(&only, None, field, findings));
    }
    if volumes.is_empty() && findings.problems.len() == before {
        findings.problem(field, "has no volume");
    }
    Storage { volumes, jbod, json: serde_json::to_string(storage).unwrap_or_default() }
}

fn read_volume(raw: &RawVolume, id: Option<i32>, field: &str, findings: &mut Findings) -> Option<Volume> {
    let kind = match raw.type_ {
        VolumeType::Ephemeral => {
            if let Some(limit) = raw.size_limit.as_deref().filter(|limit| Quantity::parse(limit).is_none()) {
                findings.problem(
                    format!("{field}.sizeLimit"),
                    format!("{limit:?} is not a quantity: write for example 10Gi"),
                );
            }
            VolumeKind::Ephemeral { size_limit: raw.size_limit.clone() }
        }
        VolumeType::PersistentClaim => {
            let Some(size) = raw.size.clone().filter(|size| !size.is_empty()) else {
                findings.problem(
                    format!("{field}.size"),
                    "is missing: a persistent-claim needs a size, for example 100Gi",
                );
                return None;
            };
            if !Quantity::parse(&size).is_some_and(Quantity::is_positive) {
                findings.problem(
                    format!("{field}.size"),
                    format!("{size:?} is not a quantity: write for example 100Gi"),
                );
                return None;
            }
            VolumeKind::Claim {
                size,
                class: raw.class.clone(),
                classes_of_nodes: raw
                    .overrides
                    .iter()
                    .flatten()
                    .filter_map(|one| Some((one.broker?, one.class.clone()?)))
                    .collect(),
                selector: raw.selector.clone().unwrap_or_default(),
                delete_claim: raw.delete_claim.unwrap_or(false),
                attributes_class: raw.volume_attributes_class.clone(),
            }
        }
    };
    Some(Volume { id, metadata: raw.kraft_metadata.is_some(), kind })
}
