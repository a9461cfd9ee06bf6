use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use test_support::ApiServer;

use crate::world::{World, condition, is_current, kafka, pool};

/// An operator whose timer does nothing during a test: what happens is brought by an event.
async fn world(prefix: &str) -> World {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), prefix).await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.start_operator().await;
    world
}

/// Another cluster gets all it needs meanwhile.
async fn others_go_on(world: &World) {
    world.apply(&pool("other", "spare", 1)).await;
    let mut other = kafka("other");
    other["spec"]["kafka"]["config"] = json!({});
    world.apply(&other).await;
    world.promptly("Pod", "other-spare-0", "exists", |_| true).await;
}

/// The corrected resource is carried out at once.
async fn heals(world: &World, cluster: &str) {
    world
        .promptly("Kafka", cluster, "is carried out", |kafka| {
            is_current(kafka) && condition(kafka, "NotReady", "Creating").is_some()
        })
        .await;
}

/// Makes a good cluster bad, sees that the status names the field and that nothing else changes while another cluster
/// goes on, and makes it good again.
async fn refuses(prefix: &str, bad: Value, good: Value, words: &[&str]) {
    let world = world(prefix).await;
    world.usual("c").await;
    let before = world.versions("c").await;

    world.patch("Kafka", "c", bad).await;
    world.refused("c", words).await;
    others_go_on(&world).await;
    assert_eq!(world.versions("c").await, before, "what runs was disturbed");

    world.patch("Kafka", "c", good).await;
    heals(&world, "c").await;
}

fn of_kafka(value: &Value) -> Value {
    json!({"spec": {"kafka": value}})
}

#[tokio::test]
async fn a_kafka_without_a_pool_says_so_and_heals_when_the_pool_comes() {
    let world = world("no-pool").await;
    world.apply(&kafka("c")).await;
    world.refused("c", &["KafkaNodePool", "strimzi.io/cluster"]).await;
    others_go_on(&world).await;
    world.apply(&pool("c", "dual", 3)).await;
    world.promptly("Pod", "c-dual-0", "exists", |_| true).await;
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
    let world = world("secret").await;
    world.usual("c").await;
    let before = world.versions("c").await;
    let mut listeners = kafka("c")["spec"]["kafka"]["listeners"].clone();
    listeners[1]["configuration"] = json!({"brokerCertChainAndKey": {
        "secretName": "mine", "certificate": "tls.crt", "key": "tls.key"}});
    world.patch("Kafka", "c", of_kafka(&json!({"listeners": listeners}))).await;
    let field = "spec.kafka.listeners[1].configuration.brokerCertChainAndKey.secretName";
    world.refused("c", &[field, "mine", "create it"]).await;
    others_go_on(&world).await;
    assert_eq!(world.versions("c").await, before);

    world
        .apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"},
            "stringData": {"tls.crt": "wrong", "tls.crt.old": ""}}))
        .await;
    world.refused("c", &["brokerCertChainAndKey.key", "tls.key"]).await;
    assert_eq!(world.versions("c").await, before);
    let made = world.get("Secret", "c-dual-0").await;
    let pair =
        json!({"tls.crt": made.data["data"]["c-dual-0.crt"], "tls.key": made.data["data"]["c-dual-0.key"]});
    world.patch("Secret", "mine", json!({"data": pair})).await;
    heals(&world, "c").await;
}

/// What the API server does not refuse itself, before anything can be disturbed, the status names.
#[tokio::test]
async fn a_pool_without_roles_or_with_a_volume_without_a_size_is_refused_or_named() {
    let world = world("pool").await;
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
        others_go_on(&world).await;
        assert_eq!(world.versions("c").await, before);
        world.apply(&good).await;
        heals(&world, "c").await;
    }
}

#[tokio::test]
async fn certificates_are_renewed_while_the_resource_is_wrong() {
    let world = world("aging").await;
    world.apply(&pool("c", "dual", 3)).await;
    let mut aging = kafka("c");
    aging["spec"]["clusterCa"] = json!({"validityDays": 30, "renewalDays": 5});
    world.apply(&aging).await;
    world.running("c", 3).await;
    let before = world.versions("c").await;
    let mut leaves = Vec::new();
    for name in ["c-dual-0", "c-dual-1", "c-dual-2", "c-cluster-operator-certs"] {
        leaves.push((name, world.get("Secret", name).await.data["data"].clone()));
    }

    let longer = json!({"validityDays": 365, "renewalDays": 60});
    world.patch("Kafka", "c", json!({"spec": {"clusterCa": longer, "kafka": {"version": "9.9.9"}}})).await;
    world.refused("c", &["spec.kafka.version"]).await;
    world
        .promptly("Secret", "c-cluster-ca-cert", "is renewed", |secret| {
            secret.annotations()["strimzi.io/ca-cert-generation"] == "1"
        })
        .await;
    for (name, before) in leaves {
        world.promptly("Secret", name, "is renewed", |secret| secret.data["data"] != before).await;
    }
    let rest = |versions: std::collections::BTreeMap<String, String>| {
        versions.into_iter().filter(|(name, _)| !name.starts_with("Secret ")).collect::<Vec<_>>()
    };
    assert_eq!(rest(world.versions("c").await), rest(before), "what runs was disturbed");
}

/// Anybody who may make Secrets can make a cluster too large to be read; its certificates must not run out meanwhile.
#[tokio::test]
async fn certificates_are_renewed_while_the_objects_of_the_cluster_are_too_large_to_be_read() {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "large").await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.set("KASTELLAN_MAX_CLUSTER_MIB", "3");
    world.start_operator().await;
    world.apply(&pool("c", "dual", 1)).await;
    let mut aging = kafka("c");
    aging["spec"]["kafka"]["config"] = json!({});
    aging["spec"]["clusterCa"] = json!({"validityDays": 30, "renewalDays": 5});
    world.apply(&aging).await;
    world.running("c", 1).await;
    let before = world.versions("c").await;
    let mut leaves = Vec::new();
    for name in ["c-dual-0", "c-cluster-operator-certs"] {
        leaves.push((name, world.get("Secret", name).await.data["data"].clone()));
    }
    let labels = json!({"strimzi.io/cluster": "c", "strimzi.io/kind": "Kafka"});
    for number in 0..16 {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "eHh4".repeat(100_000)},
            "metadata": {"name": format!("stuffing-{number}"), "labels": labels}});
        world.apply(&secret).await;
    }
    world.refused("c", &["KASTELLAN_MAX_CLUSTER_MIB"]).await;
    let longer = json!({"validityDays": 365, "renewalDays": 60});
    world.patch("Kafka", "c", json!({"spec": {"clusterCa": longer}})).await;
    world
        .promptly("Secret", "c-cluster-ca-cert", "is renewed", |secret| {
            secret.annotations()["strimzi.io/ca-cert-generation"] == "1"
        })
        .await;
    for (name, before) in leaves {
        world.promptly("Secret", name, "is renewed", |secret| secret.data["data"] != before).await;
    }
    let rest = |versions: std::collections::BTreeMap<String, String>| {
        versions.into_iter().filter(|(name, _)| !name.starts_with("Secret ")).collect::<Vec<_>>()
    };
    assert_eq!(rest(world.versions("c").await), rest(before), "what runs was disturbed");
}
