//! The properties of the compatibility contract, and values for each of them that its schema allows.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::values;

/// A step on the way to a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Property(String),
    /// The first item of a list.
    Item,
}

/// The kinds whose properties are looked at, each with its definition.
pub(crate) const KINDS: [(&str, &str); 2] =
    [("Kafka", "040-Crd-kafka.yaml"), ("KafkaNodePool", "045-Crd-kafkanodepool.yaml")];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The paths of a kind below `spec` in the contract, in its order.
pub(crate) fn paths(kind: &str) -> Vec<String> {
    let file = root().join(format!("crates/api/tests/reference/{kind}.tsv"));
    let text = std::fs::read_to_string(file).unwrap();
    let all = text.lines().skip(1).map(|line| line.split('\t').next().unwrap().to_owned());
    all.filter(|path| path == "spec" || path.starts_with("spec.")).collect()
}

/// The schema of `v1` of a kind.
pub(crate) fn schema(file: &str) -> Value {
    let text = std::fs::read_to_string(root().join("crds").join(file)).unwrap();
    let mut crd: Value = serde_saphyr::from_str(&text).unwrap();
    let versions = crd["spec"]["versions"].as_array_mut().unwrap();
    let v1 = versions.iter_mut().find(|version| version["name"] == "v1").unwrap();
    v1["schema"]["openAPIV3Schema"].take()
}

/// The steps of a path such as `spec.kafka.listeners[].name`.
pub(crate) fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for name in path.split('.') {
        let plain = name.strip_suffix("[]");
        steps.push(Step::Property(plain.unwrap_or(name).to_owned()));
        if plain.is_some() {
            steps.push(Step::Item);
        }
    }
    steps
}

/// The schema below a step.
pub(crate) fn inner<'a>(schema: &'a Value, step: &Step) -> &'a Value {
    match step {
        Step::Property(name) => &schema["properties"][name],
        Step::Item => &schema["items"],
    }
}

/// The least that the schema allows: what is required, and nothing else.
pub(crate) fn least(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("object") => {
            let mut object = Map::new();
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap();
                object.insert(name.to_owned(), least(&schema["properties"][name]));
            }
            Value::Object(object)
        }
        Some("array") => json!([]),
        _ => values::of(schema, "").swap_remove(0),
    }
}

/// Sets a property of a manifest; what is missing on the way is made. `None` takes it out.
pub(crate) fn set(manifest: &mut Value, schema: &Value, path: &str, value: Option<&Value>) {
    let steps = steps(path);
    let (last, way) = steps.split_last().unwrap();
    let (mut at, mut schema) = (manifest, schema);
    for step in way {
        schema = inner(schema, step);
        assert!(schema.is_object(), "the definition has no {path}");
        let missing = least(schema);
        let next = match step {
            Step::Property(name) => &mut at[name.as_str()],
            Step::Item => {
                let items = at.as_array_mut().unwrap();
                if items.is_empty() {
                    items.push(missing.clone());
                }
                &mut items[0]
            }
        };
        if next.is_null() {
            *next = missing;
        }
        at = next;
    }
    let Step::Property(name) = last else { panic!("{path} ends with an item") };
    let object = at.as_object_mut().unwrap();
    match value {
        Some(value) => drop(object.insert(name.clone(), value.clone())),
        None => drop(object.remove(name)),
    }
}

/// The schema of a property, and whether an object can be without it.
pub(crate) fn property<'a>(schema: &'a Value, path: &str) -> (&'a Value, bool) {
    let (mut at, mut optional) = (schema, true);
    for step in steps(path) {
        if let Step::Property(name) = &step {
            let required = at["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
            let one_of = at["oneOf"].as_array().into_iter().flatten();
            let is_choice = one_of.clone().any(|choice| choice["properties"].get(name).is_some());
            optional = !required && !is_choice;
        }
        at = inner(at, &step);
    }
    assert!(at.is_object(), "the definition has no {path}");
    (at, optional)
}

/// The table of properties without effect in docs/differences.md: path and reason.
pub(crate) fn without_effect() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("docs/differences.md")).unwrap();
    let (_, section) = text.split_once("\n## Fields without effect\n").expect("the section is there");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    rows.map(|(path, reason)| (path.to_owned(), reason.trim_end_matches(" |").to_owned())).collect()
}
