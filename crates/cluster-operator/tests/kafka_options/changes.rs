//! What Kafka takes only in steps or not at all, and what somebody set in Kafka itself.

use std::collections::{BTreeMap, BTreeSet};

use kafka_admin::{ConfigChange, ConfigResource};
use planner::kafka::config::model::{self, ValueType};
use planner::restart_reason::RestartReason;
use serde_json::{Value, json};

use crate::world::{World, warnings};

const THREADS: &[(&str, &str, &str)] = &[
    ("background.threads", "10", "70"),
    ("log.cleaner.threads", "1", "6"),
    ("num.io.threads", "4", "20"),
    ("num.network.threads", "2", "9"),
    ("num.recovery.threads.per.data.dir", "2", "12"),
    ("num.replica.fetchers", "1", "7"),
    ("remote.log.manager.copier.thread.pool.size", "10", "50"),
    ("remote.log.manager.expiration.thread.pool.size", "10", "50"),
    ("remote.log.manager.follower.thread.pool.size", "2", "10"),
    ("remote.log.reader.threads", "10", "50"),
];

#[tokio::test]
async fn numbers_of_threads_get_there_and_back_without_a_restart() {
    let mut world = World::start(&[]).await;
    world.settle().await;
    let never = world.values().await;
    for (name, present, wanted) in THREADS {
        assert_eq!(never[*name].as_deref(), Some(*present), "{name}");
        world.wish(name, Some(wanted));
    }
    world.wish("log.retention.ms", Some("7200000"));
    // Nothing holds up the options that can change at once.
    world.pass().await;
    world.runs_with("log.retention.ms", Some("7200000")).await;
    world.settle().await;
    let values = world.values().await;
    for (name, _, wanted) in THREADS {
        assert_eq!(values[*name].as_deref(), Some(*wanted), "{name}");
    }
    world.wish("log.retention.ms", None);
    for (name, present, _) in THREADS {
        let is_base = matches!(*name, "num.io.threads" | "num.network.threads");
        world.wish(name, is_base.then_some(*present));
    }
    world.settle().await;
    assert_eq!(world.differences(&never).await, BTreeMap::new());
    assert!(world.restarts.is_empty(), "{:?}", world.restarts);
}

/// Holds the list of the planner against Kafka's own rule.
#[tokio::test]
async fn no_other_number_goes_in_steps() {
    let world = World::start(&[]).await;
    let values = world.values().await;
    let mut refused = Vec::new();
    for (name, option) in &model::of("4.3.1").options {
        let number = values.get(name).and_then(|value| value.as_ref()?.parse::<i64>().ok());
        let is_number = matches!(option.kind, ValueType::Int | ValueType::Long | ValueType::Short);
        let Some(number) = number.filter(|_| is_number && model::of("4.3.1").is_live(name)) else { continue };
        let change = ConfigChange::set(name.as_str(), (number.saturating_mul(5)).to_string());
        let changes = BTreeMap::from([(ConfigResource::ClusterDefault, vec![change])]);
        let outcomes = world.admin.incremental_alter_configs(changes, true).await.unwrap();
        if let Err(error) = &outcomes[&ConfigResource::ClusterDefault]
            && error.message.contains("double the current value")
        {
            refused.push(name.as_str());
        }
    }
    assert_eq!(refused, THREADS.iter().map(|(name, _, _)| *name).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_kafka_refuses_waits_for_the_restart_and_holds_nothing_else_up() {
    // Local retention may not be longer than the retention that the broker runs with.
    let mut world = World::start(&[("log.retention.hours", "2")]).await;
    world.settle().await;
    world.wish("log.retention.hours", Some("300"));
    world.wish("log.local.retention.ms", Some("36000000"));
    world.wish("compression.type", Some("zstd"));
    let plan = world.pass().await;
    world.runs_with("compression.type", Some("zstd")).await;
    assert_eq!(world.paper.observed.options.refused.len(), 1, "{:?}", world.paper.observed.options.refused);
    assert_eq!(plan.roll.wanted.len(), 1, "the hours need one anyway");
    let plan = world.pass().await;
    let notes = &plan.roll.wanted[0].notes;
    assert!(
        notes.iter().any(|note| note.contains("log.local.retention.ms=36000000: Kafka refuses")),
        "{notes:?}"
    );
    world.settle().await;
    let values = world.values().await;
    assert_eq!(values["log.local.retention.ms"].as_deref(), Some("36000000"));
    assert_eq!(values["log.retention.hours"].as_deref(), Some("300"));
    assert_eq!(world.restarts, [[RestartReason::ConfigChangeRequiresRestart]]);
}

#[tokio::test]
async fn what_somebody_set_in_kafka_goes_where_the_resource_decides_and_is_told_where_not() {
    let mut world = World::start(&[("message.max.bytes", "2000000")]).await;
    world.settle().await;
    let never = world.values().await;
    world.by_hand(None, "min.insync.replicas", Some("3")).await;
    world.by_hand(Some(0), "message.max.bytes", Some("3000000")).await;
    world.by_hand(Some(0), "num.io.threads", Some("8")).await;
    world.by_hand(Some(0), "num.io.threads", Some("16")).await;
    world.by_hand(Some(0), "num.io.threads", Some("32")).await;
    world.by_hand(Some(0), "compression.type", Some("zstd")).await;
    world.by_hand(None, "log.retention.bytes", Some("1000000000")).await;
    // A minute later, the next round.
    world.paper.now += std::time::Duration::from_mins(1);
    let plan = world.settle().await;
    let expected = [
        "message.max.bytes=3000000 on broker 0",
        "min.insync.replicas=3 on all brokers",
        "num.io.threads=8 on broker 0",
    ];
    assert_eq!(world.undone, BTreeSet::from(expected.map(str::to_owned)));
    let changed = ["compression.type", "log.retention.bytes"];
    let differences = world.differences(&never).await;
    assert_eq!(differences.keys().map(String::as_str).collect::<Vec<_>>(), changed);
    let warnings = warnings(&plan);
    let told = warnings.iter().find(|warning| warning["reason"] == "ForeignBrokerConfiguration").unwrap();
    let message = told["message"].as_str().unwrap();
    for part in ["compression.type=zstd on broker 0", "log.retention.bytes=1000000000 on all brokers"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(world.restarts.is_empty());
}

#[tokio::test]
async fn a_value_of_one_broker_holds_against_that_of_all_and_leaves_it_again() {
    let mut world = World::start(&[]).await;
    world.settle().await;
    let never = world.values().await;
    world.wish_for_node("0", &[("num.io.threads", json!(20)), ("compression.type", json!("zstd"))]);
    world.settle().await;
    world.runs_with("num.io.threads", Some("20")).await;
    // What all brokers get later does not reach this one.
    world.wish("num.io.threads", Some("5"));
    world.wish("compression.type", Some("lz4"));
    world.settle().await;
    let values = world.values().await;
    assert_eq!(values["num.io.threads"].as_deref(), Some("20"));
    assert_eq!(values["compression.type"].as_deref(), Some("zstd"));
    assert!(world.restarts.is_empty(), "{:?}", world.restarts);
    // A restart with the file of the plan changes nothing.
    let plan = world.pass().await;
    world.restart(&plan).await;
    let plan = world.settle().await;
    let is_about_options = |warning: &Value| warning["reason"] == "ForeignBrokerConfiguration";
    assert!(!warnings(&plan).iter().any(is_about_options), "{:?}", warnings(&plan));
    assert_eq!(world.values().await["num.io.threads"].as_deref(), Some("20"));
    world.wish_for_node("0", &[]);
    world.settle().await;
    world.runs_with("num.io.threads", Some("5")).await;
    world.runs_with("compression.type", Some("lz4")).await;
    world.wish("num.io.threads", Some("4"));
    world.wish("compression.type", None);
    world.settle().await;
    let plan = world.pass().await;
    world.restart(&plan).await;
    world.settle().await;
    assert_eq!(world.differences(&never).await, BTreeMap::new());
}
