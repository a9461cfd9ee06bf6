//! A node pool.

use std::collections::{BTreeMap, BTreeSet};

use api::kafka::template::KafkaClusterTemplate;
use k8s_openapi::api::core::v1::ResourceRequirements;

use super::Warning;
use super::storage::{DATA_MOUNT, Storage, Volume, jbod};
use super::volume_removal::VolumeRemoval;
use crate::process::JvmOptions;

/// A node pool.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "roles, whether it is empty, and the form of the storage")]
pub struct Pool {
    /// Name of the pool, which is that of the KafkaNodePool.
    pub name: String,
    /// Its UID, for owner references.
    pub uid: String,
    /// Where what is known of it comes from.
    pub origin: PoolOrigin,
    /// What its objects belong to.
    pub owner: PoolOwner,
    /// What its pod set is to remember of the KafkaNodePool.
    pub remembered: Option<String>,
    /// `metadata.generation`, for the status.
    pub generation: Option<i64>,
    /// Its labels, without those that are not passed on.
    pub labels: BTreeMap<String, String>,
    /// Whether its nodes are controllers.
    pub controller: bool,
    /// Whether its nodes are brokers.
    pub broker: bool,
    /// Node ids, ascending. They include nodes whose removal is held back.
    pub nodes: BTreeSet<i32>,
    /// Those of them that are to leave, or to be no brokers any more, and cannot do so yet: nothing is moved to them.
    pub leaving: BTreeSet<i32>,
    /// Those of them that leave when they are empty, and are emptied for that.
    pub drained: BTreeSet<i32>,
    /// Whether they are empty, and leave when Kafka has no trace of what emptied them.
    pub emptied: bool,
    /// Controllers among them that are to lose their votes: they are started so that they do not join the quorum again.
    pub departing: BTreeSet<i32>,
    /// What has to come before the pool gets all the nodes that it asks for; it comes by itself.
    pub waits_for: Option<String>,
    /// Volumes of the nodes, in the order of their ids; at least one. A node has those of [`Self::volumes_of`].
    pub volumes: Vec<Volume>,
    /// Those of them that are no longer asked for, and what keeps them.
    pub removal: VolumeRemoval,
    /// Whether the storage is of type `jbod` (then mounts carry the volume id).
    pub jbod: bool,
    /// The storage as JSON, as remembered in the annotation of the pod set.
    pub storage_json: String,
    /// `resources` of the Kafka container.
    pub resources: Option<ResourceRequirements>,
    /// Options of the JVM.
    pub jvm: JvmOptions,
    /// Templates: the pool's over those of the Kafka resource, section by section.
    pub templates: KafkaClusterTemplate,
    /// Warnings about the pool, for its status.
    pub warnings: Vec<Warning>,
}

/// Where what is known of a pool comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolOrigin {
    /// Its KafkaNodePool.
    Resource,
    /// What its pod set remembers of a KafkaNodePool that is gone: the nodes are to leave.
    Deleted,
    /// The Kafka resource, and no KafkaNodePool.
    Implied,
}

/// What the objects of a pool belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolOwner {
    /// The KafkaNodePool: they go with it.
    Pool,
    /// The KafkaNodePool and the Kafka resource: they go with the last of both.
    PoolAndCluster,
    /// The Kafka resource: there is no KafkaNodePool, or Kubernetes takes it out of its objects, or waits until no object names it.
    Cluster,
}

impl PoolOrigin {
    /// Whether there is a KafkaNodePool, which has a status.
    pub fn has_resource(self) -> bool {
        self == Self::Resource
    }
}

impl Pool {
    /// The volumes of a node: those that are no longer asked for stay until nothing is on them.
    pub fn volumes_of(&self, node: i32) -> impl Iterator<Item = &Volume> {
        let is_released =
            move |volume: &Volume| volume.id.is_some_and(|id| self.removal.is_released(node, id));
        self.volumes.iter().filter(move |volume| !is_released(volume))
    }

    /// `/var/lib/kafka/data` or `/var/lib/kafka/data-<id>`.
    pub fn mount_path(volume: &Volume) -> String {
        match volume.id {
            Some(id) => format!("{DATA_MOUNT}-{id}"),
            None => DATA_MOUNT.to_owned(),
        }
    }

    /// Whether Kafka's logs lie on what is mounted at this path: [`Self::mount_path`] of some volume.
    pub fn is_data_mount(path: &str) -> bool {
        path.strip_prefix(DATA_MOUNT).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// `data` or `data-<id>`.
    pub fn volume_name(volume: &Volume) -> String {
        match volume.id {
            Some(id) => jbod::volume_name(id),
            None => "data".to_owned(),
        }
    }

    /// The log directory of a node on a volume.
    pub fn log_dir(volume: &Volume, node: i32) -> String {
        format!("{}/kafka-log{node}", Self::mount_path(volume))
    }

    /// The volume with the metadata log: the one that is marked, else the first.
    pub fn metadata_volume(&self) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.metadata).or_else(|| self.volumes.first())
    }

    /// Gives the nodes a storage.
    pub fn use_storage(&mut self, storage: Storage) {
        (self.volumes, self.jbod, self.storage_json) = (storage.volumes, storage.jbod, storage.json);
    }

    /// `controller`, `broker`, in the order of the status of a pool.
    pub fn roles(&self) -> Vec<&'static str> {
        let mut roles = Vec::new();
        if self.controller {
            roles.push("controller");
        }
        if self.broker {
            roles.push("broker");
        }
        roles
    }
}
