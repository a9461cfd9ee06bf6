//! Images that are built for a KafkaConnect: the Dockerfile, the pod, and what becomes of the workers while a build runs, ends and fails.

use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use planner::kafka_connect::plan::ConnectPlan;
use planner::settings::PlanSettings;
use serde_json::{Value, json};

use crate::common::connect::{Connect, has, object, secret, verdict};
use crate::common::reference;

pub(super) const POD: &str = "pipes-connect-build";
const SUM: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

fn digest(of: char) -> String {
    format!("sha256:{}", of.to_string().repeat(64))
}

/// A resource with one artifact, and the Secret of its registry.
pub(super) fn pipes() -> Connect {
    let mut connect = Connect::new(&reference("connect.input.yaml"));
    let mut settings = PlanSettings::clone(&connect.observed.settings);
    "kastellan/buildah:test".clone_into(&mut settings.image_builds.buildah_image);
    connect.observed.settings = Arc::new(settings);
    connect.refer(secret("registry", &[(".dockerconfigjson", "{}")]));
    connect.resource["metadata"]["uid"] = json!("the-uid");
    connect.resource["spec"]["build"] = json!({
        "output": {"type": "docker", "image": "registry.example:5000/team/pipes:1", "pushSecret": "registry"},
        "plugins": [{"name": "files", "artifacts": [artifact("jar")]}],
    });
    connect
}

fn artifact(type_: &str) -> Value {
    json!({"type": type_, "url": "https://files.example/file-connector"})
}

fn with_artifacts(artifacts: &Value) -> Connect {
    let mut connect = pipes();
    connect.resource["spec"]["build"]["plugins"][0]["artifacts"] = artifacts.clone();
    connect
}

/// What the ConfigMap of a build has under this key.
fn content(plan: &ConnectPlan, key: &str) -> String {
    let map = object(plan, "ConfigMap", "pipes-connect-dockerfile");
    map["data"][key].as_str().unwrap().to_owned()
}

/// The image of the workers of a plan.
pub(super) fn image(plan: &ConnectPlan) -> String {
    let set = object(plan, "StrimziPodSet", "pipes-connect");
    set["spec"]["pods"][0]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

fn annotation(plan: &ConnectPlan, key: &str) -> Value {
    object(plan, "StrimziPodSet", "pipes-connect")["metadata"]["annotations"][key].clone()
}

/// The kubelet's part: the pod of the build has this status.
fn pod_says(connect: &mut Connect, status: &Value) {
    let mut pod = connect.observed.pods[POD].as_ref().clone();
    pod.status = Some(serde_json::from_value(status.clone()).unwrap());
    connect.observed.pods.insert(POD.to_owned(), Arc::new(pod));
}

fn done(connect: &mut Connect, digest: &str) {
    let ended = json!({"exitCode": 0, "message": digest, "finishedAt": "2026-06-01T00:01:00Z"});
    let status = json!({"phase": "Succeeded", "containerStatuses": [{"name": POD, "image": "b", "imageID": "",
        "ready": false, "restartCount": 0, "state": {"terminated": ended}}]});
    pod_says(connect, &status);
}

pub(super) fn failed(connect: &mut Connect, log: &str) {
    failed_in(connect, "build", log);
}

pub(super) fn failed_in(connect: &mut Connect, container: &str, log: &str) {
    let at = connect.now.to_string();
    let ended = json!({"exitCode": 125, "reason": "Error", "message": log, "finishedAt": at});
    let status = json!({"phase": "Failed", "initContainerStatuses": [{"name": container, "image": "b", "imageID": "",
        "ready": false, "restartCount": 0, "state": {"terminated": ended}}]});
    pod_says(connect, &status);
}

/// Plans and carries out once.
pub(super) fn pass(connect: &mut Connect) -> ConnectPlan {
    let plan = connect.plan();
    connect.apply(&plan);
    plan
}

/// A resource whose workers have a built image.
pub(super) fn built() -> Connect {
    let mut connect = pipes();
    pass(&mut connect);
    done(&mut connect, &digest('a'));
    connect.settle();
    pass(&mut connect);
    connect
}

pub(super) fn later(connect: &mut Connect, seconds: i64) {
    connect.now += SignedDuration::from_secs(seconds);
}

#[test]
fn every_type_of_artifact_has_its_line_in_the_list() {
    let artifacts = json!([
        {"type": "jar", "url": "https://files.example/a.jar", "sha512sum": SUM.to_uppercase()},
        {"type": "tgz", "url": "https://files.example/a.tgz?x=1&y=%20z", "insecure": true},
        {"type": "zip", "url": "http://files.example/a.zip"},
        {"type": "other", "url": "https://files.example/some", "fileName": "it's \"$HOME\" #1.txt"},
        {"type": "other", "url": "https://files.example/some"},
        {"type": "maven", "group": "io.debezium", "artifact": "debezium-connector-postgres", "version": "3.6.1.Final"},
        {"type": "maven", "group": "a.b", "artifact": "c", "version": "1", "repository": "https://r.example/m2/",
            "includeScope": "compile", "mirrors": [{"url": "https://m.example/1"}, {"url": "https://m.example/2"}]},
    ]);
    let plan = with_artifacts(&artifacts).plan();
    let expected = include_str!("image_builds/plug-ins.json").replace("@SUM@", SUM);
    let list = content(&plan, "plug-ins.json");
    assert_eq!(list, expected);
    let words: Vec<Vec<String>> = serde_json::from_str(&list).unwrap();
    assert_eq!(words[3][2], "--name=it's \"$HOME\" #1.txt");
    assert_eq!(
        content(&plan, "Dockerfile"),
        "FROM docker.io/apache/kafka:4.3.1\nCOPY . /opt/kafka/plugins/\n"
    );
}

#[test]
fn without_any_plug_in_nothing_is_brought() {
    let mut connect = pipes();
    connect.resource["spec"]["build"]["plugins"] = json!([]);
    let list: Vec<Vec<String>> = serde_json::from_str(&content(&connect.plan(), "plug-ins.json")).unwrap();
    assert!(list.is_empty());
}

#[test]
fn a_file_that_others_could_replace_on_the_way_is_told_of() {
    let said = |artifact: Value| {
        let plan = with_artifacts(&json!([artifact])).plan();
        let conditions = plan.status.as_ref().unwrap().conditions.clone().unwrap();
        conditions.iter().any(|one| one.reason.as_deref() == Some("UnprotectedDownload"))
    };
    assert!(said(json!({"type": "jar", "url": "HTTP://files.example/a.jar"})));
    assert!(said(json!({"type": "tgz", "url": "https://files.example/a", "insecure": true})));
    assert!(!said(json!({"type": "jar", "url": "http://files.example/a.jar", "sha512sum": SUM})));
    assert!(!said(artifact("jar")));
}

#[test]
fn what_would_break_out_of_the_command_or_the_folder_is_refused_with_its_field() {
    let field = "spec.build.plugins[0].artifacts[0]";
    for (artifact, field) in [
        (json!({"type": "jar"}), format!("{field}.url: is missing")),
        (json!({"type": "jar", "url": "ftp://files.example/a.jar"}), format!("{field}.url: ")),
        (json!({"type": "jar", "url": "file:///etc/passwd"}), format!("{field}.url: ")),
        (json!({"type": "jar", "url": "https:///a.jar"}), format!("{field}.url: ")),
        (json!({"type": "jar", "url": "https://h/a\nRUN x"}), format!("{field}.url: ")),
        (json!({"type": "jar", "url": "https://me:secret@h/a.jar"}), format!("{field}.url: has a user")),
        (json!({"type": "jar", "url": "https://h/a", "sha512sum": "abc"}), format!("{field}.sha512sum: ")),
        (
            json!({"type": "other", "url": "https://h/a", "fileName": "../../bin/sh"}),
            format!("{field}.fileName: "),
        ),
        (json!({"type": "other", "url": "https://h/a", "fileName": ".."}), format!("{field}.fileName: ")),
        (json!({"type": "other", "url": "https://h/a", "fileName": "a\nb"}), format!("{field}.fileName: ")),
        (json!({"type": "maven", "group": "a", "artifact": "b"}), format!("{field}.version: ")),
        (
            json!({"type": "maven", "group": "../..", "artifact": "b", "version": "1"}),
            format!("{field}.group: "),
        ),
        (
            json!({"type": "maven", "group": "a", "artifact": "b/c", "version": "1"}),
            format!("{field}.artifact: "),
        ),
        (
            json!({"type": "maven", "group": "a", "artifact": "b", "version": "1", "repository": "x"}),
            format!("{field}.repository: "),
        ),
    ] {
        let plan = with_artifacts(&json!([artifact])).plan();
        let (type_, message) = verdict(&plan);
        assert!(type_ == "NotReady" && message.contains(&field), "{artifact}: {message}");
        assert!(!message.contains("secret@"), "{message}");
        assert!(plan.apply.is_empty());
    }
}

#[test]
fn a_build_that_makes_no_sense_is_refused() {
    let refused = |change: &dyn Fn(&mut Value), field: &str| {
        let mut connect = pipes();
        change(&mut connect.resource["spec"]);
        let (type_, message) = verdict(&connect.plan());
        assert!(type_ == "NotReady" && message.contains(field), "{message}");
    };
    refused(
        &|spec| spec["image"] = spec["build"]["output"]["image"].clone(),
        "spec.build.output.image: is the image",
    );
    refused(&|spec| spec["image"] = json!("a\nRUN x"), "spec.image: ");
    refused(&|spec| spec["build"]["output"]["image"] = json!("docker://x/y"), "spec.build.output.image: ");
    refused(&|spec| spec["build"]["output"]["type"] = json!("imagestream"), "spec.build.output.type: ");
    refused(
        &|spec| spec["build"]["output"]["pushSecret"] = json!("missing"),
        "spec.build.output.pushSecret: Secret \"missing\"",
    );
    refused(&|spec| spec["build"]["output"]["pushSecret"] = json!("pipes"), ".dockerconfigjson");
    refused(
        &|spec| spec["build"]["output"]["additionalBuildOptions"] = json!(["--volume=/:/host"]),
        "spec.build.output.additionalBuildOptions[0]: ",
    );
    refused(
        &|spec| spec["build"]["output"]["additionalPushOptions"] = json!(["--layers"]),
        "spec.build.output.additionalPushOptions[0]: ",
    );
    refused(
        &|spec| spec["plugins"] = json!([{"name": "x1", "artifacts": [{"type": "image", "reference": "i"}]}]),
        "spec.plugins: cannot be used together",
    );
    let twice = |spec: &mut Value| {
        let plug_in = spec["build"]["plugins"][0].clone();
        spec["build"]["plugins"].as_array_mut().unwrap().push(plug_in);
    };
    refused(&twice, "spec.build.plugins[1].name: \"files\" is used twice");
}

#[test]
fn there_are_no_workers_before_their_image_and_then_they_have_it_by_its_digest() {
    let mut connect = pipes();
    let plan = pass(&mut connect);
    assert!(!has(&plan, "StrimziPodSet", "pipes-connect") && has(&plan, "Service", "pipes-connect-api"));
    let (type_, message) = verdict(&plan);
    assert!(
        type_ == "NotReady" && message.contains("the image is to be built by pod pipes-connect-build"),
        "{message}"
    );
    let plan = pass(&mut connect);
    assert!(!has(&plan, "Pod", POD) && verdict(&plan).1.contains("is being built"), "{:?}", plan.status);
    done(&mut connect, &digest('a'));
    let plan = pass(&mut connect);
    assert_eq!(image(&plan), format!("registry.example:5000/team/pipes@{}", digest('a')));
    assert_eq!(annotation(&plan, "strimzi.io/connect-build-image"), image(&plan));
    assert!(
        plan.delete.is_empty(),
        "the pod is the only one that knows the digest until the pod set tells it"
    );
    let plan = pass(&mut connect);
    assert_eq!(plan.delete.len(), 1);
    let settled = connect.settle();
    assert_eq!(verdict(&settled).0, "Ready");
    assert!(!connect.observed.pods.contains_key(POD));
    let plan = connect.plan();
    assert!(plan.apply.iter().all(|write| !write.is_change()) && plan.delete.is_empty(), "{:?}", plan.apply);
}

#[test]
fn other_inputs_are_built_while_the_workers_go_on_with_their_image() {
    let mut connect = built();
    let before = image(&connect.plan());
    connect.resource["spec"]["build"]["plugins"][0]["artifacts"][0]["sha512sum"] = json!(SUM);
    let plan = pass(&mut connect);
    assert!(has(&plan, "Pod", POD) && plan.calls.is_empty());
    assert_eq!(image(&plan), before);
    assert_eq!(verdict(&plan).0, "Ready", "it serves on");
    done(&mut connect, &digest('b'));
    connect.settle();
    let plan = pass(&mut connect);
    assert_eq!(image(&plan), format!("registry.example:5000/team/pipes@{}", digest('b')));
    assert!(
        connect.observed.pods["pipes-connect-0"].spec.as_ref().unwrap().containers[0]
            .image
            .as_ref()
            .unwrap()
            .ends_with(&digest('b'))
    );
}

#[test]
fn a_new_version_of_the_operator_or_other_options_build_nothing() {
    let mut connect = built();
    let mut settings = connect.observed.settings.as_ref().clone();
    settings.operator_image = "kastellan/operator:next".to_owned();
    settings.image_builds.buildah_image = "kastellan/buildah:next".to_owned();
    connect.observed.settings = Arc::new(settings);
    connect.resource["spec"]["build"]["output"]["additionalBuildOptions"] = json!(["--retry=3"]);
    let plan = pass(&mut connect);
    assert!(!has(&plan, "Pod", POD) && plan.calls.is_empty());
}

#[test]
fn a_failed_build_tells_the_end_of_its_log_and_leaves_the_workers() {
    let mut connect = built();
    let before = image(&connect.plan());
    connect.resource["spec"]["build"]["plugins"][0]["artifacts"][0]["url"] =
        json!("https://files.example/other");
    pass(&mut connect);
    let log: Vec<String> =
        (0..40).map(|line| format!("STEP {line}")).chain(["error: status 404".to_owned()]).collect();
    failed(&mut connect, &log.join("\n"));
    let plan = pass(&mut connect);
    let (type_, message) = verdict(&plan);
    assert_eq!(type_, "NotReady");
    for part in ["attempt 1", "container build ended with code 125", "STEP 39 | error: status 404"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!message.contains("STEP 20 "), "{message}");
    assert!(plan.calls.is_empty() && image(&plan) == before);
    assert_eq!(connect.observed.pods.len(), 3, "two workers and the pod that failed");
    assert_eq!(plan.look_again_seconds(), Some(60));
}

#[test]
fn a_failed_build_is_tried_again_after_longer_and_longer_pauses() {
    let mut connect = pipes();
    pass(&mut connect);
    for (attempt, pause) in [(1, 60), (2, 120), (3, 240)] {
        failed(&mut connect, "no route to host");
        later(&mut connect, pause - 1);
        let plan = pass(&mut connect);
        assert!(verdict(&plan).1.contains(&format!("attempt {attempt} ")), "{}", verdict(&plan).1);
        assert!(plan.delete.is_empty() && plan.look_again_seconds() == Some(1));
        later(&mut connect, 1);
        pass(&mut connect);
        assert!(!connect.observed.pods.contains_key(POD));
        assert!(has(&pass(&mut connect), "Pod", POD));
    }
}

#[test]
fn a_failed_build_is_tried_again_at_once_with_other_credentials_or_options() {
    let mut connect = pipes();
    pass(&mut connect);
    failed(&mut connect, "unauthorized");
    pass(&mut connect);
    connect.refer(secret("registry", &[(".dockerconfigjson", "{\"auths\": {}}")]));
    assert_eq!(pass(&mut connect).delete.len(), 1);
    assert!(has(&pass(&mut connect), "Pod", POD));
    failed(&mut connect, "unauthorized");
    connect.resource["spec"]["build"]["output"]["additionalPushOptions"] = json!(["--tls-verify=false"]);
    assert_eq!(pass(&mut connect).delete.len(), 1);
    let plan = pass(&mut connect);
    assert_eq!(object(&plan, "Pod", POD)["metadata"]["annotations"]["kastellan.io/build-attempt"], "1");
}

#[test]
fn ends_without_a_digest_deadlines_and_pods_that_never_start_are_failures() {
    let mut connect = pipes();
    pass(&mut connect);
    done(&mut connect, "done");
    assert!(verdict(&connect.plan()).1.contains("no digest"));
    pod_says(
        &mut connect,
        &json!({"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active"}),
    );
    assert!(verdict(&connect.plan()).1.contains("took longer than 300 s"), "{}", verdict(&connect.plan()).1);
    let said = json!([{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]);
    pod_says(&mut connect, &json!({"phase": "Pending", "conditions": said}));
    let mut pod: Pod = connect.observed.pods[POD].as_ref().clone();
    pod.metadata.creation_timestamp = serde_json::from_value(json!("2026-06-01T00:00:00Z")).unwrap();
    connect.observed.pods.insert(POD.to_owned(), Arc::new(pod));
    assert!(verdict(&connect.plan()).1.contains("is being built by pod pipes-connect-build: 0/1 nodes"));
    later(&mut connect, 301);
    let (_, message) = verdict(&connect.plan());
    assert!(message.contains("did not start: 0/1 nodes"), "{message}");
}

/// Puts the annotation on the pod set, as a user does.
fn force(connect: &mut Connect) {
    let mut set = connect.observed.pod_sets["pipes-connect"].as_ref().clone();
    let all = set.metadata.annotations.get_or_insert_default();
    all.insert("strimzi.io/force-rebuild".to_owned(), "true".to_owned());
    connect.observed.pod_sets.insert("pipes-connect".to_owned(), Arc::new(set));
}

#[test]
fn a_build_that_is_asked_for_happens_once_and_survives_its_failures() {
    let mut connect = built();
    force(&mut connect);
    let plan = pass(&mut connect);
    assert!(has(&plan, "Pod", POD));
    force(&mut connect);
    let plan = pass(&mut connect);
    assert_eq!(annotation(&plan, "strimzi.io/force-rebuild"), "false");
    failed(&mut connect, "no route to host");
    later(&mut connect, 60);
    pass(&mut connect);
    let plan = pass(&mut connect);
    assert_eq!(object(&plan, "Pod", POD)["metadata"]["annotations"]["kastellan.io/build-attempt"], "2");
    done(&mut connect, &digest('b'));
    connect.settle();
    for _ in 0..3 {
        pass(&mut connect);
    }
    let plan = connect.plan();
    assert!(!has(&plan, "Pod", POD) && plan.delete.is_empty() && !connect.observed.pods.contains_key(POD));
    assert!(image(&plan).ends_with(&digest('b')));
}

#[test]
fn a_build_that_is_asked_for_is_not_forgotten_when_its_credentials_are_mended() {
    let mut connect = built();
    force(&mut connect);
    pass(&mut connect);
    force(&mut connect);
    let plan = pass(&mut connect);
    assert_eq!(annotation(&plan, "strimzi.io/force-rebuild"), "false");
    failed(&mut connect, "unauthorized");
    pass(&mut connect);
    connect.refer(secret("registry", &[(".dockerconfigjson", "{\"auths\": {}}")]));
    assert_eq!(pass(&mut connect).delete.len(), 1);
    let plan = pass(&mut connect);
    let annotations = &object(&plan, "Pod", POD)["metadata"]["annotations"];
    assert_eq!(annotations["kastellan.io/build-forced"], "true", "{annotations}");
}

#[test]
fn a_running_build_of_other_inputs_is_replaced_and_so_is_the_pod_of_an_earlier_resource() {
    let mut connect = pipes();
    pass(&mut connect);
    connect.resource["spec"]["build"]["output"]["image"] = json!("registry.example:5000/team/pipes:2");
    assert_eq!(pass(&mut connect).delete.len(), 1);
    assert!(has(&pass(&mut connect), "Pod", POD));
    connect.resource["metadata"]["uid"] = json!("another-uid");
    done(&mut connect, &digest('a'));
    let plan = pass(&mut connect);
    assert!(plan.delete.len() == 1 && !has(&plan, "StrimziPodSet", "pipes-connect"));
}

#[test]
fn workers_with_an_image_of_the_users_go_on_until_the_first_build_is_done() {
    let mut connect = pipes();
    let build = connect.resource["spec"]["build"].take();
    connect.resource["spec"].as_object_mut().unwrap().remove("build");
    connect.settle();
    let before = image(&connect.plan());
    connect.resource["spec"]["build"] = build;
    let plan = pass(&mut connect);
    assert!(has(&plan, "Pod", POD) && plan.calls.is_empty() && image(&plan) == before);
}

#[test]
fn what_builds_left_goes_when_nothing_is_built_any_more() {
    let mut connect = built();
    connect.resource["spec"].as_object_mut().unwrap().remove("build");
    let plan = pass(&mut connect);
    let gone: Vec<_> =
        plan.delete.iter().map(|gone| (gone.object.kind.as_str(), gone.object.name.as_str())).collect();
    assert_eq!(gone, [("ConfigMap", "pipes-connect-dockerfile"), ("ServiceAccount", POD)]);
    assert_eq!(annotation(&plan, "strimzi.io/connect-build-image"), Value::Null);
}
