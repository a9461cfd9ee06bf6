//! What a user writes once and very many objects repeat is weighed before they are made, and has bounds.

use std::sync::Arc;

use crate::common::{World, condition, object};
use planner::kafka::made_size::{self, MadeSize};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;

/// Three nodes of both roles, changed.
fn world(change: impl FnOnce(&mut Value)) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(change);
    world
}

fn nodes(world: &mut World, replicas: i32) {
    world.pool(0, |pool| pool["spec"]["replicas"] = json!(replicas));
}

fn listeners(count: usize, type_: &str) -> Value {
    let one = |n: usize| {
        json!({"name": format!("l{n}"), "port": 9100 + n, "type": type_, "tls": true, "configuration":
            {"bootstrap": {"host": format!("b{n}.example.org")}, "hostTemplate": format!("{{nodeId}}.l{n}.example.org")}})
    };
    (0..count).map(one).collect()
}

fn refusal(world: &mut World) -> String {
    let plan = world.plan();
    condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned()
}

#[test]
fn usual_clusters_are_far_from_the_bound() {
    let mut large = world(|kafka| kafka["spec"]["kafka"]["listeners"] = listeners(4, "ingress"));
    nodes(&mut large, 300);
    let size = MadeSize::of(&large.observed);
    assert!((MIB..32 * MIB).contains(&size.bytes()), "{size:?}");
    let small = MadeSize::of(&world(|_| {}).observed);
    assert!(small.bytes() < MIB / 4, "{small:?}");
}

#[test]
fn what_every_broker_has_for_each_listener_is_weighed() {
    let mut template = world(|kafka| {
        kafka["spec"]["kafka"]["listeners"] = listeners(30, "cluster-ip");
        kafka["spec"]["kafka"]["template"] =
            json!({"perPodService": {"metadata": {"annotations": {"a": "x".repeat(1_200_000)}}}});
    });
    nodes(&mut template, 10);
    let size = MadeSize::of(&template.observed);
    assert!(size.bytes() > 360 * MIB, "{size:?}");
    assert_eq!(size.largest(), Some("spec.kafka.template.perPodService"));
    let why = refusal(&mut template);
    assert!(
        why.contains("spec.kafka.template.perPodService.metadata.annotations: has 1200001 bytes"),
        "{why}"
    );

    let mut many = world(|kafka| kafka["spec"]["kafka"]["listeners"] = listeners(30, "ingress"));
    nodes(&mut many, 300);
    let size = MadeSize::of(&many.observed);
    assert!(size.bytes() > 64 * MIB, "18,000 objects: {size:?}");

    let mut of_listener = world(|kafka| {
        kafka["spec"]["kafka"]["listeners"] = listeners(1, "loadbalancer");
        kafka["spec"]["kafka"]["listeners"][0]["configuration"]["loadBalancerSourceRanges"] =
            json!(vec!["10.0.0.0/8"; 50_000]);
    });
    nodes(&mut of_listener, 100);
    let size = MadeSize::of(&of_listener.observed);
    assert!(size.bytes() > 64 * MIB && size.largest() == Some("spec.kafka.listeners[0]"), "{size:?}");

    let mut labelled = world(|kafka| {
        kafka["spec"]["kafka"]["listeners"] = listeners(30, "cluster-ip");
        let labels = (0..10_000).map(|n| (format!("label-{n}"), json!("x".repeat(60))));
        kafka["metadata"]["labels"] = Value::Object(labels.collect());
    });
    nodes(&mut labelled, 10);
    assert_eq!(MadeSize::of(&labelled.observed).largest(), Some("metadata.labels"));
}

#[test]
fn every_volume_of_every_node_is_weighed_and_a_node_has_a_hundred_at_most() {
    let volumes = |count: usize| {
        let one = |id: usize| json!({"id": id, "type": "persistent-claim", "size": "1Gi"});
        json!({"type": "jbod", "volumes": (0..count).map(one).collect::<Vec<_>>()})
    };
    let mut stuffed = world(|_| {});
    stuffed.pool(0, |pool| {
        pool["spec"]["storage"] = volumes(2000);
        pool["spec"]["template"] =
            json!({"persistentVolumeClaim": {"metadata": {"annotations": {"a": "x".repeat(300_000)}}}});
    });
    let size = MadeSize::of(&stuffed.observed);
    assert!(size.bytes() > 600 * MIB, "{size:?}");
    assert_eq!(size.largest(), Some("KafkaNodePool dual spec.template.persistentVolumeClaim"));
    let why = refusal(&mut stuffed);
    assert!(why.contains("spec.storage.volumes: has 2000 volumes: write at most 100"), "{why}");
    assert!(why.contains("spec.template.persistentVolumeClaim.metadata.annotations: has 300001"), "{why}");
    let mut enough = world(|_| {});
    enough.pool(0, |pool| pool["spec"]["storage"] = volumes(100));
    let plan = enough.plan();
    assert_eq!(
        plan.apply.iter().filter(|write| write.reference.kind == "PersistentVolumeClaim").count(),
        300
    );
}

#[test]
fn patches_are_weighed_for_every_object_and_have_a_bound_together() {
    let patches = |kind: &str, count: usize| {
        let one = |n: usize| {
            let stars = "*".repeat(usize::from(n > 0));
            let key = if n == 0 {
                kind.to_owned()
            } else {
                format!("{kind}/{}{stars}", &"my-dual-extern"[..n.min(14)])
            };
            (key, json!({"metadata": {"annotations": {format!("a{n}"): "x".repeat(15_000)}}}))
        };
        Value::Object((0..count).map(one).collect())
    };
    let mut many = world(|kafka| {
        kafka["spec"]["kafka"]["listeners"] = listeners(30, "cluster-ip");
        kafka["spec"]["objectOverrides"] = patches("Service", 10);
    });
    nodes(&mut many, 40);
    Arc::make_mut(&mut many.observed.settings).object_overrides = true;
    let size = MadeSize::of(&many.observed);
    assert!(size.bytes() > 512 * MIB && size.largest() == Some("spec.objectOverrides"), "{size:?}");

    let mut few = world(|kafka| kafka["spec"]["objectOverrides"] = patches("Pod", 5));
    Arc::make_mut(&mut few.observed.settings).object_overrides = true;
    let why = refusal(&mut few);
    assert!(why.contains("patches that are for Pod my-dual-0 have") && why.contains("64 KiB"), "{why}");

    let mut wrong = world(|kafka| {
        let names = (0..500).map(|n| (format!("wrong{n}"), json!(1)));
        kafka["spec"]["objectOverrides"] = json!({"Pod": {"spec": Value::Object(names.collect())}});
    });
    Arc::make_mut(&mut wrong.observed.settings).object_overrides = true;
    let why = refusal(&mut wrong);
    assert!(why.matches("is not known to a Pod").count() <= 20, "{why}");
}

#[test]
fn the_files_of_a_node_are_no_larger_than_what_the_operator_reads_again() {
    let mut long = world(|kafka| kafka["spec"]["kafka"]["config"]["my.option"] = json!("x".repeat(600_000)));
    let why = refusal(&mut long);
    assert!(why.contains("spec.kafka.config: takes 600") && why.contains("my-dual-0"), "{why}");
    assert!(why.contains("KASTELLAN_MAX_SECRET_KIB"), "{why}");
    let mut fits = world(|kafka| kafka["spec"]["kafka"]["config"]["my.option"] = json!("x".repeat(400_000)));
    let plan = fits.plan();
    assert!(object(&plan, "ConfigMap", "my-dual-0").to_string().len() < 512 * 1024);
}

#[test]
fn rules_that_aliases_make_long_are_weighed_as_long_as_they_become() {
    let mut world = world(|kafka| {
        kafka["spec"]["kafka"]["metricsConfig"] = json!({"type": "jmxPrometheusExporter",
            "valueFrom": {"configMapKeyRef": {"name": "rules", "key": "rules.yml"}}});
    });
    let aliases = "*a, ".repeat(20);
    let rules = format!("rules: [&a {{pattern: {}}}, {}]", "x".repeat(5000), aliases.trim_end_matches(", "));
    let map = json!({"metadata": {"name": "rules"}, "data": {"rules.yml": rules}});
    world.observed.config_maps.insert("rules".to_owned(), Arc::new(serde_json::from_value(map).unwrap()));
    nodes(&mut world, 300);
    let size = MadeSize::of(&world.observed);
    assert!(size.bytes() > 300 * 2 * 100_000, "{size:?}");
    assert_eq!(size.largest(), Some("key \"rules.yml\" of ConfigMap \"rules\""));
}

#[test]
fn certificates_of_what_is_too_large_are_renewed_without_the_templates() {
    let mut world = world(|kafka| {
        kafka["spec"]["kafka"]["template"] = json!({
            "pod": {"metadata": {"annotations": {"a": "b"}}},
            "clusterCaCert": {"metadata": {"annotations": {"kept": "yes"}}}});
    });
    world.settle();
    world.observed.incomplete = Some("spec: too much".to_owned());
    made_size::leave_out(&mut world.observed);
    let kafka = world.observed.kafka.as_deref().unwrap();
    let template = kafka.spec.kafka.template.as_ref().unwrap();
    assert!(template.pod.is_none() && template.cluster_ca_cert.is_some());
    let plan = world.plan();
    assert!(plan.apply.is_empty(), "what runs is left as it is: {:?}", plan.apply);
}
