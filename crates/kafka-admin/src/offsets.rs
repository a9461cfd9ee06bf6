//! Where partitions begin and end, and where they were at a time.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest};

use crate::batch::Weight;
use crate::client::Route;
use crate::error::check;
use crate::values::{by_topic, string, topic_name};
use crate::{Admin, AdminError, Outcomes, TopicPartition};

/// What is asked of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetAt {
    /// The offset of the next record.
    End,
    /// The offset of the oldest record.
    Start,
    /// The oldest record that is not older than this time, in milliseconds since 1970.
    Time(i64),
    /// The record with the latest time.
    Newest,
}

impl OffsetAt {
    fn to_wire(self) -> i64 {
        match self {
            Self::End => -1,
            Self::Start => -2,
            Self::Newest => -3,
            // Lower numbers have other meanings.
            Self::Time(millis) => millis.max(0),
        }
    }
}

/// A place in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedOffset {
    /// Offset; `None`: there is no record like that.
    pub offset: Option<i64>,
    /// Time of the record there, in milliseconds since 1970. Only when a time or the newest record was asked for.
    pub timestamp: Option<i64>,
}

impl Admin {
    /// Where partitions are that this broker leads. A partition that it does not lead has the error `NOT_LEADER_OR_FOLLOWER`.
    pub async fn list_offsets(
        &self,
        leader: i32,
        wanted: Vec<(TopicPartition, OffsetAt)>,
    ) -> Result<Outcomes<TopicPartition, ListedOffset>, AdminError> {
        let weigh = |(partition, _): &(TopicPartition, OffsetAt)| Weight {
            bytes: partition.topic.len() + 20,
            records: 1,
        };
        let list = |wanted: Vec<(TopicPartition, OffsetAt)>| {
            let topics = by_topic(wanted).into_iter().map(|(name, partitions)| {
                let partition = |(index, at): (i32, OffsetAt)| {
                    ListOffsetsPartition::default().with_partition_index(index).with_timestamp(at.to_wire())
                };
                ListOffsetsTopic::default()
                    .with_name(topic_name(name))
                    .with_partitions(partitions.into_iter().map(partition).collect())
            });
            let request = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_topics(topics.collect())
                .with_timeout_ms(self.server_timeout_ms());
            self.call("list offsets", Route::Node(leader), request, |_| Ok(()))
        };
        let mut asked: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
        for (place, _) in &wanted {
            asked.entry(place.topic.clone()).or_default().insert(place.partition);
        }
        let answers = self.batched(wanted, weigh, list).await?;
        let mut outcomes = Outcomes::new();
        for topic in answers.iter().flat_map(|answer| &answer.topics) {
            // Whoever answers with something else fills no memory with it.
            let Some(asked) = asked.get(topic.name.as_str()) else { continue };
            for partition in topic.partitions.iter().filter(|one| asked.contains(&one.partition_index)) {
                let place = check(partition.error_code, None).map(|()| ListedOffset {
                    offset: (partition.offset >= 0).then_some(partition.offset),
                    timestamp: (partition.timestamp >= 0).then_some(partition.timestamp),
                });
                outcomes.insert(TopicPartition::new(string(&topic.name), partition.partition_index), place);
            }
        }
        Ok(outcomes)
    }
}
