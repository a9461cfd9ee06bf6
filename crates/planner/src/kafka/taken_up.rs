//! With which certificates pods run, and which pods are waited for to take new ones up: what passes from plan to plan.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// Annotations of a pod that are to say with which certificates it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenUp {
    /// The pod.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A pod that does not use its new certificates yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Which certificates it waits for: another set is waited for anew.
    pub wanted: BTreeMap<String, String>,
    /// Since when.
    pub since: Timestamp,
    /// When its agent was asked last.
    pub asked: Timestamp,
}
