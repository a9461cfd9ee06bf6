//! Disks that brokers run on without: Kafka goes on as long as one of several works, and nothing in Kubernetes tells of it.

use std::collections::BTreeMap;

use api::annotations::{DELETE_POD_AND_PVC, DISCARD_VOLUMES, DRAIN_VOLUMES, MANUAL_ROLLING_UPDATE};
use api::conditions::reasons;
use api::{kinds, names};

use super::cluster::{Cluster, Pool, PoolOrigin, Volume, VolumeKind, Warning};
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

/// One warning for each volume whose log directory failed, and one for each broker that does not tell. Volumes that leave their pool are told
/// of by their removal. What the status says of a broker stays until the broker says something else: also after a restart of the operator,
/// and while Kafka takes its time.
pub(super) fn warnings(cluster: &Cluster, observed: &Observed) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let warn = |message: String| Warning { reason: reasons::LOST_VOLUME.to_owned(), message };
    for node in cluster.nodes() {
        let volumes: Vec<&Volume> = node.pool.volumes_of(node.id).collect();
        if !node.pool.broker || volumes.len() < 2 {
            continue;
        }
        let pod = cluster.pod_name(node);
        let told = observed.failed_log_dirs.as_ref().and_then(|all| all.get(&node.id));
        if told.is_some_and(|told| told.is_silent) {
            warnings.push(warn(silent(&pod)));
        }
        let paths = told.and_then(|told| told.paths.as_ref());
        let leaves = |id: i32| node.pool.removal.states.contains_key(&id);
        for volume in volumes.into_iter().filter(|volume| !volume.id.is_some_and(leaves)) {
            let path = Pool::log_dir(volume, node.id);
            let is_failed =
                paths.map_or_else(|| is_said(&pod, &path, observed), |paths| paths.contains(&path));
            if is_failed {
                warnings.push(warn(message(node.pool, volume, &pod, &path, observed)));
            }
        }
    }
    warnings
}

/// Whether the status says that a pod runs without a log directory.
fn is_said(pod: &str, path: &str, observed: &Observed) -> bool {
    let status = observed.kafka.as_ref().and_then(|kafka| kafka.status.as_ref());
    let mut all = status.iter().flat_map(|status| status.conditions.iter().flatten());
    let beginning = beginning(pod, path);
    all.any(|one| {
        one.reason.as_deref() == Some(reasons::LOST_VOLUME)
            && one.message.as_ref().is_some_and(|message| message.starts_with(&beginning))
    })
}

fn beginning(pod: &str, path: &str) -> String {
    format!("pod {pod} runs without log directory {path},")
}

fn silent(pod: &str) -> String {
    format!(
        "pod {pod} does not say how its disks are, as when one of them hangs: have them looked after. It is not asked again before its next \
         start, since each question would hold one of the threads that serve clients"
    )
}

fn message(pool: &Pool, volume: &Volume, pod: &str, path: &str, observed: &Observed) -> String {
    let restart = format!(
        "write the annotation {MANUAL_ROLLING_UPDATE}: \"true\" on the pod: it restarts as soon as the partitions allow it"
    );
    let (what, then) = if matches!(volume.kind, VolumeKind::Ephemeral { .. }) {
        let then = format!("{restart}, and all its ephemeral volumes are made anew, empty");
        ("its disk is full or broken".to_owned(), then)
    } else {
        let claim = names::persistent_volume_claim(volume.id, pod);
        let is_asked = observed.pods.get(pod).is_some_and(|pod| is_new_with_claims(pod));
        let then = if is_asked {
            "its claims are made anew with the pod as soon as that loses nothing".to_owned()
        } else {
            let (of, on) = if pool.origin == PoolOrigin::Implied {
                ("spec.kafka.storage".to_owned(), kinds::KAFKA)
            } else {
                (format!("spec.storage of {} {}", kinds::KAFKA_NODE_POOL, pool.name), kinds::KAFKA_NODE_POOL)
            };
            let id = volume.id.unwrap_or_default();
            format!(
                "if the disk is full, raise its size in {of}; once it works, {restart}. Only if it is lost for good, either take the volume out \
                 there, with {DRAIN_VOLUMES}: \"true\" and {DISCARD_VOLUMES}: \"[{id}]\" on the {on} (which gives it up on every node whose \
                 broker cannot read it), or write the annotation {DELETE_POD_AND_PVC}: \"true\" on the pod: all its claims are made anew, \
                 empty, as soon as every partition has a complete copy elsewhere"
            )
        };
        (format!("the disk of claim {claim} is full or broken"), then)
    };
    format!("{} since {what}, and its replicas there are offline; {then}", beginning(pod, path))
}
