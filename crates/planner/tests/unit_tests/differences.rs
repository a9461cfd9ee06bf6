//! What a plan says of its writes: what differs from the live objects, and in which order they are written.

use std::sync::Arc;

use crate::common::World;
use objects::{Change, Stage, Write};
use planner::kafka::plan::Plan;
use serde_json::json;

fn write<'a>(plan: &'a Plan, kind: &str, name: &str) -> &'a Write {
    plan.apply.iter().find(|write| write.reference.kind == kind && write.reference.name == name).unwrap()
}

fn changed(plan: &Plan) -> Vec<String> {
    let changed = plan.apply.iter().filter(|write| write.is_change());
    changed
        .map(|write| format!("{} {}: {:?}", write.reference.kind, write.reference.name, write.change))
        .collect()
}

fn paths(write: &Write) -> Vec<&str> {
    let Change::Update { differences, .. } = &write.change else { panic!("{:?}", write.change) };
    differences.iter().map(|difference| difference.path.as_str()).collect()
}

#[test]
fn the_plan_of_a_settled_cluster_lists_every_object_and_changes_none() {
    let plan = World::load("dual-role.input.yaml").settle();
    assert!(plan.apply.len() > 20);
    assert_eq!(changed(&plan), Vec::<String>::new());
}

#[test]
fn what_somebody_changed_by_hand_stands_in_the_plan_with_its_path_and_nothing_else_does() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    let name = "my-entity-topic-operator-config";
    let map = Arc::make_mut(world.observed.config_maps.get_mut(name).unwrap());
    let (key, text) = map.data.as_mut().unwrap().iter_mut().next().unwrap();
    "mine".clone_into(text);
    let path = format!("data[{key}]");
    map.metadata.resource_version = Some("77".to_owned());
    let plan = world.plan();
    let map = write(&plan, "ConfigMap", name);
    assert_eq!(paths(map), [path]);
    assert!(matches!(&map.change, Change::Update { version: Some(version), .. } if version == "77"));
    assert_eq!(changed(&plan).len(), 1, "{:?}", changed(&plan));
}

#[test]
fn a_new_cluster_is_written_stage_after_stage() {
    let plan = World::load("dual-role.input.yaml").plan();
    let stages: Vec<Stage> = plan.apply.iter().map(|write| write.stage).collect();
    assert!(stages.is_sorted(), "{stages:?}");
    let stage = |kind: &str, name: &str| write(&plan, kind, name).stage;
    assert_eq!(stage("Secret", "my-cluster-ca"), Stage::NewKeys);
    assert_eq!(stage("ConfigMap", "my-dual-0"), Stage::Used);
    assert_eq!(stage("Role", "my-entity-operator"), Stage::UsedBeside);
    assert_eq!(stage("RoleBinding", "my-entity-topic-operator-role"), Stage::Beside);
    assert_eq!(stage("StrimziPodSet", "my-dual"), Stage::Last);
    let change = |kind: &str, name: &str| &write(&plan, kind, name).change;
    assert_eq!(change("Service", "my-kafka-brokers"), &Change::Create);
    // Nobody asks for those without labels: they are meant to be taken over.
    assert_eq!(change("StrimziPodSet", "my-dual"), &Change::Create);
    let plan = World::load("split-pools.input.yaml").plan();
    let mut claims = plan.apply.iter().filter(|write| write.reference.kind == "PersistentVolumeClaim");
    assert!(claims.next().is_some() && claims.all(|claim| claim.change == Change::Create));
}

#[test]
fn an_object_that_lost_its_labels_is_written_as_a_whole() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.observed.config_maps.remove("my-dual-1");
    let applied = json!({"managedFields": [{"manager": "strimzi-kafka-operator", "operation": "Apply"}]});
    world.strangers.insert(("ConfigMap", "my-dual-1"), applied);
    assert_eq!(write(&world.plan(), "ConfigMap", "my-dual-1").change, Change::Put);
}

#[test]
fn a_role_that_clusters_of_two_namespaces_share_stays_when_one_of_them_goes() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    let shared = |world: &mut World, shared: bool| {
        let role = world
            .observed
            .others
            .iter_mut()
            .find(|(id, _)| id.kind == "Role" && id.name == "my-entity-operator");
        role.unwrap().1.shared = shared;
    };
    world.kafka(|kafka| drop(kafka["spec"].as_object_mut().unwrap().remove("entityOperator")));
    let goes = |plan: &Plan| plan.delete.iter().any(|gone| gone.object.kind == "Role");
    assert!(goes(&world.plan()));
    shared(&mut world, true);
    assert!(!goes(&world.plan()));
}
