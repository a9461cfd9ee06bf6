//! `kubectl kafka convert`: what comes out of manifests of other operators, and what is said of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod documents;
mod koperator;
mod krallistic;
mod process;
mod schema;
mod validity;

use kubectl_kafka::convert::{Conversion, Resource, Weight, convert};
use serde_json::Value;

/// A file of `tests/inputs`.
pub fn input(name: &str) -> String {
    let path = format!("{}/tests/inputs/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

pub fn converted(text: &str) -> Conversion {
    let conversion = convert(text).unwrap();
    assert!(!conversion.has_failed(), "{:#?}", conversion.documents);
    conversion
}

/// A resource as JSON.
pub fn json(resource: &Resource) -> Value {
    match resource {
        Resource::Kafka(kafka) => serde_json::to_value(kafka),
        Resource::Pool(pool) => serde_json::to_value(pool),
        Resource::Topic(topic) => serde_json::to_value(topic),
        Resource::User(user) => serde_json::to_value(user),
    }
    .unwrap()
}

/// The resource of a kind and a name.
pub fn find(conversion: &Conversion, kind: &str, name: &str) -> Value {
    let mut all = conversion.resources().map(json);
    let found = all.find(|resource| resource["kind"] == kind && resource["metadata"]["name"] == name);
    found.unwrap_or_else(|| {
        panic!("no {kind} {name} in {:#?}", conversion.resources().map(json).collect::<Vec<_>>())
    })
}

/// Every note as `path = value: text`, with its weight.
pub fn notes(conversion: &Conversion) -> Vec<(Weight, String)> {
    let notes = conversion.converted().flat_map(|(_, converted)| &converted.notes);
    notes
        .map(|note| {
            (note.weight, format!("{} = {}: {}", note.path, note.value.as_deref().unwrap_or(""), note.text))
        })
        .collect()
}

/// Whether a note of this weight has all of these words.
pub fn says(conversion: &Conversion, weight: Weight, words: &[&str]) {
    let all = notes(conversion);
    let found = all.iter().any(|(of, text)| *of == weight && words.iter().all(|word| text.contains(word)));
    assert!(found, "nothing says {words:?}: {all:#?}");
}
