//! What the planner does over the life of a cluster: the state goes from pass to pass as a real one would.

use std::collections::BTreeMap;

use crate::common::planned::broken_disks;
use crate::common::{World, condition, kafka_status, object, pool_status, warning_with};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use planner::restart_reason::RestartReason;
use serde_json::{Value, json};

fn reasons(plan: &Plan) -> BTreeMap<String, Vec<RestartReason>> {
    plan.roll
        .wanted
        .iter()
        .map(|restart| (restart.pod.clone(), restart.reasons.iter().copied().collect()))
        .collect()
}

fn agent(plan: &Plan, pod: &str) -> Value {
    serde_json::from_str(object(plan, "ConfigMap", pod)["data"]["agent.config"].as_str().unwrap()).unwrap()
}

/// Restarts everything that should be, one pod at a time, as rolling does.
fn roll(world: &mut World) -> usize {
    for restarts in 0..40 {
        let plan = world.plan();
        world.apply(&plan);
        let Some(first) = plan.roll.wanted.first() else { return restarts };
        world.restart(&first.pod);
    }
    panic!("the roll has no end");
}

#[test]
fn a_new_cluster_is_planned_whole_and_becomes_ready() {
    let mut world = World::load("dual-role.input.yaml");
    let first = world.plan();
    assert!(first.apply.iter().any(|object| object.reference.kind == "StrimziPodSet"), "all in one pass");
    assert_eq!(condition(&first, "NotReady").unwrap()["reason"], "Creating");
    let last = world.settle();
    assert!(condition(&last, "Ready").is_some(), "{:?}", last.waiting_for);
    assert!(condition(&last, "NotReady").is_none());
    let status = kafka_status(&last);
    assert_eq!(status["kafkaVersion"], "4.3.1");
    assert_eq!(status["kafkaMetadataVersion"], "4.3-IV0");
    assert_eq!(status["listeners"][1]["bootstrapServers"], "my-kafka-bootstrap.s1.svc:9093");
    assert!(status["listeners"][1]["certificates"][0].as_str().unwrap().contains("BEGIN CERTIFICATE"));
    assert!(status["listeners"][0].get("certificates").is_none());
    assert_eq!(pool_status(&last, "dual")["nodeIds"], json!([0, 1, 2]));
}

#[test]
fn an_idle_pass_changes_nothing() {
    let mut world = World::load("dual-role.input.yaml");
    let settled = world.settle();
    world.apply(&settled);
    world.run_everything();
    world.now += jiff::SignedDuration::from_hours(1);
    let again = world.plan();
    for (one, other) in again.apply.iter().zip(&settled.apply) {
        assert_eq!(one, other);
    }
    assert_eq!(again.status, settled.status);
    assert_eq!(again.roll.wanted, settled.roll.wanted);
    assert_eq!(again.delete, settled.delete);
    assert_eq!(again.calls, settled.calls);
    assert_eq!(again.waiting_for, settled.waiting_for);
    assert_eq!(again.nodes, settled.nodes);
    assert_eq!(again.apply.len(), settled.apply.len());
    assert_eq!(again.options, settled.options);
    // Only whether the brokers still run with their options is looked at, in every round.
    assert!(world.asked.iter().any(|need| matches!(need, Need::BrokerConfigs(_))), "{:?}", world.asked);
    assert!(again == settled);
    assert!(again.roll.wanted.is_empty() && again.calls.is_empty() && again.delete.is_empty());
}

#[test]
fn the_first_controllers_found_the_quorum_with_ids_that_never_change() {
    let mut world = World::load("split-pools.input.yaml");
    let first = world.plan();
    let founders = agent(&first, "shop-controllers-3")["initialControllers"].as_str().unwrap().to_owned();
    assert_eq!(founders.split(',').count(), 3);
    assert!(founders.starts_with("3@shop-controllers-3.shop-kafka-brokers.case-split-pools.svc:9090:"));
    assert_eq!(agent(&first, "shop-brokers-0")["initialControllers"], Value::Null);
    world.apply(&first);
    // Losing the pod sets loses no id.
    world.observed.pod_sets.clear();
    assert_eq!(agent(&world.plan(), "shop-controllers-3")["initialControllers"], json!(founders));
    // Once the quorum has existed, a controller with an empty claim joins it.
    let settled = world.settle();
    assert_eq!(agent(&settled, "shop-controllers-3")["initialControllers"], Value::Null);
    assert!(settled.roll.wanted.is_empty(), "that restarts nothing: {:?}", settled.roll.wanted);
}

#[test]
fn a_controller_without_a_volume_comes_back_as_the_voter_it_was() {
    let mut world = World::load("dual-role.input.yaml");
    let before = agent(&world.plan(), "my-dual-0")["nodeId"].clone();
    let settled = world.settle();
    assert_eq!(before, 0);
    assert_eq!(agent(&settled, "my-dual-0")["initialControllers"].as_str().unwrap().split(',').count(), 3);
}

#[test]
fn an_option_that_is_read_at_start_restarts_every_node_and_says_why() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!(false);
        kafka["metadata"]["generation"] = json!(2);
    });
    let plan = world.plan();
    let found = reasons(&plan);
    assert_eq!(found.len(), 3);
    assert_eq!(found["my-dual-1"], [RestartReason::ConfigChangeRequiresRestart]);
    // It serves on meanwhile, and the generation tells that the change is not done.
    assert!(condition(&plan, "Ready").is_some());
    assert_eq!(kafka_status(&plan)["observedGeneration"], 1);
    assert_eq!(roll(&mut world), 3);
    assert_eq!(kafka_status(&world.plan())["observedGeneration"], 2);
}

#[test]
fn resources_and_templates_have_reasons_of_their_own() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.pool(0, |pool| pool["spec"]["resources"] = json!({"limits": {"memory": "800Mi"}}));
    assert_eq!(reasons(&world.plan())["my-dual-0"], [RestartReason::PodHasOldResourceRevision]);
    world.pool(0, |pool| pool["spec"]["resources"] = json!({"limits": {"memory": "700Mi"}}));
    world.kafka(|kafka| kafka["spec"]["kafka"]["template"] = json!({"pod": {"priorityClassName": "high"}}));
    assert_eq!(reasons(&world.plan())["my-dual-0"], [RestartReason::PodHasOldRevision]);
    // The pool's own template replaces the whole key.
    world.pool(0, |pool| pool["spec"]["template"] = json!({"pod": {"metadata": {"labels": {"a": "b"}}}}));
    let plan = world.plan();
    let pod = &object(&plan, "StrimziPodSet", "my-dual")["spec"]["pods"][0];
    assert_eq!(pod["spec"].get("priorityClassName"), None);
    assert_eq!(pod["metadata"]["labels"]["a"], "b");
}

#[test]
fn an_asked_for_roll_restarts_every_pod_once() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.now += jiff::SignedDuration::from_hours(1);
    let set = std::sync::Arc::make_mut(world.observed.pod_sets.get_mut("my-dual").unwrap());
    let annotations = set.metadata.annotations.get_or_insert_default();
    annotations.insert("strimzi.io/manual-rolling-update".to_owned(), "true".to_owned());
    let plan = world.plan();
    assert_eq!(reasons(&plan)["my-dual-2"], [RestartReason::ManualRollingUpdate]);
    assert_eq!(roll(&mut world), 3);
    assert!(world.plan().roll.wanted.is_empty());
}

#[test]
fn a_renewed_authority_keeps_its_key_and_rolls_once() {
    let mut world = World::load("dual-role.input.yaml");
    let days = |world: &mut World, days: i32| {
        world.kafka(|kafka| kafka["spec"]["clusterCa"] = json!({"validityDays": days, "renewalDays": 30}));
    };
    days(&mut world, 40);
    world.settle();
    let key = world.observed.secrets["my-cluster-ca"].data.clone();
    days(&mut world, 365);
    assert!(world.plan().roll.wanted.is_empty(), "a longer validity alone renews nothing");
    world.now += jiff::SignedDuration::from_hours(24 * 15);
    assert_eq!(roll(&mut world), 3, "certificates are reissued within 30 days of their end");
    let generation = |name: &str, key: &str, world: &World| {
        world.observed.secrets[name].metadata.annotations.as_ref().unwrap()[key].clone()
    };
    assert_eq!(generation("my-cluster-ca-cert", "strimzi.io/ca-cert-generation", &world), "1");
    assert_eq!(generation("my-cluster-ca", "strimzi.io/ca-key-generation", &world), "0");
    assert_eq!(generation("my-dual-0", "strimzi.io/cluster-ca-cert-generation", &world), "1");
    assert_eq!(world.observed.secrets["my-cluster-ca"].data, key);
}

#[test]
fn a_maintenance_window_holds_renewal_back() {
    let mut world = World::load("split-pools.input.yaml");
    world.settle();
    // 185 of the 200 days of the clients CA later; on the next Wednesday at noon, and after midnight.
    let late = (world.now + jiff::SignedDuration::from_hours(24 * 185)).to_zoned(jiff::tz::TimeZone::UTC);
    let wednesday = late.nth_weekday(1, jiff::civil::Weekday::Wednesday).unwrap().start_of_day().unwrap();
    world.now = wednesday.timestamp() + jiff::SignedDuration::from_hours(12);
    assert!(world.plan().roll.wanted.is_empty());
    world.now = wednesday.timestamp() + jiff::SignedDuration::from_mins(30);
    assert_eq!(world.plan().roll.wanted.len(), 6);
}

#[test]
fn a_replaced_key_is_trusted_everywhere_before_anything_is_signed_with_it() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    let leaf_of = |world: &World| {
        let data = world.observed.secrets["my-dual-0"].data.clone().unwrap();
        (data["my-dual-0.crt"].clone(), data["my-dual-0.key"].clone())
    };
    let leaf = leaf_of(&world);
    world.annotate_secret("my-cluster-ca", "strimzi.io/force-replace", "true");
    let plan = world.plan();
    assert!(reasons(&plan)["my-dual-0"].contains(&RestartReason::ClusterCaCertKeyReplaced));
    world.apply(&plan);
    assert_eq!(leaf_of(&world), leaf, "the old certificate stays while pods do not trust the new key");
    let bundle = |world: &World| {
        let data = world.observed.secrets["my-trustbundle"].data.clone().unwrap();
        String::from_utf8(data["cluster-ca.crt"].0.clone()).unwrap().matches("BEGIN CERTIFICATE").count()
    };
    assert_eq!(bundle(&world), 2);
    assert_eq!(roll(&mut world), 9, "to trust, to be signed anew, to forget the old authority");
    assert_ne!(leaf_of(&world), leaf);
    assert_eq!(bundle(&world), 1);
    let annotations = world.observed.secrets["my-cluster-ca"].metadata.annotations.clone().unwrap();
    assert_eq!(annotations["strimzi.io/ca-key-generation"], "1");
}

#[test]
fn a_pool_grows_with_the_lowest_free_ids_or_those_wished_for() {
    let mut world = World::load("split-pools.input.yaml");
    world.settle();
    world.pool(0, |pool| pool["spec"]["replicas"] = json!(4));
    let plan = world.plan();
    assert_eq!(pool_status(&plan, "brokers")["nodeIds"], json!([0, 1, 2, 6]));
    assert!(plan.roll.wanted.is_empty(), "nothing that runs is touched: {:?}", plan.roll.wanted);
    object(&plan, "PersistentVolumeClaim", "data-1-shop-brokers-6");
    world.pool(0, |pool| pool["metadata"]["annotations"] = json!({"strimzi.io/next-node-ids": "[100-110]"}));
    assert_eq!(pool_status(&world.plan(), "brokers")["nodeIds"], json!([0, 1, 2, 100]));
}

#[test]
fn a_controller_more_joins_and_restarts_nobody() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.pool(0, |pool| pool["spec"]["replicas"] = json!(5));
    let plan = world.plan();
    assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
    assert_eq!(agent(&plan, "my-dual-3")["initialControllers"], Value::Null);
    let config = object(&plan, "ConfigMap", "my-dual-3")["data"]["server.config"].as_str().unwrap();
    assert!(config.contains("controller.quorum.auto.join.enable=true"));
    let settled = world.settle();
    assert!(condition(&settled, "Ready").is_some(), "{:?}", settled.waiting_for);
}

#[test]
fn a_broker_with_replicas_is_never_removed() {
    let mut world = World::load("split-pools.input.yaml");
    world.settle();
    world.pool(0, |pool| pool["spec"]["replicas"] = json!(2));
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["config"] = json!({"default.replication.factor": 2, "min.insync.replicas": 1});
    });
    let plan = world.plan();
    assert!(warning_with(&plan, "ScaleDownPreventionCheck").is_some());
    assert_eq!(pool_status(&plan, "brokers")["nodeIds"], json!([0, 1, 2]));
    world.observed.view.as_mut().unwrap().brokers_with_replicas = Some([0, 1].into());
    let plan = world.plan();
    assert_eq!(pool_status(&plan, "brokers")["nodeIds"], json!([0, 1]));
    world.apply(&plan);
    world.run_everything();
    let plan = world.plan();
    let gone: Vec<&str> = plan.delete.iter().map(|gone| gone.object.name.as_str()).collect();
    assert_eq!(
        gone,
        ["shop-brokers-2", "data-1-shop-brokers-2", "shop-brokers-2"],
        "the claim to keep is kept"
    );
}

#[test]
fn the_claim_of_a_volume_that_left_its_pool_goes_when_no_pod_uses_it_any_more() {
    let mut world = World::load("split-pools.input.yaml");
    world.settle();
    let claims = |world: &World, volume: &str| -> usize {
        world
            .observed
            .claims
            .keys()
            .filter(|name| name.starts_with(&format!("{volume}-shop-brokers")))
            .count()
    };
    assert_eq!((claims(&world, "data-0"), claims(&world, "data-1")), (3, 3));
    world.log_dirs = Ok(broken_disks(1, 0..9));
    world.pool(0, |pool| {
        pool["metadata"]["annotations"]["kastellan.io/discard-volumes"] = json!("[1]");
        pool["spec"]["storage"]["volumes"].as_array_mut().unwrap().remove(1);
    });
    let plan = world.plan();
    assert!(plan.delete.is_empty(), "{:?}", plan.delete);
    assert_eq!(roll(&mut world), 3);
    let plan = world.plan();
    world.apply(&plan);
    assert_eq!((claims(&world, "data-0"), claims(&world, "data-1")), (3, 0));
}

#[test]
fn a_storage_change_that_cannot_be_made_leaves_the_storage_as_it_is() {
    let mut world = World::load("split-pools.input.yaml");
    world.settle();
    world.pool(0, |pool| pool["spec"]["storage"]["volumes"][0]["size"] = json!("5Gi"));
    let plan = world.plan();
    let message = warning_with(&plan, "KafkaStorage").unwrap();
    assert!(message.contains("KafkaNodePool brokers spec.storage") && message.contains("10Gi"), "{message}");
    assert!(plan.roll.wanted.is_empty());
}

#[test]
fn a_claim_grows_where_its_storage_class_lets_it() {
    let mut world = World::load("split-pools.input.yaml");
    world.settle();
    for claim in world.observed.claims.values_mut() {
        let claim = std::sync::Arc::make_mut(claim);
        claim.spec.as_mut().unwrap().storage_class_name = Some("disks".to_owned());
        claim.status = Some(serde_json::from_value(json!({"phase": "Bound"})).unwrap());
    }
    world.pool(0, |pool| pool["spec"]["storage"]["volumes"][0]["size"] = json!("15Gi"));
    world.plan();
    assert!(world.asked.contains(&Need::StorageClass("disks".to_owned())), "the plan asks first");
    let size = |plan: &Plan| {
        let claim = object(plan, "PersistentVolumeClaim", "data-0-shop-brokers-0");
        claim["spec"]["resources"]["requests"]["storage"].as_str().unwrap().to_owned()
    };
    let class = |world: &mut World, may_grow| {
        world.storage_classes.insert("disks".to_owned(), may_grow);
        world.plan()
    };
    assert_eq!(size(&class(&mut world, Some(true))), "15Gi");
    assert_eq!(size(&class(&mut world, None)), "15Gi", "the API server judges");
    let plan = class(&mut world, Some(false));
    assert_eq!(size(&plan), "10Gi");
    let warning = warning_with(&plan, "PvcResizingWarning").unwrap();
    assert!(warning.contains("allowVolumeExpansion"), "{warning}");
    // One without a class has nobody who could make it grow, and one that is not bound cannot be changed yet.
    world.storage_classes.clear();
    let live = |world: &mut World| {
        std::sync::Arc::make_mut(world.observed.claims.get_mut("data-0-shop-brokers-0").unwrap()).clone()
    };
    let mut bare = live(&mut world);
    bare.spec.as_mut().unwrap().storage_class_name = None;
    world.observed.claims.insert("data-0-shop-brokers-0".to_owned(), bare.into());
    assert_eq!(size(&world.plan()), "10Gi");
    let mut pending = live(&mut world);
    pending.status = Some(serde_json::from_value(json!({"phase": "Pending"})).unwrap());
    world.observed.claims.insert("data-0-shop-brokers-0".to_owned(), pending.into());
    assert_eq!(size(&world.plan()), "10Gi");
}

#[test]
fn what_is_no_longer_wanted_goes() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.kafka(|kafka| drop(kafka["spec"].as_object_mut().unwrap().remove("entityOperator")));
    let plan = world.plan();
    let kinds: Vec<&str> = plan.delete.iter().map(|gone| gone.object.kind.as_str()).collect();
    for kind in [
        "Deployment",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "ConfigMap",
        "Secret",
    ] {
        assert!(kinds.contains(&kind), "{kind} stays: {:?}", plan.delete);
    }
    assert!(plan.delete.iter().all(|gone| gone.object.name.contains("entity")), "{:?}", plan.delete);
    world.apply(&plan);
    assert!(world.plan().delete.is_empty());
}

#[test]
fn a_rack_without_the_right_to_bind_says_what_to_bind() {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| kafka["spec"]["kafka"]["rack"] = json!({"topologyKey": "zone"}));
    let binding = |plan: &Plan| plan.apply.iter().any(|object| object.reference.kind == "ClusterRoleBinding");
    let plan = world.plan();
    assert!(binding(&plan) && condition(&plan, "Warning").is_none());

    std::sync::Arc::make_mut(&mut world.observed.settings).cluster_role_bindings = false;
    let plan = world.plan();
    assert!(!binding(&plan));
    let message = condition(&plan, "Warning").unwrap()["message"].clone();
    let message = message.as_str().unwrap();
    for part in ["my-kafka of the namespace s1", "strimzi-s1-my-kafka-init", "spec.kafka.rack.topologyKey"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_version_change_keeps_the_metadata_version_until_every_node_runs_it() {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("4.2.1"));
    world.observed.view =
        Some(planner::kafka::observed::KafkaView { metadata_level: Some(29), ..Default::default() });
    let settled = world.settle();
    assert!(settled.calls.is_empty(), "{:?}", settled.calls);
    world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("4.3.1"));
    let plan = world.plan();
    assert_eq!(plan.roll.wanted.len(), 3);
    assert!(plan.calls.is_empty());
    assert_eq!(object(&plan, "ConfigMap", "my-dual-0")["data"]["metadata.version"], "4.2-IV1");
    roll(&mut world);
    let raise =
        AdminCall::UpdateMetadataVersion { version: "4.3-IV0".to_owned(), level: 30, downgrade: false };
    assert_eq!(world.plan().calls, std::slice::from_ref(&raise));
    // Kafka's refusal is no failure of the cluster.
    world.observed.options.metadata_refused = Some("cannot set it: brokers do not support it".to_owned());
    let plan = world.plan();
    assert_eq!(plan.calls, [raise], "it is asked for again");
    assert!(condition(&plan, "Ready").is_some(), "{:?}", plan.status.kafka);
    let said = warning_with(&plan, "MetadataUpdateFailed").unwrap();
    assert!(said.contains("refuses 4.3-IV0") && said.contains("do not support it"), "{said}");
    world.observed.view.as_mut().unwrap().metadata_level = Some(30);
    assert_eq!(warning_with(&world.plan(), "MetadataUpdateFailed"), None);
}

#[test]
fn a_pod_that_stays_unready_makes_the_cluster_not_ready() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    let pod = std::sync::Arc::make_mut(world.observed.pods.get_mut("my-dual-1").unwrap());
    pod.status.as_mut().unwrap().conditions.as_mut().unwrap()[0].status = "False".to_owned();
    assert!(condition(&world.plan(), "Ready").is_some(), "patience first");
    world.now += jiff::SignedDuration::from_mins(6);
    let plan = world.plan();
    assert!(
        condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().contains("my-dual-1 is not ready")
    );
}

#[test]
fn a_printed_plan_shows_no_secret() {
    let mut world = World::load("dual-role.input.yaml");
    let plan = world.plan();
    let printed = serde_json::to_string(&plan).unwrap();
    assert!(printed.contains("my-cluster-ca"));
    let key = world_key(&plan);
    assert!(!printed.contains(&key));
}

fn world_key(plan: &Plan) -> String {
    object(plan, "Secret", "my-cluster-ca")["data"]["ca.key"].as_str().unwrap().to_owned()
}
