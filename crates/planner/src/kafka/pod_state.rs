//! What the pod of a node says about a restart of it.

use api::names;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Volume};

use super::cluster::{Cluster, Pool};
use super::observed::Observed;
use super::restart_reasons::is_new_with_claims;
use crate::pod_words::is_ready;
pub use crate::pod_words::{PATIENCE, words};
use crate::roll::pod_state;
pub use crate::roll::pod_state::PodSituation;

/// The situation of a node's pod. A pod that this operator deleted counts as gone before the watch says so.
pub fn situation(observed: &Observed, name: &str, now: Timestamp) -> PodSituation {
    let pod = observed.pods.get(name).map(AsRef::as_ref);
    PodSituation::of(pod, &observed.restarted, names::containers::KAFKA, now)
}

/// Whether a pod is not there and was never asked for.
pub(super) fn is_new(pod: &str, cluster: &Cluster, pool: &Pool, observed: &Observed) -> bool {
    let set = observed.pod_sets.get(&cluster.pod_set_name(pool));
    let mut listed = set.into_iter().flat_map(|set| &set.spec.pods);
    !observed.pods.contains_key(pod) && !listed.any(|listed| listed["metadata"]["name"] == *pod)
}

/// Whether some broker is ready: only then does the cluster's Service lead to anybody.
pub fn some_broker_is_ready(observed: &Observed) -> bool {
    observed.pods.values().any(|pod| is_broker(pod) && is_ready(pod))
}

/// Whether Kafka's container of a pod runs, ready or not.
pub fn kafka_runs(pod: &Pod) -> bool {
    pod_state::runs(pod, names::containers::KAFKA)
}

/// Whether Kafka's container of a pod runs, was up since its present start, and is not ready.
pub(crate) fn kafka_fell_unready(pod: &Pod) -> bool {
    kafka_of(pod)
        .is_some_and(|kafka| pod_state::is_running(kafka) && kafka.started == Some(true) && !kafka.ready)
}

fn kafka_of(pod: &Pod) -> Option<&ContainerStatus> {
    pod_state::status_of(pod, names::containers::KAFKA)
}

/// What tells one start of Kafka in a pod from all others: the next one may find other jars and other disks.
pub(crate) fn start_of_kafka(pod: &Pod) -> Option<String> {
    Some(format!("{}/{}", pod.metadata.uid.as_deref()?, kafka_of(pod)?.restart_count))
}

/// Whether the pod is that of a broker.
pub fn is_broker(pod: &Pod) -> bool {
    has_role(pod, api::labels::BROKER_ROLE)
}

/// Whether the pod is that of a controller.
pub fn is_controller(pod: &Pod) -> bool {
    has_role(pod, api::labels::CONTROLLER_ROLE)
}

fn has_role(pod: &Pod, label: &str) -> bool {
    pod.metadata.labels.as_ref().and_then(|labels| labels.get(label)).is_some_and(|value| value == "true")
}

/// Whether a restart destroys records of a pod: one of the volumes with Kafka's logs ends with the pod, or the pod that takes
/// its place does not have it. `desired` is the pod as it stands in the pod set;
/// `is_empty` says of which volumes Kafka has just said that nothing is on them.
pub fn loses_storage(live: &Pod, desired: &Pod, is_empty: impl Fn(&str) -> bool) -> bool {
    let wanted = desired.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let kept = |volume: &Volume| {
        let claim = claim_of(volume);
        claim.is_some() && wanted.iter().any(|volume| claim_of(volume) == claim)
    };
    data_volumes(live).any(|volume| !kept(volume) && !is_empty(&volume.name))
}

/// The volumes with Kafka's logs.
pub(crate) fn data_volumes(live: &Pod) -> impl Iterator<Item = &Volume> {
    live.spec.iter().flat_map(|spec| {
        let kafka = spec.containers.iter().filter(|container| container.name == names::containers::KAFKA);
        let mounts = kafka.flat_map(|container| container.volume_mounts.iter().flatten());
        let of_data = mounts.filter(|mount| Pool::is_data_mount(&mount.mount_path)).map(|mount| &mount.name);
        of_data.filter_map(|name| spec.volumes.iter().flatten().find(|one| one.name == *name))
    })
}

/// The claims of the volumes with Kafka's logs.
pub fn data_claims(live: &Pod) -> Vec<&str> {
    data_volumes(live).filter_map(claim_of).collect()
}

/// Whether a restart destroys what outlived former pods of the node: its claims go with the pod, because a user asks for it or
/// deleted one of them, which Kubernetes keeps as long as the pod runs.
pub fn loses_claims(live: &Pod, observed: &Observed) -> bool {
    let claims = data_claims(live).into_iter();
    let mut claims = claims.filter_map(|name| observed.claims.get(name)).peekable();
    claims.peek().is_some()
        && (is_new_with_claims(live) || claims.any(|claim| claim.metadata.deletion_timestamp.is_some()))
}

/// The claim that a volume is made of.
fn claim_of(volume: &Volume) -> Option<&str> {
    Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_restart_destroys_what_ends_with_the_pod_and_what_the_next_pod_lacks() {
        let spec = |data: &Value| {
            json!({"spec": {
                "containers": [{"name": "kafka", "volumeMounts": [
                    {"name": "data-0", "mountPath": "/var/lib/kafka/data-0"},
                    {"name": "data-1", "mountPath": "/var/lib/kafka/data-1"},
                    {"name": "strimzi-tmp", "mountPath": "/tmp"}]}],
                "volumes": [
                    {"name": "strimzi-tmp", "emptyDir": {}},
                    {"name": "data-0", "persistentVolumeClaim": {"claimName": "data-0-c-p-0"}},
                    data]}})
        };
        let pod = |data: &Value| serde_json::from_value::<Pod>(spec(data)).unwrap();
        let claim = json!({"name": "data-1", "persistentVolumeClaim": {"claimName": "data-1-c-p-0"}});
        let ephemeral = json!({"name": "data-1", "emptyDir": {}});
        let other = json!({"name": "data-1", "persistentVolumeClaim": {"claimName": "data-2-c-p-0"}});
        let none = |_: &str| false;
        assert!(!loses_storage(&pod(&claim), &pod(&claim), none));
        assert!(loses_storage(&pod(&ephemeral), &pod(&ephemeral), none));
        assert!(loses_storage(&pod(&claim), &pod(&other), none));
        assert!(!loses_storage(&pod(&claim), &pod(&other), |volume| volume == "data-1"));
    }
}
