//! What the pod of a node says about a restart of it.

use api::names;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, Volume};

use super::cluster::Pool;
use super::observed::Observed;
use super::restart_reasons::is_new_with_claims;
use super::roll_view::PodState;
use crate::pod_set::plan::is_ready;

/// How long a pod may be unready, or a roll may wait, before that counts as a failure.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// Longest time from the binding of a pod to a machine until its first status. A pod that became unready later than that
/// was ready before.
const FIRST_STATUS: SignedDuration = SignedDuration::from_secs(30);

/// Longest text of a container or of the scheduler that is passed on, in characters.
const LONGEST_WORDS: usize = 500;

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

/// Since when a pod is not ready; `None`: it is ready, or nothing is known yet.
pub fn unready_since(pod: &Pod) -> Option<Timestamp> {
    // A pod that no machine took has no such condition.
    let ready = condition(pod, "Ready");
    if ready.is_some_and(|ready| ready.status == "True") {
        return None;
    }
    let changed = ready.and_then(|ready| ready.last_transition_time.as_ref());
    changed.or(pod.metadata.creation_timestamp.as_ref()).map(|time| time.0)
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

fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == type_)
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

/// Why a pod is not ready, as the scheduler, the kubelet and the containers themselves tell it. A container's own words are
/// those that it left when it last ended.
pub fn words(pod: &Pod) -> Option<String> {
    if is_ready(pod) {
        return None;
    }
    let mut said = Vec::new();
    if let Some(scheduled) = condition(pod, "PodScheduled").filter(|scheduled| scheduled.status == "False") {
        said.extend(scheduled.message.as_deref().map(shortened));
    }
    let status = pod.status.iter();
    let containers = status.flat_map(|status| {
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten())
    });
    said.extend(containers.filter(|container| !container.ready).filter_map(words_of_container));
    (!said.is_empty()).then(|| said.join("; "))
}

fn words_of_container(container: &ContainerStatus) -> Option<String> {
    let (state, last) = (container.state.as_ref(), container.last_state.as_ref());
    let ended = state.and_then(|state| state.terminated.as_ref());
    let ended = ended.or_else(|| last.and_then(|last| last.terminated.as_ref()));
    if let Some(ended) = ended.filter(|ended| ended.exit_code != 0) {
        let code = ended.exit_code;
        let reason = ended.reason.as_deref().filter(|reason| *reason != "Error");
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        return Some(match ended.message.as_deref().map(shortened).filter(|text| !text.is_empty()) {
            Some(message) => {
                format!("container {} ended with code {code}{reason}: {message}", container.name)
            }
            None => format!("container {} ended with code {code}{reason}", container.name),
        });
    }
    let waiting = state.and_then(|state| state.waiting.as_ref())?;
    let message = waiting.message.as_deref().map(shortened).filter(|text| !text.is_empty())?;
    let reason = waiting.reason.as_deref().unwrap_or("an unknown reason");
    Some(format!("container {} waits ({reason}): {message}", container.name))
}

/// On one line, and not longer than a status should be.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST_WORDS {
        return line;
    }
    let mut short: String = line.chars().take(LONGEST_WORDS).collect();
    short.push('…');
    short
}

#[cfg(test)]
#[path = "pod_state_tests.rs"]
mod tests;
