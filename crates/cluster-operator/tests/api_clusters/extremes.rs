//! Every number and every depth that the definitions take is survived, and answered in a status or an event. The definitions
//! bound nothing, as those of Strimzi; what ours accept is among it.

use std::sync::Mutex;
use std::time::Duration;

use kube::api::{DynamicObject, GetParams, ListParams};
use kube::core::Request;
use serde_json::{Value, json};
use test_support::extremes::{Extremes, Made};
use test_support::{schema, wait};

use crate::hostile::unbounded_server;
use crate::world::{World, kafka, pool, resource};

/// For many resources at once.
const PATIENCE: Duration = Duration::from_mins(2);

/// The schema of our own definition of a kind.
fn schema_of(kind: &str) -> Value {
    let all = api::crds::all().unwrap();
    let file = all.iter().find(|file| file.crd.spec.names.kind == kind).unwrap();
    schema::stored(&file.crd).unwrap()
}

fn small_kafka(name: &str) -> Value {
    let mut small = kafka(name);
    small["spec"]["kafka"]["config"] = json!({});
    small
}

/// The Kafka resource of a pool, which speaks for it.
fn cluster_of(pool: &str) -> String {
    format!("of-{pool}")
}

/// A pod set made by hand.
fn pod_set(name: &str) -> Value {
    json!({"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": "sets", "strimzi.io/kind": "Kafka"}},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "pods": []}})
}

async fn create(world: &World, kind: &str, prefix: &str, base: &dyn Fn(&str) -> Value) -> Vec<Made> {
    let schema = schema_of(kind);
    let extremes = Extremes { schema: &schema, base, prefix };
    extremes.create(&world.client, &world.namespace, &resource(kind)).await.unwrap()
}

/// What of these has neither a condition nor an event, nor a status that says how many of its pods there are. What is wrong with a
/// pool that can be read, the Kafka resource says.
async fn unanswered(world: &World, kind: &str, made: &[Made]) -> Vec<Made> {
    let events = world.api("Event").list(&ListParams::default()).await.unwrap();
    let mut unanswered = Vec::new();
    for one in made {
        let told = |event: &DynamicObject| event.data["regarding"]["name"] == one.name.as_str();
        let answered = has_answer(world, kind, &one.name).await
            || events.iter().any(told)
            || (kind == "KafkaNodePool" && has_answer(world, "Kafka", &cluster_of(&one.name)).await);
        if !answered {
            unanswered.push(one.clone());
        }
    }
    unanswered
}

async fn has_answer(world: &World, kind: &str, name: &str) -> bool {
    let api = world.api(kind);
    // Some are too deep for the client of this test.
    let request = Request::new(api.resource_url()).get(name, &GetParams::default()).unwrap();
    let text = world.client.request_text(request).await.unwrap();
    let status = text.rfind("\"status\":{\"").map_or("", |start| &text[start..]);
    ["\"conditions\":[{", "\"currentPods\":"].iter().any(|word| status.contains(word))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_and_depth_that_the_definitions_take_is_survived_and_answered() {
    let server = unbounded_server().await;
    let mut world = World::without_operator(server, "extremes").await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    let log = world.log.clone();
    world.level = "INFO";
    world.start_operator().await;

    let kafkas = create(&world, "Kafka", "k", &small_kafka).await;
    for made in &kafkas {
        world.apply(&pool(&made.name, &format!("of-{}", made.name), 1)).await;
    }
    let pools = create(&world, "KafkaNodePool", "p", &|name| pool(&cluster_of(name), name, 1)).await;
    for made in &pools {
        world.apply(&small_kafka(&cluster_of(&made.name))).await;
    }
    let sets = create(&world, "StrimziPodSet", "s", &pod_set).await;
    assert!(kafkas.len() > 50 && pools.len() > 15 && sets.len() > 1, "few were accepted");

    for restart in [false, true] {
        if restart {
            world.kill_operator();
            world.start_operator().await;
        }
        let healthy = if restart { "restarted" } else { "healthy" };
        let healthy_pool = format!("{healthy}-pool");
        world.apply(&pool(healthy, &healthy_pool, 1)).await;
        world.apply(&small_kafka(healthy)).await;
        world.exists("Pod", &format!("{healthy}-{healthy_pool}-0")).await;
        for (kind, made) in [("Kafka", &kafkas), ("KafkaNodePool", &pools), ("StrimziPodSet", &sets)] {
            let left = Mutex::new(made.clone());
            let answered = wait::until(PATIENCE, "each has an answer", || async {
                let before = left.lock().unwrap().clone();
                let now = unanswered(&world, kind, &before).await;
                *left.lock().unwrap() = now.clone();
                now.is_empty().then_some(())
            });
            let answered = answered.await;
            assert!(answered.is_ok(), "no answer to {kind}: {:#?}", left.lock().unwrap());
        }
    }
    let said = log.text();
    assert!(!said.contains("panicked"), "{said}");
}
