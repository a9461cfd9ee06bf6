//! Options that Kafka can change at run time, from pass to pass. What real brokers make of the calls is shown by the tests
//! `kafka_options` of the cluster operator.

use std::collections::BTreeMap;

use crate::common::{World, condition, kafka_status, object, warning_with};
use jiff::SignedDuration;
use planner::kafka::admin_call::AdminCall;
use planner::kafka::config::live::memory::OptionChange;
use planner::kafka::need::Need;
use planner::kafka::observed::ConfigView;
use planner::kafka::plan::Plan;
use planner::restart_reason::RestartReason;
use serde_json::{Value, json};

fn everywhere(value: &str) -> ConfigView {
    ConfigView { value: Some(value.to_owned()), everywhere: Some(value.to_owned()), ..ConfigView::default() }
}

fn on_broker(value: &str) -> ConfigView {
    ConfigView { value: Some(value.to_owned()), on_broker: Some(value.to_owned()), ..ConfigView::default() }
}

fn call(broker: Option<i32>, option: &str, value: Option<&str>) -> AdminCall {
    let changes = BTreeMap::from([(option.to_owned(), value.map(str::to_owned))]);
    AdminCall::AlterBrokerConfig { broker, changes }
}

fn wish(world: &mut World, name: &str, value: Option<&str>) {
    world.kafka(|kafka| {
        let config = kafka["spec"]["kafka"]["config"].as_object_mut().unwrap();
        match value {
            Some(value) => drop(config.insert(name.to_owned(), json!(value))),
            None => drop(config.remove(name)),
        }
    });
}

/// A cluster that is settled, and whose brokers were looked at.
fn settled() -> World {
    let mut world = World::load("dual-role.input.yaml");
    let plan = world.settle();
    world.apply(&plan);
    world.tell_options(&[]);
    let plan = world.plan();
    assert!(condition(&plan, "Ready").is_some() && plan.calls.is_empty(), "{:?}", plan.calls);
    world.observed.options = plan.options;
    world
}

fn warning(plan: &Plan, reason: &str) -> Option<String> {
    let status = kafka_status(plan);
    let conditions = status["conditions"].as_array().unwrap();
    let found =
        conditions.iter().find(|condition| condition["type"] == "Warning" && condition["reason"] == reason);
    found.map(|condition| condition["message"].as_str().unwrap().to_owned())
}

fn remembered(plan: &Plan) -> Value {
    object(plan, "ConfigMap", "my-dual-1")["metadata"]["annotations"]["kastellan.io/options-taken-out"]
        .clone()
}

/// Whether the last plan asked for the options of the brokers.
fn looks_at_options(world: &World) -> bool {
    world.asked.iter().any(|need| matches!(need, Need::BrokerConfigs(_)))
}

#[test]
fn an_option_that_kafka_changes_live_restarts_nothing() {
    let mut world = settled();
    wish(&mut world, "num.io.threads", Some("12"));
    let plan = world.plan();
    assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
    assert_eq!(plan.calls, [call(None, "num.io.threads", Some("12"))]);
    assert!(plan.undone.is_empty(), "nobody did that by hand: {:?}", plan.undone);
    world.apply(&plan);
    // Taken away again, it leaves Kafka.
    wish(&mut world, "num.io.threads", None);
    world.tell_options(&[("num.io.threads", everywhere("12"))]);
    let plan = world.plan();
    assert_eq!(plan.calls, [call(None, "num.io.threads", None)]);
    assert!(plan.roll.wanted.is_empty());
}

#[test]
fn a_change_at_run_time_is_done_when_the_brokers_run_with_it_and_not_before() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    wish(&mut world, "num.io.threads", Some("12"));
    world.kafka(|kafka| kafka["metadata"]["generation"] = json!(2));
    let generation = |plan: &Plan| kafka_status(plan)["observedGeneration"].clone();
    let unknown = world.plan();
    assert!(condition(&unknown, "Ready").is_some(), "it serves on meanwhile");
    assert_eq!((generation(&unknown), unknown.look_again_seconds().is_some()), (json!(1), true));
    assert!(looks_at_options(&world));
    world.tell_options(&[]);
    let told = world.plan();
    assert_eq!((generation(&told), told.look_again_seconds().is_some()), (json!(1), true));
    world.tell_options(&[("num.io.threads", everywhere("12"))]);
    let done = world.plan();
    assert_eq!((generation(&done), done.look_again_seconds()), (json!(2), None));
    // A Kafka that does not answer is not known to run with it.
    world.observed.view = None;
    assert_eq!(generation(&world.plan()), 1);
}

#[test]
fn an_option_that_left_the_resource_is_remembered_until_no_broker_has_a_trace_of_it() {
    let mut world = settled();
    wish(&mut world, "log.retention.ms", Some("3600000"));
    let set = world.plan();
    assert_eq!(set.calls, [call(None, "log.retention.ms", Some("3600000"))]);
    assert_eq!(remembered(&set), Value::Null);
    world.apply(&set);
    // Meanwhile Kafka does not answer, and the operator starts anew.
    wish(&mut world, "log.retention.ms", None);
    let view = world.observed.view.take();
    let silent = world.plan();
    assert_eq!(remembered(&silent), "log.retention.ms");
    world.apply(&silent);
    world.observed.options = planner::kafka::config::live::memory::OptionMemory::default();
    world.observed.view = view;
    world.tell_options(&[("log.retention.ms", everywhere("3600000"))]);
    let removes = world.plan();
    assert_eq!(removes.calls, [call(None, "log.retention.ms", None)]);
    assert_eq!(remembered(&removes), "log.retention.ms");
    assert!(warning(&removes, "ForeignBrokerConfiguration").is_none());
    world.apply(&removes);
    world.tell_options(&[]);
    let done = world.plan();
    assert!(done.calls.is_empty() && done.roll.wanted.is_empty());
    assert_eq!(remembered(&done), Value::Null);
    world.apply(&done);
    // From now on the option is whose ever sets it.
    world.tell_options(&[("log.retention.ms", everywhere("3600000"))]);
    let foreign = world.plan();
    assert!(foreign.calls.is_empty());
    assert!(
        warning(&foreign, "ForeignBrokerConfiguration")
            .unwrap()
            .contains("log.retention.ms=3600000 on all brokers")
    );
}

#[test]
fn a_line_in_a_brokers_file_that_is_wanted_no_more_restarts_it_once() {
    let mut world = settled();
    let started = ConfigView {
        value: Some("3600000".to_owned()),
        in_file: Some("3600000".to_owned()),
        ..ConfigView::default()
    };
    world.tell_options(&[("log.retention.ms", started)]);
    let plan = world.plan();
    assert_eq!(plan.calls, [call(None, "log.retention.ms", Some("604800000"))]);
    assert_eq!(plan.roll.wanted.len(), 3);
    assert!(plan.roll.wanted[0].reasons.contains(&RestartReason::ConfigChangeRequiresRestart));
    assert!(
        plan.roll.wanted[0].notes[0].contains("log.retention.ms left the resource"),
        "{:?}",
        plan.roll.wanted
    );
    world.apply(&plan);
    world.tell_options(&[("log.retention.ms", everywhere("604800000"))]);
    let restarted = world.plan();
    assert!(restarted.roll.wanted.is_empty());
    assert_eq!(restarted.calls, [call(None, "log.retention.ms", None)]);
    assert!(warning(&restarted, "ForeignBrokerConfiguration").is_none());
}

#[test]
fn what_kafka_refuses_holds_nothing_else_up_and_becomes_a_restart() {
    let mut world = settled();
    wish(&mut world, "background.threads", Some("15"));
    wish(&mut world, "compression.type", Some("zstd"));
    let changes = BTreeMap::from([
        ("background.threads".to_owned(), Some("15".to_owned())),
        ("compression.type".to_owned(), Some("zstd".to_owned())),
    ]);
    let plan = world.plan();
    assert_eq!(plan.calls, [AdminCall::AlterBrokerConfig { broker: None, changes }]);
    world.apply(&plan);
    let change =
        OptionChange { broker: None, option: "background.threads".to_owned(), value: Some("15".to_owned()) };
    world.observed.options.settled = None;
    world.observed.options.refused.insert(change, "not today".to_owned());
    world.tell_options(&[("compression.type", everywhere("zstd"))]);
    // The files say it already, but the brokers were started before.
    let view = world.observed.view.as_mut().unwrap();
    for options in view.broker_configs.values_mut() {
        let started = ConfigView { value: Some("10".to_owned()), ..ConfigView::default() };
        options.insert("background.threads".to_owned(), started);
    }
    let plan = world.plan();
    assert!(plan.calls.is_empty());
    assert_eq!(plan.roll.wanted.len(), 3);
    assert!(plan.roll.wanted[0].notes[0].contains("not today"), "{:?}", plan.roll.wanted);
    assert!(condition(&plan, "Ready").is_some(), "it serves on meanwhile");
    let said = warning_with(&plan, "ConfigurationNotInForce").unwrap();
    for part in ["background.threads=15", "not today", "a restart of the nodes 0, 1, 2"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    world.apply(&plan);
    world.tell_options(&[("compression.type", everywhere("zstd"))]);
    let done = world.plan();
    assert_eq!(warning_with(&done, "ConfigurationNotInForce"), None);
    assert!(done.roll.wanted.is_empty() && done.calls.is_empty());
    // Another wish is a new one.
    wish(&mut world, "compression.type", None);
    wish(&mut world, "background.threads", Some("16"));
    assert!(world.plan().options.refused.is_empty());
}

#[test]
fn what_somebody_set_in_kafka_is_undone_where_the_resource_says_otherwise_and_told_where_not() {
    let mut world = settled();
    world.now += SignedDuration::from_secs(120);
    world.observed.view.as_mut().unwrap().broker_configs.clear();
    world.plan();
    assert!(looks_at_options(&world), "in every round");
    world.tell_options(&[("min.insync.replicas", everywhere("3"))]);
    let told = world.observed.view.as_mut().unwrap().broker_configs.get_mut(&0).unwrap();
    told.insert("compression.type".to_owned(), on_broker("zstd"));
    told.insert("super.users".to_owned(), on_broker("[hidden]"));
    let plan = world.plan();
    assert_eq!(
        plan.calls,
        [call(None, "min.insync.replicas", Some("2")), call(Some(0), "super.users", None)]
    );
    let undone = ["min.insync.replicas=3 on all brokers", "super.users=[hidden] on broker 0"];
    assert_eq!(plan.undone.iter().map(ToString::to_string).collect::<Vec<_>>(), undone);
    let events = plan.events.iter().filter(|event| event.reason == "ConfigurationOverrideUndone");
    let events: Vec<(&str, Option<&str>)> =
        events.map(|event| (event.text.as_str(), event.pod.as_deref())).collect();
    let is_undone = "was set in Kafka itself and is undone: the resource decides this option";
    let [of_all, of_one] = undone.map(|value| format!("{value} {is_undone}"));
    assert_eq!(events, [(of_all.as_str(), None), (of_one.as_str(), Some("my-dual-0"))]);
    let message = warning(&plan, "ForeignBrokerConfiguration").unwrap();
    assert!(message.contains("compression.type=zstd on broker 0"), "{message}");
    assert!(condition(&plan, "Ready").is_some());
    world.apply(&plan);
    // The warning stays in the passes that do not look, and goes with its cause.
    world.observed.view.as_mut().unwrap().broker_configs.clear();
    let between = world.plan();
    assert!(!looks_at_options(&world));
    assert_eq!(warning(&between, "ForeignBrokerConfiguration").as_deref(), Some(message.as_str()));
    world.tell_options(&[]);
    let after = world.plan();
    assert!(warning(&after, "ForeignBrokerConfiguration").is_none() && after.undone.is_empty());
}

#[test]
fn a_throttle_of_the_topic_operator_is_nobodys_mistake() {
    let mut world = settled();
    world.tell_options(&[("leader.replication.throttled.rate", on_broker("52428800"))]);
    assert!(warning(&world.plan(), "ForeignBrokerConfiguration").is_none());
    world.kafka(|kafka| drop(kafka["spec"].as_object_mut().unwrap().remove("entityOperator")));
    let message = warning(&world.plan(), "ForeignBrokerConfiguration").unwrap();
    assert!(message.contains("leader.replication.throttled.rate=52428800 on broker 0"), "{message}");
}

#[test]
fn a_value_that_only_the_pod_knows_needs_a_restart_and_nothing_at_run_time_hides_it() {
    let mut world = settled();
    wish(&mut world, "num.io.threads", Some("12"));
    let plan = world.plan();
    world.apply(&plan);
    wish(&mut world, "num.io.threads", Some("${strimzienv:THREADS}"));
    world.tell_options(&[("num.io.threads", everywhere("12"))]);
    let plan = world.plan();
    assert_eq!(plan.roll.wanted.len(), 3);
    assert_eq!(plan.calls, [call(None, "num.io.threads", None)]);
}

#[test]
fn a_voter_counts_as_caught_up_by_the_time_that_the_resource_gives_it() {
    let timeout = |world: &World| {
        let kafka = world.observed.kafka.as_deref().unwrap();
        let cluster = planner::kafka::settled::settle(kafka, &world.observed, world.now).unwrap().cluster;
        planner::kafka::config::server::quorum_fetch_timeout_ms(&cluster)
    };
    let mut world = settled();
    assert_eq!(timeout(&world), 2000, "Kafka's default");
    wish(&mut world, "controller.quorum.fetch.timeout.ms", Some("9000"));
    assert_eq!(timeout(&world), 9000);
}

#[test]
fn a_heap_that_is_a_share_of_the_memory_reaches_the_agent_without_a_size() {
    let mut world = World::load("dual-role.input.yaml");
    let share = json!({"-XX": {"MaxRAMPercentage": "50", "InitialRAMPercentage": "25"}});
    world.pool(0, |pool| pool["spec"]["jvmOptions"] = share);
    let plan = world.plan();
    let text = object(&plan, "ConfigMap", "my-dual-0")["data"]["agent.config"].as_str().unwrap();
    let agent: Value = serde_json::from_str(text).unwrap();
    assert_eq!(agent["heap"], Value::Null);
    assert_eq!(
        agent["jvmPerformanceOptions"],
        json!(["-XX:InitialRAMPercentage=25", "-XX:MaxRAMPercentage=50"])
    );
}
