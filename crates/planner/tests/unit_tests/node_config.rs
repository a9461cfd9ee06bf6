//! Options of single nodes. What real brokers make of the calls is shown by the tests `kafka_options` of the cluster operator.

use crate::common;

use std::collections::BTreeMap;

use common::{World, condition, object, warning_with};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::observed::ConfigView;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

fn call(broker: Option<i32>, option: &str, value: Option<&str>) -> AdminCall {
    let changes = BTreeMap::from([(option.to_owned(), value.map(str::to_owned))]);
    AdminCall::AlterBrokerConfig { broker, changes }
}

fn wish(world: &mut World, node_config: Value) {
    world.kafka(|kafka| kafka["spec"]["kafka"]["nodeConfig"] = node_config);
}

/// A cluster that is settled, and whose brokers were looked at.
fn settled(input: &str) -> World {
    let mut world = World::load(input);
    let plan = world.settle();
    world.apply(&plan);
    world.tell_options(&[]);
    let plan = world.plan();
    assert!(condition(&plan, "Ready").is_some() && told(&plan).is_empty(), "{:?}", plan.calls);
    world.observed.options = plan.options;
    world
}

/// What brokers are told about their options.
fn told(plan: &Plan) -> Vec<&AdminCall> {
    plan.calls.iter().filter(|call| matches!(call, AdminCall::AlterBrokerConfig { .. })).collect()
}

/// The brokers tell their options, and one of them that it was told a value of its own.
fn tell(world: &mut World, everywhere: Option<&str>, broker: i32, name: &str, value: &str) {
    let text = |value: &str| Some(value.to_owned());
    let shared = everywhere.map(|value| ConfigView {
        value: text(value),
        everywhere: text(value),
        ..ConfigView::default()
    });
    let shared: Vec<(&str, ConfigView)> = shared.into_iter().map(|view| (name, view)).collect();
    world.tell_options(&shared);
    let view = world.observed.view.as_mut().unwrap();
    for (id, options) in &mut view.broker_configs {
        let option = options.get_mut(name).unwrap();
        if everywhere.is_none() {
            *option = ConfigView::default();
            option.value = text("8");
        }
        if *id == broker {
            (option.value, option.on_broker) = (text(value), text(value));
        }
    }
}

fn controllers(world: &World) -> Vec<i32> {
    let controllers = world.observed.pools.iter().filter(|pool| pool.spec.roles.len() == 1);
    let of_role = |pool: &api::KafkaNodePool| pool.spec.roles[0].as_str() == "controller";
    let pools = controllers.filter(|pool| of_role(pool));
    pools.flat_map(|pool| pool.status.clone().unwrap().node_ids.unwrap()).collect()
}

fn line(plan: &Plan, pod: &str, name: &str) -> Option<String> {
    let text = object(plan, "ConfigMap", pod)["data"]["server.config"].as_str().unwrap().to_owned();
    api::properties::parse(&text).unwrap().get(name).map(str::to_owned)
}

fn message(plan: &Plan) -> String {
    condition(plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned()
}

#[test]
fn an_option_of_one_broker_is_set_on_that_broker_and_restarts_nothing() {
    let mut world = settled("dual-role.input.yaml");
    wish(&mut world, json!({"1": {"num.io.threads": 12}}));
    let plan = world.plan();
    assert_eq!(plan.calls, [call(Some(1), "num.io.threads", Some("12"))]);
    assert!(
        plan.roll.wanted.is_empty() && plan.undone.is_empty(),
        "{:?} {:?}",
        plan.roll.wanted,
        plan.undone
    );
    let lines = ["my-dual-0", "my-dual-1", "my-dual-2"].map(|pod| line(&plan, pod, "num.io.threads"));
    assert_eq!(lines, [None, Some("12".to_owned()), None]);
    world.apply(&plan);
    tell(&mut world, None, 1, "num.io.threads", "12");
    let done = world.plan();
    assert!(done.calls.is_empty() && done.roll.wanted.is_empty(), "{:?}", done.calls);
    assert!(warning_with(&done, "ForeignBrokerConfiguration").is_none());
    world.apply(&done);
    // Taken out, it leaves the broker, in steps where Kafka wants them, and nobody is told that a stranger had set it.
    wish(&mut world, Value::Null);
    tell(&mut world, None, 1, "num.io.threads", "12");
    let removes = world.plan();
    assert_eq!(removes.calls, [call(Some(1), "num.io.threads", None)]);
    assert!(removes.undone.is_empty() && removes.roll.wanted.is_empty(), "{:?}", removes.undone);
    world.apply(&removes);
    world.tell_options(&[]);
    let gone = world.plan();
    assert!(gone.calls.is_empty() && gone.options.own_values.is_empty());
}

#[test]
fn what_all_brokers_get_leaves_the_value_of_one_alone() {
    let mut world = settled("dual-role.input.yaml");
    wish(&mut world, json!({"0-1": {"compression.type": "zstd"}}));
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["compression.type"] = json!("lz4"));
    let plan = world.plan();
    // Those with values of their own come first: what all get would win over their files.
    assert_eq!(
        plan.calls,
        [
            call(Some(0), "compression.type", Some("zstd")),
            call(Some(1), "compression.type", Some("zstd")),
            call(None, "compression.type", Some("lz4")),
        ]
    );
    assert!(plan.roll.wanted.is_empty());
    world.apply(&plan);
    tell(&mut world, Some("lz4"), 0, "compression.type", "zstd");
    let half = world.plan();
    assert_eq!(half.calls, [call(Some(1), "compression.type", Some("zstd"))]);
    // What was set by hand is undone, and told.
    tell(&mut world, Some("lz4"), 0, "compression.type", "zstd");
    let view = world.observed.view.as_mut().unwrap();
    for id in [1, 2] {
        let option = view.broker_configs.get_mut(&id).unwrap().get_mut("compression.type").unwrap();
        (option.value, option.on_broker) = (Some("gzip".to_owned()), Some("gzip".to_owned()));
    }
    let plan = world.plan();
    assert_eq!(
        plan.calls,
        [call(Some(1), "compression.type", Some("zstd")), call(Some(2), "compression.type", None)]
    );
    let undone: Vec<String> = plan.undone.iter().map(ToString::to_string).collect();
    assert_eq!(undone, ["compression.type=gzip on broker 2", "compression.type=gzip on broker 1"]);
}

#[test]
fn an_option_that_needs_a_restart_restarts_that_node_alone() {
    let mut world = settled("split-pools.input.yaml");
    let ids = |plan: &Plan| plan.roll.wanted.iter().map(|restart| restart.node).collect::<Vec<_>>();
    wish(&mut world, json!({"4": {"connections.max.idle.ms": 1000}}));
    let plan = world.plan();
    assert_eq!(ids(&plan), [4]);
    assert!(told(&plan).is_empty());
    // The options of a controller stand in its file: nobody tells them at run time.
    let controller = controllers(&world)[0];
    wish(&mut world, json!({controller.to_string(): {"controller.quorum.fetch.timeout.ms": 9000}}));
    let plan = world.plan();
    assert_eq!(ids(&plan), [controller]);
}

#[test]
fn an_option_that_a_controller_has_for_itself_is_changed_by_restarts() {
    let mut world = settled("split-pools.input.yaml");
    let controller = controllers(&world)[0];
    wish(&mut world, json!({controller.to_string(): {"num.io.threads": 4}}));
    let plan = world.plan();
    assert!(plan.roll.wanted.iter().any(|restart| restart.node == controller));
    assert!(told(&plan).is_empty(), "a value for all brokers would win over its file: {:?}", plan.calls);
}

#[test]
fn a_manifest_without_it_gives_the_same_pods_as_one_with_an_empty_one() {
    let mut world = World::load("dual-role.input.yaml");
    let before = world.settle();
    wish(&mut world, json!({}));
    let after = world.plan();
    for pod in ["my-dual-0", "my-dual-1", "my-dual-2"] {
        assert_eq!(object(&before, "ConfigMap", pod), object(&after, "ConfigMap", pod));
    }
    assert_eq!(object(&before, "StrimziPodSet", "my-dual"), object(&after, "StrimziPodSet", "my-dual"));
}

#[test]
fn options_of_nodes_that_do_not_exist_are_warned_of_and_wait_for_their_node() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    wish(&mut world, json!({"2-9": {"num.io.threads": 12}, "7, 20-30": {"background.threads": 9}}));
    let plan = world.plan();
    assert!(condition(&plan, "Ready").is_some());
    let warning = warning_with(&plan, "NodeConfigWithoutNode").unwrap();
    assert!(warning.contains("no node 20-30, 7:"), "{warning}");
    assert_eq!(line(&plan, "my-dual-2", "num.io.threads").as_deref(), Some("12"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut world = World::load("dual-role.input.yaml");
    wish(
        &mut world,
        json!({
            "first": {"num.io.threads": 12},
            "5-3": {},
            "1": {"num.io.threads": "many", "listeners": "X://:1", "min.insync.replicas": 2, "offsets.topic.num.partitions": 5},
            "0-2": {"background.threads": 5, "compression.type": "zstd"},
            "2": {"background.threads": 6, "compression.type": "zstd"},
        }),
    );
    let message = message(&world.plan());
    for part in [
        "spec.kafka.nodeConfig.first: is no list of node ids: write an id (3), a range (3-5)",
        "spec.kafka.nodeConfig.5-3: has a range that ends before it begins: write 3-5",
        "spec.kafka.nodeConfig.1: num.io.threads must be a whole number of 32 bits, not \"many\"",
        "spec.kafka.nodeConfig.1.listeners: is set by the operator",
        "spec.kafka.nodeConfig.1.min.insync.replicas: has to be the same on all nodes: write it into spec.kafka.config",
        "spec.kafka.nodeConfig.1.offsets.topic.num.partitions: has to be the same",
        "spec.kafka.nodeConfig.2.background.threads: is another value for node 2 than in spec.kafka.nodeConfig.0-2",
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }
    assert!(!message.contains("compression.type"), "the same value twice is no contradiction: {message}");
}

#[test]
fn the_example_gives_each_node_what_it_says() {
    let documents = common::documents(include_str!("../../../../examples/per-node-configuration.yaml"));
    let mut world = World::new(documents);
    let plan = world.settle();
    assert!(condition(&plan, "Ready").is_some(), "{:?}", condition(&plan, "NotReady"));
    let threads = |pod: &str| line(&plan, pod, "num.io.threads");
    assert_eq!(threads("mixed-small-0").as_deref(), Some("8"));
    assert_eq!(threads("mixed-large-100").as_deref(), Some("32"));
    assert_eq!(threads("mixed-large-102").as_deref(), Some("32"));
    assert_eq!(line(&plan, "mixed-large-102", "log.cleaner.enable"), None);
    assert_eq!(
        line(&plan, "mixed-large-102", "log.cleaner.io.max.bytes.per.second").as_deref(),
        Some("10485760")
    );
    assert!(warning_with(&plan, "NodeConfigWithoutNode").is_none());
}

#[test]
fn a_value_that_outlived_its_node_is_known_as_the_operators_when_the_node_comes_back() {
    let mut world = World::load("split-pools.input.yaml");
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["config"] = json!({"default.replication.factor": 2, "min.insync.replicas": 1});
    });
    let plan = world.settle();
    world.apply(&plan);
    world.tell_options(&[]);
    world.observed.options = world.plan().options;
    let (index, pool) = brokers(&world);
    let id = *pool.status.as_ref().unwrap().node_ids.as_ref().unwrap().last().unwrap();
    wish(&mut world, json!({id.to_string(): {"num.io.threads": 12}}));
    let plan = world.plan();
    assert_eq!(told(&plan), [&call(Some(id), "num.io.threads", Some("12"))]);
    world.apply(&plan);
    tell(&mut world, None, id, "num.io.threads", "12");
    let plan = world.plan();
    world.apply(&plan);

    // The node leaves; Kafka keeps what it was told. The operator is started anew.
    let replicas = pool.spec.replicas;
    let view = world.observed.view.as_mut().unwrap();
    (view.broker_configs, view.brokers_with_replicas) = (BTreeMap::new(), Some([].into()));
    world.pool(index, |pool| pool["spec"]["replicas"] = json!(replicas - 1));
    for _ in 0..3 {
        let plan = world.plan();
        world.apply(&plan);
        world.run_everything();
        world.observed.view.as_mut().unwrap().brokers_with_replicas = Some([].into());
    }
    assert!(!world.observed.config_maps.contains_key(&format!("shop-brokers-{id}")));
    world.observed.options = planner::kafka::config::live::memory::OptionMemory::default();
    wish(&mut world, Value::Null);
    let plan = world.plan();
    world.apply(&plan);

    world.pool(index, |pool| pool["spec"]["replicas"] = json!(replicas));
    let plan = world.plan();
    world.apply(&plan);
    world.run_everything();
    tell(&mut world, None, id, "num.io.threads", "12");
    let plan = world.plan();
    assert_eq!(told(&plan), [&call(Some(id), "num.io.threads", None)]);
    assert!(warning_with(&plan, "ForeignBrokerConfiguration").is_none());
    assert!(plan.undone.is_empty(), "{:?}", plan.undone);
}

/// The pool of brokers, and its place.
fn brokers(world: &World) -> (usize, api::KafkaNodePool) {
    let mut pools = world.observed.pools.iter().enumerate();
    let is_brokers = |pool: &api::KafkaNodePool| pool.spec.roles.iter().all(|role| role.as_str() == "broker");
    let (index, pool) = pools.find(|(_, pool)| is_brokers(pool)).unwrap();
    (index, pool.as_ref().clone())
}
