//! Connect clusters that see the same connectors, what their workers offer, and connectors that no worker starts.

use std::sync::atomic::{AtomicUsize, Ordering};

use kube::api::DynamicObject;
use serde_json::json;
use test_support::connect_stand_in::UNSTARTED;
use test_support::stand_in::Fate;
use test_support::{ApiServer, ConnectStandIn};

use crate::connectors::{connect, connector, is_ready, state, until};
use crate::world::{World, condition};

async fn world(prefix: &str, stand_in: &ConnectStandIn) -> World {
    let mut world = World::with(ApiServer::shared().await.unwrap(), prefix, Fate::Ready).await;
    world.set("KASTELLAN_CONNECT_ADDRESSES", &format!("*={}", stand_in.address()));
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "2000");
    world.start_operator().await;
    world
}

#[tokio::test]
async fn clusters_of_one_group_say_so_and_remove_nothing_of_each_other() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    let world = world("groups", &stand_in).await;
    for name in ["one", "two"] {
        let mut whole = connect(name);
        whole["spec"]["groupId"] = json!("shared");
        world.apply(&whole).await;
        world.apply(&connector(name, &format!("of-{name}"), &json!({}))).await;
    }
    let shared = |object: &DynamicObject| condition(object, "Warning", "SharedGroup").is_some();
    for name in ["one", "two"] {
        world.until("KafkaConnect", name, "says that it is not alone", shared).await;
        world.promptly("KafkaConnector", &format!("of-{name}"), "is ready", is_ready).await;
    }
    stand_in.put("by-hand");
    stand_in.take_requests();
    // For several rounds.
    let lists = AtomicUsize::new(0);
    until("there were some rounds", || {
        let requests = stand_in.take_requests();
        let more = requests.iter().filter(|request| request.starts_with("GET /connectors?")).count();
        lists.fetch_add(more, Ordering::Relaxed) > 8
    })
    .await;
    assert_eq!(stand_in.names(), ["by-hand", "of-one", "of-two"]);
    // Alone again, it rules its connectors.
    world.delete("KafkaConnect", "two").await;
    world.until("KafkaConnect", "one", "says nothing of it", |object| !shared(object)).await;
    until("what nobody declares goes", || stand_in.names() == ["of-one"]).await;
}

#[tokio::test]
async fn mirrors_of_one_group_say_so_and_remove_nothing_of_each_other_nor_of_a_kafka_connect() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    let world = world("mirror-groups", &stand_in).await;
    let mirror = |name: &str| {
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaMirrorMaker2", "metadata": {"name": name},
            "spec": {"replicas": 1,
                "target": {"alias": "dst", "bootstrapServers": "k:9092", "groupId": "shared", "configStorageTopic": "c",
                    "statusStorageTopic": "s", "offsetStorageTopic": "o"},
                "mirrors": [{"source": {"alias": name, "bootstrapServers": "h:1"}, "sourceConnector": {}}]}})
    };
    let mut whole = connect("one");
    whole["spec"]["groupId"] = json!("shared");
    whole["spec"]["bootstrapServers"] = json!("k:9092");
    world.apply(&whole).await;
    world.apply(&connector("one", "of-one", &json!({}))).await;
    world.promptly("KafkaConnector", "of-one", "is ready", is_ready).await;
    let shared = |object: &DynamicObject| condition(object, "Warning", "SharedGroup").is_some();
    for name in ["a", "b"] {
        world.apply(&mirror(name)).await;
        world.until("KafkaMirrorMaker2", name, "says that it is not alone", shared).await;
    }
    let all = ["a->dst.MirrorSourceConnector", "b->dst.MirrorSourceConnector", "of-one"];
    until("all connectors are there", || stand_in.names() == all).await;
    stand_in.take_requests();
    let lists = AtomicUsize::new(0);
    until("there were some rounds", || {
        let requests = stand_in.take_requests();
        assert!(requests.iter().all(|request| !request.starts_with("DELETE")), "{requests:?}");
        let more = requests.iter().filter(|request| request.starts_with("GET /connectors?")).count();
        lists.fetch_add(more, Ordering::Relaxed) > 8
    })
    .await;
    assert_eq!(stand_in.names(), all);

    // Whoever is left alone rules again.
    world.delete("KafkaConnect", "one").await;
    world.delete("KafkaMirrorMaker2", "b").await;
    world.promptly("KafkaMirrorMaker2", "a", "is alone", |found| !shared(found)).await;
    until("what it does not ask for is gone", || stand_in.names() == [all[0]]).await;
}

#[tokio::test]
async fn the_status_names_what_the_workers_offer_and_they_are_asked_once() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    let world = world("plugins", &stand_in).await;
    world.apply(&connect("c")).await;
    let offered = json!([{"class": "A", "type": "source", "version": "1"}]);
    let named = |object: &DynamicObject| object.data["status"]["connectorPlugins"] == offered;
    world.until("KafkaConnect", "c", "names the plug-ins", named).await;
    // Passes come and go.
    let before = world.operator().metric("strimzi_reconciliations_successful_total", "kind=\"KafkaConnect\"");
    until("there were some passes", || {
        world.operator().metric("strimzi_reconciliations_successful_total", "kind=\"KafkaConnect\"")
            > before + 2.0
    })
    .await;
    let requests = stand_in.take_requests();
    let asked = requests.iter().filter(|request| request.ends_with("/connector-plugins")).count();
    assert_eq!(asked, 1, "{requests:?}");
}

#[tokio::test]
async fn a_connector_that_no_worker_starts_can_be_stopped() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    let world = world("unstarted", &stand_in).await;
    world.apply(&connect("c")).await;
    let name = format!("{UNSTARTED}a");
    world.apply(&connector("c", &name, &json!({}))).await;
    let waits = |object: &DynamicObject| condition(object, "NotReady", "Creating").is_some();
    world.until("KafkaConnector", &name, "is waited for", waits).await;
    world.apply(&connector("c", &name, &json!({"state": "stopped"}))).await;
    let stopped = |object: &DynamicObject| is_ready(object) && state(object) == "STOPPED";
    world.until("KafkaConnector", &name, "is stopped", stopped).await;
}
