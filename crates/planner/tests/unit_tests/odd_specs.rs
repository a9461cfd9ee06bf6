//! Whatever stands in a manifest that the API server lets through, planning ends with a plan.

use crate::common;

use common::World;
use planner::kafka::plan::plan;
use proptest::prelude::*;
use serde_json::{Value, json};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("9.9".to_owned()),
        Just("4.2.1".to_owned()),
        Just("[0-3, 9-7]".to_owned()),
        Just("[5-".to_owned()),
        Just("1e400".to_owned()),
        Just("{nodeId}.x".to_owned()),
        "[ -~]{0,20}",
        "\\PC{0,12}",
    ]
}

fn number() -> impl Strategy<Value = i32> {
    prop_oneof![
        Just(0),
        Just(-1),
        Just(9092),
        Just(9999),
        Just(70000),
        Just(i32::MAX),
        Just(i32::MIN),
        -5..20i32
    ]
}

fn listener() -> impl Strategy<Value = Value> {
    let authentication = prop_oneof![
        Just(Value::Null),
        Just(json!({"type": "tls"})),
        Just(json!({"type": "scram-sha-512"})),
        text().prop_map(
            |text| json!({"type": "custom", "sasl": true, "listenerConfig": {"a": text, "b": {"c": 1}}})
        ),
    ];
    let types = prop_oneof![Just("internal"), Just("nodeport"), Just("ingress")];
    (text(), number(), types, any::<bool>(), authentication, text(), number()).prop_map(
        |(name, port, type_, tls, authentication, host, broker)| {
            json!({"name": name, "port": port, "type": type_, "tls": tls, "authentication": authentication,
                "configuration": {"advertisedHostTemplate": host, "bootstrap": {"alternativeNames": [host]},
                    "brokers": [{"broker": broker, "advertisedHost": host, "advertisedPort": port}]}})
        },
    )
}

fn storage() -> impl Strategy<Value = Value> {
    let volume = (number(), text(), any::<bool>()).prop_map(|(id, size, claim)| {
        json!({"id": id, "type": if claim { "persistent-claim" } else { "ephemeral" }, "size": size, "sizeLimit": size})
    });
    prop_oneof![
        Just(json!({"type": "ephemeral"})),
        text().prop_map(|size| json!({"type": "persistent-claim", "size": size})),
        proptest::collection::vec(volume, 0..3)
            .prop_map(|volumes| json!({"type": "jbod", "volumes": volumes})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn planning_never_panics(
        listeners in proptest::collection::vec(listener(), 0..4),
        storage in storage(),
        replicas in number(),
        roles in proptest::sample::subsequence(vec!["controller", "broker"], 0..=2),
        version in proptest::option::of(text()),
        metadata in proptest::option::of(text()),
        option in text(),
        value in text(),
        days in number(),
        window in text(),
        wished in text(),
        ids in proptest::collection::vec(number(), 0..4),
    ) {
        let mut world = World::load("dual-role.input.yaml");
        world.kafka(|kafka| {
            let spec = &mut kafka["spec"];
            spec["kafka"]["listeners"] = json!(listeners);
            spec["kafka"]["version"] = json!(version);
            spec["kafka"]["metadataVersion"] = json!(metadata);
            spec["kafka"]["config"][option.as_str()] = json!(value);
            spec["clusterCa"] = json!({"validityDays": days, "renewalDays": days});
            spec["maintenanceTimeWindows"] = json!([window]);
        });
        world.pool(0, |pool| {
            pool["spec"]["replicas"] = json!(replicas);
            pool["spec"]["roles"] = json!(roles);
            pool["spec"]["storage"] = storage.clone();
            pool["metadata"]["annotations"] = json!({"strimzi.io/next-node-ids": wished, "strimzi.io/remove-node-ids": wished});
            pool["status"] = json!({"nodeIds": ids});
        });
        let plan = plan(&world.observed, world.now);
        // Either it is refused and says so, or there is something to do.
        let refused = common::condition(&plan, "NotReady").is_some();
        prop_assert!(refused || !plan.needs.is_empty());
    }
}
