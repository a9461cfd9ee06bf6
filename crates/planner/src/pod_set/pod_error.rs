//! What could not be done to a pod, and why: for the statuses of the pod set and of the resource that it was made for.

use std::collections::BTreeMap;

use api::StrimziPodSet;
use api::conditions::{Condition, events, merge, reasons};
use api::strimzi_pod_set::StrimziPodSetStatus;
use jiff::Timestamp;

/// What is done to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodAction {
    /// It is made.
    Create,
    /// It is deleted.
    Delete,
    /// It gets the reference to its set again.
    Adopt,
    /// It gets labels of its set's.
    Relabel,
}

impl PodAction {
    /// What a pod cannot be, in words.
    fn words(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Delete => "deleted",
            Self::Adopt => "given the reference to its pod set again",
            Self::Relabel => "given the labels of its pod set",
        }
    }

    /// The event that tells of a failure.
    fn event(self) -> EventOfPods {
        let (reason, action) = match self {
            Self::Create => (events::FAILED_CREATE, events::CREATE_POD),
            Self::Delete => (events::FAILED_DELETE, events::DELETE_POD),
            Self::Adopt | Self::Relabel => (events::FAILED_UPDATE, events::UPDATE_POD),
        };
        EventOfPods { reason, action }
    }
}

/// An event that tells of what could not be done to pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventOfPods {
    /// Its reason.
    pub reason: &'static str,
    /// What was done when it came.
    pub action: &'static str,
}

/// Why something could not be done to a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodError {
    /// What.
    pub action: PodAction,
    /// Why, in words.
    pub why: String,
}

impl PodError {
    /// That a pod could not be made.
    pub fn creation(why: impl Into<String>) -> Self {
        Self { action: PodAction::Create, why: why.into() }
    }

    /// The whole of it, of the pod with this name.
    pub fn words(&self, pod: &str) -> String {
        format!("pod {pod} cannot be {}: {}", self.action.words(), self.why)
    }
}

/// Those of several pods, by name, in one text.
pub fn words(errors: &BTreeMap<String, PodError>) -> String {
    let all: Vec<String> = errors.iter().map(|(pod, error)| error.words(pod)).collect();
    all.join("; ")
}

/// The errors that one event tells of, by event.
pub fn by_event(errors: BTreeMap<String, PodError>) -> BTreeMap<EventOfPods, BTreeMap<String, PodError>> {
    let mut found: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (pod, error) in errors {
        found.entry(error.action.event()).or_default().insert(pod, error);
    }
    found
}

/// Adds to the planned status of a pod set what could not be done to its pods.
pub fn note(
    status: StrimziPodSetStatus,
    set: &StrimziPodSet,
    errors: &BTreeMap<String, PodError>,
    now: Timestamp,
) -> StrimziPodSetStatus {
    if errors.is_empty() {
        return status;
    }
    let old = set.status.as_ref().and_then(|status| status.conditions.as_deref());
    let cannot = Condition::not_ready(reasons::KUBERNETES_ERROR, words(errors));
    StrimziPodSetStatus { conditions: Some(merge(vec![cannot], old, now)), ..status }
}

#[cfg(test)]
mod tests {
    use api::strimzi_pod_set::StrimziPodSetSpec;

    use super::*;

    #[test]
    fn every_pod_is_named_with_what_could_not_be_done_to_it() {
        let refused = |action| PodError { action, why: "the webhook is away".to_owned() };
        let errors = BTreeMap::from([
            ("c-p-0".to_owned(), refused(PodAction::Delete)),
            ("c-p-1".to_owned(), PodError::creation("no room")),
            ("c-p-2".to_owned(), refused(PodAction::Relabel)),
        ]);
        assert_eq!(
            words(&errors),
            "pod c-p-0 cannot be deleted: the webhook is away; pod c-p-1 cannot be created: no room; \
             pod c-p-2 cannot be given the labels of its pod set: the webhook is away"
        );
        let events: Vec<&str> = by_event(errors).into_keys().map(|event| event.reason).collect();
        assert_eq!(events, ["FailedCreate", "FailedDelete", "FailedUpdate"]);
    }

    #[test]
    fn a_pass_without_errors_has_its_status_unchanged() {
        let set = StrimziPodSet::new("c-p", StrimziPodSetSpec::default());
        let status = StrimziPodSetStatus { pods: Some(3), ..StrimziPodSetStatus::default() };
        assert_eq!(note(status.clone(), &set, &BTreeMap::new(), Timestamp::UNIX_EPOCH), status);
        let errors = BTreeMap::from([("c-p-1".to_owned(), PodError::creation("no room"))]);
        let noted = note(status, &set, &errors, Timestamp::UNIX_EPOCH);
        let conditions = noted.conditions.unwrap();
        assert_eq!((conditions.len(), noted.pods), (1, Some(3)));
        assert_eq!(conditions[0].reason.as_deref(), Some("KubernetesError"));
        assert!(conditions[0].message.as_deref().unwrap().contains("no room"));
    }
}
