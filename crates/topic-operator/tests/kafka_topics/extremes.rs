//! Every number and every depth that the definition of KafkaTopic takes is survived, and answered in the status. The
//! definition bounds nothing, as that of Strimzi; what ours accepts is among it.

use std::time::Duration;

use api::KafkaTopic;
use kube::api::{ApiResource, GetParams};
use kube::core::Request;
use serde_json::json;
use test_support::extremes::Extremes;
use test_support::{KafkaNode, KafkaOptions, schema, wait};

use crate::world::World;

const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn every_number_and_depth_that_the_definition_takes_is_survived_and_answered() {
    // A node of its own: it is asked for very many partitions.
    let node = KafkaNode::start(KafkaOptions { tls: false, ..KafkaOptions::default() }).await.unwrap();
    let mut w = World::alone(&[node.bootstrap()]).await;
    let crds = test_world::definitions();
    let crd = crds.iter().find(|crd| crd.spec.names.kind == "KafkaTopic").unwrap();
    let schema = schema::stored(crd).unwrap();
    w.drop_bounds(json!({"partitions": 3_000_000_000_u64})).await;
    w.start_operator().await;
    let base = |name: &str| {
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {"name": name, "labels": {"strimzi.io/cluster": "my"}}, "spec": {}})
    };
    let extremes = Extremes { schema: &schema, base: &base, prefix: "t" };
    let resource = ApiResource::erase::<KafkaTopic>(&());
    let made = extremes.create(&w.client, &w.namespace, &resource).await.unwrap();
    assert!(made.len() > 5, "few were accepted: {made:?}");

    for restart in [false, true] {
        if restart {
            w.kill_operator();
            w.start_operator().await;
        }
        let healthy = if restart { "restarted" } else { "healthy" };
        w.create(healthy, json!({"partitions": 1, "replicas": 1})).await;
        w.ready(healthy).await;
        for one in &made {
            let answered = || async {
                // Some are too deep for the client of this test.
                let request =
                    Request::new(w.resources.resource_url()).get(&one.name, &GetParams::default()).unwrap();
                let text = w.client.request_text(request).await.unwrap();
                let status = text.rfind("\"status\":{\"").map_or("", |start| &text[start..]);
                status.contains("\"conditions\":[{").then_some(())
            };
            let what = format!("{} has an answer: {}", one.name, one.what);
            wait::until(PATIENCE, &what, answered).await.unwrap();
        }
    }
    let said = w.log.text();
    assert!(!said.contains("panicked"), "{said}");
}
