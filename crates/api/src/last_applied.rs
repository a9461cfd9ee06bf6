//! What a user wrote and the API server dropped, since no property has the name.
//!
//! `kubectl apply` leaves behind what it was given, in an annotation as large as the resource. A cache needs to know of it no more than which
//! fields were dropped.

use std::fmt::Write as _;

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
    let kept = dropped::unread(kind);
    let mut search = Search { kept: &kept, path: vec![Step::Name("spec")], found: Vec::new(), more: 0 };
    search.compare(written, &known);
    let Search { mut found, more, .. } = search;
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found
}

/// A part of a path.
#[derive(Clone, Copy)]
enum Step<'a> {
    /// A field.
    Name(&'a str),
    /// An item of a list.
    Item(usize),
}

/// A search for fields that a type does not know. Names are the user's own, and may be as long as the resource: a path becomes a text only
/// where it is shown.
struct Search<'a> {
    /// Fields that are kept although no type has them, without the numbers of items: `spec.a[].b`.
    kept: &'a [String],
    /// Where the search is.
    path: Vec<Step<'a>>,
    /// The first paths that were found.
    found: Vec<String>,
    /// How many others there are.
    more: usize,
}

impl<'a> Search<'a> {
    fn compare(&mut self, written: &'a Value, known: &Value) {
        match (written, known) {
            (Value::Object(written), Value::Object(known)) => {
                for (name, value) in written.iter().filter(|(_, value)| !value.is_null()) {
                    self.path.push(Step::Name(name));
                    match known.get(name) {
                        Some(known) => self.compare(value, known),
                        None if is_empty(value) || self.is_kept() => {}
                        None if self.found.len() < NAMED => self.found.push(self.shown()),
                        None => self.more += 1,
                    }
                    self.path.pop();
                }
            }
            (Value::Array(written), Value::Array(known)) if written.len() == known.len() => {
                for (index, (written, known)) in written.iter().zip(known).enumerate() {
                    self.path.push(Step::Item(index));
                    self.compare(written, known);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    /// Whether the schema keeps the field.
    fn is_kept(&self) -> bool {
        self.kept.iter().any(|kept| {
            let mut rest = kept.as_str();
            for (index, step) in self.path.iter().enumerate() {
                let without = match step {
                    Step::Name(name) if index == 0 => rest.strip_prefix(name),
                    Step::Name(name) => rest.strip_prefix('.').and_then(|rest| rest.strip_prefix(name)),
                    Step::Item(_) => rest.strip_prefix("[]"),
                };
                let Some(without) = without else { return false };
                rest = without;
            }
            rest.is_empty()
        })
    }

    /// The path as a status can show it.
    fn shown(&self) -> String {
        let mut shown = String::new();
        for (index, step) in self.path.iter().enumerate() {
            if shown.chars().count() > LONGEST_PATH {
                break;
            }
            match step {
                Step::Name(name) => {
                    shown.push_str(if index == 0 { "" } else { "." });
                    shown.extend(name.chars().take(LONGEST_PATH + 1));
                }
                Step::Item(number) => drop(write!(shown, "[{number}]")),
            }
        }
        shortened(&shown)
    }
}

/// A path that a status can show: names are the user's own.
fn shortened(path: &str) -> String {
    let mut short: String = path.chars().take(LONGEST_PATH).collect();
    if short.len() < path.len() {
        short.push('…');
    }
    short
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

    #[test]
    fn long_names_of_many_fields_take_no_time() {
        // As long as all of them together, once for each of them, would be 100 GB.
        let fields: serde_json::Map<String, Value> = (0..50_000).map(|n| (n.to_string(), json!(1))).collect();
        let start = std::time::Instant::now();
        let long = "x".repeat(1_000_000);
        let known = json!({"kafka": {"listeners": [], "config": {long.as_str(): fields}}});
        assert_eq!(noted(&known), None);
        let unknown =
            json!({"kafka": {"listeners": [], "template": {"pod": {long.as_str(): 1, "affinity": fields}}}});
        let fields = noted(&unknown).unwrap();
        assert!(fields.len() < 20 * LONGEST_PATH && fields.ends_with("more"), "{fields}");
        assert!(start.elapsed() < std::time::Duration::from_secs(10), "{:?}", start.elapsed());
    }
}
