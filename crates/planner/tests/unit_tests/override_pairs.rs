//! Object overrides of which the API server would refuse what they make.

use std::sync::Arc;

use crate::common::{World, condition};
use serde_json::{Value, json};

fn world() -> World {
    let mut world = World::load("dual-role.input.yaml");
    Arc::make_mut(&mut world.observed.settings).object_overrides = true;
    world
}

fn wish(world: &mut World, overrides: &Value) {
    world.kafka(|kafka| kafka["spec"]["objectOverrides"] = overrides.clone());
}

fn refusal(overrides: &Value) -> String {
    let mut world = world();
    world.settle();
    wish(&mut world, overrides);
    condition(&world.plan(), "NotReady").unwrap()["message"].as_str().unwrap().to_owned()
}

#[test]
fn values_that_the_api_server_takes_only_alone_are_refused_together() {
    let budget = refusal(&json!({"PodDisruptionBudget": {"spec": {"maxUnavailable": 2}}}));
    assert!(budget.contains("beside spec.minAvailable"), "{budget}");
    let class = refusal(&json!({"Service": {"spec": {"loadBalancerClass": "a.example/b"}}}));
    assert!(class.contains("spec.loadBalancerClass is for Services of the type LoadBalancer"), "{class}");
    let strategy =
        refusal(&json!({"Deployment": {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1}}}}}));
    assert!(strategy.contains("beside the type Recreate"), "{strategy}");
    let families = refusal(
        &json!({"Service": {"spec": {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4", "IPv6"]}}}),
    );
    assert!(families.contains("ipFamilyPolicy"), "{families}");
    // One of the two, with the other taken out.
    let mut world = world();
    world.settle();
    wish(
        &mut world,
        &json!({"PodDisruptionBudget/my-kafka": {"spec": {"maxUnavailable": 2, "minAvailable": null}}}),
    );
    assert!(condition(&world.plan(), "NotReady").is_none());
}
