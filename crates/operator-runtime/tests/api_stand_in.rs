//! The stand-in for kubelet and controllers does what operators wait for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use test_support::{ApiServer, PodReadyStandIn, wait};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn pods_deployments_and_claims_become_ready_and_deleted_pods_vanish() {
    let server = ApiServer::shared().await.unwrap();
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("stand-in").await.unwrap();
    let _kubelet = PodReadyStandIn::start(&client);
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let spec = json!({"containers": [{"name": "c", "image": "i"}]});
    let pod = serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap();
    pods.create(&PostParams::default(), &pod).await.unwrap();
    let ready = wait::for_object(&pods, "p", SOON, "is ready", |pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
    });
    let pod = ready.await.unwrap();
    assert!(pod.status.unwrap().pod_ip.unwrap().starts_with("10."));
    pods.delete("p", &DeleteParams::default()).await.unwrap();
    wait::for_absence(&pods, "p", SOON).await.unwrap();

    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &namespace);
    let deployment = json!({"metadata": {"name": "d"}, "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": spec}}});
    deployments.create(&PostParams::default(), &serde_json::from_value(deployment).unwrap()).await.unwrap();
    let available = wait::for_object(&deployments, "d", SOON, "is available", |deployment| {
        deployment.status.as_ref().and_then(|status| status.available_replicas) == Some(2)
    });
    available.await.unwrap();

    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client, &namespace);
    let claim = json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    claims.create(&PostParams::default(), &serde_json::from_value(claim).unwrap()).await.unwrap();
    let bound = wait::for_object(&claims, "c", SOON, "is bound", |claim| {
        claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound")
    });
    bound.await.unwrap();
}

#[tokio::test]
async fn real_controllers_collect_what_an_owner_leaves_behind() {
    use k8s_openapi::api::core::v1::ConfigMap;
    let server = ApiServer::shared().await.unwrap();
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("collect").await.unwrap();
    let _controllers = server.start_controllers(&["garbage-collector-controller"]).unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
    let owner: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "owner"}})).unwrap();
    let owner = api.create(&PostParams::default(), &owner).await.unwrap();
    let reference =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid});
    let child = json!({"metadata": {"name": "child", "ownerReferences": [reference]}});
    api.create(&PostParams::default(), &serde_json::from_value(child).unwrap()).await.unwrap();
    api.delete("owner", &DeleteParams::background()).await.unwrap();
    wait::for_absence(&api, "child", SOON * 3).await.unwrap();
}
