//! Small values that several calls share.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kafka_protocol::messages::{BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Name of the topic.
    pub topic: String,
    /// Number of the partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Names a partition.
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A UUID as Kafka writes it: 22 characters of URL-safe base64.
pub fn format_uuid(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

/// Reads a UUID as Kafka writes it.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

pub(crate) fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

pub(crate) fn topic_name(value: impl Into<String>) -> TopicName {
    TopicName(text(value))
}

pub(crate) fn string(value: &StrBytes) -> String {
    value.as_str().to_owned()
}

/// The text, cut after so many characters. What comes from Kafka may be of any length.
pub(crate) fn shortened(text: impl Into<String>, most: usize) -> String {
    let mut text = text.into();
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}

pub(crate) fn broker_ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

pub(crate) fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|id| id.0).collect()
}

/// Partitions by topic, as most requests want them.
pub(crate) fn by_topic<T>(
    items: impl IntoIterator<Item = (TopicPartition, T)>,
) -> BTreeMap<String, Vec<(i32, T)>> {
    let mut topics: BTreeMap<String, Vec<(i32, T)>> = BTreeMap::new();
    for (TopicPartition { topic, partition }, item) in items {
        topics.entry(topic).or_default().push((partition, item));
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöü", 2), "äö…");
        assert_eq!(shortened("", 0), "");
    }

    #[test]
    fn uuids_are_written_as_kafka_writes_them() {
        let id = Uuid::from_u128(1);
        assert_eq!(format_uuid(id), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(parse_uuid("AAAAAAAAAAAAAAAAAAAAAQ"), Some(id));
        assert_eq!(parse_uuid("AAAAAAAAAAAAAAAAAAAAA"), None);
        assert_eq!(parse_uuid("not a uuid"), None);
    }
}
