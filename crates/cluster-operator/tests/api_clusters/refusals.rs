//! What the API server refuses while a cluster is observed stands in the status.

use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use test_support::ApiServer;
use test_support::stand_in::Fate;

use crate::world::{World, condition, kafka};

/// The roles that the chart made, without the verb `get` for Secrets.
async fn take_the_right_to_read_secrets(world: &World) -> Vec<Value> {
    let mut before = Vec::new();
    for role in world.api("Role").list(&ListParams::default()).await.unwrap() {
        if role.labels().contains_key("strimzi.io/cluster") {
            continue;
        }
        let rules = role.data["rules"].clone();
        let mut fewer = rules.clone();
        for rule in fewer.as_array_mut().into_iter().flatten() {
            if rule["resources"].as_array().is_some_and(|all| all.contains(&json!("secrets"))) {
                rule["verbs"].as_array_mut().unwrap().retain(|verb| verb != "get" && verb != "list");
            }
        }
        if fewer != rules {
            world.patch("Role", &role.name_any(), json!({"rules": fewer})).await;
            before.push(json!({"name": role.name_any(), "rules": rules}));
        }
    }
    before
}

#[tokio::test]
async fn a_read_that_is_refused_is_told_in_the_status_and_made_again() {
    let server = ApiServer::shared().await.unwrap();
    let values = ["createGlobalResources=false"];
    let mut world = World::with_chart(server, "refusals", &values, |_| Fate::Running).await;
    world.set("KASTELLAN_CLUSTER_ROLE_BINDINGS", "false");
    world.start_operator().await;
    world.usual("c").await;
    let node = world.get("Secret", "c-dual-0").await;
    let pair =
        json!({"tls.crt": node.data["data"]["c-dual-0.crt"], "tls.key": node.data["data"]["c-dual-0.key"]});
    let before = world.versions("c").await;

    let roles = take_the_right_to_read_secrets(&world).await;
    assert!(!roles.is_empty());
    world
        .apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"}, "data": pair}))
        .await;
    let mut listeners = kafka("c")["spec"]["kafka"]["listeners"].clone();
    listeners[1]["configuration"] = json!({"brokerCertChainAndKey": {
        "secretName": "mine", "certificate": "tls.crt", "key": "tls.key"}});
    world.patch("Kafka", "c", json!({"spec": {"kafka": {"listeners": listeners}}})).await;
    world.refused("c", &["mine", "forbidden"]).await;
    let told = world.get("Kafka", "c").await;
    assert!(condition(&told, "NotReady", "KubernetesError").is_some(), "{:?}", told.data["status"]);
    assert_eq!(world.versions("c").await, before, "what runs was disturbed");

    for role in roles {
        world.patch("Role", role["name"].as_str().unwrap(), json!({"rules": role["rules"]})).await;
    }
    world.patch("Kafka", "c", json!({"metadata": {"annotations": {"look": "again"}}})).await;
    world.deploying("c").await;
}
