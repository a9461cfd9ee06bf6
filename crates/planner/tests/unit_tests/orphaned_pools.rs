//! A node pool that was too large to be remembered, and was deleted with `--cascade=orphan`.

use std::sync::Arc;

use crate::common::{World, pool_status, warning_with};
use planner::kafka::plan::Plan;
use serde_json::json;

/// A settled cluster with a pool of both roles and one of brokers.
fn settled() -> World {
    let mut world = World::load("dual-role.input.yaml");
    let mut brokers = serde_json::to_value(world.observed.pools[0].as_ref()).unwrap();
    brokers["metadata"]["name"] = json!("brokers");
    brokers["metadata"]["uid"] = json!("uid-of-brokers");
    brokers["spec"]["roles"] = json!(["broker"]);
    let large = "x".repeat(70_000);
    brokers["spec"]["template"] = json!({"pod": {"metadata": {"annotations": {"large": large}}}});
    world.observed.pools.insert(0, Arc::new(serde_json::from_value(brokers).unwrap()));
    world.settle();
    world
}

/// What Kubernetes does to the objects of a pool that is deleted so, and to the pool.
fn orphan(world: &mut World) -> Arc<api::KafkaNodePool> {
    let pool = world.observed.pools.remove(0);
    world.observed.deleted_pools.insert("brokers".to_owned());
    let is_lost =
        |owners: &mut Option<Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference>>| {
            owners.get_or_insert_default().retain(|owner| owner.name != "brokers");
        };
    let observed = &mut world.observed;
    observed.pod_sets.values_mut().for_each(|set| is_lost(&mut Arc::make_mut(set).metadata.owner_references));
    observed.secrets.values_mut().for_each(|set| is_lost(&mut Arc::make_mut(set).metadata.owner_references));
    observed
        .config_maps
        .values_mut()
        .for_each(|map| is_lost(&mut Arc::make_mut(map).metadata.owner_references));
    observed
        .claims
        .values_mut()
        .for_each(|claim| is_lost(&mut Arc::make_mut(claim).metadata.owner_references));
    pool
}

fn deleted(plan: &Plan) -> Vec<&str> {
    plan.delete.iter().map(|deletion| deletion.object.name.as_str()).collect()
}

#[test]
fn its_pods_run_on_and_the_status_says_that_nobody_looks_after_them() {
    let mut world = settled();
    let plan = world.plan();
    assert_eq!(warning_with(&plan, "PodsWithoutNodePool"), None);
    let too_large = pool_status(&plan, "brokers")["conditions"].to_string();
    assert!(too_large.contains("its nodes go with it when it is deleted"), "{too_large}");
    let before: Vec<String> = world.observed.pods.keys().cloned().collect();
    orphan(&mut world);
    let mut plan = world.plan();
    for _ in 0..3 {
        assert_eq!(deleted(&plan), Vec::<&str>::new());
        assert!(plan.calls.is_empty(), "{:?}", plan.calls);
        assert!(!plan.roll.now.iter().any(|pod| pod.starts_with("my-brokers")), "{:?}", plan.roll.now);
        world.apply(&plan);
        world.run_everything();
        plan = world.plan();
    }
    assert_eq!(world.observed.pods.keys().cloned().collect::<Vec<_>>(), before);
    let said = warning_with(&plan, "PodsWithoutNodePool").unwrap();
    assert!(said.contains("StrimziPodSet my-brokers") && said.contains("KafkaNodePool brokers"), "{said}");
}

#[test]
fn a_pool_that_comes_back_gets_its_nodes_and_restarts_nothing() {
    let mut world = settled();
    let pool = orphan(&mut world);
    let plan = world.plan();
    world.apply(&plan);
    let mut again = serde_json::to_value(pool.as_ref()).unwrap();
    again["metadata"]["uid"] = json!("uid-of-the-next");
    again.as_object_mut().unwrap().remove("status");
    world.observed.pools.insert(0, Arc::new(serde_json::from_value(again).unwrap()));
    world.observed.deleted_pools.clear();
    let plan = world.settle();
    assert_eq!(warning_with(&plan, "PodsWithoutNodePool"), None);
    assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
    assert_eq!(deleted(&plan), Vec::<&str>::new());
    let owners = world.observed.pod_sets["my-brokers"].metadata.owner_references.as_ref().unwrap();
    assert_eq!(owners[0].uid, "uid-of-the-next");
    assert_eq!(plan.nodes.iter().filter(|node| node.pod_set == "my-brokers").count(), 3);
}
