//! Connectors, with a stand-in for the REST API of Kafka Connect, under the rights of the chart.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::{DynamicObject, ListParams, PostParams};
use serde_json::{Value, json};
use test_support::connect_stand_in::{HANGS, REFUSED};
use test_support::{ApiServer, ConnectStandIn, wait};

use crate::world::{DEADLINE, PROMPT, World, condition};

const KIND: &str = "KafkaConnector";

pub(crate) fn connect(name: &str) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect",
        "metadata": {"name": name, "annotations": {"strimzi.io/use-connector-resources": "true"}},
        "spec": {"replicas": 1, "bootstrapServers": "kafka:9092", "groupId": name, "configStorageTopic": format!("{name}-c"),
            "statusStorageTopic": format!("{name}-s"), "offsetStorageTopic": format!("{name}-o")},
    })
}

pub(crate) fn connector(cluster: &str, name: &str, spec: &Value) -> Value {
    let mut whole = json!({"class": "A", "config": {"k": "v"}});
    for (field, value) in spec.as_object().unwrap() {
        whole[field] = value.clone();
    }
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": KIND, "spec": whole,
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": cluster}},
    })
}

/// A world with an operator that asks the stand-in about every Connect cluster that has no other address.
async fn world(prefix: &str, address: &str) -> World {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), prefix).await;
    world.set("KASTELLAN_CONNECT_ADDRESSES", address);
    // Rounds over connectors come as often.
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "2000");
    world.start_operator().await;
    world
}

pub(crate) fn is_ready(object: &DynamicObject) -> bool {
    let current = object.data["status"]["observedGeneration"] == json!(object.metadata.generation);
    let conditions = object.data["status"]["conditions"].as_array();
    current
        && conditions
            .is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
}

pub(crate) fn state(object: &DynamicObject) -> &str {
    object.data["status"]["connectorStatus"]["connector"]["state"].as_str().unwrap_or_default()
}

pub(crate) async fn until(what: &str, met: impl Fn() -> bool) {
    wait::until(DEADLINE, what, || async { met().then_some(()) }).await.unwrap();
}

#[tokio::test]
async fn a_connector_is_made_changed_led_through_its_states_and_removed() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    stand_in.put("by-hand");
    let world = world("connector", &format!("*={}", stand_in.address())).await;
    world.apply(&connector("c", "a", &json!({"state": "stopped"}))).await;
    let missing = |object: &DynamicObject| condition(object, "NotReady", "NoSuchResourceException").is_some();
    world.promptly(KIND, "a", "says that its cluster is missing", missing).await;
    world.apply(&connect("c")).await;
    let ready = |object: &DynamicObject| is_ready(object) && state(object) == "STOPPED";
    world.promptly(KIND, "a", "is stopped", ready).await;
    until("what nobody declares is gone", || stand_in.names() == ["a"]).await;
    world.apply(&connector("c", "a", &json!({"tasksMax": 2, "config": {"k": "w"}}))).await;
    let running =
        world.promptly(KIND, "a", "runs", |object| is_ready(object) && state(object) == "RUNNING").await;
    assert_eq!(running.data["status"]["tasksMax"], 1);
    let config = json!({"name": "a", "connector.class": "A", "tasks.max": "2", "k": "w"});
    assert_eq!(stand_in.config("a"), Some(config));
    let topics = |object: &DynamicObject| object.data["status"]["topics"] == json!(["a", "b"]);
    world.promptly(KIND, "a", "shows its topics", topics).await;
    world.apply(&connector("c", "a", &json!({"state": "paused"}))).await;
    world.promptly(KIND, "a", "is paused", |object| is_ready(object) && state(object) == "PAUSED").await;
    // It moves to another cluster by its label, and goes with its resource.
    world.delete(KIND, "a").await;
    until("it is gone", || stand_in.names().is_empty()).await;
}

#[tokio::test]
async fn annotations_are_answered_and_taken_off() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    let world = world("annotations", &format!("*={}", stand_in.address())).await;
    world.apply(&connect("c")).await;
    let spec = json!({"listOffsets": {"toConfigMap": {"name": "offsets"}}, "autoRestart": {"enabled": true}});
    world.apply(&connector("c", "a", &spec)).await;
    world.promptly(KIND, "a", "is ready", is_ready).await;
    stand_in.take_requests();
    let annotations = json!({"strimzi.io/restart": "includeTasks", "strimzi.io/connector-offsets": "list"});
    world.patch(KIND, "a", json!({"metadata": {"annotations": annotations}})).await;
    world.promptly(KIND, "a", "has no annotation", |object| object.annotations().is_empty()).await;
    let requests = stand_in.take_requests();
    let restarts = requests.iter().filter(|request| request.starts_with("POST")).count();
    assert_eq!(restarts, 1, "{requests:?}");
    let map = world.exists("ConfigMap", "offsets").await;
    let offsets: Value = serde_json::from_str(map.data["data"]["offsets.json"].as_str().unwrap()).unwrap();
    assert_eq!(offsets["offsets"][0]["offset"]["position"], 5);
    // What fails restarts by itself, and the status counts it.
    stand_in.fail("a");
    let restarted =
        |object: &DynamicObject| object.data["status"]["autoRestart"]["count"] == 1 && is_ready(object);
    world.promptly(KIND, "a", "was restarted", restarted).await;
    assert!((world.operator().metric("strimzi_auto_restarts_total", "KafkaConnector") - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn every_mistake_and_fault_has_its_words_and_the_others_go_on() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    let world = world("mistakes", &format!("*={}", stand_in.address())).await;
    world.apply(&connect("c")).await;
    let mut plain = connect("plain");
    plain["metadata"]["annotations"] = json!({});
    world.apply(&plain).await;
    let mut none = connect("none");
    none["spec"]["replicas"] = json!(0);
    world.apply(&none).await;
    stand_in.rebalance(8);
    let refused = format!("{REFUSED}one");
    let table = [
        ("c", "list", json!({"config": {"k": [1]}}), "InvalidResourceException", "spec.config.k"),
        ("c", "classless", json!({"class": " "}), "InvalidResourceException", "spec.class"),
        ("c", refused.as_str(), json!({}), "ConnectRestException", "contains the following 1 error"),
        ("plain", "unused", json!({}), "NoSuchResourceException", "use-connector-resources"),
        ("none", "idle", json!({}), "NoSuchResourceException", "0 replicas"),
        ("nowhere", "lost", json!({}), "NoSuchResourceException", "no KafkaConnect resource nowhere"),
    ];
    for (cluster, name, spec, _, _) in &table {
        world.apply(&connector(cluster, name, spec)).await;
    }
    world.apply(&connector("c", "good", &json!({}))).await;
    for (_, name, _, reason, words) in &table {
        let told = |object: &DynamicObject| {
            let message = condition(object, "NotReady", reason).and_then(|one| one["message"].as_str());
            message.is_some_and(|message| message.contains(words))
        };
        world.promptly(KIND, name, &format!("says {words}"), told).await;
    }
    world.promptly(KIND, "good", "is ready", is_ready).await;
    // Workers that are away for long are told, and make nothing worse.
    stand_in.set_away(true);
    world.apply(&connector("c", "late", &json!({}))).await;
    let away = |object: &DynamicObject| condition(object, "NotReady", "ConnectTimeoutException").is_some();
    world.promptly(KIND, "late", "says that nobody answers", away).await;
    let good = world.get(KIND, "good").await;
    assert!(is_ready(&good), "a moment makes it not unready");
    stand_in.set_away(false);
    world.promptly(KIND, "late", "is ready", is_ready).await;
}

/// Applies connectors and waits until those that can be are ready; how long that took.
async fn all_ready(world: &World, cluster: &str, names: &[String], expected: usize) -> Duration {
    let api = world.api(KIND);
    let began = Instant::now();
    for name in names {
        let object = serde_json::from_value(connector(cluster, name, &json!({}))).unwrap();
        api.create(&PostParams::default(), &object).await.unwrap();
    }
    let selector = ListParams::default().labels(&format!("strimzi.io/cluster={cluster}"));
    let ready = || async {
        let all = api.list(&selector).await.unwrap();
        (all.items.iter().filter(|object| is_ready(object)).count() >= expected).then_some(())
    };
    wait::until(DEADLINE, "all that can be are ready", ready).await.unwrap();
    began.elapsed()
}

#[tokio::test]
async fn connectors_that_never_answer_delay_no_other_and_a_settled_round_costs_one_list() {
    let (bad, good) = (ConnectStandIn::start().await.unwrap(), ConnectStandIn::start().await.unwrap());
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "hanging").await;
    let namespace = world.namespace.clone();
    let addresses = format!("{namespace}/bad={},*={}", bad.address(), good.address());
    world.set("KASTELLAN_CONNECT_ADDRESSES", &addresses);
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "2000");
    world.start_operator().await;
    world.apply(&connect("bad")).await;
    world.apply(&connect("good")).await;
    let names: Vec<String> = (0..180).map(|number| format!("good-{number}")).collect();
    let without = all_ready(&world, "good", &names, 180).await;
    let hanging = (0..20).map(|number| format!("{HANGS}{number}"));
    let names: Vec<String> = hanging.chain((0..180).map(|number| format!("bad-{number}"))).collect();
    let with = all_ready(&world, "bad", &names, 180).await;
    // A call that hangs is given up after 30 s: whoever waits for one takes at least so much longer. Less may be the machine's doing.
    let longer = without.max(Duration::from_secs(25));
    assert!(with < without + longer, "{with:?} with those that hang, {without:?} without");
    let told = |object: &DynamicObject| condition(object, "NotReady", "ConnectTimeoutException").is_some();
    world.promptly(KIND, &format!("{HANGS}0"), "says that nobody answers", told).await;
    settled(&world, &good).await;
}

/// Rounds over 180 connectors that are as they are to be.
async fn settled(world: &World, stand_in: &ConnectStandIn) {
    let list = |request: &String| request.starts_with("GET /connectors?");
    // What is new is asked for its topics in turn; each turn writes some statuses, until every connector had one.
    let selector = ListParams::default().labels("strimzi.io/cluster=good");
    let has_topics = || async {
        let all = world.api(KIND).list(&selector).await.unwrap();
        all.items.iter().all(|object| object.data["status"]["topics"].is_array()).then_some(())
    };
    wait::until(PROMPT * 2, "all show their topics", has_topics).await.unwrap();
    let versions = || async {
        let all = world.api(KIND).list(&selector).await.unwrap();
        let of = |object: &DynamicObject| (object.name_any(), object.resource_version());
        all.items.iter().map(of).collect::<BTreeMap<_, _>>()
    };
    stand_in.take_requests();
    let before = versions().await;
    let mut seen = Vec::new();
    let rounds = |seen: &[String]| seen.iter().filter(|request| list(request)).count();
    let began = Instant::now();
    while rounds(&seen) < 3 && began.elapsed() < PROMPT {
        tokio::time::sleep(Duration::from_millis(200)).await;
        seen.extend(stand_in.take_requests());
    }
    let topics = seen.iter().filter(|request| request.ends_with("/topics")).count();
    // On a busy machine several may have begun between two looks. Each asks a tenth of the connectors, and so did the one before.
    let rounds = rounds(&seen);
    assert!(rounds >= 3, "{seen:?}");
    assert!(topics <= (rounds + 1) * 18 && topics + rounds == seen.len(), "{seen:?}");
    assert_eq!(versions().await, before, "a settled round writes nothing");
}
