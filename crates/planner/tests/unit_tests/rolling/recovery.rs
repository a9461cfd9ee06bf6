//! Brokers that recover their logs after an unclean stop: they are waited for.

use api::agent::RecoveryState;
use jiff::SignedDuration;
use planner::completion::complete;
use planner::kafka::answer::Answer;
use planner::kafka::need::{Need, Silence, SilenceKind};
use planner::roll::waiting::Waiting;
use serde_json::json;

use super::{WAITS, due, set_container, warning};

const POD: &str = "my-dual-1";

fn running(world: &mut super::World) {
    set_container(world, POD, "Running", &json!({"state": {"running": {}}, "restartCount": 1}));
}

#[test]
fn a_broker_that_recovers_is_not_restarted_however_long_it_takes_and_holds_the_others_for_a_while() {
    let mut world = due();
    let plan = world.plan();
    world.apply(&plan);
    running(&mut world);
    let left = RecoveryState { remaining_logs_to_recover: 3, remaining_segments_to_recover: 5 };
    world.recoveries.insert(POD.to_owned(), left);
    // It has a reason to restart itself, and in its place no other one goes.
    for minutes in [0, 6, 60] {
        let mut world = world.clone();
        world.now += SignedDuration::from_mins(minutes);
        let plan = world.plan();
        assert!(plan.roll.wanted.iter().any(|restart| restart.pod == POD));
        assert!(!plan.roll.now.iter().any(|pod| pod == POD), "{minutes}: {:?}", plan.roll);
        if minutes > 0 {
            continue;
        }
        assert!(plan.roll.now.is_empty(), "{minutes}: {:?}", plan.roll);
        let why = warning(&plan, WAITS).unwrap()["message"].as_str().unwrap().to_owned();
        assert!(why.contains(POD) && why.contains("3 logs") && why.contains("5 segments"), "{why}");
    }
    // It is done, and still not ready for another reason.
    world.recoveries.clear();
    assert_eq!(world.plan().roll.now, [POD]);
}

#[test]
fn a_broker_that_was_restarted_for_the_same_cause_recovers_before_the_next_one_goes() {
    let mut world = due();
    let plan = world.plan();
    world.apply(&plan);
    world.restart(POD);
    running(&mut world);
    let left = RecoveryState { remaining_logs_to_recover: 1, remaining_segments_to_recover: 0 };
    world.recoveries.insert(POD.to_owned(), left);
    let plan = world.plan();
    assert!(plan.roll.now.is_empty(), "{:?}", plan.roll);
    world.now += SignedDuration::from_hours(1);
    assert_eq!(world.plan().roll.now, ["my-dual-2"], "a disk that hangs holds nothing up for so long");
}

#[test]
fn an_agent_that_has_not_answered_yet_is_waited_for_and_a_silent_one_is_not() {
    let mut world = due();
    let plan = world.plan();
    world.apply(&plan);
    running(&mut world);
    for (kind, goes) in
        [(SilenceKind::UnderWay, false), (SilenceKind::Late, true), (SilenceKind::Unreachable, true)]
    {
        let silence = Silence::new(kind, "no agent answers");
        let (_, plan) = complete(world.observed.clone(), world.now, |need| match need {
            Need::Recoveries(pods) => {
                assert_eq!(pods.keys().collect::<Vec<_>>(), [POD]);
                Answer::Unknown(silence.clone())
            }
            need => world.answer(need),
        })
        .unwrap();
        assert_eq!(plan.roll.now.is_empty(), !goes, "{kind:?}: {:?}", plan.roll);
        assert!(plan.roll.waits.as_ref().is_none_or(Waiting::is_usual), "{kind:?}");
        assert_eq!(warning(&plan, WAITS), None, "{kind:?}");
    }
}
