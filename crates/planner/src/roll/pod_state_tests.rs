//! What pods say about a restart.

use serde_json::{Value, json};

use super::{PodState, is_unscheduled};
use crate::pod_words::{was_ready, words};
use k8s_openapi::api::core::v1::Pod;

fn pod(status: &Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "c-p-0"}, "status": status})).unwrap()
}

fn state(pod: &Pod) -> PodState {
    super::state(pod, "kafka")
}

fn container(name: &str, state: &Value) -> Value {
    json!({"name": name, "ready": false, "restartCount": 0, "image": "", "imageID": "", "state": state})
}

#[test]
fn a_pod_that_never_ran_serves_nobody_whatever_it_waits_for() {
    for reason in ["PodInitializing", "ContainerCreating", "ImagePullBackOff"] {
        let kafka = container("kafka", &json!({"waiting": {"reason": reason}}));
        let waiting = pod(&json!({"phase": "Pending", "containerStatuses": [kafka]}));
        assert_eq!(state(&waiting), PodState::Stuck, "{reason}");
    }
    assert_eq!(state(&pod(&json!({"phase": "Pending"}))), PodState::Stuck);
    let mut ran = container("kafka", &json!({"waiting": {"reason": "PodInitializing"}}));
    ran["restartCount"] = json!(1);
    assert_eq!(state(&pod(&json!({"phase": "Pending", "containerStatuses": [ran]}))), PodState::Unready);
}

#[test]
fn a_pod_whose_kafka_runs_is_not_stuck_whatever_runs_beside_it() {
    let crashes = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let serving = pod(&json!({"phase": "Running",
        "containerStatuses": [container("kafka", &json!({"running": {}})), container("proxy", &crashes)],
        "initContainerStatuses": [container("restarting", &crashes)]}));
    assert_eq!(state(&serving), PodState::Unready);
    let crashing = pod(&json!({"phase": "Running", "containerStatuses": [container("kafka", &crashes)]}));
    assert_eq!(state(&crashing), PodState::Stuck);
}

#[test]
fn an_unschedulable_pod_is_stuck() {
    let pod = pod(&json!({"conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}));
    assert_eq!((state(&pod), is_unscheduled(&pod)), (PodState::Stuck, true));
}

#[test]
fn whether_a_pod_was_ready_before_shows_in_when_it_became_unready() {
    let at = |scheduled: &str, initialized: &str, unready: &str| {
        let condition = |type_: &str, status: &str, time: &str| json!({"type": type_, "status": status, "lastTransitionTime": time});
        pod(&json!({"phase": "Running", "conditions": [
            condition("PodScheduled", "True", scheduled),
            condition("Initialized", "True", initialized),
            condition("Ready", "False", unready)]}))
    };
    let (first, second, later) = ("2026-06-01T12:00:00Z", "2026-06-01T12:00:03Z", "2026-06-01T12:10:00Z");
    assert!(!was_ready(&at(first, second, first)), "it never was");
    assert!(!was_ready(&at(first, second, second)));
    assert!(was_ready(&at(first, second, later)));
    // A machine that started anew initializes its pods anew.
    assert!(was_ready(&at(first, later, later)));
    let ready =
        pod(&json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": first}]}));
    assert!(was_ready(&ready));
}

#[test]
fn what_a_container_said_before_it_ended_is_passed_on_and_cut() {
    let mut kafka =
        container("kafka", &json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}));
    kafka["lastState"] = json!({"terminated": {"exitCode": 1, "reason": "Error",
        "message": format!("the disk belongs\nto cluster abc {}", "x".repeat(2000))}});
    let said = words(&pod(&json!({"phase": "Running", "containerStatuses": [kafka]}))).unwrap();
    assert!(
        said.starts_with("container kafka ended with code 1: the disk belongs to cluster abc xxx"),
        "{said}"
    );
    assert!(said.chars().count() < 700, "{said}");
    let unscheduled =
        pod(&json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/3 nodes are available"}]}));
    assert_eq!(words(&unscheduled).unwrap(), "0/3 nodes are available");
    let pulls = container("kafka", &json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}}));
    let said = words(&pod(&json!({"phase": "Pending", "containerStatuses": [pulls]}))).unwrap();
    assert_eq!(said, "container kafka waits (ErrImagePull): not found");
    let starts = container("kafka", &json!({"running": {}}));
    assert_eq!(words(&pod(&json!({"phase": "Running", "containerStatuses": [starts]}))), None);
}
