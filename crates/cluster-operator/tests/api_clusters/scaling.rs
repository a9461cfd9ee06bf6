//! Nodes that come and go, while passes fail and statuses forget.

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use test_support::ApiServer;

use crate::world::{World, condition, is_current, kafka, pool};

/// A pool of brokers whose volumes go with them.
fn brokers(cluster: &str, replicas: i32) -> Value {
    let mut pool = pool(cluster, "b", replicas);
    pool["spec"]["roles"] = json!(["broker"]);
    pool["spec"]["storage"]["volumes"][0]["deleteClaim"] = json!(true);
    pool
}

/// An entity operator whose Deployment the API server refuses.
fn with_a_deployment_that_is_refused(cluster: &str) -> Value {
    let mut kafka = kafka(cluster);
    kafka["spec"]["kafka"]["config"] = json!({});
    kafka["spec"]["entityOperator"] = json!({"topicOperator": {
        "resources": {"requests": {"memory": "256Mi"}, "limits": {"memory": "128Mi"}}}});
    kafka
}

fn node_ids(ids: Value) -> impl Fn(&DynamicObject) -> bool {
    move |pool| pool.data["status"]["nodeIds"] == ids
}

#[tokio::test]
async fn a_broker_that_came_while_passes_failed_does_not_leave_unasked() {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "forgotten").await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "1000");
    world.start_operator().await;
    world.apply(&pool("c", "d", 1)).await;
    world.apply(&brokers("c", 1)).await;
    world.apply(&with_a_deployment_that_is_refused("c")).await;
    world.until("Pod", "c-b-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    world.refused("c", &["c-entity-operator", "must be less than or equal to"]).await;

    world.patch("KafkaNodePool", "b", json!({"spec": {"replicas": 2}})).await;
    let pod = world.until("Pod", "c-b-2", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    let claim = world.get("PersistentVolumeClaim", "data-0-c-b-2").await;
    world
        .until("KafkaNodePool", "b", "knows its nodes though the pass failed", node_ids(json!([0, 2])))
        .await;

    // As an operator that failed to write the status would have left it.
    world.kill_operator();
    let forgets = json!({"status": {"nodeIds": [0], "replicas": 1}});
    let pools = world.api("KafkaNodePool");
    pools.patch_status("b", &PatchParams::default(), &Patch::Merge(forgets)).await.unwrap();
    world.patch("KafkaNodePool", "b", json!({"spec": {"replicas": 1}})).await;
    world.start_operator().await;
    let says_why = |kafka: &DynamicObject| {
        let warning = condition(kafka, "Warning", "ScaleDownPreventionCheck");
        warning
            .is_some_and(|warning| warning["message"].as_str().unwrap().contains("pool b is not scaled down"))
    };
    let kafka = world.until("Kafka", "c", "says why the node stays", says_why).await;
    assert!(condition(&kafka, "NotReady", "KubernetesError").is_some(), "{:?}", kafka.data["status"]);
    world.until("KafkaNodePool", "b", "knows its nodes again", node_ids(json!([0, 2]))).await;

    // What made the passes fail goes: now is the time at which the rest of a node would go too.
    world.patch("Kafka", "c", json!({"spec": {"entityOperator": null}})).await;
    world
        .until("Kafka", "c", "is carried out", |kafka| {
            is_current(kafka) && condition(kafka, "NotReady", "Creating").is_some() && says_why(kafka)
        })
        .await;
    world.passes(2).await;
    for (kind, before) in [("Pod", &pod), ("PersistentVolumeClaim", &claim)] {
        let now = world.get(kind, &before.name_any()).await;
        assert_eq!((now.uid(), now.metadata.deletion_timestamp), (before.uid(), None), "{kind}");
    }
    for kind in ["Secret", "ConfigMap"] {
        world.exists(kind, "c-b-2").await;
    }
}
