//! Object overrides that the API server refuses: what becomes of the object, what is said, and that nothing else notices.

use crate::common;

use std::sync::Arc;

use common::{World, condition, object, warning_with};
use objects::{Change, Write};
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

const REFUSED: &str = "ObjectOverrideRefused";
const WORDS: &str = "admission policy says no";

fn world(overrides: Value) -> World {
    let mut world = World::load("dual-role.input.yaml");
    Arc::make_mut(&mut world.observed.settings).object_overrides = true;
    wish(&mut world, overrides);
    world
}

fn wish(world: &mut World, overrides: Value) {
    world.kafka(|kafka| kafka["spec"]["objectOverrides"] = overrides);
}

fn write<'a>(plan: &'a Plan, kind: &str, name: &str) -> Option<&'a Write> {
    plan.apply.iter().find(|write| write.reference.kind == kind && write.reference.name == name)
}

fn asks_the_api_server(world: &World) -> bool {
    world.asked.iter().any(|need| matches!(need, Need::Writes(_)))
}

#[test]
fn an_object_that_is_there_stays_as_it_is_and_everything_else_is_written() {
    let mut world =
        world(json!({"Service/my-kafka-bootstrap": {"spec": {"internalTrafficPolicy": "Local"}}}));
    world.settle();
    wish(&mut world, json!({"Service/my-kafka-bootstrap": {"spec": {"internalTrafficPolicy": "Odd"}}}));
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"] = json!({"num.partitions": 7}));
    world.refused_writes.insert(("Service", "my-kafka-bootstrap"), WORDS);
    let plan = world.plan();
    assert!(write(&plan, "Service", "my-kafka-bootstrap").is_none(), "not even without the former override");
    let gone = plan.delete.iter().any(|deletion| deletion.object.name == "my-kafka-bootstrap");
    assert!(!gone, "it is wanted all the same");
    assert!(write(&plan, "ConfigMap", "my-dual-0").unwrap().is_change());
    assert!(condition(&plan, "Ready").is_some(), "{:?}", plan.status.kafka);
    let said = warning_with(&plan, REFUSED).unwrap();
    for word in ["spec.objectOverrides.Service/my-kafka-bootstrap", "stays as it is", WORDS] {
        assert!(said.contains(word), "{said}");
    }
    assert!(
        plan.look_again_seconds().is_some_and(|seconds| seconds <= 60),
        "nothing announces that a policy changed"
    );
    wish(&mut world, Value::Null);
    let plan = world.plan();
    assert!(!asks_the_api_server(&world), "without an override there is nothing to ask");
    let service = object(&plan, "Service", "my-kafka-bootstrap");
    assert_eq!(service["spec"].get("internalTrafficPolicy"), None);
    assert!(warning_with(&plan, REFUSED).is_none());
}

#[test]
fn what_leads_clients_in_holds_data_or_runs_a_program_is_not_made_without_its_override() {
    for (kind, name, patch) in [
        ("Service", "my-kafka-bootstrap", json!({"spec": {"internalTrafficPolicy": "Odd"}})),
        ("Deployment", "my-entity-operator", json!({"spec": {"revisionHistoryLimit": 3}})),
        (
            "PersistentVolumeClaim",
            "data-my-dual-0",
            json!({"metadata": {"annotations": {"example.org/key": "k"}}}),
        ),
    ] {
        let mut world = world(json!({format!("{kind}/{name}"): patch}));
        world.pool(0, |pool| pool["spec"]["storage"] = json!({"type": "persistent-claim", "size": "1Gi"}));
        world.refused_writes.insert((kind, name), WORDS);
        let plan = world.plan();
        assert!(write(&plan, kind, name).is_none(), "{name}");
        assert!(write(&plan, "StrimziPodSet", "my-dual").is_some(), "{name} holds up nothing else");
        let said = condition(&plan, "NotReady").unwrap()["message"].to_string();
        assert!(said.contains(&format!("{kind} {name} is not made")), "{said}");
        assert!(warning_with(&plan, REFUSED).unwrap().contains(WORDS));
        world.refused_writes.clear();
        assert_eq!(write(&world.plan(), kind, name).unwrap().change, Change::Create);
    }
}

#[test]
fn what_pods_need_and_an_override_only_labels_is_written_without_it() {
    let label = json!({"metadata": {"labels": {"example.org/x": "y"}}});
    let mut world =
        world(json!({"ConfigMap": label.clone(), "Role": label.clone(), "ServiceAccount": label}));
    let all = [("ConfigMap", "my-dual-0"), ("Role", "my-entity-operator"), ("ServiceAccount", "my-kafka")];
    world.refused_writes.extend(all.map(|named| (named, WORDS)));
    let plan = world.plan();
    for (kind, name) in all {
        let made = write(&plan, kind, name).unwrap_or_else(|| panic!("{kind} {name}"));
        assert_eq!(made.object["metadata"]["labels"].get("example.org/x"), None, "{name}");
    }
    assert_eq!(object(&plan, "ConfigMap", "my-dual-1")["metadata"]["labels"]["example.org/x"], "y");
    assert!(warning_with(&plan, REFUSED).unwrap().contains("is written without it"));
}

#[test]
fn a_cluster_whose_overrides_are_carried_out_asks_nothing() {
    let mut world = world(json!({
        "Service": {"spec": {"internalTrafficPolicy": "Local"}},
        "Pod": {"metadata": {"annotations": {"example.org/x": "y"}}},
    }));
    world.plan();
    assert!(asks_the_api_server(&world));
    world.settle();
    world.plan();
    assert!(!asks_the_api_server(&world));
}

#[test]
fn a_warning_names_a_few_of_the_objects_of_one_override() {
    let mut world = world(json!({"ConfigMap": {"metadata": {"labels": {"example.org/x": "y"}}}}));
    let names = ["my-dual-0", "my-dual-1", "my-dual-2", "my-entity-topic-operator-config"];
    world.refused_writes.extend(names.map(|name| (("ConfigMap", name), WORDS)));
    let said = warning_with(&world.plan(), REFUSED).unwrap();
    assert!(said.contains("my-dual-2") && !said.contains(names[3]) && said.contains("and 1 more"), "{said}");
}
