//! Puts the plan of a KafkaConnect together. Pure.

use std::time::Duration;

use api::KafkaConnect;
use api::conditions::reasons;
use api::kafka_connect::KafkaConnectStatus;
use jiff::Timestamp;

use super::status::{self, Progress};
use super::validate;
use crate::findings::{self, Findings};
use crate::status::refused;
use crate::workers::need::Need;
use crate::workers::observed::{Observed, Plugins};
use crate::workers::plan::{self, Draft};
use crate::workers::sharing;

/// The plan; its status is the complete one of the resource, and `None` writes nothing.
pub type Plan = plan::Plan<Option<KafkaConnectStatus>>;

/// Seconds after which a resource whose pods wait for longer than usual is looked at again.
const LOOK_AGAIN_SECONDS: u64 = 60;

/// Plans one pass over one KafkaConnect, as far as the answers in `observed` allow. A resource that is wrong yields a plan that
/// writes its status and nothing else.
pub fn plan(connect: &KafkaConnect, observed: &Observed, now: Timestamp) -> Plan {
    let mut findings = Findings::default();
    if let Some(why) = &observed.unreadable {
        let status = refused(connect, reasons::INVALID_CONFIGURATION, why, &[], now);
        return Plan { status: Some(status), ..Plan::default() };
    }
    let workers = validate::read(connect, &observed.settings, observed.referred(), &mut findings);
    findings.warnings.extend(sharing::warnings(&observed.sharing, &observed.namespace));
    findings.settle(workers.is_some());
    let Some(workers) = workers.filter(|_| findings.problems.is_empty()) else {
        let words = findings::words(&findings.problems);
        let status = refused(connect, reasons::INVALID_RESOURCE, &words, &findings.warnings, now);
        return Plan { status: Some(status), ..Plan::default() };
    };
    let draft = plan::draft(&workers, observed, now);
    let Draft { needs, apply, delete, restart, waiting_for, stuck, warnings, look_again } = draft;
    if !needs.is_empty() {
        return Plan::asking(needs);
    }
    findings.warnings.extend(warnings);
    findings.settle(true);
    let serves = waiting_for.is_empty() && workers.replicas > 0;
    if serves && observed.plugins == Plugins::Unasked {
        let need = Need::Plugins(observed.fingerprint_of_pods());
        if observed.silence(&need).is_none() {
            return Plan::asking(vec![need]);
        }
    }
    let progress = Progress { waiting_for: &waiting_for, stuck };
    let mut status = status::of(connect, &workers, &findings.warnings, &progress, now);
    if let (true, Plugins::Known(plugins)) = (serves, &observed.plugins) {
        status.connector_plugins = Some(plugins.clone());
    }
    let again = (!waiting_for.is_empty()).then_some(LOOK_AGAIN_SECONDS);
    Plan {
        apply,
        delete,
        events: restart.iter().flat_map(|restart| restart.events(0)).collect(),
        calls: restart.into_iter().collect(),
        status: Some(status),
        look_again: look_again.into_iter().chain(again).min().map(Duration::from_secs),
        waiting_for,
        ..Plan::default()
    }
}
