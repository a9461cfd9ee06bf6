//! Patches over generated objects and options of single nodes, as the API server keeps them and takes what comes of them.

use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::{Value, json};
use test_support::ApiServer;

use crate::world::{World, condition, kafka, pool};

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

/// Says whether a Warning names the override, the object and a word of the API server's.
fn is_said(kafka: &DynamicObject, words: &[&str]) -> bool {
    let said = condition(kafka, "Warning", "ObjectOverrideRefused");
    let message = said.and_then(|found| found["message"].as_str());
    message.is_some_and(|message| words.iter().all(|word| message.contains(word)))
}

#[tokio::test]
async fn an_override_that_the_api_server_refuses_leaves_its_object_as_it_is_and_holds_up_nothing_else() {
    let world = world("unlaid").await;
    world.apply(&pool("c", "dual", 1)).await;
    let mut kafka = kafka("c");
    kafka["spec"]["kafka"]["config"] = json!({});
    kafka["spec"]["entityOperator"] = json!({"topicOperator": {}});
    kafka["spec"]["objectOverrides"] =
        json!({"Service/c-kafka-bootstrap": {"spec": {"internalTrafficPolicy": "Local"}}});
    world.apply(&kafka).await;
    let before = world.until("Pod", "c-dual-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    let deployment = world.exists("Deployment", "c-entity-operator").await;
    let service = world.get("Service", "c-kafka-bootstrap").await;
    for (key, patch, words) in [
        (
            "Service/c-kafka-bootstrap",
            json!({"spec": {"internalTrafficPolicy": "Sometimes"}}),
            [
                "spec.objectOverrides.Service/c-kafka-bootstrap",
                "Service c-kafka-bootstrap",
                "internalTrafficPolicy",
            ],
        ),
        (
            "Deployment/c-entity-operator",
            json!({"spec": {"revisionHistoryLimit": -1}}),
            [
                "spec.objectOverrides.Deployment/c-entity-operator",
                "Deployment c-entity-operator",
                "revisionHistoryLimit",
            ],
        ),
    ] {
        kafka["spec"]["objectOverrides"][key] = patch;
        world.apply(&kafka).await;
        world.until("Kafka", "c", "names the override that is refused", |kafka| is_said(kafka, &words)).await;
    }
    // The pod needs its restart and gets it.
    let resources = json!({"limits": {"memory": "3Gi"}, "requests": {"memory": "3Gi"}});
    world.patch("KafkaNodePool", "dual", json!({"spec": {"resources": resources}})).await;
    let is_new = |pod: &DynamicObject| {
        pod.uid() != before.uid()
            && pod.data["spec"]["containers"][0]["resources"].to_string().contains("3Gi")
    };
    world.until("Pod", "c-dual-0", "is a new pod with the change", is_new).await;
    let same = |before: &DynamicObject, after: &DynamicObject| before.data["spec"] == after.data["spec"];
    assert!(same(&service, &world.get("Service", "c-kafka-bootstrap").await));
    assert!(same(&deployment, &world.get("Deployment", "c-entity-operator").await));
    let told = world.get("Kafka", "c").await;
    assert!(condition(&told, "NotReady", "KubernetesError").is_none(), "{:?}", told.data["status"]);
    // Without it all is as it was at once.
    world.patch("Kafka", "c", json!({"spec": {"objectOverrides": null}})).await;
    world
        .at_once("Service", "c-kafka-bootstrap", "has no override", |service| {
            service.data["spec"]["internalTrafficPolicy"] == "Cluster"
        })
        .await;
    world.until("Kafka", "c", "is silent", |kafka| !is_said(kafka, &[])).await;
}

#[tokio::test]
async fn a_service_is_not_made_without_the_override_that_the_api_server_refuses() {
    let world = world("unmade").await;
    world.apply(&pool("c", "dual", 1)).await;
    let mut kafka = kafka("c");
    kafka["spec"]["kafka"]["config"] = json!({});
    kafka["spec"]["objectOverrides"] = json!({
        "Service/c-kafka-bootstrap": {"spec": {"internalTrafficPolicy": "Sometimes"}}});
    world.apply(&kafka).await;
    let words = ["spec.objectOverrides.Service/c-kafka-bootstrap", "is not made", "internalTrafficPolicy"];
    world.until("Kafka", "c", "names the override that is refused", |kafka| is_said(kafka, &words)).await;
    world.until("Pod", "c-dual-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    assert!(world.api("Service").get_opt("c-kafka-bootstrap").await.unwrap().is_none());
    kafka["spec"]["objectOverrides"]["Service/c-kafka-bootstrap"] =
        json!({"spec": {"internalTrafficPolicy": "Local"}});
    world.apply(&kafka).await;
    world.exists("Service", "c-kafka-bootstrap").await;
}
