//! Puts the plan of a KafkaBridge together. Pure.

use ::objects::{DesiredObject, ObjectId, Write};
use api::KafkaBridge;
use api::conditions::reasons;
use api::kafka_bridge::KafkaBridgeStatus;
use api::labels::component;
use api::names::bridge as bridge_names;
use jiff::Timestamp;

use super::bridge::Bridge;
use super::status::{self, Progress};
use super::{deployment, objects, validate};
use crate::findings::{self, Findings};
use crate::live_object::LiveObject;
use crate::ownership::Stranger;
use crate::pod_words::{PATIENCE, words as words_of_pod};
use crate::status::refused;
use crate::workers::need::WorkerNeed;
use crate::workers::observed::ObservedWorkers;
use crate::workload::operand::{Account, Company, Operand, Switches};
use crate::{orphans, plan, rack};

/// The plan; its status is the complete one of the resource, and `None` writes nothing. Kubernetes does the rest by itself.
pub type BridgePlan = plan::Plan<WorkerNeed, (), Option<KafkaBridgeStatus>>;

/// Seconds after which a resource whose pods wait for longer than usual is looked at again.
const LOOK_AGAIN_SECONDS: u64 = 60;

/// Seconds until an object of another owner is looked at again: nothing announces that it went.
const STRANGER_AGAIN_SECONDS: u64 = 15;

/// Plans one pass over one KafkaBridge, as far as the answers in `observed` allow. A resource that is wrong yields a plan that
/// writes its status and nothing else.
pub fn plan(resource: &KafkaBridge, observed: &ObservedWorkers, now: Timestamp) -> BridgePlan {
    let mut findings = Findings::default();
    if let Some(why) = &observed.unreadable {
        let status = refused(resource, reasons::INVALID_CONFIGURATION, why, &[], now);
        return BridgePlan { status: Some(status), ..BridgePlan::default() };
    }
    let bridge = validate::read(resource, &observed.settings, observed.referred(), &mut findings);
    findings.settle(true);
    if !findings.problems.is_empty() {
        let words = findings::words(&findings.problems);
        let status = refused(resource, reasons::INVALID_RESOURCE, &words, &findings.warnings, now);
        return BridgePlan { status: Some(status), ..BridgePlan::default() };
    }
    let mut plan = BridgePlan::default();
    let mut progress = Progress::default();
    let desired = desired(&bridge, observed, now, &mut progress, &mut findings);
    let components = [bridge.component()];
    let stays = |object: &ObjectId, _: &LiveObject| observed.stays(object);
    plan.delete = orphans::of(&bridge.claimant(), &components, observed.all_live(), &desired, stays);
    let desired = match observed.strangers(&bridge.claimant(), desired.iter().map(|object| &object.reference))
    {
        Err(need) => return BridgePlan::asking(vec![need]),
        Ok(strangers) => without(&strangers, &bridge, desired, &mut plan, &mut progress, &mut findings),
    };
    plan.apply = Write::all(desired, |desired| observed.live(desired));
    let is_deployment = |write: &&Write| write.reference.kind == "Deployment" && write.is_change();
    if plan.apply.iter().any(|write| is_deployment(&write)) && progress.waiting_for.is_empty() {
        progress.waiting_for.push(format!("deployment {} is being changed", bridge.component()));
    }
    findings.settle(true);
    plan.status = Some(status::of(resource, &bridge, &findings.warnings, &progress, now));
    if !progress.waiting_for.is_empty() {
        plan.look_again_in(LOOK_AGAIN_SECONDS);
    }
    plan.waiting_for = progress.waiting_for;
    plan
}

/// Every object that is wanted.
fn desired(
    bridge: &Bridge,
    observed: &ObservedWorkers,
    now: Timestamp,
    progress: &mut Progress,
    findings: &mut Findings,
) -> Vec<DesiredObject> {
    let settings = observed.settings.as_ref();
    let name = bridge.component();
    let live = observed.deployments.get(&name).map(AsRef::as_ref);
    let mut all = objects::used(bridge, settings);
    let binding = objects::cluster_role_binding(bridge);
    if binding.is_some() && !settings.cluster_role_bindings {
        let binding = bridge_names::init_cluster_role_binding(&bridge.owner.namespace, &bridge.owner.name);
        let account = bridge.component();
        findings.warnings.push(rack::needs_a_binding(&bridge.owner.namespace, &account, &binding));
    }
    let company = Company {
        account: Account::Own(bridge.templates.service_account.as_ref()),
        rights: binding.into_iter().filter(|_| settings.cluster_role_bindings).collect(),
        ingress: Vec::new(),
        budget: bridge.templates.pod_disruption_budget.as_ref(),
        made_when: None,
    };
    // Whoever reaches the Service may use it, as with Strimzi.
    let switches = Switches { network_policies: false, ..settings.switches() };
    let operand =
        Operand { owner: &bridge.owner, name: &name, component_type: component::KAFKA_BRIDGE, live };
    let planned = operand.plan(switches, company, || vec![deployment::of(bridge, settings, live)]);
    all.extend(planned.objects);
    if let Some(waiting_for) = planned.waiting_for {
        progress.waiting_for.push(waiting_for);
        say_what_pods_say(observed, progress, findings);
    }
    if planned.unavailable_since.is_some_and(|since| now.duration_since(since) > PATIENCE) {
        progress.stuck = true;
    }
    all
}

/// What the scheduler, the kubelet and the programs themselves say of pods that are not ready.
fn say_what_pods_say(observed: &ObservedWorkers, progress: &mut Progress, findings: &mut Findings) {
    for (name, pod) in &observed.pods {
        if let Some(words) = words_of_pod(pod) {
            let words = format!("pod {name} is not ready: {words}");
            findings.warn(reasons::POD_NOT_READY, words.clone());
            progress.waiting_for.push(words);
        }
    }
}

/// Takes out of what is wanted what belongs to another owner. Then the pods stay as they are, and nothing goes.
fn without(
    strangers: &[Stranger],
    bridge: &Bridge,
    mut desired: Vec<DesiredObject>,
    plan: &mut BridgePlan,
    progress: &mut Progress,
    findings: &mut Findings,
) -> Vec<DesiredObject> {
    if strangers.is_empty() {
        return desired;
    }
    plan.look_again_in(STRANGER_AGAIN_SECONDS);
    plan.delete.clear();
    progress.stuck = true;
    for stranger in strangers {
        let message = stranger.words(&bridge.claimant());
        findings.warn(reasons::FOREIGN_OBJECT, message.clone());
        progress.waiting_for.push(message);
    }
    desired.retain(|wanted| {
        wanted.reference.kind != "Deployment"
            && strangers.iter().all(|stranger| stranger.object != wanted.reference)
    });
    desired
}
