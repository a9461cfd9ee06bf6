//! Levels of Kafka's features: shown as they are, raised when the resource asks for it and the cluster is settled, never lowered.

use planner::kafka::admin_call::AdminCall;
use planner::kafka::config::live::memory::RefusedLevel;
use planner::kafka::feature_view::FeatureView;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

use crate::common::{World, condition, kafka_status, warning_with};

/// Name, level, and the highest that the asked node supports.
type Feature = (&'static str, i16, i16);

const FEATURES: [Feature; 4] = [
    ("group.version", 1, 1),
    ("kraft.version", 0, 1),
    ("share.version", 0, 1),
    ("transaction.version", 1, 2),
];

/// A cluster that has settled, with these features.
fn settled(features: &[Feature]) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    set(&mut world, features);
    world
}

fn set(world: &mut World, features: &[Feature]) {
    let features = features.iter().map(|(name, level, supported)| {
        ((*name).to_owned(), FeatureView { level: *level, supported: Some(*supported) })
    });
    world.observed.view.as_mut().unwrap().features = features.collect();
}

fn ask(world: &mut World, levels: &str) {
    world.kafka(|kafka| kafka["metadata"]["annotations"] = json!({"kastellan.io/feature-levels": levels}));
}

fn raises(plan: &Plan) -> Vec<(&str, i16)> {
    let raised = plan.calls.iter().filter_map(|call| match call {
        AdminCall::RaiseFeature { name, level } => Some((name.as_str(), *level)),
        _ => None,
    });
    raised.collect()
}

fn is_well(plan: &Plan) -> bool {
    condition(plan, "Ready").is_some()
}

#[test]
fn the_status_has_all_features_and_keeps_them_while_kafka_is_silent() {
    let mut world = settled(&FEATURES);
    let plan = world.plan();
    let expected = json!([
        {"name": "group.version", "level": 1, "supportedLevel": 1},
        {"name": "kraft.version", "level": 0, "supportedLevel": 1},
        {"name": "share.version", "level": 0, "supportedLevel": 1},
        {"name": "transaction.version", "level": 1, "supportedLevel": 2},
    ]);
    assert_eq!(kafka_status(&plan)["features"], expected);
    assert_eq!((raises(&plan), is_well(&plan)), (Vec::new(), true), "no other level is asked for");
    world.apply(&plan);
    set(&mut world, &[]);
    world.kafka(|kafka| kafka["status"] = json!({"features": expected}));
    assert_eq!(kafka_status(&world.plan())["features"], expected);
}

#[test]
fn a_feature_is_raised_at_a_time_and_what_is_so_is_left_alone() {
    let mut world = settled(&FEATURES);
    ask(&mut world, "transaction.version=2, share.version=1, group.version=1");
    let plan = world.plan();
    assert_eq!(raises(&plan), [("share.version", 1)]);
    assert!(
        plan.look_again_seconds().is_some_and(|seconds| seconds < 10),
        "the next one is not to wait long"
    );
    set(&mut world, &[("group.version", 1, 1), ("share.version", 1, 1), ("transaction.version", 1, 2)]);
    assert_eq!(raises(&world.plan()), [("transaction.version", 2)]);
    set(&mut world, &[("group.version", 1, 1), ("share.version", 1, 1), ("transaction.version", 2, 2)]);
    let plan = world.plan();
    assert_eq!((raises(&plan), is_well(&plan)), (Vec::new(), true));
    assert_eq!(warning_with(&plan, "InvalidFeatureLevels"), None);
}

#[test]
fn the_latest_are_the_highest_that_there_are_but_for_how_the_controllers_find_each_other() {
    let mut world = settled(&FEATURES);
    ask(&mut world, "latest");
    let mut raised = Vec::new();
    for _ in 0..5 {
        let plan = world.plan();
        let Some((name, level)) = raises(&plan).first().copied() else { break };
        raised.push((name.to_owned(), level));
        world.observed.view.as_mut().unwrap().features.get_mut(name).unwrap().level = level;
    }
    assert_eq!(raised, [("share.version".to_owned(), 1), ("transaction.version".to_owned(), 2)]);
}

#[test]
fn nothing_is_raised_before_the_cluster_is_as_it_should_be() {
    let mut world = settled(&FEATURES);
    ask(&mut world, "share.version=1");
    let mut unready = world.clone();
    let pod = std::sync::Arc::make_mut(unready.observed.pods.get_mut("my-dual-1").unwrap());
    pod.status.as_mut().unwrap().conditions.as_mut().unwrap()[0].status = "False".to_owned();
    assert!(raises(&unready.plan()).is_empty(), "a node is not ready");

    let mut missing = world.clone();
    missing.observed.pods.remove("my-dual-1");
    assert!(raises(&missing.plan()).is_empty(), "a node is not there");

    let mut changing = world.clone();
    changing.kafka(|kafka| kafka["spec"]["kafka"]["config"]["background.threads"] = json!(11));
    changing.kafka(|kafka| kafka["spec"]["kafka"]["rack"] = json!({"topologyKey": "zone"}));
    let plan = changing.plan();
    assert!(!plan.roll.wanted.is_empty() && raises(&plan).is_empty(), "nodes restart");

    let mut older = world.clone();
    older.observed.view.as_mut().unwrap().metadata_level = Some(29);
    let plan = older.plan();
    assert!(matches!(plan.calls[..], [AdminCall::UpdateMetadataVersion { .. }]), "{:?}", plan.calls);
    older.kafka(|kafka| kafka["spec"]["kafka"]["metadataVersion"] = json!("4.2"));
    assert_eq!(raises(&older.plan()), [("share.version", 1)], "the metadata version is as wished");
    assert_eq!(raises(&world.plan()), [("share.version", 1)]);
}

#[test]
fn while_versions_change_the_status_has_what_the_oldest_supports() {
    let mut world = settled(&[("of.tomorrow.version", 0, 3), ("transaction.version", 2, 7)]);
    for (pod, version, expected) in [
        ("my-dual-0", "4.3.1", json!([3, 7])),
        ("my-dual-0", "4.2.1", json!([0, 2])),
        ("my-dual-1", "1.0.0", json!([null, null])),
    ] {
        let pod = std::sync::Arc::make_mut(world.observed.pods.get_mut(pod).unwrap());
        pod.metadata
            .annotations
            .get_or_insert_default()
            .insert("strimzi.io/kafka-version".to_owned(), version.to_owned());
        let features = kafka_status(&world.plan())["features"].clone();
        let supported: Vec<&Value> =
            features.as_array().unwrap().iter().map(|feature| &feature["supportedLevel"]).collect();
        assert_eq!(json!(supported), expected, "{version}");
    }
}

#[test]
fn what_cannot_be_had_is_told_and_holds_nothing_up() {
    let mut world = settled(&FEATURES);
    for (levels, part) in [
        ("group.version=0", "group.version has the level 1 and is not lowered to 0"),
        ("share.version=2", "share.version has no level 2, since every node supports 1 at most"),
        ("of.tomorrow.version=1", "write some of group.version, share.version, transaction.version"),
        ("metadata.version=30", "write spec.kafka.metadataVersion"),
        ("kraft.version=1", "controller.quorum.voters"),
        ("newest", "\"newest\" has no level: write latest"),
    ] {
        ask(&mut world, levels);
        let plan = world.plan();
        let said = warning_with(&plan, "InvalidFeatureLevels").unwrap_or_default();
        assert!(
            said.contains("metadata.annotations.kastellan.io/feature-levels") && said.contains(part),
            "{said}"
        );
        assert_eq!((raises(&plan), is_well(&plan)), (Vec::new(), true), "{levels}");
    }
    ask(&mut world, "share.version=2, transaction.version=2");
    assert_eq!(raises(&world.plan()), [("transaction.version", 2)], "the others are raised all the same");
}

#[test]
fn a_refusal_of_kafkas_stands_in_the_status_and_is_no_reason_to_hurry() {
    let mut world = settled(&FEATURES);
    ask(&mut world, "share.version=1, transaction.version=2");
    let refused = RefusedLevel { level: 1, why: "it depends on metadata.version level 99".to_owned() };
    world.observed.options.features_refused = [("share.version".to_owned(), refused)].into();
    let plan = world.plan();
    assert_eq!(raises(&plan), [("transaction.version", 2), ("share.version", 1)], "others go first");
    let said = warning_with(&plan, "FeatureUpdateFailed").unwrap();
    assert!(said.contains("share.version keeps its level, for Kafka refuses 1: it depends on"), "{said}");

    ask(&mut world, "share.version=1");
    let plan = world.plan();
    assert_eq!((raises(&plan), is_well(&plan)), (vec![("share.version", 1)], true), "it is asked for again");
    let is_soon = plan.look_again_seconds().is_some_and(|seconds| seconds < 10);
    assert!(!is_soon, "with the next pass that there is anyway: {:?}", plan.look_again);
    ask(&mut world, "transaction.version=2");
    assert_eq!(warning_with(&world.plan(), "FeatureUpdateFailed"), None);
}

#[test]
fn the_way_back_is_held_while_features_have_levels_that_the_older_version_does_not_know() {
    let mut world = settled(&[("of.tomorrow.version", 1, 1)]);
    world.observed.view.as_mut().unwrap().metadata_level = Some(29);
    world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("4.2.1"));
    let plan = world.plan();
    let said = condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(
        said.contains("spec.kafka.version: Kafka 4.2.1 cannot run") && plan.roll.wanted.is_empty(),
        "{said}"
    );
    assert!(said.contains("--feature of.tomorrow.version=0"), "{said}");
    set(&mut world, &[("of.tomorrow.version", 0, 1), ("transaction.version", 2, 2)]);
    assert_eq!(world.plan().roll.wanted.len(), 3);
}
