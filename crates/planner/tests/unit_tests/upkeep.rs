//! Certificates of a cluster whose resource is wrong: they must not run out while somebody looks for the mistake.

use std::collections::BTreeSet;

use crate::common::at_work::sha256;
use crate::common::{World, condition, warning_with};
use api::agent::{CertificatesInUse, container};
use jiff::SignedDuration;
use pki::{CertificateInfo, CertificatePem};
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

/// A settled cluster whose certificates end in 40 days; new ones would be valid for a year.
fn aging(change: impl FnOnce(&mut Value)) -> World {
    let mut world = World::load("dual-role.input.yaml");
    let days = |kafka: &mut Value, days: i32| {
        kafka["spec"]["clusterCa"] = json!({"validityDays": days, "renewalDays": 30});
    };
    world.kafka(|kafka| {
        days(kafka, 40);
        kafka["spec"]["clientsCa"] = kafka["spec"]["clusterCa"].clone();
        change(kafka);
    });
    world.settle();
    let settled = world.plan();
    world.apply(&settled);
    world.kafka(|kafka| {
        days(kafka, 365);
        kafka["spec"]["clientsCa"] = kafka["spec"]["clusterCa"].clone();
    });
    world
}

fn leaf(world: &World, secret: &str, key: &str) -> CertificateInfo {
    let data = world.observed.secrets[secret].data.as_ref().unwrap();
    let pem = String::from_utf8(data[key].0.clone()).unwrap();
    pki::parse_certificates(&CertificatePem::new(pem.as_str())).unwrap().remove(0)
}

fn written(plan: &Plan) -> BTreeSet<String> {
    plan.apply.iter().map(|object| format!("{} {}", object.reference.kind, object.reference.name)).collect()
}

#[test]
fn certificates_are_renewed_whatever_is_wrong() {
    type Mistake = fn(&mut Value);
    let mistakes: [(&str, Mistake); 4] = [
        ("spec.kafka.version", |kafka| kafka["spec"]["kafka"]["version"] = json!("9.9.9")),
        ("spec.kafka.listeners[1].port", |kafka| {
            kafka["spec"]["kafka"]["listeners"][1]["port"] = json!(9092);
        }),
        ("spec.kafka.config.process.roles", |kafka| {
            kafka["spec"]["kafka"]["config"]["process.roles"] = json!("broker");
        }),
        ("spec.maintenanceTimeWindows", |kafka| {
            kafka["spec"]["maintenanceTimeWindows"] = json!(["when it suits"]);
        }),
    ];
    for (field, mistake) in mistakes {
        let mut world = aging(|_| {});
        world.kafka(mistake);
        assert_eq!(written(&world.plan()), BTreeSet::new(), "{field}: nothing is due yet");

        world.now += SignedDuration::from_hours(24 * 15);
        let before = leaf(&world, "my-dual-0", "my-dual-0.crt");
        let key = world.observed.secrets["my-cluster-ca"].data.clone();
        let plan = world.plan();
        let message = condition(&plan, "NotReady").unwrap()["message"].clone();
        let message = message.as_str().unwrap();
        assert!(message.contains(field), "{message}");
        let expected = [
            "my-clients-ca-cert",
            "my-cluster-ca-cert",
            "my-cluster-operator-certs",
            "my-dual-0",
            "my-dual-1",
            "my-dual-2",
            "my-entity-topic-operator-certs",
            "my-entity-user-operator-certs",
            "my-trustbundle",
        ];
        assert_eq!(written(&plan), expected.map(|name| format!("Secret {name}")).into(), "{field}");
        assert!(plan.roll.wanted.is_empty() && plan.delete.is_empty() && plan.calls.is_empty());

        world.apply(&plan);
        let after = leaf(&world, "my-dual-0", "my-dual-0.crt");
        assert!(after.not_after > before.not_after);
        assert_eq!(
            (&after.dns_names, &after.ip_addresses, &after.subject),
            (&before.dns_names, &before.ip_addresses, &before.subject)
        );
        assert_eq!(world.observed.secrets["my-cluster-ca"].data, key, "the key is the same");
        assert_eq!(written(&world.plan()), BTreeSet::new(), "{field}: once is enough");
    }
}

#[test]
fn the_corrected_cluster_takes_the_new_certificates_up() {
    let mut world = aging(|_| {});
    let good = world.observed.kafka.clone();
    world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("9.9.9"));
    world.now += SignedDuration::from_hours(24 * 15);
    let plan = world.plan();
    world.apply(&plan);
    let renewed = leaf(&world, "my-dual-0", "my-dual-0.crt");
    world.observed.kafka = good;
    let plan = world.plan();
    assert_eq!(plan.roll.wanted.len(), 3, "{:?}", plan.roll.wanted);
    world.apply(&plan);
    assert_eq!(leaf(&world, "my-dual-0", "my-dual-0.crt"), renewed, "nothing is made twice");
}

#[test]
fn what_lies_beside_a_certificate_stays() {
    let listener = |name: &str| json!({"brokerCertChainAndKey": {"secretName": name, "certificate": "tls.crt", "key": "tls.key"}});
    let mut world = aging(|_| {});
    // The listener's own certificate is what a cluster authority made; that it fits is all that matters.
    let own = world.observed.secrets["my-dual-0"].data.clone().unwrap();
    let mut mine = (*world.observed.secrets["my-dual-0"]).clone();
    mine.metadata = serde_json::from_value(json!({"name": "mine"})).unwrap();
    mine.data = Some(
        [("tls.crt", "my-dual-0.crt"), ("tls.key", "my-dual-0.key")]
            .map(|(to, from)| (to.to_owned(), own[from].clone()))
            .into(),
    );
    world.observed.secrets.insert("mine".to_owned(), mine.into());
    world.kafka(|kafka| kafka["spec"]["kafka"]["listeners"][1]["configuration"] = listener("mine"));
    let plan = world.plan();
    world.apply(&plan);
    let keys = |world: &World| -> Vec<String> {
        world.observed.secrets["my-dual-0"].data.as_ref().unwrap().keys().cloned().collect()
    };
    let before = keys(&world);
    assert!(before.len() > 2, "{before:?}");

    world.observed.secrets.remove("mine");
    world.now += SignedDuration::from_hours(24 * 15);
    let plan = world.plan();
    assert!(condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().contains("secretName"));
    assert!(written(&plan).contains("Secret my-dual-0"));
    world.apply(&plan);
    assert_eq!(keys(&world), before);
}

#[test]
fn a_new_key_waits_for_the_correction() {
    let mut world = aging(|_| {});
    world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("9.9.9"));
    world.annotate_secret("my-cluster-ca", "strimzi.io/force-replace", "true");
    world.annotate_secret("my-clients-ca-cert", "strimzi.io/force-renew", "true");
    assert_eq!(written(&world.plan()), BTreeSet::new());
}

#[test]
fn nothing_is_made_for_a_cluster_that_never_was() {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("9.9.9"));
    assert_eq!(written(&world.plan()), BTreeSet::new());
}

#[test]
fn certificates_are_renewed_while_objects_of_the_cluster_cannot_be_read() {
    type Loss = fn(&mut World);
    let losses: [(&str, Loss); 5] = [
        ("Pod", |world| drop(world.observed.pods.remove("my-dual-1"))),
        ("StrimziPodSet", |world| world.observed.pod_sets.clear()),
        ("KafkaNodePool", |world| world.observed.pools.clear()),
        ("pools, sets and pods", |world| {
            world.observed.pools.clear();
            world.observed.pod_sets.clear();
            world.observed.pods.clear();
        }),
        ("ConfigMap", |world| drop(world.observed.config_maps.remove("my-dual-0"))),
    ];
    for (what, lose) in losses {
        let mut world = aging(|_| {});
        world.now += SignedDuration::from_hours(24 * 15);
        let before = leaf(&world, "my-dual-1", "my-dual-1.crt").not_after;
        world.observed.incomplete = Some(format!("{what} cannot be read"));
        lose(&mut world);
        let mut written = BTreeSet::new();
        // The authorities first, and what they sign with the next passes.
        for _ in 0..4 {
            let plan = world.plan();
            for object in &plan.apply {
                assert_eq!(object.reference.kind, "Secret", "{what}: nothing else is decided");
                written.insert(object.reference.name.clone());
            }
            assert!(plan.delete.is_empty() && plan.roll.wanted.is_empty() && plan.calls.is_empty(), "{what}");
            let message = condition(&plan, "NotReady").unwrap()["message"].to_string();
            assert!(message.contains("cannot be read"), "{what}: {message}");
            world.apply(&plan);
        }
        for secret in [
            "my-cluster-ca-cert",
            "my-clients-ca-cert",
            "my-dual-0",
            "my-dual-1",
            "my-cluster-operator-certs",
        ] {
            assert!(written.contains(secret), "{what}: {secret} is not renewed: {written:?}");
        }
        let after = leaf(&world, "my-dual-1", "my-dual-1.crt");
        assert!(after.not_after > before, "{what}");
        assert!(after.dns_names.contains("my-dual-1.my-kafka-brokers.s1.svc"), "{what}: under its names");
        assert!(world.plan().apply.is_empty(), "{what}: and that was all");
    }
}

#[test]
fn while_a_pod_cannot_be_read_nothing_is_signed_by_an_authority_that_it_may_not_trust() {
    let mut world = aging(|_| {});
    world.observed.secrets.remove("my-cluster-ca");
    let spreading = world.plan();
    world.apply(&spreading);
    world.now += SignedDuration::from_hours(24 * 15);
    let before = leaf(&world, "my-dual-1", "my-dual-1.crt").not_after;
    world.observed.pods.clear();
    world.observed.incomplete = Some("Pod my-dual-0 cannot be read".to_owned());
    for _ in 0..3 {
        let plan = world.plan();
        world.apply(&plan);
    }
    assert_eq!(leaf(&world, "my-dual-1", "my-dual-1.crt").not_after, before);
}

/// Fifteen days later, when what is to be renewed is renewed in the Secrets.
fn renewed(world: &mut World) -> Plan {
    world.now += SignedDuration::from_hours(24 * 15);
    let mut plan = world.plan();
    for _ in 0..3 {
        world.apply(&plan);
        plan = world.plan();
    }
    plan
}

#[test]
fn a_certificate_that_ends_in_a_pod_is_named_also_where_the_restart_waits_for_nothing_and_never_comes() {
    let mut world = aging(|_| {});
    let plan = renewed(&mut world);
    assert_eq!(plan.roll.now.len(), 1, "one goes, and pass after pass fails before that");
    assert_eq!(warning_with(&plan, "CertificateEnds"), None, "25 days are left");
    world.now += SignedDuration::from_hours(24 * 16);
    let plan = world.plan();
    assert_eq!(plan.roll.now.len(), 1);
    let message = warning_with(&plan, "CertificateEnds").unwrap();
    assert!(message.contains("my-dual-0.crt") && message.contains("my-dual-2.crt"), "{message}");
}

#[test]
fn a_node_that_took_its_new_certificate_up_while_the_resource_is_refused_is_not_named() {
    let mut world = aging(|_| {});
    world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("9.9.9"));
    renewed(&mut world);
    world.now += SignedDuration::from_hours(24 * 16);
    for (pod, content) in [("my-dual-1", "present"), ("my-dual-2", "former")] {
        let mut in_use = CertificatesInUse::default();
        let file = format!("{}/{pod}.crt", container::NODE_CERTIFICATES);
        let data = world.observed.secrets[pod].data.as_ref().unwrap();
        let text = std::str::from_utf8(&data[&format!("{pod}.crt")].0).unwrap();
        let hash = if content == "present" { sha256(text) } else { "0a".repeat(32) };
        in_use.files.insert(file, hash);
        world.in_use.insert(pod.to_owned(), in_use);
    }
    let message = warning_with(&world.plan(), "CertificateEnds").unwrap();
    assert!(message.contains("my-dual-0.crt") && message.contains("my-dual-2.crt"), "{message}");
    assert!(!message.contains("my-dual-1"), "it shows the new one: {message}");
}

#[test]
fn a_certificate_that_ends_in_a_pod_while_the_restart_waits_is_named() {
    for refused in [false, true] {
        let mut world = aging(|_| {});
        let ends = leaf(&world, "my-dual-1", "my-dual-1.crt").not_after;
        if refused {
            world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("9.9.9"));
        } else {
            world.refused_pods.insert("my-dual-0".to_owned(), "no room".to_owned());
            world.refused_pods.insert("my-dual-1".to_owned(), "no room".to_owned());
            world.refused_pods.insert("my-dual-2".to_owned(), "no room".to_owned());
        }
        let plan = renewed(&mut world);
        assert!(refused || !plan.roll.wanted.is_empty() && plan.roll.now.is_empty());
        assert!(leaf(&world, "my-dual-1", "my-dual-1.crt").not_after > ends, "the Secret has another one");
        assert_eq!(warning_with(&plan, "CertificateEnds"), None, "25 days are left");
        world.now += SignedDuration::from_hours(24 * 16);
        let message = warning_with(&world.plan(), "CertificateEnds").unwrap();
        for word in ["my-dual-0", "my-dual-1.crt", "my-dual-2", &ends.to_string()] {
            assert!(message.contains(word), "{word}: {message}");
        }
        if refused {
            continue;
        }
        // With the restart it is over.
        for pod in ["my-dual-0", "my-dual-1", "my-dual-2"] {
            world.refused_pods.clear();
            world.restart(pod);
        }
        assert_eq!(warning_with(&world.plan(), "CertificateEnds"), None);
    }
}
