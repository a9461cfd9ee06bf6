//! Which workers restart, and what is said of those that are not there or not ready: the roll of [`crate::roll`], where only something
//! changed that a worker reads at its start. Any one worker may be down: its connectors go to the others.

use std::collections::{BTreeMap, BTreeSet};

use api::annotations;
use api::conditions::events;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;

use super::Workers;
use super::observed::ObservedWorkers;
use crate::plan::{Occasion, PlannedEvent};
use crate::pod_set::pod_error::PodAction;
use crate::pod_words::{does_not_go, is_long_unready, words};
use crate::restart_reason::RestartReason;
use crate::roll::order::{self, Decision, Facts, Member};
use crate::roll::pod_state::{PodSituation, PodState};
use crate::roll::started_with::{Reasons, StartedWith};
use crate::workload::manual_update::{ManualUpdate, is_asked_for};
use crate::workload::resizing::{Resize, Resizing};

/// Annotations that a pod is started with, and what it means when one differs.
const STARTED_WITH: &StartedWith = &[
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

impl WorkerRestart {
    /// The events that tell of it, one for each reason, as the call of this place in a plan.
    pub(crate) fn events(&self, call: usize) -> Vec<PlannedEvent> {
        let of = |reason: &RestartReason| PlannedEvent {
            reason: reason.as_str().to_owned(),
            text: self.notes.join("; "),
            pod: Some(self.pod.clone()),
            occasion: Occasion::Called { call, action: events::POD_RESTART, is_warning: false },
        };
        self.reasons.iter().map(of).collect()
    }
}

/// What is decided about restarts.
#[derive(Debug, Default)]
pub struct Roll {
    /// The worker that goes now.
    pub now: Option<WorkerRestart>,
    /// What the workers wait for, in words.
    pub waiting_for: Vec<String>,
    /// Resources that Kubernetes puts off, in words.
    pub put_off: Vec<String>,
    /// What is known of pods that are not there or not ready, beyond that.
    pub said: Vec<String>,
    /// Whether a worker has been unready for so long that it counts as a failure.
    pub stuck: bool,
}

/// A worker, as the roll sees it.
struct Worker {
    number: usize,
    pod: String,
    situation: PodSituation,
    reasons: BTreeSet<RestartReason>,
}

impl Member for Worker {
    type Id = usize;

    fn id(&self) -> usize {
        self.number
    }

    fn facts(&self) -> Facts<'_> {
        let PodSituation { state, long, served, unscheduled } = self.situation;
        Facts { pod: &self.pod, state, long, served, unscheduled, busy: None, reasons: &self.reasons }
    }

    fn serves_nobody(&self) -> bool {
        self.situation.state == PodState::Stuck
    }
}

/// Any one worker may be down.
struct NoRules;

impl order::Rules<Worker> for NoRules {
    fn obstacle(&self, _: &BTreeSet<usize>) -> Option<String> {
        None
    }
}

/// Decides. `desired` are the pods as they stand in the pod set of the workers; `set_changes` says that the pod set is about to be written: until then a pod that goes would come again as it was.
pub fn decide(
    desired: &BTreeMap<String, Pod>,
    observed: &ObservedWorkers,
    workers: &Workers,
    set_changes: bool,
    now: Timestamp,
) -> Roll {
    // The container of a worker has that name, too.
    let (set, resizing) = (workers.names.component.as_str(), workers.resizing);
    let mut roll = Roll::default();
    let (mut members, mut restarts) = (Vec::new(), BTreeMap::new());
    for (number, (name, wanted)) in desired.iter().enumerate() {
        let live = observed.pods.get(name).map(AsRef::as_ref);
        let mut situation = PodSituation::of(live, &observed.restarted, set, now);
        let mut reasons = BTreeSet::new();
        if let Some(live) = live.filter(|_| situation.state != PodState::Missing) {
            roll.look_at(name, live, situation, observed);
            let resize = Resizing::of(resizing, live, wanted);
            if let Some(restart) = restart_of((name, live, wanted), &resize, observed, workers) {
                let notes = restart.notes.join(", ");
                roll.waiting_for.push(format!("pod {name} is to be restarted: {notes}"));
                reasons.clone_from(&restart.reasons);
                restarts.insert(number, restart);
            } else if let Some((words, is_put_off)) = resize.words(name) {
                roll.put_off.extend(is_put_off.then(|| words.clone()));
                roll.waiting_for.push(words);
            }
        } else {
            // A pod that went now would not come back either: a worker that cannot be made is waited for, however long.
            situation.long &= !observed.pod_errors.contains_key(name);
            roll.miss(name, situation, observed);
            roll.stuck |= live.is_some_and(|live| is_long_unready(live, now));
        }
        members.push(Worker { number, pod: name.clone(), situation, reasons });
    }
    let decision = order::by_pods(&members).unwrap_or_else(|| order::by_rules(&members, &NoRules));
    match decision {
        Decision::Restart(batch) if !set_changes => {
            roll.now = batch.into_iter().find_map(|number| restarts.remove(&number));
        }
        Decision::Held(why) => roll.waiting_for.push(why),
        Decision::Settled | Decision::Restart(_) | Decision::Starting(_) => {}
    }
    roll
}

impl Roll {
    /// Says what is known of a pod that is there.
    fn look_at(&mut self, name: &str, live: &Pod, situation: PodSituation, observed: &ObservedWorkers) {
        if let Some(error) = observed.pod_errors.get(name).filter(|error| error.action != PodAction::Create) {
            self.say(error.words(name));
        }
        if situation.state == PodState::Ready {
            return;
        }
        match words(live) {
            Some(words) => self.say(format!("pod {name} is not ready: {words}")),
            None => self.waiting_for.push(format!("pod {name} is not ready")),
        }
        self.stuck |= situation.long;
    }

    /// Says what is known of a pod that is not there, or goes.
    fn miss(&mut self, name: &str, situation: PodSituation, observed: &ObservedWorkers) {
        if let Some(error) = observed.pod_errors.get(name) {
            self.stuck = true;
            self.say(error.words(name));
        } else if situation.long {
            self.stuck = true;
            self.say(does_not_go(name));
        } else {
            self.waiting_for.push(format!("pod {name} does not exist yet"));
        }
    }

    fn say(&mut self, words: String) {
        self.said.push(words.clone());
        self.waiting_for.push(words);
    }
}

fn restart_of(
    (name, live, desired): (&str, &Pod, &Pod),
    resize: &Resize,
    observed: &ObservedWorkers,
    workers: &Workers,
) -> Option<WorkerRestart> {
    let in_place =
        |annotation: &str| workers.resizing.is_some() && annotation == annotations::RESOURCE_REVISION;
    let mut found = Reasons::of(live, desired, STARTED_WITH, |annotation| !in_place(annotation));
    let set = observed.pod_sets.get(&workers.names.component);
    if is_asked_for(live, set.map(AsRef::as_ref)) {
        found.add_asked_for();
    }
    resize.add_to(&mut found);
    let Reasons { reasons, notes } = found;
    let uid = live.metadata.uid.clone();
    (!reasons.is_empty()).then(|| WorkerRestart { pod: name.to_owned(), uid, reasons, notes })
}

/// The pods for which a restart was asked for on the pod set and that have not had it.
pub(crate) fn manual_update(observed: &ObservedWorkers, set: &str) -> Option<ManualUpdate> {
    let pods = observed.pods.values().map(AsRef::as_ref);
    ManualUpdate::of(observed.pod_sets.get(set)?, pods, &observed.restarted)
}
