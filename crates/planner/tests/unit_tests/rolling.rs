//! Rolls in the plan: what goes now, what waits and since when, and what the status says of it.

mod batches;
mod old_answers;
mod recovery;
mod unresponsive;

use crate::common;
use crate::common::planned::broken_disks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{World, condition, kafka_status};
use jiff::SignedDuration;
use planner::completion::{Completion, complete};
use planner::kafka::answer::Answer;
use planner::kafka::need::{Need, Silence, SilenceKind};
use planner::kafka::plan::Plan;
use planner::kafka::roll_view::{RollKafka, RollPartition};
use planner::plan::Occasion;
use planner::pod_set::pod_error::{PodAction, PodError};
use planner::restart_reason::RestartReason;
use serde_json::{Value, json};

const WAITS: &str = "RollingUpdateWaits";

fn warning(plan: &Plan, reason: &str) -> Option<Value> {
    let status = kafka_status(plan);
    let conditions = status["conditions"].as_array()?;
    conditions.iter().find(|found| found["type"] == "Warning" && found["reason"] == reason).cloned()
}

fn partition(name: &str, replicas: &[i32], isr: &[i32], min_isr: usize) -> RollPartition {
    RollPartition {
        name: name.to_owned(),
        replicas: replicas.to_vec(),
        leader: isr.first().copied(),
        isr: isr.to_vec(),
        min_isr,
        ..RollPartition::default()
    }
}

/// A settled cluster of three nodes with both roles, on ephemeral storage, of which every pod has to restart.
fn due() -> World {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!(false);
        kafka["metadata"]["generation"] = json!(2);
    });
    world
}

/// Gives a pod that is not ready since now this status of Kafka's container.
fn set_container(world: &mut World, pod: &str, phase: &str, container: &Value) {
    let mut kafka = json!({"name": "kafka", "ready": false, "restartCount": 0, "image": "", "imageID": ""});
    kafka.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    let status = json!({
        "phase": phase,
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": world.now.to_string()}],
        "containerStatuses": [kafka],
    });
    let pod = Arc::make_mut(world.observed.pods.get_mut(pod).unwrap());
    pod.status = Some(serde_json::from_value(status).unwrap());
}

#[test]
fn a_pod_whose_set_is_written_in_the_same_pass_goes_when_the_watch_has_the_set() {
    let mut world = due();
    let plan = world.plan();
    let [pod] = plan.roll.now.as_slice() else { panic!("{:?}", plan.roll) };
    let set = plan.roll.unless_changed[pod].clone();
    assert_eq!((set.kind.as_str(), set.name.as_str()), ("StrimziPodSet", "my-dual"));
    assert!(plan.roll.going(&BTreeSet::from([set])).is_empty());
    // The write changed nothing, for instance because a webhook keeps the set as it is.
    assert_eq!(plan.roll.going(&BTreeSet::new()), std::slice::from_ref(pod));
    world.apply(&plan);
    let next = world.plan();
    assert_eq!((&next.roll.now, next.roll.unless_changed.len()), (&plan.roll.now, 0));
}

#[test]
fn a_roll_goes_pod_by_pod_and_says_why() {
    let mut world = due();
    let mut order = Vec::new();
    for _ in 0..3 {
        let plan = world.plan();
        assert_eq!((plan.roll.now.len(), &plan.roll.waits), (1, &None));
        assert!(warning(&plan, WAITS).is_none());
        let event = plan.events.first().unwrap();
        assert_eq!(event.pod.as_ref(), plan.roll.now.first());
        assert_eq!(
            (event.reason.as_str(), &event.occasion),
            ("ConfigChangeRequiresRestart", &Occasion::Restart)
        );
        world.apply(&plan);
        order.extend(plan.roll.now.clone());
        world.restart(&plan.roll.now[0]);
    }
    assert_eq!(order, ["my-dual-1", "my-dual-2", "my-dual-0"], "the active controller is the last");
    assert_eq!(world.plan().roll.now, Vec::<String>::new());
}

#[test]
fn a_roll_that_waits_says_so_at_once_and_is_a_failure_after_five_minutes() {
    let mut world = due();
    let blocked = |isr: &[i32]| {
        vec![partition("orders-0", &[0, 1, 2], isr, 2), partition("orders-1", &[0, 1, 2], &[2, 0], 2)]
    };
    world.roll = Some(world.all_is_well(blocked(&[0, 1])));
    let began = world.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut plan = world.plan();
    assert!(plan.roll.now.is_empty());
    let why = warning(&plan, WAITS).unwrap();
    assert!(why["message"].as_str().unwrap().contains("orders-0"), "{why}");
    assert!(condition(&plan, "Ready").is_some(), "it serves on");
    assert!(plan.look_again_seconds().unwrap() <= 2, "nothing announces that a replica has caught up");
    assert!(plan.events.is_empty(), "a short wait is a part of every roll");
    world.apply(&plan);

    // What it waits for changes; since when it waits does not.
    world.now += SignedDuration::from_secs(30);
    world.roll = Some(world.all_is_well(blocked(&[0])));
    plan = world.plan();
    assert_eq!(warning(&plan, WAITS).unwrap()["lastTransitionTime"], began);
    assert_eq!(plan.events.len(), 1);
    assert_eq!((plan.events[0].reason.as_str(), plan.events[0].pod.as_ref()), (WAITS, None));
    world.apply(&plan);

    world.now += SignedDuration::from_mins(5);
    plan = world.plan();
    let failure = condition(&plan, "NotReady").unwrap();
    assert!(failure["message"].as_str().unwrap().contains("orders-0"), "{failure}");
    assert_eq!(kafka_status(&plan)["observedGeneration"], 2);
    assert_eq!(warning(&plan, WAITS).unwrap()["lastTransitionTime"], began);
    world.apply(&plan);

    // It goes on when it can.
    world.roll = Some(world.all_is_well(vec![partition("orders-0", &[0, 1, 2], &[0, 1, 2], 2)]));
    plan = world.plan();
    assert_eq!((plan.roll.now.len(), warning(&plan, WAITS)), (1, None));
}

#[test]
fn a_kafka_that_does_not_answer_is_waited_for_with_its_reason() {
    let mut world = due();
    let silence = Silence::new(SilenceKind::Late, "kafka call list topics was not answered within 10 s");
    world.roll = Some(RollKafka::silent(&silence));
    let plan = world.plan();
    assert!(plan.roll.now.is_empty());
    assert!(warning(&plan, WAITS).unwrap()["message"].as_str().unwrap().contains("within 10 s"));
    let answered = complete(world.observed.clone(), world.now, |need| match need {
        Need::Roll(_) => Answer::Unknown(silence.clone()),
        Need::Admission { .. } => panic!("no pod goes"),
        _ => Answer::Unknown(Silence::new(SilenceKind::Late, "not asked here")),
    });
    assert!(
        warning(&answered.unwrap().1, WAITS).unwrap()["message"].as_str().unwrap().contains("within 10 s")
    );
}

#[test]
fn an_answer_that_is_on_its_way_is_no_trouble_but_ends_none_either() {
    let mut world = due();
    let plan_with = |world: &mut World, kind: SilenceKind| {
        world.roll = Some(RollKafka::silent(&Silence::new(kind, "Kafka has not answered yet")));
        world.plan()
    };
    let plan = plan_with(&mut world, SilenceKind::UnderWay);
    assert!(plan.roll.now.is_empty(), "nothing is decided without it");
    assert!(plan.roll.waits.as_ref().unwrap().is_usual() && warning(&plan, WAITS).is_none());
    assert_eq!(plan.look_again_seconds(), Some(6), "if it does not come, that is said soon");
    let plan = plan_with(&mut world, SilenceKind::Late);
    assert!(!plan.roll.waits.as_ref().unwrap().is_usual() && warning(&plan, WAITS).is_some());
    // What the status says goes on to stand there while the next answer is on its way.
    let began = world.now;
    world.apply(&plan);
    world.now += SignedDuration::from_secs(30);
    let plan = plan_with(&mut world, SilenceKind::UnderWay);
    assert_eq!(plan.roll.waits.as_ref().unwrap().since, began);
    assert!(warning(&plan, WAITS).is_some());
}

#[test]
fn what_was_said_before_a_pod_was_replaced_is_another_question() {
    let mut world = due();
    let asked = |world: &mut World| {
        world.plan();
        let found = world.asked.iter().find(|need| matches!(need, Need::Roll(_))).cloned();
        found.unwrap()
    };
    let before = asked(&mut world);
    assert_eq!(asked(&mut world), before);
    world.restart("my-dual-1");
    assert_ne!(asked(&mut world), before);
}

#[test]
fn copies_that_nothing_keeps_are_named_before_any_pod_restarts() {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    let mut partitions = vec![partition("pairs-0", &[0, 1], &[0, 1], 1)];
    for number in 0..12 {
        partitions.push(partition(&format!("single-{number}"), &[number % 3], &[number % 3], 1));
    }
    world.roll = Some(world.all_is_well(partitions));
    let plan = world.plan();
    let named = warning(&plan, "SingleReplicaOnEphemeralStorage").unwrap()["message"].clone();
    let named = named.as_str().unwrap();
    assert!(named.contains("single-0 (broker 0)") && named.contains("and 2 more"), "{named}");
    assert!(!named.contains("pairs"), "{named}");
    assert!(condition(&plan, "Ready").is_some());
    // And the roll goes on.
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!(false));
    let plan = world.plan();
    assert_eq!(plan.roll.now.len(), 1);
    assert!(warning(&plan, "SingleReplicaOnEphemeralStorage").is_some());
}

#[test]
fn persistent_storage_is_warned_of_when_a_restart_drops_a_volume() {
    let mut world = World::load("split-pools.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    let lossy = "SingleReplicaOnEphemeralStorage";
    world.roll = Some(world.all_is_well(vec![partition("single-0", &[0], &[0], 1)]));
    assert!(warning(&world.plan(), lossy).is_none());
    world.log_dirs = Ok(broken_disks(1, 0..9));
    world.pool(0, |pool| {
        pool["metadata"]["annotations"]["kastellan.io/discard-volumes"] = json!("[1]");
        pool["spec"]["storage"]["volumes"].as_array_mut().unwrap().remove(1);
    });
    assert!(warning(&world.plan(), lossy).is_some());
    // Its last copy is not taken while another one is on its way.
    world.roll = Some(world.all_is_well(vec![partition("pairs-0", &[0, 1], &[0], 2)]));
    let mut going = Vec::new();
    for _ in 0..8 {
        let plan = world.plan();
        world.apply(&plan);
        let Some(pod) = plan.roll.now.first() else { break };
        going.push(pod.clone());
        world.restart(pod);
    }
    assert!(!going.contains(&"shop-brokers-0".to_owned()), "{going:?}");
    assert!(warning(&world.plan(), WAITS).unwrap()["message"].as_str().unwrap().contains("pairs-0"));
}

#[test]
fn a_pod_that_the_api_server_would_refuse_stays() {
    let mut world = due();
    let why = "Pod \"my-dual-1\" is invalid: must be less than or equal to memory limit";
    world.refused_pods.insert("my-dual-1".to_owned(), why.to_owned());
    let plan = world.plan();
    assert!(plan.roll.now.is_empty(), "{:?}", plan.roll);
    let failure = condition(&plan, "NotReady").unwrap()["message"].clone();
    let failure = failure.as_str().unwrap();
    assert!(failure.contains("my-dual-1") && failure.contains("memory limit"), "{failure}");
    let Some(Need::Admission { object, .. }) =
        world.asked.iter().find(|need| matches!(need, Need::Admission { .. }))
    else {
        panic!("nobody asked")
    };
    assert_eq!(object, &common::object(&plan, "StrimziPodSet", "my-dual")["spec"]["pods"][1]);
    assert_eq!(plan.events.len(), 1, "it is said at once");
    world.refused_pods.clear();
    assert_eq!(world.plan().roll.now, ["my-dual-1"]);
}

#[test]
fn one_controller_that_cannot_mount_a_volume_is_replaced_when_the_resource_is_corrected() {
    let mut world = World::load("split-pools.input.yaml");
    world.pool(1, |pool| pool["spec"]["replicas"] = json!(1));
    let settled = world.settle();
    world.apply(&settled);
    let missing = json!([{"name": "missing", "secret": {"secretName": "does-not-exist"}}]);
    world.pool(1, |pool| pool["spec"]["template"] = json!({"pod": {"volumes": missing}}));
    let plan = world.plan();
    assert_eq!(plan.roll.now, ["shop-controllers-3"]);
    world.apply(&plan);
    world.restart("shop-controllers-3");
    let waiting = json!({"state": {"waiting": {"reason": "PodInitializing"}}});
    set_container(&mut world, "shop-controllers-3", "Pending", &waiting);
    // Without a controller Kafka says nothing; the brokers stay ready.
    world.roll = Some(RollKafka::silent(&Silence::new(SilenceKind::Late, "no answer")));
    let plan = world.plan();
    assert!(plan.roll.now.is_empty(), "it may still come");
    world.pool(1, |pool| pool["spec"]["template"] = Value::Null);
    assert_eq!(world.plan().roll.now, ["shop-controllers-3"]);
}

#[test]
fn an_asked_for_roll_ends_whatever_the_clocks_say() {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    let set = Arc::make_mut(world.observed.pod_sets.get_mut("my-dual").unwrap());
    let annotations = set.metadata.annotations.get_or_insert_default();
    annotations.insert("strimzi.io/manual-rolling-update".to_owned(), "true".to_owned());
    // The API server's clock, which dates new pods, is behind the operator's.
    let mut restarts = 0;
    loop {
        let plan = world.plan();
        world.apply(&plan);
        let Some(pod) = plan.roll.now.first().cloned() else { break };
        let reasons = &plan.roll.wanted.iter().find(|restart| restart.pod == pod).unwrap().reasons;
        assert!(reasons.contains(&RestartReason::ManualRollingUpdate));
        restarts += 1;
        assert!(restarts <= 3, "the roll has no end");
        world.now -= SignedDuration::from_mins(2);
        world.restart(&pod);
        world.now += SignedDuration::from_mins(2);
    }
    assert_eq!(restarts, 3);
    let annotations = world.observed.pod_sets["my-dual"].metadata.annotations.clone().unwrap();
    assert!(!annotations.contains_key("kastellan.io/manual-rolling-update-pods"), "{annotations:?}");
}

#[test]
fn a_pod_that_was_deleted_is_not_deleted_again_before_the_watch_says_so() {
    let mut world = due();
    let first = world.plan().roll.now[0].clone();
    let uid = world.observed.pods[&first].metadata.uid.clone().unwrap();
    world.observed.restarted.insert(uid);
    let plan = world.plan();
    assert_eq!(plan.roll.now, Vec::<String>::new());
    assert!(plan.events.is_empty());
    assert!(plan.roll.waits.as_ref().unwrap().is_usual() && warning(&plan, WAITS).is_none());
}

#[test]
fn how_far_a_voter_may_lag_is_what_the_resource_says() {
    // A voter that lags holds the others, and may go itself.
    for (timeout, goes) in [(None, "my-dual-1"), (Some(1000), "my-dual-2")] {
        let mut world = World::load("dual-role.input.yaml");
        if let Some(timeout) = timeout {
            world.kafka(|kafka| {
                kafka["spec"]["kafka"]["config"]["controller.quorum.fetch.timeout.ms"] = json!(timeout);
            });
        }
        let settled = world.settle();
        world.apply(&settled);
        world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!(false));
        let mut roll = world.all_is_well(Vec::new());
        roll.quorum.as_mut().unwrap().as_mut().unwrap().voters[2].lag_ms = Some(1500);
        world.roll = Some(roll);
        assert_eq!(world.plan().roll.now, [goes], "{timeout:?}");
    }
}

#[test]
fn what_a_pod_says_before_it_ends_stands_in_the_status_at_once() {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    let last = json!({"terminated": {"exitCode": 1, "message": "the disk belongs to another cluster"}});
    let container = json!({"restartCount": 1, "state": {"running": {}}, "lastState": last});
    set_container(&mut world, "my-dual-1", "Running", &container);
    let plan = world.plan();
    let said = warning(&plan, "PodNotReady").unwrap()["message"].clone();
    let said = said.as_str().unwrap();
    assert!(said.contains("my-dual-1") && said.contains("belongs to another cluster"), "{said}");
}

#[test]
fn a_pod_that_is_refused_stands_in_the_status_at_once() {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    world.observed.pods.remove("my-dual-1");
    let refused = PodError::creation("no PriorityClass with name high was found");
    world.observed.pod_errors.insert("my-dual-1".to_owned(), refused);
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!(false));
    let plan = world.plan();
    assert!(plan.roll.now.is_empty());
    for reason in ["PodNotReady", WAITS] {
        let said = warning(&plan, reason).unwrap()["message"].clone();
        let said = said.as_str().unwrap();
        assert!(said.contains("my-dual-1") && said.contains("PriorityClass"), "{said}");
    }
}

#[test]
fn a_deletion_that_is_refused_stands_in_the_status_whatever_else_is_wrong() {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    let refused = PodError { action: PodAction::Delete, why: "the webhook is away".to_owned() };
    world.observed.pod_errors.insert("my-dual-7".to_owned(), refused);
    let says = |plan: &Plan| {
        let said = warning(plan, "KubernetesError").unwrap()["message"].clone();
        assert_eq!(said, "pod my-dual-7 cannot be deleted: the webhook is away");
    };
    says(&world.plan());
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["num.io.threads"] = json!("many"));
    let plan = world.plan();
    assert!(condition(&plan, "NotReady").is_some(), "{:?}", plan.status.kafka);
    says(&plan);
}

#[test]
fn what_cannot_be_made_stands_in_the_status_and_nothing_is_lost() {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    world.pool(0, |pool| pool["spec"]["replicas"] = json!(4));
    let answered = complete(world.observed.clone(), world.now, |need| match need {
        Need::Material(request) if request.id() == "my-dual-3" => {
            Answer::Unknown(Silence::new(SilenceKind::Refused, "a common name has at most 64 characters"))
        }
        other => panic!("{other:?}"),
    });
    let plan = answered.unwrap().1;
    assert!(plan.failure.as_ref().unwrap().contains("64 characters"));
    let failure = condition(&plan, "NotReady").unwrap();
    assert_eq!(failure["reason"], "InternalError");
    let message = failure["message"].as_str().unwrap();
    assert!(message.contains("my-dual-3") && message.contains("64 characters"), "{message}");
    assert!(plan.apply.is_empty() && plan.delete.is_empty() && plan.roll.now.is_empty());
}

#[test]
fn an_answer_to_another_question_and_endless_questions_end() {
    let mut world = due();
    world.observed.view = None;
    let wrong = complete(world.observed.clone(), world.now, |_| Answer::StorageClass(None));
    let (observed, plan) = wrong.unwrap();
    assert!(plan.roll.now.is_empty() && observed.unanswered.len() >= 2, "{:?}", observed.unanswered);
    let mut completion = Completion::new(&mut world.observed, world.now);
    let endless = (0..100).find(|_| completion.step(&world.observed).is_err());
    assert!(endless.is_some(), "nothing was answered");
}

#[test]
fn what_a_plan_asks_for_is_asked_once() {
    let mut world = due();
    world.plan();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for need in &world.asked {
        *seen.entry(format!("{need:?}")).or_default() += 1;
    }
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}
