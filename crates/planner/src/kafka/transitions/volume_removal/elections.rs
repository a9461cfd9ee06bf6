//! Leaders for partitions that have none after their broker started without a volume.
//!
//! A broker tells the controllers on which of its disks each replica lies. It may stop with a report under way that takes back an earlier
//! one, although the move is done: the controllers then place the replica on the volume that left. At the next start they elect no leader
//! from there, and when the broker corrects them a moment later they do not try again before `leader.imbalance.check.interval.seconds`
//! (five minutes) are over, or never where `auto.leader.rebalance.enable` is off (Kafka 4.3: `ReplicaAlterLogDirsThread` and
//! `ReplicationControlManager.handleAssignReplicasToDirs`).

use std::collections::{BTreeMap, BTreeSet};

use api::names;
use k8s_openapi::api::core::v1::Pod;
use kube_core::ResourceExt as _;

use super::{RemovedVolumes, has, node_of, of_set};
use crate::kafka::admin_call::AdminCall;
use crate::kafka::cluster::jbod;
use crate::kafka::leaderless_view::LeaderlessPartition;
use crate::kafka::log_dirs_view::BrokerLogDirs;
use crate::kafka::need::Need;
use crate::kafka::observed::Observed;
use crate::kafka::pod_state;
use crate::pod_words::is_ready;

/// Asks which partitions without a leader brokers could lead that started without a volume; `None`: there is no such broker.
pub(crate) fn question(observed: &Observed) -> Option<Need> {
    let cluster = observed.kafka.as_ref()?.name_any();
    let mut brokers = BTreeMap::new();
    for pool in &observed.pools {
        let Some(set) = observed.pod_sets.get(&names::pod_set(&cluster, &pool.name_any())) else { continue };
        let known = of_set(set);
        let listed = set.spec.pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str());
        for pod in listed.filter_map(|name| observed.pods.get(name)).filter(|pod| pod_state::is_broker(pod)) {
            let Some(id) = node_of(pod) else { continue };
            if is_ready(pod) && !missing(pod, &known.volumes).is_empty() && !is_led(&known, id, pod) {
                brokers.insert(id, pod.metadata.uid.clone().unwrap_or_default());
            }
        }
    }
    (!brokers.is_empty()).then_some(Need::LeaderlessPartitions(brokers))
}

/// The volumes without which a pod was started.
pub(super) fn missing(pod: &Pod, volumes: &BTreeSet<i32>) -> BTreeSet<i32> {
    volumes.iter().copied().filter(|volume| !has(pod, &jbod::volume_name(*volume))).collect()
}

/// Whether every partition of a broker had a leader when Kafka was asked after its pod had started, as the pod set remembers.
pub(super) fn is_led(known: &RemovedVolumes, broker: i32, pod: &Pod) -> bool {
    pod.metadata.uid.is_some() && known.led.get(&broker) == pod.metadata.uid.as_ref()
}

/// Whether Kafka says that no partition which a broker could lead is without a leader; `dirs`: what that broker says of its disks. A
/// replica on a disk that fails is another matter.
pub(super) fn all_are_led(observed: &Observed, broker: i32, pod: &Pod, dirs: &BrokerLogDirs) -> bool {
    let Some(view) = observed.leaderless.as_ref().filter(|view| is_ready(pod) && !view.has_more) else {
        return false;
    };
    let a_disk_fails = dirs.dirs.values().any(|dir| dir.error.is_some());
    let waits = |one: &LeaderlessPartition| {
        one.electable.contains(&broker) && !(a_disk_fails && one.offline.contains(&broker))
    };
    !view.partitions.iter().any(waits)
}

/// The election for these brokers. A broker is not elected as long as the controllers place its replica on a disk that is not there.
pub(super) fn call(observed: &Observed, brokers: &BTreeSet<i32>) -> Option<AdminCall> {
    let mut partitions: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for one in observed.leaderless.iter().flat_map(|view| &view.partitions) {
        if one.electable.difference(&one.offline).any(|broker| brokers.contains(broker)) {
            partitions.entry(one.topic.clone()).or_default().insert(one.partition);
        }
    }
    (!partitions.is_empty()).then_some(AdminCall::ElectLeaders { partitions })
}
