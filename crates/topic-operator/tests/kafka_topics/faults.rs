use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use test_support::{KafkaNode, KafkaOptions};

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
    assert!(is_ready(&w.topics.get("before").await.unwrap()));
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
