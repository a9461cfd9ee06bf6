//! Connectors over hours and days: what is remembered of them is forgotten in time, and nothing is waited for without an end.

use std::sync::Arc;

use api::common::connector::AutoRestartStatus;
use api::conditions::format_time;
use planner::kafka_connector::call::ConnectorCall;
use planner::kafka_connector::past::{FailureKind, SHOWS_WITHIN};
use serde_json::json;

use crate::connectors::{World, actual, at};

fn restarts(world: &World) -> Option<i32> {
    world.observed.connector.status.as_ref()?.auto_restart.as_ref()?.count
}

/// A pass whose restart is made, remembered as the operator remembers it, and told in the status.
fn restart(world: &mut World) -> Option<i32> {
    let plan = world.pass();
    let doing = plan.common.calls.into_iter().next()?;
    world.observed.past.note_made(&doing.call, world.now);
    world.observed.past.restarted.clone_from(&doing.restarts);
    doing.restarts?.count
}

#[test]
fn restarts_of_long_ago_do_not_count_when_a_connector_fails_again() {
    let spec = json!({"autoRestart": {"enabled": true, "maxRestarts": 2}});
    let mut world = World::new(&spec).sees(actual("RUNNING", &["FAILED"]));
    assert_eq!(restart(&mut world), Some(1));
    assert_eq!(restart(world.after(600)), Some(2));
    assert_eq!(restart(world.after(600)), None, "as often as it may");
    // It is well for weeks, and then fails.
    let mut world = world.sees(actual("RUNNING", &["RUNNING"]));
    for _ in 0..4 {
        world.after(3600).pass();
    }
    assert_eq!(restarts(&world), None);
    let mut world = world.sees(actual("RUNNING", &["FAILED"]));
    assert_eq!(restart(world.after(86_400)), Some(1));
}

#[test]
fn restarts_count_no_more_once_they_were_switched_off() {
    let mut world = World::new(&json!({})).sees(actual("RUNNING", &["RUNNING"]));
    let long_ago = format_time(world.now);
    world.observed.past.restarted = Some(AutoRestartStatus {
        count: Some(7),
        connector_name: Some("a".to_owned()),
        last_restart_timestamp: Some(long_ago),
    });
    world.after(10).pass();
    Arc::make_mut(&mut world.observed.connector).spec.auto_restart =
        serde_json::from_value(json!({"enabled": true, "maxRestarts": 7})).unwrap();
    let mut world = world.sees(actual("RUNNING", &["FAILED"]));
    assert_eq!(restart(world.after(10)), Some(1));
}

#[test]
fn what_is_asked_for_again_at_once_is_looked_at_when_it_can_be_done() {
    let mut world = World::annotated(&json!({}), &json!({"strimzi.io/restart": "true"}))
        .sees(actual("RUNNING", &["RUNNING"]));
    assert!(matches!(world.call(), Some(ConnectorCall::Restart { .. })));
    world.made();
    // The annotation was taken off, and is there again.
    let plan = world.after(2).pass();
    assert!(plan.calls.is_empty());
    let again = plan.look_again.expect("it is looked at again by itself");
    assert!(again <= std::time::Duration::try_from(SHOWS_WITHIN).unwrap(), "{again:?}");
    world.after(i64::try_from(again.as_secs()).unwrap() + 1);
    assert!(matches!(world.call(), Some(ConnectorCall::Restart { .. })));
}

#[test]
fn a_connector_that_is_always_changed_back_is_not_ready_in_the_end() {
    let mut world = World::new(&json!({"config": {"k": "w"}})).sees(actual("RUNNING", &["RUNNING"]));
    Arc::make_mut(&mut world.observed.connector).status = Some(
        serde_json::from_value(
            json!({"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}),
        )
        .unwrap(),
    );
    for second in 0..400 {
        if world.after(1).call().is_some() {
            world.made();
        }
        if second < 200 {
            assert_eq!(world.conditions()[0].0, "Ready", "{second}");
        }
    }
    let words = world.not_ready("Creating");
    assert!(words.contains("options") && words.contains("changed back"), "{words}");
}

/// Connect says only when the connector is to be made that it has it.
#[test]
fn a_connector_without_a_state_gets_its_options_first_and_is_kept_from_working_where_it_is_to_rest() {
    for (state, rest) in
        [("running", None), ("paused", Some(ConnectorCall::Pause)), ("stopped", Some(ConnectorCall::Stop))]
    {
        let mut world = World::new(&json!({"config": {"k": "v"}, "state": state}));
        world.fails(FailureKind::OtherOptions, "exists");
        let call = world.call();
        let Some(ConnectorCall::Configure { config }) = call else { panic!("{call:?}") };
        assert_eq!(config["k"], "v");
        world.made();
        assert!(
            matches!(world.call(), Some(ConnectorCall::Create { .. })),
            "whether it has them is asked anew"
        );
        world.fails(FailureKind::NotStarted, "exists");
        assert_eq!(world.call(), rest);
        if rest.is_some() {
            world.made();
        }
        assert_eq!(world.after(4).call(), None, "it is waited for");
        assert!(world.not_ready("Creating").contains("no worker has started it yet"));
        assert!(matches!(world.after(1).call(), Some(ConnectorCall::Create { .. })));
    }
    // Options that Connect does not keep are not sent again in each pass.
    let mut world = World::new(&json!({}));
    for _ in 0..2 {
        world.fails(FailureKind::OtherOptions, "exists");
        while !matches!(world.call(), Some(ConnectorCall::Configure { .. })) {
            world.after(1);
        }
        world.made();
    }
    assert!(world.now >= at(10), "{}", world.now);
}
