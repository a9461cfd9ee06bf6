//! Pods and volumes whose Kubernetes node is away: they are told of with what to do, and one annotation has the claims made anew where
//! that loses nothing.

use std::sync::Arc;

use crate::common::{World, condition, warning_with};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use planner::kafka::kubernetes_node_state::KubernetesNode;
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use planner::kafka::roll_view::{RollKafka, RollPartition};
use planner::silence::{Silence, SilenceKind};
use serde_json::json;

const POD: &str = "my-dual-1";
const CLAIM: &str = "data-0-my-dual-1";
const MACHINE: &str = "worker-7";

/// A settled cluster of three nodes with a claim each.
fn settled() -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.pool(0, |pool| {
        let volume = json!({"id": 0, "type": "persistent-claim", "size": "1Gi"});
        pool["spec"]["storage"] = json!({"type": "jbod", "volumes": [volume]});
    });
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"] = json!({}));
    world.settle();
    let plan = world.plan();
    world.apply(&plan);
    for (name, claim) in &mut world.observed.claims {
        let claim = Arc::make_mut(claim);
        claim.metadata.uid = Some(format!("uid-of-{name}"));
        let all = claim.metadata.annotations.get_or_insert_default();
        all.insert("volume.kubernetes.io/selected-node".to_owned(), MACHINE.to_owned());
    }
    world.roll = Some(copies(&world, &[0, 1, 2], &[0, 2]));
    world
}

fn copies(world: &World, replicas: &[i32], isr: &[i32]) -> RollKafka {
    let partition = RollPartition {
        name: "orders-0".to_owned(),
        replicas: replicas.to_vec(),
        leader: isr.first().copied(),
        isr: isr.to_vec(),
        min_isr: 1,
        ..RollPartition::default()
    };
    world.all_is_well(vec![partition])
}

fn pod(world: &mut World) -> &mut Pod {
    Arc::make_mut(world.observed.pods.get_mut(POD).unwrap())
}

/// The kubelet is silent, so that Kubernetes deleted the pod, which should have gone so long ago.
fn goes(minutes: i64) -> World {
    let mut world = settled();
    let since = world.now - SignedDuration::from_mins(minutes);
    let pod = pod(&mut world);
    pod.metadata.deletion_timestamp = Some(Time(since));
    pod.spec.as_mut().unwrap().node_name = Some(MACHINE.to_owned());
    world
}

/// The pod was made anew, and no Kubernetes node can mount its volume.
fn pending() -> World {
    let mut world = settled();
    let message = "0/3 nodes are available: 3 node(s) had volume node affinity conflict.";
    let status = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": message, "lastTransitionTime": world.now.to_string()}]});
    let pod = pod(&mut world);
    pod.status = Some(serde_json::from_value(status).unwrap());
    pod.spec.as_mut().unwrap().node_name = None;
    world
}

fn ask(world: &mut World) {
    let all = pod(world).metadata.annotations.get_or_insert_default();
    all.insert("strimzi.io/delete-pod-and-pvc".to_owned(), "true".to_owned());
}

fn knows(world: &mut World, how: KubernetesNode) {
    world.kubernetes_nodes.insert(MACHINE.to_owned(), how);
}

fn deleted_claims(plan: &Plan) -> Vec<&str> {
    plan.roll.claims.values().flatten().map(|(name, _)| name.as_str()).collect()
}

fn is_asked(world: &World) -> bool {
    world.asked.iter().any(|need| matches!(need, Need::KubernetesNodes(_)))
}

#[test]
fn a_pod_on_a_node_that_does_not_answer_is_told_of_with_what_to_do() {
    let mut world = goes(1);
    world.plan();
    assert!(!is_asked(&world), "a pod that stops says nothing of its node");
    for (how, says) in [
        (KubernetesNode::Unreachable, "delete the Node worker-7"),
        (KubernetesNode::Gone, "is gone"),
        (KubernetesNode::OutOfService, "is out of service"),
    ] {
        let mut world = goes(10);
        knows(&mut world, how);
        let plan = world.plan();
        let said = warning_with(&plan, "LostNode").unwrap();
        for part in [POD, MACHINE, CLAIM, "strimzi.io/delete-pod-and-pvc: \"true\"", says] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert!(condition(&plan, "NotReady").is_some() && plan.roll.now.is_empty());
        assert!(warning_with(&plan, "PodNotReady").is_none());
    }
    // The operator may not know, or the node is there: nothing is said of it.
    for how in [None, Some(KubernetesNode::Present)] {
        let mut world = goes(10);
        world.kubernetes_nodes.extend(how.map(|how| (MACHINE.to_owned(), how)));
        let plan = world.plan();
        assert!(is_asked(&world) && warning_with(&plan, "LostNode").is_none());
        assert!(warning_with(&plan, "PodNotReady").unwrap().contains("may be away"));
    }
}

#[test]
fn a_pod_whose_kubelet_fell_silent_is_told_of_before_kubernetes_deletes_it() {
    let mut world = settled();
    let ready = json!({"name": "kafka", "ready": true, "restartCount": 0, "image": "", "imageID": "",
        "state": {"running": {}}});
    let status = json!({"phase": "Running", "containerStatuses": [ready],
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": world.now.to_string()}]});
    pod(&mut world).status = Some(serde_json::from_value(status).unwrap());
    pod(&mut world).spec.as_mut().unwrap().node_name = Some(MACHINE.to_owned());
    assert!(warning_with(&world.plan(), "LostNode").is_none(), "it may not know");
    knows(&mut world, KubernetesNode::Unreachable);
    let said = warning_with(&world.plan(), "LostNode").unwrap();
    assert!(said.contains(POD) && said.contains("delete the Node worker-7"), "{said}");
    // The node comes back.
    knows(&mut world, KubernetesNode::Present);
    assert!(warning_with(&world.plan(), "LostNode").is_none());
}

#[test]
fn the_claims_of_a_pod_that_does_not_go_are_deleted_when_a_user_asks_and_nothing_is_lost() {
    let mut world = goes(10);
    knows(&mut world, KubernetesNode::Unreachable);
    ask(&mut world);
    let plan = world.plan();
    assert_eq!((plan.roll.now.as_slice(), deleted_claims(&plan)), (&[POD.to_owned()][..], vec![CLAIM]));
    assert!(!warning_with(&plan, "LostNode").unwrap().contains("write the annotation"));

    // Kubernetes keeps them until the pod is gone: nothing is deleted twice, also when a cache has not heard of the claims.
    let claim = Arc::make_mut(world.observed.claims.get_mut(CLAIM).unwrap());
    claim.metadata.deletion_timestamp = Some(Time(world.now));
    let plan = world.plan();
    assert!(plan.roll.now.is_empty() && plan.roll.wanted.is_empty(), "{:?}", plan.roll);
    let mut forgetful = world.clone();
    forgetful.observed.claims.remove(CLAIM);
    assert!(forgetful.plan().roll.now.is_empty());

    // The pod is gone, or its node came back and let it go: both are made anew.
    world.observed.claims.remove(CLAIM);
    world.restart(POD);
    let plan = world.plan();
    let made = plan.apply.iter().find(|write| write.reference.name == CLAIM).unwrap();
    assert!(made.is_change());
    world.apply(&plan);
    assert!(world.plan().roll.wanted.is_empty());
}

#[test]
fn the_claims_of_a_pod_that_does_not_go_stay_while_they_may_have_the_last_copy() {
    for isr in [&[1][..], &[]] {
        let mut world = goes(10);
        ask(&mut world);
        world.roll = Some(copies(&world, &[0, 1], isr));
        if isr.is_empty() {
            let Ok(brokers) = &mut world.roll.as_mut().unwrap().brokers else { panic!() };
            brokers.partitions[0].last_known = vec![1];
        }
        let plan = world.plan();
        assert!(deleted_claims(&plan).is_empty() && plan.roll.now.is_empty());
        let said = warning_with(&plan, "RollingUpdateWaits").unwrap();
        assert!(said.contains("orders-0") && said.contains(POD), "{said}");
    }
    let mut world = goes(10);
    ask(&mut world);
    world.roll = Some(RollKafka::silent(&Silence::new(SilenceKind::Unreachable, "no answer")));
    assert!(deleted_claims(&world.plan()).is_empty(), "Kafka does not say");
}

#[test]
fn claims_that_must_stay_keep_no_other_pod_from_its_restart() {
    let mut world = goes(10);
    ask(&mut world);
    world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!(false));
    let plan = world.plan();
    world.apply(&plan);
    let mut roll = copies(&world, &[1], &[]);
    if let Ok(brokers) = &mut roll.brokers {
        brokers.partitions[0].last_known = vec![1];
        brokers.partitions[0].eligible = vec![1];
    }
    world.roll = Some(roll);
    let plan = world.plan();
    assert!(deleted_claims(&plan).is_empty());
    assert_eq!(plan.roll.now.len(), 1, "{:?}", plan.roll.waits);
    assert_ne!(plan.roll.now[0], POD);
}

#[test]
fn a_volume_on_a_node_that_is_gone_is_told_of_and_repaired() {
    for how in [None, Some(KubernetesNode::Gone)] {
        let mut world = pending();
        world.kubernetes_nodes.extend(how.map(|how| (MACHINE.to_owned(), how)));
        let plan = world.plan();
        let said = warning_with(&plan, "LostVolume").unwrap();
        for part in [POD, MACHINE, CLAIM, "strimzi.io/delete-pod-and-pvc: \"true\"", "volume node affinity"] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert_eq!(said.contains("which is gone"), how.is_some(), "{said}");
        assert!(plan.roll.now.is_empty(), "nobody asks for it");
        ask(&mut world);
        let plan = world.plan();
        assert_eq!((plan.roll.now.as_slice(), deleted_claims(&plan)), (&[POD.to_owned()][..], vec![CLAIM]));
        world.roll = Some(copies(&world, &[0, 1], &[1]));
        let plan = world.plan();
        assert!(deleted_claims(&plan).is_empty() && plan.roll.now.is_empty());
    }
    // The node is there, and was cordoned, say.
    let mut world = pending();
    knows(&mut world, KubernetesNode::Present);
    let plan = world.plan();
    assert!(warning_with(&plan, "LostVolume").is_none());
    assert!(warning_with(&plan, "PodNotReady").unwrap().contains("volume node affinity"));
}

#[test]
fn a_disk_that_failed_is_told_of_and_repaired() {
    let crashed = |words: &str| {
        let mut world = settled();
        let ended = json!({"name": "kafka", "ready": false, "restartCount": 4, "image": "", "imageID": "",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "message": words}}});
        let status = json!({"phase": "Running", "containerStatuses": [ended],
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": world.now.to_string()}]});
        pod(&mut world).status = Some(serde_json::from_value(status).unwrap());
        world
    };
    let words = "kafka ended by itself with exit code 1; log directory /var/lib/kafka/data-0/kafka-log1 cannot be \
                 written: Read-only file system (os error 30); the end of the pod's log says more";
    let mut world = crashed(words);
    let plan = world.plan();
    let said = warning_with(&plan, "LostVolume").unwrap();
    for part in [POD, CLAIM, "Read-only file system", "strimzi.io/delete-pod-and-pvc: \"true\""] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(plan.roll.now.is_empty(), "nobody asks for it");
    ask(&mut world);
    let plan = world.plan();
    assert_eq!((plan.roll.now.as_slice(), deleted_claims(&plan)), (&[POD.to_owned()][..], vec![CLAIM]));
    // Another end, another directory.
    for words in ["kafka ended by itself with exit code 1", "cannot write /tmp/x: Read-only file system"] {
        assert!(warning_with(&crashed(words).plan(), "LostVolume").is_none());
    }
}

#[test]
fn a_node_is_what_its_taints_say() {
    let tainted = |keys: &[&str]| -> Node {
        let taints: Vec<_> = keys.iter().map(|key| json!({"key": key, "effect": "NoExecute"})).collect();
        serde_json::from_value(json!({"metadata": {"name": MACHINE}, "spec": {"taints": taints}})).unwrap()
    };
    let (silent, off) = ("node.kubernetes.io/unreachable", "node.kubernetes.io/out-of-service");
    assert_eq!(KubernetesNode::of(None), KubernetesNode::Gone);
    for (keys, how) in [
        (&[][..], KubernetesNode::Present),
        (&["node.kubernetes.io/unschedulable"], KubernetesNode::Present),
        (&[silent], KubernetesNode::Unreachable),
        (&[silent, off], KubernetesNode::OutOfService),
    ] {
        assert_eq!(KubernetesNode::of(Some(&tainted(keys))), how);
    }
}
