//! Object overrides of kinds of which little may be changed.

use std::sync::Arc;

use crate::common::{World, condition, object};
use serde_json::{Value, json};

#[test]
fn every_other_kind_takes_labels_and_annotations_and_a_claim_its_class_of_attributes() {
    let mut world = World::load("dual-role.input.yaml");
    Arc::make_mut(&mut world.observed.settings).object_overrides = true;
    let storage = json!({"type": "persistent-claim", "size": "1Gi"});
    world.pool(0, |pool| pool["spec"]["storage"] = storage);
    world.kafka(|kafka| {
        let listeners = &mut kafka["spec"]["kafka"]["listeners"];
        let hosts = json!({"bootstrap": {"host": "b.example.org"}, "hostTemplate": "{nodeId}.example.org",
            "parentRefs": [{"name": "gateway"}]});
        *listeners = json!([
            {"name": "nodes", "port": 9094, "type": "nodeport", "tls": true},
            {"name": "routes", "port": 9095, "type": "route", "tls": true},
            {"name": "gateway", "port": 9096, "type": "tlsroute", "tls": true, "configuration": hosts}]);
    });
    let marked = json!({"metadata": {"labels": {"team": "a"}, "annotations": {"example.org/x": "y"}}});
    let kinds =
        ["ClusterRoleBinding", "ConfigMap", "NetworkPolicy", "Role", "RoleBinding", "Route", "TLSRoute"];
    let mut overrides: Value = kinds.map(|kind| (kind.to_owned(), marked.clone())).into_iter().collect();
    overrides["PersistentVolumeClaim/data-my-dual-1"] =
        json!({"spec": {"volumeAttributesClassName": "fast"}});
    world.kafka(|kafka| kafka["spec"]["objectOverrides"] = overrides);
    for _ in 0..4 {
        let plan = world.plan();
        assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
        world.apply(&plan);
        world.give_addresses();
        world.run_everything();
    }
    let plan = world.plan();
    assert!(condition(&plan, "Ready").is_some(), "{:?}", condition(&plan, "NotReady"));
    for kind in kinds {
        let of_kind: Vec<_> = plan.apply.iter().filter(|write| write.reference.kind == kind).collect();
        assert!(!of_kind.is_empty(), "there is a {kind}");
        for write in of_kind {
            let metadata = &write.object["metadata"];
            assert_eq!(
                (&metadata["labels"]["team"], &metadata["annotations"]["example.org/x"]),
                (&json!("a"), &json!("y")),
                "{}",
                write.reference.name
            );
            assert!(!write.is_change(), "{kind}: {:?}", write.change);
        }
    }
    let class = |name: &str| {
        object(&plan, "PersistentVolumeClaim", name)["spec"]["volumeAttributesClassName"].clone()
    };
    assert_eq!((class("data-my-dual-0"), class("data-my-dual-1")), (Value::Null, json!("fast")));
}
