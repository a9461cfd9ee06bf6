//! A KafkaTopic as the operator keeps it in memory: what decisions need, and nothing else.

use std::sync::Arc;

use crate::{
    config::Config,
    topic::{ResourceRef, TopicStatus},
};

/// The projection of one KafkaTopic. An idle topic costs about one kilobyte.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own that the API shows.
pub struct TopicResource {
    /// Which resource.
    pub reference: ResourceRef,
    /// `metadata.uid`: a resource that was deleted and made again is another one.
    pub uid: Box<str>,
    /// `metadata.creationTimestamp` in seconds since 1970.
    pub created: i64,
    /// `metadata.resourceVersion`.
    pub resource_version: Box<str>,
    /// `metadata.generation`.
    pub generation: i64,
    /// True once the deletion timestamp is set.
    pub deleting: bool,
    /// True while the labels are those this operator is responsible for.
    pub selected: bool,
    /// True in the cluster's own namespace; false in a namespace that was granted.
    pub home: bool,
    /// False with `strimzi.io/managed: "false"`.
    pub managed: bool,
    /// True with `strimzi.io/pause-reconciliation: "true"`.
    pub paused: bool,
    /// All finalizers, ours and others'.
    pub finalizers: Box<[Box<str>]>,
    /// `spec.topicName`, or `metadata.name`.
    pub topic_name: Box<str>,
    /// `spec.partitions`; none: the broker's default.
    pub partitions: Option<i32>,
    /// `spec.replicas`; none: the broker's default.
    pub replicas: Option<i32>,
    /// `spec.config` as text, or what is wrong with it.
    pub config: Result<Config, Box<str>>,
    /// What the API server dropped of it, because nobody knows such fields; in words.
    pub unknown_fields: Option<Box<str>>,
    /// The status as last seen or written.
    pub status: TopicStatus,
}

/// What a resource takes beside its texts, in bytes: itself, its places in the index, in the queue and in the cache.
const PLACES: usize = 1000;

/// What a text of its own takes beside its bytes: the pointer and the allocator's part.
const TEXT: usize = 32;

impl TopicResource {
    /// About how many bytes of memory it takes, with its places in indexes.
    pub fn bytes(&self) -> usize {
        let text = |text: &str| text.len() + TEXT;
        let optional = |one: &Option<Box<str>>| one.as_deref().map_or(0, text);
        let mut bytes = PLACES + text(&self.reference.name) + text(&self.topic_name) + text(&self.uid);
        bytes += self.finalizers.iter().map(|finalizer| text(finalizer)).sum::<usize>();
        bytes += match &self.config {
            Ok(config) => config.iter().map(|(key, value)| text(key) + text(value)).sum(),
            Err(why) => text(why),
        };
        let status = &self.status;
        bytes += optional(&status.topic_name) + optional(&status.topic_id);
        bytes += status.replicas_change.as_ref().map_or(0, |change| {
            size_of_val(&**change) + optional(&change.message) + optional(&change.session)
        });
        for condition in &status.conditions {
            bytes += size_of_val(condition) + text(&condition.kind) + text(&condition.status);
            bytes += optional(&condition.reason) + optional(&condition.message);
            bytes += optional(&condition.last_transition);
        }
        bytes
    }

    /// True while our finalizer stands on the resource.
    pub fn has_finalizer(&self) -> bool {
        self.finalizers.iter().any(|f| &**f == api::annotations::FINALIZER_TOPIC_OPERATOR)
    }

    /// The topic that this resource holds: the topic that it manages, or else the topic that it wants. A renamed resource keeps
    /// holding the topic it made.
    pub fn claimed_topic(&self) -> &str {
        self.status.topic_name.as_deref().unwrap_or(&self.topic_name)
    }

    /// The same, shared with the resource's own name where they are equal.
    pub fn topic_key(&self) -> Arc<str> {
        let topic = self.claimed_topic();
        if topic == &*self.reference.name { self.reference.name.clone() } else { topic.into() }
    }

    /// True when a fresh look at Kafka is due: anything but the resource version differs.
    pub fn differs_from(&self, other: &Self) -> bool {
        self.asks_for_else_than(other)
            || self.finalizers != other.finalizers
            || !self.status.says_the_same(&other.status)
    }

    /// True when a user asks for something else: what differs is not only what this operator writes itself.
    pub fn asks_for_else_than(&self, other: &Self) -> bool {
        self.uid != other.uid
            || self.generation != other.generation
            || self.deleting != other.deleting
            || self.selected != other.selected
            || self.home != other.home
            || self.managed != other.managed
            || self.paused != other.paused
            || self.topic_name != other.topic_name
            || self.partitions != other.partitions
            || self.replicas != other.replicas
            || self.config != other.config
            || self.unknown_fields != other.unknown_fields
    }

    /// True when it is deleted for good: no state of it comes after this one.
    pub fn has_ended(&self) -> bool {
        self.deleting && self.finalizers.is_empty()
    }

    /// True when this state is older than `other`. Resource versions of one kind are ordered numbers (KEP-5504);
    /// a state whose version is no number is never called older.
    pub fn is_older_than(&self, other: &Self) -> bool {
        match (self.resource_version.parse::<u64>(), other.resource_version.parse::<u64>()) {
            (Ok(mine), Ok(theirs)) => mine < theirs,
            _ => false,
        }
    }
}
