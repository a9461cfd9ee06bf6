//! A topic operator that is taken out of a cluster that lives on.

use crate::common::World;
use planner::kafka::held_topic::HeldTopic;
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use serde_json::json;

const LAST: [&str; 2] = ["my-entity-topic-operator-config", "my-entity-topic-operator-role"];

fn deleted(plan: &Plan) -> Vec<&str> {
    plan.delete.iter().map(|deletion| deletion.object.name.as_str()).collect()
}

#[test]
fn its_finalizers_go_before_the_last_of_its_objects() {
    for without in [json!({"userOperator": {}}), json!(null)] {
        let mut world = World::load("dual-role.input.yaml");
        world.settle();
        world.kafka(|kafka| kafka["spec"]["entityOperator"] = without.clone());
        let blind = world.plan();
        assert!(world.asked.contains(&Need::HeldTopics) && blind.finalizers.is_empty());
        assert!(deleted(&blind).contains(&"my-entity-topic-operator-certs"));
        assert!(LAST.iter().all(|name| !deleted(&blind).contains(name)), "{:?}", deleted(&blind));
        assert!(blind.look_again_seconds().is_some());

        let held = ["example.com/other".to_owned(), "strimzi.io/topic-operator".to_owned()];
        world.held_topics = Some(vec![HeldTopic {
            namespace: "elsewhere".to_owned(),
            name: "orders".to_owned(),
            resource_version: Some("7".to_owned()),
            finalizers: held.to_vec(),
            deleted_at: None,
        }]);
        let releasing = world.plan();
        assert_eq!(releasing.finalizers.len(), 1);
        assert_eq!(releasing.finalizers[0].object.namespace.as_deref(), Some("elsewhere"));
        assert_eq!(releasing.finalizers[0].finalizers, ["example.com/other"]);
        assert!(LAST.iter().all(|name| !deleted(&releasing).contains(name)));
        assert!(releasing.look_again_seconds().is_some());
        world.apply(&releasing);

        world.held_topics = Some(Vec::new());
        let done = world.plan();
        assert!(LAST.iter().all(|name| deleted(&done).contains(name)), "{:?}", deleted(&done));
        world.apply(&done);
        let idle = world.plan();
        assert!(!world.asked.contains(&Need::HeldTopics) && idle.delete.is_empty());
    }
}

#[test]
fn a_cluster_that_has_one_or_never_had_one_asks_for_no_topics() {
    for entity in [json!({"topicOperator": {}}), json!(null)] {
        let mut world = World::load("dual-role.input.yaml");
        world.kafka(|kafka| kafka["spec"]["entityOperator"] = entity.clone());
        world.plan();
        assert!(!world.asked.contains(&Need::HeldTopics));
        world.settle();
        assert!(!world.asked.contains(&Need::HeldTopics));
    }
}
