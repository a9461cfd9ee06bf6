//! What the bridge holds for one consumer: what it reads, records that were fetched and not handed out, and how far it came.

use std::collections::{BTreeMap, VecDeque};

use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use regex::Regex;

use crate::error::ApiError;
use crate::format::{Format, write_base64, write_text};
use crate::trace;

/// How a consumer gets its partitions.
#[derive(Debug, Clone, Default)]
pub(crate) enum Reads {
    /// Not at all.
    #[default]
    Nothing,
    /// Kafka distributes the partitions of these topics in the group.
    Topics(Vec<String>),
    /// As well, of the topics whose whole names match; those that matched last.
    Pattern(Regex, Vec<String>),
    /// The client named them.
    Assigned,
}

/// A topic and a partition.
pub(crate) type Place = (String, i32);

/// What is held.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// How it gets its partitions.
    pub reads: Reads,
    /// Something of its assignment was read, or the client went to another place in it.
    has_begun: bool,
    /// Fetched, and not handed out.
    waiting: VecDeque<OwnedMessage>,
    waiting_bytes: usize,
    /// The offset after the last record that a client has taken, by partition.
    handed_out: BTreeMap<Place, i64>,
    /// Answers that no client has taken yet: of each partition the first offset, and the one after the last.
    under_way: BTreeMap<u64, BTreeMap<Place, (i64, i64)>>,
    answers: u64,
    /// Where to go on instead, because an answer did not reach its client.
    lost: BTreeMap<Place, i64>,
}

/// How much one answer may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerBounds {
    /// Records.
    pub records: usize,
    /// Bytes of keys and values beyond which nothing is added.
    pub soft_bytes: usize,
    /// Bytes of keys and values that the client takes.
    pub max_bytes: Option<usize>,
}

/// Records as the body of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// JSON.
    pub body: Vec<u8>,
    /// By topic: records, and bytes of their keys and values.
    pub by_topic: BTreeMap<String, (usize, usize)>,
    /// What [`Held::arrived`] and [`Held::lost`] know it by; `None`: it has no records.
    pub answer: Option<u64>,
    /// Contexts of traces in records, at most [`MOST_CONTEXTS`].
    pub contexts: Vec<String>,
}

/// More contexts of one answer are left out.
const MOST_CONTEXTS: usize = 128;

fn size(record: &OwnedMessage) -> usize {
    record.key().map_or(0, <[u8]>::len) + record.payload().map_or(0, <[u8]>::len)
}

impl Held {
    /// Adds a fetched record.
    pub(crate) fn push(&mut self, record: OwnedMessage) {
        self.waiting_bytes += size(&record);
        self.waiting.push_back(record);
        self.has_begun = true;
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether enough waits for one answer.
    pub(crate) fn is_full(&self, bounds: AnswerBounds) -> bool {
        self.waiting.len() >= bounds.records || self.waiting_bytes >= bounds.soft_bytes
    }

    /// Bytes that the next answer takes, roughly and rather too many.
    pub(crate) fn written_size(&self, format: Format, bounds: AnswerBounds) -> usize {
        /// Names, places, and headers of a usual length.
        const BESIDE: usize = 256;
        let records = self.waiting.iter().take(bounds.records);
        let (mut count, mut bytes) = (0, 0);
        for record in records {
            let more = size(record);
            if count > 0 && bytes + more > bounds.soft_bytes.min(bounds.max_bytes.unwrap_or(usize::MAX)) {
                break;
            }
            count += 1;
            bytes += more;
        }
        let written = match format {
            Format::Json => bytes,
            Format::Binary => bytes / 3 * 4,
            // Text without control characters, which take six bytes each, hardly grows.
            Format::Text => bytes * 2,
        };
        written + count * BESIDE
    }

    /// Forgets what belongs to a partition: it has another owner, or goes on elsewhere.
    pub(crate) fn forget(&mut self, topic: &str, partition: i32) {
        self.waiting.retain(|record| record.topic() != topic || record.partition() != partition);
        self.waiting_bytes = self.waiting.iter().map(size).sum();
        let place = (topic.to_owned(), partition);
        self.handed_out.remove(&place);
        self.lost.remove(&place);
        for places in self.under_way.values_mut() {
            places.remove(&place);
        }
    }

    /// All its partitions are new.
    pub(crate) fn begin_anew(&mut self) {
        self.has_begun = false;
    }

    /// Whether something of its assignment was read, or the client went to another place in it.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Forgets everything but how it gets its partitions.
    pub(crate) fn forget_all(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.handed_out.clear();
        self.under_way.clear();
        self.lost.clear();
    }

    /// The client goes on at another place.
    pub(crate) fn went(&mut self, topic: &str, partition: i32) {
        self.forget(topic, partition);
        self.has_begun = true;
    }

    /// The client goes on at this offset.
    pub(crate) fn moved(&mut self, topic: &str, partition: i32, offset: i64) {
        self.handed_out.insert((topic.to_owned(), partition), offset);
    }

    /// The system has taken an answer for its client.
    pub(crate) fn arrived(&mut self, answer: u64) {
        for (place, (_, next)) in self.under_way.remove(&answer).unwrap_or_default() {
            let handed_out = self.handed_out.entry(place).or_insert(next);
            *handed_out = next.max(*handed_out);
        }
    }

    /// An answer did not reach its client: its records come again.
    pub(crate) fn lost(&mut self, answer: u64) {
        for (place, (first, _)) in self.under_way.remove(&answer).unwrap_or_default() {
            let lost = self.lost.entry(place).or_insert(first);
            *lost = first.min(*lost);
        }
    }

    /// Whether an answer is on its way.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Where to go on instead of behind what was handed out.
    pub(crate) fn to_go_back(&self) -> Vec<(Place, i64)> {
        self.lost.iter().map(|(place, offset)| (place.clone(), *offset)).collect()
    }

    /// The offsets after everything that clients have taken, without a gap.
    pub(crate) fn positions(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(self.handed_out.len());
        for (place, offset) in &self.handed_out {
            let under_way = self.under_way.values().filter_map(|places| places.get(place));
            let firsts = under_way.map(|(first, _)| *first).chain(self.lost.get(place).copied());
            let offset = firsts.fold(*offset, i64::min);
            // The list is new and has no other entry of the partition.
            let _ = list.add_partition_offset(&place.0, place.1, Offset::Offset(offset));
        }
        list
    }

    /// Hands out records as a JSON array, as many as there is room for. A record that does not fit stays; a record that cannot be
    /// shown in the format is left out for good, after an answer that says so.
    pub(crate) fn write(&mut self, format: Format, bounds: AnswerBounds) -> Result<Written, ApiError> {
        let mut written = Written { body: vec![b'['], ..Written::default() };
        let (mut count, mut bytes) = (0, 0);
        let mut places: BTreeMap<Place, (i64, i64)> = BTreeMap::new();
        while let Some(record) = self.waiting.front() {
            let more = size(record);
            if let Some(most) = bounds.max_bytes
                && bytes + more > most
            {
                if count == 0 {
                    return Err(ApiError::unprocessable(
                        "Response exceeds the maximum number of bytes the consumer can receive",
                    ));
                }
                break;
            }
            if count >= bounds.records || (count > 0 && bytes + more > bounds.soft_bytes) {
                break;
            }
            let before = written.body.len();
            if count > 0 {
                written.body.push(b',');
            }
            if let Err(reason) = write_record(record, format, &mut written.body) {
                written.body.truncate(before);
                if count > 0 {
                    // The records before it are handed out first.
                    break;
                }
                let error = not_shown(record, &reason);
                if let Some((place, offset)) = self.drop_first() {
                    self.handed_out.insert(place, offset + 1);
                }
                return Err(error);
            }
            if written.contexts.len() < MOST_CONTEXTS {
                written.contexts.extend(context(record));
            }
            let topic = written.by_topic.entry(record.topic().to_owned()).or_default();
            topic.0 += 1;
            topic.1 += more;
            if let Some((place, offset)) = self.drop_first() {
                places.entry(place).or_insert((offset, offset)).1 = offset + 1;
            }
            count += 1;
            bytes += more;
        }
        if count > 0 {
            self.answers += 1;
            self.under_way.insert(self.answers, places);
            written.answer = Some(self.answers);
        }
        written.body.push(b']');
        Ok(written)
    }

    /// Takes the first record out, and says where it was.
    fn drop_first(&mut self) -> Option<(Place, i64)> {
        let record = self.waiting.pop_front()?;
        self.waiting_bytes -= size(&record).min(self.waiting_bytes);
        Some(((record.topic().to_owned(), record.partition()), record.offset()))
    }
}

/// The context of the trace that a record is part of.
fn context(record: &OwnedMessage) -> Option<String> {
    let mut headers = record.headers()?.iter().filter(|header| header.key == "traceparent");
    trace::valid(headers.next()?.value?).map(str::to_owned)
}

fn not_shown(record: &OwnedMessage, reason: &str) -> ApiError {
    ApiError::new(
        http::StatusCode::NOT_ACCEPTABLE,
        format!(
            "the record at offset {} of partition {} of topic {} is not JSON, which the format of this consumer asks for ({reason}); the next request goes on behind it",
            record.offset(),
            record.partition(),
            record.topic()
        ),
    )
}

/// Writes one record. `Err` says why its key or value cannot be shown.
fn write_record(record: &OwnedMessage, format: Format, out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(b"{\"topic\":");
    write_text(record.topic(), out);
    out.extend_from_slice(b",\"key\":");
    format.encode(record.key(), out)?;
    out.extend_from_slice(b",\"value\":");
    format.encode(record.payload(), out)?;
    let place = format!(",\"partition\":{},\"offset\":{}", record.partition(), record.offset());
    out.extend_from_slice(place.as_bytes());
    if let Some(timestamp) = record.timestamp().to_millis() {
        out.extend_from_slice(format!(",\"timestamp\":{timestamp}").as_bytes());
    }
    if let Some(headers) = record.headers().filter(|headers| headers.count() > 0) {
        out.extend_from_slice(b",\"headers\":[");
        for (index, header) in headers.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"key\":");
            write_text(header.key, out);
            out.extend_from_slice(b",\"value\":");
            write_base64(header.value.unwrap_or_default(), out);
            out.push(b'}');
        }
        out.push(b']');
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use rdkafka::message::{Header, OwnedHeaders};

    use super::*;

    fn record(offset: i64, key: Option<&str>, value: Option<&str>) -> OwnedMessage {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        let headers = OwnedHeaders::new().insert(Header { key: "h\"", value: Some("v") });
        let headers = (offset == 7).then_some(headers);
        OwnedMessage::new(
            bytes(value),
            bytes(key),
            "t".to_owned(),
            Timestamp::CreateTime(5),
            1,
            offset,
            headers,
        )
    }

    fn held(records: &[OwnedMessage]) -> Held {
        let mut held = Held::default();
        for record in records {
            held.push(record.clone());
        }
        held
    }

    const BOUNDS: AnswerBounds = AnswerBounds { records: 10, soft_bytes: 1000, max_bytes: None };

    #[test]
    fn records_are_written_with_everything_they_have() {
        let mut held = held(&[record(7, Some("\"k\""), Some("{\"a\":1}")), record(8, None, None)]);
        let written = held.write(Format::Json, BOUNDS).unwrap();
        held.arrived(written.answer.unwrap());
        let body = written.body;
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"[{"topic":"t","key":"k","value":{"a":1},"partition":1,"offset":7,"timestamp":5,"headers":[{"key":"h\"","value":"dg=="}]},{"topic":"t","key":null,"value":null,"partition":1,"offset":8,"timestamp":5}]"#
        );
        assert!(held.is_empty());
        let positions = held.positions();
        assert_eq!(positions.elements()[0].offset(), Offset::Offset(9));
        assert_eq!(held.write(Format::Json, BOUNDS).unwrap().body, b"[]");
    }

    #[test]
    fn an_assignment_begins_with_a_record_or_another_place() {
        let mut held = held(&[record(1, None, Some("v"))]);
        assert!(held.has_begun());
        held.begin_anew();
        assert!(!held.has_begun());
        held.went("t", 0);
        assert!(held.has_begun(), "the place that the client chose is kept");
    }

    #[test]
    fn what_does_not_fit_stays_for_the_next_answer() {
        let records: Vec<OwnedMessage> =
            (0..4).map(|offset| record(offset, None, Some("0123456789"))).collect();
        let mut held = held(&records);
        let room = |bytes| AnswerBounds { max_bytes: Some(bytes), ..BOUNDS };
        let offsets = |held: &mut Held, bounds| {
            let written = held.write(Format::Text, bounds).unwrap();
            let body: serde_json::Value = serde_json::from_slice(&written.body).unwrap();
            let offsets = body.as_array().unwrap().iter().map(|record| record["offset"].as_i64().unwrap());
            offsets.collect::<Vec<_>>()
        };
        assert_eq!(held.write(Format::Text, room(9)).unwrap_err().code.as_u16(), 422);
        assert_eq!(offsets(&mut held, room(29)), [0, 1]);
        assert_eq!(offsets(&mut held, AnswerBounds { records: 1, ..BOUNDS }), [2]);
        assert_eq!(offsets(&mut held, AnswerBounds { soft_bytes: 1, ..BOUNDS }), [3]);
    }

    #[test]
    fn a_record_that_is_not_json_is_told_once_and_keeps_no_other_back() {
        let good = |offset| record(offset, None, Some("1"));
        let mut held = held(&[good(1), record(2, None, Some("{")), good(3)]);
        assert_eq!(held.write(Format::Json, BOUNDS).unwrap().by_topic["t"], (1, 1));
        let error = held.write(Format::Json, BOUNDS).unwrap_err();
        assert_eq!(error.code.as_u16(), 406);
        assert!(error.message.contains("offset 2 of partition 1 of topic t"), "{error}");
        assert!(
            String::from_utf8(held.write(Format::Json, BOUNDS).unwrap().body)
                .unwrap()
                .contains("\"offset\":3")
        );
    }

    #[test]
    fn an_answer_that_did_not_arrive_comes_again_and_counts_for_no_commit() {
        let all: Vec<OwnedMessage> = (1..5).map(|offset| record(offset, None, Some("1"))).collect();
        let one = AnswerBounds { records: 1, ..BOUNDS };
        let mut held = held(&all);
        let position = |held: &Held| Some(held.positions().elements().first()?.offset());
        let answers: Vec<u64> =
            (0..4).map(|_| held.write(Format::Text, one).unwrap().answer.unwrap()).collect();
        assert!(held.is_under_way());
        assert_eq!(position(&held), None);
        held.arrived(answers[0]);
        held.arrived(answers[3]);
        // Two and three may be lost still.
        assert_eq!(position(&held), Some(Offset::Offset(2)));
        held.arrived(answers[1]);
        held.lost(answers[2]);
        assert_eq!(position(&held), Some(Offset::Offset(3)));
        assert_eq!(held.to_go_back(), [(("t".to_owned(), 1), 3)]);
        // What was told already is not told again.
        held.arrived(answers[2]);
        held.forget("t", 1);
        held.moved("t", 1, 3);
        assert!(held.to_go_back().is_empty() && !held.is_under_way());
        assert_eq!(position(&held), Some(Offset::Offset(3)));
    }

    #[test]
    fn a_partition_with_another_owner_is_forgotten() {
        let mut held = held(&[record(1, None, Some("1"))]);
        held.moved("t", 1, 5);
        held.forget("t", 0);
        assert!(!held.is_empty());
        held.forget("t", 1);
        assert!(held.is_empty());
        assert_eq!(held.positions().count(), 0);
    }
}
