//! Random clusters: nodes with racks and roles, disks of both kinds, partitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, PersistentVolumeClaimVolumeSource, Pod, PodSpec, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use planner::kafka::cluster::Cluster;
use planner::kafka::observed::Observed;
use planner::kafka::settled;
use serde_json::{Value, json};

use super::controller::{Metadata, Registration};
use super::kafka::Kafka;
use super::node::{Disk, Node};
use super::partition::Partition;
use super::quorum::Quorum;
use super::random::Random;
use crate::common::World;

const BOTH: &[&str] = &["controller", "broker"];
const BROKER: &[&str] = &["broker"];
const CONTROLLER: &[&str] = &["controller"];

/// How many nodes a pool has: mostly few.
fn size(random: &mut Random, most: u64) -> u64 {
    let most = if random.permille(100) { most } else { most.min(7) };
    1 + random.within(0..most.max(1))
}

/// What is random of a cluster's resources.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Pools: replicas, roles, whether their disks end with their pods.
    pools: Vec<(u64, &'static [&'static str], bool)>,
    /// How many brokers of a rack may restart at once.
    pub most: u64,
}

impl Shape {
    /// Any shape with so many nodes at most.
    pub(super) fn any(random: &mut Random, most: u64) -> Self {
        let ephemeral = random.permille(600);
        if random.permille(500) || most < 4 {
            // A quorum has at most nine voters that anybody wants.
            let size = size(random, most.min(9));
            // A single controller whose disk ends with its pod has nothing that could be kept.
            return Self { pools: vec![(size, BOTH, ephemeral && size > 1)], most: 1 };
        }
        let voters = [1, 3, 3, 3, 5][random.index(5)];
        let brokers = size(random, most - voters.min(most - 1));
        let mut pools =
            vec![(brokers, BROKER, ephemeral), (voters, CONTROLLER, voters > 1 && random.permille(400))];
        if brokers > 2 && random.permille(300) {
            let half = brokers / 2;
            pools[0].0 = brokers - half;
            pools.push((half, BROKER, !ephemeral));
        }
        Self { pools, most: 1 }
    }

    /// Three controllers, and so many brokers of which so many of a rack may restart at once.
    pub(super) fn of_brokers(brokers: u64, most: u64, ephemeral: bool) -> Self {
        Self { pools: vec![(brokers, BROKER, ephemeral), (3, CONTROLLER, false)], most }
    }

    /// A pool of so many nodes with both roles on disks that end with their pods.
    pub(super) fn ephemeral(nodes: u64) -> Self {
        Self { pools: vec![(nodes, BOTH, true)], most: 1 }
    }

    /// Its resources.
    fn documents(&self) -> Vec<Value> {
        let kafka = json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
            "metadata": {"name": "my", "namespace": "s1", "uid": "kafka-uid", "generation": 1},
            "spec": {"kafka": {"version": "4.3.1", "maxParallelRestarts": self.most, "listeners": [
                {"name": "plain", "port": 9092, "type": "internal", "tls": false}]}},
        });
        let pools = self.pools.iter().enumerate().map(|(index, (replicas, roles, ephemeral))| {
            let storage = if *ephemeral {
                json!({"type": "jbod", "volumes": [{"id": 0, "type": "ephemeral", "kraftMetadata": "shared"}]})
            } else {
                json!({"type": "jbod", "volumes": [
                    {"id": 0, "type": "persistent-claim", "size": "1Gi", "kraftMetadata": "shared"}]})
            };
            json!({
                "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
                "metadata": {"name": format!("p{index}"), "namespace": "s1", "uid": format!("pool-{index}"),
                    "labels": {"strimzi.io/cluster": "my"}},
                "spec": {"replicas": replicas, "roles": roles, "storage": storage},
            })
        });
        std::iter::once(kafka).chain(pools).collect()
    }

    /// The resources on paper.
    pub(super) fn world(&self) -> World {
        World::new(self.documents())
    }
}

/// The cluster as it is validated.
pub(super) fn cluster_of(observed: &Observed) -> Cluster {
    let kafka = observed.kafka.as_deref().unwrap();
    settled::settle(kafka, observed, jiff::Timestamp::UNIX_EPOCH).unwrap().cluster
}

/// The pods that a pod set would list, of a revision.
pub(super) fn pods_of(
    cluster: &Cluster,
    ephemeral: &BTreeMap<i32, bool>,
    revision: u64,
) -> BTreeMap<String, (i32, Arc<Pod>)> {
    let mut pods = BTreeMap::new();
    for node in cluster.nodes() {
        let name = cluster.pod_name(node);
        let role = |is: bool| is.to_string();
        let labels = [
            (api::labels::BROKER_ROLE, role(node.pool.broker)),
            (api::labels::CONTROLLER_ROLE, role(node.pool.controller)),
        ];
        let mut volume = Volume { name: "data-0".to_owned(), ..Volume::default() };
        if ephemeral[&node.id] {
            volume.empty_dir = Some(EmptyDirVolumeSource::default());
        } else {
            let claim_name = api::names::persistent_volume_claim(Some(0), &name);
            volume.persistent_volume_claim =
                Some(PersistentVolumeClaimVolumeSource { claim_name, read_only: None });
        }
        let mount = VolumeMount {
            name: "data-0".to_owned(),
            mount_path: "/var/lib/kafka/data-0".to_owned(),
            ..VolumeMount::default()
        };
        let container =
            Container { name: "kafka".to_owned(), volume_mounts: Some(vec![mount]), ..Container::default() };
        let pod = Pod {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
                annotations: Some([(api::annotations::REVISION.to_owned(), revision.to_string())].into()),
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec {
                containers: vec![container],
                volumes: Some(vec![volume]),
                ..PodSpec::default()
            }),
            status: None,
        };
        pods.insert(name, (node.id, Arc::new(pod)));
    }
    pods
}

/// Which nodes have disks that end with their pods.
pub(super) fn ephemeral_nodes(cluster: &Cluster, shape: &Shape) -> BTreeMap<i32, bool> {
    let of_pool = |name: &str| name[1..].parse::<usize>().is_ok_and(|index| shape.pools[index].2);
    cluster.nodes().into_iter().map(|node| (node.id, of_pool(&node.pool.name))).collect()
}

/// The Kafka that runs on these nodes.
pub(super) fn kafka(cluster: &Cluster, ephemeral: &BTreeMap<i32, bool>, random: &mut Random) -> Kafka {
    let racks = random.within(1..4);
    let mut nodes = BTreeMap::new();
    for node in cluster.nodes() {
        let rack = format!("rack-{}", random.within(0..racks));
        let disk = Disk { directory: 1 + node.id as u64, ..Disk::default() };
        let (controller, broker) = (node.pool.controller, node.pool.broker);
        let ephemeral = ephemeral[&node.id];
        nodes.insert(node.id, Node { id: node.id, controller, broker, ephemeral, rack, disk, process: None });
    }
    let brokers: Vec<i32> = nodes.values().filter(|node| node.broker).map(|node| node.id).collect();
    let number = 1 + random.within(0..(brokers.len() as u64 * 3).min(40));
    let partitions = (0..number).map(|index| partition(index, &brokers, random)).collect();
    let voters =
        nodes.values().filter(|node| node.controller).map(|node| (node.id, node.disk.directory)).collect();
    // All of them stopped in order before.
    let registered = brokers.iter().map(|id| (*id, Registration::stopped(1 + *id as u64))).collect();
    for node in nodes.values_mut() {
        node.disk.closed_under = Some(0);
    }
    let metadata = Metadata { registered, partitions, elr: random.permille(600), ..Metadata::default() };
    let quorum = Quorum { voters, dynamic: random.permille(750), ..Quorum::default() };
    let mut kafka = Kafka::new(nodes, metadata, quorum);
    kafka.written_per_second = [0, 5, 50, 300][random.index(4)];
    kafka.copied_per_second = kafka.written_per_second * 2 + random.within(20..800);
    kafka.lag_ms = [10_000, 30_000][random.index(2)];
    kafka
}

/// Gives each partition replicas in as many racks as there are, as brokers that know their racks do.
pub(super) fn spread_over_racks(kafka: &mut Kafka, random: &mut Random) {
    let mut racks: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for node in kafka.nodes.values().filter(|node| node.broker) {
        racks.entry(node.rack.clone()).or_default().push(node.id);
    }
    for one in &mut kafka.metadata.partitions {
        let mut left: Vec<Vec<i32>> = racks.values().cloned().collect();
        let first = random.index(left.len());
        let mut replicas = Vec::new();
        for step in first.. {
            if replicas.len() == one.replicas.len() {
                break;
            }
            let place = step % left.len();
            if !left[place].is_empty() {
                let taken = random.index(left[place].len());
                replicas.push(left[place].remove(taken));
            }
        }
        one.directories = replicas.iter().map(|id| 1 + *id as u64).collect();
        one.isr.clone_from(&replicas);
        one.replicas = replicas;
    }
}

fn partition(index: u64, brokers: &[i32], random: &mut Random) -> Partition {
    let factor = [1, 2, 2, 3, 3, 3, 4, 5][random.index(8)].min(brokers.len());
    let mut replicas = random.some(brokers, factor);
    random.shuffle(&mut replicas);
    let min_isr = match random.within(0..10) {
        0..5 => factor.saturating_sub(1).max(1),
        5..7 => factor,
        7..9 => 1,
        _ => factor + 1,
    };
    Partition {
        name: format!("t-{index}"),
        directories: replicas.iter().map(|id| 1 + *id as u64).collect(),
        isr: replicas.clone(),
        replicas,
        leader: None,
        leader_epoch: 0,
        eligible: Vec::new(),
        last_known: Vec::new(),
        min_isr,
    }
}
