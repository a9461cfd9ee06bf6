//! The status of a KafkaMirrorMaker2.

use std::collections::BTreeMap;

use api::common::connector::AutoRestartStatus;
use api::conditions::{Condition, merge, reasons};
use api::{KafkaMirrorMaker2, KafkaMirrorMaker2Status, labels, names, ports};
use jiff::Timestamp;

use super::observed::Connect;
use super::progress::{self, Known};
use super::removals::FailedRemoval;
use crate::findings::Warning;
use crate::kafka_connector::observed::AWAY;
use crate::kafka_connector::status::{PATIENCE, Room, connector_status};
use crate::kafka_connector::transition::Standing;
use crate::status::{shortened, warning, was_ready};
use crate::workers::Workers;
use crate::workers::observed::Plugins;

/// How a connector is, for the status.
#[derive(Debug, Clone)]
pub(super) struct OfConnector {
    pub standing: Standing,
    pub restarts: Option<AutoRestartStatus>,
    pub waits_since: Option<Timestamp>,
}

/// What a status is made of.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub workers: &'a Workers,
    pub warnings: &'a [Warning],
    /// What the workers wait for.
    pub waiting_for: &'a [String],
    /// Whether that has lasted for so long that it counts as a failure.
    pub stuck: bool,
    pub connect: &'a Connect,
    pub plugins: &'a Plugins,
    pub progress: &'a Known,
    /// The connectors that are wanted; `None`: nothing is known of them now.
    pub connectors: Option<&'a BTreeMap<String, OfConnector>>,
    /// Connectors that could not be removed, by name.
    pub not_removed: &'a BTreeMap<String, FailedRemoval>,
}

/// How far the resource is.
enum Verdict {
    AsWanted,
    /// It is on its way; where it was ready it still counts as ready.
    OnItsWay(String),
    Wrong {
        reason: String,
        message: String,
    },
}

/// The status of a resource that is carried out.
pub(super) fn of(resource: &KafkaMirrorMaker2, shown: &Shown<'_>, now: Timestamp) -> KafkaMirrorMaker2Status {
    let old = resource.status.as_ref();
    let old_conditions = old.and_then(|old| old.conditions.as_deref());
    let was_ready = was_ready(resource);
    let mut conditions: Vec<Condition> = shown.warnings.iter().map(warning).collect();
    let mut generation = resource.metadata.generation;
    match verdict(shown, now) {
        Verdict::AsWanted => conditions.push(Condition::ready()),
        Verdict::OnItsWay(_) if was_ready => {
            // It serves on while a change is carried out; the generation tells that the change is not done.
            conditions.push(Condition::ready());
            generation = old.and_then(|old| old.observed_generation);
        }
        Verdict::OnItsWay(message) => conditions.push(Condition::not_ready(reasons::CREATING, message)),
        Verdict::Wrong { reason, message } => conditions.push(Condition::not_ready(&reason, message)),
    }
    let workers = shown.workers;
    let service = names::service_dns(&workers.names.api_service, &workers.owner.namespace);
    let url = format!("http://{service}:{}", ports::CONNECT_REST);
    let has_served = shown.waiting_for.is_empty() || old.is_some_and(|old| old.url.is_some());
    let mut status = KafkaMirrorMaker2Status {
        conditions: Some(merge(conditions, old_conditions, now)),
        observed_generation: generation,
        url: (workers.replicas > 0 && has_served).then_some(url),
        replicas: i32::try_from(workers.replicas).ok(),
        label_selector: Some(labels::selector_text(&workers.labels())),
        ..KafkaMirrorMaker2Status::default()
    };
    status.mirrors = match shown.progress {
        Known::Asked(known) if workers.replicas > 0 => Some(progress::shown(known)),
        Known::NotYet if workers.replicas > 0 => old.and_then(|old| old.mirrors.clone()),
        _ => None,
    };
    if workers.replicas > 0 {
        // What was known of connectors is the best that there is while no worker answers.
        let old = old.cloned().unwrap_or_default();
        (status.connectors, status.auto_restart_statuses, status.connector_plugins) =
            (old.connectors, old.auto_restart_statuses, old.connector_plugins);
    }
    if let (Connect::Here(connectors), Some(wanted)) = (shown.connect, shown.connectors) {
        let mut room = Room::default();
        let found = wanted.keys().filter_map(|name| connector_status(name, connectors.get(name)?, &mut room));
        status.connectors = Some(found.collect());
        let restarts: Vec<_> = wanted.values().filter_map(|one| one.restarts.clone()).collect();
        status.auto_restart_statuses = Some(restarts).filter(|all| !all.is_empty());
        if let Plugins::Known(plugins) = shown.plugins {
            status.connector_plugins = Some(plugins.clone());
        }
    }
    status
}

fn verdict(shown: &Shown<'_>, now: Timestamp) -> Verdict {
    if !shown.waiting_for.is_empty() {
        let message = format!("MirrorMaker 2 is not ready: {}", shortened(shown.waiting_for));
        return if shown.stuck {
            Verdict::Wrong { reason: reasons::NOT_READY.to_owned(), message }
        } else {
            Verdict::OnItsWay(message)
        };
    }
    if shown.workers.replicas == 0 {
        return Verdict::AsWanted;
    }
    let Some(connectors) = shown.connectors else { return without_answer(shown.connect, now) };
    let (mut wrong, mut waits) = (Vec::new(), Vec::new());
    let (mut first, mut late) = (None, false);
    for (name, one) in connectors {
        match &one.standing {
            Standing::AsWanted => {}
            Standing::Waits(words) => {
                let since = one.waits_since.unwrap_or(now);
                late |= now.duration_since(since) >= PATIENCE;
                waits.push(format!("connector {name}: {words}"));
            }
            Standing::Wrong { reason, message } => {
                first.get_or_insert(*reason);
                wrong.push(format!("connector {name}: {message}"));
            }
        }
    }
    for (name, failed) in shown.not_removed {
        late |= now.duration_since(failed.since) >= PATIENCE;
        waits.push(format!(
            "connector {name} is to be removed, and runs on until that is done: {}",
            failed.message
        ));
    }
    match first {
        Some(reason) => Verdict::Wrong { reason: reason.to_owned(), message: shortened(&wrong) },
        None if waits.is_empty() => Verdict::AsWanted,
        None if late => Verdict::Wrong { reason: reasons::CREATING.to_owned(), message: shortened(&waits) },
        None => Verdict::OnItsWay(shortened(&waits)),
    }
}

fn without_answer(connect: &Connect, now: Timestamp) -> Verdict {
    match connect {
        Connect::Unusable(why) => {
            Verdict::Wrong { reason: reasons::CONNECT_REST.to_owned(), message: why.clone() }
        }
        Connect::Away { since } if now.duration_since(*since) >= AWAY => Verdict::Wrong {
            reason: reasons::CONNECT_AWAY.to_owned(),
            message: "no worker of Kafka Connect answers: the connectors are looked after when one does; see the pods".to_owned(),
        },
        _ => Verdict::OnItsWay("no worker of Kafka Connect has answered yet".to_owned()),
    }
}
