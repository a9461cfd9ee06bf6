//! The versions that are served beside `v1`.
//!
//! `v1` is stored, and the API server prunes every object to the schema of the stored version, so the schema of `v1` has the
//! properties that `v1` dropped, too. For the same reason the older versions have those that `v1` added: nothing is lost
//! whichever version an object is read and written through. What differs is what has to be there, and which values may be
//! written: the API server takes a value that it would refuse today as long as nobody changes it.

use serde_json::{Map, Value, json};

use super::bounds::LARGEST_INTEGER;
use crate::VERSION;
pub use crate::dropped::unread;
use crate::dropped::{DROPPED, Shape, is_carried_out};

/// The versions of a kind that are served beside `v1`, newest first.
pub fn versions(kind: &str) -> &'static [&'static str] {
    match kind {
        "KafkaTopic" | "KafkaUser" => &["v1beta2", "v1beta1", "v1alpha1"],
        // It is of v1beta2 alone.
        "KafkaMirrorMaker" => &[],
        _ => &["v1beta2"],
    }
}

/// Properties that `v1` alone requires: kind, object and names. See [`require_by_rule`].
pub const REQUIRED_IN_V1: &[(&str, &str, &[&str])] = &[
    (
        "KafkaConnect",
        "spec",
        &["replicas", "groupId", "configStorageTopic", "statusStorageTopic", "offsetStorageTopic"],
    ),
    ("KafkaBridge", "spec", &["replicas"]),
    ("KafkaMirrorMaker2", "spec", &["replicas", "target", "mirrors"]),
    ("KafkaMirrorMaker2", "spec.mirrors[]", &["source"]),
    ("KafkaUser", "spec.authorization.acls[]", &["operations"]),
];

/// Values that may not be written through `v1`: kind, property and values.
const VALUES_NOT_IN_V1: &[(&str, &str, &[&str])] = &[
    ("Kafka", "spec.kafka.authorization.type", &["opa", "keycloak"]),
    ("Kafka", "spec.kafka.listeners[].authentication.type", &["oauth"]),
    ("KafkaConnect", "spec.authentication.type", &["oauth"]),
    ("KafkaConnect", "spec.tracing.type", &["jaeger"]),
    ("KafkaBridge", "spec.authentication.type", &["oauth"]),
    ("KafkaBridge", "spec.tracing.type", &["jaeger"]),
    ("KafkaMirrorMaker2", "spec.target.authentication.type", &["oauth"]),
    ("KafkaMirrorMaker2", "spec.mirrors[].source.authentication.type", &["oauth"]),
    ("KafkaMirrorMaker2", "spec.tracing.type", &["jaeger"]),
];

/// A table names a property that the types do not have.
#[derive(Debug, thiserror::Error)]
#[error("cannot find {path} of {kind}, which the tables of older versions name")]
pub struct NoSuchProperty {
    kind: String,
    path: String,
}

/// The schemas of a kind out of that of its types: of `v1`, and of every older version.
pub(super) fn schemas(kind: &str, types: Value) -> Result<(Value, Value), NoSuchProperty> {
    let mut both = types;
    for dropped in DROPPED.iter().filter(|dropped| dropped.kind == kind) {
        let parent = at(&mut both, kind, dropped.parent)?;
        let properties = parent.entry("properties").or_insert_with(|| json!({}));
        for (name, shape) in dropped.properties {
            let mut schema = schema_of(*shape);
            let effect = if is_carried_out(kind, &format!("{}.{name}", dropped.parent)) {
                "carried out, with a Warning that says what to write instead"
            } else {
                "without effect"
            };
            schema["description"] = format!("Dropped by {VERSION}: kept, and {effect}.").into();
            properties[*name] = schema;
        }
    }
    // Not even a label could be written through `v1` to an object without it.
    require(at(&mut both, kind, "")?, &["spec"]);
    let mut older = both.clone();
    without_descriptions(&mut older);
    let mut v1 = both;
    for (_, path, names) in REQUIRED_IN_V1.iter().filter(|(of, _, _)| *of == kind) {
        let object = at(&mut v1, kind, path)?;
        if path.ends_with("[]") { require(object, names) } else { require_by_rule(object, names) }
    }
    for (_, path, values) in VALUES_NOT_IN_V1.iter().filter(|(of, _, _)| *of == kind) {
        if let Some(Value::Array(all)) = at(&mut v1, kind, path)?.get_mut("enum") {
            all.retain(|value| !values.iter().any(|dropped| value == dropped));
        }
    }
    Ok((v1, older))
}

/// The schema at a path such as `spec.kafka.listeners[].name`; the empty path is the whole.
fn at<'a>(
    schema: &'a mut Value,
    kind: &str,
    path: &str,
) -> Result<&'a mut Map<String, Value>, NoSuchProperty> {
    let missing = || NoSuchProperty { kind: kind.to_owned(), path: path.to_owned() };
    let mut here = schema;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let name = part.trim_end_matches("[]");
        here = here.get_mut("properties").and_then(|all| all.get_mut(name)).ok_or_else(missing)?;
        if name.len() < part.len() {
            here = here.get_mut("items").ok_or_else(missing)?;
        }
    }
    here.as_object_mut().ok_or_else(missing)
}

fn require(object: &mut Map<String, Value>, names: &[&str]) {
    let required = object.entry("required").or_insert_with(|| json!([]));
    if let Value::Array(required) = required {
        required.extend(names.iter().map(|name| Value::from(*name)));
    }
}

/// Requires properties of whoever writes them, and not of an object that was stored without them through an older version.
///
/// The API server takes an unchanged part of an object as it is, also when the schema forbids it. But an object with a free
/// section in it, such as `config`, never counts as unchanged, so that not even a label could be written through `v1`. The
/// rule looks at the former object itself. Items of lists need none: a list counts as unchanged as a whole.
fn require_by_rule(object: &mut Map<String, Value>, names: &[&str]) {
    let rules = object.entry("x-kubernetes-validations").or_insert_with(|| json!([]));
    let Value::Array(rules) = rules else { return };
    rules.extend(names.iter().map(|name| {
        json!({
            "rule": format!("has(self.{name}) || (oldSelf.hasValue() && !has(oldSelf.value().{name}))"),
            "optionalOldSelf": true,
            "reason": "FieldValueRequired",
            "fieldPath": format!(".{name}"),
            "message": format!("{name} is required"),
        })
    }));
}

fn schema_of(shape: Shape) -> Value {
    let free = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let number = |least: i64, most: i64| json!({ "type": "integer", "minimum": least, "maximum": most });
    let any_number = number(-LARGEST_INTEGER, LARGEST_INTEGER);
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Pattern(pattern) => json!({ "type": "string", "pattern": pattern }),
        Shape::OneOf(values) => json!({ "type": "string", "enum": values }),
        Shape::Switch => json!({ "type": "boolean" }),
        Shape::Number => any_number,
        Shape::AtLeast(least) => number(least, LARGEST_INTEGER),
        Shape::Percent => number(0, 100),
        Shape::Object => free,
        Shape::Objects => json!({ "type": "array", "items": free }),
        Shape::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Numbers => json!({ "type": "array", "items": any_number }),
    }
}

/// Takes all descriptions out: those of `v1` say everything, and a definition has to fit into one request.
fn without_descriptions(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    object.remove("description");
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(without_descriptions);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key) {
            without_descriptions(inner);
        }
    }
}
