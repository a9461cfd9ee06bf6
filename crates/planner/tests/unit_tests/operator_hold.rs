//! What only a new version of the operator would restart waits for an approval or a maintenance window, where the Kafka resource asks
//! for that.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{World, condition, warning_with};
use jiff::Timestamp;
use planner::kafka::cluster::OperatorRolls;
use planner::kafka::need::Need;
use planner::kafka::operator_turns::{Turn, TurnState};
use planner::kafka::plan::Plan;
use planner::plan::Occasion;
use planner::settings::PlanSettings;
use serde_json::json;

const HOLD: &str = "kastellan.io/hold-operator-rolls";
const APPROVE: &str = "kastellan.io/approve-plan";

/// A settled cluster that asks for a hold.
fn settled(hold: &str) -> World {
    let mut world = World::load("dual-role.input.yaml");
    annotate(&mut world, HOLD, hold);
    let plan = world.settle();
    assert!(plan.roll.wanted.is_empty() && warning_with(&plan, "PlanHeld").is_none(), "{:?}", plan.roll);
    world
}

fn annotate(world: &mut World, key: &str, value: &str) {
    world.kafka(|kafka| kafka["metadata"]["annotations"][key] = json!(value));
}

/// A version of the operator comes that has other images.
fn upgrade(world: &mut World, version: &str) {
    let mut settings = world.observed.settings.as_ref().clone();
    version.clone_into(&mut settings.operator_version);
    for image in settings.kafka_images.values_mut() {
        *image = format!("registry.example.com/kafka:{version}");
    }
    world.observed.settings = Arc::new(settings);
}

/// A pass: what it writes is there, and no pod was restarted.
fn pass(world: &mut World) -> Plan {
    let plan = world.plan();
    world.apply(&plan);
    plan
}

/// The plan that the status says is held.
fn held(plan: &Plan) -> String {
    let words = warning_with(plan, "PlanHeld").unwrap();
    assert!(plan.roll.wanted.is_empty() && plan.roll.now.is_empty(), "{:?}", plan.roll);
    assert_eq!(condition(plan, "Ready").unwrap()["status"], "True");
    words.strip_prefix("plan ").unwrap().split(' ').next().unwrap().to_owned()
}

/// Pods that are to restart.
fn restarts(plan: &Plan) -> Vec<&str> {
    assert_eq!(warning_with(plan, "PlanHeld"), None);
    plan.roll.wanted.iter().map(|restart| restart.pod.as_str()).collect()
}

#[test]
fn without_the_annotation_a_new_version_rolls_at_once() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    upgrade(&mut world, "9.0.0");
    assert_eq!(restarts(&pass(&mut world)).len(), 3);
}

#[test]
fn a_new_version_waits_for_the_approval_of_its_very_plan() {
    let mut world = settled("approval");
    upgrade(&mut world, "9.0.0");
    let first = pass(&mut world);
    let hash = held(&first);
    let words = warning_with(&first, "PlanHeld").unwrap();
    for part in [
        "is now version 9.0.0, and was",
        "my-dual-0 (",
        &format!("kubectl annotate kafka my -n s1 --overwrite {APPROVE}={hash}"),
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(held(&pass(&mut world)), hash, "the same plan has the same name in every pass");
    // Another version comes before the first one is approved.
    annotate(&mut world, APPROVE, &hash);
    upgrade(&mut world, "9.0.1");
    let second = pass(&mut world);
    let other = held(&second);
    assert_ne!(other, hash);
    let words = warning_with(&second, "PlanHeld").unwrap();
    assert!(words.contains(&format!("{APPROVE}: {hash:?} is another plan: write {other}")), "{words}");
    annotate(&mut world, APPROVE, &other);
    assert_eq!(restarts(&pass(&mut world)).len(), 3);
    // It goes to its end, also when the approval is taken away.
    annotate(&mut world, APPROVE, "");
    world.restart("my-dual-0");
    world.run_everything();
    assert_eq!(restarts(&pass(&mut world)), ["my-dual-1", "my-dual-2"]);
}

#[test]
fn a_held_plan_is_told_once_and_since_when_it_is_held() {
    let mut world = settled("approval");
    world.now = "2026-03-01T12:00:00.7Z".parse::<Timestamp>().unwrap();
    upgrade(&mut world, "9.0.0");
    let since = |plan: &Plan| {
        let conditions = plan.status.kafka.as_ref().unwrap().conditions.clone().unwrap();
        let said = conditions.into_iter().find(|one| one.reason.as_deref() == Some("PlanHeld")).unwrap();
        let event = plan.events.iter().find(|event| event.reason == "PlanHeld").unwrap();
        assert_eq!(Some(event.text.as_str()), said.message.as_deref());
        let held = plan.roll.held.as_ref().unwrap().since;
        assert_eq!(event.occasion, Occasion::Lasting { episode: self::held(plan) }, "once for each plan");
        assert_eq!(said.last_transition_time, Some(held.to_string()));
        held.to_string()
    };
    assert_eq!(since(&pass(&mut world)), "2026-03-01T12:00:00Z");
    // A pod restarts for another reason: the others wait as long as before.
    world.now = "2026-03-02T12:00:00Z".parse::<Timestamp>().unwrap();
    world.restart("my-dual-1");
    world.run_everything();
    assert_eq!(since(&pass(&mut world)), "2026-03-01T12:00:00Z");
    // Another plan is held from now on.
    upgrade(&mut world, "9.0.1");
    assert_eq!(since(&pass(&mut world)), "2026-03-02T12:00:00Z");
    let other = held(&pass(&mut world));
    annotate(&mut world, APPROVE, &other);
    let plan = pass(&mut world);
    assert!(plan.roll.held.is_none() && plan.events.iter().all(|event| event.reason != "PlanHeld"));
}

#[test]
fn a_change_of_the_resource_takes_the_new_version_along() {
    let mut world = settled("approval");
    upgrade(&mut world, "9.0.0");
    held(&pass(&mut world));
    world.kafka(|kafka| {
        kafka["metadata"]["generation"] = json!(99);
        kafka["spec"]["kafka"]["config"]["log.cleaner.threads"] = json!(2);
    });
    assert_eq!(restarts(&pass(&mut world)).len(), 3);
}

#[test]
fn a_change_of_the_resource_that_was_under_way_goes_on_with_the_next_operator() {
    let mut world = settled("approval");
    world.kafka(|kafka| {
        kafka["metadata"]["generation"] = json!(99);
        kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!("false");
    });
    assert_eq!(restarts(&pass(&mut world)).len(), 3);
    world.restart("my-dual-0");
    world.run_everything();
    assert_eq!(restarts(&pass(&mut world)).len(), 2);
    upgrade(&mut world, "9.0.0");
    assert_eq!(restarts(&pass(&mut world)).len(), 3, "with what the new version brings");
    for pod in ["my-dual-0", "my-dual-1", "my-dual-2"] {
        world.restart(pod);
    }
    world.run_everything();
    assert!(restarts(&pass(&mut world)).is_empty());
    upgrade(&mut world, "9.0.1");
    held(&pass(&mut world));
}

#[test]
fn what_restarts_every_pod_for_a_moment_approves_nothing() {
    let mut world = settled("approval");
    upgrade(&mut world, "9.0.0");
    let hash = held(&pass(&mut world));
    let mark = |world: &mut World, marked: bool| {
        for pod in world.observed.pods.values_mut() {
            let all = Arc::make_mut(pod).metadata.annotations.as_mut().unwrap();
            all.remove("strimzi.io/manual-rolling-update");
            if marked {
                all.insert("strimzi.io/manual-rolling-update".to_owned(), "true".to_owned());
            }
        }
    };
    mark(&mut world, true);
    assert_eq!(pass(&mut world).roll.wanted.len(), 3);
    mark(&mut world, false);
    assert_eq!(held(&pass(&mut world)), hash);
}

#[test]
fn a_restart_that_a_user_asks_for_is_made_while_the_others_wait() {
    let mut world = settled("approval");
    upgrade(&mut world, "9.0.0");
    let hash = held(&pass(&mut world));
    let pod = Arc::make_mut(world.observed.pods.get_mut("my-dual-1").unwrap());
    let all = pod.metadata.annotations.as_mut().unwrap();
    all.insert("strimzi.io/manual-rolling-update".to_owned(), "true".to_owned());
    let plan = pass(&mut world);
    let wanted: Vec<&str> = plan.roll.wanted.iter().map(|restart| restart.pod.as_str()).collect();
    assert_eq!(wanted, ["my-dual-1"]);
    world.restart("my-dual-1");
    world.run_everything();
    assert_eq!(held(&pass(&mut world)), hash, "the approval is still for the same plan");
}

#[test]
fn a_maintenance_window_ends_the_wait_where_that_is_asked_for() {
    for (asked, goes) in [("window", true), ("approval", false)] {
        let mut world = World::load("dual-role.input.yaml");
        world.kafka(|kafka| kafka["spec"]["maintenanceTimeWindows"] = json!(["* * 2 * * ?"]));
        annotate(&mut world, HOLD, asked);
        world.now = "2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap();
        world.settle();
        upgrade(&mut world, "9.0.0");
        let plan = pass(&mut world);
        held(&plan);
        let looks = plan.look_again == Some(Duration::from_secs(30));
        assert_eq!(looks, goes, "nothing announces a window, and an approval is an event");
        world.now = "2026-03-02T02:00:00Z".parse::<Timestamp>().unwrap();
        assert_eq!(warning_with(&pass(&mut world), "PlanHeld").is_none(), goes, "{asked}");
        world.now = "2026-03-02T03:00:00Z".parse::<Timestamp>().unwrap();
        assert_eq!(
            warning_with(&pass(&mut world), "PlanHeld").is_none(),
            goes,
            "{asked}: it goes to its end"
        );
    }
}

#[test]
fn a_cluster_waits_for_its_turn_and_says_for_whom() {
    let mut world = settled("turn");
    assert_eq!(pass(&mut world).roll.turn, Some(TurnState::Done));
    assert!(!world.asked.contains(&Need::Turn), "nothing is held, and nobody is asked");
    upgrade(&mut world, "9.0.0");
    for (turn, part) in [
        (None, "it goes by itself once it is known how other clusters are"),
        (Some(Turn::Others(1)), "it goes by itself once another cluster has restarted its pods"),
        (Some(Turn::Canaries(vec!["s1/canary".to_owned()])), "not yet: \"s1/canary\""),
    ] {
        world.turn = turn;
        let plan = pass(&mut world);
        held(&plan);
        assert_eq!(plan.roll.turn, Some(TurnState::Waits));
        let words = warning_with(&plan, "PlanHeld").unwrap();
        assert!(words.contains(part), "{part}: {words}");
    }
    world.turn = Some(Turn::Now);
    let plan = pass(&mut world);
    assert_eq!((restarts(&plan).len(), plan.roll.turn), (3, Some(TurnState::Goes)));
    // A new process knows nothing of a turn: what was let go goes to its end.
    world.turn = Some(Turn::Others(1));
    world.restart("my-dual-0");
    world.run_everything();
    let plan = pass(&mut world);
    assert_eq!((restarts(&plan).len(), plan.roll.turn), (2, Some(TurnState::Goes)));
    for pod in ["my-dual-1", "my-dual-2"] {
        world.restart(pod);
    }
    world.run_everything();
    let ready = |world: &mut World, status: &str| {
        let pod = Arc::make_mut(world.observed.pods.get_mut("my-dual-2").unwrap());
        for condition in pod.status.as_mut().unwrap().conditions.iter_mut().flatten() {
            status.clone_into(&mut condition.status);
        }
    };
    ready(&mut world, "False");
    assert_eq!(pass(&mut world).roll.turn, Some(TurnState::NotReady));
    ready(&mut world, "True");
    assert_eq!(world.settle().roll.turn, Some(TurnState::Done));
}

#[test]
fn an_approval_goes_before_the_turn() {
    let mut world = settled("turn");
    world.turn = Some(Turn::Others(1));
    upgrade(&mut world, "9.0.0");
    let plan = held(&pass(&mut world));
    annotate(&mut world, APPROVE, &plan);
    assert_eq!(restarts(&pass(&mut world)).len(), 3);
}

#[test]
fn the_settings_say_what_a_resource_waits_for_that_does_not_say_it() {
    let with_setting = |annotation: Option<&str>| {
        let mut world = World::load("dual-role.input.yaml");
        let settings = world.observed.settings.as_ref().clone();
        world.observed.settings =
            Arc::new(PlanSettings { operator_rolls: OperatorRolls::Approval, ..settings });
        if let Some(value) = annotation {
            annotate(&mut world, HOLD, value);
        }
        world.settle();
        upgrade(&mut world, "9.0.0");
        warning_with(&pass(&mut world), "PlanHeld").is_some()
    };
    assert!(with_setting(None));
    assert!(!with_setting(Some("false")), "the resource has the last word");
}

#[test]
fn what_is_missing_or_wrong_for_a_hold_is_told_at_once_and_holds() {
    for (asked, part) in [
        ("window", "is window, and spec.maintenanceTimeWindows has none"),
        ("aproval", "kastellan.io/hold-operator-rolls: is \"aproval\", which is taken for approval"),
    ] {
        let mut world = settled(asked);
        let words = warning_with(&pass(&mut world), "InvalidOperatorHold").unwrap();
        assert!(words.contains(part), "{part}: {words}");
        upgrade(&mut world, "9.0.0");
        held(&pass(&mut world));
    }
    for none in ["false", "off", ""] {
        let mut world = settled(none);
        assert_eq!(warning_with(&pass(&mut world), "InvalidOperatorHold"), None, "{none}");
        upgrade(&mut world, "9.0.0");
        assert_eq!(restarts(&pass(&mut world)).len(), 3, "{none}");
    }
}

#[test]
fn a_note_that_the_operator_did_not_write_is_neither_believed_nor_repeated() {
    let mut world = settled("approval");
    let set = Arc::make_mut(world.observed.pod_sets.get_mut("my-dual").unwrap());
    let note = set.metadata.annotations.as_mut().unwrap().get_mut("kastellan.io/let-go-for").unwrap();
    *note = note.replace(env!("CARGO_PKG_VERSION"), &"9".repeat(200));
    assert!(note.len() > 200, "{note}");
    upgrade(&mut world, "9.0.0");
    assert_eq!(restarts(&pass(&mut world)).len(), 3);
}
