//! Walks the schema of a custom resource definition, and makes objects that reach each of its properties.

use std::fmt::{self, Display};

use anyhow::Context;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};

/// One step from an object to a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To the field of this name.
    Field(String),
    /// To the first item of a list.
    Item,
    /// To a value of a map.
    Value,
}

/// A property of a resource.
#[derive(Debug, Clone)]
pub struct Property {
    /// The way to it from the object, which begins with `spec`.
    pub path: Vec<Step>,
    /// Its schema.
    pub schema: Value,
}

impl Property {
    /// The name of the field, or of the field that holds the list or the map.
    pub fn name(&self) -> &str {
        let mut inner_first = self.path.iter().rev();
        inner_first
            .find_map(|step| if let Step::Field(name) = step { Some(name.as_str()) } else { None })
            .unwrap_or("")
    }

    /// Whether it is a whole number, or may be one.
    pub fn is_integer(&self) -> bool {
        self.schema["type"] == "integer" || self.schema["x-kubernetes-int-or-string"] == true
    }

    /// Whether it takes whatever is written there.
    pub fn is_open(&self) -> bool {
        self.schema["x-kubernetes-preserve-unknown-fields"] == true
    }
}

impl Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.path.iter().enumerate() {
            match step {
                Step::Field(name) if index == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Item => f.write_str("[]")?,
                Step::Value => f.write_str(".*")?,
            }
        }
        Ok(())
    }
}

/// The schema of the stored version of a kind.
pub fn stored(crd: &CustomResourceDefinition) -> anyhow::Result<Value> {
    let version = crd.spec.versions.iter().find(|version| version.storage).context("no version is stored")?;
    let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    serde_json::to_value(schema.context("the stored version has no schema")?)
        .context("write a schema as JSON")
}

/// Every property of the specification, at any depth.
pub fn properties(schema: &Value) -> Vec<Property> {
    let mut found = Vec::new();
    walk(&schema["properties"]["spec"], &mut vec![Step::Field("spec".to_owned())], &mut found);
    found
}

fn walk(schema: &Value, path: &mut Vec<Step>, found: &mut Vec<Property>) {
    found.push(Property { path: path.clone(), schema: schema.clone() });
    let mut step = |step: Step, inner: &Value| {
        path.push(step);
        walk(inner, path, found);
        path.pop();
    };
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        step(Step::Field(name.clone()), inner);
    }
    if schema["items"].is_object() {
        step(Step::Item, &schema["items"]);
    }
    if schema["additionalProperties"].is_object() {
        step(Step::Value, &schema["additionalProperties"]);
    }
}

/// The properties that refer to a Secret: texts with its name, objects with a `name`, lists of such.
///
/// # Errors
/// When the name of a property speaks of a Secret and what it is cannot be told.
pub fn secret_references(schema: &Value) -> anyhow::Result<Vec<Property>> {
    let speaks = |property: &Property| {
        let last_is_field = matches!(property.path.last(), Some(Step::Field(_)));
        last_is_field && property.name().to_lowercase().contains("secret")
    };
    let mut found = Vec::new();
    for property in properties(schema).into_iter().filter(speaks) {
        let schema = &property.schema;
        let fields = |name: &str| schema["properties"].get(name).is_some();
        let refers = match schema["type"].as_str() {
            // What the names of Secrets that the user operator makes begin with.
            Some("string") => property.name() != "secretPrefix",
            Some("boolean") => false,
            // What only older versions know is kept as it is, and nothing looks into it.
            _ if schema["x-kubernetes-preserve-unknown-fields"] == true => false,
            Some("array") if schema["items"]["properties"].get("name").is_some() => true,
            // Each item has a field `secretName`, which refers.
            Some("array") if schema["items"]["properties"].get("secretName").is_some() => false,
            Some("object") if fields("name") => true,
            // A volume, whose field `secretName` refers, and templates of Secrets that are made.
            Some("object") if fields("secretName") || fields("metadata") => false,
            _ => anyhow::bail!(
                "does {property} refer to a Secret? Say it here, and see that the tests look at it"
            ),
        };
        if refers {
            found.push(property);
        }
    }
    Ok(found)
}

/// Has a reference of [`secret_references`] point at an entry of a Secret, with all fields beside it that name an entry.
pub fn point_at_secret(schema: &Value, object: &mut Value, reference: &Property, secret: &str, entry: &str) {
    let to = |target: &Value| {
        let mut value = json!({"name": secret});
        if target["properties"].get("key").is_some() {
            value["key"] = json!(entry);
        }
        value
    };
    let value = match reference.schema["type"].as_str() {
        Some("string") => json!(secret),
        Some("array") => json!([to(&reference.schema["items"])]),
        _ => to(&reference.schema),
    };
    put(schema, object, &reference.path, value);
    let Some((_, parent)) = reference.path.split_last() else { return };
    let mut beside = schema;
    for step in parent {
        beside = match step {
            Step::Field(name) => &beside["properties"][name],
            Step::Item => &beside["items"],
            Step::Value => &beside["additionalProperties"],
        };
    }
    for name in ["certificate", "key", "password", "clientSecret"] {
        if beside["properties"][name]["type"] == "string" {
            let path = [parent, &[Step::Field(name.to_owned())]].concat();
            put(schema, object, &path, json!(entry));
        }
    }
}

/// Sets a property of an object. What the way to it takes is made, each with the fields that its schema requires.
pub fn put(schema: &Value, object: &mut Value, path: &[Step], value: Value) {
    let Some((step, rest)) = path.split_first() else {
        *object = value;
        return;
    };
    match step {
        Step::Field(name) => {
            let inner = &schema["properties"][name];
            let fields = as_object(object);
            let field = fields.entry(name.clone()).or_insert_with(|| sample(inner));
            put(inner, field, rest, value);
        }
        Step::Item => {
            if !object.is_array() {
                *object = json!([]);
            }
            let Some(items) = object.as_array_mut() else { return };
            if items.is_empty() {
                items.push(sample(&schema["items"]));
            }
            put(&schema["items"], &mut items[0], rest, value);
        }
        Step::Value => {
            let inner = &schema["additionalProperties"];
            let field = as_object(object).entry("key").or_insert_with(|| sample(inner));
            put(inner, field, rest, value);
        }
    }
}

fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(fields) => fields,
        _ => unreachable!("it was made an object"),
    }
}

/// A value that a schema accepts, as small as it can be.
pub fn sample(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("array") => {
            let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap_or(0);
            Value::Array(vec![sample(&schema["items"]); least])
        }
        Some("string") => json!("x"),
        Some("boolean") => json!(false),
        Some("integer" | "number") => {
            json!(schema["minimum"].as_f64().map_or(1, |least| least.max(1.0) as i64))
        }
        Some("object") => {
            let mut fields = Map::new();
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                fields.insert(name.to_owned(), sample(&schema["properties"][name]));
            }
            Value::Object(fields)
        }
        _ => json!(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_is_found_and_can_be_set() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "list": {"type": "array", "items": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string"}, "port": {"type": "integer"}}}},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
            "any": {"x-kubernetes-preserve-unknown-fields": true},
        }}}});
        let all = properties(&schema);
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "spec",
                "spec.any",
                "spec.list",
                "spec.list[]",
                "spec.list[].name",
                "spec.list[].port",
                "spec.map",
                "spec.map.*"
            ]
        );
        let mut object = json!({"kind": "K"});
        for property in all.iter().filter(|property| property.is_integer()) {
            put(&schema, &mut object, &property.path, json!(7));
        }
        assert_eq!(
            object,
            json!({"kind": "K", "spec": {"list": [{"name": "x", "port": 7}], "map": {"key": 7}}})
        );
        assert_eq!(all[1].name(), "any");
        assert!(all[1].is_open() && !all[0].is_open());
    }
}
