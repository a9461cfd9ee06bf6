//! Proxies of single addresses in the life of a cluster: when they come, go and are away.

use crate::common::exposure::exposed;
use crate::common::{World, condition, kafka_status, warning_with};
use planner::kafka::plan::Plan;
use serde_json::json;

#[test]
fn a_proxy_that_is_away_for_long_makes_the_cluster_not_ready() {
    let mut world = exposed("loadbalancer", &json!({"singleAddress": {}}));
    world.give_addresses();
    let plan = world.settle();
    world.apply(&plan);
    assert!(condition(&world.plan(), "Ready").is_some(), "{:#}", kafka_status(&world.plan()));
    let lost = |world: &mut World, since: jiff::Timestamp| {
        let live = world.observed.deployments.get_mut("my-kafka-ext-proxy").unwrap();
        let status = json!({"updatedReplicas": 2, "replicas": 2, "unavailableReplicas": 2, "conditions": [
            {"type": "Available", "status": "False", "lastTransitionTime": since.to_string()}]});
        std::sync::Arc::make_mut(live).status = Some(serde_json::from_value(status).unwrap());
    };
    let now = world.now;
    lost(&mut world, now - jiff::SignedDuration::from_mins(1));
    assert!(condition(&world.plan(), "Ready").is_some(), "it may come back");
    lost(&mut world, now - jiff::SignedDuration::from_mins(10));
    let plan = world.plan();
    let why = condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(why.contains("my-kafka-ext-proxy"), "{why}");
    let words = warning_with(&plan, "DeploymentNotAvailable").unwrap();
    assert!(words.contains("my-kafka-ext-proxy"), "{words}");
}

#[test]
fn a_listener_that_gets_or_loses_its_single_address_warns_while_its_addresses_change() {
    let listeners = |single: bool| {
        let configuration = if single { json!({"singleAddress": {}}) } else { json!({}) };
        json!([{"name": "ext", "port": 9094, "type": "loadbalancer", "tls": true, "configuration": configuration}])
    };
    let mut world = exposed("loadbalancer", &json!({}));
    world.give_addresses();
    let plan = world.settle();
    world.apply(&plan);
    let words = |plan: &Plan| warning_with(plan, "ListenerAddressesChange");
    assert_eq!(words(&world.plan()), None);
    for single in [true, false] {
        world.kafka(|kafka| kafka["spec"]["kafka"]["listeners"] = listeners(single));
        let plan = world.plan();
        assert!(words(&plan).unwrap().contains("listener ext"));
        for _ in 0..3 {
            let plan = world.plan();
            world.apply(&plan);
            world.give_addresses();
        }
        for pod in ["my-dual-0", "my-dual-1", "my-dual-2"] {
            world.restart(pod);
        }
        assert_eq!(words(&world.plan()), None);
    }
}
