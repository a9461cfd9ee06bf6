//! Which workers restart: one at a time, those first that are not ready, and only where something changed that a worker reads
//! at its start.

use std::collections::{BTreeMap, BTreeSet};

use api::annotations;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;

use super::observed::Observed;
use crate::pod_set::pod_error::PodAction;
use crate::pod_words::is_ready;
use crate::pod_words::{PATIENCE, unready_since, words};
use crate::restart_reason::RestartReason;
use crate::workload::manual_update::{ManualUpdate, is_asked_for};

/// Annotations that a pod is started with, and what it means when one differs.
const STARTED_WITH: &[(&str, RestartReason, &str)] = &[
    (
        annotations::AUTH_HASH,
        RestartReason::ConfigChangeRequiresRestart,
        "trusted certificates or credentials towards Kafka changed",
    ),
    (
        annotations::CONFIGURATION_HASH,
        RestartReason::ConfigChangeRequiresRestart,
        "options changed that are read only at start",
    ),
    (
        annotations::RESOURCE_REVISION,
        RestartReason::PodHasOldResourceRevision,
        "the resources of the containers changed",
    ),
    (annotations::REVISION, RestartReason::PodHasOldRevision, "the pod's template changed"),
];

/// A worker to restart, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerRestart {
    /// Name of the pod.
    pub pod: String,
    /// The very pod.
    pub uid: Option<String>,
    /// At least one.
    pub reasons: BTreeSet<RestartReason>,
    /// What changed, in words, for events and logs.
    pub notes: Vec<String>,
}

/// What is decided about restarts.
#[derive(Debug, Default)]
pub struct Roll {
    /// The worker that goes now.
    pub now: Option<WorkerRestart>,
    /// What the workers wait for, in words.
    pub waiting_for: Vec<String>,
    /// What is known of pods that are not there or not ready, beyond that.
    pub said: Vec<String>,
    /// Whether a worker has been unready for so long that it counts as a failure.
    pub stuck: bool,
}

/// Decides. `desired` are the pods as they stand in the pod set, `set` the name of that; `set_changes` says that the pod set is
/// about to be written: until then a pod that goes would come again as it was.
pub fn decide(
    desired: &BTreeMap<String, Pod>,
    observed: &Observed,
    set: &str,
    set_changes: bool,
    now: Timestamp,
) -> Roll {
    let mut roll = Roll::default();
    let (mut unready, mut ready, mut blocker) = (Vec::new(), Vec::new(), false);
    for (name, wanted) in desired {
        let live = observed.pods.get(name).filter(|live| !is_going(live, observed));
        let Some(live) = live else {
            blocker = true;
            match observed.pod_errors.get(name) {
                Some(error) => say(&mut roll, error.words(name)),
                None => roll.waiting_for.push(format!("pod {name} does not exist yet")),
            }
            continue;
        };
        if let Some(error) = observed.pod_errors.get(name).filter(|error| error.action != PodAction::Create) {
            say(&mut roll, error.words(name));
        }
        let is_up = is_ready(live);
        if !is_up {
            match words(live) {
                Some(words) => say(&mut roll, format!("pod {name} is not ready: {words}")),
                None => roll.waiting_for.push(format!("pod {name} is not ready")),
            }
            roll.stuck |= unready_since(live).is_some_and(|since| now.duration_since(since) > PATIENCE);
        }
        match restart_of(name, live, wanted, observed, set) {
            Some(restart) => {
                let notes = restart.notes.join(", ");
                roll.waiting_for.push(format!("pod {name} is to be restarted: {notes}"));
                if is_up { ready.push(restart) } else { unready.push(restart) }
            }
            None => blocker |= !is_up,
        }
    }
    if !blocker && !set_changes {
        roll.now = unready.into_iter().chain(ready).next();
    }
    roll
}

fn say(roll: &mut Roll, words: String) {
    roll.said.push(words.clone());
    roll.waiting_for.push(words);
}

fn is_going(pod: &Pod, observed: &Observed) -> bool {
    pod.metadata.deletion_timestamp.is_some()
        || pod.metadata.uid.as_ref().is_some_and(|uid| observed.restarted.contains(uid))
}

fn restart_of(
    name: &str,
    live: &Pod,
    desired: &Pod,
    observed: &Observed,
    set: &str,
) -> Option<WorkerRestart> {
    let mut reasons = BTreeSet::new();
    let mut notes = Vec::new();
    let annotation_of = |pod: &Pod, key: &str| pod.metadata.annotations.as_ref()?.get(key).cloned();
    for (annotation, reason, note) in STARTED_WITH {
        if annotation_of(live, annotation) != annotation_of(desired, annotation) {
            reasons.insert(*reason);
            notes.push((*note).to_owned());
        }
    }
    if is_asked_for(live, observed.pod_sets.get(set).map(AsRef::as_ref)) {
        reasons.insert(RestartReason::ManualRollingUpdate);
        notes.push("it was asked for with an annotation".to_owned());
    }
    let uid = live.metadata.uid.clone();
    (!reasons.is_empty()).then(|| WorkerRestart { pod: name.to_owned(), uid, reasons, notes })
}

/// The pods for which a restart was asked for on the pod set and that have not had it.
pub(crate) fn manual_update(observed: &Observed, set: &str) -> Option<ManualUpdate> {
    let pods = observed.pods.values().map(AsRef::as_ref);
    ManualUpdate::of(observed.pod_sets.get(set)?, pods, &observed.restarted)
}
