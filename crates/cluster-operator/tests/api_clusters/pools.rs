//! Which pools belong to whom.

use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::{Value, json};
use test_support::ApiServer;

use crate::world::{World, condition, kafka, pool};

const OF_ANOTHER: &str = "NodePoolOfAnotherCluster";
const OF_NOBODY: &str = "NodePoolOfNoCluster";

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

fn says(
    type_: &'static str,
    reason: &'static str,
    words: Vec<&'static str>,
) -> impl Fn(&DynamicObject) -> bool {
    move |object| {
        condition(object, type_, reason).is_some_and(|found| {
            let message = found["message"].as_str().unwrap();
            words.iter().all(|word| message.contains(word))
        })
    }
}

fn label(cluster: &Value) -> Value {
    json!({"metadata": {"labels": {"strimzi.io/cluster": cluster}}})
}

#[tokio::test]
async fn a_pool_of_nobody_says_what_it_lacks_until_it_is_adopted() {
    let world = world("nobody").await;
    let mut unlabelled = pool("c", "dual", 1);
    unlabelled["metadata"].as_object_mut().unwrap().remove("labels");
    world.apply(&unlabelled).await;
    world
        .promptly(
            "KafkaNodePool",
            "dual",
            "lacks a label",
            says("NotReady", OF_NOBODY, vec!["strimzi.io/cluster"]),
        )
        .await;
    world.patch("KafkaNodePool", "dual", label(&json!("c"))).await;
    let lacks_kafka = || says("NotReady", OF_NOBODY, vec!["no Kafka resource c"]);
    world.promptly("KafkaNodePool", "dual", "lacks a Kafka", lacks_kafka()).await;
    // It is adopted.
    world.apply(&small("c")).await;
    world
        .promptly("KafkaNodePool", "dual", "lacks nothing", |pool| {
            condition(pool, "NotReady", OF_NOBODY).is_none() && pool.data["status"]["nodeIds"] == json!([0])
        })
        .await;
    // Also by a resource that cannot be carried out.
    world.apply(&pool("d", "other", 1)).await;
    world
        .promptly(
            "KafkaNodePool",
            "other",
            "lacks a Kafka",
            says("NotReady", OF_NOBODY, vec!["Kafka resource d"]),
        )
        .await;
    let mut wrong = small("d");
    wrong["spec"]["kafka"]["version"] = json!("9.9.9");
    world.apply(&wrong).await;
    world.refused("d", &["9.9.9"]).await;
    world
        .promptly("KafkaNodePool", "other", "lacks nothing", |pool| {
            condition(pool, "NotReady", OF_NOBODY).is_none()
        })
        .await;
    world.delete("Kafka", "d").await;
    world
        .promptly(
            "KafkaNodePool",
            "other",
            "lacks a Kafka",
            says("NotReady", OF_NOBODY, vec!["Kafka resource d"]),
        )
        .await;
}

#[tokio::test]
async fn a_pool_cannot_be_moved_to_another_cluster_and_moving_it_back_leaves_nothing_behind() {
    let world = world("moved").await;
    world.apply(&pool("a", "d", 1)).await;
    world.apply(&pool("a", "p", 1)).await;
    world.apply(&small("a")).await;
    let mut other = pool("b", "q", 1);
    // Its ids are free there.
    other["metadata"]["annotations"] = json!({"strimzi.io/next-node-ids": "[50]"});
    world.apply(&other).await;
    world.apply(&small("b")).await;
    for pod in ["a-d-0", "a-p-1", "b-q-50"] {
        world.until("Pod", pod, "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    }
    for cluster in ["a", "b"] {
        world.settled(cluster).await;
    }
    let before = (world.versions("a").await, world.versions("b").await);

    world.patch("KafkaNodePool", "p", label(&json!("b"))).await;
    for cluster in ["a", "b"] {
        let warns = says("Warning", OF_ANOTHER, vec!["KafkaNodePool p", "write strimzi.io/cluster: a"]);
        world.promptly("Kafka", cluster, "refuses the move", warns).await;
    }
    let refused = says("NotReady", OF_ANOTHER, vec!["strimzi.io/cluster: b", "write strimzi.io/cluster: a"]);
    world.promptly("KafkaNodePool", "p", "says that it stays", refused).await;
    // Its cluster goes on to look after it.
    world.patch("KafkaNodePool", "p", json!({"spec": {"replicas": 2}})).await;
    world.promptly("Pod", "a-p-2", "exists", |_| true).await;
    let no_label = world.patch("KafkaNodePool", "p", label(&Value::Null)).await;
    assert_eq!(no_label.labels().get("strimzi.io/cluster"), None);
    let refused =
        says("NotReady", OF_ANOTHER, vec!["without strimzi.io/cluster", "write strimzi.io/cluster: a"]);
    world.promptly("KafkaNodePool", "p", "says that it stays", refused).await;
    world
        .promptly("Kafka", "b", "has nothing to say", |kafka| {
            condition(kafka, "Warning", OF_ANOTHER).is_none()
        })
        .await;

    world.patch("KafkaNodePool", "p", label(&json!("a"))).await;
    world
        .promptly("Kafka", "a", "has nothing to say", |kafka| {
            condition(kafka, "Warning", OF_ANOTHER).is_none()
        })
        .await;
    world
        .promptly("KafkaNodePool", "p", "is well", |pool| {
            condition(pool, "NotReady", OF_ANOTHER).is_none()
                && pool.data["status"]["nodeIds"] == json!([1, 2])
        })
        .await;
    assert_eq!(world.versions("b").await, before.1, "nothing of the pool is left at the other cluster");
    let pods = |versions: &std::collections::BTreeMap<String, String>| {
        versions.clone().into_iter().filter(|(name, _)| name.starts_with("Pod a-")).collect::<Vec<_>>()
    };
    let now = world.versions("a").await;
    assert!(
        pods(&before.0).iter().all(|pod| pods(&now).contains(pod)),
        "{:?} {:?}",
        pods(&before.0),
        pods(&now)
    );
}

#[tokio::test]
async fn two_clusters_whose_pod_sets_would_have_one_name_do_not_take_them_from_each_other() {
    let world = world("namesakes").await;
    world.apply(&pool("a", "b-c", 1)).await;
    world.apply(&small("a")).await;
    world.until("Pod", "a-b-c-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    world.settled("a").await;
    let before = world.versions("a").await;
    world.apply(&pool("a-b", "c", 1)).await;
    world.apply(&small("a-b")).await;
    world.refused("a-b", &["KafkaNodePool c metadata.name", "a-b-c", "Kafka a"]).await;
    assert_eq!(world.versions("a").await, before);
}
