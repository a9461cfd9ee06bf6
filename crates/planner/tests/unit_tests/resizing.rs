//! Other resources of containers reach running pods without a restart where an annotation asks for it, and by a restart where
//! Kubernetes cannot.

use std::sync::Arc;

use crate::common::{World, condition, kafka_status, object, warning_with};
use api::annotations;
use k8s_openapi::api::core::v1::Pod;
use planner::kafka::plan::Plan;
use planner::pod_set::plan::{PodCall, ResizeCall};
use planner::restart_reason::RestartReason;
use serde_json::{Value, json};

const IN_PLACE: &str = "strimzi.io/in-place-resizing";
const PATIENT: &str = "strimzi.io/in-place-resizing-wait-for-deferred";
const DEFERRED: &str = "InPlaceResizingDeferred";

/// A settled cluster of three whose pool gets more memory.
fn larger(asked: &[&str]) -> (World, Plan) {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        for key in asked {
            kafka["metadata"]["annotations"][*key] = json!("true");
        }
    });
    let plan = world.settle();
    assert_eq!(condition(&plan, "Ready").unwrap()["status"], "True");
    world.kafka(|kafka| kafka["metadata"]["generation"] = json!(2));
    world.pool(0, |pool| pool["spec"]["resources"] = json!({"limits": {"memory": "900Mi"}}));
    let plan = world.plan();
    world.apply(&plan);
    world.run_everything();
    (world, plan)
}

/// What the pod-set controller does with the pods.
fn resizes(world: &World) -> Vec<ResizeCall> {
    let set = &world.observed.pod_sets["my-dual"];
    let pods: Vec<Arc<Pod>> = world.observed.pods.values().cloned().collect();
    let calls = planner::pod_set::plan::plan(set, &pods).calls.clone();
    let resize = |call| match call {
        PodCall::Resize(call) => Some(call),
        _ => None,
    };
    calls.into_iter().filter_map(resize).collect()
}

fn change(world: &mut World, pod: &str, change: impl FnOnce(&mut Pod)) {
    change(Arc::make_mut(world.observed.pods.get_mut(pod).unwrap()));
}

fn annotate(world: &mut World, pod: &str, key: &str, value: &str) {
    change(world, pod, |pod| {
        let all = pod.metadata.annotations.as_mut().unwrap();
        all.insert(key.to_owned(), value.to_owned());
    });
}

/// The API server took it.
fn take(world: &mut World, call: &ResizeCall) {
    annotate(world, &call.pod, annotations::RESOURCE_REVISION, &call.revision);
}

/// The kubelet says something of a pod's resources.
fn tell(world: &mut World, pod: &str, type_: &str, reason: &str) {
    let told = json!({"type": type_, "status": "True", "reason": reason, "message": "so much is not there"});
    change(world, pod, |pod| {
        let conditions = pod.status.as_mut().unwrap().conditions.as_mut().unwrap();
        conditions.truncate(1);
        conditions.push(serde_json::from_value(told).unwrap());
    });
}

fn waits(plan: &Plan) -> String {
    plan.waiting_for.join("; ")
}

#[test]
fn pods_get_other_resources_without_a_restart_where_that_is_asked_for() {
    let (mut world, plan) = larger(&[IN_PLACE]);
    assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
    assert_eq!(object(&plan, "StrimziPodSet", "my-dual")["metadata"]["annotations"][IN_PLACE], "true");
    assert!(waits(&plan).contains("pod my-dual-1 is to get other resources without a restart"));
    assert_eq!(kafka_status(&plan)["observedGeneration"], 1, "the change is not done");

    let calls = resizes(&world);
    assert_eq!(calls.len(), 3);
    let resources = json!({"limits": {"memory": "900Mi"}});
    assert_eq!(calls[0].containers, [("kafka".to_owned(), resources)]);
    assert_eq!(calls[0].uid, world.observed.pods["my-dual-0"].metadata.uid);
    for call in &calls {
        take(&mut world, call);
    }
    assert!(resizes(&world).is_empty(), "it is asked for once");
    tell(&mut world, "my-dual-2", "PodResizeInProgress", "");
    let plan = world.plan();
    assert!(waits(&plan).contains("my-dual-2 gets other resources without a restart: so much is not there"));
    change(&mut world, "my-dual-2", |pod| {
        pod.status.as_mut().unwrap().conditions.as_mut().unwrap().truncate(1);
    });
    let plan = world.plan();
    assert!(plan.roll.wanted.is_empty() && plan.waiting_for.is_empty(), "{}", waits(&plan));
    assert_eq!(kafka_status(&plan)["observedGeneration"], 2);
}

#[test]
fn without_the_annotation_and_for_more_than_resources_pods_restart() {
    let (world, plan) = larger(&[]);
    assert_eq!(plan.roll.wanted.len(), 3);
    assert!(resizes(&world).is_empty());

    // Another template: the pods are made anew, once, with the resources.
    let (mut world, _) = larger(&[IN_PLACE]);
    world.pool(0, |pool| pool["spec"]["template"] = json!({"pod": {"terminationGracePeriodSeconds": 60}}));
    let plan = world.plan();
    world.apply(&plan);
    assert!(resizes(&world).is_empty());
    let reasons: Vec<RestartReason> = plan.roll.wanted[0].reasons.iter().copied().collect();
    assert_eq!(reasons, [RestartReason::PodHasOldRevision, RestartReason::PodHasOldResourceRevision]);
}

#[test]
fn what_kubernetes_refuses_is_done_by_a_restart_and_said() {
    let (mut world, _) = larger(&[IN_PLACE]);
    let calls = resizes(&world);
    let why = "Pod QOS Class may not change as a result of resizing";
    annotate(&mut world, "my-dual-1", annotations::IN_PLACE_RESIZING_ERROR, &calls[1].refusal(why));
    let plan = world.plan();
    assert_eq!(plan.roll.now, ["my-dual-1"]);
    assert!(plan.events[0].text.contains(why), "{:?}", plan.events);
    assert_eq!(plan.events[0].reason, "PodHasOldResourceRevision");
    assert_eq!(resizes(&world).len(), 2, "the others are still resized");

    // Other resources are another question.
    world.pool(0, |pool| pool["spec"]["resources"] = json!({"limits": {"memory": "800Mi"}}));
    let plan = world.plan();
    world.apply(&plan);
    assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
    assert_eq!(resizes(&world).len(), 3);
}

#[test]
fn a_machine_without_room_means_a_restart_unless_the_user_waits() {
    for (asked, reason, restarts) in [
        (&[IN_PLACE][..], "Deferred", true),
        (&[IN_PLACE, PATIENT], "Deferred", false),
        (&[IN_PLACE, PATIENT], "Infeasible", true),
    ] {
        let (mut world, _) = larger(asked);
        for call in resizes(&world) {
            take(&mut world, &call);
        }
        tell(&mut world, "my-dual-2", "PodResizePending", reason);
        let plan = world.plan();
        let wanted: Vec<&str> = plan.roll.wanted.iter().map(|restart| restart.pod.as_str()).collect();
        assert_eq!(wanted, if restarts { vec!["my-dual-2"] } else { vec![] }, "{asked:?} {reason}");
        let warning = warning_with(&plan, DEFERRED);
        assert_eq!(warning.is_some(), !restarts, "{warning:?}");
        assert!(
            warning.is_none_or(|text| text.contains("my-dual-2") && text.contains("so much is not there"))
        );
        assert!(waits(&plan).contains("my-dual-2"));
    }
}

#[test]
fn the_annotation_alone_changes_no_pod() {
    let mut world = World::load("dual-role.input.yaml");
    let before = world.settle();
    world.kafka(|kafka| kafka["metadata"]["annotations"][IN_PLACE] = json!("true"));
    let plan = world.plan();
    assert!(plan.roll.wanted.is_empty());
    let pods = |plan: &Plan| -> Value { object(plan, "StrimziPodSet", "my-dual")["spec"]["pods"].clone() };
    assert_eq!(pods(&plan), pods(&before));
    world.apply(&plan);
    assert!(resizes(&world).is_empty());
}
