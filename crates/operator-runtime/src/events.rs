//! Kubernetes events (`events.k8s.io/v1`), written in the background: a reconciliation never waits for one.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::{Client, Resource};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::apply::Applier;
use crate::clock;

/// Longest text of an event in bytes. The API takes 1024.
pub const LONGEST_NOTE: usize = 1000;

/// `reportingController` of the cluster operator's events.
pub const CLUSTER_OPERATOR: &str = "strimzi.io/cluster-operator";

/// Action of events about restarted pods.
pub const POD_RESTART: &str = api::conditions::events::POD_RESTART;

/// Events that wait; more are dropped.
const CAPACITY: usize = 512;

/// Events in a row, and afterwards the time between two.
const BURST: u32 = 50;
const PACE: Duration = Duration::from_millis(100);

/// What kind of event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something happened as planned.
    Normal,
    /// A person should look.
    Warning,
}

/// One event. Notes must never hold keys or passwords.
#[derive(Debug, Clone)]
pub struct Note {
    /// The custom resource it is about; its namespace is the event's.
    pub regarding: ObjectReference,
    /// The pod or other object concerned.
    pub related: Option<ObjectReference>,
    /// PascalCase word, for example `ManualRollingUpdate`.
    pub reason: String,
    /// What the operator did, for example [`POD_RESTART`].
    pub action: String,
    /// The text; cut after [`LONGEST_NOTE`] bytes.
    pub text: String,
    /// Normal or warning.
    pub severity: Severity,
}

/// Publishes events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::Sender<Note>,
}

impl Events {
    /// Starts the writer. `controller` like [`CLUSTER_OPERATOR`]; `instance` is the process, `STRIMZI_OPERATOR_NAME`. Ends when all clones
    /// are dropped.
    pub fn start(client: Client, controller: &str, instance: &str) -> Self {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        tokio::spawn(write(Applier::new(client), receiver, controller.to_owned(), instance.to_owned()));
        Self { sender }
    }

    /// Hands an event over without waiting. It is dropped when too many wait.
    pub fn publish(&self, note: Note) {
        if let Err(error) = self.sender.try_send(note) {
            let (mpsc::error::TrySendError::Full(note) | mpsc::error::TrySendError::Closed(note)) = error;
            tracing::debug!(reason = %note.reason, "event dropped: too many wait");
        }
    }
}

/// A reference to an object, for [`Note::regarding`] and [`Note::related`].
pub fn reference<K>(object: &K) -> ObjectReference
where
    K: Resource,
    K::DynamicType: Default,
{
    object.object_ref(&K::DynamicType::default())
}

async fn write(applier: Applier, mut receiver: mpsc::Receiver<Note>, controller: String, instance: String) {
    let mut credit = BURST;
    let mut refilled = Instant::now();
    while let Some(note) = receiver.recv().await {
        let gained = (refilled.elapsed().as_millis() / PACE.as_millis()) as u32;
        if gained > 0 {
            credit = credit.saturating_add(gained).min(BURST);
            refilled = Instant::now();
        }
        if credit == 0 {
            sleep_until(refilled + PACE).await;
            refilled = Instant::now();
            credit = 1;
        }
        credit -= 1;
        let event = event_of(note, &controller, &instance, clock::now());
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        if let Err(error) = applier.create(&namespace, &event).await {
            tracing::debug!(%error, "an event was not written");
        }
    }
}

fn shortened(text: &str) -> String {
    const MARK: &str = "…";
    if text.len() <= LONGEST_NOTE {
        return text.to_owned();
    }
    let mut end = LONGEST_NOTE - MARK.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", text.get(..end).unwrap_or_default())
}

fn event_of(note: Note, controller: &str, instance: &str, now: jiff::Timestamp) -> Event {
    let namespace = note.regarding.namespace.clone().unwrap_or_else(|| "default".to_owned());
    Event {
        metadata: ObjectMeta {
            generate_name: Some("strimzi-event".to_owned()),
            namespace: Some(namespace),
            ..ObjectMeta::default()
        },
        action: Some(note.action),
        event_time: Some(MicroTime(clock::to_microseconds(now))),
        note: Some(shortened(&note.text)),
        reason: Some(note.reason),
        regarding: Some(note.regarding),
        related: note.related,
        reporting_controller: Some(controller.to_owned()),
        // A limit of the API.
        reporting_instance: Some(instance.chars().take(128).collect()),
        type_: Some(
            match note.severity {
                Severity::Normal => "Normal",
                Severity::Warning => "Warning",
            }
            .to_owned(),
        ),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_to_what_the_api_takes() {
        let note = Note {
            regarding: ObjectReference { namespace: Some("ns".into()), ..ObjectReference::default() },
            related: None,
            reason: "ManualRollingUpdate".into(),
            action: POD_RESTART.into(),
            text: "ä".repeat(2000),
            severity: Severity::Normal,
        };
        let event = event_of(note, CLUSTER_OPERATOR, "operator-1", clock::now());
        let text = event.note.unwrap();
        assert!(text.len() <= LONGEST_NOTE && text.ends_with('…'), "{} bytes", text.len());
        assert_eq!(event.metadata.namespace.as_deref(), Some("ns"));
    }
}
