use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::world::{World, kafka, pool};

/// Makes a good cluster bad, sees that the status names the field and that nothing else changes while another cluster
/// goes on, and makes it good again.
async fn refuses(prefix: &str, bad: Value, good: Value, words: &[&str]) {
    let world = World::start(prefix).await;
    world.usual("c").await;
    let before = world.versions("c").await;

    let patched = world.patch("Kafka", "c", bad).await;
    world.refused("c", words).await;
    assert_eq!(world.versions("c").await, before, "what runs was disturbed");
    assert_eq!(patched.metadata.name.as_deref(), Some("c"));

    world.apply(&pool("other", "spare", 1)).await;
    let mut other = kafka("other");
    other["spec"]["kafka"]["config"] = json!({});
    world.apply(&other).await;
    world.exists("Pod", "other-spare-0").await;

    world.patch("Kafka", "c", good).await;
    world.deploying("c").await;
}

fn of_kafka(value: &Value) -> Value {
    json!({"spec": {"kafka": value}})
}

#[tokio::test]
async fn a_kafka_without_a_pool_says_so_and_heals_when_the_pool_comes() {
    let world = World::start("no-pool").await;
    world.apply(&kafka("c")).await;
    world.refused("c", &["KafkaNodePool", "strimzi.io/cluster"]).await;
    world.apply(&pool("c", "dual", 3)).await;
    world.running("c", 3).await;
}

#[tokio::test]
async fn two_listeners_on_one_port() {
    let good = kafka("c")["spec"]["kafka"]["listeners"].clone();
    let mut bad = good.clone();
    bad[1]["port"] = json!(9092);
    let words = ["spec.kafka.listeners[1].port", "9092"];
    refuses("port", of_kafka(&json!({"listeners": bad})), of_kafka(&json!({"listeners": good})), &words)
        .await;
}

#[tokio::test]
async fn an_unknown_kafka_version() {
    let (bad, good) = (json!({"version": "9.9.9"}), json!({"version": "4.3.1"}));
    refuses("version", of_kafka(&bad), of_kafka(&good), &["spec.kafka.version", "9.9.9", "4.3.1"]).await;
}

#[tokio::test]
async fn a_forbidden_option() {
    let (bad, good) =
        (json!({"config": {"process.roles": "broker"}}), json!({"config": {"process.roles": null}}));
    refuses("option", of_kafka(&bad), of_kafka(&good), &["spec.kafka.config.process.roles", "remove it"])
        .await;
}

#[tokio::test]
async fn a_secret_that_is_missing_is_named_and_the_cluster_heals_when_it_comes() {
    let world = World::start("secret").await;
    world.usual("c").await;
    let before = world.versions("c").await;
    let mut listeners = kafka("c")["spec"]["kafka"]["listeners"].clone();
    listeners[1]["configuration"] = json!({"brokerCertChainAndKey": {
        "secretName": "mine", "certificate": "tls.crt", "key": "tls.key"}});
    world.patch("Kafka", "c", of_kafka(&json!({"listeners": listeners}))).await;
    let field = "spec.kafka.listeners[1].configuration.brokerCertChainAndKey.secretName";
    world.refused("c", &[field, "mine", "create it"]).await;
    assert_eq!(world.versions("c").await, before);

    world
        .apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"},
            "stringData": {"tls.crt": "wrong", "tls.crt.old": ""}}))
        .await;
    world.refused("c", &["brokerCertChainAndKey.key", "tls.key"]).await;
    let made = world.get("Secret", "c-dual-0").await;
    let pair =
        json!({"tls.crt": made.data["data"]["c-dual-0.crt"], "tls.key": made.data["data"]["c-dual-0.key"]});
    world.patch("Secret", "mine", json!({"data": pair})).await;
    world.deploying("c").await;
}

/// The API server itself refuses these, before anything can be disturbed.
#[tokio::test]
async fn a_pool_without_roles_or_with_a_volume_without_a_size_is_refused_or_named() {
    let world = World::start("pool").await;
    world.usual("c").await;
    let before = world.versions("c").await;
    let good = pool("c", "dual", 3);
    let mut no_roles = good.clone();
    no_roles["spec"]["roles"] = json!([]);
    let mut no_size = good.clone();
    no_size["spec"]["storage"]["volumes"][0].as_object_mut().unwrap().remove("size");
    for (bad, word) in [(no_roles, "roles"), (no_size, "size")] {
        let parameters = PatchParams::apply("user").force();
        match world.api("KafkaNodePool").patch("dual", &parameters, &Patch::Apply(&bad)).await {
            Err(kube::Error::Api(status)) => assert!(status.message.contains(word), "{}", status.message),
            Err(error) => panic!("{error}"),
            Ok(_) => {
                world.refused("c", &["KafkaNodePool dual spec", word]).await;
            }
        }
        assert_eq!(world.versions("c").await, before);
        world.apply(&good).await;
        world.deploying("c").await;
    }
}
