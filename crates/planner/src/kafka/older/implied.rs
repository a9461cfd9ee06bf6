//! Node pools that a Kafka resource of an older version implies: its brokers, and in the place of ZooKeeper its controllers.
//!
//! There is no KafkaNodePool object of them. They are there as long as no such object has their role or their name, and as
//! long as they have nodes: an object of another name adds nodes, and one of their name takes them over.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::common::storage::{Storage, StorageType, Volume, VolumeType};
use api::conditions::reasons;
use api::kafka::Zookeeper;
use api::kafka_node_pool::{KafkaNodePoolTemplate, ProcessRole};
use api::{Kafka, KafkaNodePool, KafkaNodePoolSpec, annotations, labels, names};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_core::ResourceExt;

use crate::findings::Findings;
use crate::kafka::existing;
use crate::kafka::observed::Observed;
use crate::kafka::transitions::quorum::QuorumState;

/// The pool of the brokers. Its pods and claims have the names that those of a cluster with ZooKeeper had.
pub const BROKERS: &str = names::IMPLIED_BROKER_POOL;
/// The pool of the controllers.
pub const CONTROLLERS: &str = names::IMPLIED_CONTROLLER_POOL;
/// The ids that controllers take: brokers count from 0 and can grow.
const CONTROLLER_IDS: &str = "[1000-1099]";
/// The UID of what is no object: the API server gives no such one.
const UID: &str = "implied";
/// How long a new resource waits for node pools that come with it.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// Whether it is the Kafka resource that says what is in the pool.
pub fn is_implied(pool: &KafkaNodePool) -> bool {
    pool.metadata.uid.as_deref() == Some(UID)
}

/// Adds the pools that the Kafka resource implies.
pub fn add(observed: &mut Observed, now: Timestamp) {
    let Some(kafka) = observed.kafka.clone() else { return };
    if wait_seconds(observed, now).is_some() {
        return;
    }
    add_to(&kafka, observed);
}

/// Adds those whose nodes Kafka knows, and nothing else does: it has been asked by now.
pub fn add_known_to_kafka(observed: &mut Observed) {
    if let Some(kafka) = observed.kafka.clone().filter(|_| !observed.pools.is_empty()) {
        add_to(&kafka, observed);
    }
}

fn add_to(kafka: &Kafka, observed: &mut Observed) {
    let has = |name: &str, role: ProcessRole| has_nodes(observed, &kafka.name_any(), name, role);
    let added = of(kafka, &observed.pools, has);
    let left = [(BROKERS, ProcessRole::Broker), (CONTROLLERS, ProcessRole::Controller)]
        .into_iter()
        .filter_map(|(name, role)| {
            let is_there = |pool: &KafkaNodePool| pool.name_any() == name;
            let gone = !added.iter().any(is_there) && !observed.pools.iter().any(|pool| is_there(pool));
            (gone && has(name, role)).then(|| left_behind(kafka, observed, name, role))
        });
    let left: Vec<KafkaNodePool> = left.collect();
    observed.pools.extend(added.into_iter().chain(left).map(Arc::new));
    observed.pools.sort_by_key(|pool| pool.name_any());
}

/// Whether [`add`] is to add a pool of this name.
pub(crate) fn is_to_be_added(observed: &Observed, name: &str) -> bool {
    let Some(kafka) = observed.kafka.as_deref() else { return false };
    let has = |name: &str, role: ProcessRole| has_nodes(observed, &kafka.name_any(), name, role);
    of(kafka, &observed.pools, has).iter().any(|pool| pool.name_any() == name)
}

/// The pools that a Kafka resource implies beside the objects that are there. `has_nodes` says whether an implied pool has some.
pub fn of(
    kafka: &Kafka,
    objects: &[Arc<KafkaNodePool>],
    has_nodes: impl Fn(&str, ProcessRole) -> bool,
) -> Vec<KafkaNodePool> {
    let wanted = |name: &str, role: ProcessRole, annotation: &str| {
        let named = objects.iter().any(|pool| pool.name_any() == name);
        let taken = objects.iter().any(|pool| pool.spec.roles.contains(&role));
        let off = kafka.annotations().get(annotation).is_some_and(|value| value != "disabled");
        !named && (has_nodes(name, role) || !taken && !off)
    };
    let mut pools = Vec::new();
    if wanted(BROKERS, ProcessRole::Broker, annotations::NODE_POOLS) {
        pools.extend(brokers(kafka));
    }
    if wanted(CONTROLLERS, ProcessRole::Controller, annotations::KRAFT) {
        pools.extend(kafka.spec.zookeeper.as_deref().map(|zookeeper| controllers(kafka, zookeeper)));
    }
    pools
}

/// Names of the pools that a Kafka resource may imply.
pub fn pool_names(kafka: &Kafka) -> impl Iterator<Item = &'static str> {
    let brokers = kafka.spec.kafka.replicas.is_some().then_some(BROKERS);
    brokers.into_iter().chain(kafka.spec.zookeeper.is_some().then_some(CONTROLLERS))
}

/// Seconds until the pools are taken as implied: objects may come with a new resource, and are not there at the same moment.
pub fn wait_seconds(observed: &Observed, now: Timestamp) -> Option<u64> {
    let kafka = observed.kafka.as_deref()?;
    let created = kafka.metadata.creation_timestamp.as_ref()?.0;
    let rest = PATIENCE - now.duration_since(created);
    let is_new = kafka.status.as_ref().is_none_or(|status| status.cluster_id.is_none());
    let nothing_yet = observed.pools.is_empty() && observed.pod_sets.is_empty();
    if !rest.is_positive() || !is_new || !nothing_yet || of(kafka, &[], |_, _| false).is_empty() {
        return None;
    }
    u64::try_from(rest.as_secs()).ok().map(|seconds| seconds + 1)
}

/// Whether [`add`] left the pools out for that reason.
pub fn are_awaited(observed: &Observed) -> bool {
    observed.pools.is_empty()
        && observed.kafka.as_deref().is_some_and(|kafka| !of(kafka, &[], |_, _| false).is_empty())
}

/// Says what became of the fields that imply pools.
pub fn say(kafka: &Kafka, pools: &[Arc<KafkaNodePool>], findings: &mut Findings) {
    let is_implied = |name: &str| pools.iter().any(|pool| pool.name_any() == name && is_implied(pool));
    let spec = &kafka.spec;
    let cluster = kafka.name_any();
    let of_brokers = spec.kafka.replicas.is_some() || spec.kafka.storage.is_some();
    if is_implied(BROKERS) {
        match (spec.kafka.replicas, &spec.kafka.storage) {
            (None, _) => findings.problem("spec.kafka.replicas", left(&cluster, BROKERS, "broker")),
            (Some(_), None) => findings.problem(
                "spec.kafka.storage",
                "is missing: say where the brokers keep their data, for example {type: persistent-claim, size: 100Gi}",
            ),
            (Some(_), Some(_)) => deprecated(
                findings,
                format!(
                    "spec.kafka.replicas and spec.kafka.storage: the brokers run as pool {BROKERS} without a KafkaNodePool \
                     (StrimziPodSet {}); to clear this warning, create a KafkaNodePool {BROKERS} with roles: [broker] and the \
                     same replicas, storage and resources, and then remove these fields: nothing moves",
                    names::pod_set(&cluster, BROKERS)
                ),
            ),
        }
    } else if of_brokers {
        deprecated(
            findings,
            "spec.kafka.replicas and spec.kafka.storage mean nothing beside KafkaNodePools with brokers: remove them".to_owned(),
        );
    }
    if is_implied(CONTROLLERS) {
        if spec.zookeeper.is_some() {
            deprecated(
                findings,
                format!(
                    "spec.zookeeper: Kafka runs without ZooKeeper; its replicas, storage, resources, jvmOptions and template are \
                     those of the KRaft controllers, pool {CONTROLLERS} without a KafkaNodePool (StrimziPodSet {}); to clear this \
                     warning, create a KafkaNodePool {CONTROLLERS} with roles: [controller] and the same content, and then remove \
                     the section: nothing moves",
                    names::pod_set(&cluster, CONTROLLERS)
                ),
            );
        } else {
            findings.problem("spec.zookeeper", left(&cluster, CONTROLLERS, "controller"));
        }
    } else if spec.zookeeper.is_some() {
        deprecated(
            findings,
            "spec.zookeeper means nothing beside KafkaNodePools with controllers: remove it".to_owned(),
        );
    }
}

fn deprecated(findings: &mut Findings, message: String) {
    findings.warn(reasons::DEPRECATED_FIELDS, message);
}

/// That nodes lost what describes them.
fn left(cluster: &str, pool: &str, role: &str) -> String {
    format!(
        "is gone, and the nodes of pool {pool} (StrimziPodSet {}) run on as they are: create a KafkaNodePool {pool} with \
         roles: [{role}] and their replicas and storage, or put the field back; volumes of nodes that are no more count as long \
         as their PersistentVolumeClaims are there",
        names::pod_set(cluster, pool)
    )
}

/// Whether an implied pool has nodes, as far as its marks tell: a pod set that lists some, or volumes of nodes.
///
/// A volume stays when its node leaves for good, so where KafkaNodePools have the role by now, it takes a second witness: a pod, a pod
/// set, the node's ConfigMap, Kafka, or what is remembered of the quorum. Without such a KafkaNodePool the volumes are all that is left
/// of the cluster's records, and count. So they do before Kafka has said for the first time which nodes it has: of a resource that was
/// deleted and made again nothing else is left.
fn has_nodes(observed: &Observed, cluster: &str, name: &str, role: ProcessRole) -> bool {
    let implied = |metadata: &ObjectMeta| {
        annotations::is_true(metadata.annotations.as_ref(), annotations::IMPLIED_POOL)
    };
    let set = observed.pod_sets.get(&names::pod_set(cluster, name)).filter(|set| implied(&set.metadata));
    if set.is_some_and(|set| !set.spec.pods.is_empty()) {
        return true;
    }
    let claims = observed.claims.iter().filter(|(_, claim)| implied(&claim.metadata));
    let ids: BTreeSet<i32> = claims
        .filter_map(|(claim, found)| {
            existing::node_of_claim(cluster, name, claim, found.metadata.labels.as_ref())
        })
        .collect();
    let replaced = observed.pools.iter().any(|pool| !is_implied(pool) && pool.spec.roles.contains(&role));
    let never_told = observed.view.is_none() && !QuorumState::of(observed).has_existed();
    if !replaced || never_told {
        return set.is_some() || !ids.is_empty();
    }
    !ids.is_empty() && !ids.is_disjoint(&existing::witnessed(observed, cluster, name))
}

fn pool(kafka: &Kafka, name: &str, role: ProcessRole, replicas: i32, storage: Storage) -> KafkaNodePool {
    let mut labels = kafka.metadata.labels.clone().unwrap_or_default();
    labels.insert(labels::CLUSTER.to_owned(), kafka.name_any());
    let spec = KafkaNodePoolSpec {
        replicas,
        storage,
        roles: vec![role],
        resources: None,
        jvm_options: None,
        template: None,
    };
    let mut pool = KafkaNodePool::new(name, spec);
    pool.metadata.namespace = kafka.namespace();
    pool.metadata.uid = Some(UID.to_owned());
    pool.metadata.labels = Some(labels);
    if role == ProcessRole::Controller {
        let ids = (annotations::NEXT_NODE_IDS.to_owned(), CONTROLLER_IDS.to_owned());
        pool.metadata.annotations = Some([ids].into());
    }
    pool
}

fn brokers(kafka: &Kafka) -> Option<KafkaNodePool> {
    let spec = &kafka.spec.kafka;
    let storage = spec.storage.as_deref().cloned().unwrap_or_else(ephemeral);
    Some(pool(kafka, BROKERS, ProcessRole::Broker, spec.replicas?, storage))
}

fn controllers(kafka: &Kafka, zookeeper: &Zookeeper) -> KafkaNodePool {
    let mut pool =
        pool(kafka, CONTROLLERS, ProcessRole::Controller, zookeeper.replicas, storage_of(&zookeeper.storage));
    pool.spec.resources.clone_from(&zookeeper.resources);
    // What the brokers have is not for the controllers: ZooKeeper had options and a template of its own.
    pool.spec.jvm_options = Some(zookeeper.jvm_options.clone().unwrap_or_default());
    let template = zookeeper.template.clone().unwrap_or_default();
    pool.spec.template = Some(KafkaNodePoolTemplate {
        pod_set: Some(template.pod_set.unwrap_or_default()),
        pod: Some(template.pod.unwrap_or_default()),
        persistent_volume_claim: Some(template.persistent_volume_claim.unwrap_or_default()),
        kafka_container: Some(template.zookeeper_container.unwrap_or_default()),
        ..KafkaNodePoolTemplate::default()
    });
    pool
}

/// A pool whose description is gone while its nodes are there, as far as they tell.
fn left_behind(kafka: &Kafka, observed: &Observed, name: &str, role: ProcessRole) -> KafkaNodePool {
    let set = observed.pod_sets.get(&names::pod_set(&kafka.name_any(), name));
    let remembered = set.and_then(|set| set.metadata.annotations.as_ref()?.get(annotations::STORAGE));
    let storage = remembered.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(ephemeral);
    let replicas = set.map_or(0, |set| set.spec.pods.len());
    pool(kafka, name, role, i32::try_from(replicas).unwrap_or(0), storage)
}

fn ephemeral() -> Storage {
    storage_of(&Volume::new(VolumeType::Ephemeral))
}

/// A storage with one volume.
fn storage_of(volume: &Volume) -> Storage {
    let volume = volume.clone();
    Storage {
        type_: match volume.type_ {
            VolumeType::Ephemeral => StorageType::Ephemeral,
            VolumeType::PersistentClaim => StorageType::PersistentClaim,
        },
        id: None,
        size: volume.size,
        class: volume.class,
        selector: volume.selector,
        delete_claim: volume.delete_claim,
        volume_attributes_class: volume.volume_attributes_class,
        size_limit: volume.size_limit,
        kraft_metadata: volume.kraft_metadata,
        volumes: None,
        overrides: volume.overrides,
    }
}
