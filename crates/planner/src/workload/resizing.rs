//! Resources of containers that change without a restart, where the custom resource asks for it and Kubernetes can.
//!
//! The pod set lists the pods with their new resources and carries the annotations of the custom resource. Its controller asks
//! the API server to resize the pods that differ in nothing else; what Kubernetes refuses or puts off is done by a restart.

use std::collections::BTreeMap;

use api::annotations;
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use serde::Serialize;
use serde_json::Value;

use crate::restart_reason::RestartReason;
use crate::roll::started_with::{Reasons, annotation_of};

/// What the annotation of the pod says of an operator that does not name the resources which were refused.
const ANY_ERROR: &str = "true";

/// That pods are to be resized in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resizing {
    /// Whether a resize for which a machine has no room yet is waited for.
    pub wait_for_deferred: bool,
}

/// What identifies a pod as it stands in its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revisions<'a> {
    /// The pod without the resources of its containers.
    pub pod: Option<&'a str>,
    /// The resources.
    pub resources: Option<&'a str>,
}

/// How far the resources of a pod are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resize {
    /// It has them.
    Done,
    /// They have yet to be asked for.
    Due,
    /// Kubernetes is about it.
    UnderWay(String),
    /// Kubernetes waits for room on the machine, and so does the user.
    Deferred(String),
    /// Only a restart brings them; why.
    Impossible(String),
}

impl Resize {
    /// Adds what only a restart brings, and what one brings that there is anyway.
    pub(crate) fn add_to(&self, found: &mut Reasons) {
        let note = match self {
            Self::Impossible(why) => {
                format!("the resources of the containers changed, and cannot change without a restart: {why}")
            }
            Self::Due if !found.reasons.is_empty() => "the resources of the containers changed".to_owned(),
            Self::Due | Self::Done | Self::UnderWay(_) | Self::Deferred(_) => return,
        };
        found.add(RestartReason::PodHasOldResourceRevision, note);
    }

    /// What a pod waits for, in words, and whether the status says so.
    pub(crate) fn words(self, pod: &str) -> Option<(String, bool)> {
        match self {
            // Of what is impossible there is a restart.
            Self::Done | Self::Impossible(_) => None,
            Self::Due => Some((format!("pod {pod} is to get other resources without a restart"), false)),
            Self::UnderWay(words) => {
                Some((format!("pod {pod} gets other resources without a restart: {words}"), false))
            }
            Self::Deferred(words) => {
                let words =
                    format!("pod {pod} waits for other resources, which Kubernetes puts off: {words}");
                Some((words, true))
            }
        }
    }
}

/// A request to resize a pod.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResizeCall {
    /// Name of the pod.
    pub pod: String,
    /// Its UID: another pod of the name is left alone.
    pub uid: Option<String>,
    /// Name and resources of each container.
    pub containers: Vec<(String, Value)>,
    /// What identifies the resources.
    pub revision: String,
}

impl Resizing {
    /// What the annotations of a custom resource, or of its pod set, ask for; `None`: changes of resources restart pods.
    pub fn asked(all: Option<&BTreeMap<String, String>>) -> Option<Self> {
        annotations::is_true(all, annotations::IN_PLACE_RESIZING).then(|| Self {
            wait_for_deferred: annotations::is_true(all, annotations::IN_PLACE_RESIZING_WAIT_FOR_DEFERRED),
        })
    }

    /// The annotations of a pod set with which its controller knows.
    pub fn annotations(self) -> Vec<(&'static str, &'static str)> {
        let mut all = vec![(annotations::IN_PLACE_RESIZING, "true")];
        if self.wait_for_deferred {
            all.push((annotations::IN_PLACE_RESIZING_WAIT_FOR_DEFERRED, "true"));
        }
        all
    }

    /// How far the resources of a live pod are that stands in its set as `desired`.
    pub(crate) fn of(resizing: Option<Self>, live: &Pod, desired: &Pod) -> Resize {
        let listed = Revisions {
            pod: annotation_of(desired, annotations::REVISION),
            resources: annotation_of(desired, annotations::RESOURCE_REVISION),
        };
        resizing.map_or(Resize::Done, |resizing| resizing.state(live, listed))
    }

    /// How far the resources of a live pod are whose set lists it with these revisions.
    pub fn state(self, live: &Pod, listed: Revisions<'_>) -> Resize {
        let has = |key: &str| live.metadata.annotations.as_ref()?.get(key).map(String::as_str);
        if has(annotations::RESOURCE_REVISION) == listed.resources {
            return self.taken(live);
        }
        if has(annotations::REVISION) != listed.pod {
            return Resize::Impossible("the pod changes in other things, too".to_owned());
        }
        let error = has(annotations::IN_PLACE_RESIZING_ERROR);
        if let Some(why) = error.and_then(|error| refusal(error, listed.resources.unwrap_or_default())) {
            return Resize::Impossible(why);
        }
        let phase = live.status.as_ref().and_then(|status| status.phase.as_deref());
        if phase != Some("Running") {
            return Resize::Impossible("the pod does not run".to_owned());
        }
        Resize::Due
    }

    /// What became of resources that the API server took.
    fn taken(self, live: &Pod) -> Resize {
        let (pending, running) =
            (condition(live, "PodResizePending"), condition(live, "PodResizeInProgress"));
        let reason = |found: Option<&PodCondition>| found.and_then(|found| found.reason.clone());
        let words = |found: Option<&PodCondition>, otherwise: &str| {
            let message = found.and_then(|found| found.message.clone()).filter(|text| !text.is_empty());
            message.unwrap_or_else(|| otherwise.to_owned())
        };
        match (reason(pending).as_deref(), reason(running).as_deref()) {
            (Some("Deferred"), _) if self.wait_for_deferred => {
                Resize::Deferred(words(pending, "its machine has no room for it now"))
            }
            (Some("Deferred"), _) => Resize::Impossible(words(pending, "its machine has no room for it now")),
            (Some("Infeasible"), _) => Resize::Impossible(words(pending, "its machine cannot do it")),
            (_, Some("Error")) => Resize::Impossible(words(running, "its machine failed to do it")),
            _ if pending.or(running).is_some() => {
                Resize::UnderWay(words(pending.or(running), "its machine is about it"))
            }
            _ if is_behind(live) => Resize::UnderWay("its machine has not taken it up yet".to_owned()),
            _ => Resize::Done,
        }
    }

    /// The request to resize a live pod as its set lists it; `None`: there is nothing to ask for.
    pub fn call(self, live: &Pod, listed: &Value) -> Option<ResizeCall> {
        let has = |key: &str| listed.pointer("/metadata/annotations")?.get(key)?.as_str();
        let revisions =
            Revisions { pod: has(annotations::REVISION), resources: has(annotations::RESOURCE_REVISION) };
        if live.metadata.deletion_timestamp.is_some() || self.state(live, revisions) != Resize::Due {
            return None;
        }
        let containers = listed.pointer("/spec/containers")?.as_array()?.iter().filter_map(|container| {
            let resources =
                container.get("resources").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            Some((container.get("name")?.as_str()?.to_owned(), resources))
        });
        Some(ResizeCall {
            pod: live.metadata.name.clone()?,
            uid: live.metadata.uid.clone(),
            containers: containers.collect(),
            revision: revisions.resources?.to_owned(),
        })
    }
}

impl ResizeCall {
    /// How the pod remembers that Kubernetes refused it.
    pub fn refusal(&self, why: &str) -> String {
        format!("{}: {why}", self.revision)
    }
}

/// Why these resources were refused, as the pod remembers it; `None`: others were.
fn refusal(error: &str, revision: &str) -> Option<String> {
    if error == ANY_ERROR {
        return Some("Kubernetes refused it".to_owned());
    }
    error.split_once(": ").filter(|(known, _)| *known == revision).map(|(_, why)| why.to_owned())
}

/// Whether the kubelet has not looked at the present specification of the pod. Kubernetes tells since 1.35.
fn is_behind(pod: &Pod) -> bool {
    let observed = pod.status.as_ref().and_then(|status| status.observed_generation);
    observed.zip(pod.metadata.generation).is_some_and(|(observed, present)| observed < present)
}

fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PATIENT: Resizing = Resizing { wait_for_deferred: true };
    const HASTY: Resizing = Resizing { wait_for_deferred: false };
    const LISTED: Revisions<'_> = Revisions { pod: Some("r1"), resources: Some("s2") };

    fn pod(revisions: [&str; 2], phase: &str, conditions: &Value) -> Pod {
        let [revision, resources] = revisions;
        let annotations = json!({"strimzi.io/revision": revision, "strimzi.io/resource-revision": resources});
        serde_json::from_value(json!({
            "metadata": {"name": "c-p-0", "uid": "u", "annotations": annotations},
            "status": {"phase": phase, "conditions": conditions},
        }))
        .unwrap()
    }

    #[test]
    fn only_a_pod_that_runs_and_differs_in_nothing_else_is_resized() {
        assert_eq!(HASTY.state(&pod(["r1", "s1"], "Running", &json!([])), LISTED), Resize::Due);
        for other in [pod(["r0", "s1"], "Running", &json!([])), pod(["r1", "s1"], "Pending", &json!([]))] {
            assert!(matches!(HASTY.state(&other, LISTED), Resize::Impossible(_)), "{other:?}");
        }
        assert_eq!(HASTY.state(&pod(["r1", "s2"], "Running", &json!([])), LISTED), Resize::Done);
    }

    #[test]
    fn what_was_refused_is_not_asked_for_again_but_something_else_is() {
        let mut live = pod(["r1", "s1"], "Running", &json!([]));
        let mut remember = |text: &str| {
            let key = annotations::IN_PLACE_RESIZING_ERROR.to_owned();
            live.metadata.annotations.as_mut().unwrap().insert(key, text.to_owned());
            HASTY.state(&live, LISTED)
        };
        let refused = |revision: &str, why: &str| {
            let (pod, revision) = ("c-p-0".to_owned(), revision.to_owned());
            ResizeCall { pod, uid: None, containers: Vec::new(), revision }.refusal(why)
        };
        let never = Resize::Impossible("no: never".to_owned());
        assert_eq!(remember(&refused("s2", "no: never")), never);
        assert!(matches!(remember("true"), Resize::Impossible(_)));
        assert_eq!(remember(&refused("s0", "no")), Resize::Due);
    }

    #[test]
    fn what_the_machine_cannot_do_takes_a_restart_and_what_it_puts_off_takes_patience() {
        let of = |resizing: Resizing, type_: &str, reason: &str| {
            let told = json!([{"type": type_, "status": "True", "reason": reason, "message": "m"}]);
            resizing.state(&pod(["r1", "s2"], "Running", &told), LISTED)
        };
        let impossible = Resize::Impossible("m".to_owned());
        assert_eq!(of(PATIENT, "PodResizePending", "Infeasible"), impossible);
        assert_eq!(of(HASTY, "PodResizePending", "Deferred"), impossible);
        assert_eq!(of(PATIENT, "PodResizePending", "Deferred"), Resize::Deferred("m".to_owned()));
        assert_eq!(of(PATIENT, "PodResizeInProgress", "Error"), impossible);
        assert_eq!(of(PATIENT, "PodResizeInProgress", ""), Resize::UnderWay("m".to_owned()));
        let mut behind = pod(["r1", "s2"], "Running", &json!([]));
        behind.metadata.generation = Some(2);
        behind.status.as_mut().unwrap().observed_generation = Some(1);
        assert!(matches!(HASTY.state(&behind, LISTED), Resize::UnderWay(_)));
    }
}
