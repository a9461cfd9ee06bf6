//! Warnings about a resource that is carried out (section 2.3 of the reference): which resource gets which, and which does not.

use crate::common::{World, kafka_status};

use serde_json::{Value, json};

/// A change of a manifest.
type Change = Box<dyn Fn(&mut Value)>;

/// The reasons of the warnings of a cluster after this change to its resource and its pool.
fn reasons(kafka: impl Fn(&mut Value), pool: impl Fn(&mut Value)) -> Vec<String> {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(kafka);
    world.pool(0, pool);
    let status = kafka_status(&world.plan());
    let conditions = status["conditions"].as_array().unwrap().iter();
    let warnings = conditions.filter(|condition| condition["type"] == "Warning");
    warnings.map(|condition| condition["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_reason_of_a_warning_has_a_resource_that_gives_it_and_one_that_does_not() {
    let listener = |type_: &str| {
        json!([{"name": "ext", "port": 9094, "type": type_, "tls": true, "configuration": {
            "bootstrap": {"host": "b.example.org"}, "hostTemplate": "b-{nodeId}.example.org"}}])
    };
    let of_kafka = |path: &'static [&'static str], value: Value| -> Change {
        Box::new(move |kafka| {
            let last = path.iter().fold(&mut kafka["spec"]["kafka"], |at, name| &mut at[*name]);
            last.clone_from(&value);
        })
    };
    let of_pool = |replicas: i32, storage: &'static str| -> Change {
        Box::new(move |pool| {
            pool["spec"]["replicas"] = json!(replicas);
            pool["spec"]["storage"] = json!({"type": storage});
            if storage == "persistent-claim" {
                pool["spec"]["storage"]["size"] = json!("1Gi");
            }
        })
    };
    let same = || -> Change { Box::new(|_| {}) };
    let config = |value: Value| of_kafka(&["config"], value);
    let safe = json!({"default.replication.factor": 3, "min.insync.replicas": 2});
    let one = || config(json!({}));
    for (reason, with, without) in [
        ("DeprecatedObjects", (of_kafka(&["listeners"], listener("ingress")), same()), (same(), same())),
        ("KafkaDefaultReplicationFactor", (config(json!({})), same()), (config(safe.clone()), same())),
        ("KafkaMinInsyncReplicas", (config(json!({})), same()), (config(safe.clone()), same())),
        ("KafkaDefaultReplicationFactor", (config(json!({})), same()), (one(), of_pool(1, "ephemeral"))),
        ("KafkaStorage", (one(), of_pool(1, "ephemeral")), (one(), of_pool(1, "persistent-claim"))),
        ("KafkaStorage", (one(), of_pool(1, "ephemeral")), (config(safe.clone()), of_pool(3, "ephemeral"))),
        ("KafkaKRaftControllerNodeCount", (one(), of_pool(2, "ephemeral")), (one(), of_pool(1, "ephemeral"))),
        (
            "KafkaKRaftControllerNodeCount",
            (config(safe.clone()), of_pool(4, "ephemeral")),
            (config(safe), same()),
        ),
        (
            "KafkaMetadataVersion",
            (of_kafka(&["metadataVersion"], json!("4.0-IV3")), same()),
            (of_kafka(&["metadataVersion"], json!("4.3-IV0")), same()),
        ),
        ("KafkaMetadataVersion", (of_kafka(&["metadataVersion"], json!("4.2")), same()), (same(), same())),
        (
            "KafkaInterBrokerProtocolVersionInKRaft",
            (config(json!({"inter.broker.protocol.version": "3.4"})), same()),
            (same(), same()),
        ),
        (
            "KafkaLogMessageFormatVersionInKRaft",
            (config(json!({"log.message.format.version": "3.4"})), same()),
            (same(), same()),
        ),
    ] {
        let (with, without) = (reasons(with.0, with.1), reasons(without.0, without.1));
        assert!(with.iter().any(|known| known == reason), "{reason}: {with:?}");
        assert!(!without.iter().any(|known| known == reason), "{reason}: {without:?}");
    }
}
