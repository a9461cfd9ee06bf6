//! Leaders for partitions that have none after their broker started without a volume.
//!
//! A broker tells the controllers on which of its disks each replica lies. It may stop with a report under way that takes back an earlier
//! one, although the move is done: the controllers then place the replica on the volume that left. At the next start they elect no leader
//! from there, and when the broker corrects them a moment later they do not try again before `leader.imbalance.check.interval.seconds`
//! (five minutes) are over, or never where `auto.leader.rebalance.enable` is off (Kafka 4.3: `ReplicaAlterLogDirsThread` and
//! `ReplicationControlManager.handleAssignReplicasToDirs`).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use kube_core::ResourceExt as _;

use super::{has, node_of, of_set};
use crate::kafka::admin_call::AdminCall;
use crate::kafka::cluster::jbod;
use crate::kafka::leaderless_view::LeaderlessPartition;
use crate::kafka::need::Need;
use crate::kafka::observed::Observed;
use crate::kafka::pod_state;
use crate::pod_words::is_ready;
use api::names;

/// Asks of which partitions a broker that started without a volume could be the leader; `None`: there is no such broker, or the answer is there.
pub(crate) fn question(observed: &Observed) -> Option<Need> {
    let cluster = observed.kafka.as_ref().filter(|_| observed.leaderless.is_none())?.name_any();
    let mut brokers = BTreeMap::new();
    for pool in &observed.pools {
        let Some(set) = observed.pod_sets.get(&names::pod_set(&cluster, &pool.name_any())) else { continue };
        let known = of_set(set).volumes;
        let listed = set.spec.pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str());
        for pod in listed.filter_map(|name| observed.pods.get(name)) {
            let is_asked = pod_state::is_broker(pod) && is_ready(pod) && !missing(pod, &known).is_empty();
            if let (true, Some(id), Some(uid)) = (is_asked, node_of(pod), pod.metadata.uid.clone()) {
                brokers.insert(id, uid);
            }
        }
    }
    (!brokers.is_empty()).then_some(Need::LeaderlessPartitions(brokers))
}

/// The volumes without which a pod was started.
pub(super) fn missing(pod: &Pod, volumes: &BTreeSet<i32>) -> BTreeSet<i32> {
    volumes.iter().copied().filter(|volume| !has(pod, &jbod::volume_name(*volume))).collect()
}

/// Partitions of which a broker could be the leader; `None`: Kafka has not said it.
fn led_by(observed: &Observed, broker: i32) -> Option<impl Iterator<Item = &LeaderlessPartition>> {
    let all = observed.leaderless.as_ref()?;
    Some(all.iter().filter(move |partition| partition.complete.contains(&broker)))
}

/// Whether every partition has a leader of which a broker could be it.
pub(super) fn is_settled(observed: &Observed, broker: i32) -> bool {
    led_by(observed, broker).is_some_and(|mut all| all.next().is_none())
}

/// The election of leaders among these brokers. As long as the controllers place a replica on a disk that is not there, they would elect nobody.
pub(super) fn call(observed: &Observed, brokers: &BTreeSet<i32>) -> Option<AdminCall> {
    let mut partitions: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for broker in brokers {
        let waiting = led_by(observed, *broker).into_iter().flatten();
        for partition in waiting.filter(|partition| !partition.offline.contains(broker)) {
            partitions.entry(partition.topic.clone()).or_default().insert(partition.partition);
        }
    }
    (!partitions.is_empty()).then_some(AdminCall::ElectLeaders { partitions })
}
