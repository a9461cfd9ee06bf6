use api::{KafkaNodePool, KafkaTopic, StrimziPodSet};
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use serde_json::{Value, json};

use super::*;
use crate::limits::Limits;

fn read_as<K>(text: &str) -> Result<Box<K>, Box<Unreadable>>
where
    K: Resource + DeserializeOwned,
    K::DynamicType: Default,
{
    match read::<K>(text, Largest::DEFAULT).unwrap() {
        Seen::Readable(object) => Ok(object),
        Seen::Unreadable(unreadable) => Err(unreadable),
    }
}

fn pool() -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": "p", "namespace": "ns", "uid": "u", "resourceVersion": "7", "generation": 3,
            "labels": {"strimzi.io/cluster": "c", "mine": "x"}, "annotations": {"a": "b"},
            "finalizers": ["f"], "deletionTimestamp": "2026-01-31T12:00:00Z"},
        "spec": {"replicas": 1, "roles": ["broker"], "storage": {"type": "ephemeral"},
            "template": {"pod": {"volumes": [{"name": "a", "secret": {"secretName": "s", "defaultMode": 420}}]}}},
        "status": {"observedGeneration": 2, "conditions": [{"type": "NotReady", "status": "True", "message": "m"}]},
    })
}

#[test]
fn a_number_that_is_too_large_is_named_with_its_path_and_the_rest_is_known() {
    assert!(read_as::<KafkaNodePool>(&pool().to_string()).is_ok());
    let mut bad = pool();
    bad["spec"]["template"]["pod"]["volumes"][0]["secret"]["defaultMode"] = json!(3_000_000_000_u64);
    let found = read_as::<KafkaNodePool>(&bad.to_string()).unwrap_err();
    assert_eq!(
        found.why,
        "spec.template.pod.volumes[0].secret.defaultMode cannot be read: invalid value: integer `3000000000`, expected i32; correct it"
    );
    assert_eq!(found.cluster(), Some("c"));
    assert!(found.is_terminating());
    let meta = &found.metadata;
    assert_eq!((meta.name.as_deref(), meta.uid.as_deref(), meta.generation), (Some("p"), Some("u"), Some(3)));
    assert_eq!(meta.labels.as_ref().map(BTreeMap::len), Some(1), "labels of others are not kept");
    assert_eq!(found.conditions[0].message.as_deref(), Some("m"));
    assert_eq!(found.observed_generation, Some(2));
}

#[test]
fn lists_in_lists_are_named_and_the_rest_is_known_also_when_managed_fields_nest_as_deeply() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(140), close.repeat(140));
    let topic = format!(
        r#"{{"apiVersion":"kafka.strimzi.io/v1","kind":"KafkaTopic","metadata":{{"name":"t","namespace":"ns","managedFields":[{{"manager":"m","fieldsV1":{}}}]}},"spec":{{"config":{{"a":{}}}}}}}"#,
        deep(r#"{"f:a":"#, "}"),
        deep("[", "]"),
    );
    let found = read_as::<KafkaTopic>(&topic).unwrap_err();
    assert!(found.why.starts_with("spec.config.a[0][0]"), "{}", found.why);
    assert!(found.why.contains("nests too deeply"), "{}", found.why);
    assert_eq!(found.metadata.name.as_deref(), Some("t"));
    // The entry of a status that was written in the same second stands before the others: the words stay.
    let status_first =
        topic.replace(r#""managedFields":["#, r#""managedFields":[{"manager":"a","subresource":"status"},"#);
    assert_ne!(status_first, topic);
    assert_eq!(read_as::<KafkaTopic>(&status_first).unwrap_err().why, found.why);
    // What asks for metadata only meets the managed fields alone.
    let found = read_as::<PartialObjectMeta<KafkaTopic>>(&topic).unwrap_err();
    assert_eq!(found.metadata.namespace.as_deref(), Some("ns"));
}

#[test]
fn nothing_of_a_secret_is_quoted() {
    let text =
        json!({"metadata": {"name": "s"}, "type": "Opaque", "data": {"password": "hunter2 of the database"}});
    let found = read_as::<Secret>(&text.to_string()).unwrap_err();
    assert!(found.why.starts_with("data.password") && !found.why.contains("hunter2"), "{}", found.why);
}

fn bytes(bytes: usize) -> Largest {
    Largest { bytes, variable: "LIMIT" }
}

#[test]
fn what_takes_more_memory_than_allowed_is_not_read() {
    let text =
        json!({"metadata": {"name": "t"}, "spec": {"config": {"a": vec![json!({"a": 1}); 500]}}}).to_string();
    assert!(read::<KafkaTopic>(&text, bytes(800_000)).is_ok_and(|seen| matches!(seen, Seen::Readable(_))));
    let Seen::Unreadable(found) = read::<KafkaTopic>(&text, bytes(200_000)).unwrap() else {
        panic!("it was read")
    };
    assert!(found.why.contains("too large") && found.why.contains("195 KiB (LIMIT)"), "{}", found.why);
}

#[test]
fn not_all_metadata_is_kept() {
    let finalizers: Vec<String> = (0..10_000).map(|number| format!("example.com/{number}")).collect();
    let text =
        json!({"metadata": {"name": "t", "labels": {"strimzi.io/cluster": "c"}, "finalizers": finalizers}});
    let metadata = metadata(&text.to_string()).unwrap();
    assert_eq!(metadata.finalizers, None);
    assert!(metadata.labels.is_some());
}

/// A pod as the operator lists it: so many maps and values, in as much text as the API server stores of 300 of them.
fn listed_pod(number: usize) -> Value {
    let variables: Vec<Value> =
        (0..25).map(|n| json!({"name": format!("VARIABLE_{n}"), "value": "x".repeat(60)})).collect();
    let mounts: Vec<Value> =
        (0..8).map(|n| json!({"name": format!("v{n}"), "mountPath": format!("/opt/kafka/v{n}")})).collect();
    let volumes: Vec<Value> = (0..8)
        .map(|n| json!({"name": format!("v{n}"), "secret": {"secretName": "s", "defaultMode": 420}}))
        .collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("c-p-{number}"),
            "labels": (0..20).map(|n| (format!("label-{n}"), "x".repeat(20))).collect::<BTreeMap<_, _>>()},
        "spec": {"volumes": volumes, "containers": [{"name": "kafka", "env": variables, "volumeMounts": mounts,
            "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}}]}})
}

#[test]
fn a_pod_set_of_300_nodes_can_be_read_and_a_heap_of_empty_maps_cannot() {
    let largest = Limits::default().largest_pod_set();
    let set = |pods: Vec<Value>| {
        json!({"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet", "metadata": {"name": "c-p"},
            "spec": {"selector": {}, "pods": pods}})
        .to_string()
    };
    let whole = set((0..300).map(listed_pod).collect());
    assert!(whole.len() > 1_200_000, "as large as the API server stores: {}", whole.len());
    assert!(matches!(read::<StrimziPodSet>(&whole, largest), Ok(Seen::Readable(_))));
    let empty = set(vec![json!({"a": {"a": 1}}); 100_000]);
    assert!(matches!(read::<StrimziPodSet>(&empty, largest), Ok(Seen::Unreadable(_))));
}

#[test]
fn the_topic_of_a_resource_that_is_not_read_is_known() {
    let topic = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
        "metadata": {"name": "n", "namespace": "ns", "annotations": {"strimzi.io/managed": "false"}},
        "spec": {"topicName": "wanted", "partitions": 5_000_000_000_u64},
        "status": {"topicName": "managed"},
    });
    let found = read_as::<KafkaTopic>(&topic.to_string()).unwrap_err();
    let named =
        NamedTopic { wanted: Some("wanted".into()), managed: Some("managed".into()), is_left_alone: true };
    assert_eq!(found.topic, named);
    let bare = read_as::<KafkaTopic>(&topic.to_string()).unwrap_err().bare();
    assert_eq!(bare.topic, named, "also when there is room for nothing else");
    let mut long = topic;
    long["spec"]["topicName"] = json!("x".repeat(250));
    assert_eq!(read_as::<KafkaTopic>(&long.to_string()).unwrap_err().topic.wanted, None);
}
