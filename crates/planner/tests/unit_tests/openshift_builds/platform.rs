//! What OpenShift does with what is planned, on paper.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::openshift::builds::Build;
use planner::kafka_connect::call::{ConnectCall, StartBuild};
use planner::kafka_connect::plan::ConnectPlan;
use planner::settings::{OpenShiftBuilds, PlanSettings};
use serde_json::{Value, json};

use super::super::image_builds::{POD as BUILD, pass, pipes};
use super::PUSHED;
use crate::common::connect::Connect;

pub(super) fn digest(of: char) -> String {
    format!("sha256:{}", of.to_string().repeat(64))
}

pub(super) fn set_builds(connect: &mut Connect, openshift: OpenShiftBuilds) {
    let mut settings = PlanSettings::clone(&connect.observed.settings);
    settings.image_builds.openshift = openshift;
    connect.observed.settings = Arc::new(settings);
}

/// A resource with one artifact, on OpenShift, without any image of Buildah.
pub(super) fn openshift() -> Connect {
    let mut connect = pipes();
    set_builds(&mut connect, OpenShiftBuilds { builds: true, image_streams: true });
    let mut settings = PlanSettings::clone(&connect.observed.settings);
    settings.image_builds.buildah_image.clear();
    connect.observed.settings = Arc::new(settings);
    connect.observed.builds = Some(BTreeMap::new());
    connect
}

/// The Build that a plan has started.
pub(super) fn start(plan: &ConnectPlan) -> Option<&StartBuild> {
    plan.calls.iter().find_map(|call| match call {
        ConnectCall::StartBuild(start) => Some(start),
        ConnectCall::Restart(_) => None,
    })
}

/// What OpenShift does when it is asked for a Build.
pub(super) fn begin(connect: &mut Connect, start: &StartBuild) {
    let last = connect.observed.build_configs.entry(start.build_config.clone()).or_default();
    assert_eq!(*last, start.last_version, "OpenShift refuses it");
    *last += 1;
    let name = format!("{BUILD}-{last}");
    let mut annotations = json!(start.annotations);
    annotations["openshift.io/build.number"] = json!(last.to_string());
    let build = json!({
        "metadata": {"name": name, "namespace": connect.observed.namespace, "uid": format!("uid-{name}"),
            "annotations": annotations, "creationTimestamp": connect.now.to_string(),
            "ownerReferences": [{"apiVersion": "build.openshift.io/v1", "kind": "BuildConfig", "name": BUILD,
                "uid": format!("uid-{BUILD}"), "controller": true}]},
        "spec": {}, "status": {"phase": "New"},
    });
    put(connect, build);
}

pub(super) fn put(connect: &mut Connect, build: Value) {
    let build: Build = serde_json::from_value(build).unwrap();
    let builds = connect.observed.builds.get_or_insert_default();
    builds.insert(build.metadata.name.clone().unwrap(), Arc::new(build));
}

/// A Build has this status.
pub(super) fn says(connect: &mut Connect, number: i64, status: Value) {
    let builds = connect.observed.builds.as_mut().unwrap();
    let build = builds.get_mut(&format!("{BUILD}-{number}")).unwrap();
    let mut changed = Build::clone(build);
    changed.status = Some(serde_json::from_value(status).unwrap());
    *build = Arc::new(changed);
}

pub(super) fn complete(connect: &mut Connect, number: i64, image: &str, digest: &str) {
    let status = json!({"phase": "Complete", "outputDockerImageReference": image,
        "output": {"to": {"imageDigest": digest}}, "completionTimestamp": connect.now.to_string()});
    says(connect, number, status);
}

/// Plans, carries out, and does what OpenShift does.
pub(super) fn go(connect: &mut Connect) -> ConnectPlan {
    let plan = pass(connect);
    if let Some(start) = start(&plan) {
        begin(connect, start);
    }
    for gone in plan.delete.iter().filter(|gone| gone.object.kind == "Build") {
        connect.observed.builds.as_mut().unwrap().remove(&gone.object.name);
    }
    plan
}

/// A resource whose workers have the image of the first Build.
pub(super) fn built() -> Connect {
    let mut connect = openshift();
    go(&mut connect);
    go(&mut connect);
    complete(&mut connect, 1, &format!("{PUSHED}:1"), &digest('a'));
    for _ in 0..4 {
        go(&mut connect);
        connect.make_pods();
    }
    connect
}

pub(super) fn builds(connect: &Connect) -> Vec<&str> {
    connect.observed.builds.iter().flatten().map(|(name, _)| name.as_str()).collect()
}
