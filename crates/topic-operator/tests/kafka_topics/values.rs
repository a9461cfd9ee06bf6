//! Values of a topic's configuration in every spelling that Kafka takes, and such that it cannot take.

use serde_json::json;
use test_support::wait;

use crate::world::{DEADLINE, World};

#[tokio::test(flavor = "multi_thread")]
async fn values_that_kafka_spells_otherwise_are_written_once() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    w.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "1000");
    w.start_operator().await;
    let spellings = [
        json!({"cleanup.policy": ["compact", "compact"]}),
        json!({"cleanup.policy": ["delete", "compact", "delete"]}),
        json!({"cleanup.policy": " compact ,\tdelete "}),
        json!({"min.cleanable.dirty.ratio": "0.5d", "preallocate": " TRUE "}),
        json!({"min.cleanable.dirty.ratio": "0x1.8p-1F", "retention.ms": "+0060000"}),
        json!({"min.cleanable.dirty.ratio": "5E-1D", "max.message.bytes": "0001048588"}),
        json!({"leader.replication.throttled.replicas": "0:0,0:0", "segment.bytes": " 1048576 "}),
        json!({"follower.replication.throttled.replicas": "*", "compression.type": "gzip"}),
        json!({"leader.replication.throttled.replicas": [], "flush.messages": 7}),
    ];
    let mut names = Vec::new();
    for (index, config) in spellings.iter().enumerate() {
        let name = w.topic(&format!("spelled-{index}"));
        w.create(&name, json!({"partitions": 1, "config": config})).await;
        w.ready(&name).await;
        names.push(name);
    }
    let rounds = || w.metric("strimzi_reconciliations_total") / names.len() as f64;
    let begun = rounds();
    wait::until(DEADLINE, "three looks at everything", || async { (rounds() >= begun + 4.0).then_some(()) })
        .await
        .unwrap();
    let log = w.log.text();
    assert!(!log.contains("altered the configuration"), "{log}");
    // A value that means something else is written.
    w.patch(&names[3], json!({"spec": {"config": {"min.cleanable.dirty.ratio": "0.25f"}}})).await;
    w.until_config(&names[3], &[("min.cleanable.dirty.ratio", "0.25"), ("preallocate", "true")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_too_long_for_kafka_is_refused_and_keeps_nobody_waiting() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let (long, beside) = (w.topic("long"), w.topic("beside"));
    let value = "0:0,".repeat(10_000);
    w.create(&long, json!({"config": {"leader.replication.throttled.replicas": value}})).await;
    w.create(&beside, json!({})).await;
    w.start_operator().await;
    let begun = std::time::Instant::now();
    w.ready(&beside).await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{:?}", begun.elapsed());
    let why = w.refused(&long, "InvalidResourceException").await;
    assert!(why.contains("spec.config.leader.replication.throttled.replicas"), "{why}");
    assert!(why.contains("40000 bytes") && why.contains("32767"), "{why}");
    w.patch(&long, json!({"spec": {"config": {"leader.replication.throttled.replicas": null}}})).await;
    w.ready(&long).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_looks_at_everything_are_counted() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    w.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "1000");
    for i in 0..5 {
        w.create(&w.topic(&format!("counted-{i}")), json!({})).await;
    }
    let begun = std::time::Instant::now();
    w.start_operator().await;
    let rounds = || w.metric("strimzi_reconciliations_periodical_total");
    wait::until(DEADLINE, "three rounds are counted", || async { (rounds() >= 3.0).then_some(()) })
        .await
        .unwrap();
    let most = begun.elapsed().as_secs_f64();
    assert!(rounds() <= most, "{} rounds of a second in {most} s", rounds());
}
