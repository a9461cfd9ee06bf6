//! Every reference to a Secret that the definitions allow may point at a Secret full of marks: no mark is seen outside of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use test_support::ApiServer;
use test_support::schema::{self, Property};

use crate::secrecy::{MARK, everything_but_secrets, secret};
use crate::world::{World, is_current, kafka, pool};

/// The references of a kind, with the schema that they are of.
fn references(kind: &str) -> (Value, Vec<Property>) {
    let all = api::crds::all().unwrap();
    let file = all.iter().find(|file| file.crd.spec.names.kind == kind).unwrap();
    let schema = schema::stored(&file.crd).unwrap();
    let found = schema::secret_references(&schema).unwrap();
    (schema, found)
}

/// A cluster of one node whose first listener has TLS.
fn small_kafka(name: &str) -> Value {
    let mut small = kafka(name);
    small["spec"]["kafka"]["config"] = json!({});
    small["spec"]["kafka"]["listeners"].as_array_mut().unwrap().reverse();
    small
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reference_takes_anything_out_of_a_secret() {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "references").await;
    world.level = "TRACE";
    let log = world.log.clone();
    world.start_operator().await;
    let marks = ["a", "b", "tls.crt", "tls.key", "ca.crt"].map(|entry| (entry, MARK));
    world.apply(&secret("full-of-marks", &marks)).await;

    let (of_kafka, of_kafkas) = references("Kafka");
    let (of_pool, of_pools) = references("KafkaNodePool");
    assert!(of_kafkas.len() > 10 && of_pools.len() > 2, "{of_kafkas:#?} {of_pools:#?}");
    let mut clusters = Vec::new();
    for (number, reference) in of_kafkas.iter().enumerate() {
        let name = format!("k{number}");
        let mut cluster = small_kafka(&name);
        schema::point_at_secret(&of_kafka, &mut cluster, reference, "full-of-marks", "a");
        world.apply(&pool(&name, &format!("p-{name}"), 1)).await;
        world.apply(&cluster).await;
        clusters.push((name, reference));
    }
    for (number, reference) in of_pools.iter().enumerate() {
        let name = format!("p{number}");
        let mut pool = pool(&name, &format!("p-{name}"), 1);
        schema::point_at_secret(&of_pool, &mut pool, reference, "full-of-marks", "a");
        world.apply(&pool).await;
        world.apply(&small_kafka(&name)).await;
        clusters.push((name, reference));
    }
    let answered = |kafka: &DynamicObject| is_current(kafka) && kafka.data["status"]["conditions"].is_array();
    for (name, reference) in &clusters {
        world.until("Kafka", name, &format!("has an answer to {reference}"), answered).await;
    }

    let shown = everything_but_secrets(&world).await;
    let log = log.text();
    assert!(shown.contains("full-of-marks") && log.contains("DEBUG"), "the references were looked at");
    let bytes = format!("{:?}", MARK.as_bytes());
    for form in [MARK, STANDARD.encode(MARK).as_str(), bytes.trim_matches(['[', ']'])] {
        for (place, text) in [("an object", &shown), ("the log", &log)] {
            assert!(!text.contains(form), "a mark is in {place}");
        }
    }
}

/// The user operator's test of secrecy looks at this one reference.
#[test]
fn users_refer_to_secrets_for_their_passwords_only_and_topics_to_none() {
    let names = |kind: &str| references(kind).1.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names("KafkaUser"), ["spec.authentication.password.valueFrom.secretKeyRef"]);
    assert_eq!(names("KafkaTopic"), Vec::<String>::new());
}
