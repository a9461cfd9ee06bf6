//! Puts the plan of a KafkaMirrorMaker together. Pure.
//!
//! Where MirrorMaker 1 still runs, nothing is made before an annotation agrees. The KafkaMirrorMaker2 of its name then mirrors nothing while
//! the Deployment of MirrorMaker 1 is there: both would write each record. That Deployment goes when the workers are ready to go on.

use api::common::connector::ConnectorState;
use api::conditions::{Condition, merge, reasons, types};
use api::kafka_mirror_maker::KafkaMirrorMakerStatus;
use api::kinds;
use api::names::mirror_maker as names;
use api::{KafkaMirrorMaker, KafkaMirrorMaker2, KafkaMirrorMaker2Spec, annotations, labels};
use jiff::Timestamp;
use objects::{DesiredObject, Live as LiveObject, ObjectId, Owner, Precondition, Write, json};

use super::observed::LiveMirrorMaker;
use super::translate;
use crate::findings::{self, Findings, Warning};
use crate::ownership::Claimant;
use crate::status::{refused, warning, was_ready};
use crate::workers::need::WorkerNeed;
use crate::{orphans, plan};

/// The plan; its status is the complete one of the resource.
pub type MirrorMakerPlan = plan::Plan<WorkerNeed, (), Option<KafkaMirrorMakerStatus>>;

/// The kind of what is made.
const MADE: &str = kinds::KAFKA_MIRROR_MAKER2;

/// Plans one pass. A resource that is wrong yields a plan that writes its status and nothing else.
pub fn plan(live: &LiveMirrorMaker, now: Timestamp) -> MirrorMakerPlan {
    let (resource, observed) = (live.resource.as_ref(), &live.observed);
    if let Some(why) = &observed.unreadable {
        let status = refused(resource, reasons::INVALID_CONFIGURATION, why, &[], now);
        return MirrorMakerPlan { status: Some(status), ..MirrorMakerPlan::default() };
    }
    let former = former(live);
    let state = if former.is_empty() { ConnectorState::Running } else { ConnectorState::Stopped };
    let mut findings = Findings::default();
    let spec = translate::spec(resource, state, &mut findings);
    if let Some(made) = live.made.as_ref().filter(|made| is_of(made, resource)) {
        translate::compare(&made.spec, &spec, &mut findings);
    }
    if !findings.problems.is_empty() {
        let words = findings::words(&findings.problems);
        let status = refused(resource, reasons::INVALID_RESOURCE, &words, &findings.warnings, now);
        return MirrorMakerPlan { status: Some(status), ..MirrorMakerPlan::default() };
    }
    if !former.is_empty()
        && !annotations::is_true(resource.metadata.annotations.as_ref(), annotations::RUN_AS_MIRROR_MAKER_2)
    {
        let status = refused(resource, reasons::TAKE_OVER_HELD, &held(&former), &findings.warnings, now);
        return MirrorMakerPlan { status: Some(status), ..MirrorMakerPlan::default() };
    }
    let owner = Owner::of(resource);
    if live.made.as_ref().is_some_and(|made| !is_of(made, resource)) {
        let words = format!(
            "{MADE} {} is not of this resource, and would have the same objects: rename or delete one of the two",
            owner.name
        );
        let status = refused(resource, reasons::FOREIGN_OBJECT, &words, &findings.warnings, now);
        return MirrorMakerPlan { status: Some(status), ..MirrorMakerPlan::default() };
    }
    let wanted = desired(resource, &owner, spec);
    let write = Write::all(vec![wanted], |_| match &live.made {
        Some(made) => LiveObject::Object(json(&**made)),
        None => LiveObject::Absent,
    });
    let changes = write.iter().any(Write::is_change);
    let mut plan = MirrorMakerPlan { apply: write, ..MirrorMakerPlan::default() };
    let is_ready = !changes && live.made.as_ref().is_some_and(|made| is_done(made));
    if is_ready || resource.spec.replicas == 0 {
        let claimant =
            Claimant { kind: &owner.kind, namespace: &owner.namespace, name: &owner.name, parts: Vec::new() };
        let components = [names::component(&owner.name)];
        plan.delete = orphans::of(&claimant, &components, observed.all_live(), &[], |_, _| None);
    }
    if !former.is_empty() {
        plan.waiting_for.push(format!("{former} still mirrors"));
    }
    plan.status = Some(status(live, &findings.warnings, &plan, changes, now));
    plan
}

/// Why MirrorMaker 2 does not take the place of what runs.
fn held(former: &str) -> String {
    format!(
        "{former} of MirrorMaker 1 mirrors on. MirrorMaker 2 can take its place, and some of it cannot be taken back: each record goes into the partition of the \
         number that it has in the source, so that records of one key may come into another partition than before, and the topics of the \
         target get at least as many partitions as those of the source; topics whose names end with internal or heartbeats are left out or get \
         another name (docs/mirror-maker-2.md). If that is as it should be, set the annotation {}: \"true\" on the KafkaMirrorMaker",
        annotations::RUN_AS_MIRROR_MAKER_2
    )
}

/// What of MirrorMaker 1 still mirrors, in words; empty: nothing.
fn former(live: &LiveMirrorMaker) -> String {
    let component = names::component(live.resource.metadata.name.as_deref().unwrap_or_default());
    if live.observed.deployments.contains_key(&component) {
        return format!("Deployment {component}");
    }
    let is_former = |pod: &&std::sync::Arc<k8s_openapi::api::core::v1::Pod>| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let has_ended = matches!(phase, Some("Succeeded" | "Failed"));
        let name = pod.metadata.labels.as_ref().and_then(|all| all.get(labels::NAME));
        !has_ended && name == Some(&component)
    };
    let pod = live.observed.pods.values().find(is_former);
    pod.map_or_else(String::new, |pod| format!("pod {}", pod.metadata.name.as_deref().unwrap_or_default()))
}

fn is_deployed(live: &LiveMirrorMaker) -> bool {
    let component = names::component(live.resource.metadata.name.as_deref().unwrap_or_default());
    live.observed.deployments.contains_key(&component)
}

fn is_of(made: &KafkaMirrorMaker2, resource: &KafkaMirrorMaker) -> bool {
    let owners = made.metadata.owner_references.iter().flatten();
    owners.into_iter().any(|owner| Some(&owner.uid) == resource.metadata.uid.as_ref())
}

/// Whether what was made is as its resource asks for.
fn is_done(made: &KafkaMirrorMaker2) -> bool {
    let Some(status) = &made.status else { return false };
    let is_ready = status.conditions.iter().flatten().any(|condition| condition.is(types::READY));
    is_ready && status.observed_generation == made.metadata.generation
}

fn desired(resource: &KafkaMirrorMaker, owner: &Owner, spec: KafkaMirrorMaker2Spec) -> DesiredObject {
    let mut wanted = KafkaMirrorMaker2::new(&owner.name, spec);
    wanted.metadata.namespace = Some(owner.namespace.clone());
    // The selector of the operator's may ask for them.
    wanted.metadata.labels.clone_from(&resource.metadata.labels);
    wanted.metadata.owner_references = Some(vec![owner.reference()]);
    let reference = ObjectId {
        api_version: format!("{}/{}", api::GROUP, api::VERSION),
        kind: MADE.to_owned(),
        namespace: Some(owner.namespace.clone()),
        name: owner.name.clone(),
    };
    DesiredObject { reference, object: json(&wanted), precondition: Precondition::None, beside: false }
}

/// What is said of the resource: its own warnings, and what its KafkaMirrorMaker2 says.
fn status(
    live: &LiveMirrorMaker,
    warnings: &[Warning],
    plan: &MirrorMakerPlan,
    changes: bool,
    now: Timestamp,
) -> KafkaMirrorMakerStatus {
    let resource = live.resource.as_ref();
    let old = resource.status.clone().unwrap_or_default();
    let made = live.made.as_ref().and_then(|made| made.status.clone()).unwrap_or_default();
    let mut conditions: Vec<Condition> = warnings.iter().map(warning).collect();
    for condition in made.conditions.iter().flatten() {
        if condition.is(types::WARNING) {
            let message = condition.message.as_deref().unwrap_or_default();
            conditions.push(Condition::warning(
                condition.reason.as_deref().unwrap_or_default(),
                translate::in_older_words(message),
            ));
        }
    }
    let is_done =
        !changes && plan.waiting_for.is_empty() && live.made.as_ref().is_some_and(|made| is_done(made));
    let not_ready = made.conditions.iter().flatten().find(|condition| condition.is(types::NOT_READY));
    let mut generation = resource.metadata.generation;
    if is_done {
        conditions.push(Condition::ready());
    } else if let Some(condition) = not_ready.filter(|_| !changes) {
        let message = translate::in_older_words(condition.message.as_deref().unwrap_or_default());
        conditions.push(Condition::not_ready(condition.reason.as_deref().unwrap_or_default(), message));
    } else if was_ready(resource) && (plan.waiting_for.is_empty() || is_deployed(live)) {
        // A last pod of MirrorMaker 1 that does not go, on a machine that died, keeps all from being mirrored.
        conditions.push(Condition::ready());
        generation = old.observed_generation;
    } else {
        let words =
            plan.waiting_for.first().cloned().unwrap_or_else(|| "the workers are being made".to_owned());
        conditions.push(Condition::not_ready(reasons::CREATING, words));
    }
    KafkaMirrorMakerStatus {
        conditions: Some(merge(conditions, old.conditions.as_deref(), now)),
        observed_generation: generation,
        label_selector: made.label_selector,
        replicas: made.replicas,
    }
}
