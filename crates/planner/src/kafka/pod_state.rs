//! What the pod of a node says about a restart of it.

use api::names;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Volume};

use super::cluster::Pool;
use super::observed::Observed;
use super::restart_reasons::is_new_with_claims;
use super::roll_view::PodState;
use crate::pod_words::condition;
use crate::pod_words::is_ready;
pub use crate::pod_words::{PATIENCE, unready_since, words};

/// Longest time from the binding of a pod to a machine until its first status. A pod that became unready later than that
/// was ready before.
const FIRST_STATUS: SignedDuration = SignedDuration::from_secs(30);

/// What is known of the pod of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// Whether it is there, runs, is ready.
    pub state: PodState,
    /// Whether it has been so for longer than [`PATIENCE`]; of a pod that is being deleted: whether it should be gone for
    /// that long.
    pub long: bool,
    /// Whether this very pod was ready at some time.
    pub served: bool,
    /// Whether it waits for a machine.
    pub unscheduled: bool,
}

impl Situation {
    /// There is no pod.
    pub const ABSENT: Self =
        Self { state: PodState::Missing, long: false, served: false, unscheduled: false };
}

/// The situation of a node's pod. A pod that this operator deleted counts as gone before the watch says so.
pub fn situation(observed: &Observed, name: &str, now: Timestamp) -> Situation {
    match observed.pods.get(name) {
        None => Situation::ABSENT,
        Some(pod) if pod.metadata.uid.as_ref().is_some_and(|uid| observed.restarted.contains(uid)) => {
            Situation { served: true, ..Situation::ABSENT }
        }
        Some(pod) => of_pod(pod, now),
    }
}

fn of_pod(pod: &Pod, now: Timestamp) -> Situation {
    let state = state(pod);
    let since = match &pod.metadata.deletion_timestamp {
        Some(time) => Some(time.0),
        None => unready_since(pod),
    };
    Situation {
        state,
        long: state != PodState::Ready && since.is_some_and(|since| now.duration_since(since) > PATIENCE),
        served: was_ready(pod),
        unscheduled: is_unscheduled(pod),
    }
}

/// The state of a pod.
pub fn state(pod: &Pod) -> PodState {
    if pod.metadata.deletion_timestamp.is_some() {
        return PodState::Missing;
    }
    if is_ready(pod) {
        return PodState::Ready;
    }
    if never_ran(pod) || is_unscheduled(pod) || cannot_start(pod) {
        PodState::Stuck
    } else {
        PodState::Unready
    }
}

/// Whether some broker is ready: only then does the cluster's Service lead to anybody.
pub fn some_broker_is_ready(observed: &Observed) -> bool {
    observed.pods.values().any(|pod| is_broker(pod) && is_ready(pod))
}

/// Whether Kafka's container of a pod runs, ready or not.
pub fn kafka_runs(pod: &Pod) -> bool {
    is_ready(pod) || (pod.metadata.deletion_timestamp.is_none() && kafka(pod).is_some_and(is_running))
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

fn kafka(pod: &Pod) -> Option<&ContainerStatus> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find(|container| container.name == names::containers::KAFKA)
}

fn is_running(container: &ContainerStatus) -> bool {
    container.state.as_ref().is_some_and(|state| state.running.is_some())
}

/// A pod of which Kafka's container has not run yet serves nobody, whatever it waits for: a machine, an image, a volume.
fn never_ran(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let ran = kafka(pod).is_some_and(|container| {
        is_running(container)
            || container.restart_count > 0
            || container.last_state.as_ref().is_some_and(|last| last.terminated.is_some())
    });
    matches!(phase, None | Some("Pending")) && !ran
}

fn is_unscheduled(pod: &Pod) -> bool {
    condition(pod, "PodScheduled").is_some_and(|scheduled| {
        scheduled.status == "False" && scheduled.reason.as_deref() == Some("Unschedulable")
    })
}

/// Whether Kafka's container, or one that runs before it, waits for a reason that time alone does not end. While another
/// container waits, Kafka may be serving.
fn cannot_start(pod: &Pod) -> bool {
    if kafka(pod).is_some_and(is_running) {
        return false;
    }
    let before = pod.status.iter().flat_map(|status| status.init_container_statuses.iter().flatten());
    let mut waiting = kafka(pod)
        .into_iter()
        .chain(before)
        .filter_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
    waiting.any(|reason| {
        matches!(
            reason,
            "CrashLoopBackOff"
                | "ImagePullBackOff"
                | "ErrImagePull"
                | "ErrImageNeverPull"
                | "InvalidImageName"
                | "CreateContainerConfigError"
        )
    })
}

/// Whether this very pod was ready at some time. Its kubelet says that a pod is not ready as soon as it gets it, before
/// anything is started; so what became unready later than that was ready in between.
fn was_ready(pod: &Pod) -> bool {
    let at = |type_: &str| {
        let condition = condition(pod, type_).filter(|found| type_ == "Ready" || found.status == "True");
        condition.and_then(|found| found.last_transition_time.as_ref()).map(|time| time.0)
    };
    if is_ready(pod) {
        return true;
    }
    let Some(unready) = at("Ready") else { return false };
    match (at("Initialized"), at("PodScheduled")) {
        (None, None) => true,
        (initialized, scheduled) => {
            initialized.is_some_and(|initialized| unready > initialized)
                || scheduled.is_some_and(|scheduled| unready.duration_since(scheduled) > FIRST_STATUS)
        }
    }
}

/// Whether a restart destroys records of a pod: one of the volumes with Kafka's logs ends with the pod, or the pod that takes
/// its place does not have it. `desired` is the pod as it stands in the pod set.
pub fn loses_storage(live: &Pod, desired: &Pod) -> bool {
    let wanted = desired.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let kept = |volume: &Volume| {
        let claim = claim_of(volume);
        claim.is_some() && wanted.iter().any(|volume| claim_of(volume) == claim)
    };
    data_volumes(live).any(|volume| !kept(volume))
}

/// The volumes with Kafka's logs.
fn data_volumes(live: &Pod) -> impl Iterator<Item = &Volume> {
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
#[path = "pod_state_tests.rs"]
mod tests;
