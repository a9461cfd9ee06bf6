//! Workers of which one does not come, or does not go: the others are looked after, and the status does not call them ready.

use std::sync::Arc;

use crate::common::connect::{Connect, restarts, secret, verdict};
use crate::common::reference;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use planner::pod_set::pod_error::PodError;
use serde_json::json;

fn settled() -> Connect {
    let mut connect = Connect::new(&reference("connect.input.yaml"));
    connect.settle();
    connect
}

/// The machine of a worker is away: its pod is to go, and does not.
fn leave(connect: &mut Connect, name: &str, since: Timestamp) {
    let mut pod = connect.observed.pods[name].as_ref().clone();
    pod.metadata.deletion_timestamp = Some(Time(since));
    connect.observed.pods.insert(name.to_owned(), Arc::new(pod));
}

/// Other credentials, of which the pod set says so already.
fn renew(connect: &mut Connect) {
    let (crt, key) = crate::common::connect::certificate();
    connect.refer(secret("pipes", &[("user.crt", &crt), ("user.key", &key)]));
    let plan = connect.plan();
    for write in &plan.apply {
        if write.reference.kind == "StrimziPodSet" {
            let mut object = write.object.clone();
            object["metadata"]["uid"] = json!("uid-pipes-connect");
            let set = serde_json::from_value(object).unwrap();
            connect.observed.pod_sets.insert("pipes-connect".to_owned(), Arc::new(set));
        }
    }
}

#[test]
fn workers_that_cannot_be_made_are_not_ready() {
    let mut connect = settled();
    connect.observed.pods.clear();
    for pod in ["pipes-connect-0", "pipes-connect-1"] {
        connect.observed.pod_errors.insert(pod.to_owned(), PodError::creation("exceeded quota"));
    }
    let (type_, message) = verdict(&connect.plan());
    assert!(type_ == "NotReady" && message.contains("exceeded quota"), "{type_} {message}");
}

#[test]
fn a_worker_that_does_not_go_is_told_after_a_while() {
    let mut connect = settled();
    let (since, now) = (connect.now, connect.now);
    leave(&mut connect, "pipes-connect-1", since);
    connect.now = now + SignedDuration::from_mins(1);
    assert_eq!(verdict(&connect.plan()).0, "Ready", "the others serve on");
    connect.now = now + SignedDuration::from_mins(10);
    let (type_, message) = verdict(&connect.plan());
    assert!(type_ == "NotReady" && message.contains("pipes-connect-1"), "{type_} {message}");
}

#[test]
fn a_machine_that_died_keeps_the_other_workers_from_nothing() {
    let mut connect = settled();
    let now = connect.now;
    leave(&mut connect, "pipes-connect-1", now);
    renew(&mut connect);
    connect.now = now + SignedDuration::from_mins(1);
    assert!(connect.plan().calls.is_empty(), "it may be back in a moment");
    connect.now = now + SignedDuration::from_hours(1);
    let plan = connect.plan();
    assert_eq!(
        restarts(&plan).first().map(|restart| restart.pod.as_str()),
        Some("pipes-connect-0"),
        "{:?}",
        plan.waiting_for
    );
}

#[test]
fn a_worker_that_lost_its_machine_is_not_waited_for_and_one_that_never_came_up_is() {
    let conditions = |ready: &str| {
        json!({"phase": "Running", "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-05-31T00:00:00Z"},
            {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-05-31T00:00:01Z"},
            {"type": "Ready", "status": "False", "lastTransitionTime": ready}]})
    };
    for (ready, goes_on) in [("2026-05-31T10:00:00Z", true), ("2026-05-31T00:00:01Z", false)] {
        let mut connect = settled();
        renew(&mut connect);
        // The second worker has its new credentials already.
        let listed = connect.observed.pod_sets["pipes-connect"].spec.pods[1].clone();
        let mut pod = listed;
        pod["status"] = conditions(ready);
        connect
            .observed
            .pods
            .insert("pipes-connect-1".to_owned(), Arc::new(serde_json::from_value(pod).unwrap()));
        assert_eq!(!connect.plan().calls.is_empty(), goes_on, "unready since {ready}");
    }
}

#[test]
fn a_worker_that_cannot_be_made_keeps_the_others_as_they_are() {
    let mut connect = settled();
    renew(&mut connect);
    connect.observed.pods.remove("pipes-connect-1");
    connect.observed.pod_errors.insert("pipes-connect-1".to_owned(), PodError::creation("exceeded quota"));
    connect.now += SignedDuration::from_hours(1);
    assert!(connect.plan().calls.is_empty(), "none that goes would come back");
}

#[test]
fn the_plug_ins_are_asked_for_when_all_workers_are_ready_and_are_kept_while_they_are_not() {
    let mut connect = settled();
    let named = |plan: &planner::kafka_connect::plan::ConnectPlan| {
        plan.status.as_ref().unwrap().connector_plugins.clone()
    };
    assert_eq!(named(&connect.plan()), None, "nobody has answered");
    let class = serde_json::from_value(json!({"class": "A", "type": "source", "version": "1"})).unwrap();
    connect.observed.plugins = planner::workers::observed::Plugins::Known(vec![class]);
    let plan = connect.plan();
    assert_eq!(named(&plan).unwrap().len(), 1);
    connect.apply(&plan);
    connect.unready("pipes-connect-0");
    connect.observed.plugins = planner::workers::observed::Plugins::Unasked;
    assert_eq!(named(&connect.plan()).unwrap().len(), 1);
}
