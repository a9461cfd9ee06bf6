//! KafkaNodePools that are gone while their nodes hold replicas: the pod set remembers what the nodes are.

use std::sync::Arc;

use api::KafkaNodePool;
use planner::kafka::plan::Plan;
use serde_json::json;

use super::{A, Drained, listed, moves};
use crate::common::{World, documents, object, warning_with};

const REASON: &str = "PodsWithoutNodePool";

/// A user deletes pool `a`, and nothing holds it.
fn delete(drained: &mut Drained) -> Arc<KafkaNodePool> {
    drained.world.observed.deleted_pools.insert("a".to_owned());
    drained.world.observed.pools.remove(A)
}

fn deleted(plan: &Plan) -> Vec<&str> {
    plan.delete.iter().map(|deletion| deletion.object.name.as_str()).collect()
}

fn owners(plan: &Plan, kind: &str, name: &str) -> Vec<String> {
    let owners = object(plan, kind, name)["metadata"]["ownerReferences"].as_array().unwrap();
    owners.iter().map(|owner| owner["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn its_nodes_stay_as_they_are_while_they_hold_replicas_and_the_status_says_what_to_do() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[0, 1]]);
    // All that a pool hands on to its nodes.
    drained.world.pool(A, |pool| {
        pool["metadata"]["labels"]["team"] = json!("orders");
        pool["spec"]["resources"] = json!({"requests": {"memory": "2Gi"}});
        pool["spec"]["jvmOptions"] = json!({"-Xmx": "1g"});
        pool["spec"]["template"] = json!({"pod": {"metadata": {"annotations": {"a": "b"}}}});
    });
    drained.pass();
    // It restarts for that.
    drained.world.observed.pods.remove("my-a-0");
    drained.pass();
    let plan = drained.pass();
    assert_eq!(plan.roll.wanted.len(), 0);
    assert_eq!(owners(&plan, "StrimziPodSet", "my-a"), ["KafkaNodePool", "Kafka"], "neither takes it along");
    assert_eq!(owners(&plan, "PersistentVolumeClaim", "data-0-my-a-0"), ["KafkaNodePool", "Kafka"]);
    delete(&mut drained);
    for _ in 0..3 {
        let plan = drained.pass();
        assert_eq!(
            (deleted(&plan), plan.roll.wanted.len(), plan.calls.len()),
            (vec![], 0, 0),
            "{:?}",
            plan.calls
        );
        assert!(listed(&plan).contains(&0) && !plan.status.pools.contains_key("a"));
        assert!(plan.finalizers.iter().all(|change| change.object.name != "a"));
        assert_eq!(owners(&plan, "StrimziPodSet", "my-a"), ["Kafka"]);
        let said = warning_with(&plan, REASON).unwrap();
        assert!(said.contains("KafkaNodePool a was deleted, and its nodes 0 leave when"), "{said}");
        let held = warning_with(&plan, "ScaleDownPreventionCheck").unwrap();
        assert!(held.contains("brokers 0 hold replicas") && held.contains("\"true\" on the Kafka"), "{held}");
    }
}

#[test]
fn they_are_emptied_when_the_kafka_resource_asks_for_it_and_nothing_is_left_of_the_pool() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[0, 1]]);
    // What the pool said then, nobody can take back now.
    drained.annotate(A, &json!({"kastellan.io/drain-nodes": "false"}));
    drained.pass();
    delete(&mut drained);
    assert_eq!(moves(&drained.pass()), 0);
    drained
        .world
        .kafka(|kafka| kafka["metadata"]["annotations"] = json!({"kastellan.io/drain-nodes": "true"}));
    let mut gone = Vec::new();
    for _ in 0..30 {
        let plan = drained.pass();
        gone.extend(plan.delete.iter().map(|deletion| deletion.object.name.clone()));
        if !plan.apply.iter().any(|write| write.reference.name == "my-a") {
            assert_eq!(warning_with(&plan, REASON), None);
        }
        drained.kafka.arrive(1);
    }
    assert!(drained.kafka.is_free() && !drained.kafka.holders().contains(&0));
    let observed = &drained.world.observed;
    assert!(!observed.pods.contains_key("my-a-0") && !observed.pod_sets.contains_key("my-a"), "{gone:?}");
    assert!(!observed.claims.contains_key("data-0-my-a-0"), "deleteClaim: true");
    let place = |name: &str| gone.iter().position(|one| one == name).unwrap();
    assert!(place("data-0-my-a-0") < place("my-a"), "the pod set is what remembers: {gone:?}");
    drained.world.observed.deleted_pools.clear();
    let plan = drained.pass();
    assert!(plan.delete.is_empty() && plan.held.is_empty() && warning_with(&plan, REASON).is_none());
}

#[test]
fn empty_nodes_leave_without_further_ado() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[2, 1]]);
    drained.pass();
    delete(&mut drained);
    for _ in 0..6 {
        drained.pass();
    }
    let observed = &drained.world.observed;
    assert!(!observed.pods.contains_key("my-a-0") && !observed.pod_sets.contains_key("my-a"));
}

#[test]
fn while_kafka_does_not_answer_nothing_is_given_up() {
    let mut drained = Drained::start();
    drained.pass();
    delete(&mut drained);
    drained.world.observed.view = None;
    let plan = drained.world.plan();
    assert_eq!((deleted(&plan), listed(&plan).contains(&0)), (vec![], true));
}

#[test]
fn a_pool_that_comes_back_gets_its_nodes_and_restarts_nothing() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[0, 1]]);
    drained.pass();
    let pool = delete(&mut drained);
    drained.pass();
    let mut again = serde_json::to_value(pool.as_ref()).unwrap();
    again["metadata"]["uid"] = json!("uid-of-the-next");
    again.as_object_mut().unwrap().remove("status");
    drained.world.observed.pools.insert(A, Arc::new(serde_json::from_value(again).unwrap()));
    drained.world.observed.deleted_pools.clear();
    let plan = drained.pass();
    assert_eq!((warning_with(&plan, REASON), deleted(&plan), plan.roll.wanted.len()), (None, vec![], 0));
    assert_eq!(
        object(&plan, "StrimziPodSet", "my-a")["metadata"]["ownerReferences"][0]["uid"],
        "uid-of-the-next"
    );
    assert!(listed(&plan).contains(&0) && plan.held.is_empty(), "{:?}", plan.held);
}

#[test]
fn a_storage_that_was_refused_is_not_what_the_nodes_have() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[0, 1]]);
    drained.world.pool(A, |pool| pool["spec"]["storage"] = json!({"type": "ephemeral"}));
    assert!(warning_with(&drained.pass(), "KafkaStorage").is_some());
    delete(&mut drained);
    let plan = drained.pass();
    assert_eq!((warning_with(&plan, "KafkaStorage"), plan.roll.wanted.len()), (None, 0));
    assert_eq!(
        object(&plan, "PersistentVolumeClaim", "data-0-my-a-0")["spec"]["resources"]["requests"]["storage"],
        "1Gi"
    );
}

#[test]
fn a_move_that_a_pool_asked_for_can_be_taken_back_on_the_kafka_resource() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[0, 1]]);
    drained.annotate(A, &json!({"kastellan.io/drain-nodes": "true"}));
    drained.pass();
    // A user took the finalizer out by hand.
    delete(&mut drained);
    drained.pass();
    assert_eq!(moves(&drained.pass()), 1);
    drained
        .world
        .kafka(|kafka| kafka["metadata"]["annotations"] = json!({"kastellan.io/drain-nodes": "false"}));
    for _ in 0..4 {
        drained.pass();
    }
    assert!(!drained.kafka.is_moving() && drained.kafka.holders().contains(&0));
}

#[test]
fn a_pool_that_waits_stays_an_owner_unless_kubernetes_waits_for_its_objects() {
    for (finalizers, owned_by) in [
        (json!(["kastellan.io/drain-nodes"]), vec!["KafkaNodePool", "Kafka"]),
        (json!(["kastellan.io/drain-nodes", "foregroundDeletion"]), vec!["Kafka"]),
        (json!(["orphan", "kastellan.io/drain-nodes"]), vec!["Kafka"]),
        (json!(["foregroundDeletion"]), vec!["Kafka"]),
    ] {
        let mut drained = Drained::start();
        drained.kafka.topic("orders", &[&[0, 1]]);
        drained.pass();
        drained.world.pool(A, |pool| {
            pool["metadata"]["finalizers"] = finalizers.clone();
            pool["metadata"]["deletionTimestamp"] = json!("2026-06-01T12:00:00Z");
        });
        let plan = drained.pass();
        assert_eq!(owners(&plan, "StrimziPodSet", "my-a"), owned_by, "{finalizers}");
        assert!(listed(&plan).contains(&0) && plan.status.pools.contains_key("a"));
    }
}

#[test]
fn before_the_quorum_has_formed_a_pool_takes_its_nodes_along_so_that_another_attempt_can_be_made() {
    for finalizer in [None, Some("foregroundDeletion"), Some("orphan")] {
        let mut world = World::new(documents(super::RESOURCES));
        let plan = world.plan();
        world.apply(&plan);
        if let Some(finalizer) = finalizer {
            world.pool(A, |pool| {
                pool["metadata"]["finalizers"] = json!([finalizer]);
                pool["metadata"]["deletionTimestamp"] = json!("2026-06-01T12:00:00Z");
            });
        }
        let plan = world.plan();
        assert_eq!(owners(&plan, "StrimziPodSet", "my-a"), ["KafkaNodePool"], "{finalizer:?}");
        assert_eq!(
            owners(&plan, "PersistentVolumeClaim", "data-0-my-a-0"),
            ["KafkaNodePool"],
            "{finalizer:?}"
        );
        let annotations = &object(&plan, "StrimziPodSet", "my-a")["metadata"]["annotations"];
        assert!(annotations["kastellan.io/node-pool"].is_null(), "{annotations}");
    }
}

#[test]
fn a_pool_that_is_too_large_to_be_remembered_says_so_also_while_it_is_deleted() {
    let mut drained = Drained::start();
    drained.world.pool(A, |pool| {
        pool["spec"]["template"] =
            json!({"pod": {"metadata": {"annotations": {"large": "x".repeat(70_000)}}}});
    });
    for finalizers in [json!([]), json!(["foregroundDeletion"])] {
        if finalizers != json!([]) {
            drained.world.pool(A, |pool| {
                pool["metadata"]["finalizers"] = finalizers.clone();
                pool["metadata"]["deletionTimestamp"] = json!("2026-06-01T12:00:00Z");
            });
        }
        let plan = drained.pass();
        assert_eq!(owners(&plan, "StrimziPodSet", "my-a"), ["KafkaNodePool"]);
        let said = serde_json::to_string(&plan.status.pools["a"]).unwrap();
        assert!(said.contains("NodePoolTooLarge") && said.contains("more than 64 KiB"), "{said}");
    }
}

#[test]
fn volumes_of_nodes_that_left_long_ago_and_copies_of_claims_keep_nothing() {
    let mut drained = Drained::start();
    drained.pass();
    // A claim that was kept, of a node id that is free again; a copy of a claim; and a claim that is deleted, and waits for its last pod.
    let claims = &mut drained.world.observed.claims;
    let own = claims["data-0-my-a-0"].clone();
    let copy = |name: &str| {
        let mut claim = own.as_ref().clone();
        claim.metadata.name = Some(name.to_owned());
        claim
    };
    let mut kept = copy("data-0-my-a-1");
    kept.metadata.annotations = Some([("strimzi.io/delete-claim".to_owned(), "false".to_owned())].into());
    let mut goes = copy("data-0-my-a-7");
    goes.metadata.deletion_timestamp = serde_json::from_value(json!("2026-06-01T12:00:00Z")).unwrap();
    for claim in [kept, copy("restored-of-my-a-0-by-hand"), goes] {
        claims.insert(claim.metadata.name.clone().unwrap(), Arc::new(claim));
    }
    delete(&mut drained);
    for _ in 0..6 {
        drained.pass();
    }
    let observed = &drained.world.observed;
    assert!(!observed.pods.contains_key("my-a-0") && !observed.pod_sets.contains_key("my-a"));
}
