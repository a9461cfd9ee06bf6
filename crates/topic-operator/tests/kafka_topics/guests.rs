use api::KafkaTopic;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use serde_json::json;
use test_support::wait;

use crate::world::{DEADLINE, World, condition, create_in, is_ready};

/// Makes the ConfigMap by which a namespace lets the cluster serve its topics.
async fn grant(w: &World, namespace: &str) -> Api<ConfigMap> {
    let maps: Api<ConfigMap> = Api::namespaced(w.client.clone(), namespace);
    let grant = ConfigMap {
        metadata: ObjectMeta { name: Some("kastellan-topic-grant".into()), ..ObjectMeta::default() },
        data: Some([("clusters".to_owned(), format!("{}/my", w.namespace))].into()),
        ..ConfigMap::default()
    };
    maps.create(&PostParams::default(), &grant).await.unwrap();
    maps
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_in_another_namespace_is_served_once_that_namespace_grants_it() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let team = w.server.create_namespace("team").await.unwrap();
    w.set("KASTELLAN_TOPIC_NAMESPACES", &format!("{team}={team}."));
    w.start_operator().await;
    let topics: Api<KafkaTopic> = Api::namespaced(w.client.clone(), &team);
    let topic = format!("{team}.orders");
    create_in(&topics, "orders", json!({ "topicName": topic }), json!({})).await;
    create_in(&topics, "greedy", json!({"topicName": w.topic("not-theirs")}), json!({})).await;
    let refused = |text: &'static str| {
        move |t: &KafkaTopic| {
            condition(t, "Ready")
                .is_some_and(|c| c.status == "False" && c.message.as_ref().is_some_and(|m| m.contains(text)))
        }
    };
    wait::for_object(&topics, "orders", DEADLINE, "is refused", refused("kastellan-topic-grant"))
        .await
        .unwrap();
    assert!(w.in_kafka(&topic).await.is_none());

    let maps = grant(&w, &team).await;
    wait::for_object(&topics, "orders", DEADLINE, "is ready", is_ready).await.unwrap();
    w.until_exists(&topic).await;
    wait::for_object(&topics, "greedy", DEADLINE, "is refused", refused("have to start with")).await.unwrap();

    // Without the grant nothing is deleted any more, and nothing is held up.
    maps.delete("kastellan-topic-grant", &DeleteParams::default()).await.unwrap();
    wait::for_object(&topics, "orders", DEADLINE, "is refused", refused("kastellan-topic-grant"))
        .await
        .unwrap();
    topics.delete("orders", &DeleteParams::default()).await.unwrap();
    wait::for_absence(&topics, "orders", DEADLINE).await.unwrap();
    assert!(w.in_kafka(&topic).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_a_namespace_may_not_have_is_not_kept_from_those_that_may() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let greedy = w.server.create_namespace("greedy").await.unwrap();
    let team = w.server.create_namespace("team").await.unwrap();
    w.set("KASTELLAN_TOPIC_NAMESPACES", &format!("{greedy}={greedy}.,{team}={team}."));
    grant(&w, &greedy).await;
    grant(&w, &team).await;
    let greedy: Api<KafkaTopic> = Api::namespaced(w.client.clone(), &greedy);
    let team_topics: Api<KafkaTopic> = Api::namespaced(w.client.clone(), &team);
    // The older resource may not have the topic, and the namespace that owns the prefix gets it.
    let (topic, own) = (format!("{team}.x"), w.topic("own"));
    create_in(&greedy, "x", json!({ "topicName": topic }), json!({})).await;
    create_in(&greedy, "own", json!({ "topicName": own }), json!({})).await;
    create_in(&team_topics, "x", json!({ "topicName": topic }), json!({})).await;
    w.create("own", json!({ "topicName": own })).await;
    w.start_operator().await;
    wait::for_object(&team_topics, "x", DEADLINE, "is ready", is_ready).await.unwrap();
    w.ready("own").await;
    w.until_exists(&own).await;
    // Nor is it an heir, for whom the topic would stay.
    w.delete("own").await;
    w.gone("own").await;
    w.until_in_kafka(&own, "is gone", |t| t.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_granted_is_deleted_by_an_operator_that_starts_later() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let team = w.server.create_namespace("team").await.unwrap();
    w.set("KASTELLAN_TOPIC_NAMESPACES", &format!("{team}={team}."));
    grant(&w, &team).await;
    let topics: Api<KafkaTopic> = Api::namespaced(w.client.clone(), &team);
    // Several, and several starts: which list comes first is left to chance.
    for round in 0..5 {
        let name = format!("t{round}");
        let topic = format!("{team}.{name}");
        create_in(&topics, &name, json!({ "topicName": topic }), json!({})).await;
        w.start_operator().await;
        wait::for_object(&topics, &name, DEADLINE, "is ready", is_ready).await.unwrap();
        w.until_exists(&topic).await;
        w.stop_operator().await;
        topics.delete(&name, &DeleteParams::default()).await.unwrap();
        w.start_operator().await;
        wait::for_absence(&topics, &name, DEADLINE).await.unwrap();
        w.until_in_kafka(&topic, "is gone", |t| t.is_none()).await;
        w.stop_operator().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_fills_the_memory_takes_nothing_from_the_topics_of_the_cluster() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let greedy = w.server.create_namespace("filling").await.unwrap();
    w.set("KASTELLAN_TOPIC_NAMESPACES", &greedy);
    w.set("KASTELLAN_MAX_CACHE_MIB", "1");
    w.start_operator().await;
    // Nothing is granted: whoever may write KafkaTopics there needs nobody else.
    let topics: Api<KafkaTopic> = Api::namespaced(w.client.clone(), &greedy);
    let long = "x".repeat(300_000);
    for number in 0..6 {
        let spec = json!({"topicName": w.topic("many"), "config": {"retention.ms": long}});
        create_in(&topics, &format!("large-{number}"), spec, json!({})).await;
    }
    let no_room = |topic: &KafkaTopic| {
        condition(topic, "Ready").is_some_and(|ready| {
            ready.message.as_ref().is_some_and(|why| why.contains("KASTELLAN_MAX_CACHE_MIB"))
        })
    };
    wait::for_object(&topics, "large-5", DEADLINE, "has no room", no_room).await.unwrap();
    let own = w.topic("own");
    w.create("own", json!({"topicName": own, "config": {"retention.ms": 1000}})).await;
    w.ready("own").await;
    w.until_config(&own, &[("retention.ms", "1000")]).await;
    w.patch("own", json!({"spec": {"config": {"retention.ms": 2000}}})).await;
    w.until_config(&own, &[("retention.ms", "2000")]).await;

    // What there was no room for can be deleted, and its room is for others.
    for number in 0..6 {
        topics.delete(&format!("large-{number}"), &DeleteParams::default()).await.unwrap();
    }
    for number in 0..6 {
        wait::for_absence(&topics, &format!("large-{number}"), DEADLINE).await.unwrap();
    }
    create_in(&topics, "small", json!({"topicName": w.topic("small")}), json!({})).await;
    let refused = |topic: &KafkaTopic| condition(topic, "Ready").is_some() && !no_room(topic);
    wait::for_object(&topics, "small", DEADLINE, "is read", refused).await.unwrap();
}
