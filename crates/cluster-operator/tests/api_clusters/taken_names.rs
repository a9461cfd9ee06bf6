//! Pods that have the name of a pod of the cluster and are in no cache, and pools as large as they may be.

use std::time::Duration;

use kube::ResourceExt;
use serde_json::{Value, json};
use test_support::stand_in::Fate;
use test_support::{ApiServer, wait};

use crate::world::{World, condition, kafka, pool};

/// A world in which nothing happens but by events.
async fn world(prefix: &str) -> World {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), prefix).await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.start_operator().await;
    world
}

fn small(cluster: &str) -> Value {
    let mut kafka = kafka(cluster);
    kafka["spec"]["kafka"]["config"] = json!({});
    kafka["spec"].as_object_mut().unwrap().remove("entityOperator");
    kafka
}

#[tokio::test]
async fn a_pod_that_lost_its_labels_gets_them_back() {
    let world = world("labels").await;
    world.apply(&pool("c", "dual", 1)).await;
    world.apply(&small("c")).await;
    let before = world.exists("Pod", "c-dual-0").await;
    for lost in [
        json!({"strimzi.io/kind": null}),
        json!({"strimzi.io/cluster": null, "strimzi.io/kind": null}),
        json!({"strimzi.io/controller-name": "another"}),
    ] {
        world.patch("Pod", "c-dual-0", json!({"metadata": {"labels": lost}})).await;
        let after = world
            .promptly("Pod", "c-dual-0", "has its labels again", |pod| {
                let has =
                    |label: &str, value: &str| pod.labels().get(label).is_some_and(|found| found == value);
                has("strimzi.io/kind", "Kafka")
                    && has("strimzi.io/cluster", "c")
                    && has("strimzi.io/controller-name", "c-dual")
            })
            .await;
        assert_eq!(after.uid(), before.uid(), "it is the same pod");
    }
}

#[tokio::test]
async fn a_pod_of_somebody_elses_is_named_and_left_until_it_goes() {
    let world = world("taken").await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c-dual-0"},
        "spec": {"containers": [{"name": "mine", "image": "mine"}]}});
    let mine = world.apply(&pod).await;
    world.apply(&pool("c", "dual", 1)).await;
    world.apply(&small("c")).await;
    let words = ["c-dual-0", "does not belong to the pod set", "delete that pod"];
    let says = |object: &kube::core::DynamicObject, type_: &str, reason: &str| {
        condition(object, type_, reason)
            .is_some_and(|found| words.iter().all(|word| found["message"].as_str().unwrap().contains(word)))
    };
    world.until("StrimziPodSet", "c-dual", "says so", |set| says(set, "NotReady", "KubernetesError")).await;
    let named = |kafka: &kube::core::DynamicObject| {
        let conditions = kafka.data["status"]["conditions"].as_array().into_iter().flatten();
        conditions
            .filter_map(|one| one["message"].as_str())
            .any(|text| text.contains("does not belong to the pod set"))
    };
    world.until("Kafka", "c", "says so", named).await;
    assert_eq!(world.get("Pod", "c-dual-0").await.uid(), mine.uid(), "it is left alone");
    world.delete("Pod", "c-dual-0").await;
    let ours = |pod: &kube::core::DynamicObject| pod.labels().contains_key("strimzi.io/cluster");
    world.until("Pod", "c-dual-0", "is the cluster's", ours).await;
}

/// Of three claims without labels, a StatefulSet would take up one by its name, a pod mounts one, and nothing uses the last.
#[tokio::test]
async fn a_claim_that_something_else_uses_is_named_and_one_that_was_restored_by_hand_is_taken() {
    let world = world("claims").await;
    for number in 0..3 {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": format!("data-0-c-dual-{number}")},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": if number == 0 { "2Gi" } else { "100Gi" }}}}});
        world.apply(&claim).await;
    }
    let labels = json!({"app": "mine"});
    let containers = json!([{"name": "mine", "image": "mine"}]);
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "c-dual"},
        "spec": {"replicas": 0, "serviceName": "mine", "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
            "volumeClaimTemplates": [{"metadata": {"name": "data-0"}, "spec": {"accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}}}}]}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "copy"}, "spec": {"containers": containers,
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data-0-c-dual-1"}}]}});
    world.apply(&set).await;
    world.apply(&pod).await;
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&small("c")).await;
    let says = |words: &'static str| {
        move |kafka: &kube::core::DynamicObject| {
            condition(kafka, "NotReady", "Creating")
                .is_some_and(|found| found["message"].to_string().contains(words))
        }
    };
    let words = "PersistentVolumeClaim data-0-c-dual-0 is used by StatefulSet c-dual";
    world.until("Kafka", "c", words, says(words)).await;
    world.delete("StatefulSet", "c-dual").await;
    let words = "PersistentVolumeClaim data-0-c-dual-1 is used by Pod copy";
    world.until("Kafka", "c", words, says(words)).await;
    let labelled = |claim: &kube::core::DynamicObject| claim.labels().contains_key("strimzi.io/cluster");
    world.until("PersistentVolumeClaim", "data-0-c-dual-2", "is the cluster's", labelled).await;
    assert!(!labelled(&world.get("PersistentVolumeClaim", "data-0-c-dual-1").await), "it is left alone");
    world.delete("Pod", "copy").await;
    world.exists("Pod", "c-dual-1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_nearly_three_hundred_nodes_gets_all_its_pods() {
    let server = ApiServer::shared().await.unwrap();
    let mut world = World::with(server, "large", Fate::Pending).await;
    world.start_operator().await;
    let mut controllers = pool("c", "few", 1);
    controllers["spec"]["roles"] = json!(["controller"]);
    let mut brokers = pool("c", "many", 299);
    brokers["spec"]["roles"] = json!(["broker"]);
    for pool in [&mut controllers, &mut brokers] {
        pool["spec"]["storage"] = json!({"type": "ephemeral"});
        world.apply(pool).await;
    }
    world.apply(&small("c")).await;
    let done = |set: &kube::core::DynamicObject| set.data["status"]["currentPods"] == 299;
    let sets = world.api("StrimziPodSet");
    wait::for_object(&sets, "c-many", Duration::from_mins(5), "has all its pods", done).await.unwrap();
    world.exists("Pod", "c-many-298").await;
}
