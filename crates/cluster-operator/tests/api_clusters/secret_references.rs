//! Every reference to a Secret that the definitions allow may point at a Secret full of marks: no mark is seen outside of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use test_support::ApiServer;
use test_support::schema::{self, Property, Step};

use crate::every_kind::{Sample, of, sample};
use crate::secrecy::{MARK, everything_but_secrets, secret};
use crate::world::{World, is_current};

/// The references of a kind, with the schema that they are of.
fn references(kind: &str) -> (Value, Vec<Property>) {
    let all = api::crds::all().unwrap();
    let file = all.iter().find(|file| file.crd.spec.names.kind == kind).unwrap();
    let schema = schema::stored(&file.crd).unwrap();
    let found = schema::secret_references(&schema).unwrap();
    (schema, found)
}

/// A resource of a kind that takes what the references say: the first listener of a cluster has TLS.
fn sound(sample: &Sample, name: &str) -> Value {
    let mut sound = (sample.make)(name);
    if sample.kind == "Kafka" {
        sound["spec"]["kafka"]["listeners"].as_array_mut().unwrap().reverse();
    }
    sound
}

/// The ways of saying who a client is: a reference is looked at only with the type of authentication that wants it.
fn ways(schema: &Value, reference: &Property) -> Vec<Option<(Vec<Step>, Value)>> {
    let is_authentication = |step: &Step| *step == Step::Field("authentication".to_owned());
    let Some(place) = reference.path.iter().position(is_authentication) else { return vec![None] };
    let of_type = [&reference.path[..=place], &[Step::Field("type".to_owned())]].concat();
    let all = schema::properties(schema);
    let type_ = all.iter().find(|property| property.path == of_type);
    let values = type_.and_then(|property| property.schema["enum"].as_array()).into_iter().flatten();
    values.map(|value| Some((of_type.clone(), value.clone()))).collect()
}

/// Makes a resource of a kind for each of its references and each way in which it may be looked at. Returns their names with
/// the references.
async fn point_all(world: &World, sample: &Sample) -> Vec<(String, String)> {
    let (schema, references) = references(sample.kind);
    let mut made = Vec::new();
    for reference in &references {
        for way in ways(&schema, reference) {
            let name = format!("{}{}", sample.prefix, made.len());
            let mut resource = sound(sample, &name);
            schema::point_at_secret(&schema, &mut resource, reference, "full-of-marks", "a");
            if let Some((path, type_)) = way {
                let (_, authentication) = path.split_last().unwrap();
                let user = [authentication, &[Step::Field("username".to_owned())]].concat();
                if schema::properties(&schema).iter().any(|property| property.path == user) {
                    schema::put(&schema, &mut resource, &user, json!("somebody"));
                }
                schema::put(&schema, &mut resource, &path, type_);
            }
            if let Some(beside) = (sample.beside)(&name) {
                world.apply(&beside).await;
            }
            world.apply(&resource).await;
            made.push((name, reference.to_string()));
        }
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reference_takes_anything_out_of_a_secret() {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "references").await;
    world.level = "TRACE";
    let log = world.log.clone();
    world.start_operator().await;
    let marks = ["a", "b", "tls.crt", "tls.key", "ca.crt"].map(|entry| (entry, MARK));
    world.apply(&secret("full-of-marks", &marks)).await;

    let mut pointing: Vec<(&str, String, String)> = Vec::new();
    for (kind, least) in [
        ("Kafka", 11),
        ("KafkaNodePool", 3),
        ("KafkaConnect", 20),
        ("KafkaMirrorMaker2", 30),
        ("KafkaBridge", 15),
        ("KafkaMirrorMaker", 5),
    ] {
        let made = point_all(&world, &sample(kind)).await;
        assert!(made.len() >= least, "{kind}: {made:#?}");
        for (name, reference) in made {
            // What is wrong with a pool, its cluster says.
            let is_pool = kind == "KafkaNodePool";
            let (kind, name) = if is_pool { ("Kafka", of(&name)) } else { (kind, name) };
            pointing.push((kind, name, reference));
        }
    }
    let answered =
        |resource: &DynamicObject| is_current(resource) && resource.data["status"]["conditions"].is_array();
    for (kind, name, reference) in &pointing {
        world.until(kind, name, &format!("has an answer to {reference}"), answered).await;
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
fn users_refer_to_secrets_for_their_passwords_only_and_others_to_none() {
    let names = |kind: &str| references(kind).1.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names("KafkaUser"), ["spec.authentication.password.valueFrom.secretKeyRef"]);
    for kind in ["KafkaTopic", "KafkaConnector", "StrimziPodSet"] {
        assert_eq!(names(kind), Vec::<String>::new());
    }
}
