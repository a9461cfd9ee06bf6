//! Random changes of resources and, behind the operator's back, of topics: in the end Kafka is as the resources say.

use std::collections::BTreeMap;

use api::KafkaTopic;
use kafka_admin::{ConfigChange, ConfigResource, NewPartitions, NewTopic};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};
use test_support::wait;

use crate::world::{DEADLINE, World, condition, is_current, is_ready, status};

#[derive(Clone, Debug)]
enum Step {
    /// Make or change resource `r` so that it wants topic `t`.
    Want {
        r: u8,
        t: u8,
        partitions: i32,
        retention: Option<u32>,
    },
    Delete {
        r: u8,
    },
    Manage {
        r: u8,
        managed: bool,
    },
    OutsideDelete {
        t: u8,
    },
    OutsideCreate {
        t: u8,
        partitions: i32,
    },
    OutsideAlter {
        t: u8,
        retention: u32,
    },
    OutsideGrow {
        t: u8,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let r = 0..3_u8;
    let t = 0..3_u8;
    let step = prop_oneof![
        5 => (r.clone(), t.clone(), 1..4_i32, proptest::option::of(1..5_u32))
            .prop_map(|(r, t, partitions, retention)| Step::Want { r, t, partitions, retention }),
        2 => r.clone().prop_map(|r| Step::Delete { r }),
        1 => (r, any::<bool>()).prop_map(|(r, managed)| Step::Manage { r, managed }),
        1 => t.clone().prop_map(|t| Step::OutsideDelete { t }),
        1 => (t.clone(), 1..4_i32).prop_map(|(t, partitions)| Step::OutsideCreate { t, partitions }),
        1 => (t.clone(), 1..5_u32).prop_map(|(t, retention)| Step::OutsideAlter { t, retention }),
        1 => t.prop_map(|t| Step::OutsideGrow { t }),
    ];
    proptest::collection::vec(step, 20)
}

async fn take(w: &World, step: &Step) {
    let resource = |r: u8| format!("r{r}");
    let topic = |t: u8| w.topic(&format!("t{t}"));
    match step {
        Step::Want { r, t, partitions, retention } => {
            let config = retention.map(|n| json!({"retention.ms": n * 1000}));
            let spec = json!({"topicName": topic(*t), "partitions": partitions, "config": config});
            match w.resources.get_opt(&resource(*r)).await.unwrap() {
                None => drop(w.create(&resource(*r), spec).await),
                Some(found) if found.metadata.deletion_timestamp.is_some() => {}
                // The name cannot be changed; the rest can. A resource may go away at this moment.
                Some(_) => {
                    let spec = json!({"spec": {"partitions": partitions, "config": config}});
                    let patch = kube::api::Patch::Merge(spec);
                    let _ =
                        w.resources.patch(&resource(*r), &kube::api::PatchParams::default(), &patch).await;
                }
            }
        }
        Step::Delete { r } => {
            let _ = w.resources.delete(&resource(*r), &kube::api::DeleteParams::default()).await;
        }
        Step::Manage { r, managed } => {
            let patch = json!({"metadata": {"annotations": {"strimzi.io/managed": managed.to_string()}}});
            let patch = kube::api::Patch::Merge(patch);
            let _ = w.resources.patch(&resource(*r), &kube::api::PatchParams::default(), &patch).await;
        }
        Step::OutsideDelete { t } => drop(w.admin.delete_topics([topic(*t)]).await.unwrap()),
        Step::OutsideCreate { t, partitions } => {
            let mut new = NewTopic::new(topic(*t));
            new.partitions = Some(*partitions);
            drop(w.admin.create_topics(vec![new], false).await.unwrap());
        }
        Step::OutsideAlter { t, retention } => {
            let changes = vec![ConfigChange::set("retention.ms", retention.to_string())];
            let changes = BTreeMap::from([(ConfigResource::Topic(topic(*t)), changes)]);
            drop(w.admin.incremental_alter_configs(changes, false).await.unwrap());
        }
        Step::OutsideGrow { t } => {
            let grow = NewPartitions { topic: topic(*t), total_count: 3, assignments: vec![] };
            drop(w.admin.create_partitions(vec![grow], false).await.unwrap());
        }
    }
}

/// Why the state is not the one that the resources describe; none when it is.
async fn difference(w: &World) -> Option<String> {
    let resources: Vec<KafkaTopic> = w.resources.list(&kube::api::ListParams::default()).await.unwrap().items;
    for resource in &resources {
        let name = resource.metadata.name.clone().unwrap();
        if resource.metadata.deletion_timestamp.is_some() {
            return Some(format!("{name} is still there"));
        }
        if !is_current(resource) {
            return Some(format!("{name} was not looked at"));
        }
        let managed = resource
            .metadata
            .annotations
            .iter()
            .flatten()
            .all(|(k, v)| k != "strimzi.io/managed" || v != "false");
        if !managed {
            if condition(resource, "Unmanaged").is_none() {
                return Some(format!("{name} is not called unmanaged"));
            }
            continue;
        }
        let topic = resource.spec.topic_name.clone().unwrap();
        let have = w.in_kafka(&topic).await;
        let reason = condition(resource, "Ready").and_then(|c| c.reason.clone());
        match reason.as_deref() {
            None if is_ready(resource) => {
                let Some(have) = have else { return Some(format!("{topic} is missing")) };
                if have.partitions.len() as i32 != resource.spec.partitions.unwrap() {
                    return Some(format!(
                        "{topic} has {} partitions, {name} is Ready",
                        have.partitions.len()
                    ));
                }
                if status(resource).topic_id != Some(kafka_admin::format_uuid(have.id)) {
                    return Some(format!("{name} shows another topic id"));
                }
            }
            Some("NotSupported") => {
                if have.is_none_or(|t| t.partitions.len() as i32 <= resource.spec.partitions.unwrap()) {
                    return Some(format!("{name} is refused without a cause"));
                }
            }
            Some("ResourceConflict") => {
                let rivals = resources.iter().filter(|o| o.spec.topic_name.as_ref() == Some(&topic)).count();
                if rivals < 2 {
                    return Some(format!("{name} is in conflict with nobody"));
                }
                continue;
            }
            other => return Some(format!("{name} has the reason {other:?}")),
        }
        let want = resource.spec.config.as_ref().and_then(|c| c.get("retention.ms")).map(Value::to_string);
        if w.config_in_kafka(&topic).await.get("retention.ms") != want.as_ref() {
            return Some(format!("{topic} is configured otherwise than {name} says"));
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_kafka_ends_as_the_resources_say() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..4 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
        w.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "1000");
        w.start_operator().await;
        for (i, step) in steps.iter().enumerate() {
            take(&w, step).await;
            if i == 12 {
                w.kill_operator();
            }
            if i == 15 {
                w.start_operator().await;
            }
        }
        let last = std::sync::Mutex::new(String::new());
        let (w, last) = (&w, &last);
        let same = wait::until(DEADLINE, "Kafka is as the resources say", || async move {
            match difference(w).await {
                None => Some(()),
                Some(why) => {
                    *last.lock().unwrap() = why;
                    None
                }
            }
        })
        .await;
        assert!(same.is_ok(), "{} after {steps:#?}", last.lock().unwrap());
    }
}
