//! The pod of an image build: its containers, who has which Secret, and which rights.

use std::sync::Arc;

use planner::kafka_connect::plan::ConnectPlan;
use planner::settings::PlanSettings;
use serde_json::{Value, json};

use super::image_builds::{POD, pass, pipes};
use crate::common::connect::{has, object, secret, verdict};

/// The containers of the pod of a build, in their order.
fn containers(plan: &ConnectPlan) -> Vec<Value> {
    let spec = &object(plan, "Pod", POD)["spec"];
    let all = [&spec["initContainers"], &spec["containers"]];
    all.iter().flat_map(|some| some.as_array().unwrap()).cloned().collect()
}

#[test]
fn the_pod_fetches_pulls_builds_and_pushes_without_a_shell() {
    let mut connect = pipes();
    connect.resource["spec"]["build"]["output"]["additionalBuildOptions"] =
        json!(["--retry", "3", "--layers", "--cache-to=r/c"]);
    connect.resource["spec"]["build"]["output"]["additionalPushOptions"] = json!(["--tls-verify=false"]);
    connect.resource["spec"]["build"]["resources"] = json!({"limits": {"memory": "1Gi"}});
    connect.resource["spec"]["template"]["buildPod"] =
        json!({"hostUsers": false, "metadata": {"labels": {"team": "a"}}});
    connect.resource["spec"]["template"]["buildContainer"] = json!({"env": [{"name": "X", "value": "1"}]});
    let plan = connect.plan();
    let pod = object(&plan, "Pod", POD);
    assert_eq!(pod["metadata"]["labels"]["team"], "a");
    assert_eq!(pod["metadata"]["labels"]["strimzi.io/name"], POD, "no Service of the workers leads to it");
    assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], "the-uid");
    let spec = &pod["spec"];
    assert_eq!((&spec["restartPolicy"], &spec["activeDeadlineSeconds"]), (&json!("Never"), &json!(300)));
    assert_eq!((&spec["hostUsers"], &spec["automountServiceAccountToken"]), (&json!(false), &json!(false)));
    assert_eq!(spec["serviceAccountName"], POD);
    let all = containers(&plan);
    let names: Vec<&Value> = all.iter().map(|container| &container["name"]).collect();
    assert_eq!(names, ["fetch", "pull", "build", POD]);
    let image = "registry.example:5000/team/pipes:1";
    let program = "/usr/bin/buildah";
    for (container, command) in all.iter().zip([
        json!(["/plug-in-fetcher", "all", "/dockerfile/plug-ins.json"]),
        json!([program, "pull", "--retry=3", "docker.io/apache/kafka:4.3.1"]),
        json!([
            program,
            "build",
            "--pull=never",
            "--isolation=oci",
            "--runtime=/nothing-runs-in-an-image-build",
            "--file=/dockerfile/Dockerfile",
            format!("--tag={image}"),
            "--layers",
            "/plug-ins"
        ]),
        json!([
            program,
            "push",
            "--digestfile=/dev/termination-log",
            "--tls-verify=false",
            image,
            format!("docker://{image}")
        ]),
    ]) {
        assert_eq!(container["command"], command);
        assert_eq!(container["terminationMessagePolicy"], "FallbackToLogsOnError");
        assert_eq!(container["resources"]["limits"]["memory"], "1Gi");
        assert!(container["env"].as_array().unwrap().contains(&json!({"name": "X", "value": "1"})));
    }
    assert_eq!(all[0]["image"], "kastellan/operator:test", "by the kubelet, as all pods have it");
    let folders: Vec<_> =
        spec["volumes"].as_array().unwrap().iter().filter(|one| one["emptyDir"].is_object()).collect();
    assert_eq!(folders.len(), 3);
    assert!(folders.iter().all(|one| one["emptyDir"]["sizeLimit"] == "30Gi"), "{folders:?}");
    assert!(has(&plan, "ServiceAccount", POD));
}

#[test]
fn a_template_asks_for_a_user_namespace_and_takes_none_away() {
    let host_users = |wanted: bool, template: &Value| {
        let mut connect = pipes();
        let mut settings = PlanSettings::clone(&connect.observed.settings);
        settings.image_builds.user_namespaces = wanted;
        connect.observed.settings = Arc::new(settings);
        connect.resource["spec"]["template"]["buildPod"] = template.clone();
        let plan = connect.plan();
        let warnings = format!("{:?}", plan.status.as_ref().unwrap().conditions);
        let is_told = warnings.contains("spec.template.buildPod.hostUsers: true has no effect");
        (object(&plan, "Pod", POD)["spec"]["hostUsers"].clone(), is_told)
    };
    assert_eq!(host_users(true, &json!({"hostUsers": true})), (json!(false), true));
    assert_eq!(host_users(true, &json!({})), (json!(false), false));
    assert_eq!(host_users(false, &json!({"hostUsers": true})), (json!(true), false));
    assert_eq!(host_users(false, &json!({"hostUsers": false})), (json!(false), false));
}

#[test]
fn no_image_is_built_into_a_repository_that_the_installation_runs_from() {
    let verdict_of = |output: &str| {
        let mut connect = pipes();
        let mut settings = PlanSettings::clone(&connect.observed.settings);
        settings.operator_image = format!("r.example/kastellan/operator@sha256:{}", "0a".repeat(32));
        settings.image_builds.buildah_image = "r.example/kastellan/buildah:0.1.0".to_owned();
        connect.observed.settings = Arc::new(settings);
        connect.resource["spec"]["build"]["output"]["image"] = json!(output);
        verdict(&connect.plan())
    };
    for output in [
        "r.example/kastellan/operator:0.2.0",
        "r.example:443/kastellan/operator",
        "R.example/kastellan/buildah:0.1.0",
        "apache/kafka:mine",
        "docker.io/apache/kafka:mine",
    ] {
        let (type_, message) = verdict_of(output);
        let words = "which this installation runs itself: write another repository";
        assert!(type_ == "NotReady" && message.contains(words), "{output}: {message}");
        assert!(message.contains("spec.build.output.image: "), "{message}");
    }
    for output in
        ["r.example/kastellan/pipes:1", "r.example:5000/kastellan/operator:1", "r.example/operator:1"]
    {
        let (_, message) = verdict_of(output);
        assert!(!message.contains("spec.build.output.image"), "{output}: {message}");
    }
}

#[test]
fn credentials_are_in_the_container_that_needs_them_alone() {
    let mut connect = pipes();
    let variables = |container: &Value| container["env"].as_array().cloned().unwrap_or_default();
    let mounts = |container: &Value, volume: &str| {
        container["volumeMounts"].as_array().unwrap().iter().any(|mount| mount["name"] == volume)
    };
    let plan = connect.plan();
    for container in &containers(&plan)[..3] {
        assert!(!mounts(container, "push-secret") && !mounts(container, "pull-secret"), "{container}");
        assert!(variables(container).iter().all(|one| one["name"] != "REGISTRY_AUTH_FILE"), "{container}");
    }
    let push = &containers(&plan)[3];
    assert!(mounts(push, "push-secret"));
    let file = json!({"name": "REGISTRY_AUTH_FILE", "value": "/push-secret/config.json"});
    assert!(variables(push).contains(&file), "{push}");

    connect.refer(secret("images", &[(".dockerconfigjson", "{}")]));
    connect.resource["spec"]["template"]["buildConfig"] = json!({"pullSecret": "images"});
    let plan = connect.plan();
    let all = containers(&plan);
    let file = json!({"name": "REGISTRY_AUTH_FILE", "value": "/pull-secret/config.json"});
    assert!(mounts(&all[1], "pull-secret") && variables(&all[1]).contains(&file));
    for container in [&all[0], &all[2], &all[3]] {
        assert!(!mounts(container, "pull-secret"), "{container}");
    }
    let volumes = object(&plan, "Pod", POD)["spec"]["volumes"].clone();
    for (volume, secret) in [("push-secret", "registry"), ("pull-secret", "images")] {
        let volume = volumes.as_array().unwrap().iter().find(|one| one["name"] == volume).unwrap();
        assert_eq!(volume["secret"]["secretName"], secret);
        assert_eq!(volume["secret"]["items"], json!([{"key": ".dockerconfigjson", "path": "config.json"}]));
    }
    connect.resource["spec"]["template"]["buildConfig"] = json!({"pullSecret": "missing"});
    let message = verdict(&connect.plan()).1;
    assert!(
        message.contains("spec.template.buildConfig.pullSecret: Secret \"missing\" does not"),
        "{message}"
    );
}

#[test]
fn a_container_that_brings_files_gets_no_more_rights_by_the_template() {
    let mut connect = pipes();
    connect.resource["spec"]["template"]["buildContainer"] = json!({"securityContext": {"privileged": true}});
    let all = containers(&connect.plan());
    assert_eq!(all[1]["securityContext"], json!({"privileged": true}));
    assert!(
        all[0]["securityContext"]["privileged"].is_null() && all[0]["securityContext"]["runAsUser"] == 1000
    );
}

#[test]
fn root_in_the_pod_has_the_capabilities_of_the_baseline_level_alone() {
    let mut connect = pipes();
    let plan = pass(&mut connect);
    let spec = &object(&plan, "Pod", POD)["spec"];
    // Of the pod security standards, level "baseline".
    let allowed = [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ];
    let all = containers(&plan);
    assert_eq!(all[0]["securityContext"]["runAsNonRoot"], json!(true));
    assert_eq!(all[0]["securityContext"]["capabilities"], json!({"drop": ["ALL"]}));
    for container in &all[1..] {
        let security = &container["securityContext"];
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
        let added = security["capabilities"]["add"].as_array().unwrap();
        assert!(added.iter().all(|one| allowed.contains(&one.as_str().unwrap())), "{added:?}");
        assert_eq!(
            (&security["runAsUser"], &security["allowPrivilegeEscalation"]),
            (&json!(0), &json!(false))
        );
        assert!(security["privileged"].is_null() && security["seccompProfile"].is_null());
    }
    let none = |name: &str| spec[name].is_null() || spec[name] == json!(false);
    assert!(none("hostNetwork") && none("hostPID") && none("hostIPC"));
    let volumes: Vec<&Value> =
        spec["volumes"].as_array().unwrap().iter().filter(|one| !one["hostPath"].is_null()).collect();
    assert!(volumes.is_empty());
}
