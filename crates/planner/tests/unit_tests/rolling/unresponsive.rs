//! Nodes whose Kafka takes connections and answers nothing: they restart by themselves, when the rules of a roll allow it.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::agent::Unresponsive;
use jiff::SignedDuration;
use planner::completion::complete;
use planner::kafka::answer::Answer;
use planner::kafka::kubernetes_node_state::KubernetesNode;
use planner::kafka::need::{Need, Silence, SilenceKind};
use planner::kafka::operator_turns::TurnState;
use planner::kafka::plan::Plan;
use serde_json::json;

use super::{WAITS, World, condition, due, partition, set_container, warning};

const POD: &str = "my-dual-1";

/// The listener between brokers has answered nothing for so many seconds.
fn broker(seconds: u64) -> Unresponsive {
    Unresponsive { controller_for_seconds: None, broker_for_seconds: Some(seconds) }
}

/// A settled cluster of three nodes with both roles, on claims.
fn settled() -> World {
    let mut world = World::load("dual-role.input.yaml");
    for pool in &mut world.observed.pools {
        let storage = json!({"type": "persistent-claim", "size": "1Gi"});
        Arc::make_mut(pool).spec.storage = serde_json::from_value(storage).unwrap();
    }
    let settled = world.settle();
    world.apply(&settled);
    world
}

/// Kafka's container is up in the pod, and not ready from now on.
fn goes_unready(world: &mut World) {
    let up = json!({"state": {"running": {}}, "started": true});
    set_container(world, POD, "Running", &up);
}

/// What is planned so many seconds later, while the agent says that Kafka has answered nothing since: it counts from before the pod was unready.
fn after(world: &World, seconds: i64) -> (World, Plan) {
    let mut world = world.clone();
    world.now += SignedDuration::from_secs(seconds);
    world.unresponsive_nodes = Some(BTreeMap::from([(POD.to_owned(), broker(seconds.unsigned_abs() + 20))]));
    let plan = world.plan();
    (world, plan)
}

fn is_asked(world: &World) -> bool {
    world.asked.iter().any(|need| matches!(need, Need::UnresponsiveNodes(_)))
}

#[test]
fn a_node_that_has_answered_nothing_for_five_minutes_is_restarted_with_that_as_its_reason() {
    let mut world = settled();
    goes_unready(&mut world);
    let (early, plan) = after(&world, 290);
    assert!(plan.roll.now.is_empty() && plan.roll.wanted.is_empty() && !is_asked(&early), "{:?}", plan.roll);
    assert!(plan.look_again_seconds().unwrap() <= 11, "nothing else brings a pass in time");
    let (mut world, plan) = after(&world, 301);
    let start = format!("{}/0", world.observed.pods[POD].metadata.uid.as_deref().unwrap());
    let asked = Need::UnresponsiveNodes(BTreeMap::from([(POD.to_owned(), start)]));
    assert_eq!(world.asked.iter().filter(|need| **need == asked).count(), 1, "{:?}", world.asked);
    assert_eq!(plan.roll.now, [POD], "{:?}", plan.roll);
    let event = plan.events.first().unwrap();
    assert_eq!((event.reason.as_str(), event.pod.as_deref()), ("PodUnresponsive", Some(POD)));
    assert!(event.text.contains("answered no request for 5 minutes or more"), "{}", event.text);
    let said = condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(said.contains(POD) && said.contains("answered no request"), "{said}");
    world.apply(&plan);
    world.restart(POD);
    let plan = world.plan();
    assert!(plan.roll.wanted.is_empty() && !is_asked(&world), "{:?}", plan.roll);
}

#[test]
fn only_the_agent_says_that_nothing_is_answered() {
    let mut world = settled();
    goes_unready(&mut world);
    world.now += SignedDuration::from_mins(30);
    // It answers, but not as it should: a certificate that ended, for instance. Or the agent is older, or silent itself.
    for silent in [Some(BTreeMap::new()), Some(BTreeMap::from([(POD.to_owned(), broker(299))])), None] {
        world.unresponsive_nodes.clone_from(&silent);
        let plan = world.plan();
        assert!(is_asked(&world));
        assert!(plan.roll.now.is_empty() && plan.roll.wanted.is_empty(), "{silent:?}: {:?}", plan.roll);
    }
    let silence = Silence::new(SilenceKind::UnderWay, "not yet");
    let (_, plan) = complete(world.observed.clone(), world.now, |need| match need {
        Need::UnresponsiveNodes(_) => Answer::Unknown(silence.clone()),
        need => world.answer(need),
    })
    .unwrap();
    assert!(plan.roll.now.is_empty() && plan.status.kafka.is_some());
}

#[test]
fn a_pod_that_has_not_been_up_or_is_ready_is_none_of_these() {
    let mut world = settled();
    // Its container starts and recovers, has crashed, or another container is what is not ready.
    for container in [
        json!({"state": {"running": {}}, "started": false}),
        json!({"state": {"running": {}}}),
        json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "started": true}),
        json!({"state": {"running": {}}, "started": true, "ready": true}),
    ] {
        set_container(&mut world, POD, "Running", &container);
        let (world, plan) = after(&world, 3600);
        assert!(!is_asked(&world) && plan.roll.now.is_empty(), "{container}: {:?}", plan.roll);
    }
}

#[test]
fn another_reason_is_the_reason() {
    let mut world = due();
    goes_unready(&mut world);
    let (_, plan) = after(&world, 301);
    let restart = plan.roll.wanted.iter().find(|restart| restart.pod == POD).unwrap();
    let reasons: Vec<&str> = restart.reasons.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(reasons, ["ConfigChangeRequiresRestart"]);
    assert!(plan.roll.now == [POD], "{:?}", plan.roll);
}

#[test]
fn the_only_copy_stays_and_the_status_says_how_to_go_on() {
    let mut world = settled();
    goes_unready(&mut world);
    // It leads, and nobody can follow it.
    world.roll = Some(world.all_is_well(vec![partition("orders-0", &[1, 0, 2], &[1], 2)]));
    let (mut waiting, plan) = after(&world, 301);
    assert!(plan.roll.now.is_empty(), "{:?}", plan.roll);
    let why = warning(&plan, WAITS).unwrap()["message"].as_str().unwrap().to_owned();
    assert!(why.contains("orders-0"), "{why}");
    assert!(why.contains("kubectl delete pod my-dual-1 restarts it all the same"), "{why}");
    waiting.apply(&plan);
    // Kafka says that others have every committed record: one of them leads as soon as the silent one ends.
    let mut eligible = partition("orders-0", &[1, 0, 2], &[1], 2);
    eligible.eligible = vec![0, 2];
    waiting.roll = Some(waiting.all_is_well(vec![eligible]));
    assert_eq!(waiting.plan().roll.now, [POD]);
}

#[test]
fn what_ends_with_the_pod_is_not_given_up_for_it_until_a_user_asks() {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    goes_unready(&mut world);
    world.roll = Some(world.all_is_well(vec![partition("alone-0", &[1], &[1], 1)]));
    let (mut world, plan) = after(&world, 301);
    assert!(plan.roll.now.is_empty(), "{:?}", plan.roll);
    let why = warning(&plan, WAITS).unwrap()["message"].as_str().unwrap().to_owned();
    assert!(why.contains("alone-0") && why.contains("which the restart would destroy"), "{why}");
    annotate(&mut world, POD);
    assert_eq!(world.plan().roll.now, [POD], "as in every restart of a partition with one replica");
}

/// Asks for a restart of one pod.
fn annotate(world: &mut World, pod: &str) {
    let pod = Arc::make_mut(world.observed.pods.get_mut(pod).unwrap());
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert("strimzi.io/manual-rolling-update".to_owned(), "true".to_owned());
}

#[test]
fn others_restart_while_the_node_that_answers_nothing_waits() {
    let mut world = settled();
    goes_unready(&mut world);
    world.roll = Some(world.all_is_well(vec![partition("orders-0", &[1, 0], &[1], 1)]));
    let (mut world, held) = after(&world, 301);
    assert!(held.roll.now.is_empty() && !held.roll.wanted.is_empty());
    assert!(held.roll.turn != Some(TurnState::Goes), "no other cluster waits for it: {:?}", held.roll.turn);
    annotate(&mut world, "my-dual-2");
    let plan = world.plan();
    assert_eq!(plan.roll.now, ["my-dual-2"], "{:?}", plan.roll);
    // Also where both may go: a node that hangs again and again would keep the others from theirs.
    world.roll = None;
    assert_eq!(world.plan().roll.now, ["my-dual-2"]);
    // What each of them waits for is said.
    let of_both = vec![partition("orders-0", &[1, 0], &[1], 1), partition("orders-1", &[2, 0], &[2], 1)];
    world.roll = Some(world.all_is_well(of_both));
    let why = warning(&world.plan(), WAITS).unwrap()["message"].as_str().unwrap().to_owned();
    assert!(why.contains("restart of pod my-dual-2 waits: partition orders-1"), "{why}");
    assert!(why.contains("restart of pod my-dual-1 waits: partition orders-0"), "{why}");
}

#[test]
fn a_wait_does_not_end_while_the_agent_has_not_answered() {
    let mut world = settled();
    goes_unready(&mut world);
    world.roll = Some(world.all_is_well(vec![partition("orders-0", &[1, 0], &[1], 1)]));
    let (mut world, held) = after(&world, 301);
    world.apply(&held);
    let said = warning(&held, WAITS).unwrap();
    world.now += SignedDuration::from_secs(30);
    world.unresponsive_nodes = None;
    let plan = world.plan();
    assert_eq!(warning(&plan, WAITS), Some(said));
    assert_eq!((&plan.roll.now, &plan.roll.waits), (&Vec::new(), &held.roll.waits));
    // It says that Kafka answers.
    world.unresponsive_nodes = Some(BTreeMap::new());
    assert_eq!(warning(&world.plan(), WAITS), None);
}

#[test]
fn nodes_that_answer_nothing_restart_one_after_the_other_and_not_when_all_are_silent() {
    let mut world = settled();
    goes_unready(&mut world);
    let container = json!({"state": {"running": {}}, "started": true});
    set_container(&mut world, "my-dual-2", "Running", &container);
    let (mut two, _) = after(&world, 301);
    let silent = ["my-dual-1", "my-dual-2"].map(|pod| (pod.to_owned(), broker(321))).into();
    two.unresponsive_nodes = Some(silent);
    assert_eq!(two.plan().roll.now, [POD]);
    let silence = Silence::new(SilenceKind::Late, "nobody answers");
    let (_, plan) = complete(two.observed.clone(), two.now, |need| match need {
        Need::Roll(_) => Answer::Unknown(silence.clone()),
        need => two.answer(need),
    })
    .unwrap();
    assert!(plan.roll.now.is_empty() && plan.roll.wanted.len() == 2, "{:?}", plan.roll);
    let why = warning(&plan, WAITS).unwrap()["message"].as_str().unwrap().to_owned();
    assert!(why.contains("nobody answers") && !why.contains("kubectl"), "{why}");
}

#[test]
fn a_machine_that_is_away_is_named_and_not_its_kafka() {
    let mut world = settled();
    goes_unready(&mut world);
    let pod = Arc::make_mut(world.observed.pods.get_mut(POD).unwrap());
    // The last that the kubelet said is that Kafka is ready.
    pod.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0].ready = true;
    world.kubernetes_nodes.insert("worker".to_owned(), KubernetesNode::Unreachable);
    let (world, plan) = after(&world, 301);
    assert!(!is_asked(&world) && plan.roll.wanted.is_empty());
    assert!(warning(&plan, "LostNode").is_some());
}
