//! How a pod is, as far as restarts depend on it. `container` is the name of the container for which the pod is there.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use serde::Serialize;

use crate::pod_words::{PATIENCE, condition, is_ready, unready_since, was_ready};

/// What Kubernetes says of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum PodState {
    /// There is no pod, or it is being deleted: the pod-set controller brings the new one.
    Missing,
    /// It never ran, or cannot start as it is (crash loop, image that cannot be pulled): it serves nobody.
    Stuck,
    /// It runs or starts, and is not ready.
    Unready,
    /// It is ready.
    #[default]
    Ready,
}

/// What is known of a pod that should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodSituation {
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

impl PodSituation {
    /// There is no pod.
    pub const ABSENT: Self =
        Self { state: PodState::Missing, long: false, served: false, unscheduled: false };

    /// The situation of a pod. A pod that this process deleted (`restarted`, by UID) counts as gone before the watch says so; as soon
    /// as it does, what counts is for how long the pod has been on its way: that of a machine that died never ends by itself.
    pub(crate) fn of(
        pod: Option<&Pod>,
        restarted: &BTreeSet<String>,
        container: &str,
        now: Timestamp,
    ) -> Self {
        match pod {
            None => Self::ABSENT,
            Some(pod)
                if pod.metadata.deletion_timestamp.is_none()
                    && pod.metadata.uid.as_ref().is_some_and(|uid| restarted.contains(uid)) =>
            {
                Self { served: true, ..Self::ABSENT }
            }
            Some(pod) => of_pod(pod, container, now),
        }
    }
}

fn of_pod(pod: &Pod, container: &str, now: Timestamp) -> PodSituation {
    let state = state(pod, container);
    let since = match &pod.metadata.deletion_timestamp {
        Some(time) => Some(time.0),
        None => unready_since(pod),
    };
    PodSituation {
        state,
        long: state != PodState::Ready && since.is_some_and(|since| now.duration_since(since) > PATIENCE),
        served: was_ready(pod),
        unscheduled: is_unscheduled(pod),
    }
}

/// The state of a pod.
pub(crate) fn state(pod: &Pod, container: &str) -> PodState {
    if pod.metadata.deletion_timestamp.is_some() {
        return PodState::Missing;
    }
    if is_ready(pod) {
        return PodState::Ready;
    }
    if never_ran(pod, container) || is_unscheduled(pod) || cannot_start(pod, container) {
        PodState::Stuck
    } else {
        PodState::Unready
    }
}

/// Whether the container of a pod runs, ready or not.
pub(crate) fn runs(pod: &Pod, container: &str) -> bool {
    let is_going = pod.metadata.deletion_timestamp.is_some();
    is_ready(pod) || (!is_going && status_of(pod, container).is_some_and(is_running))
}

/// What the kubelet says of a container.
pub(crate) fn status_of<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find(|status| status.name == container)
}

/// Whether a container runs.
pub(crate) fn is_running(container: &ContainerStatus) -> bool {
    container.state.as_ref().is_some_and(|state| state.running.is_some())
}

/// A pod of which the container has not run yet serves nobody, whatever it waits for: a machine, an image, a volume.
fn never_ran(pod: &Pod, container: &str) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let ran = status_of(pod, container).is_some_and(|container| {
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

/// Whether the container, or an init container before it, waits for a reason that time alone does not end. While another
/// container waits, this one may be serving.
fn cannot_start(pod: &Pod, container: &str) -> bool {
    if status_of(pod, container).is_some_and(is_running) {
        return false;
    }
    let before = pod.status.iter().flat_map(|status| status.init_container_statuses.iter().flatten());
    let mut waiting = status_of(pod, container)
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

#[cfg(test)]
#[path = "pod_state_tests.rs"]
mod tests;
