use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use test_support::wait;

use crate::world::{DEADLINE, World, has_finalizer};

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_everything_writes_nothing_when_nothing_changed() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    w.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "1000");
    w.set("STRIMZI_SKIP_CLUSTER_CONFIG_REVIEW", "true");
    for i in 0..50 {
        let name = w.topic(&format!("idle-{i}"));
        // Values that Kafka shows in its own spelling are no difference either.
        w.create(
            &name,
            json!({"partitions": 1, "config": {"cleanup.policy": "compact, delete", "preallocate": "FALSE"}}),
        )
        .await;
    }
    w.start_operator().await;
    for i in 0..50 {
        w.ready(&w.topic(&format!("idle-{i}"))).await;
    }
    let sweeps = |w: &World| (w.metric("strimzi_reconciliations_total") / 50.0).floor();
    let settled = sweeps(&w) + 1.0;
    let reached = |n: f64| {
        let w = &w;
        wait::until(DEADLINE, "the next look at everything is done", move || async move {
            (sweeps(w) >= n).then_some(())
        })
    };
    reached(settled).await.unwrap();
    let (versions, requests, begun) = (w.versions().await, w.requests(), sweeps(&w));
    reached(begun + 3.0).await.unwrap();
    assert_eq!(w.versions().await, versions, "nothing was written to Kubernetes");
    let counted = w.metrics.render().unwrap();
    let counted = counted.lines().find_map(|l| l.strip_prefix("kastellan_kafka_requests_total ")).unwrap();
    assert!(counted.parse::<u64>().unwrap() >= requests, "the metric counts the requests: {counted}");
    // Two requests for each look: topics, and their configurations; none of them writes.
    let looks = sweeps(&w) - begun + 1.0;
    assert!(
        (w.requests() - requests) as f64 <= 2.0 * looks,
        "{} requests in {looks} looks",
        w.requests() - requests
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_new_topics_are_made_with_few_requests_and_two_writes_each() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let names: Vec<String> = (0..200).map(|i| w.topic(&format!("many-{i}"))).collect();
    w.set("STRIMZI_ENABLE_ADDITIONAL_METRICS", "true");
    join_all(names.iter().map(|n| w.create(n, json!({"partitions": 1})))).await;
    w.start_operator().await;
    for name in &names {
        assert!(has_finalizer(&w.ready(name).await));
    }
    for write in ["add_finalizer", "update_status"] {
        // A write is counted a moment after others can see it.
        let count = format!("strimzi_{write}_duration_seconds_count");
        let is_counted = || async { (w.metric(&count) == 200.0).then_some(()) };
        wait::until(DEADLINE, &format!("{count} is 200"), is_counted).await.unwrap();
        assert!(w.metric(&format!("strimzi_{write}_duration_seconds_max")) > 0.0, "{write}");
    }
    assert!(w.requests() < 40, "{} requests for 200 topics", w.requests());
    assert!(w.metric("strimzi_reconciliations_max_batch_size") >= 50.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_new_topic_does_not_wait_for_a_batch() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    // A linger that would be seen at once.
    w.set("STRIMZI_MAX_BATCH_LINGER_MS", "30000");
    w.start_operator().await;
    let begun = Instant::now();
    let name = w.topic("quick");
    w.create(&name, json!({})).await;
    w.ready(&name).await;
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}
