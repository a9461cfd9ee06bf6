//! `spec.storage` of a pool, and which changes of it are possible.

use std::collections::BTreeSet;

use api::common::storage::{Storage, StorageType, Volume as RawVolume, VolumeType};

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
            if let Some(limit) = raw.size_limit.as_deref().filter(|limit| quantity(limit).is_none()) {
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
            if quantity(&size).is_none_or(|bytes| bytes <= 0.0) {
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

/// A quantity as a number, in its own unit.
pub fn quantity(text: &str) -> Option<f64> {
    const SUFFIXES: &[(&str, f64)] = &[
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("m", 1e-3),
        ("k", 1e3),
        ("K", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let text = text.trim();
    for (suffix, factor) in SUFFIXES {
        if let Some(number) = text.strip_suffix(suffix) {
            return number
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
                .map(|number| number * factor);
        }
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
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
                if quantity(size) < quantity(old_size) {
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
    fn quantities_are_read_in_every_notation() {
        assert_eq!(quantity("1Ki"), Some(1024.0));
        assert_eq!(quantity("1.5G"), Some(1.5e9));
        assert_eq!(quantity("100m"), Some(0.1));
        assert_eq!(quantity("1e3"), Some(1000.0));
        assert_eq!(quantity("7"), Some(7.0));
        assert_eq!(quantity("ten"), None);
    }

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
