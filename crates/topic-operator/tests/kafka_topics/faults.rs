use std::time::Duration;

use api::KafkaTopic;
use futures::future::join_all;
use kube::{Api, api::PostParams};
use serde_json::json;
use test_support::{KafkaCluster, KafkaNode, KafkaOptions};

use crate::world::{World, has_finalizer, is_ready};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_killed_in_the_middle_of_a_batch_goes_on_where_it_was() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let names: Vec<String> = (0..150).map(|i| w.topic(&format!("t-{i}"))).collect();
    join_all(names.iter().map(|n| w.create(n, json!({"partitions": 1})))).await;
    for _ in 0..3 {
        w.start_operator().await;
        let seen = w.versions().await;
        // Killed as soon as anything was written.
        let w_ref = &w;
        let seen = &seen;
        let _ = test_support::wait::until(Duration::from_secs(20), "something was written", || async move {
            (w_ref.versions().await != *seen).then_some(())
        })
        .await;
        w.kill_operator();
    }
    // And once ended as a pod is.
    w.start_operator().await;
    w.stop_operator().await;
    w.start_operator().await;
    for name in &names {
        assert!(has_finalizer(&w.ready(name).await));
    }
    // Another broker connection may hear of a topic a moment after its creation.
    let (w, names) = (&w, &names);
    test_support::wait::until(Duration::from_secs(20), "all topics exist", || async move {
        let all = w.admin.list_topics().await.unwrap();
        names.iter().all(|n| all.contains_key(n)).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_may_be_away_and_come_back() {
    let options = KafkaOptions { tls: false, ..KafkaOptions::default() };
    let mut kafka = KafkaNode::start(options).await.unwrap();
    let mut w = World::with(&[kafka.bootstrap()]).await;
    w.start_operator().await;
    w.create("before", json!({"partitions": 1})).await;
    w.ready("before").await;
    w.create("goes", json!({"partitions": 1})).await;
    w.ready("goes").await;
    kafka.stop().await.unwrap();
    w.create("during", json!({"partitions": 1})).await;
    w.delete("goes").await;
    // What cannot be done is not forgotten, and what was Ready is not called broken.
    w.until("during", "has its finalizer", has_finalizer).await;
    kafka.start_again().await.unwrap();
    w.ready("during").await;
    w.gone("goes").await;
    assert!(is_ready(&w.resources.get("before").await.unwrap()));
    w.until_exists("during").await;
    w.until_in_kafka("goes", "is gone", |t| t.is_none()).await;
    let topics: Vec<String> = w.admin.list_topics().await.unwrap().into_keys().collect();
    assert_eq!(topics, ["before", "during"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_may_be_away_and_come_back() {
    let mut w = World::alone(&[crate::world::kafka().await.bootstrap()]).await;
    w.start_operator().await;
    let names: Vec<String> = (0..40).map(|i| w.topic(&format!("api-{i}"))).collect();
    let (first, rest) = names.split_at(1);
    w.create(&first[0], json!({"partitions": 1})).await;
    w.ready(&first[0]).await;
    join_all(rest.iter().map(|n| w.create(n, json!({"partitions": 1})))).await;
    // In the middle of the batch, most likely.
    w.server.stop();
    w.server.resume().await.unwrap();
    for name in &names {
        assert!(has_finalizer(&w.ready(name).await));
    }
    w.delete(&names[0]).await;
    w.gone(&names[0]).await;
    w.until_in_kafka(&names[0], "is gone", |t| t.is_none()).await;
    w.until_exists(&names[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_that_write_the_same_resource_at_the_same_time_lose_nothing_and_win_nothing() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let topic = w.topic("contested");
    w.create("contested", json!({"topicName": topic, "partitions": 1})).await;
    let writer = tokio::spawn(contest(w.resources.clone(), "contested"));
    w.start_operator().await;
    for partitions in 2..=5 {
        w.until("contested", "has its finalizer", has_finalizer).await;
        w.patch("contested", json!({"spec": {"partitions": partitions}})).await;
    }
    writer.await.unwrap();
    let t = w.ready("contested").await;
    assert_eq!(t.metadata.annotations.unwrap()["example.com/round"], "99", "the other's last word stands");
    w.until_in_kafka(&topic, "has five partitions", |t| t.is_some_and(|t| t.partitions.len() == 5)).await;
}

/// Writes an annotation and a wrong status again and again, as a whole and with the version that was read, as other
/// controllers do.
async fn contest(topics: Api<KafkaTopic>, name: &str) {
    for round in 0..100 {
        loop {
            let mut t = topics.get(name).await.unwrap();
            t.metadata
                .annotations
                .get_or_insert_default()
                .insert("example.com/round".into(), round.to_string());
            let Ok(mut t) = topics.replace(name, &PostParams::default(), &t).await else { continue };
            let status = t.status.get_or_insert_default();
            status.conditions = serde_json::from_value(json!([{
                "type": "Ready", "status": "False", "reason": "Foreign", "message": format!("round {round}"),
            }]))
            .unwrap();
            // Of no consequence when somebody else was quicker.
            let _ = topics.replace_status(name, &PostParams::default(), &t).await;
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_active_controller_may_go_in_the_middle_of_a_batch() {
    let options = KafkaOptions { tls: false, ..KafkaOptions::default() }
        .with_config("default.replication.factor", "3")
        .with_config("min.insync.replicas", "1");
    let mut kafka = KafkaCluster::start(3, options).await.unwrap();
    let mut w = World::with(&kafka.bootstrap()).await;
    let names: Vec<String> = (0..60).map(|i| format!("elected-{i}")).collect();
    join_all(names.iter().map(|n| w.create(n, json!({"partitions": 1})))).await;
    let leader = w.admin.describe_quorum().await.unwrap().leader_id.unwrap();
    w.start_operator().await;
    w.until(&names[0], "is worked on", has_finalizer).await;
    kafka.node(leader as usize).kill();
    for name in &names {
        w.ready(name).await;
        w.until_exists(name).await;
    }
    // A deletion afterwards is as good as one before.
    w.delete(&names[0]).await;
    w.gone(&names[0]).await;
    w.until_in_kafka(&names[0], "is gone", |t| t.is_none()).await;
}
