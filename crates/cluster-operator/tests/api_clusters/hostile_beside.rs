//! Resources of what runs beside Kafka that cannot be read: they say so, and what they have made stays as it is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube::api::{DeleteParams, DynamicObject, GetParams};
use kube::core::Request;
use serde_json::{Value, json};
use test_support::{ConnectStandIn, wait};

use crate::connectors::{connect, is_ready, until};
use crate::every_kind::{HOME, sample};
use crate::hostile::{self, TOO_LARGE, deep, others_get_what_they_need, unbounded_server, volumes};
use crate::world::{PROMPT, World, is_current};

/// Kind, name, a change that cannot be read, what is said of it, and the change that takes it back.
fn changes() -> [(&'static str, &'static str, Value, &'static str, Value); 4] {
    let mode = "spec.template.pod.volumes[0].secret.defaultMode";
    let template = || json!({"spec": {"template": null}});
    [
        ("KafkaConnect", "c", volumes(TOO_LARGE), mode, template()),
        ("KafkaMirrorMaker2", "m", volumes(TOO_LARGE), mode, template()),
        ("KafkaBridge", "b", volumes(TOO_LARGE), mode, template()),
        (
            "KafkaConnector",
            "o",
            json!({"spec": {"config": {"a": deep()}}}),
            "nests too deeply",
            json!({"spec": {"config": {"a": null}}}),
        ),
    ]
}

/// What the resources have made.
async fn made(world: &World) -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    for name in ["c", "m", "b"] {
        made.extend(world.versions(name).await);
    }
    // The passes that read their resources again count the pods anew.
    made.retain(|name, _| !name.starts_with("StrimziPodSet"));
    made
}

/// Waits until the status has these words. The client of this test cannot read all of the resources.
async fn says(world: &World, kind: &str, name: &str, words: &str) {
    let api = world.api(kind);
    let status = || async {
        let request = Request::new(api.resource_url()).get(name, &GetParams::default()).unwrap();
        let text = world.client.request_text(request).await.unwrap();
        let status = text.rfind("\"status\":{\"").map_or("", |start| &text[start..]);
        (status.contains("InvalidResourceException") && status.contains(words)).then_some(())
    };
    wait::until(PROMPT, &format!("{kind} {name} says {words}"), status).await.unwrap();
}

/// Waits for two looks at all connectors.
async fn rounds(stand_in: &ConnectStandIn) {
    stand_in.take_requests();
    let seen = AtomicUsize::new(0);
    until("two rounds over all connectors", || {
        let requests = stand_in.take_requests();
        let lists = requests.iter().filter(|request| request.starts_with("GET /connectors?")).count();
        seen.fetch_add(lists, Ordering::Relaxed) + lists >= 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_beside_kafka_says_so_and_what_it_runs_stays() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    let mut world = World::without_operator(unbounded_server().await, "unread-beside").await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "2000");
    let address = format!("{}/{HOME}={}", world.namespace, stand_in.address());
    world.set("KASTELLAN_CONNECT_ADDRESSES", &address);
    world.start_operator().await;
    world.apply(&connect(HOME)).await;
    for (kind, name, ..) in changes() {
        world.apply(&(sample(kind).make)(name)).await;
    }
    world.until("KafkaConnector", "o", "is ready", is_ready).await;
    for pod in ["c-connect-0", "m-mirrormaker2-0"] {
        world.exists("Pod", pod).await;
    }
    // With the status that the stand-in writes it gets another version.
    world.until("Deployment", "b-bridge", "has the status of what it is now", is_current).await;
    let creating =
        |object: &DynamicObject| is_current(object) && object.data["status"]["conditions"].is_array();
    for (kind, name, ..) in changes() {
        world.until(kind, name, "is carried out", creating).await;
    }
    let before = made(&world).await;

    for (kind, name, change, field, _) in changes() {
        hostile::change(&world, kind, name, change).await;
        says(&world, kind, name, field).await;
    }
    for restart in [false, true] {
        if restart {
            world.kill_operator();
            world.start_operator().await;
        }
        others_get_what_they_need(&world, if restart { "second" } else { "first" }).await;
        rounds(&stand_in).await;
        assert_eq!(stand_in.names(), ["o"], "a connector that cannot be read counts as declared");
        assert_eq!(made(&world).await, before, "what runs was disturbed");
    }
    // The same where it is the cluster of the connectors that cannot be read.
    world.patch("KafkaConnect", HOME, volumes(TOO_LARGE)).await;
    says(&world, "KafkaConnect", HOME, "defaultMode").await;
    world.kill_operator();
    world.start_operator().await;
    others_get_what_they_need(&world, "third").await;
    assert_eq!(stand_in.names(), ["o"]);
    world.patch("KafkaConnect", HOME, json!({"spec": {"template": null}})).await;

    for (kind, name, _, field, back) in changes() {
        hostile::change(&world, kind, name, back).await;
        let heals = |object: &DynamicObject| {
            let conditions = object.data["status"]["conditions"].to_string();
            is_current(object) && conditions.contains("type") && !conditions.contains(field)
        };
        world.promptly(kind, name, "is read again", heals).await;
    }
    assert_eq!(made(&world).await, before, "what runs was disturbed");
    world.promptly("KafkaConnector", "o", "is ready", is_ready).await;

    // What is deleted while it cannot be read goes like any other.
    hostile::change(&world, "KafkaConnector", "o", json!({"spec": {"config": {"a": deep()}}})).await;
    says(&world, "KafkaConnector", "o", "nests too deeply").await;
    let request = Request::new(world.api("KafkaConnector").resource_url());
    let request = request.delete("o", &DeleteParams::default()).unwrap();
    world.client.request_text(request).await.unwrap();
    until("its connector is gone", || stand_in.names().is_empty()).await;
}
