use api::kafka_topic::ReplicasChangeState;
use kafka_admin::{ConfigResource, ConfigSelection, ConfigSource};
use serde_json::json;
use test_support::{KafkaCluster, KafkaOptions, wait};

use crate::world::{DEADLINE, World, is_current, is_ready, status};

async fn rates(w: &World) -> usize {
    let brokers = (0..3).map(ConfigResource::Broker);
    let answer = w.admin.describe_configs(brokers, ConfigSelection::Dynamic).await.unwrap();
    answer
        .into_values()
        .filter_map(Result::ok)
        .flatten()
        .filter(|(name, e)| {
            name.ends_with("replication.throttled.rate") && e.source == ConfigSource::DynamicBroker
        })
        .count()
}

async fn until_no_rates(w: &World) {
    wait::until(
        DEADLINE,
        "no broker has a throttle rate",
        || async move { (rates(w).await == 0).then_some(()) },
    )
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::too_many_lines, reason = "one story")]
async fn the_replication_factor_changes_both_ways_and_survives_a_killed_operator() {
    // The broker that stands still below has to stay a member meanwhile, on a busy machine too.
    let options = KafkaOptions { tls: false, ..KafkaOptions::default() }
        .with_config("broker.session.timeout.ms", "120000");
    let cluster = KafkaCluster::start(3, options).await.unwrap();
    let mut w = World::with(&cluster.bootstrap()).await;
    w.start_operator().await;
    let topic = w.topic("moving");
    w.create("moving", json!({"topicName": topic, "partitions": 6, "replicas": 1})).await;
    w.ready("moving").await;
    w.until_in_kafka(&topic, "has leaders", |t| {
        t.is_some_and(|t| t.partitions.iter().all(|p| p.leader.is_some()))
    })
    .await;
    let before = w.in_kafka(&topic).await.unwrap();

    // A broker that stands still: the new replicas there cannot catch up, so the move is still running when the
    // operator is killed.
    cluster.nodes()[2].pause().unwrap();
    w.patch("moving", json!({"spec": {"replicas": 3}})).await;
    let t = w
        .until("moving", "has a change in progress", |t| {
            status(t).replicas_change.is_some_and(|c| c.state == Some(ReplicasChangeState::Ongoing))
        })
        .await;
    assert_eq!(status(&t).replicas_change.unwrap().target_replicas, Some(3));
    assert!(is_ready(&t));
    w.kill_operator();
    cluster.nodes()[2].resume().unwrap();
    w.start_operator().await;

    w.until("moving", "has ended its change", |t| {
        is_current(t) && is_ready(t) && status(t).replicas_change.is_none()
    })
    .await;
    w.until_in_kafka(&topic, "has three replicas in sync", |t| {
        t.is_some_and(|t| t.partitions.iter().all(|p| p.replicas.len() == 3 && p.isr.len() == 3))
    })
    .await;
    let after = w.in_kafka(&topic).await.unwrap();
    for (old, new) in before.partitions.iter().zip(&after.partitions) {
        assert_eq!(old.replicas[0], new.replicas[0], "the preferred leader stays");
    }
    // The throttles are gone.
    w.until_config(&topic, &[]).await;
    until_no_rates(&w).await;

    // And back; together with new partitions.
    w.patch("moving", json!({"spec": {"replicas": 2, "partitions": 8}})).await;
    w.until_in_kafka(&topic, "has eight partitions with two replicas", |t| {
        t.is_some_and(|t| t.partitions.len() == 8 && t.partitions.iter().all(|p| p.replicas.len() == 2))
    })
    .await;
    let t = w
        .until("moving", "has ended its change", |t| {
            is_current(t) && is_ready(t) && status(t).replicas_change.is_none()
        })
        .await;
    assert!(is_ready(&t));
    let after = w.in_kafka(&topic).await.unwrap();
    let used: std::collections::BTreeSet<i32> =
        after.partitions.iter().flat_map(|p| p.replicas.clone()).collect();
    assert_eq!(used.len(), 3, "replicas are spread");

    w.patch("moving", json!({"spec": {"replicas": 4}})).await;
    let why = w.refused("moving", "KafkaError").await;
    assert!(why.contains("spec.replicas is 4 but only 3 brokers"), "{why}");

    // Two changes that are found to have ended in the same look leave nothing behind either.
    let both = ["moving", "along"];
    w.create("along", json!({"topicName": w.topic("along"), "partitions": 6, "replicas": 1})).await;
    w.ready("along").await;
    cluster.nodes()[2].pause().unwrap();
    for name in both {
        w.patch(name, json!({"spec": {"replicas": 3}})).await;
    }
    for name in both {
        w.until(name, "has a change in progress", |t| {
            status(t).replicas_change.is_some_and(|c| c.state == Some(ReplicasChangeState::Ongoing))
        })
        .await;
    }
    assert!(rates(&w).await > 0);
    w.kill_operator();
    cluster.nodes()[2].resume().unwrap();
    for name in both {
        w.until_in_kafka(&w.topic(name), "has three replicas in sync", |t| {
            t.is_some_and(|t| t.partitions.iter().all(|p| p.replicas.len() == 3 && p.isr.len() == 3))
        })
        .await;
    }
    w.start_operator().await;
    for name in both {
        w.until(name, "has ended its change", |t| is_ready(t) && status(t).replicas_change.is_none()).await;
    }
    until_no_rates(&w).await;
}
