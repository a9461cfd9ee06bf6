//! What a user wrote and the API server dropped, since no property has the name.
//!
//! `kubectl apply` leaves behind what it was given, in an annotation as large as the resource. A cache needs to know of it no more than which
//! fields were dropped.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::annotations::{LAST_APPLIED, UNKNOWN_FIELDS};
use crate::dropped;

/// Fields that are named.
const NAMED: usize = 10;

/// Characters of a path that are shown.
const LONGEST_PATH: usize = 200;

/// Puts the names of the fields that `Spec` does not know in the place of what was applied.
pub fn note<Spec: DeserializeOwned + Serialize>(kind: &str, metadata: &mut ObjectMeta) {
    let Some(annotations) = metadata.annotations.as_mut() else { return };
    annotations.remove(UNKNOWN_FIELDS);
    let Some(applied) = annotations.remove(LAST_APPLIED) else { return };
    let unknown = unknown_fields::<Spec>(kind, &applied);
    if !unknown.is_empty() {
        annotations.insert(UNKNOWN_FIELDS.to_owned(), unknown.join(", "));
    }
}

/// The fields that [`note`] found, in words.
pub fn unknown(metadata: &ObjectMeta) -> Option<&str> {
    metadata.annotations.as_ref()?.get(UNKNOWN_FIELDS).map(String::as_str)
}

/// What a warning with the reason `UnknownFields` says of them.
pub fn complaint(metadata: &ObjectMeta) -> Option<String> {
    unknown(metadata).map(|fields| {
        format!(
            "{fields}: not known to this version, and dropped by the API server; correct the name or remove it"
        )
    })
}

/// Paths below `spec` that the type does not know, of the resource that was applied.
fn unknown_fields<Spec: DeserializeOwned + Serialize>(kind: &str, applied: &str) -> Vec<String> {
    let Ok(applied) = serde_json::from_str::<Value>(applied) else { return Vec::new() };
    let written = &applied["spec"];
    // What the type knows comes back out of it, in whatever form.
    let known = serde_json::from_str::<Spec>(&written.to_string()).and_then(serde_json::to_value);
    let Ok(known) = known else { return Vec::new() };
    let mut found = Vec::new();
    compare(written, &known, "spec", "spec", &dropped::unread(kind), &mut found);
    found.dedup();
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found
}

/// A path that a status can show: names are the user's own.
fn shortened(path: &str) -> String {
    let mut short: String = path.chars().take(LONGEST_PATH).collect();
    if short.len() < path.len() {
        short.push('…');
    }
    short
}

/// `path` has numbers of list items, `shape` has none.
fn compare(
    written: &Value,
    known: &Value,
    path: &str,
    shape: &str,
    kept: &[String],
    found: &mut Vec<String>,
) {
    match (written, known) {
        (Value::Object(written), Value::Object(known)) => {
            for (name, value) in written.iter().filter(|(_, value)| !value.is_null()) {
                let (path, shape) = (format!("{path}.{name}"), format!("{shape}.{name}"));
                match known.get(name) {
                    Some(known) => compare(value, known, &path, &shape, kept, found),
                    None if kept.contains(&shape) || is_empty(value) => {}
                    None => found.push(shortened(&path)),
                }
            }
        }
        (Value::Array(written), Value::Array(known)) if written.len() == known.len() => {
            for (index, (written, known)) in written.iter().zip(known).enumerate() {
                compare(written, known, &format!("{path}[{index}]"), &format!("{shape}[]"), kept, found);
            }
        }
        _ => {}
    }
}

/// Some types do not tell a list without items from none.
fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use serde_json::json;

    use super::*;
    use crate::KafkaSpec;

    fn noted(spec: &Value) -> Option<String> {
        let applied = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "spec": spec}).to_string();
        let annotations = json!({LAST_APPLIED: applied, UNKNOWN_FIELDS: "what a user wrote", "a": "b"});
        let mut metadata: ObjectMeta = serde_json::from_value(json!({"annotations": annotations})).unwrap();
        note::<KafkaSpec>("Kafka", &mut metadata);
        let annotations = metadata.annotations.as_ref().unwrap();
        assert!(annotations.len() <= 2 && annotations["a"] == "b", "{annotations:?}");
        unknown(&metadata).map(str::to_owned)
    }

    #[test]
    fn fields_that_no_type_has_are_named() {
        let mut spec = json!({
            "kafka": {
                "listeners": [{"name": "plain", "port": 9092, "type": "internal", "tls": false,
                    "authentication": {"type": "tls", "clientId": "kept"}}],
                "config": {"any.option": {"of": ["any", "shape"]}},
                "template": {"pod": {"affinity": {"nodeAffinity": {}}}},
                "resources": {"limits": {"cpu": 2}},
                "rack": null,
            },
            "zookeeper": {"replicas": 1, "storage": {"type": "ephemeral"}, "config": {"a": 1}},
            "jmxTrans": {"anything": true},
        });
        assert_eq!(noted(&spec), None);
        spec["kafka"]["listeners"][0]["tsl"] = json!(true);
        spec["kafka"]["sotrage"] = json!({"type": "ephemeral"});
        spec["kafka"]["template"]["pod"]["affinity"]["podAffinityy"] = json!({});
        let fields =
            "spec.kafka.listeners[0].tsl, spec.kafka.sotrage, spec.kafka.template.pod.affinity.podAffinityy";
        assert_eq!(noted(&spec).unwrap(), fields);
        spec["kafka"]["listeners"] = json!("none");
        assert_eq!(noted(&spec), None, "what cannot be read is refused elsewhere");
    }

    #[test]
    fn a_long_list_is_cut() {
        let mut spec = json!({"kafka": {"listeners": []}});
        for number in 0..30 {
            spec[format!("field{number}")] = json!(1);
        }
        assert!(noted(&spec).unwrap().ends_with(", and 20 more"), "{:?}", noted(&spec));
    }
}
