//! Every number and every depth that the definitions take is survived, and answered in a status or an event. The definitions
//! bound nothing, as those of Strimzi; what ours accept is among it.

use std::sync::Mutex;
use std::time::Duration;

use kube::api::{DynamicObject, GetParams, ListParams};
use kube::core::Request;
use serde_json::Value;
use test_support::extremes::{Extremes, Made};
use test_support::{ConnectStandIn, schema, wait};

use crate::connectors::{connect, is_ready};
use crate::every_kind::{HOME, KINDS, Sample, of, sample};
use crate::hostile::unbounded_server;
use crate::world::{World, resource};

/// For many resources at once.
const PATIENCE: Duration = Duration::from_mins(2);

/// A kind, how many of its resources are accepted at the least, and the object that shows that one of a name is carried out.
type Tried = (&'static str, usize, fn(&str) -> (&'static str, String));

const OF_KAFKA: [Tried; 3] = [
    ("Kafka", 50, |name| ("Pod", format!("{name}-{}-0", of(name)))),
    ("KafkaNodePool", 15, |name| ("Pod", format!("{}-{name}-0", of(name)))),
    // Nobody looks after a pod set that was made by hand: those of the clusters above are.
    ("StrimziPodSet", 1, |name| ("StrimziPodSet", name.to_owned())),
];

const BESIDE_KAFKA: [Tried; 5] = [
    ("KafkaConnect", 20, |name| ("Pod", format!("{name}-connect-0"))),
    ("KafkaConnector", 4, |name| ("KafkaConnector", name.to_owned())),
    ("KafkaMirrorMaker2", 20, |name| ("Pod", format!("{name}-mirrormaker2-0"))),
    ("KafkaBridge", 15, |name| ("Deployment", format!("{name}-bridge"))),
    ("KafkaMirrorMaker", 5, |name| ("KafkaMirrorMaker2", name.to_owned())),
];

/// The schema of our own definition of a kind.
fn schema_of(kind: &str) -> Value {
    let all = api::crds::all().unwrap();
    let file = all.iter().find(|file| file.crd.spec.names.kind == kind).unwrap();
    schema::stored(&file.crd).unwrap()
}

/// Makes resources of a kind, and what each of them needs beside it.
async fn create(world: &World, of: &Sample) -> Vec<Made> {
    let schema = schema_of(of.kind);
    let extremes = Extremes { schema: &schema, base: &of.make, prefix: of.prefix };
    let made = extremes.create(&world.client, &world.namespace, &resource(of.kind)).await.unwrap();
    for one in &made {
        if let Some(beside) = (of.beside)(&one.name) {
            world.apply(&beside).await;
        }
    }
    made
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
            || (kind == "KafkaNodePool" && has_answer(world, "Kafka", &of(&one.name)).await);
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

/// Waits until each of these has an answer.
async fn all_answered(world: &World, kind: &str, made: &[Made]) {
    let left = Mutex::new(made.to_vec());
    let answered = wait::until(PATIENCE, "each has an answer", || async {
        let before = left.lock().unwrap().clone();
        let now = unanswered(world, kind, &before).await;
        left.lock().unwrap().clone_from(&now);
        now.is_empty().then_some(())
    });
    let answered = answered.await;
    assert!(answered.is_ok(), "no answer to {kind}: {:#?}", left.lock().unwrap());
}

/// Makes the resources of these kinds, of each of them more than so many, and sees that they are answered before and after a start
/// of the operator, and that a sound resource of each kind has what shows that it was carried out.
async fn survives(world: &mut World, kinds: &[Tried]) {
    let mut made = Vec::new();
    for (kind, least, _) in kinds {
        let of_kind = create(world, &sample(kind)).await;
        assert!(of_kind.len() > *least, "few of {kind} were accepted: {}", of_kind.len());
        made.push((*kind, of_kind));
    }
    for restart in [false, true] {
        if restart {
            world.kill_operator();
            world.start_operator().await;
        }
        for (kind, _, shown_by) in kinds {
            let name = format!("{}-{}", if restart { "restarted" } else { "healthy" }, sample(kind).prefix);
            world.apply(&(sample(kind).make)(&name)).await;
            if let Some(beside) = (sample(kind).beside)(&name) {
                world.apply(&beside).await;
            }
            let (shown, by) = shown_by(&name);
            world.until(shown, &by, "is there", |object| shown != "KafkaConnector" || is_ready(object)).await;
        }
        for (kind, made) in &made {
            all_answered(world, kind, made).await;
        }
    }
    let said = world.log.text();
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_and_depth_that_the_definitions_take_is_survived_and_answered() {
    let server = unbounded_server().await;
    let mut world = World::without_operator(server, "extremes").await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.level = "INFO";
    world.start_operator().await;
    survives(&mut world, &OF_KAFKA).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_and_depth_of_what_runs_beside_kafka_is_survived_and_answered() {
    let server = unbounded_server().await;
    let stand_in = ConnectStandIn::start().await.unwrap();
    let mut world = World::without_operator(server, "extremes-beside").await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    let address = format!("{}/{HOME}={}", world.namespace, stand_in.address());
    world.set("KASTELLAN_CONNECT_ADDRESSES", &address);
    world.level = "INFO";
    world.start_operator().await;
    world.apply(&connect(HOME)).await;
    survives(&mut world, &BESIDE_KAFKA).await;
}

#[test]
fn every_kind_is_tried() {
    let tried = OF_KAFKA.iter().chain(&BESIDE_KAFKA).map(|(kind, ..)| *kind);
    assert_eq!(tried.collect::<Vec<_>>(), KINDS.map(|sample| sample.kind));
}
