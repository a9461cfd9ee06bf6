//! The bodies of requests: text in, checked values out.

use std::collections::BTreeSet;

use crate::error::ApiError;
use crate::format::{self, Format};
use crate::json::{JsonError, Kind, Raw};

/// Records of one request at most.
const MOST_RECORDS: usize = 100_000;

/// Headers of one record at most.
const MOST_HEADERS: usize = 1_000;

/// Topics of one subscription at most: the client library keeps them as long as the consumer is there.
const MOST_TOPICS: usize = 1_000;

/// Partitions and offsets of one request at most, for the same reason.
const MOST_PLACES: usize = 10_000;

/// The longest regular expression. Bytes: what is made of it takes many times as much before its own bound counts.
const LONGEST_PATTERN: usize = 4 * 1024;

/// The longest name of a group. Bytes.
pub(crate) const LONGEST_GROUP: usize = 249;

/// Partitions of a new topic, as far as the client library can ask for them.
const MOST_PARTITIONS: i32 = 100_000;

/// Replicas of a partition, as far as the client library can ask for them.
const MOST_REPLICAS: i32 = 10_000;

/// The largest topic name of Kafka.
const LONGEST_TOPIC: usize = 249;

/// A record to send. `None` as a key or a value is null.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NewRecord {
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// The partition that the request asks for.
    pub partition: Option<i32>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Names and values of headers.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// What a consumer is made with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NewConsumer {
    /// Its name in the group.
    pub name: Option<String>,
    /// How records are shown to it.
    pub format: Option<Format>,
    /// Option of the same name.
    pub auto_offset_reset: Option<String>,
    /// Option of the same name.
    pub fetch_min_bytes: Option<i64>,
    /// Option of the same name. Milliseconds.
    pub request_timeout: Option<i64>,
    /// Option of the same name.
    pub enable_auto_commit: Option<bool>,
    /// Option of the same name.
    pub isolation_level: Option<String>,
}

/// What a consumer subscribes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subscription {
    /// Topics by name.
    Topics(Vec<String>),
    /// A regular expression for whole names.
    Pattern(String),
}

/// A partition, and an offset where one is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset; 0 where none is asked for.
    pub offset: i64,
}

/// A topic to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; none: as the broker likes.
    pub partitions: Option<i32>,
    /// How many replicas; none: as the broker likes.
    pub replicas: Option<i32>,
}

/// Whether Kafka takes the name for a topic.
pub(crate) fn is_topic_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() <= LONGEST_TOPIC
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn unknown(path: &str, name: &str) -> ApiError {
    JsonError::Unknown { path: path.to_owned(), name: name.to_owned() }.into()
}

fn missing(path: &str, name: &'static str) -> ApiError {
    JsonError::Missing { path: path.to_owned(), name }.into()
}

/// The members of the only object in a body.
fn object(body: &[u8]) -> Result<Vec<(String, Raw<'_>)>, ApiError> {
    Ok(Raw::parse(body)?.members("/")?)
}

/// Records for a topic, or for one partition, where a record names none.
pub(crate) fn records(body: &[u8], format: Format, to_partition: bool) -> Result<Vec<NewRecord>, ApiError> {
    let mut items = None;
    for (name, value) in object(body)? {
        match name.as_str() {
            "records" => items = Some(value.items("/records", MOST_RECORDS)?),
            // Part of older clients' requests, and without a meaning.
            "key_schema_id" | "value_schema_id" if value.kind() == Kind::Null => {}
            _ => return Err(unknown("/", &name)),
        }
    }
    let items = items.ok_or_else(|| missing("/", "records"))?;
    items.iter().enumerate().map(|(index, item)| record(*item, index, format, to_partition)).collect()
}

fn record(item: Raw<'_>, index: usize, format: Format, to_partition: bool) -> Result<NewRecord, ApiError> {
    let path = || format!("/records/{index}");
    let (mut record, mut has_value) = (NewRecord::default(), false);
    for (name, value) in item.members(&path())? {
        match name.as_str() {
            "value" => {
                record.value = format.decode(value, &format!("{}/value", path()))?;
                has_value = true;
            }
            "key" => record.key = format.decode(value, &format!("{}/key", path()))?,
            "headers" => record.headers = headers(value, &format!("{}/headers", path()))?,
            "partition" if !to_partition => {
                record.partition =
                    optional(value, |value| value.small_integer(&format!("{}/partition", path())))?;
            }
            "timestamp" => {
                record.timestamp = optional(value, |value| value.integer(&format!("{}/timestamp", path())))?;
            }
            "partition" => {
                return Err(ApiError::bad_request(format!(
                    "{}: the partition stands in the path of the request; leave 'partition' out",
                    path()
                )));
            }
            _ => return Err(unknown(&path(), &name)),
        }
    }
    if !has_value {
        return Err(missing(&path(), "value"));
    }
    if record.partition.is_some_and(|partition| partition < 0) {
        return Err(ApiError::unprocessable(format!("{}/partition: must not be negative", path())));
    }
    if record.timestamp.is_some_and(|timestamp| timestamp < 0) {
        return Err(ApiError::unprocessable(format!("{}/timestamp: must not be negative", path())));
    }
    Ok(record)
}

/// A value that may be null.
fn optional<'a, T>(
    value: Raw<'a>,
    read: impl FnOnce(Raw<'a>) -> Result<T, JsonError>,
) -> Result<Option<T>, ApiError> {
    if value.kind() == Kind::Null { Ok(None) } else { Ok(Some(read(value)?)) }
}

fn headers(value: Raw<'_>, path: &str) -> Result<Vec<(String, Vec<u8>)>, ApiError> {
    let mut headers = Vec::new();
    for (index, item) in value.items(path, MOST_HEADERS)?.into_iter().enumerate() {
        let path = format!("{path}/{index}");
        let (mut key, mut bytes) = (None, None);
        for (name, value) in item.members(&path)? {
            match name.as_str() {
                "key" => key = Some(value.string(&format!("{path}/key"))?),
                "value" => {
                    let path = format!("{path}/value");
                    bytes = Some(format::base64_bytes(&value.string(&path)?, &path)?);
                }
                // As with Strimzi, what else a header says is left out.
                _ => {}
            }
        }
        headers
            .push((key.ok_or_else(|| missing(&path, "key"))?, bytes.ok_or_else(|| missing(&path, "value"))?));
    }
    Ok(headers)
}

/// A consumer; an empty body makes one as usual.
pub(crate) fn consumer(body: &[u8]) -> Result<NewConsumer, ApiError> {
    let mut new = NewConsumer::default();
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(new);
    }
    for (name, value) in object(body)? {
        let path = format!("/{name}");
        match name.as_str() {
            "name" => new.name = Some(value.string(&path)?),
            "format" => {
                let text = value.string(&path)?;
                let format = Format::of_name(&text).ok_or_else(|| {
                    ApiError::unprocessable("Invalid format type: write json, binary or text.")
                })?;
                new.format = Some(format);
            }
            "auto.offset.reset" => {
                new.auto_offset_reset = Some(one_of(value, &path, &["earliest", "latest", "none"])?);
            }
            "isolation.level" => {
                new.isolation_level = Some(one_of(value, &path, &["read_committed", "read_uncommitted"])?);
            }
            "fetch.min.bytes" => new.fetch_min_bytes = Some(from_one(value, &path, 100_000_000)?),
            "consumer.request.timeout.ms" => {
                new.request_timeout = Some(from_one(value, &path, 300_000)?);
            }
            "enable.auto.commit" => new.enable_auto_commit = Some(value.boolean(&path)?),
            _ => return Err(unknown("/", &name)),
        }
    }
    if new.name.as_ref().is_some_and(|name| name.is_empty() || name.len() > LONGEST_TOPIC) {
        return Err(ApiError::unprocessable(format!("/name: must have 1 to {LONGEST_TOPIC} bytes")));
    }
    Ok(new)
}

fn one_of(value: Raw<'_>, path: &str, choices: &[&str]) -> Result<String, ApiError> {
    let text = value.string(path)?;
    if choices.contains(&text.as_str()) {
        return Ok(text);
    }
    Err(ApiError::unprocessable(format!("{path}: invalid value, write one of {}", choices.join(", "))))
}

fn from_one(value: Raw<'_>, path: &str, most: i64) -> Result<i64, ApiError> {
    let number = value.integer(path)?;
    if (1..=most).contains(&number) {
        return Ok(number);
    }
    Err(ApiError::unprocessable(format!("{path}: must be a number from 1 to {most}")))
}

/// What to subscribe to.
pub(crate) fn subscription(body: &[u8]) -> Result<Subscription, ApiError> {
    let (mut topics, mut pattern) = (None, None);
    for (name, value) in object(body)? {
        match name.as_str() {
            "topics" => {
                let items = value.items("/topics", MOST_TOPICS)?.into_iter().enumerate();
                let names: Result<Vec<String>, JsonError> =
                    items.map(|(index, item)| item.string(&format!("/topics/{index}"))).collect();
                topics = Some(names?);
            }
            "topic_pattern" => pattern = Some(value.string("/topic_pattern")?),
            _ => return Err(unknown("/", &name)),
        }
    }
    match (topics, pattern) {
        (Some(_), Some(_)) => Err(exclusive()),
        (Some(topics), None) => {
            if let Some(wrong) = topics.iter().find(|topic| !is_topic_name(topic)) {
                return Err(ApiError::unprocessable(format!(
                    "/topics: '{wrong}' is not the name of a topic"
                )));
            }
            let mut once = BTreeSet::new();
            Ok(Subscription::Topics(topics.into_iter().filter(|topic| once.insert(topic.clone())).collect()))
        }
        (None, Some(pattern)) if pattern.len() > LONGEST_PATTERN => {
            Err(ApiError::unprocessable(format!("/topic_pattern: at most {LONGEST_PATTERN} bytes")))
        }
        (None, Some(pattern)) => Ok(Subscription::Pattern(pattern)),
        (None, None) => {
            Err(ApiError::unprocessable("A list (of Topics type) or a topic_pattern must be specified."))
        }
    }
}

/// Two ways to get partitions at a time.
pub(crate) fn exclusive() -> ApiError {
    ApiError::new(
        http::StatusCode::CONFLICT,
        "Subscriptions to topics, partitions, and patterns are mutually exclusive.",
    )
}

/// Partitions to take, or to seek in.
pub(crate) fn partitions(body: &[u8]) -> Result<Vec<Position>, ApiError> {
    let found = positions_of(object(body)?, "partitions", false)?;
    found.ok_or_else(|| missing("/", "partitions"))
}

/// Offsets to go to.
pub(crate) fn seeks(body: &[u8]) -> Result<Vec<Position>, ApiError> {
    Ok(positions_of(object(body)?, "offsets", true)?.unwrap_or_default())
}

/// Offsets to commit; `None`: those of everything that was handed out.
pub(crate) fn commits(body: &[u8]) -> Result<Option<Vec<Position>>, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    positions_of(object(body)?, "offsets", true)
}

fn positions_of(
    members: Vec<(String, Raw<'_>)>,
    list: &'static str,
    with_offset: bool,
) -> Result<Option<Vec<Position>>, ApiError> {
    let mut found = None;
    for (name, value) in members {
        if name != list {
            return Err(unknown("/", &name));
        }
        let items = value.items(&format!("/{list}"), MOST_PLACES)?.into_iter().enumerate();
        let positions: Result<Vec<Position>, ApiError> =
            items.map(|(index, item)| position(item, &format!("/{list}/{index}"), with_offset)).collect();
        found = Some(positions?);
    }
    Ok(found)
}

fn position(item: Raw<'_>, path: &str, with_offset: bool) -> Result<Position, ApiError> {
    let (mut topic, mut partition, mut offset) = (None, None, None);
    for (name, value) in item.members(path)? {
        let member = format!("{path}/{name}");
        match name.as_str() {
            "topic" => topic = Some(value.string(&member)?),
            "partition" => partition = Some(value.small_integer(&member)?),
            "offset" if with_offset => offset = Some(value.integer(&member)?),
            // Some clients send what they stored with the offset.
            "metadata" if with_offset && matches!(value.kind(), Kind::Null | Kind::Text) => {}
            _ => return Err(unknown(path, &name)),
        }
    }
    let position = Position {
        topic: topic.ok_or_else(|| missing(path, "topic"))?,
        partition: partition.ok_or_else(|| missing(path, "partition"))?,
        offset: if with_offset { offset.ok_or_else(|| missing(path, "offset"))? } else { 0 },
    };
    if !is_topic_name(&position.topic) {
        return Err(ApiError::unprocessable(format!("{path}/topic: is not the name of a topic")));
    }
    if position.partition < 0 || position.offset < 0 {
        return Err(ApiError::unprocessable(format!("{path}: numbers must not be negative")));
    }
    Ok(position)
}

/// A topic to make.
pub(crate) fn topic(body: &[u8]) -> Result<NewTopic, ApiError> {
    let (mut topic, mut partitions, mut replicas) = (None, None, None);
    for (name, value) in object(body)? {
        let path = format!("/{name}");
        match name.as_str() {
            "topic_name" => topic = Some(value.string(&path)?),
            "partitions_count" => partitions = optional(value, |value| value.small_integer(&path))?,
            "replication_factor" => replicas = optional(value, |value| value.small_integer(&path))?,
            _ => return Err(unknown("/", &name)),
        }
    }
    let new = NewTopic { name: topic.ok_or_else(|| missing("/", "topic_name"))?, partitions, replicas };
    if !is_topic_name(&new.name) {
        return Err(ApiError::unprocessable(
            "/topic_name: must have 1 to 249 letters, digits, dots, hyphens and underscores",
        ));
    }
    for (name, number, most) in [
        ("partitions_count", new.partitions, MOST_PARTITIONS),
        ("replication_factor", new.replicas, MOST_REPLICAS),
    ] {
        if number.is_some_and(|number| !(1..=most).contains(&number)) {
            return Err(ApiError::unprocessable(format!("/{name}: must be a number from 1 to {most}")));
        }
    }
    Ok(new)
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
