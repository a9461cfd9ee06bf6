//! Controllers leave a quorum whose voters are not fixed: each restarts so that it does not join again, loses its vote, and goes. What the
//! plans do is held against a quorum that is played (`quorum.rs`) at every step.

mod laws;
mod quorum;
mod safety;

use std::collections::BTreeSet;

use crate::common::{condition, kafka_status, object, pool_status, warning_with};
use api::labels;
use planner::findings::HeldPart;
use planner::kafka::admin_call::AdminCall;
use planner::kafka::plan::Plan;
use quorum::{B, C, D, Played, listed, removed};
use serde_json::json;

fn ids(ids: &[i32]) -> BTreeSet<i32> {
    ids.iter().copied().collect()
}

/// Whether a plan has the node start so that it becomes a voter by itself.
fn joins(plan: &Plan, pod: &str) -> bool {
    let config = object(plan, "ConfigMap", pod)["data"]["server.config"].clone();
    config.as_str().unwrap().contains("controller.quorum.auto.join.enable=true")
}

fn deleted_claims(plan: &Plan) -> Vec<&str> {
    let claims = plan.delete.iter().filter(|gone| gone.object.kind == "PersistentVolumeClaim");
    claims.map(|gone| gone.object.name.as_str()).collect()
}

#[test]
fn a_controller_restarts_without_joining_again_loses_its_vote_and_goes_with_its_claim() {
    let mut played = Played::start();
    played.scale(C, 4);
    let plan = played.pass();
    assert_eq!(listed(&plan, "c"), ids(&[2, 3, 4, 5, 6]), "it keeps its vote for now");
    assert!(!joins(&plan, "my-c-6") && joins(&plan, "my-c-5"));
    assert_eq!(plan.roll.wanted.iter().map(|one| one.pod.as_str()).collect::<Vec<_>>(), ["my-c-6"]);
    assert!(removed(&plan).is_empty(), "it would join again at once: {:?}", plan.calls);
    let [held] = plan.held.as_slice() else { panic!("{:?}", plan.held) };
    assert_eq!(held.part, HeldPart::NodeRemoval { pool: "c".to_owned(), nodes: ids(&[6]) });
    assert!(held.message.contains("controllers 6 leave the quorum first"), "{}", held.message);
    let plan = played.pass();
    assert_eq!(removed(&plan), [6], "{:?}", kafka_status(&plan));
    let event = plan.events.iter().find(|event| event.reason == "ControllerRemoved").unwrap();
    assert!(event.text.contains("controller 6") && event.pod.as_deref() == Some("my-c-6"), "{event:?}");
    assert!(listed(&plan, "c").contains(&6));
    let plan = played.pass();
    assert_eq!(listed(&plan, "c"), ids(&[2, 3, 4, 5]));
    assert!(plan.held.is_empty() && deleted_claims(&plan).is_empty());
    assert_eq!(deleted_claims(&played.pass()), ["data-0-my-c-6"]);
    assert_eq!(played.voters, ids(&[2, 3, 4, 5]));
}

#[test]
fn several_leave_one_after_the_other_the_named_ones_and_the_active_one_last() {
    let mut played = Played::start();
    assert_eq!(played.leader(), Some(2));
    played.annotate(C, &json!({"strimzi.io/remove-node-ids": "[2, 4]"}));
    played.scale(C, 3);
    let mut order = Vec::new();
    for _ in 0..20 {
        order.extend(removed(&played.pass()));
    }
    assert_eq!(order, [4, 2]);
    assert_eq!(played.voters, ids(&[3, 5, 6]));
    assert_eq!(listed(&played.plan(), "c"), ids(&[3, 5, 6]));
}

#[test]
fn three_become_one_by_way_of_two() {
    let mut played = Played::start();
    played.scale(C, 1);
    played.finish();
    assert_eq!(played.voters, ids(&[2]));
    assert_eq!(listed(&played.plan(), "c"), ids(&[2]));
}

#[test]
fn a_pool_that_loses_the_role_runs_as_brokers_when_none_of_its_nodes_votes() {
    let mut played = Played::start();
    played.add_pool("d", 3, &["controller", "broker"]);
    played.finish();
    assert_eq!(played.voters.len(), 8);
    played.world.pool(D, |pool| pool["spec"]["roles"] = json!(["broker"]));
    let plan = played.pass();
    let part = HeldPart::RoleRemoval { pool: "d".to_owned(), role: "controller".to_owned() };
    assert!(plan.held.iter().any(|held| held.part == part), "{:?}", plan.held);
    assert_eq!(pool_status(&plan, "d")["roles"], json!(["controller", "broker"]));
    let plan = played.finish();
    assert_eq!(played.voters, ids(&[2, 3, 4, 5, 6]));
    assert_eq!(pool_status(&plan, "d")["roles"], json!(["broker"]));
    let roles = |name: &str| played.world.observed.pods[name].metadata.labels.clone().unwrap();
    for node in 7..10 {
        let labels = roles(&format!("my-d-{node}"));
        assert_eq!((&*labels[labels::CONTROLLER_ROLE], &*labels[labels::BROKER_ROLE]), ("false", "true"));
    }
}

#[test]
fn a_pool_takes_the_place_of_another_and_before_that_every_broker_knows_controllers_that_stay() {
    let mut played = Played::start();
    let started = |played: &Played| {
        let brokers = ["my-a-0", "my-b-1"].map(|pod| played.world.observed.pods[pod].metadata.uid.clone());
        BTreeSet::from(brokers)
    };
    let before = started(&played);
    played.annotate(C, &json!({"kastellan.io/drain-nodes": "true"}));
    let plan = played.pass();
    assert_eq!(plan.finalizers.iter().map(|one| one.object.name.as_str()).collect::<Vec<_>>(), ["c"]);
    played.delete_pool(C);
    let plan = played.pass();
    assert!(played.voters.len() == 5 && listed(&plan, "c").len() == 5, "no other controllers are asked for");
    assert!(warning_with(&plan, "ScaleDownPreventionCheck").unwrap().contains("are the last controllers"));
    assert!(joins(&plan, "my-c-2"));
    // Kubernetes waits for the images of the new ones.
    played.add_pool("d", 3, &["controller"]);
    played.late = ids(&[7, 8, 9]);
    for _ in 0..12 {
        assert!(removed(&played.pass()).is_empty());
    }
    let waits = warning_with(&played.plan(), "ControllerRemoval").unwrap();
    assert!(waits.contains("controller 7 has not joined the quorum yet"), "{waits}");
    played.late.clear();
    let mut seen = BTreeSet::new();
    for _ in 0..60 {
        let plan = played.pass();
        if !removed(&plan).is_empty() {
            seen.extend(started(&played));
        }
    }
    assert!(seen.len() == 2 && seen.is_disjoint(&before), "both restarted once, before the first vote went");
    let plan = played.plan();
    assert_eq!(played.voters, ids(&[7, 8, 9]));
    assert!(plan.held.is_empty(), "{:?}", plan.held);
    assert_eq!(plan.finalizers.len(), 1, "the pool is let go of: {:?}", plan.finalizers);
    assert!(plan.finalizers[0].finalizers.is_empty());
}

#[test]
fn controllers_of_a_pool_that_is_gone_lose_their_votes_before_they_leave() {
    let mut played = Played::start();
    played.pass();
    let pool = played.world.observed.pools.remove(C);
    played.world.observed.deleted_pools.insert("c".to_owned());
    for _ in 0..3 {
        let plan = played.pass();
        assert!(
            played.voters.len() == 5 && listed(&plan, "c").len() == 5,
            "no other controllers are asked for"
        );
        let held = warning_with(&plan, "ScaleDownPreventionCheck").unwrap();
        assert!(held.contains("are the last controllers"), "{held}");
    }
    let mut others = serde_json::to_value(pool.as_ref()).unwrap();
    others["metadata"] =
        json!({"name": "d", "namespace": "s1", "uid": "d", "labels": {"strimzi.io/cluster": "my"}});
    (others["status"], others["spec"]["replicas"]) = (serde_json::Value::Null, json!(3));
    played.world.observed.pools.push(std::sync::Arc::new(serde_json::from_value(others).unwrap()));
    for _ in 0..60 {
        played.pass();
    }
    assert_eq!(played.voters, ids(&[7, 8, 9]));
    assert!(!played.world.observed.pod_sets.contains_key("my-c"));
    assert!(!played.world.observed.pods.keys().any(|pod| pod.starts_with("my-c-")));
}

#[test]
fn what_is_taken_back_on_the_way_joins_again() {
    for passes in 0..6 {
        let mut played = Played::start();
        played.scale(C, 3);
        for _ in 0..passes {
            played.pass();
        }
        played.scale(C, 5);
        let plan = played.finish();
        assert_eq!(played.voters, ids(&[2, 3, 4, 5, 6]), "after {passes} passes");
        assert!(joins(&plan, "my-c-6"));
    }
}

#[test]
fn while_the_caches_are_behind_a_controller_that_leaves_restarts_once_and_its_vote_is_taken_once() {
    for (pods, written) in [(true, false), (false, true), (true, true)] {
        let mut played = Played::start();
        played.fall_behind(pods, written);
        played.scale(C, 4);
        let (mut restarts, mut votes) = (Vec::new(), Vec::new());
        for pass in 0..30 {
            if pass == 8 {
                played.catch_up();
            }
            let plan = played.pass();
            restarts.extend(plan.roll.now.clone());
            votes.extend(removed(&plan));
        }
        assert_eq!((restarts, votes), (vec!["my-c-6".to_owned()], vec![6]), "{pods} {written}");
        assert_eq!(listed(&played.plan(), "c"), ids(&[2, 3, 4, 5]));
    }
}

#[test]
fn a_dual_role_node_keeps_its_vote_until_it_is_empty() {
    let mut played = Played::start();
    played.add_pool("d", 1, &["controller", "broker"]);
    played.finish();
    played.world.pool(D, |pool| pool["spec"]["replicas"] = json!(0));
    played.holders = ids(&[7]);
    for _ in 0..5 {
        let plan = played.pass();
        assert!(removed(&plan).is_empty() && joins(&plan, "my-d-7"));
        assert!(warning_with(&plan, "ScaleDownPreventionCheck").unwrap().contains("hold replicas"));
    }
    played.holders.clear();
    played.finish();
    assert!(!played.voters.contains(&7) && !played.world.observed.pods.contains_key("my-d-7"));
    let calls = played.plan().calls.clone();
    assert!(calls.iter().all(|call| !matches!(call, AdminCall::RemoveVoter { .. })), "{calls:?}");
}

#[test]
fn controllers_and_brokers_may_be_taken_away_in_one_edit() {
    let mut played = Played::start();
    played.scale(C, 3);
    played.world.pool(B, |pool| pool["spec"]["replicas"] = json!(0));
    let plan = played.finish();
    assert_eq!(listed(&plan, "a"), ids(&[0]));
    assert_eq!(played.voters, ids(&[2, 3, 4]));
    assert_eq!(condition(&plan, "Ready").unwrap()["status"], json!("True"), "{:?}", kafka_status(&plan));
    assert_eq!(
        object(&plan, "StrimziPodSet", "my-a")["spec"]["pods"][0]["metadata"]["name"],
        json!("my-a-0")
    );
}
