//! Every property of the definitions survives reading and writing by the Rust types, and the manifests of
//! `tests/manifests` do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests may stop at a surprise too"
)]

use std::path::Path;

use api::{
    Kafka, KafkaBridge, KafkaConnect, KafkaConnector, KafkaMirrorMaker, KafkaMirrorMaker2, KafkaNodePool,
    KafkaRebalance, KafkaTopic, KafkaUser, StrimziPodSet,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Reads a value as the Rust type of its kind and writes it again.
fn round_trip(kind: &str, value: &Value) -> Value {
    fn through<T: DeserializeOwned + Serialize>(value: &Value) -> Value {
        let typed: T = serde_json::from_value(value.clone()).unwrap();
        serde_json::to_value(typed).unwrap()
    }
    match kind {
        "Kafka" => through::<Kafka>(value),
        "KafkaBridge" => through::<KafkaBridge>(value),
        "KafkaConnect" => through::<KafkaConnect>(value),
        "KafkaConnector" => through::<KafkaConnector>(value),
        "KafkaMirrorMaker" => through::<KafkaMirrorMaker>(value),
        "KafkaMirrorMaker2" => through::<KafkaMirrorMaker2>(value),
        "KafkaNodePool" => through::<KafkaNodePool>(value),
        "KafkaRebalance" => through::<KafkaRebalance>(value),
        "KafkaTopic" => through::<KafkaTopic>(value),
        "KafkaUser" => through::<KafkaUser>(value),
        "StrimziPodSet" => through::<StrimziPodSet>(value),
        other => panic!("no type for {other}"),
    }
}

/// A value with every property that the schema has.
fn sample(schema: &Value) -> Value {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return json!({ "text": "a", "number": 1, "list": [true, { "deep": 0.5 }] });
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return json!("500m");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    match schema["type"].as_str().unwrap() {
        "object" => {
            let mut object = Map::new();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                object.insert(name.clone(), sample(property));
            }
            if schema["additionalProperties"].is_object() {
                object.insert("some-key".to_owned(), sample(&schema["additionalProperties"]));
            }
            object.into()
        }
        "array" => json!([sample(&schema["items"])]),
        "string" => json!("text"),
        "boolean" => json!(true),
        "integer" => json!(7),
        "number" => json!(0.5),
        other => panic!("no sample of {other}"),
    }
}

/// Takes a property such as `spec.listeners[].name` out.
fn remove(value: &mut Value, path: &str) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(rest) = rest else {
        assert!(value.as_object_mut().unwrap().remove(name).is_some(), "{path}");
        return;
    };
    match name.strip_suffix("[]") {
        Some(name) => value[name].as_array_mut().unwrap().iter_mut().for_each(|item| remove(item, rest)),
        None => remove(&mut value[name], rest),
    }
}

#[test]
fn every_property_of_every_definition_survives() {
    for file in api::crds::all().unwrap() {
        let crd = file.crd;
        let kind = crd.spec.names.kind;
        let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        let mut value = sample(&serde_json::to_value(schema).unwrap());
        value["apiVersion"] = format!("{}/{}", crd.spec.group, crd.spec.versions[0].name).into();
        value["kind"] = kind.clone().into();
        value["metadata"] = json!({ "name": "sample" });
        for path in api::crds::older::unread(&kind) {
            remove(&mut value, &path);
        }
        let written = round_trip(&kind, &value);
        assert_eq!(first_difference(&value, &written, &kind), None);
    }
}

/// The path of the first value that differs, for a readable failure of large values.
fn first_difference(expected: &Value, found: &Value, path: &str) -> Option<String> {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in a {
                let inner = format!("{path}.{name}");
                match b.get(name) {
                    None => return Some(format!("{inner} is lost")),
                    Some(other) => {
                        if let Some(difference) = first_difference(value, other, &inner) {
                            return Some(difference);
                        }
                    }
                }
            }
            b.keys().find(|name| !a.contains_key(*name)).map(|name| format!("{path}.{name} was not there"))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).find_map(|(a, b)| first_difference(a, b, &format!("{path}[]")))
        }
        (a, b) => (a != b).then(|| format!("{path}: {a} became {b}")),
    }
}

#[test]
fn manifests_survive() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let kind = value["kind"].as_str().unwrap().to_owned();
        let written = round_trip(&kind, &value);
        assert_eq!(first_difference(&value, &written, &path.display().to_string()), None);
        kinds.push(kind);
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), 10, "one manifest at least for each kind: {kinds:?}");
}

#[test]
fn properties_of_later_versions_are_ignored() {
    let value = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "metadata": { "name": "orders" },
        "spec": { "partitions": 3, "somethingNew": { "a": 1 } },
    });
    let topic: KafkaTopic = serde_json::from_value(value).unwrap();
    assert_eq!(topic.spec.partitions, Some(3));
}

#[test]
fn quantities_may_be_numbers() {
    let value = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool", "metadata": { "name": "brokers" },
        "spec": {
            "replicas": 1, "roles": ["broker"], "storage": { "type": "ephemeral" },
            "resources": { "limits": { "cpu": 2, "memory": "1Gi" } },
        },
    });
    let pool: KafkaNodePool = serde_json::from_value(value).unwrap();
    assert_eq!(pool.spec.resources.unwrap().limits.unwrap()["cpu"].0, "2");
}
