//! What of a plan is worth an event.

use api::conditions::{events as words, reasons};
use jiff::Timestamp;

use super::admin_call::AdminCall;
use super::planned::Plan;
use crate::plan::{Occasion, PlannedEvent};

/// The events of a plan whose roll is decided.
pub(super) fn of(plan: &Plan, now: Timestamp) -> Vec<PlannedEvent> {
    let mut events = Vec::new();
    let going = plan.roll.wanted.iter().filter(|restart| plan.roll.now.contains(&restart.pod));
    for restart in going {
        events.extend(restart.reasons.iter().map(|reason| PlannedEvent {
            reason: reason.as_str().to_owned(),
            text: restart.notes.join("; "),
            pod: Some(restart.pod.clone()),
            occasion: Occasion::Restart,
        }));
    }
    if let Some(waits) = plan.roll.waits.as_ref().filter(|waits| waits.is_announced(now)) {
        events.push(PlannedEvent {
            reason: reasons::ROLLING_UPDATE_WAITS.to_owned(),
            text: waits.why.clone(),
            pod: None,
            occasion: Occasion::Lasting { episode: waits.since.to_string() },
        });
    }
    events.extend(plan.roll.held.iter().map(|held| PlannedEvent {
        reason: reasons::PLAN_HELD.to_owned(),
        text: held.why.clone(),
        pod: None,
        occasion: Occasion::Lasting { episode: held.plan.clone() },
    }));
    events.extend(plan.undone.iter().map(|value| PlannedEvent {
        reason: reasons::CONFIGURATION_OVERRIDE_UNDONE.to_owned(),
        text: format!(
            "{} was set in Kafka itself and is undone: the resource decides this option",
            value.clone().shortened()
        ),
        pod: plan.nodes.iter().find(|node| Some(node.id) == value.broker).map(|node| node.pod.clone()),
        occasion: Occasion::OptionChanged { broker: value.broker, option: value.option.clone() },
    }));
    events.extend(plan.calls.iter().enumerate().filter_map(|(call, made)| {
        let AdminCall::RemoveVoter { controller, .. } = made else { return None };
        Some(PlannedEvent {
            reason: words::CONTROLLER_REMOVED.to_owned(),
            text: format!("controller {controller} has lost its vote in the quorum"),
            pod: plan.nodes.iter().find(|node| node.id == *controller).map(|node| node.pod.clone()),
            occasion: Occasion::Called { call, action: words::REMOVE_CONTROLLER, is_warning: false },
        })
    }));
    events
}

/// The event that the drain of nodes begins or has ended, which comes when a call was made.
pub(super) fn of_drain(reason: &str, text: String, call: usize) -> PlannedEvent {
    let occasion = Occasion::Called { call, action: words::DRAIN_NODES, is_warning: false };
    PlannedEvent { reason: reason.to_owned(), text, pod: None, occasion }
}
