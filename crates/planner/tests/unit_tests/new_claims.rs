//! A pod that is to be made anew with its claims goes only where nothing is lost that is nowhere else.

use std::sync::Arc;

use crate::common::{World, object, warning_with};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use planner::kafka::plan::Plan;
use planner::kafka::roll_view::{RollKafka, RollPartition};
use planner::silence::{Silence, SilenceKind};
use serde_json::json;

const POD: &str = "my-dual-1";

/// A settled cluster of so many nodes with two claims each, with an annotation on one pod.
fn asked(nodes: usize) -> World {
    let mut world = settled(nodes);
    let pod = if nodes == 1 { "my-dual-0" } else { POD };
    let pod = Arc::make_mut(world.observed.pods.get_mut(pod).unwrap());
    let all = pod.metadata.annotations.as_mut().unwrap();
    all.insert("strimzi.io/delete-pod-and-pvc".to_owned(), "true".to_owned());
    world
}

fn settled(nodes: usize) -> World {
    let mut world = World::load("dual-role.input.yaml");
    let volume = |id: i32| json!({"id": id, "type": "persistent-claim", "size": "1Gi"});
    world.pool(0, |pool| {
        pool["spec"]["replicas"] = json!(nodes);
        pool["spec"]["storage"] = json!({"type": "jbod", "volumes": [volume(0), volume(1)]});
    });
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"] = json!({}));
    world.settle();
    for (name, claim) in &mut world.observed.claims {
        Arc::make_mut(claim).metadata.uid = Some(format!("uid-of-{name}"));
    }
    world
}

fn partition(replicas: &[i32], isr: &[i32]) -> RollPartition {
    RollPartition {
        name: "orders-0".to_owned(),
        replicas: replicas.to_vec(),
        leader: isr.first().copied(),
        isr: isr.to_vec(),
        min_isr: 1,
        ..RollPartition::default()
    }
}

/// What the restart waits for, with what is deleted.
fn held(world: &mut World) -> String {
    let plan = world.plan();
    assert!(plan.roll.now.is_empty() && plan.roll.claims.is_empty(), "{:?}", plan.roll);
    assert!(plan.delete.is_empty(), "{:?}", plan.delete);
    warning_with(&plan, "RollingUpdateWaits").unwrap_or_else(|| panic!("{:?}", plan.roll))
}

fn claims(plan: &Plan) -> Vec<(String, Option<String>)> {
    plan.roll.claims.values().flatten().map(|(name, uid)| (name.clone(), uid.clone())).collect()
}

#[test]
fn the_pod_goes_with_its_claims_and_both_are_made_anew() {
    let mut world = asked(3);
    world.roll = Some(world.all_is_well(vec![partition(&[0, 1, 2], &[0, 1, 2])]));
    let plan = world.plan();
    assert_eq!(plan.roll.now, [POD]);
    let uid = |name: &str| (name.to_owned(), Some(format!("uid-of-{name}")));
    assert_eq!(claims(&plan), [uid("data-0-my-dual-1"), uid("data-1-my-dual-1")]);
    assert_eq!(plan.events[0].reason, "ManualRollingUpdate");
    assert!(plan.events[0].text.contains("claims"), "{:?}", plan.events);

    // Kubernetes lets the claims go when the pod is gone.
    world.observed.claims.retain(|name, _| !name.ends_with(POD));
    world.restart(POD);
    let plan = world.plan();
    for name in ["data-0-my-dual-1", "data-1-my-dual-1"] {
        let write = plan.apply.iter().find(|write| write.reference.name == name).unwrap();
        assert!(write.is_change(), "{name} is made");
        assert_eq!(
            object(&plan, "PersistentVolumeClaim", name)["spec"]["resources"]["requests"]["storage"],
            "1Gi"
        );
    }
    world.apply(&plan);
    assert!(world.plan().roll.wanted.is_empty(), "it was asked for once");
}

#[test]
fn copies_that_are_nowhere_else_hold_it_up() {
    // The other replica is out of sync; there is no other replica; the broker is not ready.
    for (replicas, isr) in [(&[1, 2][..], &[1][..]), (&[1], &[1])] {
        let mut world = asked(3);
        world.roll = Some(world.all_is_well(vec![partition(replicas, isr)]));
        let why = held(&mut world);
        assert!(why.contains("orders-0") && why.contains("would destroy"), "{why}");
    }
    // Another restart of the pod loses nothing.
    let mut world = settled(3);
    world.roll = Some(world.all_is_well(vec![partition(&[1], &[1])]));
    let pod = Arc::make_mut(world.observed.pods.get_mut(POD).unwrap());
    let all = pod.metadata.annotations.as_mut().unwrap();
    all.insert("strimzi.io/manual-rolling-update".to_owned(), "true".to_owned());
    let plan = world.plan();
    assert_eq!((plan.roll.now.as_slice(), claims(&plan).len()), (&[POD.to_owned()][..], 0));
}

#[test]
fn a_pod_that_never_became_ready_may_have_records_on_its_claims() {
    let mut world = asked(3);
    world.roll = Some(world.all_is_well(vec![partition(&[1, 2], &[1])]));
    let crashed = json!({"name": "kafka", "ready": false, "restartCount": 4, "image": "", "imageID": "",
        "state": {"waiting": {"reason": "CrashLoopBackOff"}}});
    let status = json!({"phase": "Running", "containerStatuses": [crashed],
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": world.now.to_string()}]});
    let pod = Arc::make_mut(world.observed.pods.get_mut(POD).unwrap());
    pod.status = Some(serde_json::from_value(status).unwrap());
    assert!(held(&mut world).contains("orders-0"));
    // With copies elsewhere it goes, broken as it is.
    world.roll = Some(world.all_is_well(vec![partition(&[1, 2], &[2])]));
    assert_eq!(world.plan().roll.now, [POD]);
}

#[test]
fn a_quorum_that_would_not_outlive_it_holds_it_up() {
    for nodes in [1, 2] {
        let mut world = asked(nodes);
        world.roll = Some(world.all_is_well(Vec::new()));
        let why = held(&mut world);
        assert!(why.contains("quorum"), "{why}");
    }
}

#[test]
fn nothing_goes_while_nobody_tells_what_would_be_lost() {
    for nodes in [1, 3] {
        let mut world = asked(nodes);
        let silence = Silence::new(SilenceKind::Unreachable, "no answer");
        world.roll = Some(RollKafka::silent(&silence));
        assert!(held(&mut world).contains("not known"));
    }
}

#[test]
fn a_claim_that_a_user_deleted_is_kept_from_a_roll_as_long_as_its_pod_runs() {
    let mut world = settled(3);
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"] = json!({"auto.create.topics.enable": false}));
    let terminates = |world: &mut World| {
        let claim = Arc::make_mut(world.observed.claims.get_mut("data-0-my-dual-1").unwrap());
        claim.metadata.deletion_timestamp = Some(Time(world.now));
    };
    terminates(&mut world);
    world.roll = Some(world.all_is_well(vec![partition(&[1], &[1])]));
    let mut gone = Vec::new();
    for _ in 0..2 {
        let plan = world.plan();
        world.apply(&plan);
        terminates(&mut world);
        gone.extend(plan.roll.now.clone());
        world.restart(&plan.roll.now[0]);
    }
    assert_eq!(gone, ["my-dual-2", "my-dual-0"]);
    assert!(held(&mut world).contains("would destroy"));
}
