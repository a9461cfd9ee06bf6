//! Objects with every property of the compatibility contract, made out of its tables and of nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

/// The row of a property, as far as a value depends on it.
struct Row {
    type_: String,
    values: Vec<Value>,
    least: Option<i64>,
    pattern: String,
}

/// What a kind can say in `v1` and in `v1beta2` together.
pub(crate) struct Contract {
    rows: BTreeMap<String, Row>,
    /// Types of list items and map values that have no properties.
    items: BTreeMap<String, String>,
}

/// Properties of which an object has exactly one, each list of them for the objects below `ends_with`.
const ALTERNATIVES: [(&str, &[&str]); 5] = [
    ("olumes[]", &["secret", "configMap", "emptyDir", "persistentVolumeClaim", "csi", "image"]),
    ("env[]", &["value", "valueFrom"]),
    ("env[].valueFrom", &["secretKeyRef", "configMapKeyRef"]),
    ("trustedCertificates[]", &["certificate", "pattern"]),
    ("tlsTrustedCertificates[]", &["certificate", "pattern"]),
];

impl Contract {
    pub(crate) fn of(kind: &str) -> Self {
        let mut rows = BTreeMap::new();
        for line in lines("v1beta2.tsv") {
            if let Some(line) = line.strip_prefix(&format!("{kind}\t")) {
                rows.extend([row(line)]);
            }
        }
        for line in lines(&format!("{kind}.tsv")) {
            rows.extend([row(&line)]);
        }
        let mut items = BTreeMap::new();
        for line in lines("items.tsv") {
            if let [of, path, type_, ..] = line.split('\t').collect::<Vec<_>>().as_slice()
                && *of == kind
            {
                let rest = line.split('\t').nth(3).unwrap_or_default();
                // An enumeration stands in the place of the pattern.
                let value = if rest.contains('|') && !rest.starts_with('/') { rest } else { type_ };
                items.insert((*path).to_owned(), value.to_owned());
            }
        }
        Self { rows, items }
    }

    /// Number of its properties.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// A value with every property below a path.
    pub(crate) fn sample(&self, path: &str) -> Value {
        let row = &self.rows[path];
        match row.type_.as_str() {
            "object+free" => json!({ "text": "a", "number": 1, "list": [true, { "deep": 0.5 }] }),
            "object" => self.object(path),
            "array" => self.list(path),
            "string" => match row.values.first() {
                Some(value) => value.clone(),
                None => text(&row.pattern).into(),
            },
            "integer" => json!(row.least.unwrap_or(7).max(7)),
            "number" => json!(0.5),
            "boolean" => json!(true),
            "int-or-string" => json!("500m"),
            other => panic!("no sample of {other} for {path}"),
        }
    }

    fn children(&self, path: &str) -> Vec<&str> {
        let start = format!("{path}.");
        let inside = self.rows.keys().filter_map(|row| row.strip_prefix(&start));
        inside.filter(|rest| !rest.contains(['.', '['])).collect()
    }

    fn object(&self, path: &str) -> Value {
        let children = self.children(path);
        if children.is_empty() {
            let value = self.items.get(&format!("{path}.*")).map_or_else(|| json!("1"), |type_| plain(type_));
            return json!({ "some-key": value });
        }
        let all = children.into_iter().map(|name| (name.to_owned(), self.sample(&format!("{path}.{name}"))));
        Value::Object(all.collect())
    }

    fn list(&self, path: &str) -> Value {
        let item = format!("{path}[]");
        if !self.children(&item).is_empty() {
            return Value::Array(alternatives(&item, &self.object(&item)));
        }
        match self.items.get(&item) {
            Some(type_) => json!([plain(type_)]),
            None if path.ends_with("Ids") || path.ends_with("Groups") => json!([7]),
            None => json!(["text"]),
        }
    }
}

/// The items of a list: one for each choice between properties that exclude each other.
fn alternatives(path: &str, item: &Value) -> Vec<Value> {
    let Value::Object(item) = item else { return vec![item.clone()] };
    let mut items = vec![item.clone()];
    for (end, names) in ALTERNATIVES {
        if let Some(inner) = end.strip_prefix("env[].").filter(|_| path.ends_with("env[]")) {
            items = items
                .into_iter()
                .flat_map(|item| match item.get(inner) {
                    Some(Value::Object(within)) => choose(within, names)
                        .into_iter()
                        .map(|within| {
                            let mut item = item.clone();
                            item.insert(inner.to_owned(), within.into());
                            item
                        })
                        .collect(),
                    _ => vec![item],
                })
                .collect();
        } else if path.ends_with(end) {
            items = items.iter().flat_map(|item| choose(item, names)).collect();
        }
    }
    items.into_iter().map(Value::Object).collect()
}

fn choose(item: &Map<String, Value>, names: &[&str]) -> Vec<Map<String, Value>> {
    let present: Vec<&&str> = names.iter().filter(|name| item.contains_key(**name)).collect();
    if present.len() < 2 {
        return vec![item.clone()];
    }
    let only = |chosen: &&str| {
        let mut item = item.clone();
        item.retain(|name, _| name == chosen || !names.contains(&name.as_str()));
        item
    };
    present.into_iter().map(only).collect()
}

fn lines(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(file);
    std::fs::read_to_string(path).unwrap().lines().skip(1).map(ToOwned::to_owned).collect()
}

fn row(line: &str) -> (String, Row) {
    let cells: Vec<&str> = line.split('\t').collect();
    let cell = |index: usize| cells.get(index).copied().unwrap_or_default();
    let row = Row {
        type_: cell(1).to_owned(),
        values: serde_json::from_str(cell(3)).unwrap_or_default(),
        least: cell(4).parse().ok(),
        pattern: cell(9).to_owned(),
    };
    (cell(0).to_owned(), row)
}

/// A text of a pattern.
fn text(pattern: &str) -> &'static str {
    let known = ["text", "1Gi", "1g", "1MB/s", "500m", "1", "https://example.com/a.jar"];
    let matching = |text: &&str| regex::Regex::new(pattern).unwrap().is_match(text);
    known.into_iter().find(matching).unwrap_or_else(|| panic!("no text for {pattern}"))
}

/// A value of a type, or of an enumeration.
fn plain(type_: &str) -> Value {
    match type_ {
        "string" => json!("text"),
        "integer" => json!(7),
        "boolean" => json!(true),
        "int-or-string" => json!("500m"),
        "object" => json!({}),
        "object+free" => json!({ "text": "a", "number": 1, "list": [true, { "deep": 0.5 }] }),
        values => values.split('|').next().into(),
    }
}
