//! What a pod was started with, against what it should have been started with: its annotations tell.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;

use crate::restart_reason::RestartReason;

/// Annotations that pods are started with, and what it means when one differs: the reason for a restart, and words.
pub(crate) type StartedWith = [(&'static str, RestartReason, &'static str)];

/// Why a live pod has to restart, and the same in words.
#[derive(Debug, Default)]
pub(crate) struct Reasons {
    /// The reasons.
    pub reasons: BTreeSet<RestartReason>,
    /// What changed, in words, for events and logs.
    pub notes: Vec<String>,
}

impl Reasons {
    /// What differs between a live pod and the pod that the pod set lists, but for annotations that are left out.
    pub(crate) fn of(live: &Pod, desired: &Pod, table: &StartedWith, counts: impl Fn(&str) -> bool) -> Self {
        let mut found = Self::default();
        for (annotation, reason, note) in table {
            if counts(annotation) && annotation_of(live, annotation) != annotation_of(desired, annotation) {
                found.add(*reason, *note);
            }
        }
        found
    }

    /// Adds one.
    pub(crate) fn add(&mut self, reason: RestartReason, note: impl Into<String>) {
        self.reasons.insert(reason);
        self.notes.push(note.into());
    }

    /// Adds that a user asked for it.
    pub(crate) fn add_asked_for(&mut self) {
        self.add(RestartReason::ManualRollingUpdate, "it was asked for with an annotation");
    }
}

/// The value of an annotation of a pod.
pub(crate) fn annotation_of<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    pod.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}
