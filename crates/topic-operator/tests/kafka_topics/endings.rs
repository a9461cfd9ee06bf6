use std::time::Duration;

use api::{Kafka, KafkaTopic};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use test_support::{KafkaNode, KafkaOptions, wait};

use crate::world::{DEADLINE, World, has_finalizer};

#[tokio::test(flavor = "multi_thread")]
async fn without_finalizers_a_deleted_resource_takes_its_topic_along_and_a_lost_label_does_not() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    w.set("STRIMZI_USE_FINALIZERS", "false");
    w.start_operator().await;
    let (goes, stays) = (w.topic("goes"), w.topic("stays"));
    w.create("goes", json!({"topicName": goes})).await;
    w.create("stays", json!({"topicName": stays})).await;
    assert!(!has_finalizer(&w.ready("goes").await));
    w.ready("stays").await;
    w.until_exists(&stays).await;
    w.patch("stays", json!({"metadata": {"labels": {"strimzi.io/cluster": "another"}}})).await;
    w.delete("goes").await;
    w.until_in_kafka(&goes, "is gone", |t| t.is_none()).await;
    assert!(w.in_kafka(&stays).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finalizer_of_an_earlier_setting_is_taken_off_and_others_stay() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    w.set("STRIMZI_USE_FINALIZERS", "false");
    let topic = w.topic("t");
    w.create("t", json!({"topicName": topic})).await;
    let both = json!({"metadata": {"finalizers": ["example.com/other", "strimzi.io/topic-operator"]}});
    w.patch("t", both).await;
    w.start_operator().await;
    let t = w.until("t", "has no finalizer of ours", |t| !has_finalizer(t)).await;
    assert_eq!(t.metadata.finalizers, Some(vec!["example.com/other".to_owned()]));
    w.ready("t").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_whose_label_left_is_not_held_up_and_its_topic_stays() {
    let w = World::start().await;
    let topic = w.topic("moved");
    w.create("moved", json!({"topicName": topic})).await;
    w.ready("moved").await;
    w.until_exists(&topic).await;
    w.patch("moved", json!({"metadata": {"labels": {"strimzi.io/cluster": "another"}}})).await;
    w.until("moved", "has no finalizer", |t| !has_finalizer(t)).await;
    assert!(w.in_kafka(&topic).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_whose_label_left_is_not_held_up_by_others_that_want_its_topic() {
    let w = World::start().await;
    let topic = w.topic("wanted");
    w.create("moved", json!({"topicName": topic})).await;
    w.ready("moved").await;
    // The topic is in one batch or another all the time.
    for rival in 0..8 {
        let name = format!("rival-{rival}");
        w.create(&name, json!({"topicName": topic})).await;
        w.refused(&name, "ResourceConflict").await;
    }
    w.patch("moved", json!({"metadata": {"labels": {"strimzi.io/cluster": "another"}}})).await;
    w.until("moved", "has no finalizer", |t| !has_finalizer(t)).await;
    w.ready("rival-0").await;
    w.until_exists(&topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_the_kafka_resource_frees_its_topics_without_deleting_them() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let kafkas: Api<Kafka> = Api::namespaced(w.client.clone(), &w.namespace);
    let kafka: Kafka = serde_json::from_value(json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
        "metadata": {"name": "my", "finalizers": ["example.com/hold"]},
        "spec": {"kafka": {"listeners": [{"name": "plain", "port": 9092, "type": "internal", "tls": false}]}},
    }))
    .unwrap();
    kafkas.create(&PostParams::default(), &kafka).await.unwrap();
    w.start_operator().await;
    let topic = w.topic("t");
    w.create("idle", json!({"topicName": topic})).await;
    w.ready("idle").await;
    w.until_exists(&topic).await;
    w.create("going", json!({"topicName": w.topic("going")})).await;
    w.ready("going").await;
    kafkas.delete("my", &DeleteParams::default()).await.unwrap();
    w.until("idle", "is free", |t| !has_finalizer(t)).await;
    w.delete("idle").await;
    w.gone("idle").await;
    assert!(w.in_kafka(&topic).await.is_some());
    kafkas
        .patch("my", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"finalizers": null}})))
        .await
        .unwrap();
    // Still true when it is gone altogether.
    w.create("late", json!({"topicName": w.topic("late")})).await;
    w.delete("going").await;
    w.gone("going").await;
    w.delete("late").await;
    w.gone("late").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_ends_is_not_held_up_by_topics() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    w.with_the_rights_of_a_deployment().await;
    w.start_operator().await;
    let topic = w.topic("t");
    w.create("t", json!({"topicName": topic})).await;
    w.ready("t").await;
    w.until_exists(&topic).await;
    let namespaces: Api<Namespace> = Api::all(w.client.clone());
    namespaces.delete(&w.namespace, &DeleteParams::default()).await.unwrap();
    w.delete("t").await;
    w.gone("t").await;
    assert!(w.in_kafka(&topic).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_delete_no_topics_are_named_in_the_status() {
    let options = KafkaOptions { tls: false, ..KafkaOptions::default() }
        .with_config("delete.topic.enable", "false")
        .with_config("auto.create.topics.enable", "true");
    let kafka = KafkaNode::start(options).await.unwrap();
    let mut w = World::with(&[kafka.bootstrap()]).await;
    w.start_operator().await;
    w.create("kept", json!({"topicName": "kept"})).await;
    w.ready("kept").await;
    w.until_exists("kept").await;
    w.delete("kept").await;
    let why = w.refused("kept", "KafkaError").await;
    assert!(why.contains("TopicDeletionDisabled") && why.contains("delete.topic.enable=false"), "{why}");
    let kept: KafkaTopic = w.resources.get("kept").await.unwrap();
    assert!(has_finalizer(&kept));
    // The way out that the message names.
    w.patch("kept", json!({"metadata": {"annotations": {"strimzi.io/managed": "false"}}})).await;
    wait::for_absence(&w.resources, "kept", DEADLINE).await.unwrap();
    assert!(w.in_kafka("kept").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_for_one_topic_that_are_deleted_in_one_call_take_it_along() {
    let w = World::start().await;
    for round in 0..5 {
        let topic = w.topic(&format!("shared-{round}"));
        let (owner, rival, third) =
            (format!("owner-{round}"), format!("rival-{round}"), format!("third-{round}"));
        w.create(&owner, json!({"topicName": topic})).await;
        w.ready(&owner).await;
        w.until_exists(&topic).await;
        for other in [&rival, &third] {
            w.create(other, json!({"topicName": topic})).await;
            w.refused(other, "ResourceConflict").await;
        }
        // One after the other, as kubectl does it.
        for name in [&owner, &rival, &third] {
            w.delete(name).await;
            tokio::time::sleep(Duration::from_millis(10 * round)).await;
        }
        for name in [&owner, &rival, &third] {
            w.gone(name).await;
        }
        w.until_in_kafka(&topic, "is gone", |t| t.is_none()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_begun_before_the_finalizer_was_there_takes_the_topic_along() {
    let w = World::start().await;
    let topic = w.topic("passed-by");
    let path = |name| format!("kafka.strimzi.io/kafkatopics/{}/{name}", w.namespace);
    w.create("manager", json!({"topicName": topic})).await;
    w.ready("manager").await;
    w.until_exists(&topic).await;
    w.create("heir", json!({"topicName": topic})).await;
    w.refused("heir", "ResourceConflict").await;
    w.server.delete_despite_finalizers(&path("manager")).await.unwrap();
    assert!(has_finalizer(&w.ready("heir").await));
    assert!(w.in_kafka(&topic).await.is_some(), "the heir wants it");
    w.server.delete_despite_finalizers(&path("heir")).await.unwrap();
    w.until_in_kafka(&topic, "is gone", |t| t.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_has_an_heir_stays_and_goes_with_the_heir() {
    let w = World::start().await;
    let topic = w.topic("inherited");
    w.create("first", json!({"topicName": topic})).await;
    w.ready("first").await;
    w.until_exists(&topic).await;
    let id = w.in_kafka(&topic).await.unwrap().id;
    w.create("heir", json!({"topicName": topic})).await;
    w.refused("heir", "ResourceConflict").await;
    w.delete("first").await;
    w.gone("first").await;
    assert!(has_finalizer(&w.ready("heir").await));
    assert_eq!(w.in_kafka(&topic).await.unwrap().id, id, "the topic was made anew");
    w.delete("heir").await;
    w.gone("heir").await;
    w.until_in_kafka(&topic, "is gone", |t| t.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lost_its_label_while_no_operator_ran_is_not_held_up_and_its_topic_stays() {
    let mut w = World::start().await;
    for (name, label) in [("bare", json!(null)), ("slipped", json!("nowhere")), ("going", json!(null))] {
        w.create(name, json!({"topicName": w.topic(name)})).await;
        w.ready(name).await;
        w.until_exists(&w.topic(name)).await;
        if name == "bare" {
            // Somebody else's operator has it, whose id is that of no topic here.
            w.create("others", json!({"topicName": w.topic("others")})).await;
            w.ready("others").await;
        }
        w.stop_operator().await;
        w.patch(name, json!({"metadata": {"labels": {"strimzi.io/cluster": label}}})).await;
        w.start_operator().await;
        if name == "going" {
            w.delete(name).await;
            w.gone(name).await;
        } else {
            w.until(name, "has no finalizer", |t| !has_finalizer(t)).await;
        }
        assert!(w.in_kafka(&w.topic(name)).await.is_some(), "{name}");
    }
    w.stop_operator().await;
    let theirs = json!({"metadata": {"labels": {"strimzi.io/cluster": "another"}}});
    w.patch("others", theirs).await;
    let status = Patch::Merge(json!({"status": {"topicId": "AAAAAAAAAAAAAAAAAAAAAQ"}}));
    w.resources.patch_status("others", &PatchParams::default(), &status).await.unwrap();
    // One that the same look finds and lets go, to see that it was made.
    w.create("last", json!({"topicName": w.topic("bare")})).await;
    let id = w.resources.get("bare").await.unwrap().status.unwrap().topic_id;
    let last = json!({"metadata": {"labels": {"strimzi.io/cluster": null}, "finalizers": ["strimzi.io/topic-operator"]}});
    w.patch("last", last).await;
    let status = Patch::Merge(json!({"status": {"topicId": id, "topicName": w.topic("bare")}}));
    w.resources.patch_status("last", &PatchParams::default(), &status).await.unwrap();
    w.start_operator().await;
    w.until("last", "has no finalizer", |t| !has_finalizer(t)).await;
    assert!(has_finalizer(&w.resources.get("others").await.unwrap()), "another operator looks after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_own_topics_are_never_deleted() {
    for finalizers in ["true", "false"] {
        let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
        w.set("STRIMZI_USE_FINALIZERS", finalizers);
        w.start_operator().await;
        w.create("own", json!({"topicName": "__transaction_state", "partitions": 1})).await;
        w.create("other", json!({"topicName": w.topic("other")})).await;
        for (name, topic) in [("own", "__transaction_state".to_owned()), ("other", w.topic("other"))] {
            w.ready(name).await;
            w.until_exists(&topic).await;
        }
        w.delete("own").await;
        w.gone("own").await;
        w.delete("other").await;
        w.until_in_kafka(&w.topic("other"), "is gone", |t| t.is_none()).await;
        assert!(w.in_kafka("__transaction_state").await.is_some(), "with finalizers: {finalizers}");
    }
}
