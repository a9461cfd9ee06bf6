//! The documents of a text, and which operator each is for.

use serde_json::Value;

/// One document.
#[derive(Debug)]
pub(super) enum Document {
    /// It is YAML or JSON.
    Manifest(Value),
    /// It is neither; why. Nothing of its content is in the text.
    Unreadable(String),
}

/// For which operator and what a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A cluster of krallistic's kafka-operator.
    Krallistic,
    /// A cluster of koperator.
    KoperatorCluster,
    /// A topic of koperator.
    KoperatorTopic,
    /// A user of koperator.
    KoperatorUser,
    /// A task of koperator.
    KoperatorOperation,
    /// A resource of Strimzi, or of this project.
    Strimzi,
    /// Anything else.
    Other,
}

impl Document {
    /// For which operator it is.
    pub(super) fn origin(&self) -> Origin {
        let Self::Manifest(value) = self else { return Origin::Other };
        let version = value["apiVersion"].as_str().unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let kind = value["kind"].as_str().unwrap_or_default();
        match (group, kind) {
            // Its examples spell the kind in two ways.
            ("krallistic.github.com" | "incubator.test.com", _)
                if kind.eq_ignore_ascii_case("kafkacluster") =>
            {
                Origin::Krallistic
            }
            ("kafka.banzaicloud.io", "KafkaCluster") => Origin::KoperatorCluster,
            ("kafka.banzaicloud.io", "KafkaTopic") => Origin::KoperatorTopic,
            ("kafka.banzaicloud.io", "KafkaUser") => Origin::KoperatorUser,
            ("kafka.banzaicloud.io", "CruiseControlOperation") => Origin::KoperatorOperation,
            (api::GROUP | api::CORE_GROUP, _) => Origin::Strimzi,
            _ => Origin::Other,
        }
    }

    /// What it is, for a reader.
    pub(super) fn subject(&self, position: usize) -> String {
        let number = format!("document {}", position + 1);
        let Self::Manifest(value) = self else { return number };
        match (value["kind"].as_str(), value["metadata"]["name"].as_str()) {
            (Some(kind), Some(name)) => format!("{kind} {name}"),
            (Some(kind), None) => format!("{kind} without a name ({number})"),
            _ => number,
        }
    }
}

/// Every document that is not empty; the items of a `List` count as documents.
pub(super) fn read(input: &str) -> Vec<Document> {
    let mut documents = Vec::new();
    for text in split(input) {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        match serde_saphyr::from_str::<Value>(&text) {
            Ok(Value::Null) => {}
            Ok(value) => add(value, &mut documents),
            // The error of the reader quotes the text.
            Err(error) => {
                let place =
                    error.location().map(|at| format!(" at line {}, column {}", at.line(), at.column()));
                documents.push(Document::Unreadable(format!(
                    "cannot read the document as YAML{}: correct it there",
                    place.unwrap_or_default()
                )));
            }
        }
    }
    documents
}

fn add(mut value: Value, documents: &mut Vec<Document>) {
    let is_list =
        value["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) && value["items"].is_array();
    if !is_list {
        documents.push(Document::Manifest(value));
        return;
    }
    if let Value::Array(items) = value["items"].take() {
        documents.extend(items.into_iter().map(Document::Manifest));
    }
}

/// The texts between lines of three dashes. Lines before a text count, so that an error names its line in the input.
fn split(input: &str) -> Vec<String> {
    let mut texts = vec![String::new()];
    for (before, line) in input.lines().enumerate() {
        if line == "---" || line.starts_with("--- ") || line.trim_end() == "---" {
            texts.push("\n".repeat(before + 1));
        } else if let Some(text) = texts.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    texts
}
