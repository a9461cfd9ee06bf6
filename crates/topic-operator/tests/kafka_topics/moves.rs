//! Resources that move from one cluster to another by their label: each cluster has an operator.

use serde_json::json;
use test_support::{KafkaNode, KafkaOptions};

use crate::world::{World, has_finalizer, status};

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_moved_has_its_finalizer_at_once_and_is_deleted_with_its_topic() {
    let options = KafkaOptions { tls: false, ..KafkaOptions::default() };
    let far = KafkaNode::start(options).await.unwrap();
    let here = World::start().await;
    let mut there = here.beside("far", &[far.bootstrap()]).await;
    there.start_operator().await;
    for round in 0..6 {
        let name = format!("moved-{round}");
        let topic = here.topic(&name);
        here.create(&name, json!({"topicName": topic})).await;
        let first = status(&here.ready(&name).await).topic_id;
        here.until_exists(&topic).await;
        here.patch(&name, json!({"metadata": {"labels": {"strimzi.io/cluster": "far"}}})).await;
        // The new operator has taken it over, and the old one has let go of it, in whatever order.
        here.until(&name, "is looked after by the new operator", |t| {
            has_finalizer(t) && status(t).topic_id.is_some() && status(t).topic_id != first
        })
        .await;
        there.until_exists(&topic).await;
        // Neither looks at everything within an hour.
        for _ in 0..20 {
            here.until(&name, "has its finalizer", has_finalizer).await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        here.delete(&name).await;
        here.gone(&name).await;
        there.until_in_kafka(&topic, "is gone", |t| t.is_none()).await;
        assert!(here.in_kafka(&topic).await.is_some(), "the topic of the former cluster stays");
    }
}
