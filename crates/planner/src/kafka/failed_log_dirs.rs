//! Disks that brokers run on without: Kafka goes on as long as one of several works, and nothing in Kubernetes tells of it.

use std::collections::BTreeMap;

use api::annotations::{DELETE_POD_AND_PVC, DISCARD_VOLUMES, DRAIN_VOLUMES, MANUAL_ROLLING_UPDATE};
use api::conditions::reasons;
use api::names;

use super::cluster::{Cluster, Node, Pool, Volume, VolumeKind, Warning};
use super::need::Need;
use super::observed::Observed;
use super::pod_state;
use super::restart_reasons::is_new_with_claims;
use crate::pod_words::is_ready;

/// Asks ready brokers with several volumes which log directories failed; `None`: there is no such broker, or the answer is there. A broker
/// whose only disk fails ends, and its pod shows that.
pub(super) fn need(cluster: &Cluster, observed: &Observed) -> Option<Need> {
    let view = observed.view.as_ref().filter(|_| observed.failed_log_dirs.is_none())?;
    let mut brokers = BTreeMap::new();
    for node in cluster.nodes() {
        let Some(pod) = observed.pods.get(&cluster.pod_name(node)).filter(|pod| is_ready(pod)) else {
            continue;
        };
        let has_several = node.pool.volumes_of(node.id).nth(1).is_some();
        if !node.pool.broker || !has_several || !view.active_brokers.contains(&node.id) {
            continue;
        }
        if let Some(start) = pod_state::start_of_kafka(pod) {
            brokers.insert(node.id, start);
        }
    }
    let is_any = !brokers.is_empty();
    let need = Need::FailedLogDirs(brokers);
    (is_any && observed.silence(&need).is_none()).then_some(need)
}

/// One warning for each volume whose log directory failed. Volumes that leave their pool are told of by their removal.
pub(super) fn warnings(cluster: &Cluster, observed: &Observed) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let Some(all) = &observed.failed_log_dirs else { return warnings };
    for node in cluster.nodes() {
        let Some(failed) = all.get(&node.id) else { continue };
        let leaves = |id: i32| node.pool.removal.states.contains_key(&id);
        for volume in node.pool.volumes_of(node.id).filter(|volume| !volume.id.is_some_and(leaves)) {
            let path = Pool::log_dir(volume, node.id);
            if failed.contains(&path) {
                let message = message(cluster, node, volume, &path, observed);
                warnings.push(Warning { reason: reasons::LOST_VOLUME.to_owned(), message });
            }
        }
    }
    warnings
}

fn message(cluster: &Cluster, node: Node<'_>, volume: &Volume, path: &str, observed: &Observed) -> String {
    let pod = cluster.pod_name(node);
    let restart = format!(
        "write the annotation {MANUAL_ROLLING_UPDATE}: \"true\" on the pod: it restarts as soon as the partitions allow it"
    );
    let (what, then) = if matches!(volume.kind, VolumeKind::Ephemeral { .. }) {
        let then = format!("{restart}, and all its ephemeral volumes are made anew, empty");
        ("its disk is full or broken".to_owned(), then)
    } else {
        let claim = names::persistent_volume_claim(volume.id, &pod);
        let is_asked = observed.pods.get(&pod).is_some_and(|pod| is_new_with_claims(pod));
        let then = if is_asked {
            "its claims are made anew with the pod as soon as that loses nothing".to_owned()
        } else {
            format!(
                "if the disk is full, raise its size in spec.storage of KafkaNodePool {}; once it works again, {restart}. If it does not \
                 come back, either take the volume out of the pool, with {DRAIN_VOLUMES} for those of the \
                 other nodes and {DISCARD_VOLUMES} for this one, or write the annotation \
                 {DELETE_POD_AND_PVC}: \"true\" on the pod: all its claims are made anew, empty, as soon as every partition has a complete \
                 copy elsewhere",
                node.pool.name
            )
        };
        (format!("the disk of claim {claim} is full or broken"), then)
    };
    format!(
        "pod {pod} runs without log directory {path}, since {what}, and its replicas there are offline; {then}"
    )
}
