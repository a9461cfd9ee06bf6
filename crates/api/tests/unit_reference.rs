//! Compares the definitions with the tables of the compatibility contract in `tests/reference`.
//!
//! A table has a row per property: path, type, required, enumeration, bounds, pattern, format, default. `a[]` is an
//! item of the list `a`, `a.*` a value of the map `a`. `items.tsv` has the types of list items and map values.
//! `v1beta2.tsv` has the rows of `v1beta2` that are others than those of `v1`, but for three: types of listeners that came later
//! are known to `v1beta2` too, that a rack needs its `topologyKey` says a rule, and `spec` is required, since an object without it
//! could not be written through `v1` any more, by whom it may be.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests may stop at a surprise too"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use api::crds::{CrdFile, older};
use api::extensions;
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

/// The schema of every kind in a version, as JSON.
fn schemas(version: &str) -> BTreeMap<String, Value> {
    static ALL: LazyLock<Vec<CrdFile>> = LazyLock::new(|| api::crds::all().unwrap());
    let mut schemas = BTreeMap::new();
    for file in ALL.iter() {
        // One kind is of `v1beta2` alone.
        let Some(version) = file.crd.spec.versions.iter().find(|known| known.name == version) else {
            continue;
        };
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

/// Whether a rule requires a property in an object that did not have it before.
fn requires_by_rule(schema: &Value, name: &str) -> bool {
    let rules = schema["x-kubernetes-validations"].as_array();
    let of_name =
        |rule: &Value| rule["reason"] == "FieldValueRequired" && rule["fieldPath"] == format!(".{name}");
    rules.is_some_and(|rules| rules.iter().any(of_name))
}

fn rows(schema: &Value, path: &str, found: &mut BTreeMap<String, String>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let required =
                schema["required"].as_array().is_some_and(|all| all.contains(&Value::from(name.as_str())));
            let required = required || requires_by_rule(schema, name);
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

fn lines(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder().join(file)).unwrap();
    text.lines().skip(1).map(ToOwned::to_owned).collect()
}

/// The rows of `v1`.
fn table(kind: &str) -> BTreeMap<String, String> {
    read_rows(lines(&format!("{kind}.tsv")).iter().map(String::as_str))
}

/// The rows of `v1beta2` that are others than those of `v1`.
fn former(kind: &str) -> BTreeMap<String, String> {
    let lines = lines("v1beta2.tsv");
    let start = format!("{kind}\t");
    read_rows(lines.iter().filter_map(|line| line.strip_prefix(&start)))
}

fn read_rows<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in lines {
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
        differences.push(format!("{kind} {path} is neither in the contract nor in the table of extensions"));
    }
    differences
}

/// What is kept as a whole is not described further: takes it out of both sides. The answer says how many properties that were.
fn without_unread(
    kind: &str,
    expected: &mut BTreeMap<String, String>,
    found: &mut BTreeMap<String, String>,
) -> usize {
    let before = expected.len();
    for path in older::unread(kind) {
        let row = found.get(&path).cloned().unwrap_or_default();
        let kept = row.starts_with("type=object+free") || row.starts_with("type=array");
        if kept {
            found.insert(path.clone(), row.replacen("type=object+free", "type=object", 1));
            let inside = |other: &str| {
                other.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.') || rest.starts_with("[]"))
            };
            expected.retain(|other, _| !inside(other));
            // The property that is free in the contract, too.
            if expected.get(&path).is_some_and(|row| row.starts_with("type=object+free")) {
                found.insert(path, row);
            }
        }
    }
    before - expected.len()
}

/// Takes the extensions of a kind out of what was found, and says what is wrong with them: each is there, has its type, is
/// optional and has no default. Only what stands within another extension may be required.
fn take_extensions(kind: &str, found: &mut BTreeMap<String, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let all: Vec<_> = extensions::of_kind(kind).collect();
    for extension in &all {
        let path = extension.path;
        let Some(row) = found.remove(path) else {
            wrong.push(format!("{kind} {path} stands in the table of extensions and not in the schema"));
            continue;
        };
        let within = |outer: &&extensions::Extension| {
            path.strip_prefix(outer.path).is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        if !row.starts_with(&format!("type={} ", extension.type_)) {
            wrong.push(format!("{kind} {path} is no {}: {row}", extension.type_));
        }
        if row.contains(" required=true ") && !all.iter().any(within) {
            wrong.push(format!("{kind} {path} is required, so it is no extension"));
        }
        if !row.ends_with(" default=") {
            wrong.push(format!("{kind} {path} has a default in the schema: {row}"));
        }
    }
    wrong
}

#[test]
fn every_property_is_that_of_the_contract() {
    let mut all = Vec::new();
    let mut paths = 0;
    for (kind, schema) in schemas("v1") {
        let contract = table(&kind);
        let mut found = BTreeMap::new();
        rows(&schema, "", &mut found);
        all.extend(take_extensions(&kind, &mut found));
        paths += found.keys().filter(|path| contract.contains_key(*path)).count();
        // What was dropped is kept.
        let mut expected = former(&kind);
        expected.extend(contract);
        without_unread(&kind, &mut expected, &mut found);
        all.extend(differences(&kind, &expected, &found));
    }
    assert!(all.is_empty(), "{} differences:\n{}", all.len(), all.join("\n"));
    assert_eq!(paths, 4090);
}

/// Properties newer than Strimzi 0.45, the last release with KafkaMirrorMaker and the source of its table, in types that it shares with other kinds.
const CAME_LATER: [&str; 24] = [
    "spec.consumer.authentication.config",
    "spec.consumer.authentication.grantType",
    "spec.consumer.authentication.sasl",
    "spec.consumer.authentication.type",
    "spec.metricsConfig.type",
    "spec.metricsConfig.valueFrom",
    "spec.metricsConfig.values",
    "spec.metricsConfig.values.allowList",
    "spec.producer.authentication.config",
    "spec.producer.authentication.grantType",
    "spec.producer.authentication.sasl",
    "spec.producer.authentication.type",
    "spec.template.pod.dnsConfig",
    "spec.template.pod.dnsConfig.nameservers",
    "spec.template.pod.dnsConfig.options",
    "spec.template.pod.dnsConfig.options[].name",
    "spec.template.pod.dnsConfig.options[].value",
    "spec.template.pod.dnsConfig.searches",
    "spec.template.pod.dnsPolicy",
    "spec.template.pod.hostUsers",
    "spec.template.pod.volumes[].emptyDir.medium",
    "spec.template.pod.volumes[].image",
    "spec.template.pod.volumes[].image.pullPolicy",
    "spec.template.pod.volumes[].image.reference",
];

/// Takes that out, of what was found and of the contract. Besides, a size was described there as an object, which it never was, and
/// `spec` is required as of every kind.
fn take_later(expected: &mut BTreeMap<String, String>, found: &mut BTreeMap<String, String>) {
    for path in CAME_LATER {
        assert!(found.remove(path).is_some(), "{path} is not there: take it out of the list");
        expected.remove(path);
    }
    let size = "spec.template.pod.volumes[].emptyDir.sizeLimit";
    expected.retain(|path, _| path != "spec" && !path.starts_with(size));
    found.retain(|path, _| path != "spec" && !path.starts_with(size));
}

#[test]
fn every_property_of_v1beta2_is_that_of_the_contract() {
    let mut all = Vec::new();
    let (mut dropped, mut inside) = (0, 0);
    for (kind, schema) in schemas("v1beta2") {
        let mut found = BTreeMap::new();
        rows(&schema, "", &mut found);
        all.extend(take_extensions(&kind, &mut found));
        let mut expected = table(&kind);
        let former = former(&kind);
        dropped += former.keys().filter(|path| !expected.contains_key(*path)).count();
        expected.extend(former);
        if kind == "KafkaMirrorMaker" {
            take_later(&mut expected, &mut found);
        }
        inside += without_unread(&kind, &mut expected, &mut found);
        all.extend(differences(&kind, &expected, &found));
    }
    assert!(all.is_empty(), "{} differences:\n{}", all.len(), all.join("\n"));
    assert_eq!((dropped, inside < dropped), (1184, true));
}

/// The table of `docs/extensions.md`.
fn documented() -> String {
    let mut text = "| kind | property | type | without it | what for |\n|---|---|---|---|---|\n".to_owned();
    for extension in extensions::EXTENSIONS {
        let extensions::Extension { kind, path, type_, default, purpose } = extension;
        writeln!(text, "| {kind} | `{path}` | {type_} | {default} | {purpose} |").unwrap();
    }
    text
}

#[test]
fn the_documentation_lists_the_extensions() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/extensions.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines =
        text.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let rows = lines.fold(String::new(), |mut rows, line| {
        writeln!(rows, "{line}").unwrap();
        rows
    });
    assert_eq!(rows, documented(), "{} must have this table", file.display());
    let sorted = extensions::EXTENSIONS.is_sorted_by_key(|extension| (extension.kind, extension.path));
    assert!(sorted, "extensions stand in the order of kind and path");
}

#[test]
fn versions_that_are_older_still_are_as_v1beta2() {
    let mut checked = 0;
    for kind in ["KafkaTopic", "KafkaUser"] {
        for version in ["v1beta1", "v1alpha1"] {
            let file = api::crds::all().unwrap().into_iter().find(|file| file.crd.spec.names.kind == kind);
            let versions = file.unwrap().crd.spec.versions;
            let schema =
                |name: &str| versions.iter().find(|known| known.name == name).unwrap().schema.clone();
            assert!(schema(version) == schema("v1beta2"), "{kind} {version}");
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
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
    for (kind, schema) in schemas("v1") {
        let mut found = BTreeMap::new();
        inner_types(&schema, "", &mut found);
        // The table has what `v1` has.
        let contract = table(&kind);
        found.retain(|path, _| {
            let end = path.trim_end_matches("[]").trim_end_matches(".*").trim_end_matches("[]");
            contract.contains_key(end)
        });
        all.extend(differences(&kind, &tables[&kind], &found));
    }
    assert!(all.is_empty(), "{} differences:\n{}", all.len(), all.join("\n"));
}
