//! A KafkaTopic that cannot be read stops nobody. The definitions bound no number, as those of Strimzi.

use api::{KafkaTopic, annotations};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, Request};
use serde_json::{Value, json};
use test_support::wait;

use crate::world::{DEADLINE, World, is_current};

/// Lists in lists: more than a reader of JSON takes, and nothing that the API server minds.
fn deep() -> Value {
    (0..140).fold(json!(1), |inner, _| json!([inner]))
}

async fn world() -> World {
    let mut w = World::alone(&[crate::world::kafka().await.bootstrap()]).await;
    w.drop_bounds(json!({"partitions": 3_000_000_000_u64})).await;
    w.start_operator().await;
    w
}

fn raw_topics(w: &World) -> Api<DynamicObject> {
    Api::namespaced_with(w.client.clone(), &w.namespace, &ApiResource::erase::<KafkaTopic>(&()))
}

/// Changes a topic without looking at the answer, which the client of this test could not read either.
async fn change(w: &World, name: &str, patch: Value) {
    let request = Request::new(w.resources.resource_url());
    let request = request.patch(name, &PatchParams::default(), &Patch::Merge(patch)).unwrap();
    w.client.request_text(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_cannot_be_read_stop_nobody_and_are_taken_up_when_they_can() {
    let mut w = world().await;
    let (a, b) = (w.topic("a"), w.topic("b"));
    w.create("a", json!({"topicName": a, "partitions": 1})).await;
    w.create("b", json!({"topicName": b, "partitions": 1})).await;
    w.ready("a").await;
    w.ready("b").await;
    w.kill_operator();
    change(&w, "a", json!({"spec": {"config": {"x": deep()}}})).await;
    change(&w, "b", json!({"spec": {"partitions": 3_000_000_000_u64}})).await;
    w.start_operator().await;

    let other = w.topic("other");
    w.create("other", json!({"topicName": other})).await;
    w.ready("other").await;
    let text = || async {
        let request =
            Request::new(w.resources.resource_url()).get("a", &kube::api::GetParams::default()).unwrap();
        let text = w.client.request_text(request).await.unwrap();
        text.contains("nests too deeply").then_some(())
    };
    wait::until(DEADLINE, "the status of a says why", text).await.unwrap();
    wait::for_object(&raw_topics(&w), "b", DEADLINE, "says why", |b| {
        let said = &b.data["status"]["conditions"][0];
        said["type"] == "Ready"
            && said["status"] == "False"
            && said["message"].as_str().is_some_and(|text| text.contains("spec.partitions"))
    })
    .await
    .unwrap();
    for topic in [&a, &b] {
        assert_eq!(w.in_kafka(topic).await.unwrap().partitions.len(), 1);
    }

    change(&w, "a", json!({"spec": {"config": null, "partitions": 2}})).await;
    change(&w, "b", json!({"spec": {"partitions": 3}})).await;
    for (name, topic, partitions) in [("a", &a, 2), ("b", &b, 3)] {
        w.until(name, "is current", is_current).await;
        w.ready(name).await;
        // A broker shows what was changed a moment later.
        w.until_in_kafka(topic, "has its partitions", |t| {
            t.is_some_and(|t| t.partitions.len() == partitions)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_became_unreadable_while_the_operator_ran_is_left_alone_and_can_be_deleted() {
    let w = world().await;
    let topic = w.topic("t");
    w.create("t", json!({"topicName": topic, "partitions": 1, "config": {"retention.ms": 1000}})).await;
    w.ready("t").await;
    change(&w, "t", json!({"spec": {"config": {"x": deep()}}, "metadata": {"finalizers": ["example.com/mine", annotations::FINALIZER_TOPIC_OPERATOR]}})).await;
    let other = w.topic("other");
    w.create("other", json!({"topicName": other})).await;
    w.ready("other").await;
    w.until_config(&topic, &[("retention.ms", "1000")]).await;

    let request = Request::new(w.resources.resource_url()).delete("t", &DeleteParams::default()).unwrap();
    w.client.request_text(request).await.unwrap();
    let finalizers = || async {
        let request =
            Request::new(w.resources.resource_url()).get("t", &kube::api::GetParams::default()).unwrap();
        let text = w.client.request_text(request).await.unwrap();
        (text.contains(r#""finalizers":["example.com/mine"]"#)).then_some(())
    };
    wait::until(DEADLINE, "only the finalizer of the other is left", finalizers).await.unwrap();
    change(&w, "t", json!({"metadata": {"finalizers": null}})).await;
    w.gone("t").await;
    assert!(w.in_kafka(&topic).await.is_some(), "which topic it managed could not be known");
}
