//! The controllers that take ZooKeeper's place.

use std::collections::{BTreeMap, BTreeSet};

use api::common::pod_template::PodTemplate;
use api::common::storage::{Storage, StorageType, Volume, VolumeType};
use api::kafka_node_pool::{KafkaNodePoolTemplate, ProcessRole};
use api::{KafkaNodePool, KafkaNodePoolSpec, annotations, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::notes::Notes;
use super::storage as volumes;

/// The pool, where no pool of brokers has the name.
const NAME: &str = "controller";
/// The first id of a controller where brokers leave it free: brokers count from 0 and can grow.
const FIRST_ID: i32 = 1000;
/// Their disk: the log of the metadata.
const SIZE: &str = "10Gi";

/// A pool of controllers beside pools of brokers: three, or one for fewer than three brokers.
pub(super) fn pool(cluster: &ObjectMeta, brokers: &[KafkaNodePool], ids: &BTreeSet<i32>) -> KafkaNodePool {
    let is_taken = |name: &str| brokers.iter().any(|pool| pool.metadata.name.as_deref() == Some(name));
    let name = [NAME, "kraft", "quorum"].into_iter().find(|name| !is_taken(name)).unwrap_or("metadata");
    let count = if ids.len() < 3 { 1 } else { 3 };
    let first = if ids.range(FIRST_ID..FIRST_ID + count).next().is_none() {
        FIRST_ID
    } else {
        ids.last().map_or(FIRST_ID, |last| last.saturating_add(1))
    };
    let wish = if count == 1 { format!("[{first}]") } else { format!("[{first}-{}]", first + count - 1) };
    let like = brokers.first();
    KafkaNodePool {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: cluster.namespace.clone(),
            labels: Some(BTreeMap::from([(
                labels::CLUSTER.to_owned(),
                cluster.name.clone().unwrap_or_default(),
            )])),
            annotations: Some(BTreeMap::from([(annotations::NEXT_NODE_IDS.to_owned(), wish)])),
            ..ObjectMeta::default()
        },
        spec: KafkaNodePoolSpec {
            replicas: count,
            storage: storage(like.map(|pool| &pool.spec.storage)),
            roles: vec![ProcessRole::Controller],
            resources: None,
            jvm_options: None,
            template: like.and_then(|pool| pool.spec.template.as_ref()).and_then(template),
        },
        status: None,
    }
}

/// Ephemeral beside brokers that forget everything; else a claim of the class of the brokers.
fn storage(brokers: Option<&Storage>) -> Storage {
    let first = brokers.and_then(|storage| storage.volumes.as_ref()?.first());
    let is_ephemeral = brokers.is_some_and(|storage| match &storage.volumes {
        Some(volumes) => volumes.iter().all(|volume| volume.type_ == VolumeType::Ephemeral),
        None => storage.type_ == StorageType::Ephemeral,
    });
    let class = first.and_then(|volume| volume.class.clone()).or_else(|| brokers?.class.clone());
    let volume = if is_ephemeral {
        Volume { id: Some(0), ..Volume::new(VolumeType::Ephemeral) }
    } else {
        Volume { id: Some(0), size: Some(SIZE.to_owned()), class, ..Volume::new(VolumeType::PersistentClaim) }
    };
    volumes::jbod(vec![volume])
}

/// What of the brokers' pods holds for controllers too: where they may run and with which images.
fn template(of: &KafkaNodePoolTemplate) -> Option<KafkaNodePoolTemplate> {
    let brokers = of.pod.as_ref()?;
    let mut affinity = brokers.affinity.clone();
    if let Some(affinity) = &mut affinity {
        affinity.pod_affinity = None;
        affinity.pod_anti_affinity = None;
    }
    let pod = PodTemplate {
        image_pull_secrets: brokers.image_pull_secrets.clone(),
        tolerations: brokers.tolerations.clone(),
        affinity: affinity.filter(|affinity| affinity.node_affinity.is_some()),
        priority_class_name: brokers.priority_class_name.clone(),
        ..PodTemplate::default()
    };
    (pod != PodTemplate::default())
        .then(|| KafkaNodePoolTemplate { pod: Some(pod), ..KafkaNodePoolTemplate::default() })
}

/// Says that the result is a new cluster.
pub(super) fn say_that_data_stays(cluster: &str, notes: &mut Notes) {
    notes.changed(
        "metadata.name",
        &Value::from(cluster),
        "the result is a new cluster with an authority and an id of its own: records stay in the former one; run both side by side, \
         copy with a KafkaMirrorMaker2, then let clients move",
    );
}
