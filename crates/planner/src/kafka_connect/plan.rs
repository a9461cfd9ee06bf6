//! Puts the plan of a KafkaConnect together. Pure.

use std::time::Duration;

use api::KafkaConnect;
use api::conditions::reasons;
use api::kafka_connect::KafkaConnectStatus;
use api::kinds;
use jiff::Timestamp;

use super::call::ConnectCall;
use super::status::{self, Progress};
use super::{build, validate};
use crate::findings::{self, Findings};
use crate::plan;
use crate::referred::Referred;
use crate::status::refused;
use crate::workers::need::WorkerNeed;
use crate::workers::observed::{ObservedWorkers, Plugins};
use crate::workers::plan::{self as worker_plan, WorkerDraft};
use crate::workers::{plug_ins, sharing};

/// The plan; its status is the complete one of the resource, and `None` writes nothing.
pub type ConnectPlan = plan::Plan<WorkerNeed, ConnectCall, Option<KafkaConnectStatus>>;

/// Seconds after which a resource whose pods wait for longer than usual is looked at again.
const LOOK_AGAIN_SECONDS: u64 = 60;

/// Plans one pass over one KafkaConnect, as far as the answers in `observed` allow. A resource that is wrong yields a plan that
/// writes its status and nothing else.
pub fn plan(connect: &KafkaConnect, observed: &ObservedWorkers, now: Timestamp) -> ConnectPlan {
    let mut findings = Findings::default();
    if let Some(why) = &observed.unreadable {
        let status = refused(connect, reasons::INVALID_CONFIGURATION, why, &[], now);
        return ConnectPlan { status: Some(status), ..ConnectPlan::default() };
    }
    let workers = validate::read(connect, &observed.settings, observed.referred(), &mut findings);
    findings.warnings.extend(sharing::warnings(&observed.sharing, &observed.namespace));
    let build = match (&workers, observed.referred()) {
        (Some(workers), Referred::Read { secrets, .. }) => {
            build::read::read(connect, workers, &secrets, &observed.settings, &mut findings)
        }
        _ => None,
    };
    findings.settle(workers.is_some());
    let Some(mut workers) = workers.filter(|_| findings.problems.is_empty()) else {
        let words = findings::words(&findings.problems);
        let status = refused(connect, reasons::INVALID_RESOURCE, &words, &findings.warnings, now);
        return ConnectPlan { status: Some(status), ..ConnectPlan::default() };
    };
    let image = build::decide::decide(build.as_ref(), &workers, observed, now);
    workers.build_annotations = image.annotations;
    let has_image = image.image.is_some();
    workers.image = image.image.unwrap_or_default();
    let mut draft = worker_plan::draft(&workers, observed, now);
    let needs: Vec<WorkerNeed> = image.needs.into_iter().chain(draft.needs.drain(..)).collect();
    if !needs.is_empty() {
        return ConnectPlan::asking(needs);
    }
    if !has_image {
        without_workers(&mut draft);
    }
    let WorkerDraft {
        needs: _,
        mut apply,
        mut delete,
        restart,
        mut waiting_for,
        mut stuck,
        warnings,
        look_again,
    } = draft;
    apply.extend(image.apply);
    apply.sort_by_key(|write| write.stage);
    delete.extend(image.delete);
    waiting_for.extend(image.waiting_for);
    stuck |= image.failed;
    findings.warnings.extend(image.warnings);
    findings.warnings.extend(warnings);
    findings.warnings.extend(plug_ins::warnings(&workers, &observed.missing_plug_ins));
    findings.settle(true);
    let serves = waiting_for.is_empty() && workers.replicas > 0;
    if serves && observed.plugins == Plugins::Unasked {
        let need = WorkerNeed::Plugins(observed.fingerprint_of_pods());
        if observed.silence(&need).is_none() {
            return ConnectPlan::asking(vec![need]);
        }
    }
    let start = image.start.map(ConnectCall::StartBuild);
    let progress = Progress { waiting_for: &waiting_for, stuck };
    let mut status = status::of(connect, &workers, &findings.warnings, &progress, now);
    if let (true, Plugins::Known(plugins)) = (serves, &observed.plugins) {
        status.connector_plugins = Some(plugins.clone());
    }
    let again = (!waiting_for.is_empty()).then_some(LOOK_AGAIN_SECONDS);
    ConnectPlan {
        apply,
        delete,
        events: restart.iter().flat_map(|restart| restart.events(0)).collect(),
        calls: restart.into_iter().map(ConnectCall::Restart).chain(start).collect(),
        status: Some(status),
        look_again: look_again
            .into_iter()
            .chain(again)
            .chain(image.look_again)
            .min()
            .map(Duration::from_secs),
        waiting_for,
        ..ConnectPlan::default()
    }
}

/// Leaves out the workers, for which there is no image yet: everything else can be there before them.
fn without_workers(draft: &mut WorkerDraft) {
    draft.apply.retain(|write| write.reference.kind != kinds::STRIMZI_POD_SET);
    draft.restart = None;
    draft.waiting_for.clear();
}
