//! Definitions of other people's kinds in an OpenAPI document, of which a test asks whether an object is right by them, and of which it makes
//! a definition of a custom resource.

use std::path::Path;

use anyhow::Context;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};

use crate::binaries;

/// An OpenAPI document, version 2.
#[derive(Debug)]
pub struct OpenApi {
    definitions: Value,
}

impl OpenApi {
    /// That of OpenShift's kinds, out of the Go module github.com/openshift/api.
    pub fn openshift() -> anyhow::Result<Self> {
        let path = binaries::cache()?.join("definitions/openshift.json");
        Self::read(&path)
            .with_context(|| format!("run 'e2e/kubernetes/build.sh definitions' for {}", path.display()))
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path).context("cannot read it")?;
        let mut document: Value = serde_json::from_slice(&text).context("it is no JSON")?;
        Ok(Self { definitions: document["definitions"].take() })
    }

    /// What is wrong with an object by the definition of this name; also a field that the definition does not have is wrong.
    pub fn problems(&self, definition: &str, object: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        check(&self.schema(definition), object, definition, &mut problems);
        problems
    }

    /// A custom resource of this kind, whose schema is that of the definition of this name.
    pub fn custom_resource(
        &self,
        definition: &str,
        (group, kind, plural): (&str, &str, &str),
    ) -> anyhow::Result<CustomResourceDefinition> {
        let mut schema = self.schema(definition);
        // The API server has a schema of its own for that.
        schema["properties"]["metadata"] = json!({"type": "object"});
        let names = json!({"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")});
        serde_json::from_value(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}"),
                "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
            "spec": {"group": group, "scope": "Namespaced", "names": names,
                "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema}}]},
        }))
        .context("make a definition")
    }

    /// The schema of a definition without references, as definitions of custom resources have it.
    fn schema(&self, definition: &str) -> Value {
        match definition.rsplit('.').next().unwrap_or_default() {
            "Quantity" | "IntOrString" => json!({"x-kubernetes-int-or-string": true}),
            "Time" | "MicroTime" => json!({"type": "string", "format": "date-time"}),
            "RawExtension" | "FieldsV1" => {
                json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
            }
            _ => self.without_references(&self.definitions[definition]),
        }
    }

    fn without_references(&self, schema: &Value) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.schema(reference.trim_start_matches("#/definitions/"));
        }
        let mut whole = Map::new();
        for key in ["type", "required"] {
            if let Some(value) = schema.get(key) {
                whole.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(properties) = schema["properties"].as_object() {
            let properties =
                properties.iter().map(|(name, inner)| (name.clone(), self.without_references(inner)));
            whole.insert("properties".to_owned(), Value::Object(properties.collect()));
        }
        for key in ["items", "additionalProperties"] {
            if let Some(inner) = schema.get(key).filter(|inner| inner.is_object()) {
                whole.insert(key.to_owned(), self.without_references(inner));
            }
        }
        Value::Object(whole)
    }
}

fn check(schema: &Value, value: &Value, path: &str, problems: &mut Vec<String>) {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    let is_right = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ if schema["x-kubernetes-int-or-string"] == true => value.is_i64() || value.is_string(),
        _ => false,
    };
    if !is_right {
        problems.push(format!("{path}: {value} is not of the schema {schema}"));
        return;
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], item, &format!("{path}[{index}]"), problems);
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        match schema["properties"].get(name).or_else(|| schema.get("additionalProperties")) {
            Some(schema) => check(schema, inner, &path, problems),
            None => problems.push(format!("{path}: there is no such field")),
        }
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing = required.filter(|name| value.get(name).is_none());
    problems.extend(missing.map(|name| format!("{path}.{name}: is missing")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_definition_does_not_have_is_wrong() {
        let definitions = json!({
            "a.Thing": {"type": "object", "required": ["size"], "properties": {
                "size": {"$ref": "#/definitions/a.Quantity"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "items": {"type": "array", "items": {"$ref": "#/definitions/a.Item"}}}},
            "a.Item": {"type": "object", "properties": {"count": {"type": "integer"}}},
        });
        let document = OpenApi { definitions };
        let problems = |object: Value| document.problems("a.Thing", &object);
        assert!(problems(json!({"size": "1Gi", "labels": {"a": "b"}, "items": [{"count": 1}]})).is_empty());
        for (wrong, word) in [
            (json!({}), "a.Thing.size: is missing"),
            (json!({"size": 1, "colour": "red"}), "a.Thing.colour: there is no such field"),
            (json!({"size": 1, "labels": {"a": 1}}), "a.Thing.labels.a: 1 is not"),
            (json!({"size": 1, "items": [{"count": "1"}]}), "a.Thing.items[0].count: \"1\" is not"),
            (json!({"size": null}), "a.Thing.size: null is not"),
        ] {
            let found = problems(wrong);
            assert!(found.len() == 1 && found[0].starts_with(word), "{found:?}");
        }
    }
}
