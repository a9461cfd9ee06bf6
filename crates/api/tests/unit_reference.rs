//! Compares the definitions with the tables of the compatibility contract in `tests/reference`.
//!
//! A table has a row per property: path, type, required, enumeration, bounds, pattern, format, default. `a[]` is an
//! item of the list `a`, `a.*` a value of the map `a`. `items.tsv` has the types of list items and map values.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests may stop at a surprise too"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

/// The schema of every kind, as JSON.
fn schemas() -> BTreeMap<String, Value> {
    let mut schemas = BTreeMap::new();
    for file in api::crds::all().unwrap() {
        let version = file.crd.spec.versions.iter().find(|version| version.name == "v1").unwrap();
        let schema = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        schemas.insert(file.crd.spec.names.kind.clone(), serde_json::to_value(schema).unwrap());
    }
    schemas
}

const COLUMNS: [(&str, &str); 9] = [
    ("enum", "enum"),
    ("min", "minimum"),
    ("max", "maximum"),
    ("minItems", "minItems"),
    ("minLength", "minLength"),
    ("maxLength", "maxLength"),
    ("pattern", "pattern"),
    ("format", "format"),
    ("default", "default"),
];

fn type_of(schema: &Value) -> String {
    let mut text = schema["type"].as_str().unwrap_or_default().to_owned();
    if schema["x-kubernetes-int-or-string"] == true {
        "int-or-string".clone_into(&mut text);
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        text.push_str("+free");
    }
    text
}

/// A number without a useless fraction, a text as it is, anything else as JSON.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().unwrap().to_string(),
        other => other.to_string(),
    }
}

/// A cell of a table in the same form.
fn normal(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Array(_) | Value::Number(_))) => cell(&value),
        _ => text.to_owned(),
    }
}

/// The bounds that are only those of the numbers the operators use.
fn is_of_the_type(bound: &Value) -> bool {
    let largest = api::crds::LARGEST_INTEGER;
    let bounds = [i64::from(i32::MIN), i64::from(i32::MAX), -largest, largest];
    bound.as_f64().is_some_and(|bound| bounds.contains(&(bound as i64)))
}

fn rows(schema: &Value, path: &str, found: &mut BTreeMap<String, String>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let required =
                schema["required"].as_array().is_some_and(|all| all.contains(&Value::from(name.as_str())));
            let mut row = format!("type={} required={required}", type_of(property));
            for (column, keyword) in COLUMNS {
                let value =
                    if is_of_the_type(&property[keyword]) { &Value::Null } else { &property[keyword] };
                write!(row, " {column}={}", cell(value)).unwrap();
            }
            found.insert(inner.clone(), row);
            rows(property, &inner, found);
        }
    }
    if schema["items"].is_object() {
        rows(&schema["items"], &format!("{path}[]"), found);
    }
    if schema["additionalProperties"].is_object() {
        rows(&schema["additionalProperties"], &format!("{path}.*"), found);
    }
}

fn table(kind: &str) -> BTreeMap<String, String> {
    let path = folder().join(format!("{kind}.tsv"));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut found = BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let get = |index: usize| cells.get(index).copied().unwrap_or_default();
        let mut row = format!("type={} required={}", get(1), get(2) == "R");
        for (index, (column, _)) in COLUMNS.iter().enumerate() {
            write!(row, " {column}={}", normal(get(index + 3))).unwrap();
        }
        found.insert(get(0).to_owned(), row);
    }
    found
}

fn differences(
    kind: &str,
    expected: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut differences = Vec::new();
    for (path, row) in expected {
        match found.get(path) {
            None => differences.push(format!("{kind} {path} is missing")),
            Some(other) if other != row => {
                differences.push(format!("{kind} {path}\n    should be {row}\n    and is    {other}"));
            }
            Some(_) => {}
        }
    }
    for path in found.keys().filter(|path| !expected.contains_key(*path)) {
        differences.push(format!("{kind} {path} is not in the contract"));
    }
    differences
}

#[test]
fn every_property_is_that_of_the_contract() {
    let mut all = Vec::new();
    let mut paths = 0;
    for (kind, schema) in schemas() {
        let expected = table(&kind);
        let mut found = BTreeMap::new();
        rows(&schema, "", &mut found);
        paths += found.len();
        all.extend(differences(&kind, &expected, &found));
    }
    assert!(all.is_empty(), "{} differences:\n{}", all.len(), all.join("\n"));
    assert_eq!(paths, 4090);
}

fn inner_types(schema: &Value, path: &str, found: &mut BTreeMap<String, String>) {
    for (keyword, suffix) in [("items", "[]"), ("additionalProperties", ".*")] {
        let inner = &schema[keyword];
        if !inner.is_object() {
            continue;
        }
        let path = format!("{path}{suffix}");
        let mut row = type_of(inner);
        if let Some(values) = inner["enum"].as_array() {
            let values: Vec<_> = values.iter().map(|value| value.as_str().unwrap()).collect();
            write!(row, " {}", values.join("|")).unwrap();
        }
        if let Some(pattern) = inner["pattern"].as_str() {
            write!(row, " /{pattern}/").unwrap();
        }
        // The table says nothing about maps of objects, which the contract does not have.
        found.insert(path.clone(), row);
        inner_types(inner, &path, found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        inner_types(property, &inner, found);
    }
    if let Some(properties) = schema["items"]["properties"].as_object() {
        for (name, property) in properties {
            inner_types(property, &format!("{path}[].{name}"), found);
        }
    }
}

#[test]
fn list_items_and_map_values_are_those_of_the_contract() {
    let text = std::fs::read_to_string(folder().join("items.tsv")).unwrap();
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let row = cells[2..].join(" ");
        tables.entry(cells[0].to_owned()).or_default().insert(cells[1].to_owned(), row);
    }
    let mut all = Vec::new();
    for (kind, schema) in schemas() {
        let mut found = BTreeMap::new();
        inner_types(&schema, "", &mut found);
        all.extend(differences(&kind, &tables[&kind], &found));
    }
    assert!(all.is_empty(), "{} differences:\n{}", all.len(), all.join("\n"));
}
