//! A KafkaUser that cannot be read stops nobody and loses nothing. The definitions bound no number, as those of Strimzi.

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use serde_json::{Value, json};
use test_support::wait;

use crate::world::{DEADLINE, World};

/// Changes a user without looking at the answer, which the client of this test could not read either.
async fn change(w: &World, name: &str, patch: Value) -> String {
    let request = Request::new(w.resources.resource_url());
    let request = request.patch(name, &PatchParams::default(), &Patch::Merge(patch)).unwrap();
    w.server.client().await.unwrap().request_text(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_cannot_be_read_keeps_what_he_has_and_others_go_on() {
    let mut w = World::alone().await;
    w.drop_bounds(json!({"quotas": {"requestPercentage": 3_000_000_000_u64}})).await;
    w.start_operator().await;
    let spec = json!({
        "authentication": {"type": "scram-sha-512"},
        "authorization": {"type": "simple", "acls": [{"resource": {"type": "topic", "name": "t"}, "operations": ["Read"]}]},
        "quotas": {"requestPercentage": 50, "producerByteRate": 1000},
    });
    w.create("unread", spec).await;
    w.ready("unread").await;
    w.until_rules("unread", 1).await;
    w.until_quotas("unread", &[("producer_byte_rate", 1000.0), ("request_percentage", 50.0)]).await;
    let before = (w.secret("unread").await, w.acls("unread").await, w.quotas("unread").await);

    for restart in [false, true] {
        change(&w, "unread", json!({"spec": {"quotas": {"requestPercentage": 3_000_000_000_u64}}})).await;
        if restart {
            // What was known of him before is not known any more.
            w.kill_operator();
            w.start_operator().await;
        }
        let other = if restart { "second" } else { "first" };
        w.create(other, json!({"authentication": {"type": "tls"}})).await;
        w.ready(other).await;
        let told = || async {
            let text = change(&w, "unread", json!({})).await;
            text.contains("spec.quotas.requestPercentage cannot be read").then_some(())
        };
        wait::until(DEADLINE, "his status says why", told).await.unwrap();
        let now = (w.secret("unread").await, w.acls("unread").await, w.quotas("unread").await);
        assert_eq!(now, before);
        change(&w, "unread", json!({"spec": {"quotas": {"requestPercentage": 50}}})).await;
        assert_eq!(w.ready("unread").await.name_any(), "unread");
    }
    w.delete("unread").await;
    w.gone_from_kafka("unread").await;
}
