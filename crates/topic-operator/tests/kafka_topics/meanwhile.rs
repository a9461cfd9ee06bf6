//! Resources that are changed while a batch works on them. The timer's look at everything is an hour away.

use futures::{
    FutureExt,
    future::{join_all, select_all},
};
use serde_json::json;

use crate::world::{World, has_finalizer};

const TOPICS: usize = 150;
/// So many of them may go at once without a finalizer: of more the operator suspects that they were lost.
const FEW: usize = 20;

/// Many resources, so that a batch takes its time over them; the operator does not run yet.
async fn crowd() -> (World, Vec<String>) {
    let w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let names: Vec<String> = (0..TOPICS).map(|i| format!("t{i}")).collect();
    join_all(names.iter().map(|n| w.create(n, json!({"topicName": w.topic(n), "partitions": 1})))).await;
    (w, names)
}

async fn all_gone(w: &World, names: &[String]) {
    for name in names {
        w.gone(name).await;
        w.until_in_kafka(&w.topic(name), "is gone", |t| t.is_none()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_made_while_a_batch_runs_is_carried_out() {
    let (mut w, names) = crowd().await;
    w.start_operator().await;
    join_all(names.iter().map(|name| async {
        // The first thing that a batch writes.
        w.until(name, "has a finalizer", has_finalizer).await;
        w.patch(name, json!({"spec": {"partitions": 2}})).await;
    }))
    .await;
    for name in &names {
        w.ready(name).await;
        let two = |t: Option<&kafka_admin::TopicDescription>| t.is_some_and(|t| t.partitions.len() == 2);
        w.until_in_kafka(&w.topic(name), "has two partitions", two).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_is_deleted_while_a_batch_runs_goes_with_its_topic() {
    let (mut w, names) = crowd().await;
    w.start_operator().await;
    join_all(names.iter().map(|name| async {
        w.until(name, "has a finalizer", has_finalizer).await;
        w.delete(name).await;
    }))
    .await;
    all_gone(&w, &names).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_finalizers_a_resource_that_is_deleted_while_a_batch_runs_takes_its_topic_along() {
    let (mut w, names) = crowd().await;
    w.set("STRIMZI_USE_FINALIZERS", "false");
    w.start_operator().await;
    // Once the first status is written, the topics of many others exist whose statuses are still to be written.
    select_all(names.iter().map(|name| w.ready(name).boxed())).await;
    let few = &names[..FEW];
    join_all(few.iter().map(|name| w.delete(name))).await;
    all_gone(&w, few).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_finalizers_a_successor_keeps_only_the_topic_that_it_names() {
    let (mut w, names) = crowd().await;
    w.set("STRIMZI_USE_FINALIZERS", "false");
    w.start_operator().await;
    for name in &names {
        w.ready(name).await;
        w.until_exists(&w.topic(name)).await;
    }
    let names = &names[..FEW];
    let (same, other) = names.split_at(FEW / 2);
    let successor =
        |name: &str| if same.iter().any(|n| n == name) { name.to_owned() } else { format!("{name}-new") };
    join_all(names.iter().map(|name| async {
        w.delete(name).await;
        w.create(name, json!({"topicName": w.topic(&successor(name))})).await;
    }))
    .await;
    for name in other {
        w.ready(name).await;
        w.until_exists(&w.topic(&successor(name))).await;
        w.until_in_kafka(&w.topic(name), "is gone", |t| t.is_none()).await;
    }
    for name in same {
        w.ready(name).await;
        w.until_exists(&w.topic(name)).await;
    }
}
