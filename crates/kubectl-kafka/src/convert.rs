//! `kubectl kafka convert`: manifests of other operators become Strimzi resources.
//!
//! Pure: text in, resources and [notes](Note) out. What a manifest says is taken from it field by field
//! ([`fields`](self) keeps count); what is left over at the end, and what has no counterpart, becomes a note with its path, its
//! value and what to do instead. No note and no resource shows a secret. Whatever comes out was accepted by the
//! [planner's validation](planner::kafka::validate::alone).

mod accepted;
mod affinity;
mod controllers;
mod documents;
mod fields;
mod jvm;
mod koperator;
mod krallistic;
mod kubernetes_names;
mod logging;
mod metadata;
mod notes;
mod options;
mod print;
mod resources;
mod secrets;
mod storage;

use std::collections::BTreeMap;

use api::Kafka;
use serde_json::Value;

use self::documents::{Document, Origin};
use self::notes::Notes;
pub use self::notes::{Note, Weight};
pub use self::print::{comment, summary, text};
pub use self::resources::{Converted, Resource};

/// What became of a text with manifests.
#[derive(Debug, Default)]
pub struct Conversion {
    /// What became of each document, in order.
    pub documents: Vec<Outcome>,
}

/// What became of one document.
#[derive(Debug)]
pub struct Outcome {
    /// What the document is, for a reader: `KafkaCluster kafka`, or its number.
    pub subject: String,
    /// What it became.
    pub kind: OutcomeKind,
}

/// What a document became.
#[derive(Debug)]
pub enum OutcomeKind {
    /// Resources, and what is to be said of them.
    Converted(Converted),
    /// It is no manifest of an operator that is converted from; why it was left out.
    LeftOut(String),
    /// It could not be converted; why.
    Failed(Vec<String>),
}

impl Conversion {
    /// Every resource, in order.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.converted().flat_map(|(_, converted)| &converted.resources)
    }

    /// Every document that was converted, with what it is.
    pub fn converted(&self) -> impl Iterator<Item = (&str, &Converted)> {
        self.documents.iter().filter_map(|outcome| match &outcome.kind {
            OutcomeKind::Converted(converted) => Some((outcome.subject.as_str(), converted)),
            _ => None,
        })
    }

    /// Whether a document could not be converted.
    pub fn has_failed(&self) -> bool {
        self.documents.iter().any(|outcome| matches!(outcome.kind, OutcomeKind::Failed(_)))
    }

    /// Whether something that a manifest asks for is in no resource.
    pub fn has_lost(&self) -> bool {
        self.converted().any(|(_, converted)| converted.notes.iter().any(|note| note.weight == Weight::Lost))
    }
}

/// What is wrong with the input as a whole.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConvertError {
    /// Nothing of it can be converted.
    #[error(
        "nothing to convert: no document is a KafkaCluster of krallistic.github.com or kafka.banzaicloud.io, or a KafkaTopic \
         or KafkaUser of kafka.banzaicloud.io"
    )]
    Nothing,
}

/// Converts every document of a text in YAML or JSON.
///
/// # Errors
/// When nothing in it is a manifest that can be converted.
pub fn convert(input: &str) -> Result<Conversion, ConvertError> {
    let documents = documents::read(input);
    let mut clusters = BTreeMap::new();
    let mut outcomes: Vec<(usize, Outcome)> = Vec::new();
    // Clusters first: what is to be written for a user depends on its cluster.
    let (first, then): (Vec<_>, Vec<_>) = documents.into_iter().enumerate().partition(|(_, document)| {
        matches!(document.origin(), Origin::Krallistic | Origin::KoperatorCluster)
    });
    for (position, document) in first.into_iter().chain(then) {
        let subject = document.subject(position);
        let kind = one(document, &mut clusters);
        outcomes.push((position, Outcome { subject, kind }));
    }
    outcomes.sort_by_key(|(position, _)| *position);
    let documents: Vec<Outcome> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    if documents.iter().all(|outcome| matches!(outcome.kind, OutcomeKind::LeftOut(_)))
        && !documents.is_empty()
    {
        return Err(ConvertError::Nothing);
    }
    if documents.is_empty() {
        return Err(ConvertError::Nothing);
    }
    Ok(Conversion { documents })
}

/// Converts one document. `clusters` holds the Kafka resources made so far by name.
fn one(document: Document, clusters: &mut BTreeMap<String, Kafka>) -> OutcomeKind {
    let origin = document.origin();
    let value = match document {
        Document::Unreadable(error) => return OutcomeKind::Failed(vec![error]),
        Document::Manifest(value) => value,
    };
    let mut notes = Notes::default();
    let resources = match origin {
        Origin::Krallistic => krallistic::cluster(value, &mut notes),
        Origin::KoperatorCluster => koperator::cluster(value, &mut notes),
        Origin::KoperatorTopic => koperator::topic(value, &mut notes),
        Origin::KoperatorUser => koperator::user(value, clusters, &mut notes),
        Origin::KoperatorOperation => {
            return OutcomeKind::LeftOut(
                "a CruiseControlOperation is a task and no state: nothing has to be converted".to_owned(),
            );
        }
        Origin::Strimzi => {
            return OutcomeKind::LeftOut("it is a Strimzi resource already: apply it as it is".to_owned());
        }
        Origin::Other => return OutcomeKind::LeftOut(left_out(&value)),
    };
    let resources = match resources {
        Ok(resources) => resources,
        Err(problem) => return OutcomeKind::Failed(vec![problem]),
    };
    let problems = accepted::problems(&resources);
    if !problems.is_empty() {
        return OutcomeKind::Failed(problems);
    }
    for resource in &resources {
        if let Resource::Kafka(kafka) = resource {
            clusters.insert(kafka.metadata.name.clone().unwrap_or_default(), (**kafka).clone());
        }
    }
    OutcomeKind::Converted(Converted { resources, notes: notes.into_list() })
}

/// Why a document of another kind is left out. Of its content nothing is shown: it may be a Secret.
fn left_out(value: &Value) -> String {
    let kind = value["kind"].as_str().unwrap_or_default();
    if kind == "StatefulSet" {
        return "a StatefulSet written by hand is not understood: write a Kafka resource with a KafkaNodePool, see \
                examples/quickstart.yaml"
            .to_owned();
    }
    "it is no manifest of an operator that is converted from: apply it as it is if it is still needed"
        .to_owned()
}
