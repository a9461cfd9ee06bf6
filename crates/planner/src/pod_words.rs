//! What a pod says about why it is not ready, whatever runs in it.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};

/// How long a pod may be unready, or a roll may wait, before that counts as a failure.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// Longest time from the binding of a pod to a machine until its first status. A pod that became unready later than that
/// was ready before.
const FIRST_STATUS: SignedDuration = SignedDuration::from_secs(30);

/// Longest text of a container or of the scheduler that is passed on, in characters.
const LONGEST_WORDS: usize = 500;

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

/// Whether the pod's `Ready` condition holds and it is not being deleted.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    pod.metadata.deletion_timestamp.is_none()
        && conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether this very pod was ready at some time. Its kubelet says that a pod is not ready as soon as it gets it, before
/// anything is started; so what became unready later than that was ready in between.
pub(crate) fn was_ready(pod: &Pod) -> bool {
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

/// A condition of a pod.
pub fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == type_)
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
