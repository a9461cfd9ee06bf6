//! Levels of Kafka's features are shown as the broker has them, raised when the resource asks for it, and never lowered.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster_operator::kafka::kafka_calls;
use planner::kafka::admin_call::AdminCall;
use planner::kafka::config::live::memory::RefusedLevel;
use planner::kafka::plan::Plan;
use serde_json::json;
use test_support::wait;

use crate::world::{World, warnings};

const DEADLINE: Duration = Duration::from_secs(30);

/// What the annotation of the resource says.
fn ask(world: &mut World, levels: &str) {
    world.paper.kafka(|kafka| {
        kafka["metadata"]["annotations"]["kastellan.io/feature-levels"] = json!(levels);
    });
}

/// What the status says of a feature: its level, and the highest that there is.
fn said(plan: &Plan, name: &str) -> (i32, Option<i32>) {
    let features = plan.status.kafka.as_ref().unwrap().features.as_ref().unwrap();
    let feature = features.iter().find(|feature| feature.name.as_deref() == Some(name)).unwrap();
    (feature.level.unwrap(), feature.supported_level)
}

/// A pass in which Kafka gets what the plan asks for; what it refuses is remembered.
async fn pass(world: &mut World) -> Plan {
    let plan = world.pass().await;
    let mut refused = BTreeMap::new();
    for call in &plan.calls {
        if let AdminCall::RaiseFeature { name, level } = call
            && let Err(error) = kafka_calls::make(&world.admin, call).await
        {
            assert!(!error.is_silence(), "{error}");
            refused.insert(name.clone(), RefusedLevel { level: *level, why: error.to_string() });
        }
    }
    world.paper.observed.options.features_refused = refused;
    plan
}

async fn has_level(world: &World, name: &str, level: i16) {
    wait::until(DEADLINE, &format!("{name} is {level}"), || async move {
        let features = world.admin.describe_features().await.unwrap();
        (features.finalized.get(name).copied().unwrap_or_default() == level).then_some(())
    })
    .await
    .unwrap();
}

fn raises(plan: &Plan) -> Vec<(&str, i16)> {
    let raised = plan.calls.iter().filter_map(|call| match call {
        AdminCall::RaiseFeature { name, level } => Some((name.as_str(), *level)),
        _ => None,
    });
    raised.collect()
}

#[tokio::test]
async fn features_are_shown_and_raised_one_by_one_and_never_lowered() {
    let mut world =
        World::formatted(&[], &[("share.version", 0), ("streams.version", 0), ("transaction.version", 1)])
            .await;
    let plan = world.settle().await;
    assert_eq!(said(&plan, "share.version"), (0, Some(1)), "{:?}", plan.status.kafka);
    assert_eq!(said(&plan, "transaction.version"), (1, Some(2)));
    assert_eq!(said(&plan, "kraft.version"), (1, Some(1)));
    assert!(raises(&plan).is_empty(), "no level is asked for");

    ask(&mut world, "transaction.version=2, share.version=1");
    assert_eq!(raises(&pass(&mut world).await), [("share.version", 1)]);
    has_level(&world, "share.version", 1).await;
    assert_eq!(raises(&pass(&mut world).await), [("transaction.version", 2)]);
    has_level(&world, "transaction.version", 2).await;
    let plan = pass(&mut world).await;
    assert!(raises(&plan).is_empty(), "what is so is left alone: {:?}", plan.calls);
    assert_eq!(said(&plan, "transaction.version"), (2, Some(2)));

    ask(&mut world, "transaction.version=1");
    let plan = pass(&mut world).await;
    let told = warnings(&plan).into_iter().find(|one| one["reason"] == "InvalidFeatureLevels").unwrap();
    assert!(told["message"].as_str().unwrap().contains("has the level 2 and is not lowered to 1"), "{told}");
    assert!(raises(&plan).is_empty(), "{:?}", plan.calls);

    ask(&mut world, "latest");
    assert_eq!(raises(&pass(&mut world).await), [("streams.version", 1)]);
    has_level(&world, "streams.version", 1).await;
    let plan = pass(&mut world).await;
    assert!(
        raises(&plan).is_empty() && warnings(&plan).iter().all(|one| one["reason"] != "FeatureUpdateFailed")
    );
}

#[tokio::test]
async fn what_kafka_refuses_stands_in_the_status_in_its_own_words() {
    // This feature needs a newer metadata version than the resource asks for.
    let mut world = World::formatted(&[], &[("metadata.version", 22)]).await;
    world.paper.kafka(|kafka| kafka["spec"]["kafka"]["metadataVersion"] = json!("4.0-IV0"));
    world.settle().await;
    ask(&mut world, "eligible.leader.replicas.version=1");
    assert_eq!(raises(&pass(&mut world).await), [("eligible.leader.replicas.version", 1)]);
    let plan = pass(&mut world).await;
    let told = warnings(&plan).into_iter().find(|one| one["reason"] == "FeatureUpdateFailed").unwrap();
    let message = told["message"].as_str().unwrap();
    for part in ["cannot raise eligible.leader.replicas.version to 1", "depends on metadata.version"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(said(&plan, "eligible.leader.replicas.version"), (0, Some(1)));
    // It is asked for again, beside the others.
    ask(&mut world, "eligible.leader.replicas.version=1, share.version=1");
    let plan = pass(&mut world).await;
    assert_eq!(raises(&plan), [("share.version", 1), ("eligible.leader.replicas.version", 1)]);
    has_level(&world, "share.version", 1).await;
}
