//! The schemas that are written by hand.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{Embedded, Free};
use crate::common::pod_template::{DeploymentPodTemplate, EmptyDirSchema, PodTemplate};

impl JsonSchema for Free {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Free".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
    }
}

impl<T: JsonSchema> JsonSchema for Embedded<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Embedded_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        bare(&mut schema);
        schema
    }
}

impl JsonSchema for DeploymentPodTemplate {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "DeploymentPodTemplate".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = PodTemplate::json_schema(generator);
        if let Some(properties) =
            schema.get_mut("properties").and_then(|properties| properties.as_object_mut())
        {
            properties.remove("templatedVolumes");
        }
        schema
    }
}

impl JsonSchema for EmptyDirSchema {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "EmptyDirSchema".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "medium": { "type": "string", "enum": ["Memory"] },
                "sizeLimit": { "type": "string", "pattern": r"^([0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$" },
            },
        })
    }
}

/// What embedded schemas keep of the original. The format says how large a number may be: [`crate::crds`] makes bounds out
/// of it.
const KEPT: [&str; 7] = [
    "type",
    "format",
    "properties",
    "items",
    "additionalProperties",
    "x-kubernetes-int-or-string",
    "x-kubernetes-validations",
];

fn bare(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        bare_object(object);
    }
}

fn bare_object(object: &mut Map<String, Value>) {
    object.retain(|key, _| KEPT.contains(&key.as_str()));
    if object.contains_key("x-kubernetes-int-or-string") {
        object.insert("pattern".to_owned(), QUANTITY_PATTERN.into());
        object.insert("anyOf".to_owned(), json!([{ "type": "integer" }, { "type": "string" }]));
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for property in properties.values_mut() {
            if let Value::Object(property) = property {
                bare_object(property);
            }
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = object.get_mut(key) {
            bare_object(inner);
        }
    }
}

/// Kubernetes' quantities, such as `500m` or `2Gi`.
const QUANTITY_PATTERN: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";
