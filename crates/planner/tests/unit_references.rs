//! Which objects of the user's own are read for a cluster: those that planning looks into, and no others.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::collections::BTreeSet;

use common::World;
use planner::kafka::references::References;
use serde_json::json;

#[test]
fn only_what_is_looked_into_is_read() {
    let mut world = World::load("dual-role.input.yaml");
    let of = |world: &World| References::of(world.observed.kafka.as_deref().unwrap());
    assert_eq!(of(&world), References::default());
    let external = |name: &str| json!({"type": "external", "valueFrom": {"configMapKeyRef": {"name": name, "key": "k"}}});
    world.kafka(|kafka| {
        let spec = &mut kafka["spec"];
        let own = json!({"secretName": "mine", "certificate": "c", "key": "k"});
        spec["kafka"]["listeners"][1]["configuration"] = json!({"brokerCertChainAndKey": own});
        spec["kafka"]["logging"] = external("logs");
        spec["entityOperator"]["topicOperator"]["logging"] = external("topic-logs");
        spec["entityOperator"]["userOperator"]["logging"] = external("user-logs");
        spec["kafka"]["template"] = json!({
            "pod": {"volumes": [{"name": "v", "secret": {"secretName": "mounted"}}]},
            "kafkaContainer": {"env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "passed-on", "key": "k"}}},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "passed-on", "key": "k"}}}]},
        });
        spec["kafka"]["config"]["secretName"] = json!("not-a-reference");
    });
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let found = of(&world);
    assert_eq!(found.secrets, names(&["mine"]));
    assert_eq!(found.config_maps, names(&["logs", "topic-logs", "user-logs"]));
    assert!(found.contain("mine") && found.contain("logs") && !found.contain("mounted"));
}
