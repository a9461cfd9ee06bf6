use kafka_admin::{NewTopic, format_uuid};
use kube::api::PostParams;
use serde_json::json;
use test_support::{KafkaNode, KafkaOptions, wait};

use crate::world::{DEADLINE, World, condition, has_finalizer, resource, status};

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_created_altered_grown_and_deleted() {
    let w = World::start().await;
    let topic = w.topic("Orders_1");
    let config = json!({"cleanup.policy": ["compact", "delete"], "retention.ms": 3_600_000});
    w.create("orders", json!({"topicName": topic, "partitions": 1, "replicas": 1, "config": config})).await;
    let ready = w.ready("orders").await;
    assert!(has_finalizer(&ready));
    w.until_in_kafka(&topic, "has one partition", |t| t.is_some_and(|t| t.partitions.len() == 1)).await;
    let made = w.in_kafka(&topic).await.unwrap();
    assert_eq!(status(&ready).topic_name, Some(topic.clone()));
    assert_eq!(status(&ready).topic_id, Some(format_uuid(made.id)));
    w.until_config(&topic, &[("cleanup.policy", "compact,delete"), ("retention.ms", "3600000")]).await;

    // One key changes, one leaves, partitions are added.
    let spec = json!({"partitions": 3, "config": {"cleanup.policy": null, "retention.ms": 7_200_000}});
    w.patch("orders", json!({ "spec": spec })).await;
    w.ready("orders").await;
    w.until_config(&topic, &[("retention.ms", "7200000")]).await;
    w.until_in_kafka(&topic, "has three partitions", |t| t.is_some_and(|t| t.partitions.len() == 3)).await;

    // Fewer partitions are refused; what else the resource says is done.
    w.patch("orders", json!({"spec": {"partitions": 2, "config": {"retention.ms": 1000}}})).await;
    let why = w.refused("orders", "NotSupported").await;
    assert!(why.contains("spec.partitions is 2, the topic has 3"), "{why}");
    w.until_config(&topic, &[("retention.ms", "1000")]).await;

    w.patch("orders", json!({"spec": {"partitions": 3, "topicName": w.topic("other")}})).await;
    let why = w.refused("orders", "NotSupported").await;
    assert!(why.contains("changing spec.topicName is not supported"), "{why}");

    w.delete("orders").await;
    w.gone("orders").await;
    w.until_in_kafka(&topic, "is gone", |t| t.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_said_is_the_brokers_default() {
    let w = World::start().await;
    let name = w.topic("plain");
    w.create(&name, json!({})).await;
    let ready = w.ready(&name).await;
    assert_eq!(status(&ready).topic_name.as_deref(), Some(&*name));
    w.until_in_kafka(&name, "has two partitions", |t| t.is_some_and(|t| t.partitions.len() == 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_in_the_status_and_the_others_go_on() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    // The API server itself refuses what no topic can have.
    let none = resource("none", json!({"partitions": 0}), json!({}));
    let why = w.resources.create(&PostParams::default(), &none).await.unwrap_err().to_string();
    assert!(why.contains("spec.partitions") && why.contains("greater than or equal to 1"), "{why}");
    // Present before the start, so that all are in one batch.
    w.create("bad-name", json!({"topicName": "a b"})).await;
    w.create("too-many", json!({"topicName": w.topic("too-many"), "partitions": 1, "replicas": 7})).await;
    w.create("bad-key", json!({"topicName": w.topic("k"), "config": {"no.such.key": 1}})).await;
    w.create("bad-value", json!({"topicName": w.topic("v"), "config": {"retention.ms": "soon"}})).await;
    w.create("no-value", json!({"topicName": w.topic("n"), "config": {"retention.ms": {"a": 1}}})).await;
    w.create("good", json!({"topicName": w.topic("good")})).await;
    w.start_operator().await;
    w.ready("good").await;
    let why = w.refused("bad-name", "KafkaError").await;
    assert!(why.contains("contains ' '"), "{why}");
    let why = w.refused("too-many", "KafkaError").await;
    assert!(why.contains("InvalidReplicationFactor"), "{why}");
    let why = w.refused("bad-key", "KafkaError").await;
    assert!(why.contains("no.such.key"), "{why}");
    let why = w.refused("bad-value", "KafkaError").await;
    assert!(why.contains("retention.ms"), "{why}");
    let why = w.refused("no-value", "InvalidResourceException").await;
    assert!(why.contains("spec.config.retention.ms is an object"), "{why}");

    // Correcting a resource heals it.
    w.patch("too-many", json!({"spec": {"replicas": 1}})).await;
    w.ready("too-many").await;
    // A resource that never had a topic goes without trouble.
    for name in ["bad-name", "bad-key"] {
        w.delete(name).await;
        w.gone(name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_of_two_resources_manages_the_topic_and_the_other_inherits_it() {
    let w = World::start().await;
    let topic = w.topic("shared");
    w.create("first", json!({"topicName": topic, "partitions": 1})).await;
    w.ready("first").await;
    w.create("second", json!({"topicName": topic, "partitions": 1})).await;
    let why = w.refused("second", "ResourceConflict").await;
    assert_eq!(why, format!("Managed by Ref{{namespace='{}', name='first'}}", w.namespace));
    w.ready("first").await;
    w.until_exists(&topic).await;
    let id = w.in_kafka(&topic).await.unwrap().id;

    // The loser goes: the topic stays.
    w.delete("second").await;
    w.gone("second").await;
    assert_eq!(w.in_kafka(&topic).await.unwrap().id, id);

    // The manager goes: the topic, and its records, stay for the one that wants it.
    w.create("third", json!({"topicName": topic, "partitions": 1})).await;
    w.refused("third", "ResourceConflict").await;
    w.delete("first").await;
    w.gone("first").await;
    w.ready("third").await;
    assert_eq!(w.in_kafka(&topic).await.unwrap().id, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmanaged_topic_is_left_alone_even_when_its_resource_goes() {
    let w = World::start().await;
    let topic = w.topic("free");
    w.create("free", json!({"topicName": topic, "partitions": 1})).await;
    w.ready("free").await;
    w.until_exists(&topic).await;
    w.patch("free", json!({"metadata": {"annotations": {"strimzi.io/managed": "false"}}})).await;
    let t = w
        .until("free", "is unmanaged", |t| condition(t, "Unmanaged").is_some_and(|c| c.status == "True"))
        .await;
    assert_eq!((status(&t).topic_name, status(&t).topic_id), (None, None));
    w.patch("free", json!({"spec": {"partitions": 5}})).await;
    w.until("free", "is seen", crate::world::is_current).await;
    w.delete("free").await;
    w.gone("free").await;
    assert_eq!(w.in_kafka(&topic).await.unwrap().partitions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_resource_is_left_alone_until_it_goes_on() {
    let w = World::start().await;
    let topic = w.topic("paused");
    let paused = json!({"strimzi.io/pause-reconciliation": "true"});
    w.create_with("paused", json!({"topicName": topic, "partitions": 1}), paused).await;
    let t = w
        .until("paused", "is paused", |t| {
            condition(t, "ReconciliationPaused").is_some_and(|c| c.status == "True")
        })
        .await;
    assert_eq!(status(&t).topic_id, None);
    assert!(!has_finalizer(&t));
    assert!(w.in_kafka(&topic).await.is_none());
    assert!((w.metric("strimzi_resources_paused") - 1.0).abs() < 0.1);
    w.patch("paused", json!({"metadata": {"annotations": {"strimzi.io/pause-reconciliation": null}}})).await;
    w.until("paused", "is ready", crate::world::is_ready).await;
    w.until_exists(&topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_there_is_taken_over_and_one_without_a_resource_is_not_touched() {
    let w = World::start().await;
    let (known, foreign) = (w.topic("known"), w.topic("foreign"));
    for name in [&known, &foreign] {
        let mut topic = NewTopic::new(name.clone());
        topic.partitions = Some(1);
        topic.configs.insert("retention.ms".into(), "5".into());
        w.admin.create_topics(vec![topic], false).await.unwrap();
    }
    w.until_exists(&known).await;
    w.create("known", json!({"topicName": known, "partitions": 2})).await;
    w.ready("known").await;
    w.until_in_kafka(&known, "has grown", |t| t.is_some_and(|t| t.partitions.len() == 2)).await;
    w.until_config(&known, &[]).await;
    w.until_config(&foreign, &[("retention.ms", "5")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_alterable_keep_their_value_with_a_warning() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    w.set("STRIMZI_ALTERABLE_TOPIC_CONFIG", "retention.ms");
    w.start_operator().await;
    let topic = w.topic("policy");
    w.create("policy", json!({"topicName": topic, "partitions": 1, "config": {"segment.bytes": 2_000_000}}))
        .await;
    w.ready("policy").await;
    w.patch("policy", json!({"spec": {"config": {"segment.bytes": 3_000_000, "retention.ms": 5}}})).await;
    let t = w.ready("policy").await;
    let warning = condition(&t, "Warning").unwrap();
    assert_eq!(warning.reason.as_deref(), Some("InvalidConfig"));
    assert!(warning.message.as_ref().unwrap().contains("segment.bytes"));
    w.until_config(&topic, &[("retention.ms", "5"), ("segment.bytes", "2000000")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_create_topics_by_themselves_are_warned_of_however_late_they_answer() {
    let options = KafkaOptions { tls: false, ..KafkaOptions::default() };
    let options = options.with_config("auto.create.topics.enable", "true");
    let kafka = KafkaNode::start(options).await.unwrap();
    kafka.pause().unwrap();
    let mut w = World::with(&[kafka.bootstrap()]).await;
    w.start_operator().await;
    w.create("t", json!({})).await;
    let says = |what: &'static str| {
        let log = &w.log;
        wait::until(DEADLINE, what, move || async move { log.text().contains(what).then_some(()) })
    };
    // By then the first calls have run into their time limit.
    says("Kafka cannot be reached").await.unwrap();
    kafka.resume().unwrap();
    says("the brokers have auto.create.topics.enable=true").await.unwrap();
}
