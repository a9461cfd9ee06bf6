//! What is logged changes while everything runs: other texts in ConfigMaps, and no restart.

use std::sync::Arc;

use crate::common::{World, object};
use k8s_openapi::api::core::v1::ConfigMap;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

/// The ConfigMaps with the logging of a node, of the topic operator and of the user operator.
const MAPS: [&str; 3] = ["my-dual-0", "my-entity-topic-operator-config", "my-entity-user-operator-config"];

fn logs(plan: &Plan) -> Vec<String> {
    let text = |name: &&str| {
        object(plan, "ConfigMap", name)["data"]["log4j2.properties"].as_str().unwrap().to_owned()
    };
    MAPS.iter().map(text).collect()
}

fn set(world: &mut World, logging: &Value) {
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["logging"] = logging.clone();
        kafka["spec"]["entityOperator"]["topicOperator"]["logging"] = logging.clone();
        kafka["spec"]["entityOperator"]["userOperator"]["logging"] = logging.clone();
    });
}

fn deployment(plan: &Plan) -> Value {
    object(plan, "Deployment", "my-entity-operator")["spec"]["template"].clone()
}

fn texts(world: &mut World, text: &str) {
    let map = json!({"metadata": {"name": "logs", "namespace": "s1"}, "data": {"l": text}});
    let map: ConfigMap = serde_json::from_value(map).unwrap();
    world.observed.config_maps.insert("logs".to_owned(), Arc::new(map));
}

#[test]
fn levels_change_in_files_that_are_read_again_and_nothing_restarts() {
    let mut world = World::load("dual-role.input.yaml");
    let before = deployment(&world.settle());
    let inline = |level: &str| json!({"type": "inline", "loggers": {"rootLogger.level": level}});
    let reference = json!({"configMapKeyRef": {"name": "logs", "key": "l"}});
    let external = json!({"type": "external", "valueFrom": reference});
    texts(&mut world, "rootLogger.level = WARN\n");
    for (logging, expected) in [
        (inline("DEBUG"), "rootLogger.level=DEBUG"),
        (inline("TRACE"), "rootLogger.level=TRACE"),
        (external, "rootLogger.level = WARN"),
    ] {
        set(&mut world, &logging);
        let plan = world.plan();
        for text in logs(&plan) {
            assert!(text.contains(expected) && text.contains("monitorInterval=30"), "{text}");
        }
        assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
        assert_eq!(deployment(&plan), before, "the entity operator would restart");
        world.apply(&plan);
    }
    texts(&mut world, "rootLogger.level = ERROR\n");
    let plan = world.plan();
    assert!(logs(&plan).iter().all(|text| text.contains("rootLogger.level = ERROR")));
    assert!(plan.roll.wanted.is_empty() && deployment(&plan) == before);
}
