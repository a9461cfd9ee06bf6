//! The rules of the contract about pools, storage and listeners, each with a resource that breaks it: what breaks a rule is
//! refused or held back with the reason, and the cluster that runs is left as it is.

use crate::common::{World, condition, pool_status, warning_with};
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

/// A part of a message for each resource that breaks a rule: the section, the value there, the parts.
type Case = (&'static str, Value, &'static [&'static str]);

#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn listeners() -> Vec<Case> {
    let listener = |more: &Value| {
        let mut listener = json!({"name": "first", "port": 9094, "type": "internal", "tls": true});
        listener.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([listener])
    };
    let configured =
        |type_: &str, configuration: Value| listener(&json!({"type": type_, "configuration": configuration}));
    let same = json!([{"name": "first", "port": 9094, "type": "internal", "tls": true},
        {"name": "first", "port": 9094, "type": "internal", "tls": true}]);
    let own = json!({"brokerCertChainAndKey": {"secretName": "a", "certificate": "b", "key": "c"}});
    let path = "/spec/kafka/listeners";
    vec![
        (path, json!([]), &["spec.kafka.listeners: is empty"]),
        (
            path,
            same,
            &["listeners[1].name: \"first\" is used twice", "listeners[1].port: 9094 is already used"],
        ),
        (path, listener(&json!({"name": "Upper"})), &["listeners[0].name: \"Upper\""]),
        (path, listener(&json!({"port": 9091})), &["listeners[0].port: 9091 cannot be used"]),
        (path, listener(&json!({"port": 9404})), &["listeners[0].port: 9404 cannot be used"]),
        (path, listener(&json!({"port": 9999})), &["listeners[0].port: 9999 cannot be used"]),
        (path, listener(&json!({"port": 65536})), &["listeners[0].port: 65536 cannot be used"]),
        (
            path,
            listener(&json!({"tls": false, "authentication": {"type": "tls"}})),
            &["listeners[0].authentication.type"],
        ),
        (
            path,
            listener(&json!({"tls": false, "configuration": own})),
            &["brokerCertChainAndKey: needs an encrypted listener"],
        ),
        (path, listener(&json!({"type": "route", "tls": false})), &["listeners[0].tls", "\"route\""]),
        (
            path,
            listener(
                &json!({"type": "ingress", "tls": false, "configuration": {"bootstrap": {"host": "a.b"}, "hostTemplate": "b{nodeId}.b"}}),
            ),
            &["listeners[0].tls", "\"ingress\""],
        ),
        (
            path,
            listener(
                &json!({"authentication": {"type": "custom", "listenerConfig": {"ssl.keystore.location": "/x"}}}),
            ),
            &["listenerConfig.ssl.keystore.location", "remove the option"],
        ),
        (
            path,
            configured("tlsroute", json!({"bootstrap": {"host": "a.b"}, "hostTemplate": "b{nodeId}.b"})),
            &["configuration.parentRefs: is missing"],
        ),
        (
            path,
            configured("tlsroute", json!({"parentRefs": [{"name": "a"}], "hostTemplate": "b{nodeId}.b"})),
            &["configuration.bootstrap.host: is missing"],
        ),
        (
            path,
            configured("tlsroute", json!({"parentRefs": [{"name": "a"}], "bootstrap": {"host": "a.b"}})),
            &["configuration.brokers: the host of broker 0 is missing"],
        ),
        (
            path,
            configured("ingress", json!({"hostTemplate": "b{nodeId}.b"})),
            &["configuration.bootstrap.host: is missing"],
        ),
        (
            path,
            configured("ingress", json!({"bootstrap": {"host": "a.b"}})),
            &["the host of broker 0 is missing"],
        ),
        (
            path,
            configured("nodeport", json!({"advertisedPortTemplate": "{node} + 1"})),
            &["configuration.advertisedPortTemplate", "{node} + 1"],
        ),
        (
            path,
            configured("nodeport", json!({"advertisedPortTemplate": "70000"})),
            &["configuration.advertisedPortTemplate", "70000"],
        ),
        (
            path,
            configured("nodeport", json!({"brokers": [{"broker": 0, "advertisedPort": 0}]})),
            &["configuration.brokers[0].advertisedPort: 0 is not a port"],
        ),
    ]
}

fn sections() -> Vec<Case> {
    vec![
        (
            "/spec/kafka/config/default.replication.factor",
            json!(4),
            &["default.replication.factor", "3 brokers"],
        ),
        (
            "/spec/kafka/config/offsets.topic.replication.factor",
            json!(4),
            &["offsets.topic.replication.factor", "3 brokers"],
        ),
        (
            "/spec/kafka/config/transaction.state.log.replication.factor",
            json!(4),
            &["transaction.state.log.replication.factor"],
        ),
        (
            "/spec/kafka/config/transaction.state.log.min.isr",
            json!(4),
            &["transaction.state.log.min.isr", "3 brokers"],
        ),
        (
            "/spec/kafka/config/default.replication.factor",
            json!("three"),
            &["default.replication.factor", "three"],
        ),
        (
            "/spec/kafka/config/offsets.topic.replication.factor",
            json!("three"),
            &["offsets.topic.replication.factor", "three"],
        ),
        (
            "/spec/kafka/config/transaction.state.log.replication.factor",
            json!(1.5),
            &["transaction.state.log.replication.factor", "1.5"],
        ),
        (
            "/spec/kafka/config/transaction.state.log.min.isr",
            json!(true),
            &["transaction.state.log.min.isr", "true"],
        ),
        ("/spec/kafka/rack", json!({"type": "topology-label"}), &["spec.kafka.rack.topologyKey: is missing"]),
        ("/spec/kafka/rack", json!({"topologyKey": ""}), &["spec.kafka.rack.topologyKey: is missing"]),
        (
            "/spec/kafka/rack",
            json!({"type": "environment-variable"}),
            &["spec.kafka.rack.envVarName: is missing"],
        ),
        ("/spec/kafka/authorization", json!({"type": "custom"}), &["authorizerClass: is missing"]),
        (
            "/spec/kafka/logging",
            json!({"type": "external"}),
            &["spec.kafka.logging.valueFrom.configMapKeyRef: is missing"],
        ),
    ]
}

fn pools() -> Vec<Case> {
    let volume = |id: i32| json!({"id": id, "type": "persistent-claim", "size": "1Gi"});
    let shared = |id: i32| json!({"id": id, "type": "ephemeral", "kraftMetadata": "shared"});
    vec![
        ("/spec/roles", json!([]), &["KafkaNodePool dual spec.roles: is empty"]),
        ("/spec/replicas", json!(-1), &["KafkaNodePool dual spec.replicas: -1 is negative"]),
        ("/spec/storage", json!({"type": "jbod"}), &["spec.storage.volumes: is empty"]),
        (
            "/spec/storage",
            json!({"type": "jbod", "volumes": [volume(0), volume(0)]}),
            &["spec.storage.volumes[1].id: 0 is used twice"],
        ),
        (
            "/spec/storage",
            json!({"type": "jbod", "volumes": [volume(-1)]}),
            &["spec.storage.volumes[0].id: -1 is negative"],
        ),
        (
            "/spec/storage",
            json!({"type": "jbod", "volumes": [shared(0), shared(1)]}),
            &["more than one volume has kraftMetadata"],
        ),
        ("/spec/storage", json!({"type": "persistent-claim"}), &["spec.storage.size: is missing"]),
        (
            "/spec/storage",
            json!({"type": "persistent-claim", "size": "much"}),
            &["spec.storage.size: \"much\""],
        ),
        ("/spec/storage", json!({"type": "persistent-claim", "size": "0"}), &["spec.storage.size: \"0\""]),
        (
            "/spec/storage",
            json!({"type": "ephemeral", "sizeLimit": "1.2.3"}),
            &["spec.storage.sizeLimit: \"1.2.3\""],
        ),
    ]
}

/// Sets a value; a key may have dots, so the last step is not a pointer's.
fn set(manifest: &mut Value, pointer: &str, value: &Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    manifest.pointer_mut(parent).unwrap()[name] = value.clone();
}

fn assert_refused(plan: &Plan, what: &str, parts: &[&str]) {
    let not_ready = condition(plan, "NotReady").unwrap_or_else(|| panic!("{what} is accepted"));
    let message = not_ready["message"].as_str().unwrap();
    for part in parts {
        assert!(message.contains(part), "{what}: {message:?} does not say {part:?}");
    }
    let touches = plan.apply.len()
        + plan.delete.len()
        + plan.roll.wanted.len()
        + plan.calls.len()
        + plan.finalizers.len();
    assert_eq!(touches, 0, "{what}: what runs is left as it is");
}

#[test]
fn what_breaks_a_rule_is_refused_and_what_runs_is_left_as_it_is() {
    let mut settled = World::load("dual-role.input.yaml");
    settled.settle();
    for (pointer, value, parts) in listeners().into_iter().chain(sections()) {
        for mut world in [settled.clone(), World::load("dual-role.input.yaml")] {
            world.kafka(|kafka| set(kafka, pointer, &value));
            assert_refused(&world.plan(), &format!("{pointer} {value}"), parts);
        }
    }
    for (pointer, value, parts) in pools() {
        for mut world in [settled.clone(), World::load("dual-role.input.yaml")] {
            world.pool(0, |pool| set(pool, pointer, &value));
            assert_refused(&world.plan(), &format!("{pointer} {value}"), parts);
        }
    }
}

#[test]
fn a_cluster_has_pools_with_nodes_of_both_roles() {
    let refused = |change: &dyn Fn(&mut World), parts: &[&str]| {
        let mut world = World::load("split-pools.input.yaml");
        change(&mut world);
        assert_refused(&world.plan(), &format!("{parts:?}"), parts);
    };
    refused(&|world| world.observed.pools.clear(), &["KafkaNodePool", "strimzi.io/cluster: shop"]);
    refused(&|world| world.pool(0, |pool| pool["spec"]["replicas"] = json!(0)), &["the role broker"]);
    refused(&|world| world.pool(1, |pool| pool["spec"]["replicas"] = json!(0)), &["the role controller"]);
    refused(
        &|world| {
            for pool in 0..2 {
                world.pool(pool, |pool| pool["spec"]["replicas"] = json!(0));
            }
        },
        &["the role broker", "the role controller"],
    );
}

/// What is changed of a storage.
type Spoil = fn(&mut Value);

/// A cluster whose brokers have two volumes, changed.
fn changed(change: impl FnOnce(&mut Value)) -> (Plan, Plan) {
    let mut world = World::load("split-pools.input.yaml");
    let settled = world.settle();
    world.pool(0, |pool| change(&mut pool["spec"]["storage"]));
    (settled, world.plan())
}

#[test]
fn a_change_of_storage_that_loses_records_is_held_back() {
    let cases: [(&str, Spoil); 6] = [
        ("shrink", |storage| storage["volumes"][0]["size"] = json!("1Gi")),
        ("storage class", |storage| storage["volumes"][0]["class"] = json!("another")),
        ("selector", |storage| storage["volumes"][0]["selector"] = json!({"disk": "fast"})),
        ("type of volume 0", |storage| storage["volumes"][0] = json!({"id": 0, "type": "ephemeral"})),
        ("jbod", |storage| *storage = json!({"type": "persistent-claim", "size": "10Gi"})),
        ("jbod", |storage| *storage = json!({"type": "ephemeral"})),
    ];
    for (said, change) in cases {
        let (settled, plan) = changed(change);
        let message =
            warning_with(&plan, "KafkaStorage").unwrap_or_else(|| panic!("{said} is not held back"));
        assert!(message.contains(said), "{said}: {message}");
        assert_eq!(plan.apply, settled.apply, "{said}: nothing of it is written");
        assert!(plan.roll.wanted.is_empty() && plan.delete.is_empty() && plan.held.len() == 1, "{said}");
    }
}

#[test]
fn a_single_volume_keeps_its_type() {
    let claim = || json!({"type": "persistent-claim", "size": "1Gi"});
    let ephemeral = || json!({"type": "ephemeral"});
    for (before, after) in [(claim(), ephemeral()), (ephemeral(), claim())] {
        let mut world = World::load("dual-role.input.yaml");
        world.pool(0, |pool| pool["spec"]["storage"].clone_from(&before));
        let settled = world.settle();
        world.pool(0, |pool| pool["spec"]["storage"].clone_from(&after));
        let plan = world.plan();
        let message = warning_with(&plan, "KafkaStorage").unwrap();
        assert!(message.contains("cannot change between ephemeral and persistent-claim"), "{message}");
        assert_eq!(plan.apply, settled.apply, "{before} to {after}");
        assert!(plan.roll.wanted.is_empty() && plan.held.len() == 1, "{before} to {after}");
    }
}

#[test]
fn the_limit_of_an_ephemeral_volume_may_change() {
    let mut world = World::load("dual-role.input.yaml");
    world.pool(0, |pool| pool["spec"]["storage"] = json!({"type": "ephemeral"}));
    world.settle();
    world.pool(0, |pool| pool["spec"]["storage"]["sizeLimit"] = json!("1Gi"));
    let plan = world.plan();
    assert!(plan.held.is_empty() && warning_with(&plan, "KafkaStorage").is_none(), "{:?}", plan.held);
    assert_eq!((plan.roll.wanted.len(), plan.roll.now.len()), (3, 1));
}

#[test]
fn what_may_change_of_a_storage_is_not_held_back() {
    let cases: [fn(&mut Value); 4] = [
        |storage| storage["volumes"][0]["deleteClaim"] = json!(true),
        |storage| storage["volumes"][1]["kraftMetadata"] = json!("shared"),
        |storage| storage["volumes"][0]["volumeAttributesClass"] = json!("fast"),
        |storage| {
            let more = json!({"id": 9, "type": "persistent-claim", "size": "1Gi"});
            storage["volumes"].as_array_mut().unwrap().push(more);
        },
    ];
    for (index, change) in cases.into_iter().enumerate() {
        let (settled, plan) = changed(change);
        assert_eq!((warning_with(&plan, "KafkaStorage"), plan.held.len()), (None, 0), "{index}");
        assert_ne!(plan.apply, settled.apply, "{index}");
    }
}

#[test]
fn ranges_of_ids_that_cannot_be_read_are_warned_of_and_nothing_else_comes_of_them() {
    for text in ["[5-", "5", "[a]", "[1-2-3]", "[-1]"] {
        let mut world = World::load("split-pools.input.yaml");
        world.settle();
        world.pool(0, |pool| {
            pool["spec"]["replicas"] = json!(4);
            pool["metadata"]["annotations"] = json!({"strimzi.io/next-node-ids": text});
        });
        let plan = world.plan();
        let status = pool_status(&plan, "brokers");
        assert_eq!(status["nodeIds"], json!([0, 1, 2, 6]), "{text}");
        let said = status["conditions"].as_array().unwrap().iter().any(|one| {
            one["reason"] == "InvalidNodeIds" && one["message"].as_str().unwrap().contains("next-node-ids")
        });
        assert!(said, "{text}: {status}");
    }
}

#[test]
fn pools_that_say_they_have_one_id_never_both_get_it() {
    let mut world = World::load("split-pools.input.yaml");
    world.pool(0, |pool| pool["status"] = json!({"nodeIds": [0, 1, 2]}));
    world.pool(1, |pool| pool["status"] = json!({"nodeIds": [2, 3, 4]}));
    let plan = world.plan();
    assert!(plan.nodes.is_empty(), "{:?}", plan.nodes);
    let refused = condition(&plan, "NotReady").unwrap();
    assert!(
        refused["message"].as_str().unwrap().contains("node id 2 is used by another pool too"),
        "{refused}"
    );
}

#[test]
fn an_entry_for_a_broker_that_there_is_not_is_only_warned_of() {
    let mut world = World::load("split-pools.input.yaml");
    world.settle();
    // Node 3 is a controller.
    let brokers = json!([{"broker": 0, "advertisedHost": "a.b"}, {"broker": 3, "advertisedHost": "c.d"}, {"broker": 17, "advertisedPort": 9999}]);
    world
        .kafka(|kafka| kafka["spec"]["kafka"]["listeners"][0]["configuration"] = json!({"brokers": brokers}));
    let plan = world.plan();
    let message = warning_with(&plan, "ListenerBrokerUnknown").unwrap();
    assert!(
        message.contains("spec.kafka.listeners[0].configuration.brokers") && message.contains("3 or 17"),
        "{message}"
    );
    assert!(
        !plan.apply.is_empty() && condition(&plan, "NotReady").is_none_or(|all| all["reason"] == "Creating")
    );
}
