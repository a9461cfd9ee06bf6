//! Image builds where something stands in their way: names that others use, options of another tool, nodes without user namespaces.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use objects::ObjectId;
use planner::kafka_connect::plan::ConnectPlan;
use planner::ownership::Holder;
use serde_json::{Value, json};

use super::image_builds::{POD, built, failed, failed_in, image, later, pass, pipes};
use crate::common::connect::{Connect, has, verdict};

const MAP: &str = "pipes-connect-dockerfile";

/// An object of this name is there, of a Deployment of somebody else's.
fn foreign(connect: &mut Connect, kind: &str, name: &str) -> ObjectId {
    let owner = json!({"ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs",
        "uid": "x", "controller": true}]});
    let metadata: ObjectMeta = serde_json::from_value(owner).unwrap();
    let id = ObjectId {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: Some(connect.observed.namespace.clone()),
        name: name.to_owned(),
    };
    connect.observed.holders.insert(id.clone(), Some(Holder::of(&metadata)));
    id
}

fn warnings(plan: &ConnectPlan) -> String {
    let conditions = plan.status.as_ref().unwrap().conditions.clone().unwrap();
    let said = conditions.iter().filter(|one| one.type_ == "Warning");
    let said: Vec<String> = said.map(|one| format!("{:?}: {:?}", one.reason, one.message)).collect();
    said.join("\n")
}

#[test]
fn nothing_is_built_over_what_belongs_to_others_and_it_is_looked_at_again() {
    for (kind, name) in [("ConfigMap", MAP), ("ServiceAccount", POD), ("Pod", POD)] {
        let mut connect = pipes();
        let id = foreign(&mut connect, kind, name);
        for _ in 0..2 {
            let plan = pass(&mut connect);
            assert!(!has(&plan, kind, name) && !has(&plan, "Pod", POD), "{kind}");
            let (type_, message) = verdict(&plan);
            let words = format!("{kind} {name} belongs to Deployment theirs");
            assert!(type_ == "NotReady" && message.contains(&words), "{message}");
            assert!(warnings(&plan).contains("ForeignObject"), "{}", warnings(&plan));
            assert_eq!(plan.look_again_seconds(), Some(15));
            assert!(
                !has(&plan, "StrimziPodSet", "pipes-connect") && has(&plan, "Service", "pipes-connect-api")
            );
        }
        connect.observed.holders.remove(&id);
        assert!(has(&pass(&mut connect), "Pod", POD), "it is gone, and the image is built");
    }
}

#[test]
fn workers_go_on_while_a_rebuild_is_kept_up_by_an_object_of_others() {
    let mut connect = built();
    let before = image(&connect.plan());
    connect.resource["spec"]["build"]["output"]["image"] = json!("registry.example:5000/team/pipes:2");
    foreign(&mut connect, "Pod", POD);
    let plan = pass(&mut connect);
    assert!(!has(&plan, "Pod", POD) && has(&plan, "ConfigMap", MAP));
    assert!(image(&plan) == before && plan.calls.is_empty());
    assert!(verdict(&plan).1.contains("Pod pipes-connect-build belongs to"), "{}", verdict(&plan).1);
}

#[test]
fn a_settled_resource_does_not_ask_who_has_the_name_of_a_pod_that_it_does_not_need() {
    let mut connect = built();
    connect.settle();
    foreign(&mut connect, "Pod", POD);
    assert_eq!(verdict(&pass(&mut connect)).0, "Ready");
}

#[test]
fn options_of_kaniko_are_named_and_build_all_the_same() {
    let mut connect = pipes();
    connect.resource["spec"]["build"]["output"]["additionalKanikoOptions"] = json!(["--verbosity=info"]);
    let plan = pass(&mut connect);
    assert!(has(&plan, "Pod", POD));
    let said = warnings(&plan);
    assert!(
        said.contains("FieldsWithoutEffect") && said.contains("spec.build.output.additionalKanikoOptions: "),
        "{said}"
    );
}

#[test]
fn a_node_without_user_namespaces_is_named_as_the_reason() {
    let mut connect = pipes();
    pass(&mut connect);
    failed(&mut connect, "Error during unshare(CLONE_NEWUSER): Operation not permitted\n");
    let (_, message) = verdict(&connect.plan());
    for part in ["Operation not permitted", "spec.template.buildContainer.securityContext"] {
        assert!(message.contains(part), "{message}");
    }
    later(&mut connect, 60);
    assert!(!message.contains('\n'));
}

#[test]
fn an_image_that_runs_something_in_builds_and_one_without_credentials_are_named() {
    for (container, log, words) in [
        (
            "build",
            "error running container: from /nothing-runs-in-an-image-build creating container for [/x]",
            "has ONBUILD RUN",
        ),
        (
            "pull",
            "Error: reading manifest 1 in r/a: unauthorized: authentication required",
            "spec.template.buildConfig.pullSecret",
        ),
        (
            POD,
            "Error: reading manifest 1 in r/a: unauthorized: authentication required",
            "authentication required",
        ),
    ] {
        let mut connect = pipes();
        pass(&mut connect);
        failed_in(&mut connect, container, log);
        let (_, message) = verdict(&connect.plan());
        assert!(message.contains(words), "{message}");
        assert_eq!(message.contains("pullSecret"), container == "pull", "{message}");
    }
}

/// The pod of a build, whose machine is gone, says this.
fn lost(connect: &mut Connect, change: &dyn Fn(&mut Value)) {
    let mut pod = serde_json::to_value(connect.observed.pods[POD].as_ref()).unwrap();
    change(&mut pod);
    connect.observed.pods.insert(POD.to_owned(), Arc::new(serde_json::from_value(pod).unwrap()));
}

#[test]
fn a_build_on_a_machine_that_is_gone_is_told_of_and_says_what_ends_it() {
    let mut connect = pipes();
    pass(&mut connect);
    let now = connect.now.to_string();
    lost(&mut connect, &|pod| pod["status"] = json!({"phase": "Running", "startTime": now}));
    later(&mut connect, 300);
    assert!(verdict(&connect.plan()).1.contains("is being built by pod"), "it may take so long");
    later(&mut connect, 61);
    assert!(
        verdict(&connect.plan()).1.contains("does not say that it ended"),
        "{:?}",
        verdict(&connect.plan())
    );

    let mut connect = built();
    connect.resource["spec"]["build"]["plugins"][0]["name"] = json!("another");
    pass(&mut connect);
    let now = connect.now.to_string();
    lost(&mut connect, &|pod| pod["metadata"]["deletionTimestamp"] = json!(now));
    later(&mut connect, 299);
    assert!(!warnings(&connect.plan()).contains("--force"), "it may still go");
    later(&mut connect, 2);
    let plan = connect.plan();
    assert!(warnings(&plan).contains("delete that Node, or the pod with --force"), "{}", warnings(&plan));
    assert_eq!(verdict(&plan).0, "NotReady");
}
