//! Patches over generated objects and options of single nodes, as the API server keeps them and takes what comes of them.

use serde_json::{Value, json};
use test_support::ApiServer;

use crate::world::{World, kafka, pool};

/// The documents of an example.
fn example(text: &str) -> Vec<Value> {
    let documents = text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap());
    documents.collect()
}

async fn world(prefix: &str) -> World {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), prefix).await;
    world.set("KASTELLAN_OBJECT_OVERRIDES", "true");
    world.start_operator().await;
    world
}

#[tokio::test]
async fn a_patch_reaches_the_objects_once_and_leaves_them_again() {
    let world = world("patch").await;
    world.apply(&pool("c", "dual", 1)).await;
    let mut patched = kafka("c");
    patched["spec"]["kafka"]["config"] = json!({});
    let plain = patched.clone();
    patched["spec"]["objectOverrides"] = json!({
        "Pod/c-dual-*": {
            "metadata": {"annotations": {"example.org/x": "y"}},
            "spec": {
                "volumes": [{"name": "outbox", "emptyDir": {}}],
                "enableServiceLinks": false,
                "containers": [{"name": "shipper", "image": "shipper", "volumeMounts": [{"name": "outbox", "mountPath": "/outbox"}]}]}},
        "Service/c-kafka-bootstrap": {"spec": {"internalTrafficPolicy": "Local", "ports": [{"port": 9092, "appProtocol": "kafka"}]}},
    });
    let kept = world.apply(&patched).await;
    assert_eq!(kept.data["spec"]["objectOverrides"], patched["spec"]["objectOverrides"]);
    world.running("c", 1).await;
    let pod = world.get("Pod", "c-dual-0").await;
    let containers = pod.data["spec"]["containers"].as_array().unwrap();
    let names: Vec<&Value> = containers.iter().map(|container| &container["name"]).collect();
    assert_eq!(names, ["kafka", "shipper"]);
    assert_eq!(pod.data["spec"]["enableServiceLinks"], false);
    assert_eq!(pod.metadata.annotations.unwrap()["example.org/x"], "y");
    let service = world.get("Service", "c-kafka-bootstrap").await;
    assert_eq!(service.data["spec"]["internalTrafficPolicy"], "Local");
    // What is patched is no difference that is written again and again.
    let before = world.versions("c").await;
    world.has_it_looked_at(&world.api("Kafka"), "c").await;
    assert_eq!(world.versions("c").await, before);
    world.apply(&plain).await;
    world
        .until("Service", "c-kafka-bootstrap", "is as before", |service| {
            service.data["spec"]["ports"].as_array().unwrap().iter().all(|port| port["appProtocol"].is_null())
        })
        .await;
    world
        .until("StrimziPodSet", "c-dual", "has the pod as before", |set| {
            set.data["spec"]["pods"][0]["spec"]["containers"].as_array().unwrap().len() == 1
        })
        .await;
    patched["spec"]["objectOverrides"] = json!({"Pod": {"spec": {"hostNetwork": true}}});
    world.apply(&patched).await;
    world.refused("c", &["spec.objectOverrides.Pod: spec.hostNetwork"]).await;
}

#[tokio::test]
async fn the_examples_of_what_goes_beyond_strimzi_are_taken_and_carried_out() {
    let world = world("beyond").await;
    for text in [
        include_str!("../../../../examples/per-node-configuration.yaml"),
        include_str!("../../../../examples/object-overrides.yaml"),
    ] {
        for document in example(text) {
            world.apply(&document).await;
        }
    }
    let has = |map: &Value, line: &str| {
        map["data"]["server.config"].as_str().unwrap().lines().any(|known| known == line)
    };
    let large = world.exists("ConfigMap", "mixed-large-101").await;
    assert!(has(&large.data, "num.io.threads=32"));
    let small = world.exists("ConfigMap", "mixed-small-0").await;
    assert!(has(&small.data, "num.io.threads=8"));
    let set = world.exists("StrimziPodSet", "patched-dual").await;
    assert_eq!(set.data["spec"]["pods"][0]["spec"]["containers"][1]["name"], "shipper");
}
