//! `spec.storage` of a pool, and which changes of it are possible.

use std::collections::BTreeSet;

use api::common::storage::{Storage, StorageType, Volume as RawVolume, VolumeType};

use objects::quantity::Quantity;

use super::Findings;
use crate::kafka::cluster::{Volume, VolumeKind};

/// Reads a storage. `field` is the path for messages.
pub fn validate(storage: &Storage, field: &str, findings: &mut Findings) -> (Vec<Volume>, bool) {
    let before = findings.problems.len();
    let mut volumes = Vec::new();
    let jbod = storage.type_ == StorageType::Jbod;
    if jbod {
        let raw = storage.volumes.as_deref().unwrap_or_default();
        if raw.is_empty() {
            findings
                .problem(format!("{field}.volumes"), "is empty: a jbod storage needs at least one volume");
        }
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
            volumes.extend(one(volume, volume.id, &path, findings));
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
        };
        volumes.extend(one(&only, None, field, findings));
    }
    if volumes.is_empty() && findings.problems.len() == before {
        findings.problem(field, "has no volume");
    }
    (volumes, jbod)
}

fn one(raw: &RawVolume, id: Option<i32>, field: &str, findings: &mut Findings) -> Option<Volume> {
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
                selector: raw.selector.clone().unwrap_or_default(),
                delete_claim: raw.delete_claim.unwrap_or(false),
                attributes_class: raw.volume_attributes_class.clone(),
            }
        }
    };
    Some(Volume { id, metadata: raw.kraft_metadata.is_some(), kind })
}

/// Why a change from one storage to another cannot be made; `None`: it can. What may change: whether claims are
/// deleted, where the metadata log lies, attribute classes, volumes that come and go in a jbod, sizes that grow.
pub fn forbidden_change(old: &[Volume], old_jbod: bool, new: &[Volume], new_jbod: bool) -> Option<String> {
    if old_jbod != new_jbod {
        return Some("the storage type cannot change between jbod and a single volume".to_owned());
    }
    for volume in new {
        let Some(before) = old.iter().find(|before| before.id == volume.id) else { continue };
        let which = volume.id.map_or_else(|| "the volume".to_owned(), |id| format!("volume {id}"));
        match (&before.kind, &volume.kind) {
            (VolumeKind::Ephemeral { .. }, VolumeKind::Ephemeral { .. }) => {}
            (
                VolumeKind::Claim { size: old_size, class: old_class, selector: old_selector, .. },
                VolumeKind::Claim { size, class, selector, .. },
            ) => {
                if Quantity::parse(size) < Quantity::parse(old_size) {
                    return Some(format!("{which} cannot shrink from {old_size} to {size}"));
                }
                if old_class != class {
                    return Some(format!("the storage class of {which} cannot change"));
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
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn volumes_grow_but_never_shrink() {
        let claim = |size: &str, class: Option<&str>| Volume {
            id: Some(0),
            metadata: false,
            kind: VolumeKind::Claim {
                size: size.to_owned(),
                class: class.map(str::to_owned),
                selector: BTreeMap::new(),
                delete_claim: false,
                attributes_class: None,
            },
        };
        let old = [claim("10Gi", None)];
        assert_eq!(forbidden_change(&old, true, &[claim("20Gi", None)], true), None);
        assert_eq!(forbidden_change(&old, true, &[claim("10240Mi", None)], true), None);
        assert!(forbidden_change(&old, true, &[claim("5Gi", None)], true).unwrap().contains("shrink"));
        assert!(forbidden_change(&old, true, &[claim("10Gi", Some("fast"))], true).is_some());
        assert!(forbidden_change(&old, true, &[claim("10Gi", None)], false).is_some());
    }
}
