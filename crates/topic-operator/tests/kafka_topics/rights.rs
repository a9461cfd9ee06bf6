//! Under the rights that the cluster operator gives to an entity operator, so that a missing one is noticed.

use api::{Kafka, KafkaTopic};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use test_support::{KafkaNode, KafkaOptions};
use test_world::entity_operator_rights;

use crate::world::{CLUSTER, World, has_finalizer};

impl World {
    /// The operator runs as the entity operator of a cluster that watches topics in the cluster's namespace.
    pub(crate) async fn with_the_rights_of_a_deployment(&mut self) {
        let (roles, bindings) = generated(&self.namespace, &self.namespace);
        self.apply(&roles).await;
        self.apply(&bindings).await;
        self.account = Some((self.namespace.clone(), format!("{CLUSTER}-entity-operator")));
    }

    async fn apply(&self, objects: &[Value]) {
        entity_operator_rights::apply(&self.client, objects).await;
    }
}

/// The Roles and RoleBindings of a cluster in `home` whose topics are in `watched`.
fn generated(home: &str, watched: &str) -> (Vec<Value>, Vec<Value>) {
    let spec = json!({"entityOperator": {"topicOperator": {"watchedNamespace": watched}}});
    entity_operator_rights::generated(CLUSTER, home, watched, &spec)
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// The Roles without one right.
fn lacking(roles: &[Value], resource: &str, verb: &str) -> Vec<Value> {
    let mut roles = roles.to_vec();
    for rule in roles.iter_mut().flat_map(|role| role["rules"].as_array_mut().unwrap()) {
        if rule["resources"] == json!([resource]) {
            rule["verbs"].as_array_mut().unwrap().retain(|v| v != verb);
        }
    }
    for role in &mut roles {
        role["rules"].as_array_mut().unwrap().retain(|rule| rule["verbs"] != json!([]));
    }
    roles
}

/// An operator that watches topics in another namespace than the cluster's; the answer has that namespace.
async fn watching_another_namespace(bootstrap: String) -> (World, String) {
    let mut w = World::with(&[bootstrap]).await;
    let home = w.namespace.clone();
    let watched = w.server.create_namespace("watched").await.unwrap();
    w.set("STRIMZI_NAMESPACE", &watched);
    w.set("STRIMZI_CLUSTER_NAMESPACE", &home);
    w.resources = Api::namespaced(w.client.clone(), &watched);
    let (roles, bindings) = generated(&home, &watched);
    w.apply(&roles).await;
    w.apply(&bindings).await;
    w.account = Some((home, format!("{CLUSTER}-entity-operator")));
    w.start_operator().await;
    (w, watched)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_namespace_that_ends_is_not_held_up_by_brokers_that_delete_no_topics() {
    let options = KafkaOptions { tls: false, ..KafkaOptions::default() };
    let kafka = KafkaNode::start(options.with_config("delete.topic.enable", "false")).await.unwrap();
    let (w, watched) = watching_another_namespace(kafka.bootstrap()).await;
    w.create("kept", json!({})).await;
    w.ready("kept").await;
    w.until_exists("kept").await;
    let namespaces: Api<Namespace> = Api::all(w.client.clone());
    namespaces.delete(&watched, &DeleteParams::default()).await.unwrap();
    w.delete("kept").await;
    w.gone("kept").await;
    assert!(w.in_kafka("kept").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_namespace_that_ends_has_its_topics_deleted_and_waits_for_no_kafka() {
    let options = KafkaOptions { tls: false, ..KafkaOptions::default() };
    let mut kafka = KafkaNode::start(options).await.unwrap();
    let (w, watched) = watching_another_namespace(kafka.bootstrap()).await;
    for name in ["first", "second"] {
        w.create(name, json!({})).await;
        w.ready(name).await;
        w.until_exists(name).await;
    }
    let namespaces: Api<Namespace> = Api::all(w.client.clone());
    namespaces.delete(&watched, &DeleteParams::default()).await.unwrap();
    w.delete("first").await;
    w.gone("first").await;
    w.until_in_kafka("first", "is gone", |t| t.is_none()).await;
    kafka.stop().await.unwrap();
    w.delete("second").await;
    w.gone("second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_whose_grant_may_not_be_read_has_nothing_held_up() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let guest = w.server.create_namespace("guest").await.unwrap();
    w.with_the_rights_of_a_deployment().await;
    // What serving its topics takes, but for the right to read ConfigMaps.
    let (roles, bindings) = generated(&w.namespace, &guest);
    for objects in [roles, bindings] {
        let there = objects.into_iter().filter(|o| o["metadata"]["namespace"] == guest.as_str());
        w.apply(&there.collect::<Vec<_>>()).await;
    }
    w.set("KASTELLAN_TOPIC_NAMESPACES", &guest);
    w.resources = Api::namespaced(w.client.clone(), &guest);
    w.create("t", json!({"topicName": w.topic("t")})).await;
    w.patch("t", json!({"metadata": {"finalizers": ["strimzi.io/topic-operator"]}})).await;
    w.start_operator().await;
    w.delete("t").await;
    w.gone("t").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_in_the_documentation_are_enough_for_another_namespace() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    w.with_the_rights_of_a_deployment().await;
    let team = w.server.create_namespace("team").await.unwrap();
    let text = include_str!("../../../../docs/topics-in-other-namespaces.md");
    let example: Vec<&str> =
        text.lines().skip_while(|line| !line.contains("rbac.authorization.k8s.io/v1")).collect();
    let example: Vec<&str> =
        example.into_iter().take_while(|line| line.is_empty() || line.starts_with("    ")).collect();
    let example = example.join("\n").replace("team-a", &team).replace("my-cluster", CLUSTER);
    let example = example.replace("namespace: kafka", &format!("namespace: {}", w.namespace));
    let documents: Vec<Value> =
        example.split("    ---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect();
    assert_eq!(documents.len(), 2);
    w.apply(&documents).await;
    w.set("KASTELLAN_TOPIC_NAMESPACES", &format!("{team}={team}."));
    let grant = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kastellan-topic-grant"},
        "data": {"clusters": format!("{}/{CLUSTER}", w.namespace)},
    });
    let maps: Api<ConfigMap> = Api::namespaced(w.client.clone(), &team);
    maps.create(&PostParams::default(), &typed(grant)).await.unwrap();
    w.start_operator().await;
    w.resources = Api::namespaced(w.client.clone(), &team);
    let topic = format!("{team}.t");
    w.create("t", json!({ "topicName": topic })).await;
    w.ready("t").await;
    w.until_exists(&topic).await;
    w.delete("t").await;
    w.gone("t").await;
    w.until_in_kafka(&topic, "is gone", |t| t.is_none()).await;
    let log = w.log.text();
    assert!(!log.contains("orbidden"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_resource_that_left_the_watch_is_asked_until_it_is_known() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    w.with_the_rights_of_a_deployment().await;
    let (roles, _) = generated(&w.namespace, &w.namespace);
    w.apply(&lacking(&roles, "kafkatopics", "get")).await;
    w.start_operator().await;
    let topic = w.topic("moved");
    for name in ["moved", "rival"] {
        w.create(name, json!({"topicName": topic})).await;
        w.until(name, "is looked at", |t| t.status.is_some()).await;
    }
    w.patch("moved", json!({"metadata": {"labels": {"strimzi.io/cluster": "another"}}})).await;
    // Looked at in the same moment, and this takes longer than one read that is refused.
    w.ready("rival").await;
    assert!(has_finalizer(&w.resources.get("moved").await.unwrap()));
    w.apply(&roles).await;
    w.until("moved", "has no finalizer", |t| !has_finalizer(t)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kafka_resource_is_watched_as_soon_as_it_may_be_read() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let kafkas: Api<Kafka> = Api::namespaced(w.client.clone(), &w.namespace);
    let kafka = typed(json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
        "metadata": {"name": CLUSTER, "finalizers": ["example.com/hold"]},
        "spec": {"kafka": {"listeners": [{"name": "plain", "port": 9092, "type": "internal", "tls": false}]}},
    }));
    kafkas.create(&PostParams::default(), &kafka).await.unwrap();
    w.with_the_rights_of_a_deployment().await;
    let (roles, _) = generated(&w.namespace, &w.namespace);
    w.apply(&lacking(&lacking(&lacking(&roles, "kafkas", "get"), "kafkas", "list"), "kafkas", "watch")).await;
    w.start_operator().await;
    w.create("t", json!({"topicName": w.topic("t")})).await;
    let t: KafkaTopic = w.ready("t").await;
    assert!(has_finalizer(&t));
    w.apply(&roles).await;
    kafkas.delete(CLUSTER, &DeleteParams::default()).await.unwrap();
    w.until("t", "is free", |t| !has_finalizer(t)).await;
}
