//! What leaves the resource leaves Kafka.

use std::collections::BTreeMap;

use planner::kafka::config::model::{self, ConfigOption, Scope, ValueType};
use planner::restart_reason::RestartReason;

use crate::world::World;

/// The options without a default of their own: other options stand for one.
const WITHOUT_DEFAULT: &[(&str, &str)] = &[
    ("log.flush.interval.ms", "70000"),
    ("log.retention.ms", "3600000"),
    ("log.roll.jitter.ms", "80000"),
    ("log.roll.ms", "7200000"),
];

/// A value that a broker can run with and that is not the default.
fn other_value(name: &str, option: &ConfigOption) -> Option<String> {
    let value = match (name, option.kind) {
        // Read when the file is.
        ("config.providers" | "metric.reporters", _) => return None,
        ("log.cleanup.policy", _) => "compact".to_owned(),
        ("max.connections.per.ip.overrides", _) => "127.0.0.1:100".to_owned(),
        ("compression.gzip.level" | "num.io.threads", _) => "5".to_owned(),
        ("log.retention.bytes" | "log.local.retention.bytes", _) => "1000000000000".to_owned(),
        ("log.cleaner.dedupe.buffer.size", _) => "20000000".to_owned(),
        ("num.network.threads", _) => "3".to_owned(),
        ("log.local.retention.ms", _) => "60000".to_owned(),
        (_, ValueType::Boolean) => (option.default.as_deref() == Some("false")).to_string(),
        (_, ValueType::Double) => "0.75".to_owned(),
        (_, ValueType::String) => {
            option.values.iter().find(|value| Some(*value) != option.default.as_ref())?.clone()
        }
        (_, ValueType::Int | ValueType::Long | ValueType::Short) => match option.default.as_deref() {
            None => WITHOUT_DEFAULT.iter().find(|(known, _)| *known == name)?.1.to_owned(),
            Some(default) => {
                let default: i64 = default.parse().unwrap();
                let more = default.saturating_add(1);
                let fits = more > default
                    && more < i64::from(i32::MAX)
                    && option.max.is_none_or(|max| more as f64 <= max);
                if fits { more } else { default - 1 }.to_string()
            }
        },
        _ => return None,
    };
    Some(value)
}

#[tokio::test]
async fn every_option_that_is_set_and_taken_out_again_is_as_if_it_had_never_been_there() {
    let mut world = World::start(&[]).await;
    world.settle().await;
    let never = world.values().await;
    let options: BTreeMap<&str, String> = model::of("4.3.1")
        .options
        .iter()
        .filter(|(_, option)| option.scope == Scope::ClusterWide)
        .filter_map(|(name, option)| Some((name.as_str(), other_value(name, option)?)))
        .filter(|(name, _)| *name != "min.insync.replicas")
        .collect();
    assert!(options.len() > 50, "{options:?}");
    for (name, value) in &options {
        world.wish(name, Some(value));
    }
    world.settle().await;
    let set = world.values().await;
    for (name, value) in &options {
        assert_eq!(set[*name].as_deref(), Some(value.as_str()), "{name}");
    }
    for name in options.keys() {
        let base = ["log.cleaner.dedupe.buffer.size", "num.network.threads", "num.io.threads"];
        let back = base.contains(name).then(|| never[*name].clone().unwrap());
        world.wish(name, back.as_deref());
    }
    world.settle().await;
    assert_eq!(world.differences(&never).await, BTreeMap::new());
    assert!(world.restarts.is_empty(), "all of it at run time: {:?}", world.restarts);
    // A restart brings nothing back.
    let plan = world.pass().await;
    world.restart(&plan).await;
    world.settle().await;
    assert_eq!(world.differences(&never).await, BTreeMap::new());
}

#[tokio::test]
async fn what_the_broker_was_started_with_goes_too() {
    let mut world = World::start(&[]).await;
    let never = world.values().await;
    let with_defaults =
        [("compression.type", "zstd"), ("log.segment.bytes", "2000000"), ("num.io.threads", "6")];
    world.start_with(WITHOUT_DEFAULT).await;
    world.start_with(&with_defaults).await;
    let started = world.values().await;
    for (name, value) in WITHOUT_DEFAULT.iter().chain(&with_defaults) {
        assert_eq!(started[*name].as_deref(), Some(*value), "{name}");
    }
    // What Kafka can change back at run time, it does.
    for (name, _) in with_defaults {
        let back = (name == "num.io.threads").then_some("4");
        world.wish(name, back);
    }
    world.settle().await;
    let values = world.values().await;
    for (name, _) in with_defaults {
        assert_eq!(values[name], never[name], "{name}");
    }
    assert!(world.restarts.is_empty(), "{:?}", world.restarts);
    // The rest needs a restart, and until then at least no record is deleted too early.
    for (name, _) in WITHOUT_DEFAULT {
        world.wish(name, None);
    }
    let first = world.pass().await;
    assert_eq!(first.roll.wanted.len(), 1);
    assert!(
        first.roll.wanted[0].notes.iter().any(|note| note.contains("log.retention.ms")),
        "{:?}",
        first.roll.wanted
    );
    world.settle().await;
    assert_eq!(world.restarts, [vec![RestartReason::ConfigChangeRequiresRestart]]);
    assert_eq!(world.differences(&never).await, BTreeMap::new());
}

#[tokio::test]
async fn retention_is_back_before_the_restart_that_takes_the_line_out() {
    let mut world = World::start(&[("log.retention.hours", "720"), ("log.retention.ms", "3600000")]).await;
    world.settle().await;
    world.wish("log.retention.ms", None);
    let plan = world.pass().await;
    assert_eq!(plan.roll.wanted.len(), 1);
    world.runs_with("log.retention.ms", Some(&(720_i64 * 3_600_000).to_string())).await;
    world.settle().await;
    assert_eq!(world.values().await["log.retention.ms"], None);
    assert_eq!(world.values().await["log.retention.hours"].as_deref(), Some("720"));
}
