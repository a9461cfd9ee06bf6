//! Every number that the definition of KafkaUser takes is survived, and answered in the status. The definition bounds
//! nothing, as that of Strimzi; what ours accepts is among it.

use std::time::Duration;

use api::KafkaUser;
use kube::api::{ApiResource, GetParams};
use kube::core::Request;
use serde_json::json;
use test_support::extremes::Extremes;
use test_support::{schema, wait};

use crate::world::World;

const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn every_number_that_the_definition_takes_is_survived_and_answered() {
    let mut w = World::alone().await;
    let crds = test_world::definitions();
    let crd = crds.iter().find(|crd| crd.spec.names.kind == "KafkaUser").unwrap();
    let schema = schema::stored(crd).unwrap();
    w.drop_bounds(json!({"quotas": {"requestPercentage": 3_000_000_000_u64}})).await;
    w.start_operator().await;
    let client = w.server.client().await.unwrap();
    let base = |name: &str| {
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
            "metadata": {"name": name, "labels": {"strimzi.io/cluster": "my"}},
            "spec": {"authentication": {"type": "tls"}}})
    };
    let extremes = Extremes { schema: &schema, base: &base, prefix: "u" };
    let resource = ApiResource::erase::<KafkaUser>(&());
    let made = extremes.create(&client, &w.variables["STRIMZI_NAMESPACE"], &resource).await.unwrap();
    assert!(made.len() > 4, "few were accepted: {made:?}");

    for restart in [false, true] {
        if restart {
            w.kill_operator();
            w.start_operator().await;
        }
        let healthy = if restart { "restarted" } else { "healthy" };
        w.create(healthy, json!({"authentication": {"type": "scram-sha-512"}})).await;
        w.ready(healthy).await;
        for one in &made {
            let answered = || async {
                // Some cannot be read by the client of this test.
                let request =
                    Request::new(w.resources.resource_url()).get(&one.name, &GetParams::default()).unwrap();
                let text = client.request_text(request).await.unwrap();
                let status = text.rfind("\"status\":{\"").map_or("", |start| &text[start..]);
                status.contains("\"conditions\":[{").then_some(())
            };
            let what = format!("{} has an answer: {}", one.name, one.what);
            wait::until(PATIENCE, &what, answered).await.unwrap();
        }
        assert!(!w.said().contains("panicked"));
    }
}
