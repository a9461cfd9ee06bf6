//! Storage of Kafka nodes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::schema::{JsonSchema, string_enum};

/// Where nodes keep their data.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// `ephemeral` loses its data with the pod, `persistent-claim` keeps it on one volume, `jbod` on several.
    #[serde(rename = "type")]
    pub type_: StorageType,
    /// Number of the volume. Used within `jbod` only.
    #[schemars(range(min = 0))]
    pub id: Option<i32>,
    /// Size of the volume, for example `100Gi` (`persistent-claim`, where it is required). It can grow.
    pub size: Option<String>,
    /// Storage class of the volume (`persistent-claim`). The default is the cluster's default class.
    pub class: Option<String>,
    /// Labels the volume must have (`persistent-claim`).
    pub selector: Option<BTreeMap<String, String>>,
    /// Whether the claims are deleted with the cluster (`persistent-claim`). The default is false: data is kept.
    pub delete_claim: Option<bool>,
    /// Volume attributes class of the volume (`persistent-claim`). The default is none.
    pub volume_attributes_class: Option<String>,
    /// Largest size of the volume (`ephemeral`). The default is no limit but the node's disk.
    #[schemars(regex(pattern = r"^([0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"))]
    pub size_limit: Option<String>,
    /// `shared` puts the KRaft metadata log on this volume. The default is the volume with the lowest number.
    pub kraft_metadata: Option<KRaftMetadataStorage>,
    /// The volumes (`jbod`).
    pub volumes: Option<Vec<Volume>>,
    /// Storage classes of single nodes, in a resource of an older version.
    pub overrides: Option<Vec<StorageOverride>>,
}

/// One volume of `jbod` storage.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// `ephemeral` loses its data with the pod, `persistent-claim` keeps it.
    #[serde(rename = "type")]
    pub type_: VolumeType,
    /// Number of the volume, unique in the pool. It is part of the claim's name and must stay with the volume.
    #[schemars(range(min = 0))]
    pub id: Option<i32>,
    /// Size of the volume, for example `100Gi` (`persistent-claim`, where it is required). It can grow.
    pub size: Option<String>,
    /// Storage class of the volume (`persistent-claim`). The default is the cluster's default class.
    pub class: Option<String>,
    /// Labels the volume must have (`persistent-claim`).
    pub selector: Option<BTreeMap<String, String>>,
    /// Whether the claim is deleted with the cluster or with the volume's entry here (`persistent-claim`). The default
    /// is false: data is kept.
    pub delete_claim: Option<bool>,
    /// Volume attributes class of the volume (`persistent-claim`). The default is none.
    pub volume_attributes_class: Option<String>,
    /// Largest size of the volume (`ephemeral`). The default is no limit but the node's disk.
    #[schemars(regex(pattern = r"^([0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"))]
    pub size_limit: Option<String>,
    /// `shared` puts the KRaft metadata log on this volume. At most one volume may say so; the default is the volume
    /// with the lowest number.
    pub kraft_metadata: Option<KRaftMetadataStorage>,
    /// Storage classes of single nodes, in a resource of an older version.
    pub overrides: Option<Vec<StorageOverride>>,
}

impl Volume {
    /// A volume of a kind of which nothing else is said.
    pub fn new(type_: VolumeType) -> Self {
        Self {
            type_,
            id: None,
            size: None,
            class: None,
            selector: None,
            delete_claim: None,
            volume_attributes_class: None,
            size_limit: None,
            kraft_metadata: None,
            overrides: None,
        }
    }
}

/// The storage class of one node, in a resource of an older version.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageOverride {
    /// The class.
    pub class: Option<String>,
    /// Id of the node.
    pub broker: Option<i32>,
}

string_enum! {
    /// Kinds of storage.
    StorageType {
        /// An `emptyDir`.
        Ephemeral = "ephemeral",
        /// One PersistentVolumeClaim.
        PersistentClaim = "persistent-claim",
        /// Several volumes.
        Jbod = "jbod",
    }
}

string_enum! {
    /// Kinds of volumes within `jbod` storage.
    VolumeType {
        /// An `emptyDir`.
        Ephemeral = "ephemeral",
        /// A PersistentVolumeClaim.
        PersistentClaim = "persistent-claim",
    }
}

string_enum! {
    /// How the KRaft metadata log uses a volume.
    KRaftMetadataStorage {
        /// Beside the logs of partitions.
        Shared = "shared",
    }
}
