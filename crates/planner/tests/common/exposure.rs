//! Clusters that clients outside of Kubernetes reach.

use serde_json::{Value, json};

use super::World;

/// Three brokers and one listener.
pub(crate) fn world(type_: &str, configuration: &Value) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["listeners"] =
            json!([{"name": "ext", "port": 9094, "type": type_, "tls": true, "configuration": configuration}]);
    });
    world
}

/// Two passes, so that the Services are there.
pub(crate) fn exposed(type_: &str, configuration: &Value) -> World {
    let mut world = world(type_, configuration);
    for _ in 0..2 {
        let plan = world.plan();
        world.apply(&plan);
    }
    world
}
