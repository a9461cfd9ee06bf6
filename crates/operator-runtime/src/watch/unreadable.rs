//! Reads each object by itself: an object that the operator cannot read is known to be there, and holds up no other.

use std::collections::BTreeMap;

use api::conditions::Condition;
use api::kinds;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::json::{self, NotJson};
use crate::limits::Largest;

/// Longest reason in characters.
const LONGEST_REASON: usize = 400;

/// Lists and maps within each other that a member of an object may have. The reader takes 128 in all, and the managed
/// fields have a few more than the object.
const DEEPEST_NESTING: usize = 100;

/// Bytes of labels, finalizers and owners that are kept of an unreadable object.
const KEPT_METADATA: usize = 16 * 1024;

/// Bytes of the same that are kept of an object that there is no room for.
const KEPT_OF_BARE: usize = 512;

/// Bytes of conditions that are kept: those of an operator are short, and others are not compared.
const KEPT_CONDITIONS: usize = 8 * 1024;

/// What an unreadable object takes beside its own values: its keys in a cache, in an index and in lists of what was told.
const PLACES: usize = 600;

/// What an object takes beside its members, at most. The volumes and containers of a pod are the largest.
fn object_bytes(kind: &str) -> usize {
    match kind {
        "Pod" | "Deployment" => 3500,
        // Its pods are free JSON: maps with room for eleven members.
        kinds::STRIMZI_POD_SET => 650,
        _ => 1000,
    }
}

/// An object that is there and cannot be read: a number that is too large for its field, lists in lists without end, or
/// more of it than the operator has room for.
#[derive(Debug, Clone, PartialEq)]
pub struct Unreadable {
    /// What can be told of it: name, namespace, uid, versions, Strimzi's labels, finalizers, owners, time of deletion.
    pub metadata: ObjectMeta,
    /// Why it cannot be read and what to write instead, as part of a sentence about the object.
    pub why: String,
    /// The conditions in its status, as far as they can be read.
    pub conditions: Vec<Condition>,
    /// The generation that its status is about.
    pub observed_generation: Option<i64>,
    /// Which topic it is about, if it is a KafkaTopic.
    pub topic: NamedTopic,
    /// Whether it would be readable if there were more room.
    pub(super) for_want_of_room: bool,
}

/// What a KafkaTopic that is not read says of its topic: another resource must not take that for its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedTopic {
    /// `spec.topicName`.
    pub wanted: Option<Box<str>>,
    /// `status.topicName`: it manages this one.
    pub managed: Option<Box<str>>,
    /// Whether it says `strimzi.io/managed: "false"`.
    pub is_left_alone: bool,
}

impl NamedTopic {
    /// Characters of the longest name that a topic may have.
    const LONGEST: usize = 249;

    /// As the text of an object says it. What cannot be told is left out.
    pub(super) fn of(text: &str) -> Self {
        let text_at = |path: &[&str]| {
            let mut here = text;
            for name in path {
                here = json::member(here, name).ok()??;
            }
            json::plain_string(here)
        };
        let name =
            |part| text_at(&[part, "topicName"]).filter(|name| name.len() <= Self::LONGEST).map(Into::into);
        let managed = text_at(&["metadata", "annotations", api::annotations::MANAGED]);
        Self { wanted: name("spec"), managed: name("status"), is_left_alone: managed == Some("false") }
    }
}

impl Unreadable {
    /// The value of the label `strimzi.io/cluster`.
    pub fn cluster(&self) -> Option<&str> {
        self.metadata.labels.as_ref()?.get(api::labels::CLUSTER).map(String::as_str)
    }

    /// An object that can be read, and that there is no room for.
    pub(super) fn for_want_of_room(metadata: ObjectMeta, why: String) -> Self {
        Self {
            metadata: trimmed(metadata, KEPT_METADATA),
            why,
            conditions: Vec::new(),
            observed_generation: None,
            topic: NamedTopic::default(),
            for_want_of_room: true,
        }
    }

    /// With what the text of the object says of its topic.
    pub(super) fn naming(self, text: &str) -> Self {
        Self { topic: NamedTopic::of(text), ..self }
    }

    /// An object whose kept text cannot be decoded any more; its next change mends that.
    pub(super) fn with_broken_copy(metadata: ObjectMeta) -> Self {
        let why =
            "what the operator kept of it cannot be decoded: change it, or restart the operator".to_owned();
        Self { for_want_of_room: false, ..Self::for_want_of_room(metadata, why) }
    }

    /// About how many bytes of memory it takes, with its places in caches and indexes.
    pub(super) fn bytes(&self) -> usize {
        crate::memory::size_of(&self.metadata)
            + crate::memory::size_of(&self.conditions)
            + self.why.len()
            + [&self.topic.wanted, &self.topic.managed]
                .into_iter()
                .flatten()
                .map(|name| name.len())
                .sum::<usize>()
            + PLACES
    }

    /// No more than what has to be known of an object that is there: its name, whose it is, whether it goes, and the
    /// finalizers, if they are as few as usual.
    pub(super) fn bare(self) -> Self {
        let mut labels = self.metadata.labels.unwrap_or_default();
        labels.retain(|name, _| name == api::labels::CLUSTER || name == api::labels::KIND);
        let metadata = ObjectMeta {
            name: self.metadata.name,
            namespace: self.metadata.namespace,
            uid: self.metadata.uid,
            resource_version: self.metadata.resource_version,
            generation: self.metadata.generation,
            creation_timestamp: self.metadata.creation_timestamp,
            deletion_timestamp: self.metadata.deletion_timestamp,
            finalizers: self.metadata.finalizers,
            labels: Some(labels),
            ..ObjectMeta::default()
        };
        Self { metadata: trimmed(metadata, KEPT_OF_BARE), conditions: Vec::new(), ..self }
    }

    /// Whether the object is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }
}

/// An object as the API server shows it.
#[derive(Debug)]
pub(crate) enum Seen<K> {
    /// Its type.
    Readable(Box<K>),
    /// What can be told of it.
    Unreadable(Box<Unreadable>),
}

/// The part of the metadata that is read of every object. Managed fields are left out: they nest as deeply as the
/// object, and so are annotations.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BareMetadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
    owner_references: Option<Vec<OwnerReference>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BareStatus {
    conditions: Option<Vec<Condition>>,
    observed_generation: Option<i64>,
}

/// Reads an object, unless it is too large.
///
/// # Errors
/// When not even its metadata can be read.
pub(crate) fn read<K>(text: &str, largest: Largest) -> Result<Seen<K>, NotJson>
where
    K: Resource + DeserializeOwned,
    K::DynamicType: Default,
{
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    let weight = json::weight(text, object_bytes(&kind));
    let why = if weight > largest.bytes {
        format!(
            "it is too large: its values take about {} KiB of memory and may take {} KiB ({}); make it smaller",
            weight / 1024,
            largest.bytes / 1024,
            largest.variable
        )
    } else {
        match serde_json::from_str::<K>(text) {
            Ok(object) => return Ok(Seen::Readable(Box::new(object))),
            // No error may quote what is secret.
            Err(error) => explain(text, &error, kind != "Secret"),
        }
    };
    Ok(Seen::Unreadable(Box::new(unreadable(text, why)?)))
}

/// What can be told of an object that is not read.
pub(crate) fn unreadable(text: &str, why: String) -> Result<Unreadable, NotJson> {
    let status =
        json::member(text, "status")?.and_then(|status| serde_json::from_str::<BareStatus>(status).ok());
    let status = status.unwrap_or_default();
    let mut room = KEPT_CONDITIONS;
    Ok(Unreadable {
        metadata: metadata(text)?,
        why,
        conditions: status.conditions.and_then(|all| fitting(all, &mut room)).unwrap_or_default(),
        observed_generation: status.observed_generation,
        topic: NamedTopic::of(text),
        for_want_of_room: false,
    })
}

/// The metadata of an object, without managed fields, annotations, and labels of others.
pub(crate) fn metadata(text: &str) -> Result<ObjectMeta, NotJson> {
    let text = json::member(text, "metadata")?.unwrap_or("{}");
    let bare: BareMetadata = match serde_json::from_str(text) {
        Ok(bare) => bare,
        // A name is all that is needed to know that the object is there.
        Err(_) => BareMetadata {
            name: text_of(text, "name")?,
            namespace: text_of(text, "namespace")?,
            uid: text_of(text, "uid")?,
            resource_version: text_of(text, "resourceVersion")?,
            ..BareMetadata::default()
        },
    };
    let metadata = ObjectMeta {
        name: bare.name,
        namespace: bare.namespace,
        uid: bare.uid,
        resource_version: bare.resource_version,
        generation: bare.generation,
        creation_timestamp: bare.creation_timestamp,
        deletion_timestamp: bare.deletion_timestamp,
        labels: bare.labels,
        finalizers: bare.finalizers,
        owner_references: bare.owner_references,
        ..ObjectMeta::default()
    };
    Ok(trimmed(metadata, KEPT_METADATA))
}

/// Only what is kept of an object that is not read itself, and not more of it than there is room for.
fn trimmed(metadata: ObjectMeta, mut room: usize) -> ObjectMeta {
    let mut labels = metadata.labels.unwrap_or_default();
    labels.retain(|name, _| name.starts_with("strimzi.io/"));
    ObjectMeta {
        labels: fitting(labels, &mut room),
        finalizers: metadata.finalizers.and_then(|finalizers| fitting(finalizers, &mut room)),
        owner_references: metadata.owner_references.and_then(|owners| fitting(owners, &mut room)),
        annotations: None,
        managed_fields: None,
        ..metadata
    }
}

fn text_of(text: &str, name: &str) -> Result<Option<String>, NotJson> {
    Ok(json::member(text, name)?.and_then(json::plain_string).map(str::to_owned))
}

/// The value, unless it takes more than the room that is left.
fn fitting<T: serde::Serialize>(value: T, room: &mut usize) -> Option<T> {
    let length = serde_json::to_vec(&value).map_or(usize::MAX, |text| text.len());
    *room = room.checked_sub(length)?;
    Some(value)
}

/// The path of what cannot be read, and the words of the reader.
pub(crate) fn explain(text: &str, error: &serde_json::Error, may_quote: bool) -> String {
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    if said.contains("recursion limit") {
        let path = json::path_at(text, first_too_deep(text).unwrap_or_else(|| offset(text, error)));
        return format!(
            "{path} nests too deeply: write at most {DEEPEST_NESTING} lists or maps within each other"
        );
    }
    let path = json::path_at(text, offset(text, error).saturating_sub(1));
    let said: String = said.chars().take(LONGEST_REASON).collect();
    if !may_quote {
        return format!("{path} cannot be read; correct it");
    }
    format!("{path} cannot be read: {said}; correct it")
}

/// Where a user wrote more lists and maps within each other than can be read. The reader may stop earlier, at the managed
/// fields, which nest as the object does; what is said of the object must not change with their order.
fn first_too_deep(text: &str) -> Option<usize> {
    let mut members = json::members(text).ok()?.map_while(Result::ok).filter(|part| part.name != "metadata");
    members.find_map(|part| Some(part.start + json::first_at_depth(part.text, DEEPEST_NESTING)?))
}

/// Where in the text the reader stopped.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    lines.map(str::len).sum::<usize>() + error.column()
}

#[cfg(test)]
#[path = "unreadable_tests.rs"]
mod tests;
