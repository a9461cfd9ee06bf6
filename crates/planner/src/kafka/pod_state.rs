//! What the pod of a node says about a restart of it.

use k8s_openapi::api::core::v1::{Pod, Volume};
use serde_json::Value;

use super::cluster::Pool;
use super::roll_order::PodState;
use crate::pod_set::plan::is_ready;

/// Name of Kafka's container.
const KAFKA_CONTAINER: &str = "kafka";

/// The state of a pod.
pub fn state(pod: &Pod) -> PodState {
    if pod.metadata.deletion_timestamp.is_some() {
        return PodState::Missing;
    }
    if is_ready(pod) {
        return PodState::Ready;
    }
    if is_stuck(pod) { PodState::Stuck } else { PodState::Unready }
}

/// A pod that cannot start as it is: it was not scheduled, or Kafka's container, or one that runs before it, waits for a
/// reason that time alone does not end. While another container waits, Kafka may be serving.
fn is_stuck(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    let unscheduled = status.conditions.iter().flatten().any(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    });
    let kafka =
        status.container_statuses.iter().flatten().filter(|container| container.name == KAFKA_CONTAINER);
    let running =
        kafka.clone().any(|container| container.state.as_ref().is_some_and(|state| state.running.is_some()));
    if running {
        return false;
    }
    let containers = kafka.chain(status.init_container_statuses.iter().flatten());
    let waiting =
        containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
    let mut hopeless = waiting.filter(|reason| {
        matches!(
            *reason,
            "CrashLoopBackOff"
                | "ImagePullBackOff"
                | "ErrImagePull"
                | "ErrImageNeverPull"
                | "InvalidImageName"
                | "CreateContainerConfigError"
        )
    });
    unscheduled || hopeless.next().is_some()
}

/// Whether a restart destroys records of a pod: one of the volumes with Kafka's logs ends with the pod, or the pod that takes
/// its place does not have it. `desired` is the pod as it stands in the pod set.
pub fn loses_storage(live: &Pod, desired: &Value) -> bool {
    let Some(spec) = &live.spec else { return false };
    let kafka = spec.containers.iter().filter(|container| container.name == KAFKA_CONTAINER);
    let mounts = kafka.flat_map(|container| container.volume_mounts.iter().flatten());
    let of_data = mounts.filter(|mount| Pool::is_data_mount(&mount.mount_path)).map(|mount| &mount.name);
    let kept = |volume: &Volume| {
        let Some(claim) = &volume.persistent_volume_claim else { return false };
        let wanted = desired["spec"]["volumes"].as_array().into_iter().flatten();
        wanted.into_iter().any(|volume| {
            volume["persistentVolumeClaim"]["claimName"].as_str() == Some(claim.claim_name.as_str())
        })
    };
    let mut volumes = of_data.filter_map(|name| spec.volumes.iter().flatten().find(|one| one.name == *name));
    volumes.any(|volume| !kept(volume))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "c-p-0"}, "status": status})).unwrap()
    }

    #[test]
    fn a_pod_without_its_image_is_stuck_and_a_starting_one_is_not() {
        let waiting = |reason: &str| {
            pod(
                &json!({"containerStatuses": [{"name": "kafka", "ready": false, "restartCount": 0, "image": "",
                "imageID": "", "state": {"waiting": {"reason": reason}}}]}),
            )
        };
        assert_eq!(state(&waiting("ImagePullBackOff")), PodState::Stuck);
        assert_eq!(state(&waiting("CrashLoopBackOff")), PodState::Stuck);
        assert_eq!(state(&waiting("PodInitializing")), PodState::Unready);
    }

    #[test]
    fn a_pod_whose_kafka_runs_is_not_stuck_whatever_runs_beside_it() {
        let container = |name: &str, state: &Value| json!({"name": name, "ready": false, "restartCount": 0, "image": "", "imageID": "", "state": state});
        let crashes = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        let serving = pod(&json!({
            "containerStatuses": [container("kafka", &json!({"running": {}})), container("proxy", &crashes)],
            "initContainerStatuses": [container("restarting", &crashes)]}));
        assert_eq!(state(&serving), PodState::Unready);
        let crashing = pod(&json!({"containerStatuses": [container("kafka", &crashes)]}));
        assert_eq!(state(&crashing), PodState::Stuck);
    }

    #[test]
    fn an_unschedulable_pod_is_stuck() {
        let pod = pod(&json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}));
        assert_eq!(state(&pod), PodState::Stuck);
    }

    #[test]
    fn a_restart_destroys_what_ends_with_the_pod_and_what_the_next_pod_lacks() {
        let spec = |data: Value| {
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
        let pod = |data: Value| serde_json::from_value::<Pod>(spec(data)).unwrap();
        let claim = json!({"name": "data-1", "persistentVolumeClaim": {"claimName": "data-1-c-p-0"}});
        let ephemeral = json!({"name": "data-1", "emptyDir": {}});
        let other = json!({"name": "data-1", "persistentVolumeClaim": {"claimName": "data-2-c-p-0"}});
        assert!(!loses_storage(&pod(claim.clone()), &spec(claim.clone())));
        assert!(loses_storage(&pod(ephemeral.clone()), &spec(ephemeral)));
        assert!(loses_storage(&pod(claim), &spec(other)));
    }
}
