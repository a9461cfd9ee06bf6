//! The Kafka of another cluster answers where that of the resource should: names lead there by mistake, or because somebody wants the
//! operator to act where he may not.

use std::collections::BTreeSet;

use crate::common::{World, condition, warning_with};
use planner::completion::complete;
use planner::kafka::answer::Answer;
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use planner::silence::{Silence, SilenceKind};
use serde_json::json;

/// The plan when Kafka describes itself like this cluster, with a broker that is gone, under this id.
fn plan(world: &World, cluster_id: &str) -> Plan {
    let mut observed = world.observed.clone();
    let mut view = observed.view.take().unwrap();
    cluster_id.clone_into(&mut view.cluster_id);
    view.registered_brokers.insert(7);
    view.brokers_with_replicas = None;
    let answered = complete(observed, world.now, |need| match need {
        Need::Kafka => Answer::Kafka(view.clone()),
        Need::BrokersWithReplicas => Answer::BrokersWithReplicas(BTreeSet::from([0, 1, 2])),
        other => world.answer(other),
    });
    answered.unwrap().1
}

#[test]
fn nothing_is_told_to_the_kafka_of_another_cluster_and_the_status_says_so() {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    let own = plan(&world, "the-cluster");
    assert!(!own.calls.is_empty() && warning_with(&own, "OtherKafkaCluster").is_none());
    // Pods are due.
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!(false));
    assert!(!plan(&world, "the-cluster").roll.now.is_empty());
    let other = plan(&world, "theirs");
    assert!(other.calls.is_empty(), "{:?}", other.calls);
    assert!(other.roll.now.is_empty(), "what it says of partitions is about others");
    let said = warning_with(&other, "OtherKafkaCluster").unwrap();
    assert!(said.contains("\"theirs\"") && said.contains("\"the-cluster\""), "{said}");
    let ready = condition(&other, "NotReady").unwrap();
    assert!(ready["message"].as_str().unwrap().contains("theirs"), "{ready}");
}

#[test]
fn a_client_that_found_out_says_so_too() {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    world.observed.view = None;
    let found = Silence::new(SilenceKind::OtherCluster, "kafka at c:9091 belongs to somebody else");
    let answered = complete(world.observed.clone(), world.now, |need| match need {
        Need::Kafka => Answer::Unknown(found.clone()),
        other => world.answer(other),
    });
    let said = warning_with(&answered.unwrap().1, "OtherKafkaCluster").unwrap();
    assert!(said.contains("belongs to somebody else"), "{said}");
}

#[test]
fn a_cluster_whose_id_nobody_wrote_down_learns_it() {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    world.kafka(|kafka| kafka["status"]["clusterId"] = json!(null));
    for pool in &mut world.observed.pools {
        std::sync::Arc::make_mut(pool).status = None;
    }
    world.observed.config_maps.clear();
    let plan = plan(&world, "the-cluster");
    assert!(warning_with(&plan, "OtherKafkaCluster").is_none());
    let status = plan.status.kafka.as_ref().unwrap();
    assert_eq!(status.cluster_id.as_deref(), Some("the-cluster"));
}
