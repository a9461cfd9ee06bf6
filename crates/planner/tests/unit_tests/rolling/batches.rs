//! Several brokers of one rack that restart at the same time, because the resource allows it.

use jiff::SignedDuration;
use planner::kafka::roll_view::RollKafka;
use planner::plan::Occasion;
use serde_json::{Value, json};

use super::common::{World, kafka_status};
use super::{WAITS, partition, warning};

/// Three controllers and four brokers, of which every pod has to restart.
fn due(most: u64) -> World {
    let pool = |name: &str, replicas: u64, role: &str| {
        json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
            "metadata": {"name": name, "namespace": "s1", "uid": format!("{name}-uid"),
                "labels": {"strimzi.io/cluster": "my"}},
            "spec": {"replicas": replicas, "roles": [role], "storage": {"type": "persistent-claim", "size": "1Gi"}},
        })
    };
    let kafka = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
        "metadata": {"name": "my", "namespace": "s1", "uid": "kafka-uid", "generation": 1},
        "spec": {"kafka": {
            "version": "4.3.1",
            "maxParallelRestarts": most,
            "rack": {"topologyKey": "topology.kubernetes.io/zone"},
            "listeners": [{"name": "plain", "port": 9092, "type": "internal", "tls": false}],
        }},
    });
    let mut world = World::new(vec![kafka, pool("brokers", 4, "broker"), pool("control", 3, "controller")]);
    let settled = world.settle();
    world.apply(&settled);
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!(false);
        kafka["metadata"]["generation"] = json!(2);
    });
    let plan = world.plan();
    world.apply(&plan);
    world
}

/// Kafka with these partitions and racks, as it is with the pods that there are.
fn says(world: &World, isr_of_first: &[i32]) -> RollKafka {
    let partitions =
        vec![partition("orders-0", &[0, 2, 1], isr_of_first, 2), partition("orders-1", &[1, 3], &[1, 3], 1)];
    let mut kafka = world.all_is_well(partitions);
    let brokers = kafka.brokers.as_mut().unwrap();
    for (id, rack) in &mut brokers.registered {
        *rack = Some(["a", "b", "a", "b"][*id as usize].to_owned());
    }
    kafka
}

/// The pods that go at once, until the roll is at its end.
fn roll(most: u64) -> Vec<Vec<String>> {
    let mut world = due(most);
    let mut batches = Vec::new();
    for _ in 0..10 {
        world.roll = Some(says(&world, &[0, 2, 1]));
        let plan = world.plan();
        if plan.roll.now.is_empty() {
            assert_eq!(plan.roll.wanted, [], "{:?}", plan.roll.waits);
            return batches;
        }
        for pod in &plan.roll.now {
            let told = plan.events.iter().filter(|event| event.pod.as_ref() == Some(pod));
            let told: Vec<(&str, &Occasion)> =
                told.map(|event| (event.reason.as_str(), &event.occasion)).collect();
            assert_eq!(told, [("ConfigChangeRequiresRestart", &Occasion::Restart)], "{pod}");
        }
        world.apply(&plan);
        for pod in &plan.roll.now {
            world.restart(pod);
        }
        batches.push(plan.roll.now.clone());
    }
    panic!("{batches:?}");
}

#[test]
fn brokers_of_a_rack_restart_together_as_far_as_the_resource_and_the_partitions_allow() {
    let controllers = ["my-control-5", "my-control-6", "my-control-4"];
    let one_by_one = |ends: &[&[&str]]| -> Vec<Vec<String>> {
        let all = controllers.iter().map(|pod| vec![*pod]).chain(ends.iter().map(|pods| pods.to_vec()));
        all.map(|pods| pods.into_iter().map(str::to_owned).collect()).collect()
    };
    let alone: [&[&str]; 4] = [&["my-brokers-0"], &["my-brokers-1"], &["my-brokers-2"], &["my-brokers-3"]];
    assert_eq!(roll(1), one_by_one(&alone));
    // Brokers 0 and 2 share a partition that needs one of them; 1 and 3 share one that has no other replica.
    assert_eq!(roll(2), one_by_one(&alone), "what shares a partition goes apart");
}

#[test]
fn a_batch_that_is_put_together_says_what_it_waits_for_and_goes_without_it_after_a_minute() {
    let mut world = due(4);
    for pod in ["my-control-4", "my-control-5", "my-control-6"] {
        world.restart(pod);
    }
    let apart = |world: &World, isr: &[i32]| {
        let mut kafka = says(world, isr);
        let brokers = kafka.brokers.as_mut().unwrap();
        brokers.partitions = vec![partition("orders-0", &[2, 1, 3], isr, 2)];
        kafka
    };
    // Broker 0 may go. Broker 2 may not as long as broker 3 has not caught up.
    world.roll = Some(apart(&world, &[2, 1]));
    let plan = world.plan();
    assert!(plan.roll.now.is_empty());
    let why = warning(&plan, WAITS).unwrap()["message"].as_str().unwrap().to_owned();
    assert!(
        why.contains("my-brokers-0") && why.contains("my-brokers-2") && why.contains("orders-0"),
        "{why}"
    );
    assert!(plan.look_again_seconds().unwrap() <= 2);
    world.apply(&plan);
    world.now += SignedDuration::from_secs(30);
    assert!(world.plan().roll.now.is_empty());
    // As soon as it may, both go.
    let caught_up = apart(&world, &[2, 1, 3]);
    let mut other = world.clone();
    other.roll = Some(caught_up);
    assert_eq!(other.plan().roll.now, ["my-brokers-0", "my-brokers-2"]);
    world.now += SignedDuration::from_secs(31);
    let plan = world.plan();
    assert_eq!(plan.roll.now, ["my-brokers-0"]);
    // Clocks that were set back keep nothing waiting.
    world.now -= SignedDuration::from_hours(1);
    assert_eq!(world.plan().roll.now, ["my-brokers-0"]);
}

#[test]
fn the_pods_of_a_batch_go_together_or_not_at_all() {
    let mut world = due(4);
    for pod in ["my-control-4", "my-control-5", "my-control-6"] {
        world.restart(pod);
    }
    let mut kafka = says(&world, &[0, 2, 1]);
    kafka.brokers.as_mut().unwrap().partitions.clear();
    world.roll = Some(kafka);
    assert_eq!(world.plan().roll.now, ["my-brokers-0", "my-brokers-2"]);
    world.refused_pods.insert("my-brokers-2".to_owned(), "exceeded quota".to_owned());
    let plan = world.plan();
    assert!(plan.roll.now.is_empty());
    assert!(warning(&plan, WAITS).unwrap()["message"].as_str().unwrap().contains("exceeded quota"));
}

#[test]
fn a_number_that_means_nothing_is_refused_and_one_without_racks_is_warned_of() {
    let mut world = due(2);
    world.kafka(|kafka| drop(kafka["spec"]["kafka"].as_object_mut().unwrap().remove("rack")));
    let said: Value = warning(&world.plan(), "FieldsWithoutEffect").unwrap();
    assert!(said["message"].as_str().unwrap().contains("spec.kafka.maxParallelRestarts"), "{said}");
    for wrong in [0, -3] {
        world.kafka(|kafka| kafka["spec"]["kafka"]["maxParallelRestarts"] = json!(wrong));
        let status = kafka_status(&world.plan()).to_string();
        assert!(
            status.contains(&format!("spec.kafka.maxParallelRestarts: is {wrong}: write 1 or more")),
            "{status}"
        );
    }
}
