//! What exists of a cluster is what the statuses, the pod sets, the pods and Kafka say together. Each test lets some of these
//! sources forget a node and looks whether it is given up.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::common::{World, kafka_status, object, pool_status};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::observed::{KafkaView, QuorumView};
use planner::kafka::plan::Plan;
use planner::kafka::transitions::scaling::needs_replicas;
use serde_json::{Value, json};

/// Index of the pool `brokers` of the split cluster, whose nodes are 0, 1 and 2; the controllers are 3, 4 and 5.
const BROKERS: usize = 0;
const CONTROLLERS: usize = 1;

fn split() -> World {
    let mut world = World::load("split-pools.input.yaml");
    world.observed.view = Some(KafkaView { metadata_level: Some(29), ..KafkaView::default() });
    world.settle();
    world
}

/// Two brokers more, 6 and 7, whose pass failed before the pool's status was written.
fn grown_without_status() -> World {
    let mut world = split();
    world.pool(BROKERS, |pool| pool["spec"]["replicas"] = json!(5));
    let old = world.observed.pools[BROKERS].status.clone();
    let plan = world.plan();
    world.apply(&plan);
    Arc::make_mut(&mut world.observed.pools[BROKERS]).status = old;
    world.run_everything();
    world
}

fn replicas_on(world: &mut World, brokers: &[i32]) {
    world.observed.view.as_mut().unwrap().brokers_with_replicas = Some(brokers.iter().copied().collect());
}

fn scale(world: &mut World, pool: usize, replicas: i32) {
    world.pool(pool, |pool| pool["spec"]["replicas"] = json!(replicas));
}

/// Node ids in the planned pod set of a pool of the split cluster.
fn listed(plan: &Plan, pool: &str) -> BTreeSet<i32> {
    let set = object(plan, "StrimziPodSet", &format!("shop-{pool}"));
    let names = set["spec"]["pods"].as_array().unwrap().iter().map(|pod| pod["metadata"]["name"].as_str());
    names.map(|name| name.unwrap().rsplit_once('-').unwrap().1.parse().unwrap()).collect()
}

fn ids(ids: &[i32]) -> BTreeSet<i32> {
    ids.iter().copied().collect()
}

fn deleted_claims(plan: &Plan) -> Vec<&str> {
    let claims = plan.delete.iter().filter(|gone| gone.object.kind == "PersistentVolumeClaim");
    claims.map(|gone| gone.object.name.as_str()).collect()
}

/// The message of the warning that something is not scaled down.
fn held_back(plan: &Plan) -> String {
    let status = kafka_status(plan);
    let conditions = status["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|condition| condition["reason"] == "ScaleDownPreventionCheck");
    found.unwrap_or_else(|| panic!("{conditions:?}"))["message"].as_str().unwrap().to_owned()
}

#[test]
fn brokers_that_the_status_never_learned_of_leave_only_without_replicas() {
    let mut world = grown_without_status();
    scale(&mut world, BROKERS, 3);
    let plan = world.plan();
    assert_eq!(listed(&plan, "brokers"), ids(&[0, 1, 2, 6, 7]), "Kafka was not asked for replicas");
    assert!(held_back(&plan).contains("6, 7"), "{}", held_back(&plan));
    replicas_on(&mut world, &[0, 1, 7]);
    let plan = world.plan();
    assert_eq!(listed(&plan, "brokers"), ids(&[0, 1, 2, 6, 7]));
    assert!(held_back(&plan).contains("brokers 7 hold replicas"), "{}", held_back(&plan));
    assert_eq!(pool_status(&plan, "brokers")["nodeIds"], json!([0, 1, 2, 6, 7]));
    assert!(plan.delete.is_empty() && plan.calls.is_empty(), "{:?} {:?}", plan.delete, plan.calls);
    replicas_on(&mut world, &[0, 1, 2]);
    assert_eq!(listed(&world.plan(), "brokers"), ids(&[0, 1, 2]));
}

#[test]
fn brokers_of_which_only_the_pods_are_left_leave_only_without_replicas() {
    let mut world = grown_without_status();
    // The pod set is lost; of the pods, some are stopping for that already.
    world.observed.pod_sets.remove("shop-brokers");
    let stopping = Arc::make_mut(world.observed.pods.get_mut("shop-brokers-7").unwrap());
    stopping.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-06-01T12:00:00Z")).unwrap());
    scale(&mut world, BROKERS, 3);
    replicas_on(&mut world, &[6]);
    assert_eq!(listed(&world.plan(), "brokers"), ids(&[0, 1, 2, 6, 7]));
    // And the status as well.
    Arc::make_mut(&mut world.observed.pools[BROKERS]).status = None;
    world.observed.pods.get_mut("shop-brokers-7").map(Arc::make_mut).unwrap().metadata.deletion_timestamp =
        None;
    assert_eq!(listed(&world.plan(), "brokers"), ids(&[0, 1, 2, 6, 7]));
}

#[test]
fn a_broker_that_was_let_go_is_not_called_back_while_its_pod_stops() {
    let mut world = split();
    scale(&mut world, BROKERS, 2);
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["config"] = json!({"default.replication.factor": 2, "min.insync.replicas": 1});
    });
    replicas_on(&mut world, &[0, 1]);
    let plan = world.plan();
    assert_eq!(listed(&plan, "brokers"), ids(&[0, 1]));
    world.apply(&plan);
    let stopping = Arc::make_mut(world.observed.pods.get_mut("shop-brokers-2").unwrap());
    stopping.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-06-01T12:00:00Z")).unwrap());
    let answer = world.observed.view.take();
    assert_eq!(listed(&world.plan(), "brokers"), ids(&[0, 1]), "Kafka does not answer this time");
    world.observed.pods.remove("shop-brokers-2");
    assert_eq!(listed(&world.plan(), "brokers"), ids(&[0, 1]));
    world.observed.view = answer;
    world.observed.view.as_mut().unwrap().active_brokers = ids(&[0, 1]);
    let plan = world.plan();
    assert_eq!(listed(&plan, "brokers"), ids(&[0, 1]));
    assert_eq!(plan.calls, [AdminCall::UnregisterBroker { broker: 2 }]);
}

#[test]
fn a_claim_goes_only_when_kafka_no_longer_knows_its_node() {
    let mut world = split();
    scale(&mut world, BROKERS, 2);
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["config"] = json!({"default.replication.factor": 2, "min.insync.replicas": 1});
    });
    replicas_on(&mut world, &[0, 1]);
    let plan = world.plan();
    world.apply(&plan);
    world.observed.pods.remove("shop-brokers-2");
    let view = world.observed.view.as_mut().unwrap();
    view.active_brokers = ids(&[0, 1]);
    assert!(view.registered_brokers.contains(&2));
    assert!(deleted_claims(&world.plan()).is_empty(), "Kafka still has the broker");
    let answer = world.observed.view.take();
    assert!(deleted_claims(&world.plan()).is_empty(), "Kafka does not answer");
    world.observed.view = answer;
    world.observed.view.as_mut().unwrap().registered_brokers = ids(&[0, 1]);
    assert_eq!(deleted_claims(&world.plan()), ["data-1-shop-brokers-2"]);
}

#[test]
fn a_registered_broker_with_replicas_comes_back_when_everything_else_forgot_it() {
    let mut world = split();
    // The pool was deleted and made again; its volumes are kept. Its pods are gone.
    world.pool(BROKERS, |pool| {
        pool["status"] = Value::Null;
        pool["metadata"]["uid"] = json!("another");
        pool["spec"]["replicas"] = json!(2);
    });
    world.observed.pod_sets.remove("shop-brokers");
    world.observed.pods.retain(|name, _| !name.contains("brokers"));
    world.observed.config_maps.retain(|name, _| !name.contains("brokers"));
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["config"] = json!({"default.replication.factor": 1, "min.insync.replicas": 1});
    });
    replicas_on(&mut world, &[0, 2]);
    world.observed.view.as_mut().unwrap().active_brokers.clear();
    let plan = world.plan();
    assert_eq!(listed(&plan, "brokers"), ids(&[0, 2]), "those that hold replicas, not the lowest");
    // One that holds none is let go of by Kafka too, one at which replicas are is not.
    assert_eq!(plan.calls, [AdminCall::UnregisterBroker { broker: 1 }]);
    scale(&mut world, BROKERS, 1);
    assert_eq!(listed(&world.plan(), "brokers"), ids(&[0, 2]));
}

#[test]
fn a_broker_that_holds_replicas_and_has_no_pool_stays_registered_and_is_named() {
    let mut world = split();
    let view = world.observed.view.as_mut().unwrap();
    view.registered_brokers.insert(9);
    assert!(world.plan().calls.is_empty(), "it may hold replicas");
    replicas_on(&mut world, &[0, 9]);
    let plan = world.plan();
    assert!(plan.calls.is_empty(), "{:?}", plan.calls);
    let warning = warning(&plan, "ScaleDownPreventionCheck").unwrap();
    assert!(warning.contains("broker 9"), "{warning}");
    world.kafka(|kafka| {
        kafka["metadata"]["annotations"] = json!({"strimzi.io/skip-broker-scaledown-check": "true"});
    });
    assert_eq!(world.plan().calls, [AdminCall::UnregisterBroker { broker: 9 }]);
}

#[test]
fn no_pool_takes_an_id_that_another_node_still_has() {
    let mut world = grown_without_status();
    // A pool that is looked at before the others.
    let mut early = serde_json::to_value(world.observed.pools[BROKERS].as_ref()).unwrap();
    early["metadata"]["name"] = json!("a-brokers");
    early["metadata"]["uid"] = json!("pool-3");
    early["spec"]["replicas"] = json!(1);
    early["status"] = Value::Null;
    world.observed.pools.insert(0, Arc::new(serde_json::from_value(early).unwrap()));
    assert_eq!(listed(&world.plan(), "a-brokers"), ids(&[8]), "6 and 7 run, though no status says so");
    // One that Kafka knows, and one that votes.
    let view = world.observed.view.as_mut().unwrap();
    view.registered_brokers.insert(8);
    view.quorum.as_mut().unwrap().voters.insert(9, "directory-9".to_owned());
    assert_eq!(listed(&world.plan(), "a-brokers"), ids(&[10]));
    // Of a pool that is no more, the pods may still run.
    world.observed.view.as_mut().unwrap().registered_brokers.remove(&8);
    let mut pod = world.observed.pods["shop-brokers-7"].as_ref().clone();
    pod.metadata.name = Some("shop-former-8".to_owned());
    pod.metadata
        .labels
        .get_or_insert_default()
        .insert("strimzi.io/pool-name".to_owned(), "former".to_owned());
    world.observed.pods.insert("shop-former-8".to_owned(), Arc::new(pod));
    assert_eq!(listed(&world.plan(), "a-brokers"), ids(&[10]));
}

#[test]
fn a_pool_made_in_place_of_another_does_not_get_the_ids_at_which_kafka_still_has_replicas() {
    let mut world = split();
    // Its volumes went with it.
    world.pool(BROKERS, |pool| {
        pool["status"] = Value::Null;
        pool["metadata"]["uid"] = json!("another");
    });
    world.observed.pod_sets.remove("shop-brokers");
    world.observed.claims.retain(|name, _| !name.contains("brokers"));
    for (name, pod) in &mut world.observed.pods {
        if name.contains("brokers") {
            Arc::make_mut(pod).metadata.deletion_timestamp =
                Some(serde_json::from_value(json!("2026-06-01T12:00:00Z")).unwrap());
        }
    }
    replicas_on(&mut world, &[0, 1, 2]);
    assert_eq!(listed(&world.plan(), "brokers"), ids(&[6, 7, 8]));
}

#[test]
fn a_pool_grows_only_when_it_is_known_which_ids_kafka_knows() {
    let mut world = split();
    scale(&mut world, BROKERS, 4);
    world.kafka(|kafka| kafka["status"]["clusterId"] = json!("the-cluster"));
    let answer = world.observed.view.take();
    let plan = world.plan();
    assert_eq!(listed(&plan, "brokers"), ids(&[0, 1, 2]));
    let waiting = plan.waiting_for.join("; ");
    assert!(waiting.contains("pool brokers") && waiting.contains("strimzi.io/next-node-ids"), "{waiting}");
    // Ids that the user names are taken at once.
    world.pool(BROKERS, |pool| pool["metadata"]["annotations"] = json!({"strimzi.io/next-node-ids": "[20]"}));
    assert_eq!(listed(&world.plan(), "brokers"), ids(&[0, 1, 2, 20]));
    // While no broker is ready nobody could tell, and waiting would have no end.
    world.pool(BROKERS, |pool| pool["metadata"]["annotations"] = Value::Null);
    let pods = world.observed.pods.clone();
    world.observed.pods.retain(|name, _| !name.contains("brokers"));
    assert_eq!(listed(&world.plan(), "brokers"), ids(&[0, 1, 2, 6]));
    world.observed.pods = pods;
    world.observed.view = answer;
    assert_eq!(listed(&world.plan(), "brokers"), ids(&[0, 1, 2, 6]));
}

#[test]
fn a_role_that_the_status_never_learned_of_is_taken_away_only_without_replicas() {
    let mut world = split();
    // Its nodes become brokers too, in a pass that fails before the status is written.
    let old = world.observed.pools[CONTROLLERS].status.clone();
    world.pool(CONTROLLERS, |pool| pool["spec"]["roles"] = json!(["controller", "broker"]));
    let plan = world.plan();
    world.apply(&plan);
    Arc::make_mut(&mut world.observed.pools[CONTROLLERS]).status = old;
    for node in 3..6 {
        world.restart(&format!("shop-controllers-{node}"));
    }
    world.pool(CONTROLLERS, |pool| pool["spec"]["roles"] = json!(["controller"]));
    let roles = |world: &mut World| pool_status(&world.plan(), "controllers")["roles"].clone();
    assert_eq!(roles(&mut world), json!(["controller", "broker"]), "Kafka was not asked for replicas");
    replicas_on(&mut world, &[0, 4]);
    assert!(held_back(&world.plan()).contains("brokers 4 hold replicas"), "{}", held_back(&world.plan()));
    assert_eq!(roles(&mut world), json!(["controller", "broker"]));
    replicas_on(&mut world, &[0]);
    let plan = world.plan();
    assert_eq!(pool_status(&plan, "controllers")["roles"], json!(["controller"]));
    // The pods are restarted one by one meanwhile; an answer that does not come gives the role back to none of them.
    world.apply(&plan);
    let answer = world.observed.view.take();
    assert_eq!(roles(&mut world), json!(["controller"]));
    world.observed.view = answer;
    // What became a replica's home in between keeps the role.
    replicas_on(&mut world, &[0, 3]);
    assert_eq!(roles(&mut world), json!(["controller", "broker"]));
    // Where nothing else is left, the pods say which roles there are.
    world.observed.pod_sets.remove("shop-controllers");
    Arc::make_mut(&mut world.observed.pools[CONTROLLERS]).status = None;
    world.observed.view = None;
    assert_eq!(roles(&mut world), json!(["controller", "broker"]));
}

#[test]
fn a_broker_that_became_a_controller_alone_is_taken_off_kafkas_list() {
    let mut world = split();
    world.pool(CONTROLLERS, |pool| pool["spec"]["roles"] = json!(["controller", "broker"]));
    world.settle();
    for node in 3..6 {
        world.restart(&format!("shop-controllers-{node}"));
    }
    world.pool(CONTROLLERS, |pool| pool["spec"]["roles"] = json!(["controller"]));
    replicas_on(&mut world, &[0]);
    let plan = world.plan();
    assert!(plan.calls.is_empty(), "they run as brokers: {:?}", plan.calls);
    world.apply(&plan);
    for node in 3..6 {
        world.restart(&format!("shop-controllers-{node}"));
    }
    let view = world.observed.view.as_mut().unwrap();
    view.registered_brokers.extend([3, 4, 5]);
    let gone = [3, 4, 5].map(|broker| AdminCall::UnregisterBroker { broker });
    assert_eq!(world.plan().calls, gone);
}

#[test]
fn kafka_is_asked_for_replicas_whenever_something_may_leave() {
    let world = split();
    assert!(!needs_replicas(&world.observed), "listing every partition has its price");
    let mut fewer = split();
    scale(&mut fewer, BROKERS, 2);
    assert!(needs_replicas(&fewer.observed));
    let mut without_the_role = split();
    without_the_role.pool(CONTROLLERS, |pool| pool["spec"]["roles"] = json!(["controller", "broker"]));
    without_the_role.settle();
    without_the_role.pool(CONTROLLERS, |pool| pool["spec"]["roles"] = json!(["controller"]));
    assert!(needs_replicas(&without_the_role.observed), "the number of nodes stays the same");
    let mut forgotten = grown_without_status();
    scale(&mut forgotten, BROKERS, 3);
    assert!(needs_replicas(&forgotten.observed), "the status has as many as are asked for");
    let mut unknown = split();
    unknown.observed.view.as_mut().unwrap().registered_brokers.insert(9);
    assert!(needs_replicas(&unknown.observed));
}

/// A cluster as another operator left it: with a fixed list of voters, without our annotations.
fn with_static_quorum() -> World {
    let mut world = split();
    for map in world.observed.config_maps.values_mut() {
        let map = Arc::make_mut(map);
        map.metadata.annotations = None;
        if let Some(config) = map.data.as_mut().and_then(|data| data.get_mut("server.config")) {
            config.push_str("\ncontroller.quorum.voters=3@a:9090,4@b:9090,5@c:9090\n");
        }
    }
    for set in world.observed.pod_sets.values_mut() {
        Arc::make_mut(set).metadata.annotations.as_mut().unwrap().retain(|key, _| !key.contains("kastellan"));
    }
    world.observed.view.as_mut().unwrap().quorum = None;
    world.kafka(|kafka| kafka["status"]["clusterId"] = json!("the-cluster"));
    world
}

fn config(plan: &Plan, pod: &str) -> String {
    object(plan, "ConfigMap", pod)["data"]["server.config"].as_str().unwrap().to_owned()
}

const STATIC: &str = "controller.quorum.voters=3@shop-controllers-3";

#[test]
fn a_fixed_list_of_voters_is_remembered_by_more_than_the_config_maps() {
    let mut world = with_static_quorum();
    let first = world.plan();
    assert!(config(&first, "shop-brokers-0").contains(STATIC));
    // As it was taken over: pod sets that do not know the annotations of any other cluster.
    let mut without_maps = with_static_quorum();
    without_maps.observed.config_maps.clear();
    assert!(config(&without_maps.plan(), "shop-brokers-0").contains(STATIC));
    // As this operator leaves it.
    world.apply(&first);
    world.observed.config_maps.clear();
    world.kafka(|kafka| kafka["status"] = Value::Null);
    assert!(config(&world.plan(), "shop-brokers-0").contains(STATIC));
    // Kafka knows best: voters of a fixed list have no directories.
    world.observed.pod_sets.clear();
    let view = world.observed.view.as_mut().unwrap();
    let voters = [3, 4, 5].map(|id| (id, String::new())).into();
    view.quorum = Some(QuorumView { leader: 3, voters, ..QuorumView::default() });
    assert!(config(&world.plan(), "shop-brokers-0").contains(STATIC));
    // And a new cluster has none.
    assert!(
        config(&World::load("split-pools.input.yaml").plan(), "shop-brokers-0").contains("bootstrap.servers")
    );
}

fn warning(plan: &Plan, reason: &str) -> Option<String> {
    let status = kafka_status(plan);
    let conditions = status["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|condition| condition["reason"] == reason)?;
    assert_eq!(found["type"], "Warning");
    Some(found["message"].as_str().unwrap().to_owned())
}

#[test]
fn a_deleted_pool_keeps_the_voters_of_a_fixed_list_whatever_check_is_left_out() {
    let mut world = with_static_quorum();
    world.kafka(|kafka| {
        kafka["metadata"]["annotations"]["strimzi.io/skip-broker-scaledown-check"] = json!("true");
    });
    world.pool(CONTROLLERS, |pool| {
        pool["metadata"]["finalizers"] = json!(["kastellan.io/drain-nodes"]);
        pool["metadata"]["deletionTimestamp"] = json!("2026-06-01T12:00:00Z");
    });
    let plan = world.plan();
    assert!(plan.finalizers.is_empty(), "{:?}", plan.finalizers);
    assert_eq!(listed(&plan, "controllers"), ids(&[3, 4, 5]));
}

#[test]
fn controllers_cannot_be_added_to_a_fixed_list_of_voters() {
    let refused = |plan: &Plan| warning(plan, "StaticControllerQuorum").unwrap();
    let mut world = with_static_quorum();
    scale(&mut world, CONTROLLERS, 5);
    let plan = world.plan();
    assert_eq!(listed(&plan, "controllers"), ids(&[3, 4, 5]));
    assert!(refused(&plan).contains("controllers stay nodes 3, 4, 5"), "{}", refused(&plan));
    assert!(!config(&plan, "shop-brokers-0").contains(",6@"));
    // Nor taken away, in whatever way.
    for (replicas, roles) in [(2, json!(["controller"])), (3, json!(["broker"]))] {
        let mut world = with_static_quorum();
        scale(&mut world, CONTROLLERS, replicas);
        world.pool(CONTROLLERS, |pool| pool["spec"]["roles"] = roles);
        let plan = world.plan();
        assert!(held_back(&plan).contains("the list of voters is fixed"), "{}", held_back(&plan));
        assert_eq!(listed(&plan, "controllers"), ids(&[3, 4, 5]));
        assert!(plan.calls.is_empty() && !config(&plan, "shop-controllers-5").contains("auto.join"));
    }
    // Nor by a role. Brokers may come.
    let mut world = with_static_quorum();
    world.pool(BROKERS, |pool| pool["spec"]["roles"] = json!(["controller", "broker"]));
    scale(&mut world, BROKERS, 4);
    let plan = world.plan();
    assert!(refused(&plan).contains("pool brokers"), "{}", refused(&plan));
    assert_eq!(pool_status(&plan, "brokers")["roles"], json!(["broker"]));
    assert_eq!(listed(&plan, "brokers"), ids(&[0, 1, 2, 6]));
    // A pool that is made anew is not more controllers.
    let mut world = with_static_quorum();
    world.pool(CONTROLLERS, |pool| pool["status"] = Value::Null);
    world.observed.pod_sets.remove("shop-controllers");
    world.observed.pods.retain(|name, _| !name.contains("controllers"));
    let plan = world.plan();
    assert_eq!(listed(&plan, "controllers"), ids(&[3, 4, 5]));
    assert_eq!(warning(&plan, "StaticControllerQuorum"), None);
}

#[test]
fn ephemeral_controllers_of_brokers_with_volumes_are_warned_of() {
    let reason = "EphemeralControllers";
    let mut world = split();
    assert_eq!(warning(&world.plan(), reason), None);
    let mut world = World::load("split-pools.input.yaml");
    let ephemeral = json!({"type": "jbod", "volumes": [{"id": 0, "type": "ephemeral"}]});
    world.pool(CONTROLLERS, |pool| pool["spec"]["storage"] = ephemeral.clone());
    let message = warning(&world.plan(), reason).unwrap();
    assert!(message.contains("controllers") && message.contains("persistent-claim"), "{message}");
    world.pool(BROKERS, |pool| pool["spec"]["storage"] = ephemeral.clone());
    assert_eq!(warning(&world.plan(), reason), None, "nobody expects that data stays");
}

#[test]
fn an_empty_pod_set_of_a_pool_that_is_no_more_goes_and_one_with_nodes_stays() {
    let mut world = split();
    let mut former = world.observed.pod_sets["shop-brokers"].as_ref().clone();
    former.metadata.name = Some("shop-former".to_owned());
    let rest = former.spec.pods.clone();
    former.spec.pods.clear();
    world.observed.pod_sets.insert("shop-former".to_owned(), Arc::new(former.clone()));
    let gone: Vec<String> = world.plan().delete.iter().map(|gone| gone.object.name.clone()).collect();
    assert_eq!(gone, ["shop-former"]);
    former.spec.pods = rest;
    world.observed.pod_sets.insert("shop-former".to_owned(), Arc::new(former));
    assert!(world.plan().delete.is_empty());
}

#[test]
fn the_binding_for_a_rack_goes_with_the_rack_and_a_users_copy_stays() {
    let mut world = split();
    let (service, facts) =
        world.observed.others.iter().find(|(object, _)| object.name == "shop-kafka-bootstrap").unwrap();
    let mut copy = service.clone();
    copy.name = "mine".to_owned();
    let facts = planner::live_object::LiveObject { owned: false, ..facts.clone() };
    world.observed.others.insert(copy, facts);
    world.kafka(|kafka| drop(kafka["spec"]["kafka"].as_object_mut().unwrap().remove("rack")));
    let plan = world.plan();
    let gone: Vec<&str> = plan.delete.iter().map(|gone| gone.object.kind.as_str()).collect();
    assert_eq!(gone, ["ClusterRoleBinding"], "{:?}", plan.delete);
}
