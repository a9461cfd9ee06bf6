//! What becomes of the eviction of a pod.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod};
use planner::evictions::certificate::{Upkeep, upkeep};
use planner::evictions::{KafkaPod, Machine, Owner, Verdict};
use serde_json::{Value, json};

fn now() -> Timestamp {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

/// A broker of this age on the machine `worker-1`.
fn broker(minutes: i64) -> Value {
    let made = now() - SignedDuration::from_mins(minutes);
    json!({
        "metadata": {"name": "c-dual-0", "namespace": "kafka", "uid": "u-1", "creationTimestamp": made.to_string(),
            "labels": {"strimzi.io/kind": "Kafka", "strimzi.io/cluster": "c", "strimzi.io/controller": "strimzipodset"},
            "ownerReferences": [{"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet", "name": "c-dual",
                "uid": "s-1", "controller": true}]},
        "spec": {"nodeName": "worker-1", "containers": []},
        "status": {"phase": "Running"},
    })
}

fn pod(value: &Value) -> Pod {
    serde_json::from_value(value.clone()).unwrap()
}

fn machine(spec: &Value, ready: &str) -> Machine {
    let node = json!({"metadata": {"name": "worker-1"}, "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": ready}]}});
    let node: Node = serde_json::from_value(node).unwrap();
    Machine::Found(Box::new(node))
}

fn well() -> Machine {
    machine(&json!({}), "True")
}

fn cordoned() -> Machine {
    machine(&json!({"unschedulable": true}), "True")
}

fn verdict(value: &Value, owner: &Owner, machine: &Machine) -> Verdict {
    let pod = pod(value);
    match KafkaPod::of(&pod, None) {
        None => Verdict::Allow,
        Some(found) => found.verdict(owner, machine, now()),
    }
}

#[track_caller]
fn rolls(value: &Value, machine: &Machine) {
    let verdict = verdict(value, &Owner::LookedAfter, machine);
    let Verdict::RollIt { mark: true, message } = verdict else { panic!("{verdict:?}") };
    for part in ["pod c-dual-0", "Kafka c ", "RollingUpdateWaits", "Try again"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn what_is_no_node_of_kafka_of_ours_is_for_kubernetes_to_decide() {
    let set = |pointer: &str, value: Value| {
        let mut pod = broker(60);
        *pod.pointer_mut(pointer).unwrap() = value;
        pod
    };
    let mut going = broker(60);
    going["metadata"]["deletionTimestamp"] = json!("2026-05-01T11:59:00Z");
    let table = [
        ("a worker", set("/metadata/labels/strimzi.io~1kind", json!("KafkaConnect"))),
        ("a mirror", set("/metadata/labels/strimzi.io~1kind", json!("KafkaMirrorMaker2"))),
        ("the entity operator", set("/metadata/labels/strimzi.io~1controller", Value::Null)),
        ("a pod with our labels that no pod set owns", set("/metadata/ownerReferences", json!([]))),
        ("an owner of another group", set("/metadata/ownerReferences/0/apiVersion", json!("example.org/v1"))),
        ("an owner that does not control it", set("/metadata/ownerReferences/0/controller", json!(false))),
        ("finished", set("/status/phase", json!("Succeeded"))),
        ("failed", set("/status/phase", json!("Failed"))),
        ("terminating", going),
    ];
    for (what, pod) in table {
        let pod: Value = without_nulls(pod);
        assert_eq!(verdict(&pod, &Owner::LookedAfter, &cordoned()), Verdict::Allow, "{what}");
    }
    // One whose Kafka resource another operator looks after, or nobody.
    assert_eq!(verdict(&broker(60), &Owner::NotOurs, &cordoned()), Verdict::Allow);
}

fn without_nulls(mut pod: Value) -> Value {
    pod["metadata"]["labels"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    pod
}

#[test]
fn an_eviction_for_another_pod_of_the_name_is_refused_by_kubernetes_itself() {
    let pod = pod(&broker(60));
    assert!(KafkaPod::of(&pod, Some("u-0")).is_none());
    let found = KafkaPod::of(&pod, Some("u-1")).unwrap();
    assert_eq!((found.cluster, found.uid, found.machine), ("c", "u-1", Some("worker-1")));
}

#[test]
fn a_node_of_kafka_that_has_to_leave_is_restarted_in_place_of_being_evicted() {
    let tainted = |effect: &str| {
        let taint = json!({"key": "ToBeDeletedByClusterAutoscaler", "value": "1", "effect": effect});
        machine(&json!({"taints": [taint]}), "True")
    };
    rolls(&broker(60), &well());
    // The age does not matter where the pod cannot stay.
    for minutes in [1, 60] {
        rolls(&broker(minutes), &cordoned());
        rolls(&broker(minutes), &machine(&json!({}), "False"));
        rolls(&broker(minutes), &machine(&json!({}), "Unknown"));
        rolls(&broker(minutes), &Machine::Gone);
        rolls(&broker(minutes), &tainted("NoSchedule"));
        rolls(&broker(minutes), &tainted("NoExecute"));
    }
    let moved = verdict(&broker(1), &Owner::LookedAfter, &tainted("PreferNoSchedule"));
    assert!(matches!(moved, Verdict::MovedAlready(_)), "{moved:?}");
    let mut marked = broker(60);
    marked["metadata"]["annotations"] = json!({"strimzi.io/manual-rolling-update": "true"});
    let again = verdict(&marked, &Owner::LookedAfter, &cordoned());
    assert!(matches!(again, Verdict::RollIt { mark: false, .. }), "{again:?}");
}

#[test]
fn the_successor_on_a_machine_that_takes_pods_is_not_restarted_again() {
    for minutes in [-3, 0, 9] {
        let verdict = verdict(&broker(minutes), &Owner::LookedAfter, &well());
        let Verdict::MovedAlready(message) = verdict else { panic!("{minutes}: {verdict:?}") };
        for part in ["c-dual-0", "worker-1", "10 minutes", "cordon"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    rolls(&broker(10), &well());
    let mut unscheduled = broker(60);
    unscheduled["spec"].as_object_mut().unwrap().remove("nodeName");
    let waits = verdict(&unscheduled, &Owner::LookedAfter, &Machine::None);
    assert!(matches!(&waits, Verdict::MovedAlready(message) if message.contains("no node yet")), "{waits:?}");
}

/// It would be restarted again and again, and come back each time.
#[test]
fn a_pod_that_tolerates_the_cordon_is_restarted_once_and_says_why_that_does_not_help() {
    let tolerating = |minutes: i64, toleration: Value| {
        let mut pod = broker(minutes);
        pod["spec"]["tolerations"] = json!([toleration]);
        pod
    };
    let all = json!({"operator": "Exists"});
    let one =
        json!({"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"});
    for toleration in [all.clone(), one] {
        rolls(&tolerating(60, toleration.clone()), &cordoned());
        let again = verdict(&tolerating(2, toleration), &Owner::LookedAfter, &cordoned());
        let Verdict::NotNow(message) = again else { panic!("{again:?}") };
        assert!(
            message.contains("worker-1") && message.contains("node.kubernetes.io/unschedulable"),
            "{message}"
        );
    }
    let dedicated =
        machine(&json!({"taints": [{"key": "dedicated", "value": "kafka", "effect": "NoSchedule"}]}), "True");
    for tolerated in [
        all,
        json!({"key": "dedicated", "value": "kafka"}),
        json!({"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}),
    ] {
        let moved = verdict(&tolerating(2, tolerated), &Owner::LookedAfter, &dedicated);
        assert!(matches!(moved, Verdict::MovedAlready(_)), "{moved:?}");
    }
    for other in [
        json!({"key": "dedicated", "value": "zookeeper"}),
        json!({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}),
        json!({"key": "dedicated", "operator": "Gt", "value": "1"}),
    ] {
        rolls(&tolerating(2, other), &dedicated);
    }
}

#[test]
fn what_is_not_known_or_not_to_be_done_now_is_said_and_not_done() {
    let table = [
        (Owner::Paused, cordoned(), ["strimzi.io/pause-reconciliation", "kafkas.kafka.strimzi.io c"]),
        (Owner::Unknown("no answer".to_owned()), cordoned(), ["Kafka c cannot be read", "no answer"]),
        (
            Owner::LookedAfter,
            Machine::Unknown("may not get nodes".to_owned()),
            ["worker-1", "may not get nodes"],
        ),
    ];
    for (owner, machine, parts) in table {
        let verdict = verdict(&broker(60), &owner, &machine);
        let Verdict::NotNow(message) = verdict else { panic!("{owner:?}: {verdict:?}") };
        for part in parts {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}

#[test]
fn the_certificate_is_renewed_when_a_third_of_its_life_is_left() {
    let authority = |name: &str| {
        let request = issuer::AuthorityRequest {
            common_name: name.to_owned(),
            organization: "io.strimzi".to_owned(),
            validity_days: 300,
            algorithm: issuer::KeyAlgorithm::EcdsaP256,
        };
        issuer::Authority::generate(&request, now()).unwrap()
    };
    let (signing, other) = (authority("a"), authority("a"));
    let request = issuer::LeafRequest {
        common_name: "evictions".to_owned(),
        dns_names: ["evictions.kafka.svc".to_owned()].into(),
        validity_days: 300,
        ..issuer::LeafRequest::default()
    };
    let leaf = signing.issue(&request, now()).unwrap();
    let bundle = other.certificate().followed_by(signing.certificate());
    let after = |days: i64| now() + SignedDuration::from_hours(days * 24);
    let at =
        |days: i64| upkeep(leaf.certificate.as_str(), bundle.as_str(), "evictions.kafka.svc", after(days));
    assert_eq!(
        [at(0), at(199), at(201), at(400)],
        [Upkeep::Keep, Upkeep::Keep, Upkeep::Renew, Upkeep::Renew]
    );
    let broken = [
        (leaf.certificate.as_str(), other.certificate().as_str(), "evictions.kafka.svc"),
        (leaf.certificate.as_str(), "", "evictions.kafka.svc"),
        (leaf.certificate.as_str(), bundle.as_str(), "evictions.other.svc"),
        ("", bundle.as_str(), "evictions.kafka.svc"),
        ("nothing", bundle.as_str(), "evictions.kafka.svc"),
    ];
    for (certificate, authorities, host) in broken {
        assert_eq!(upkeep(certificate, authorities, host, now()), Upkeep::Replace, "{host}");
    }
}
