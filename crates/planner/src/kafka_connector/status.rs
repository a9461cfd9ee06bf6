//! The status of a KafkaConnector.

use std::collections::BTreeMap;

use api::conditions::{Condition, merge, reasons, types};
use api::schema::FreeMap;
use api::{KafkaConnector, KafkaConnectorStatus};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::actual::{Actual, Part};
use super::transition::Standing;
use crate::findings::Warning;

/// How long something may be on its way before a status says so at all: mostly it is over by then.
pub const GRACE: SignedDuration = SignedDuration::from_secs(3);

/// How long a connector that was ready may be on its way, as in a rebalance, before it counts as not ready.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// Characters of stacks in one status.
const TRACES: usize = 8000;

/// Characters of one stack.
const TRACE: usize = 2000;

/// Characters of a name, a state or a version that a worker says.
const WORD: usize = 250;

/// Connectors and tasks that one status names.
const PARTS: usize = 2000;

/// What one status has room for, whatever workers say: the API server stores no status of megabytes.
#[derive(Debug)]
pub struct Room {
    traces: usize,
    parts: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { traces: TRACES, parts: PARTS }
    }
}

impl Room {
    fn part(&mut self, part: &Part) -> ShownPart {
        self.parts = self.parts.saturating_sub(1);
        let trace = part.trace.as_ref().filter(|_| self.traces > 0).map(|trace| {
            let most = self.traces.min(TRACE);
            let mut short: String = trace.chars().take(most).collect();
            if short.len() < trace.len() {
                short.push('…');
            }
            self.traces -= short.chars().count().min(self.traces);
            short
        });
        ShownPart {
            state: word(part.state.word()),
            worker_id: word(&part.worker),
            trace,
            version: part.version.as_deref().map(word),
        }
    }
}

fn word(text: &str) -> String {
    text.chars().take(WORD).collect()
}

/// What a status says beside how the connector stands.
#[derive(Debug, Default)]
pub struct Details<'a> {
    /// What Connect says of the connector, if it says anything.
    pub actual: Option<&'a Actual>,
    /// What deserves a look.
    pub warnings: &'a [Warning],
    /// Topics that were asked for.
    pub topics: Option<&'a [String]>,
    /// Since when something is waited for.
    pub waits_since: Option<Timestamp>,
}

/// The status, without restarts; `None`: what is there may stay for the moment.
pub fn of(
    connector: &KafkaConnector,
    standing: &Standing,
    details: &Details<'_>,
    now: Timestamp,
) -> Option<KafkaConnectorStatus> {
    let old = connector.status.clone().unwrap_or_default();
    let before = old.conditions.as_deref().unwrap_or_default();
    let mut conditions = match standing {
        Standing::AsWanted => vec![Condition::ready()],
        Standing::Wrong { reason, message } => vec![Condition::not_ready(reason, message)],
        Standing::Waits(words) => {
            let waited = details.waits_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
            let was_ready = old.observed_generation == connector.metadata.generation
                && before.iter().any(|condition| condition.is(types::READY));
            if waited < GRACE {
                return None;
            }
            if was_ready && waited < PATIENCE {
                vec![Condition::ready()]
            } else {
                vec![Condition::not_ready(reasons::CREATING, words)]
            }
        }
    };
    let warnings = details.warnings.iter();
    conditions.extend(warnings.map(|warning| Condition::warning(&warning.reason, &warning.message)));
    let topics = details.topics.map(<[String]>::to_vec).or_else(|| old.topics.clone());
    Some(KafkaConnectorStatus {
        conditions: Some(merge(conditions, Some(before), now)),
        observed_generation: connector.metadata.generation,
        auto_restart: old.auto_restart.clone(),
        connector_status: details
            .actual
            .and_then(|actual| connector_status(name(connector), actual, &mut Room::default())),
        tasks_max: details.actual.map(|actual| i32::try_from(actual.tasks.len()).unwrap_or(i32::MAX)),
        topics: topics.filter(|_| details.actual.is_some()),
    })
}

/// The status of a connector about which nothing can be done: it says why, and no more of the connector than is known.
pub fn unusable(
    connector: &KafkaConnector,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> KafkaConnectorStatus {
    let old = connector.status.as_ref().and_then(|status| status.conditions.as_deref());
    KafkaConnectorStatus {
        conditions: Some(merge(vec![Condition::not_ready(reason, message)], old, now)),
        observed_generation: connector.metadata.generation,
        auto_restart: connector.status.as_ref().and_then(|status| status.auto_restart.clone()),
        ..KafkaConnectorStatus::default()
    }
}

fn name(connector: &KafkaConnector) -> &str {
    connector.metadata.name.as_deref().unwrap_or_default()
}

/// A connector as Connect's REST API shows it.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    connector: ShownPart,
    tasks: Vec<ShownTask>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_: Option<String>,
}

#[derive(Serialize)]
struct ShownPart {
    state: String,
    worker_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

#[derive(Serialize)]
struct ShownTask {
    id: i32,
    #[serde(flatten)]
    part: ShownPart,
}

/// What Connect says, cut to what the status has room for; `None`: there is none left.
pub fn connector_status(name: &str, actual: &Actual, room: &mut Room) -> Option<FreeMap> {
    if room.parts == 0 {
        return None;
    }
    let connector = room.part(&actual.connector);
    let mut tasks = Vec::new();
    for (id, task) in &actual.tasks {
        if room.parts == 0 {
            break;
        }
        tasks.push(ShownTask { id: *id, part: room.part(task) });
    }
    let type_ = actual.type_.as_deref().map(word);
    let shown = Shown { name, connector, tasks, type_ };
    match serde_json::to_value(shown) {
        Ok(Value::Object(fields)) => Some(fields.into_iter().collect::<BTreeMap<_, _>>()),
        _ => None,
    }
}
