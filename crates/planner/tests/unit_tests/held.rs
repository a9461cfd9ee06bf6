//! What is asked for and would lose something is held back: it stands in the plan and in the status, and nothing else of the
//! plan does any of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::common::{World, pool_status, warning_with};
use planner::findings::HeldPart;
use planner::kafka::plan::Plan;
use serde_json::json;

fn pools_of(plan: &Plan) -> Vec<&str> {
    let sets = plan.apply.iter().filter(|object| object.reference.kind == "StrimziPodSet");
    sets.map(|set| set.reference.name.as_str()).collect()
}

#[test]
fn the_removal_of_a_broker_with_replicas_waits_for_an_approval() {
    let mut world = World::load("split-pools.input.yaml");
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["config"] = json!({"default.replication.factor": 2, "min.insync.replicas": 1});
    });
    assert!(world.settle().held.is_empty());
    world.observed.view.as_mut().unwrap().brokers_with_replicas = Some([0, 1, 2].into());
    world.pool(0, |pool| pool["spec"]["replicas"] = json!(2));
    let plan = world.plan();
    let [held] = plan.held.as_slice() else { panic!("{:?}", plan.held) };
    assert_eq!(held.part, HeldPart::NodeRemoval { pool: "brokers".to_owned(), nodes: [2].into() });
    assert_eq!(held.approval, Some("strimzi.io/skip-broker-scaledown-check"));
    assert_eq!(warning_with(&plan, &held.reason).as_ref(), Some(&held.message));
    assert_eq!(pool_status(&plan, "brokers")["nodeIds"], json!([0, 1, 2]));
    assert!(plan.delete.is_empty() && plan.roll.now.is_empty(), "{:?} {:?}", plan.delete, plan.roll);
    assert_eq!(pools_of(&plan).len(), 2);
    world.kafka(|kafka| {
        kafka["metadata"]["annotations"] = json!({"strimzi.io/skip-broker-scaledown-check": "true"});
    });
    let approved = world.plan();
    assert!(approved.held.is_empty(), "{:?}", approved.held);
    assert_eq!(pool_status(&approved, "brokers")["nodeIds"], json!([0, 1]));
}

#[test]
fn every_pool_that_is_to_lose_a_broker_with_replicas_keeps_it() {
    let mut world = World::load("split-pools.input.yaml");
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"] = json!({"min.insync.replicas": 1}));
    let mut more = serde_json::to_value(&*world.observed.pools[0]).unwrap();
    more["metadata"]["name"] = json!("more");
    more["metadata"]["uid"] = json!("pool-3");
    world.observed.pools.push(Arc::new(serde_json::from_value(more).unwrap()));
    world.observed.pools.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    world.settle();
    let ids = |plan: &Plan, pool: &str| pool_status(plan, pool)["nodeIds"].clone();
    let before = world.plan();
    world.observed.view.as_mut().unwrap().brokers_with_replicas = Some((0..20).collect());
    for pool in [0, 2] {
        world.pool(pool, |pool| pool["spec"]["replicas"] = json!(2));
    }
    let plan = world.plan();
    let held: BTreeSet<&str> = plan
        .held
        .iter()
        .filter_map(|held| match &held.part {
            HeldPart::NodeRemoval { pool, .. } => Some(pool.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(held, BTreeSet::from(["brokers", "more"]));
    for pool in ["brokers", "more"] {
        assert_eq!(ids(&plan, pool), ids(&before, pool), "{pool}");
    }
    assert!(plan.delete.is_empty() && plan.roll.now.is_empty());
}

#[test]
fn a_storage_that_cannot_be_had_is_held_back_and_the_one_in_use_stays() {
    let mut world = World::load("split-pools.input.yaml");
    let settled = world.settle();
    world.pool(0, |pool| pool["spec"]["storage"] = json!({"type": "ephemeral"}));
    let plan = world.plan();
    let [held] = plan.held.as_slice() else { panic!("{:?}", plan.held) };
    assert_eq!(held.part, HeldPart::Storage { pool: "brokers".to_owned() });
    assert_eq!(held.approval, None, "nobody can want that");
    assert!(warning_with(&plan, "KafkaStorage").is_some());
    assert_eq!(plan.apply, settled.apply, "nothing of it is written");
    assert!(plan.roll.wanted.is_empty());
}

#[test]
fn a_controller_keeps_its_role() {
    let mut world = World::load("split-pools.input.yaml");
    world.settle();
    world.pool(1, |pool| pool["spec"]["roles"] = json!(["broker"]));
    let plan = world.plan();
    let expected = HeldPart::RoleRemoval { pool: "controllers".to_owned(), role: "controller".to_owned() };
    assert!(plan.held.iter().any(|held| held.part == expected && held.approval.is_none()), "{:?}", plan.held);
}

#[test]
fn every_restart_is_wanted_with_its_reasons_and_says_what_it_waits_for() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!("false"));
    let roll = world.plan().roll;
    let wanted: Vec<&str> = roll.wanted.iter().map(|restart| restart.pod.as_str()).collect();
    assert_eq!(wanted, ["my-dual-0", "my-dual-1", "my-dual-2"]);
    assert!(roll.wanted.iter().all(|restart| !restart.reasons.is_empty() && !restart.notes.is_empty()));
    let [now] = roll.now.as_slice() else { panic!("{roll:?}") };
    assert_eq!(roll.waits_for(now), None);
    for other in wanted.into_iter().filter(|pod| pod != now) {
        assert_eq!(roll.waits_for(other), Some(format!("the restart of {now}")));
    }
    assert_eq!(roll.waits_for("my-dual-9"), None, "nobody wants it to restart");
}
