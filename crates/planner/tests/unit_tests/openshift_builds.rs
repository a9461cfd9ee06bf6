//! Images that OpenShift builds for a KafkaConnect: the BuildConfig, when a Build is started, and what becomes of the workers while it runs,
//! ends and fails.

mod platform;

use std::collections::BTreeMap;
use std::sync::Arc;

use planner::kafka_connect::status;
use planner::ownership::Holder;
use planner::settings::{OpenShiftBuilds, PlanSettings};
use serde_json::json;

use self::platform::*;
use super::image_builds::{POD as BUILD, image, later, pass, pipes};
use crate::common::connect::{Connect, has, object, verdict};

const MAP: &str = "pipes-connect-dockerfile";
const PUSHED: &str = "registry.example:5000/team/pipes";
const STREAM: &str = "image-registry.openshift-image-registry.svc:5000/case-connect-mm2-bridge/pipes:latest";

#[test]
fn the_build_config_has_a_dockerfile_that_brings_the_files_without_a_shell() {
    let mut connect = openshift();
    connect.resource["spec"]["build"]["resources"] = json!({"limits": {"memory": "1Gi"}});
    connect.resource["spec"]["template"]["buildConfig"] = json!({"pullSecret": "registry", "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}});
    let plan = connect.plan();
    let config = object(&plan, "BuildConfig", BUILD);
    let metadata = &config["metadata"];
    assert_eq!(config["apiVersion"], "build.openshift.io/v1");
    assert_eq!((&metadata["labels"]["team"], &metadata["annotations"]["note"]), (&json!("a"), &json!("b")));
    assert_eq!(metadata["labels"]["strimzi.io/name"], BUILD);
    assert_eq!(metadata["labels"]["strimzi.io/kind"], "KafkaConnect");
    assert_eq!(metadata["ownerReferences"][0]["uid"], "the-uid");
    let dockerfile = format!(
        "FROM docker.io/kastellan/operator:test AS plug-ins\nUSER 0:0\nWORKDIR /plug-ins\nRUN {}\n\
         FROM docker.io/apache/kafka:4.3.1\nCOPY --from=plug-ins /plug-ins/ /opt/kafka/plugins/\n",
        r#"["/plug-in-fetcher","file","--to=/plug-ins/files/@","--name=@.jar","--url=https://files.example/file-connector"]"#
            .replace('@', &folder())
    );
    assert_eq!(
        config["spec"],
        json!({
            "source": {"type": "Dockerfile", "dockerfile": dockerfile},
            "strategy": {"type": "Docker", "dockerStrategy": {"pullSecret": {"name": "registry"}}},
            "output": {"to": {"kind": "DockerImage", "name": format!("{PUSHED}:1")}, "pushSecret": {"name": "registry"}},
            "resources": {"limits": {"memory": "1Gi"}},
            "runPolicy": "Serial",
            "completionDeadlineSeconds": 300,
            "successfulBuildsHistoryLimit": 5,
            "failedBuildsHistoryLimit": 5,
        })
    );
    assert!(!has(&plan, "Pod", BUILD) && !has(&plan, "ServiceAccount", BUILD));
    assert_eq!(object(&plan, "ConfigMap", MAP)["data"], json!({"Dockerfile": dockerfile}));
}

/// The folder of the artifact, which is made of its address.
fn folder() -> String {
    let list = object(&pipes().plan(), "ConfigMap", MAP)["data"]["plug-ins.json"].clone();
    let words: Vec<Vec<String>> = serde_json::from_str(list.as_str().unwrap()).unwrap();
    words[0][1].rsplit('/').next().unwrap().to_owned()
}

#[test]
fn one_build_is_started_and_the_workers_get_its_image_by_digest() {
    let mut connect = openshift();
    let plan = go(&mut connect);
    assert!(start(&plan).is_none(), "the BuildConfig is not there yet");
    assert!(!has(&plan, "StrimziPodSet", "pipes-connect") && has(&plan, "Service", "pipes-connect-api"));
    let plan = go(&mut connect);
    let begun = start(&plan).unwrap();
    assert_eq!((begun.build_config.as_str(), begun.last_version), (BUILD, 0));
    assert_eq!(begun.annotations["kastellan.io/build-attempt"], "1");
    assert!(begun.annotations.contains_key("strimzi.io/connect-build-revision"));
    let (type_, message) = verdict(&plan);
    assert!(type_ == "NotReady" && message.contains("is to be built by BuildConfig"), "{message}");
    says(&mut connect, 1, json!({"phase": "Pending", "reason": "FetchingImage", "message": "slow"}));
    let plan = go(&mut connect);
    assert!(start(&plan).is_none());
    let words = "the image is being built by Build pipes-connect-build-1: FetchingImage: slow";
    assert!(verdict(&plan).1.contains(words), "{}", verdict(&plan).1);
    complete(&mut connect, 1, &format!("{PUSHED}:1"), &digest('a'));
    assert_eq!(image(&go(&mut connect)), format!("{PUSHED}@{}", digest('a')));
    let settled = connect.settle();
    assert_eq!(verdict(&settled).0, "Ready");
    let plan = connect.plan();
    assert!(plan.apply.iter().all(|write| !write.is_change()) && plan.delete.is_empty(), "{:?}", plan.apply);
    assert_eq!(builds(&connect), ["pipes-connect-build-1"], "OpenShift keeps it, with its log");
}

#[test]
fn a_build_without_a_digest_has_failed() {
    for (image, digest) in
        [("", digest('a')), ("r.example/a b", digest('a')), (PUSHED, "sha256:1".to_owned())]
    {
        let mut connect = openshift();
        go(&mut connect);
        go(&mut connect);
        complete(&mut connect, 1, image, &digest);
        let (type_, message) = verdict(&go(&mut connect));
        assert!(type_ == "NotReady" && message.contains("no name and digest of the image"), "{message}");
    }
}

#[test]
fn the_image_of_a_build_that_went_elsewhere_is_no_image_for_workers() {
    let said = |connect: &mut Connect, image: &str| {
        while connect.observed.builds.as_ref().unwrap().is_empty() {
            go(connect);
        }
        complete(connect, 1, image, &digest('a'));
        let plan = go(connect);
        assert!(!has(&plan, "StrimziPodSet", "pipes-connect"), "{image}");
        let (type_, message) = verdict(&plan);
        assert!(type_ == "NotReady" && message.contains(&format!("its image went to {image}")), "{message}");
    };
    for image in ["registry.example:5000/team/others:1", "elsewhere.example/team/pipes:1", STREAM] {
        said(&mut openshift(), image);
    }
    for image in [
        "image-registry.openshift-image-registry.svc:5000/other/pipes:latest",
        "elsewhere.example/case-connect-mm2-bridge/pipes:latest",
        "case-connect-mm2-bridge/pipes:latest",
    ] {
        let mut connect = streaming();
        with_stream(&mut connect);
        said(&mut connect, image);
    }
    // Under a name of Docker Hub that the Build writes out, and in a registry of OpenShift with another name.
    let mut connect = openshift();
    connect.resource["spec"]["build"]["output"]["image"] = json!("team/pipes:1");
    go(&mut connect);
    go(&mut connect);
    complete(&mut connect, 1, "docker.io/team/pipes:1", &digest('a'));
    assert_eq!(image(&go(&mut connect)), format!("docker.io/team/pipes@{}", digest('a')));
    let mut connect = streaming();
    with_stream(&mut connect);
    go(&mut connect);
    go(&mut connect);
    complete(
        &mut connect,
        1,
        "docker-registry.default.svc:5000/case-connect-mm2-bridge/pipes:latest",
        &digest('a'),
    );
    assert_eq!(
        image(&go(&mut connect)),
        format!("docker-registry.default.svc:5000/case-connect-mm2-bridge/pipes@{}", digest('a'))
    );
}

#[test]
fn an_image_in_an_image_stream_is_another_than_one_of_that_name_in_a_registry() {
    let mut connect = openshift();
    connect.resource["spec"]["build"]["output"]["image"] = json!("pipes:latest");
    go(&mut connect);
    go(&mut connect);
    complete(&mut connect, 1, "docker.io/library/pipes:latest", &digest('a'));
    for _ in 0..4 {
        go(&mut connect);
        connect.make_pods();
    }
    connect.resource["spec"]["build"]["output"]["type"] = json!("imagestream");
    with_stream(&mut connect);
    let started = (0..3).any(|_| start(&go(&mut connect)).is_some());
    assert!(started, "{:?}", verdict(&connect.plan()));
}

#[test]
fn a_failed_build_tells_the_end_of_its_log_and_is_tried_again_after_longer_pauses() {
    let mut connect = built();
    let before = image(&connect.plan());
    connect.resource["spec"]["build"]["plugins"][0]["artifacts"][0]["url"] = json!("https://files.example/b");
    while start(&go(&mut connect)).is_none() {}
    for (attempt, pause) in [(1, 60), (2, 120), (3, 240)] {
        let log: Vec<String> =
            (0..40).map(|line| format!("STEP {line}")).chain(["status 404".to_owned()]).collect();
        let status = json!({"phase": "Failed", "reason": "DockerBuildFailed", "message": "Dockerfile build strategy has failed.",
            "logSnippet": log.join("\n"), "completionTimestamp": connect.now.to_string()});
        says(&mut connect, attempt + 1, status);
        later(&mut connect, pause - 1);
        let plan = go(&mut connect);
        let (type_, message) = verdict(&plan);
        assert_eq!(type_, "NotReady");
        let number = attempt + 1;
        for part in [
            format!("attempt {attempt} of Build {BUILD}-{number} to build the image failed"),
            "DockerBuildFailed: Dockerfile build strategy has failed.".to_owned(),
            "STEP 39 | status 404".to_owned(),
        ] {
            assert!(message.contains(&part), "{part}: {message}");
        }
        assert!(!message.contains("STEP 20 "), "{message}");
        assert!(plan.calls.is_empty() && image(&plan) == before, "{:?}", plan.calls);
        assert_eq!(plan.look_again_seconds(), Some(1));
        later(&mut connect, 1);
        assert!(start(&go(&mut connect)).is_none(), "first it is remembered");
        let plan = go(&mut connect);
        assert_eq!(
            start(&plan).unwrap().annotations["kastellan.io/build-attempt"],
            (attempt + 1).to_string()
        );
    }
    assert_eq!(builds(&connect).len(), 5, "those that failed stay");
}

#[test]
fn a_build_that_does_not_begin_or_does_not_end_fails_and_makes_way() {
    for (status, words) in [
        (
            json!({"phase": "New", "reason": "ExceededRetryTimeout", "message": "no node"}),
            "did not start within 300 s: Exceeded",
        ),
        (json!({"phase": "Running", "startTimestamp": "2026-06-01T00:00:00Z"}), "it took longer than 300 s"),
    ] {
        let mut connect = openshift();
        go(&mut connect);
        go(&mut connect);
        says(&mut connect, 1, status);
        later(&mut connect, 299);
        assert!(verdict(&go(&mut connect)).1.contains("is being built"));
        later(&mut connect, 62);
        let plan = go(&mut connect);
        assert!(verdict(&plan).1.contains(words), "{}", verdict(&plan).1);
        assert_eq!(plan.delete[0].object.kind, "Build", "the next one would wait for it");
        let plan = go(&mut connect);
        let begun = start(&plan).unwrap();
        assert_eq!((begun.last_version, begun.annotations["kastellan.io/build-attempt"].as_str()), (1, "2"));
    }
}

#[test]
fn other_inputs_take_the_place_of_a_build_that_runs() {
    let mut connect = openshift();
    go(&mut connect);
    go(&mut connect);
    connect.resource["spec"]["build"]["output"]["image"] = json!(format!("{PUSHED}:2"));
    let plan = go(&mut connect);
    assert_eq!(plan.delete[0].object.name, format!("{BUILD}-1"));
    let plan = go(&mut connect);
    assert_eq!(start(&plan).unwrap().last_version, 1);
    assert_eq!(object(&plan, "BuildConfig", BUILD)["spec"]["output"]["to"]["name"], format!("{PUSHED}:2"));
    complete(&mut connect, 2, &format!("{PUSHED}:2"), &digest('b'));
    assert_eq!(image(&go(&mut connect)), format!("{PUSHED}@{}", digest('b')));
}

#[test]
fn a_new_version_of_the_operator_builds_nothing_and_neither_does_the_way_to_openshift() {
    let mut connect = built();
    let mut settings = PlanSettings::clone(&connect.observed.settings);
    settings.operator_image = "kastellan/operator:next".to_owned();
    connect.observed.settings = Arc::new(settings);
    for _ in 0..3 {
        assert!(start(&go(&mut connect)).is_none());
    }
    // The image that a pod with Buildah has built stays in use, and what that left goes.
    let mut connect = super::image_builds::built();
    let before = image(&connect.plan());
    set_builds(&mut connect, OpenShiftBuilds { builds: true, image_streams: false });
    connect.observed.builds = Some(BTreeMap::new());
    let plan = go(&mut connect);
    assert!(plan.delete.iter().any(|gone| gone.object.kind == "ServiceAccount"), "{:?}", plan.delete);
    let plan = go(&mut connect);
    assert!(start(&plan).is_none() && image(&plan) == before && plan.calls.is_empty());
}

fn force(connect: &mut Connect) {
    let mut set = connect.observed.pod_sets["pipes-connect"].as_ref().clone();
    let all = set.metadata.annotations.get_or_insert_default();
    all.insert("strimzi.io/force-rebuild".to_owned(), "true".to_owned());
    connect.observed.pod_sets.insert("pipes-connect".to_owned(), Arc::new(set));
}

#[test]
fn each_request_for_a_rebuild_is_one_build() {
    let mut connect = built();
    for (number, letter) in [(2, 'b'), (3, 'c')] {
        force(&mut connect);
        let started = (0..3).find_map(|_| start(&go(&mut connect)).cloned()).unwrap();
        assert_eq!(started.annotations["kastellan.io/build-forced"], "true");
        complete(&mut connect, number, &format!("{PUSHED}:1"), &digest(letter));
        for _ in 0..6 {
            assert!(start(&go(&mut connect)).is_none());
            connect.make_pods();
        }
        assert!(image(&connect.plan()).ends_with(&digest(letter)));
        assert_eq!(builds(&connect).len() as i64, number);
    }
}

#[test]
fn no_second_build_is_started_before_the_first_one_is_seen() {
    let mut connect = openshift();
    go(&mut connect);
    let plan = go(&mut connect);
    assert!(start(&plan).is_some());
    let build = connect.observed.builds.as_mut().unwrap().remove(&format!("{BUILD}-1")).unwrap();
    // It is there, and the watch has not said so.
    let id = objects::ObjectId {
        api_version: "build.openshift.io/v1".to_owned(),
        kind: "Build".to_owned(),
        namespace: Some(connect.observed.namespace.clone()),
        name: format!("{BUILD}-1"),
    };
    connect.observed.holders.insert(id.clone(), Some(Holder::of(&build.metadata)));
    let plan = go(&mut connect);
    assert!(start(&plan).is_none() && verdict(&plan).1.contains("was started, and is not seen yet"));
    connect.observed.holders.remove(&id);
    assert!(start(&go(&mut connect)).is_some(), "it is gone");
}

#[test]
fn without_a_look_at_builds_none_is_started_and_workers_stay() {
    let mut connect = openshift();
    go(&mut connect);
    connect.observed.builds = None;
    let plan = pass(&mut connect);
    assert!(start(&plan).is_none());
    assert!(verdict(&plan).1.contains("the Builds of OpenShift are not seen yet"), "{}", verdict(&plan).1);
    let mut connect = built();
    connect.observed.builds = None;
    assert_eq!(verdict(&pass(&mut connect)).0, "Ready", "nothing is to be built");
}

#[test]
fn builds_that_others_started_and_build_configs_of_others_are_left_alone() {
    let mut connect = built();
    let mut theirs =
        serde_json::to_value(&*connect.observed.builds.as_ref().unwrap()[&format!("{BUILD}-1")]).unwrap();
    theirs["metadata"]["name"] = json!(format!("{BUILD}-2"));
    theirs["metadata"]["annotations"] = json!({"openshift.io/build.number": "2"});
    theirs["status"] = json!({"phase": "Running"});
    put(&mut connect, theirs);
    let plan = pass(&mut connect);
    assert!(plan.delete.is_empty() && verdict(&plan).0 == "Ready", "{:?}", plan.delete);

    let mut connect = openshift();
    let owner = json!({"ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs", "uid": "x",
        "controller": true}]});
    let id = objects::ObjectId {
        api_version: "build.openshift.io/v1".to_owned(),
        kind: "BuildConfig".to_owned(),
        namespace: Some(connect.observed.namespace.clone()),
        name: BUILD.to_owned(),
    };
    let holder = Holder::of(&serde_json::from_value(owner).unwrap());
    connect.observed.holders.insert(id, Some(holder));
    let plan = pass(&mut connect);
    assert!(
        !has(&plan, "BuildConfig", BUILD) && start(&plan).is_none(),
        "{:?} {:?}",
        plan.waiting_for,
        plan.calls
    );
    assert!(verdict(&plan).1.contains("BuildConfig pipes-connect-build belongs to Deployment theirs"));
}

#[test]
fn what_builds_left_goes_when_nothing_is_built_any_more() {
    let mut connect = built();
    connect.resource["spec"].as_object_mut().unwrap().remove("build");
    let plan = pass(&mut connect);
    let gone: Vec<_> =
        plan.delete.iter().map(|gone| (gone.object.kind.as_str(), gone.object.name.as_str())).collect();
    assert_eq!(gone, [("BuildConfig", BUILD), ("ConfigMap", MAP)], "the Builds go with their BuildConfig");
}

fn streaming() -> Connect {
    let mut connect = openshift();
    connect.resource["spec"]["build"]["output"] = json!({"type": "imagestream", "image": "pipes:latest"});
    connect
}

/// The ImageStream is there.
fn with_stream(connect: &mut Connect) {
    let id = objects::ObjectId {
        api_version: "image.openshift.io/v1".to_owned(),
        kind: "ImageStream".to_owned(),
        namespace: Some(connect.observed.namespace.clone()),
        name: "pipes".to_owned(),
    };
    connect.observed.holders.insert(id, Some(Holder::default()));
}

#[test]
fn an_image_goes_into_an_image_stream_that_exists() {
    let mut connect = streaming();
    let plan = go(&mut connect);
    let output = &object(&plan, "BuildConfig", BUILD)["spec"]["output"];
    assert_eq!(*output, json!({"to": {"kind": "ImageStreamTag", "name": "pipes:latest"}}));
    // Nothing is there in these tests that was not put there.
    let plan = go(&mut connect);
    let (type_, message) = verdict(&plan);
    assert!(start(&plan).is_none() && type_ == "NotReady");
    assert!(message.contains("there is no ImageStream \"pipes\""), "{message}");
    with_stream(&mut connect);
    assert!(start(&go(&mut connect)).is_some());
    complete(&mut connect, 1, STREAM, &digest('a'));
    let expected = format!("{}@{}", STREAM.strip_suffix(":latest").unwrap(), digest('a'));
    assert_eq!(image(&go(&mut connect)), expected);
}

#[test]
fn an_image_stream_is_refused_where_there_is_none_and_where_it_is_no_name_of_one() {
    let refused = |connect: &Connect, words: &str| {
        let plan = connect.plan();
        let (type_, message) = verdict(&plan);
        assert!(
            type_ == "NotReady" && message.contains(words) && plan.apply.is_empty(),
            "{words}: {message}"
        );
    };
    let mut connect = pipes();
    connect.resource["spec"]["build"]["output"] = json!({"type": "imagestream", "image": "pipes:latest"});
    refused(
        &connect,
        "spec.build.output.type: imagestream needs OpenShift, and the API server had no build.openshift.io/v1",
    );
    let mut connect = streaming();
    set_builds(&mut connect, OpenShiftBuilds { builds: true, image_streams: false });
    refused(&connect, "the API server had no image.openshift.io/v1");
    for name in ["pipes", "registry.example/pipes:1", "Pipes:1"] {
        let mut connect = streaming();
        connect.resource["spec"]["build"]["output"]["image"] = json!(name);
        refused(&connect, "is no name of an ImageStream of the namespace and its tag: write NAME:TAG");
    }
    let mut connect = streaming();
    let mut settings = PlanSettings::clone(&connect.observed.settings);
    let namespace = &connect.observed.namespace;
    settings.operator_image =
        format!("image-registry.openshift-image-registry.svc:5000/{namespace}/pipes:0.1.0");
    connect.observed.settings = Arc::new(settings);
    refused(&connect, "which this installation runs itself: write another repository, NAME:TAG");
}

#[test]
fn what_is_for_the_pod_with_buildah_is_said_to_have_no_effect() {
    let mut connect = openshift();
    connect.resource["spec"]["build"]["output"]["additionalBuildOptions"] = json!(["--whatever"]);
    connect.resource["spec"]["build"]["output"]["additionalPushOptions"] = json!(["--quiet"]);
    connect.resource["spec"]["template"]["buildPod"] = json!({"hostUsers": false});
    connect.resource["spec"]["template"]["buildContainer"] = json!({"env": [{"name": "X", "value": "1"}]});
    connect.resource["spec"]["template"]["buildServiceAccount"] = json!({"metadata": {"labels": {"a": "b"}}});
    let said = |connect: &Connect| format!("{:?}", connect.plan().status.unwrap().conditions);
    for field in [
        "spec.build.output.additionalBuildOptions",
        "spec.build.output.additionalPushOptions",
        "spec.template.buildPod",
        "spec.template.buildContainer",
        "spec.template.buildServiceAccount",
    ] {
        assert!(
            said(&connect).contains(&format!("{field} has no effect, because OpenShift builds")),
            "{field}"
        );
    }
    let mut connect = streaming();
    connect.resource["spec"]["build"]["output"]["pushSecret"] = json!("registry");
    assert!(said(&connect).contains("spec.build.output.pushSecret has no effect, because OpenShift pushes"));
}

#[test]
fn secrets_of_the_older_type_are_good_enough_for_openshift_alone() {
    let older = |mut connect: Connect| {
        connect.refer(crate::common::connect::secret("registry", &[(".dockercfg", "{}")]));
        verdict(&connect.plan()).1
    };
    assert!(!older(openshift()).contains("spec.build.output.pushSecret"));
    assert!(older(pipes()).contains("spec.build.output.pushSecret: Secret \"registry\" has no key"));
}

#[test]
fn a_build_that_was_started_meanwhile_is_no_failure() {
    let refused = "the LastVersion(2) on build config ns/b does not match the build request LastVersion(1)";
    assert!(status::is_started_meanwhile(Some(400), refused));
    for (code, why) in [(Some(400), "BuildConfig is paused"), (Some(403), refused), (None, refused)] {
        assert!(!status::is_started_meanwhile(code, why), "{code:?} {why}");
    }
}
