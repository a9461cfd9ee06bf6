//! Puts the plan of a KafkaMirrorMaker2 together. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use api::KafkaMirrorMaker2Status;
use api::common::connector::AutoRestartStatus;
use api::conditions::{events, reasons};
use api::names::mirror_maker2 as names;
use jiff::Timestamp;
use serde::Serialize;

use super::asked;
use super::connectors::MirrorWanted;
use super::observed::{Connect, LiveMirrorMaker2};
use super::removals::Removals;
use super::status::{self, OfConnector, Shown};
use super::validate::{self, Asked};
use crate::completion::plan_with_common;
use crate::findings::{self, Findings, Warning};
use crate::kafka_connector::actual::Actual;
use crate::kafka_connector::asked::{Annotation, Asked as AskedOnce};
use crate::kafka_connector::observed::later;
use crate::kafka_connector::past::Past;
use crate::kafka_connector::transition::{self, Doing, Situation};
use crate::plan::{self, Occasion, PlannedEvent};
use crate::status::refused;
use crate::workers::need::WorkerNeed;
use crate::workers::observed::{ObservedWorkers, Plugins};
use crate::workers::plan as workers;
use crate::workers::plug_ins;
use crate::workers::roll::WorkerRestart;
use crate::workers::sharing::{self, Sharing};

/// When a resource whose pods wait for longer than usual is looked at again.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// So long a connector may have failed unnoticed.
const ROUND: Duration = Duration::from_secs(30);

/// Something that is done beside writing objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum MirrorMaker2Call {
    /// A worker restarts.
    Restart(WorkerRestart),
    /// A call about a connector.
    Connector {
        /// Its name.
        name: String,
        /// Key of its offsets in ConfigMaps.
        offsets_key: String,
        /// The call.
        doing: Doing,
    },
    /// A connector that the resource does not ask for is removed.
    Remove {
        /// Its name.
        name: String,
    },
}

/// What the plan of a KafkaMirrorMaker2 has in common with those of other kinds.
type Common = plan::Plan<WorkerNeed, MirrorMaker2Call, Option<KafkaMirrorMaker2Status>>;

/// What a pass does. Annotations are taken off after the calls.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MirrorMaker2Plan {
    /// What it has in common with the plans of other kinds.
    #[serde(flatten)]
    pub common: Common,
    /// Annotations to take off, since what they ask for was done.
    pub take_off: Vec<Annotation>,
    /// Whether it may be asked how far the mirrors are: they are as the resource says.
    pub asks_progress: bool,
}

plan_with_common!(MirrorMaker2Plan, Common);

impl MirrorMaker2Plan {
    /// A plan that writes a status and does nothing else.
    fn saying(status: KafkaMirrorMaker2Status) -> Self {
        Common { status: Some(status), ..Common::default() }.into()
    }
}

impl MirrorMaker2Plan {
    fn call(&mut self, call: MirrorMaker2Call) {
        let place = self.calls.len();
        let of_call = match &call {
            MirrorMaker2Call::Restart(restart) => restart.events(place),
            MirrorMaker2Call::Connector { name, doing, .. } => doing.event(name, place).into_iter().collect(),
            MirrorMaker2Call::Remove { name } => vec![PlannedEvent {
                reason: events::CONNECTOR_REMOVED.to_owned(),
                text: format!("connector {name} was removed, since the resource does not ask for it"),
                pod: None,
                occasion: Occasion::Called {
                    call: place,
                    action: events::MANAGE_CONNECTOR,
                    is_warning: false,
                },
            }],
        };
        self.events.extend(of_call);
        self.calls.push(call);
    }
}

/// Plans one pass, as far as the answers so far allow. A resource that is wrong yields a plan that writes its status and nothing
/// else.
pub(super) fn plan(live: &LiveMirrorMaker2, now: Timestamp) -> MirrorMaker2Plan {
    let (resource, observed) = (live.resource.as_ref(), &live.observed);
    if let Some(why) = &observed.unreadable {
        let status = refused(resource, reasons::INVALID_CONFIGURATION, why, &[], now);
        return MirrorMaker2Plan::saying(status);
    }
    let mut findings = Findings::default();
    let read = validate::read(resource, &observed.settings, observed.referred(), &mut findings);
    findings.settle(read.is_some());
    let Some(Asked { workers, connectors }) = read.filter(|_| findings.problems.is_empty()) else {
        let words = findings::words(&findings.problems);
        let status = refused(resource, reasons::INVALID_RESOURCE, &words, &findings.warnings, now);
        return MirrorMaker2Plan::saying(status);
    };
    let draft = workers::draft(&workers, observed, now);
    let workers::WorkerDraft { needs, apply, delete, restart, waiting_for, stuck, warnings, look_again } =
        draft;
    if !needs.is_empty() {
        return Common::asking(needs).into();
    }
    let is_here = matches!(live.connect, Connect::Here(_)) && waiting_for.is_empty();
    if is_here && observed.plugins == Plugins::Unasked {
        let need = WorkerNeed::Plugins(observed.fingerprint_of_pods());
        if observed.silence(&need).is_none() {
            return Common::asking(vec![need]).into();
        }
    }
    findings.warnings.extend(warnings);
    findings.warnings.extend(plug_ins::warnings(&workers, &observed.missing_plug_ins));
    findings.warnings.extend(sharing::warnings(&observed.sharing, &observed.namespace));
    let mut plan = MirrorMaker2Plan::from(Common { apply, delete, waiting_for, ..Common::default() });
    if let Some(restart) = restart {
        plan.call(MirrorMaker2Call::Restart(restart));
    }
    let asked = asked::of(resource, &connectors, &mut findings);
    // Where an object of the workers belongs to others, their address may lead to pods of others.
    let of_connectors = match &live.connect {
        Connect::Here(there) if look_again.is_none() && workers.replicas > 0 => {
            let mut round = Round { live, now, plan: &mut plan, shown: BTreeMap::new() };
            for wanted in &connectors {
                let asked = asked.get(&wanted.wanted.name).map(Vec::as_slice).unwrap_or_default();
                round.one(wanted, there, asked, &mut findings.warnings);
            }
            let shown = round.shown;
            // What another resource asks for may be among them.
            if !shares_connectors(observed) {
                remove(&live.removals, now, &mut plan);
            }
            Some(shown)
        }
        _ => {
            if workers.replicas == 0 {
                say_waiting(&asked, &mut findings);
            }
            None
        }
    };
    plan.asks_progress = of_connectors.is_some() && plan.calls.is_empty();
    findings.settle(true);
    let shown = Shown {
        workers: &workers,
        warnings: &findings.warnings,
        waiting_for: &plan.waiting_for,
        stuck,
        connect: &live.connect,
        plugins: &observed.plugins,
        progress: &live.progress,
        connectors: of_connectors.as_ref(),
        not_removed: live.removals.failed(),
    };
    plan.status = Some(status::of(resource, &shown, now));
    if !plan.waiting_for.is_empty() {
        plan.look_again_after(LOOK_AGAIN);
    }
    if let Some(seconds) = look_again {
        plan.look_again_after(Duration::from_secs(seconds));
    }
    if workers.replicas > 0 {
        plan.look_again_after(ROUND);
    }
    plan
}

/// Warns of annotations that ask for something while there is no worker.
fn say_waiting(asked: &BTreeMap<String, Vec<AskedOnce>>, findings: &mut Findings) {
    for asked in asked.values().flatten() {
        let message = format!(
            "metadata.annotations.{}: waits until there are workers: spec.replicas is 0",
            asked.annotation.key
        );
        findings.warn(reasons::CREATING, message);
    }
}

/// Whether the workers see the connectors of another resource.
fn shares_connectors(observed: &ObservedWorkers) -> bool {
    observed.sharing.iter().any(Sharing::shares_connectors)
}

/// Removes what the resource does not ask for.
fn remove(removals: &Removals, now: Timestamp, plan: &mut MirrorMaker2Plan) {
    for name in removals.due(now) {
        plan.call(MirrorMaker2Call::Remove { name: name.clone() });
    }
    if let Some(at) = removals.next_try() {
        plan.look_again_after(Duration::try_from(at.duration_since(now)).unwrap_or_default());
    }
}

/// The look at all connectors.
struct Round<'a> {
    live: &'a LiveMirrorMaker2,
    now: Timestamp,
    plan: &'a mut MirrorMaker2Plan,
    shown: BTreeMap<String, OfConnector>,
}

impl Round<'_> {
    fn one(
        &mut self,
        wanted: &MirrorWanted<'_>,
        there: &BTreeMap<String, Actual>,
        asked: &[AskedOnce],
        warnings: &mut Vec<Warning>,
    ) {
        let (wanted, now) = (&wanted.wanted, self.now);
        let name = &wanted.name;
        let (done, asked): (Vec<_>, Vec<_>) =
            asked.iter().cloned().partition(|asked| self.live.answered.contains(&asked.annotation));
        self.plan.take_off.extend(done.into_iter().map(|asked| asked.annotation));
        let nothing = Past::default();
        let past = self.live.past.get(name).unwrap_or(&nothing);
        let of_name = |status: &&AutoRestartStatus| status.connector_name.as_ref() == Some(name);
        let status = self.live.resource.status.as_ref();
        let told = status.and_then(|status| status.auto_restart_statuses.as_ref()?.iter().find(of_name));
        let step = transition::step(&Situation {
            wanted,
            actual: there.get(name),
            asked: &asked,
            restarts: later(told, past.restarted.as_ref()),
            past,
            now,
        });
        warnings.extend(step.warnings.into_iter().map(|warning| {
            let message = format!("connector {name}: {}", warning.message);
            Warning { reason: warning.reason, message }
        }));
        if let Some(at) = step.look_at {
            self.plan.look_again_after(Duration::try_from(at.duration_since(now)).unwrap_or_default());
        }
        let made = step.doing.as_ref().and_then(|doing| doing.restarts.clone());
        if let Some(doing) = step.doing {
            let (name, offsets_key) = (name.clone(), names::offsets_key(name));
            self.plan.call(MirrorMaker2Call::Connector { name, offsets_key, doing });
        }
        let shown = OfConnector {
            standing: step.standing,
            restarts: made.or(step.restarts),
            waits_since: past.waits_since(),
        };
        self.shown.insert(name.clone(), shown);
    }
}
