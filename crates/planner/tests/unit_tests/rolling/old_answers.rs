//! Answers of Kafka that are too old for a restart, and restarts that were put off.

use jiff::SignedDuration;
use planner::kafka::need::{Silence, SilenceKind};
use planner::kafka::observed::PutOff;
use planner::kafka::roll_view::RollKafka;
use serde_json::json;

use super::{WAITS, due, set_container, warning};
use crate::common::World;

#[test]
fn a_kafka_that_is_too_slow_for_a_restart_stands_in_the_status_since_it_began() {
    let mut world = due();
    let asked_before = |world: &mut World, ms: i64| {
        let mut view = world.all_is_well(Vec::new());
        view.asked_at = Some(world.now - SignedDuration::from_millis(ms));
        world.roll = Some(view);
        world.plan()
    };
    let began = world.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let first = asked_before(&mut world, 5001);
    assert!(first.roll.now.is_empty(), "{:?}", first.roll);
    let said = warning(&first, WAITS).unwrap();
    let words = said["message"].as_str().unwrap();
    assert!(words.contains("my-dual-1") && words.contains("longer than 5 s"), "{words}");
    assert!(first.look_again_seconds().unwrap() <= 2, "Kafka is asked again soon");
    world.apply(&first);
    // Another answer that is old says the same, since then.
    world.now += SignedDuration::from_secs(20);
    let second = asked_before(&mut world, 9000);
    let again = warning(&second, WAITS).unwrap();
    assert_eq!((&again["lastTransitionTime"], &again["message"]), (&json!(began), &said["message"]));
    assert_eq!(second.events.len(), 1, "now it is worth an event");
    world.apply(&second);
    let quick = asked_before(&mut world, 5000);
    assert_eq!((quick.roll.now.len(), warning(&quick, WAITS)), (1, None));
}

#[test]
fn no_age_holds_up_what_is_done_without_a_word_about_partitions() {
    let silence = Silence::new(SilenceKind::Unreachable, "no broker accepts a connection");
    // The only broker runs and serves nobody; its records outlive the restart.
    let mut alone = World::load("split-pools.input.yaml");
    alone.pool(0, |pool| pool["spec"]["replicas"] = json!(1));
    alone.kafka(|kafka| kafka["spec"]["kafka"]["config"] = json!({}));
    let settled = alone.settle();
    alone.apply(&settled);
    alone.kafka(|kafka| kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!(false));
    set_container(&mut alone, "shop-brokers-0", "Running", &json!({"state": {"running": {}}}));
    let asked_at = Some(alone.now - SignedDuration::from_mins(1));
    alone.roll = Some(RollKafka { asked_at, ..RollKafka::silent(&silence) });
    let plan = alone.plan();
    assert_eq!(plan.roll.now, ["shop-brokers-0"], "{:?}", plan.roll);
    let basis = plan.roll.basis.unwrap();
    assert!(basis.asked_at.is_none() && basis.is_current(alone.now), "{basis:?}");
}

#[test]
fn a_restart_that_was_put_off_for_long_says_why_and_is_tried_again() {
    let mut world = due();
    let put_off = |world: &World, seconds: i64| {
        let since = world.now - SignedDuration::from_secs(seconds);
        Some(PutOff { why: "what Kafka said is 5100 ms old".to_owned(), since })
    };
    world.observed.put_off = put_off(&world, 5);
    let plan = world.plan();
    assert_eq!(
        (plan.roll.now.len(), warning(&plan, WAITS)),
        (1, None),
        "a short wait is a part of every roll"
    );
    world.observed.put_off = put_off(&world, 10);
    let plan = world.plan();
    assert_eq!(plan.roll.now, ["my-dual-1"]);
    let said = warning(&plan, WAITS).unwrap();
    let since = (world.now - SignedDuration::from_secs(10)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    assert_eq!(said["lastTransitionTime"], since);
    let words = said["message"].as_str().unwrap();
    assert!(words.contains("my-dual-1") && words.contains("5100 ms old"), "{words}");
    assert_eq!(plan.events.iter().filter(|event| event.reason == WAITS).count(), 1);
    world.observed.put_off = None;
    world.apply(&plan);
    assert_eq!(warning(&world.plan(), WAITS), None);
}
