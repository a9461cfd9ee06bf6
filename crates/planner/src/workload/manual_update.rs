//! A restart of all pods of a set that a user asked for with an annotation on it.

use std::collections::BTreeSet;

use api::{StrimziPodSet, annotations};
use k8s_openapi::api::core::v1::Pod;
use objects::{Object, json};

/// A restart of all pods of a set that was asked for with an annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ManualUpdate {
    /// UIDs of the pods that have not been restarted since.
    pub pods: BTreeSet<String>,
    /// Whether the annotation was just seen.
    pub is_new: bool,
}

impl ManualUpdate {
    /// The pods for which a restart was asked for on their pod set and that have not had it. They are remembered by what no clock
    /// can confuse. `restarted` are the UIDs of pods that this process deleted.
    pub(crate) fn of<'a>(
        set: &StrimziPodSet,
        pods: impl Iterator<Item = &'a Pod>,
        restarted: &BTreeSet<String>,
    ) -> Option<Self> {
        let all = set.metadata.annotations.as_ref()?;
        let is_new = annotations::is_true(Some(all), annotations::MANUAL_ROLLING_UPDATE);
        let before = Self::remembered(set);
        let live = pods.filter_map(|pod| pod.metadata.uid.clone()).filter(|uid| !restarted.contains(uid));
        let pods: BTreeSet<String> = live.filter(|uid| is_new || before.contains(uid)).collect();
        (is_new || !pods.is_empty()).then_some(Self { pods, is_new })
    }

    /// The pods that a pod set remembers.
    fn remembered(set: &StrimziPodSet) -> BTreeSet<String> {
        let all = set.metadata.annotations.as_ref();
        let remembered = all.and_then(|all| all.get(annotations::MANUAL_ROLLING_UPDATE_PODS));
        remembered.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Writes it down on the pod set.
    pub(super) fn note(&self, mut object: Object<StrimziPodSet>) -> Object<StrimziPodSet> {
        if !self.pods.is_empty() {
            object = object.annotation(annotations::MANUAL_ROLLING_UPDATE_PODS, json(&self.pods).to_string());
        }
        if self.is_new {
            // The annotation is the user's: it can only be overwritten.
            object = object.annotation(annotations::MANUAL_ROLLING_UPDATE, "false");
        }
        object
    }
}

/// Whether the annotation on the pod, or a present or former one on its pod set, asks for a restart of this very pod.
pub(crate) fn is_asked_for(live: &Pod, set: Option<&StrimziPodSet>) -> bool {
    if annotations::is_true(live.metadata.annotations.as_ref(), annotations::MANUAL_ROLLING_UPDATE) {
        return true;
    }
    let Some(set) = set else { return false };
    annotations::is_true(set.metadata.annotations.as_ref(), annotations::MANUAL_ROLLING_UPDATE)
        || live.metadata.uid.as_ref().is_some_and(|uid| ManualUpdate::remembered(set).contains(uid))
}
