//! What pods say about a restart.

use serde_json::{Value, json};

use super::*;

fn pod(status: &Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "c-p-0"}, "status": status})).unwrap()
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
fn a_restart_destroys_what_ends_with_the_pod_and_what_the_next_pod_lacks() {
    let spec = |data: &Value| {
        json!({"spec": {
            "containers": [{"name": "kafka", "volumeMounts": [
                {"name": "data-0", "mountPath": "/var/lib/kafka/data-0"},
                {"name": "data-1", "mountPath": "/var/lib/kafka/data-1"},
                {"name": "strimzi-tmp", "mountPath": "/tmp"}]}],
            "volumes": [
                {"name": "strimzi-tmp", "emptyDir": {}},
                {"name": "data-0", "persistentVolumeClaim": {"claimName": "data-0-c-p-0"}},
                data]}})
    };
    let pod = |data: &Value| serde_json::from_value::<Pod>(spec(data)).unwrap();
    let claim = json!({"name": "data-1", "persistentVolumeClaim": {"claimName": "data-1-c-p-0"}});
    let ephemeral = json!({"name": "data-1", "emptyDir": {}});
    let other = json!({"name": "data-1", "persistentVolumeClaim": {"claimName": "data-2-c-p-0"}});
    assert!(!loses_storage(&pod(&claim), &pod(&claim)));
    assert!(loses_storage(&pod(&ephemeral), &pod(&ephemeral)));
    assert!(loses_storage(&pod(&claim), &pod(&other)));
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
