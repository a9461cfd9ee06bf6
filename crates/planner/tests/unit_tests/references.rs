//! Which objects of the user's own are read for a cluster: those that planning looks into, and no others.

use std::collections::BTreeSet;

use crate::common::{World, condition};
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

#[test]
fn of_too_many_references_the_first_are_read() {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let mut all = References { secrets: names(&["a", "b", "c"]), config_maps: names(&["k", "l"]) };
    let beyond = all.split_off(3);
    assert_eq!((all.config_maps, all.secrets), (names(&["k", "l"]), names(&["a"])));
    assert_eq!((beyond.config_maps, beyond.secrets), (names(&[]), names(&["b", "c"])));
    let mut all = References { secrets: names(&["a"]), config_maps: names(&["k", "l"]) };
    assert_eq!(all.split_off(1), References { secrets: names(&["a"]), config_maps: names(&["l"]) });
    let mut all = References { secrets: names(&["a"]), config_maps: names(&["k"]) };
    assert_eq!(all.split_off(2), References::default());
}

#[test]
fn what_was_not_read_is_said_of_its_field_and_what_runs_is_left_alone() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.kafka(|kafka| {
        let spec = &mut kafka["spec"];
        let own = json!({"secretName": "mine", "certificate": "c", "key": "k"});
        spec["kafka"]["listeners"][1]["configuration"] = json!({"brokerCertChainAndKey": own});
        spec["kafka"]["logging"] =
            json!({"type": "external", "valueFrom": {"configMapKeyRef": {"name": "logs", "key": "k"}}});
    });
    world.observed.not_read.secrets.insert("mine".to_owned(), "it is too large".to_owned());
    world.observed.not_read.config_maps.insert("logs".to_owned(), "there is no room for it".to_owned());
    let plan = world.plan();
    let said = condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
    for words in [
        "spec.kafka.listeners[1].configuration.brokerCertChainAndKey.secretName: Secret \"mine\" is not read: it is too large",
        "ConfigMap \"logs\" is not read: there is no room for it",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(plan.apply.is_empty() && plan.delete.is_empty() && plan.roll.wanted.is_empty());
}
