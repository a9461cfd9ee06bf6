//! The next call about a connector: one at a time, decided from what Connect says now.
//!
//! First what the connector is to be: it is made, given its options, and led into its state. Then what annotations ask for, then the
//! automatic restart. What was refused or not answered is tried again later, and what meets a rebalance in a moment; what was made a
//! moment ago is given time to show.

use api::common::connector::{AutoRestartStatus, ConnectorState};
use api::conditions::{events, format_time, reasons};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::actual::{Actual, State};
use super::asked::{Annotation, Asked};
use super::auto_restart::{self, Verdict};
use super::call::ConnectorCall;
use super::past::{Failure, FailureKind, Past};
use super::unlisted;
use super::wanted::Wanted;
use super::words;
use crate::findings::Warning;
use crate::plan::{Occasion, PlannedEvent};

/// How long a connector that has just been started is looked at more often: its tasks come a moment later.
const YOUNG: SignedDuration = SignedDuration::from_secs(30);

/// How long the same call is made again and again before an opponent is suspected.
const OPPONENT: SignedDuration = SignedDuration::from_mins(1);

/// What is decided from.
#[derive(Debug)]
pub struct Situation<'a> {
    /// What the connector is to be.
    pub wanted: &'a Wanted,
    /// What Connect has; `None`: no such connector.
    pub actual: Option<&'a Actual>,
    /// What annotations ask for.
    pub asked: &'a [Asked],
    /// Automatic restarts in a row so far.
    pub restarts: Option<&'a AutoRestartStatus>,
    /// What was tried before.
    pub past: &'a Past,
    /// The time.
    pub now: Timestamp,
}

/// A call and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doing {
    /// The call.
    pub call: ConnectorCall,
    /// The annotation that asked for it, which is taken off when it was made.
    pub answers: Option<Annotation>,
    /// The automatic restarts in a row, when it was made.
    pub restarts: Option<AutoRestartStatus>,
}

impl Doing {
    /// The event that tells of it, if it is of interest, as the call of this place in a plan.
    pub fn event(&self, name: &str, call: usize) -> Option<PlannedEvent> {
        let count = self.restarts.as_ref()?.count?;
        Some(PlannedEvent {
            reason: events::CONNECTOR_RESTARTED.to_owned(),
            text: format!(
                "what has failed of connector {name} was restarted, for the {count}. time in a row"
            ),
            pod: None,
            occasion: Occasion::Called { call, action: events::MANAGE_CONNECTOR, is_warning: true },
        })
    }
}

/// How the connector is, compared with what it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// As it is to be.
    AsWanted,
    /// On its way: what is waited for, in words.
    Waits(String),
    /// Not as it is to be.
    Wrong {
        /// Reason of the condition.
        reason: &'static str,
        /// Why, and what to do.
        message: String,
    },
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The call to make now.
    pub doing: Option<Doing>,
    /// How the connector is.
    pub standing: Standing,
    /// Automatic restarts in a row.
    pub restarts: Option<AutoRestartStatus>,
    /// What deserves a look.
    pub warnings: Vec<Warning>,
    /// When to look again, if nothing happens before.
    pub look_at: Option<Timestamp>,
}

impl Step {
    fn look_by(&mut self, at: Timestamp) {
        self.look_at = Some(self.look_at.map_or(at, |known| known.min(at)));
    }
}

/// Whether a call can be made now.
enum Attempt<'a> {
    Now,
    /// It was made a moment ago.
    Settling,
    /// It failed and is to be tried again later.
    Later(&'a Failure),
}

/// Decides.
pub fn step(situation: &Situation<'_>) -> Step {
    let mut step = Step {
        doing: None,
        standing: standing(situation),
        restarts: situation.restarts.cloned(),
        warnings: Vec::new(),
        look_at: None,
    };
    if lead(situation, &mut step) {
        answer(situation, &mut step);
        restart(situation, &mut step);
    }
    watch_what_moves(situation, &mut step);
    step
}

/// What has to be done so that the connector is what it is to be.
fn needed(situation: &Situation<'_>) -> Option<ConnectorCall> {
    let wanted = situation.wanted;
    let Some(actual) = situation.actual else { return Some(create(wanted)) };
    if actual.config != wanted.config {
        return Some(ConnectorCall::Configure { config: wanted.config.clone() });
    }
    match (wanted.state, &actual.connector.state) {
        (ConnectorState::Running, State::Paused | State::Stopped) => Some(ConnectorCall::Resume),
        (ConnectorState::Paused, State::Running | State::Stopped) => Some(ConnectorCall::Pause),
        (ConnectorState::Stopped, State::Running | State::Paused | State::Failed) => {
            Some(ConnectorCall::Stop)
        }
        _ => None,
    }
}

fn create(wanted: &Wanted) -> ConnectorCall {
    ConnectorCall::Create { config: wanted.config.clone(), state: wanted.state }
}

/// What Connect said a moment ago of a connector that it has and does not list.
fn unlisted<'a>(situation: &Situation<'a>) -> Option<&'a Failure> {
    let failure = situation.past.failure(&create(situation.wanted))?;
    let is_it = situation.actual.is_none() && unlisted::is_unlisted(failure.kind);
    (is_it && failure.again_at() > situation.now).then_some(failure)
}

/// Gives a connector that Connect does not list its options and has it rest where it is to, until it is asked for once more.
fn lead_unlisted(situation: &Situation<'_>, found: &Failure, step: &mut Step) {
    step.standing = Standing::Waits(not_started());
    step.look_by(found.again_at());
    let Some(call) = unlisted::next(found.kind, situation.wanted) else { return };
    match attempt(situation, &call) {
        Attempt::Now if !situation.past.was_made_since(&call, found.at) => {
            step.doing = Some(Doing { call, answers: None, restarts: None });
        }
        Attempt::Now => {}
        Attempt::Settling => look_when_settled(situation, &call, step),
        Attempt::Later(failure) => {
            step.look_by(failure.again_at());
            if failure.kind != FailureKind::Rebalancing {
                step.standing = wrong(failure);
            }
        }
    }
}

/// Leads the connector to what it is to be. `false`: nothing else is to be done meanwhile.
fn lead(situation: &Situation<'_>, step: &mut Step) -> bool {
    if let Some(found) = unlisted(situation) {
        lead_unlisted(situation, found, step);
        return false;
    }
    let Some(call) = needed(situation) else { return true };
    let mut words = waiting_words(&call);
    if situation.past.in_vain_since().is_some_and(|since| situation.now.duration_since(since) > OPPONENT) {
        words.push_str(
            ", again and again: it does not show, or is changed back by something else, such as another KafkaConnect with the same \
             groupId, another operator or a user of the REST API",
        );
    }
    match attempt(situation, &call) {
        Attempt::Now => {
            // What is known of an earlier failure stays until it is over.
            step.standing = match situation.past.failures.iter().find(|failure| failure.call.is_like(&call)) {
                Some(failure) if unlisted::is_unlisted(failure.kind) => Standing::Waits(not_started()),
                Some(failure) if failure.kind != FailureKind::Rebalancing => wrong(failure),
                _ => Standing::Waits(words),
            };
            step.doing = Some(Doing { call, answers: None, restarts: None });
            false
        }
        Attempt::Settling => {
            step.standing = Standing::Waits(words);
            false
        }
        Attempt::Later(failure) if failure.kind == FailureKind::Rebalancing => {
            step.look_by(failure.again_at());
            step.standing = Standing::Waits(
                "Kafka Connect divides its connectors among the workers, and takes the change afterwards"
                    .to_owned(),
            );
            false
        }
        Attempt::Later(failure) => {
            step.look_by(failure.again_at());
            step.standing = wrong(failure);
            situation.actual.is_some()
        }
    }
}

fn attempt<'a>(situation: &Situation<'a>, call: &ConnectorCall) -> Attempt<'a> {
    let failure = situation.past.failure(call).filter(|failure| failure.again_at() > situation.now);
    match failure {
        Some(failure) => Attempt::Later(failure),
        None if situation.past.is_settling(call, situation.now) => Attempt::Settling,
        None => Attempt::Now,
    }
}

fn not_started() -> String {
    "Kafka Connect has the connector and says nothing of its state: no worker has started it yet, or its start hangs".to_owned()
}

fn waiting_words(call: &ConnectorCall) -> String {
    match call {
        ConnectorCall::Create { .. } => "the connector is being made",
        ConnectorCall::Configure { .. } => "the connector is being given its options",
        ConnectorCall::Resume => "the connector is being resumed",
        ConnectorCall::Pause => "the connector is being paused",
        _ => "the connector is being stopped",
    }
    .to_owned()
}

fn wrong(failure: &Failure) -> Standing {
    let reason = match failure.kind {
        FailureKind::Silence => reasons::CONNECT_AWAY,
        _ => reasons::CONNECT_REST,
    };
    let config = match &failure.call {
        ConnectorCall::Create { config, .. } | ConnectorCall::Configure { config } => Some(config),
        _ => None,
    };
    let message = config
        .map_or_else(|| failure.message.clone(), |config| words::without_secrets(&failure.message, config));
    Standing::Wrong { reason, message }
}

/// How the connector is by what Connect says.
fn standing(situation: &Situation<'_>) -> Standing {
    let Some(actual) = situation.actual else {
        return Standing::Waits("the connector is being made".to_owned());
    };
    if actual.has_failed() {
        let mut message = words::failed(actual);
        if actual.connector.state == State::Failed && situation.wanted.state == ConnectorState::Paused {
            message.push_str("; a connector that has failed cannot be paused");
        }
        return Standing::Wrong { reason: reasons::CONNECTOR_FAILED, message };
    }
    match &actual.connector.state {
        State::Passing(word) => Standing::Waits(format!("the connector is {word}")),
        _ => Standing::AsWanted,
    }
}

/// Does what annotations ask for.
fn answer(situation: &Situation<'_>, step: &mut Step) {
    for asked in situation.asked {
        let reason = reason(&asked.call);
        if asked.when_stopped && !is_stopped(situation) {
            let message = format!(
                "metadata.annotations.{}: the connector has to be stopped for that: write state: stopped",
                asked.annotation.key
            );
            step.warnings.push(Warning { reason: reason.to_owned(), message });
            continue;
        }
        match attempt(situation, &asked.call) {
            Attempt::Now if step.doing.is_none() => {
                step.doing = Some(Doing {
                    call: asked.call.clone(),
                    answers: Some(asked.annotation.clone()),
                    restarts: None,
                });
            }
            Attempt::Now => {}
            Attempt::Settling => look_when_settled(situation, &asked.call, step),
            Attempt::Later(failure) => warn(failure, reason, step),
        }
    }
}

/// What is asked for again a moment after it was done is done when the time to show is over.
fn look_when_settled(situation: &Situation<'_>, call: &ConnectorCall, step: &mut Step) {
    if let Some(at) = situation.past.settled_at(call) {
        step.look_by(at);
    }
}

fn is_stopped(situation: &Situation<'_>) -> bool {
    situation.wanted.state == ConnectorState::Stopped
        && situation.actual.is_some_and(|actual| actual.connector.state == State::Stopped)
}

fn warn(failure: &Failure, reason: &str, step: &mut Step) {
    step.look_by(failure.again_at());
    if failure.kind != FailureKind::Rebalancing {
        step.warnings.push(Warning { reason: reason.to_owned(), message: failure.message.clone() });
    }
}

fn reason(call: &ConnectorCall) -> &'static str {
    match call {
        ConnectorCall::RestartTask { .. } => reasons::RESTART_CONNECTOR_TASK,
        ConnectorCall::ListOffsets { .. } => reasons::LIST_OFFSETS,
        ConnectorCall::AlterOffsets { .. } => reasons::ALTER_OFFSETS,
        ConnectorCall::ResetOffsets => reasons::RESET_OFFSETS,
        _ => reasons::RESTART_CONNECTOR,
    }
}

/// Restarts what has failed.
fn restart(situation: &Situation<'_>, step: &mut Step) {
    let has_failed = situation.actual.is_some_and(Actual::has_failed);
    let policy = situation.wanted.auto_restart;
    let verdict = auto_restart::decide(policy, situation.restarts, has_failed, situation.now);
    let note = match verdict {
        Verdict::Nothing => {
            step.restarts = None;
            return;
        }
        Verdict::ForgetAt(at) => return step.look_by(at),
        Verdict::RestartAt(at) => {
            step.look_by(at);
            format!("it is restarted at {}", format_time(at))
        }
        Verdict::GivenUp(count) => {
            format!(
                "it was restarted {count} times in a row, and is not restarted again before it was well (autoRestart.maxRestarts)"
            )
        }
        Verdict::Restart(count) => {
            let call = ConnectorCall::Restart { include_tasks: true, only_failed: true, automatic: true };
            match attempt(situation, &call) {
                Attempt::Now if step.doing.is_none() => {
                    let restarts = AutoRestartStatus {
                        count: Some(count),
                        connector_name: Some(situation.wanted.name.clone()),
                        last_restart_timestamp: Some(format_time(situation.now)),
                    };
                    step.doing = Some(Doing { call, answers: None, restarts: Some(restarts) });
                }
                Attempt::Now => {}
                Attempt::Settling => look_when_settled(situation, &call, step),
                Attempt::Later(failure) => warn(failure, reasons::RESTART_CONNECTOR, step),
            }
            return;
        }
    };
    if let Standing::Wrong { reason: reasons::CONNECTOR_FAILED, message } = &mut step.standing {
        message.push_str("; ");
        message.push_str(&note);
    }
}

/// Looks again soon at what changes by itself.
fn watch_what_moves(situation: &Situation<'_>, step: &mut Step) {
    let now = situation.now;
    let next = now + SignedDuration::try_from(situation.past.next_look(now)).unwrap_or(YOUNG);
    let is_young = situation.past.waits_since().is_some_and(|since| now.duration_since(since) < YOUNG);
    let moves = match (&step.standing, situation.actual) {
        (Standing::Waits(_), _) => step.look_at.is_none(),
        (Standing::AsWanted, Some(actual)) if actual.connector.state == State::Running => {
            let comes = |state: &State| matches!(state, State::Passing(_));
            is_young && (actual.tasks.is_empty() || actual.tasks.values().any(|task| comes(&task.state)))
        }
        _ => false,
    };
    if moves && step.doing.is_none() {
        step.look_by(next);
    }
}
