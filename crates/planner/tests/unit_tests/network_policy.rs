//! Whom the network policies of a cluster let in.

use std::sync::Arc;

use crate::common::{World, object};
use planner::settings::PlanSettings;
use serde_json::{Value, json};

/// Who reaches the agent's port: the cluster operator alone.
fn operator(change: impl FnOnce(&mut PlanSettings)) -> Value {
    let mut world = World::load("dual-role.input.yaml");
    change(Arc::make_mut(&mut world.observed.settings));
    let plan = world.plan();
    let rules = object(&plan, "NetworkPolicy", "my-network-policy-kafka")["spec"]["ingress"].clone();
    let agent =
        rules.as_array().unwrap().iter().find(|rule| rule["ports"][0]["port"] == 8443).unwrap().clone();
    assert_eq!(agent["from"].as_array().unwrap().len(), 1);
    agent["from"][0].clone()
}

#[test]
fn the_operator_is_let_in_from_its_own_namespace_and_no_other() {
    let pods = json!({"matchLabels": {"strimzi.io/kind": "cluster-operator"}});
    let from = |labels: Value| json!({"podSelector": pods, "namespaceSelector": labels});
    let named = |name: &str| from(json!({"matchLabels": {"kubernetes.io/metadata.name": name}}));
    assert_eq!(operator(|_| {}), named("operators"), "installed without the chart");
    let chosen = operator(|settings| {
        settings.operator_namespace_labels.insert("team".to_owned(), "platform".to_owned());
    });
    assert_eq!(chosen, from(json!({"matchLabels": {"team": "platform"}})));
    let same = operator(|settings| settings.operator_namespace = Some("s1".to_owned()));
    assert_eq!(same, json!({"podSelector": pods}));
    assert_eq!(operator(|settings| settings.operator_namespace = None), from(json!({})), "nothing is known");
}
