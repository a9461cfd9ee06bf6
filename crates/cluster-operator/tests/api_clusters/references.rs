//! What a Kafka resource refers to is read within bounds, and the status names the field that goes beyond them.

use serde_json::{Value, json};
use test_support::ApiServer;

use crate::world::{World, is_current, kafka, pool};

/// A Secret of these bytes without the labels of an operator.
fn secret(name: &str, bytes: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"a": "eHh4".repeat(bytes / 3)}})
}

fn listener(number: usize, secret: &str) -> Value {
    json!({"name": format!("l{number}"), "port": 10_000 + number, "type": "internal", "tls": true, "configuration": {
        "brokerCertChainAndKey": {"secretName": secret, "certificate": "a", "key": "b"}}})
}

fn cluster(listeners: &[Value]) -> Value {
    let mut cluster = kafka("c");
    cluster["spec"]["kafka"]["config"] = json!({});
    cluster["spec"]["kafka"]["listeners"] = json!(listeners);
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_too_large_and_references_without_end_are_named_with_their_fields() {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "refer").await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.set("KASTELLAN_MAX_REFERENCES", "20");
    world.set("KASTELLAN_MAX_CLUSTER_MIB", "3");
    world.start_operator().await;
    world.apply(&secret("large", 700_000)).await;
    world.apply(&pool("c", "dual", 1)).await;
    world.apply(&cluster(&[listener(0, "large")])).await;
    let field = "spec.kafka.listeners[0].configuration.brokerCertChainAndKey.secretName";
    let too_large = [field, "\"large\" is not read", "too large", "KASTELLAN_MAX_SECRET_KIB"];
    world.refused("c", &too_large).await;

    // It is read as soon as it is smaller: what is wrong with it is known then.
    world.apply(&secret("large", 300)).await;
    world.refused("c", &["Secret \"large\" has no key \"b\""]).await;

    for number in 0..20 {
        world.apply(&secret(&format!("s{number:02}"), 300_000)).await;
    }
    let some: Vec<Value> = (0..20).map(|number| listener(number, &format!("s{number:02}"))).collect();
    world.apply(&cluster(&some)).await;
    let field = "spec.kafka.listeners[19].configuration.brokerCertChainAndKey.secretName";
    let together = [field, "\"s19\" is not read", "more than 3 MiB together", "KASTELLAN_MAX_CLUSTER_MIB"];
    world.refused("c", &together).await;

    let many: Vec<Value> = (0..500).map(|number| listener(number, &format!("n{number:04}"))).collect();
    world.apply(&cluster(&many)).await;
    let said = world.refused("c", &["more than 20 Secrets and ConfigMaps", "KASTELLAN_MAX_REFERENCES"]).await;
    assert!(said.contains("write at most 30") && said.len() < 100_000, "{said}");
    assert!(is_current(&world.get("Kafka", "c").await));
}
