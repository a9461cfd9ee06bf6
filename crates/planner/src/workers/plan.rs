//! Puts the plan of the workers of one resource together, but for the status of the resource.

use std::collections::BTreeMap;

use api::conditions::reasons;
use api::kinds;
use jiff::Timestamp;
use objects::{Deletion, DesiredObject, ObjectId, Write};

use super::need::WorkerNeed;
use super::observed::ObservedWorkers;
use super::pod;
use super::roll::{self, WorkerRestart};
use super::{Workers, objects as made};
use crate::findings::Warning;
use crate::live_object::LiveObject;
use crate::orphans;
use crate::plan;
use crate::process::jmx_secret::Known;
use crate::rack::{self, Rack};
use crate::workload::agent_pod::DesiredPod;

/// Seconds until an object of another owner is looked at again: nothing announces that it went.
pub(crate) const AGAIN_SECONDS: u64 = 15;

/// The plan of a kind that has workers: `S` is its status.
pub type WorkerPlan<S> = plan::Plan<WorkerNeed, WorkerRestart, S>;

/// What is planned of the workers.
#[derive(Debug, Default)]
pub struct WorkerDraft {
    /// What has to be known or made first: then nothing else is there.
    pub needs: Vec<WorkerNeed>,
    /// Objects to write.
    pub apply: Vec<Write>,
    /// Objects to delete.
    pub delete: Vec<Deletion>,
    /// The worker that restarts now.
    pub restart: Option<WorkerRestart>,
    /// What is waited for.
    pub waiting_for: Vec<String>,
    /// Whether that has lasted for so long that it counts as a failure.
    pub stuck: bool,
    /// What deserves a look.
    pub warnings: Vec<Warning>,
    /// Seconds after which to look again without an event.
    pub look_again: Option<u64>,
}

/// Plans the workers. Pure.
pub fn draft(workers: &Workers, observed: &ObservedWorkers, now: Timestamp) -> WorkerDraft {
    let mut draft = WorkerDraft::default();
    let settings = observed.settings.as_ref();
    let mut desired = made::of_workers(workers, settings);
    if workers.jmx.is_some_and(|jmx| jmx.password) {
        let live = observed.secrets.get(&workers.names.jmx_secret).map(AsRef::as_ref);
        let known = Known { live, made: &observed.made };
        let requests = known.requests().into_iter().map(|request| WorkerNeed::Material(Box::new(request)));
        draft.needs.extend(requests.filter(|need| observed.silence(need).is_none()));
        desired.extend(known.data().map(|data| made::jmx_secret(workers, data)));
    }
    if matches!(workers.rack, Some(Rack::TopologyLabel(_))) && !settings.cluster_role_bindings {
        draft.warnings.push(rack::needs_a_binding(
            &workers.owner.namespace,
            &workers.names.component,
            &workers.names.cluster_role_binding,
        ));
    }
    let mut pods = BTreeMap::new();
    let mut listed = Vec::with_capacity(workers.replicas);
    for number in 0..workers.replicas {
        let DesiredPod { pod, json } = pod::of_worker(workers, number, settings);
        pods.insert(workers.names.pod(number), pod);
        listed.push(json);
    }
    let set = &workers.names.component;
    let manual = roll::manual_update(observed, set);
    desired.push(made::pod_set(workers, listed, manual.as_ref()));
    let stays = |object: &ObjectId, _: &LiveObject| observed.stays(object);
    let components = std::slice::from_ref(set);
    draft.delete = orphans::of(&workers.claimant(), components, observed.all_live(), &desired, stays);
    leave_to_others(workers, observed, &mut desired, &mut draft);
    if !draft.needs.is_empty() {
        return WorkerDraft { needs: draft.needs, ..WorkerDraft::default() };
    }
    draft.apply = Write::all(desired, |desired| observed.live(desired));
    let is_set = |write: &&Write| write.reference.kind == kinds::STRIMZI_POD_SET;
    let write = draft.apply.iter().find(is_set);
    let roll = roll::decide(&pods, observed, workers, write.is_none_or(Write::is_change), now);
    draft.restart = roll.now;
    draft.waiting_for.extend(roll.waiting_for);
    draft.stuck |= roll.stuck;
    draft.warnings.extend(roll.put_off.into_iter().map(|message| {
        let reason = reasons::IN_PLACE_RESIZING_DEFERRED.to_owned();
        Warning { reason, message }
    }));
    draft.warnings.extend(roll.said.into_iter().map(|message| {
        let reason = reasons::POD_NOT_READY.to_owned();
        Warning { reason, message }
    }));
    draft
}

/// Takes out of what is wanted what belongs to another owner. Then the pods stay as they are, and nothing goes.
fn leave_to_others(
    workers: &Workers,
    observed: &ObservedWorkers,
    desired: &mut Vec<DesiredObject>,
    draft: &mut WorkerDraft,
) {
    let claimant = workers.claimant();
    let strangers = match observed.strangers(&claimant, desired.iter().map(|object| &object.reference)) {
        Ok(strangers) => strangers,
        Err(need) => {
            draft.needs.push(need);
            return;
        }
    };
    if strangers.is_empty() {
        return;
    }
    draft.look_again = Some(AGAIN_SECONDS);
    draft.stuck = true;
    draft.delete.clear();
    for stranger in &strangers {
        let message = stranger.words(&claimant);
        let reason = reasons::FOREIGN_OBJECT.to_owned();
        draft.warnings.push(Warning { reason, message: message.clone() });
        draft.waiting_for.push(message);
    }
    desired.retain(|wanted| {
        wanted.reference.kind != kinds::STRIMZI_POD_SET
            && strangers.iter().all(|stranger| stranger.object != wanted.reference)
    });
}
