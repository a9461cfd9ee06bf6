//! What becomes of connectors in a real worker.

use std::time::Duration;

use connect_client::{Connect, ConnectConfig};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::{Value, json};
use test_support::wait;
use test_world::{DEADLINE, conditions};

use crate::world::{World, state};

/// One world for all of it: a broker and a worker take longer to start than the rest.
#[tokio::test]
async fn a_real_worker_does_what_resources_say() {
    let mut world = World::start().await;
    let connect = Connect::new(ConnectConfig::new(world.worker.address()));
    let mut plugins = connect.connector_plugins().await.unwrap().into_iter();
    let version =
        plugins.find(|plugin| plugin.class == "kastellan.test.TestSourceConnector").unwrap().version;
    assert_eq!(version.as_deref(), Some("7.1"));
    world.common.start_operator().await;
    those_that_hang_or_fail_are_told_and_the_others_work(&world, &connect).await;
    states_and_options(&world, &connect).await;
    failed_tasks_restart_by_themselves(&world).await;
    lines_go_from_file_to_file_and_offsets_are_altered(&world, &connect).await;
    a_worker_that_is_away_is_waited_for(&mut world).await;
    nobody_s_connectors_go(&world, &connect).await;
}

async fn those_that_hang_or_fail_are_told_and_the_others_work(world: &World, connect: &Connect) {
    let does = |what: &str| json!({"config": {"does": what}});
    world.connector("hangs-validation", &does("hang-validation")).await;
    world.connector("hangs-start", &does("hang-start")).await;
    world.connector("fails", &does("fail-start")).await;
    world.connector("classless", &json!({"class": "no.such.Class"})).await;
    world.connector("wrong", &json!({"config": {"number": "many"}})).await;
    world.connector("works", &json!({})).await;
    let works = world.ready_as("works", "RUNNING").await;
    assert_eq!(works.status.unwrap().connector_status.unwrap()["connector"]["version"], "7.1");
    let failed = world.refused("fails", "ConnectorFailed").await;
    assert!(failed.contains("it does not start") && failed.contains("Caused by"), "{failed}");
    let missing = world.refused("classless", "ConnectRestException").await;
    assert!(missing.contains("no.such.Class"), "{missing}");
    let wrong = world.refused("wrong", "ConnectRestException").await;
    assert!(wrong.contains("number") && wrong.contains("many"), "{wrong}");
    world.refused("hangs-validation", "ConnectTimeoutException").await;
    let hangs = world.refused("hangs-start", "Creating").await;
    assert!(!hangs.is_empty());
    assert!(connect.connector("works").await.is_ok());
    for name in ["hangs-validation", "hangs-start", "fails", "classless", "wrong"] {
        world.common.delete(name).await;
    }
}

async fn states_and_options(world: &World, connect: &Connect) {
    world.connector("states", &json!({"state": "stopped"})).await;
    world.ready_as("states", "STOPPED").await;
    world.connector("states", &json!({"state": "paused"})).await;
    world.ready_as("states", "PAUSED").await;
    world.connector("states", &json!({"tasksMax": 2, "version": "[7.0,8.0)", "config": {"number": 5}})).await;
    let two = |connector: &api::KafkaConnector| {
        let status = connector.status.as_ref();
        conditions::is_ready(connector)
            && state(connector) == "RUNNING"
            && status.is_some_and(|status| status.tasks_max == Some(2))
    };
    world.common.until("states", "has two tasks", two).await;
    let config = connect.connector("states").await.unwrap().config;
    let expected = [("number", "5"), ("tasks.max", "2"), ("connector.plugin.version", "[7.0,8.0)")];
    assert!(expected.iter().all(|(name, value)| config[*name] == *value), "{config:?}");
    // What is changed by hand is set right.
    let mut other = config.clone();
    other.insert("number".to_owned(), "6".to_owned());
    connect.configure("states", &other).await.unwrap();
    let right = || async { (connect.connector("states").await.ok()?.config == config).then_some(()) };
    wait::until(DEADLINE, "the options are set right", right).await.unwrap();
    world.common.delete("states").await;
}

async fn failed_tasks_restart_by_themselves(world: &World) {
    let flag = world.worker.folder().join("flag");
    let config = json!({"flag": flag.display().to_string()});
    world.connector("fragile", &json!({"config": config, "autoRestart": {"enabled": true}})).await;
    world.ready_as("fragile", "RUNNING").await;
    std::fs::write(&flag, "").unwrap();
    let failed = |connector: &api::KafkaConnector| {
        conditions::refusal(connector).is_some_and(|condition| {
            condition.message.as_ref().is_some_and(|message| message.contains("the flag is up"))
        })
    };
    world.common.until("fragile", "has failed", failed).await;
    std::fs::remove_file(&flag).unwrap();
    // The first restart came at once, or comes by the annotation.
    let restart = json!({"metadata": {"annotations": {"strimzi.io/restart": "includeTasks,onlyFailed"}}});
    world.common.patch("fragile", restart).await;
    let well = world.ready_as("fragile", "RUNNING").await;
    let counted = |connector: &api::KafkaConnector| {
        let restarts = connector.status.as_ref().and_then(|status| status.auto_restart.as_ref());
        restarts.is_some_and(|restarts| restarts.count >= Some(1))
    };
    assert!(counted(&well), "{:?}", well.status);
    let annotated =
        |connector: &api::KafkaConnector| connector.metadata.annotations.iter().flatten().count() == 0;
    world.common.until("fragile", "has no annotation", annotated).await;
    world.common.delete("fragile").await;
}

async fn lines_go_from_file_to_file_and_offsets_are_altered(world: &World, connect: &Connect) {
    let (from, to) = (world.worker.folder().join("from"), world.worker.folder().join("to"));
    std::fs::write(&from, "one\ntwo\n").unwrap();
    let source = json!({
        "class": "FileStreamSource",
        "config": {"file": from.display().to_string(), "topic": "lines", "topic.creation.default.partitions": 1,
            "topic.creation.default.replication.factor": 1},
        "listOffsets": {"toConfigMap": {"name": "offsets"}}, "alterOffsets": {"fromConfigMap": {"name": "offsets"}},
    });
    let with_state = |state: &str| {
        let mut spec = source.clone();
        spec["state"] = json!(state);
        spec
    };
    world.connector("source", &source).await;
    world.ready_as("source", "RUNNING").await;
    let sink =
        json!({"class": "FileStreamSink", "config": {"file": to.display().to_string(), "topics": "lines"}});
    world.connector("sink", &sink).await;
    world.ready_as("sink", "RUNNING").await;
    let lines = |expected: &'static str| {
        let to = to.clone();
        let read = move || {
            let text = std::fs::read_to_string(&to).unwrap_or_default();
            async move { (text == expected).then_some(()) }
        };
        wait::until(DEADLINE, "lines arrive", read)
    };
    lines("one\ntwo\n").await.unwrap();
    let topics = |connector: &api::KafkaConnector| {
        connector
            .status
            .as_ref()
            .and_then(|status| status.topics.as_ref())
            .is_some_and(|topics| *topics == ["lines"])
    };
    world.common.until("sink", "shows its topic", topics).await;
    world.connector("source", &with_state("stopped")).await;
    world.ready_as("source", "STOPPED").await;
    let written = || async {
        let offsets = connect.offsets("source").await.ok()?;
        (offsets["offsets"][0]["offset"]["position"] == 8).then_some(())
    };
    wait::until(Duration::from_secs(30), "offsets are flushed", written).await.unwrap();
    let ask = |what: &str| json!({"metadata": {"annotations": {"strimzi.io/connector-offsets": what}}});
    let done = |connector: &api::KafkaConnector| connector.metadata.annotations.iter().flatten().count() == 0;
    world.common.patch("source", ask("list")).await;
    world.common.until("source", "has its offsets listed", done).await;
    let maps: Api<ConfigMap> = Api::namespaced(world.common.client.clone(), &world.common.namespace);
    let mut map = maps.get("offsets").await.unwrap();
    let mut offsets: Value = serde_json::from_str(&map.data.as_ref().unwrap()["offsets.json"]).unwrap();
    offsets["offsets"][0]["offset"]["position"] = json!(4);
    map.data.as_mut().unwrap().insert("offsets.json".to_owned(), offsets.to_string());
    maps.replace("offsets", &kube::api::PostParams::default(), &map).await.unwrap();
    world.common.patch("source", ask("alter")).await;
    world.common.until("source", "has its offsets altered", done).await;
    world.connector("source", &source).await;
    lines("one\ntwo\ntwo\n").await.unwrap();
    world.connector("source", &with_state("stopped")).await;
    world.ready_as("source", "STOPPED").await;
    world.common.patch("source", ask("reset")).await;
    world.common.until("source", "has its offsets reset", done).await;
    assert_eq!(connect.offsets("source").await.unwrap()["offsets"], json!([]));
}

async fn a_worker_that_is_away_is_waited_for(world: &mut World) {
    world.worker.kill();
    world.connector("late", &json!({})).await;
    let told = world.refused("late", "ConnectTimeoutException").await;
    // By the call that failed at first, and then by the list of connectors.
    assert!(
        ["no worker of Kafka Connect cluster c answers", "cannot be reached"]
            .iter()
            .any(|words| told.contains(words)),
        "{told}"
    );
    world.worker.start_again().await.unwrap();
    world.ready_as("late", "RUNNING").await;
}

async fn nobody_s_connectors_go(world: &World, connect: &Connect) {
    let config = [("connector.class", "kastellan.test.TestSourceConnector"), ("tasks.max", "1")];
    let config = config.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let made = || async { connect.configure("by-hand", &config).await.ok() };
    wait::until(DEADLINE, "a connector is made by hand", made).await.unwrap();
    world.common.delete("works").await;
    let gone = || async {
        let names: Vec<String> = connect.connectors().await.ok()?.keys().cloned().collect();
        (!names.contains(&"by-hand".to_owned()) && !names.contains(&"works".to_owned())).then_some(())
    };
    wait::until(DEADLINE, "what nobody declares is gone", gone).await.unwrap();
    world.ready_as("late", "RUNNING").await;
}
