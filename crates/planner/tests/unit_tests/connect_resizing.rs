//! Workers get other resources without a restart where an annotation asks for it, and by a restart where Kubernetes cannot.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use planner::kafka_connect::plan::ConnectPlan;
use planner::pod_set::plan::{PodCall, ResizeCall};
use serde_json::json;

use crate::common::connect::{Connect, restarts, verdict};
use crate::common::reference;

const SET: &str = "pipes-connect";

/// Settled workers that are to have more memory.
fn larger(annotations: &[&str]) -> (Connect, ConnectPlan) {
    let mut connect = Connect::new(&reference("connect.input.yaml"));
    for key in annotations {
        connect.resource["metadata"]["annotations"][*key] = json!("true");
    }
    connect.settle();
    connect.resource["spec"]["resources"] =
        json!({"limits": {"memory": "3Gi"}, "requests": {"memory": "3Gi"}});
    let plan = connect.plan();
    connect.apply(&plan);
    (connect, plan)
}

/// What the controller of pod sets does.
fn resizes(connect: &Connect) -> Vec<ResizeCall> {
    let set = &connect.observed.pod_sets[SET];
    let pods: Vec<Arc<Pod>> = connect.observed.pods.values().cloned().collect();
    let calls = planner::pod_set::plan::plan(set, &pods).calls.clone();
    let resize = |call| match call {
        PodCall::Resize(call) => Some(call),
        _ => None,
    };
    calls.into_iter().filter_map(resize).collect()
}

fn change(connect: &mut Connect, pod: &str, change: impl FnOnce(&mut Pod)) {
    change(Arc::make_mut(connect.observed.pods.get_mut(pod).unwrap()));
}

#[test]
fn workers_get_other_resources_without_a_restart_where_that_is_asked_for() {
    let (mut connect, plan) = larger(&["strimzi.io/in-place-resizing"]);
    assert!(plan.calls.is_empty());
    let plan = connect.plan();
    assert!(plan.calls.is_empty() && !plan.waiting_for.is_empty(), "{:?}", plan.waiting_for);
    assert_eq!(verdict(&plan).0, "Ready", "they serve on");
    let calls = resizes(&connect);
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].containers[0].1["limits"]["memory"], "3Gi");
    for call in &calls {
        change(&mut connect, &call.pod, |pod| {
            let all = pod.metadata.annotations.as_mut().unwrap();
            all.insert("strimzi.io/resource-revision".to_owned(), call.revision.clone());
        });
    }
    let plan = connect.plan();
    assert!(plan.calls.is_empty() && plan.waiting_for.is_empty(), "{:?}", plan.waiting_for);
}

#[test]
fn what_kubernetes_cannot_do_takes_a_restart_and_so_does_everything_without_the_annotation() {
    let (connect, _) = larger(&[]);
    assert!(resizes(&connect).is_empty());
    assert_eq!(connect.plan().calls.len() + usize::from(connect.observed.pods.len() < 2), 1);
    let (mut connect, _) = larger(&["strimzi.io/in-place-resizing"]);
    let call = resizes(&connect).remove(0);
    change(&mut connect, &call.pod, |pod| {
        let all = pod.metadata.annotations.as_mut().unwrap();
        all.insert(
            "strimzi.io/in-place-resizing-error".to_owned(),
            call.refusal("no such quality of service"),
        );
    });
    let plan = connect.plan();
    assert_eq!((plan.calls.len(), restarts(&plan)[0].pod.as_str()), (1, call.pod.as_str()));
    assert!(restarts(&plan)[0].notes.join(";").contains("no such quality of service"), "{:?}", plan.calls);
}

#[test]
fn who_waits_for_what_is_put_off_is_told_of_it() {
    let patient = ["strimzi.io/in-place-resizing", "strimzi.io/in-place-resizing-wait-for-deferred"];
    for (annotations, waits) in [(&patient[..], true), (&patient[..1], false)] {
        let (mut connect, _) = larger(annotations);
        let call = resizes(&connect).remove(0);
        change(&mut connect, &call.pod, |pod| {
            let all = pod.metadata.annotations.as_mut().unwrap();
            all.insert("strimzi.io/resource-revision".to_owned(), call.revision.clone());
            let put_off = json!({"type": "PodResizePending", "status": "True", "reason": "Deferred", "message": "no room"});
            let conditions = pod.status.as_mut().unwrap().conditions.as_mut().unwrap();
            conditions.push(serde_json::from_value(put_off).unwrap());
        });
        let plan = connect.plan();
        let conditions = plan.status.as_ref().unwrap().conditions.clone().unwrap();
        let told = conditions.iter().any(|one| one.reason.as_deref() == Some("InPlaceResizingDeferred"));
        assert_eq!((plan.calls.is_empty(), told), (waits, waits), "{conditions:?}");
    }
}
