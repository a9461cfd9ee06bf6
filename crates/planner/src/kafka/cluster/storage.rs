//! The volumes of a node.

use std::collections::BTreeMap;

/// Where the volumes with Kafka's logs are mounted; in a `jbod` storage the volume's id follows.
pub(crate) const DATA_MOUNT: &str = "/var/lib/kafka/data";

/// What the ids of the volumes of a `jbod` storage lead to.
pub(crate) mod jbod {
    use super::DATA_MOUNT;

    /// The name of a volume in a pod.
    pub(crate) fn volume_name(id: i32) -> String {
        format!("data-{id}")
    }

    /// The id of the volume with this name in a pod.
    pub(crate) fn id_of(volume_name: &str) -> Option<i32> {
        volume_name.strip_prefix("data-")?.parse().ok().filter(|id| *id >= 0)
    }

    /// The log directory of a node on a volume.
    pub(crate) fn log_dir(id: i32, node: i32) -> String {
        format!("{DATA_MOUNT}-{id}/kafka-log{node}")
    }

    /// The id of the volume on which a log directory of a node lies.
    pub(crate) fn volume_of(log_dir: &str, node: i32) -> Option<i32> {
        let (id, of_node) = log_dir.strip_prefix(DATA_MOUNT)?.strip_prefix('-')?.split_once("/kafka-log")?;
        id.parse().ok().filter(|_| of_node.parse() == Ok(node))
    }
}

/// A volume of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Id within a `jbod` storage; `None` for the only volume of any other type.
    pub id: Option<i32>,
    /// Whether it holds the metadata log.
    pub metadata: bool,
    /// What kind of volume.
    pub kind: VolumeKind,
}

/// What kind of volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeKind {
    /// Gone with the pod.
    Ephemeral {
        /// Upper bound as a quantity.
        size_limit: Option<String>,
    },
    /// A claim that outlives the pod.
    Claim {
        /// Size as a quantity.
        size: String,
        /// Storage class; `None`: the default one.
        class: Option<String>,
        /// Storage classes of single nodes in its place, by node id.
        classes_of_nodes: BTreeMap<i32, String>,
        /// Labels that the volume must have.
        selector: BTreeMap<String, String>,
        /// Whether the claim goes with the node.
        delete_claim: bool,
        /// Volume attributes class.
        attributes_class: Option<String>,
    },
}

/// The storage of every node of a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Storage {
    /// Volumes in the order of their ids; at least one.
    pub volumes: Vec<Volume>,
    /// Whether it is of type `jbod` (then mounts carry the volume id).
    pub jbod: bool,
    /// The section as JSON, as remembered in the annotation of the pod set.
    pub json: String,
}
