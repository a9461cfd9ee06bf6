//! Replicas that may lead a partition although they are not in sync (KIP-966).
//!
//! When fewer replicas than `min.insync.replicas` are in sync, Kafka 4.1 and later remembers those that left since: nothing was
//! committed without them, so that each has every committed record. They are the eligible leader replicas. Of a partition that has
//! none of them left either, it remembers the last leader. Only the call `DescribeTopicPartitions` (key 75) tells.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponsePartition;
use kafka_protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};

use crate::batch::{Limits, Weight, split};
use crate::client::Route;
use crate::error::check;
use crate::topics::PartitionDescription;
use crate::values::{ids, string, topic_name};
use crate::{Admin, AdminError, ErrorCode, KafkaError, TopicPartition};

/// Name of the call in errors.
const CALL: &str = "describe topic partitions";

/// Partitions that a broker is asked for at a time. It gives no more than its own `max.request.partition.size.limit`.
const PAGE: i32 = 2000;

/// A partition with the replicas that Kafka may make its leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionLeadership {
    /// The partition.
    pub partition: PartitionDescription,
    /// Brokers that are not in sync and have every committed record (ELR).
    pub eligible: Vec<i32>,
    /// Brokers that were the last to have every committed record, and may have lost some since: the last leader.
    pub last_known: Vec<i32>,
}

impl Admin {
    /// These partitions as this broker knows them, with their eligible leaders. What there is not, or no longer, is left out.
    /// `None`: the broker is too old for the question.
    pub async fn describe_leaderships_of(
        &self,
        broker: i32,
        partitions: &BTreeSet<TopicPartition>,
    ) -> Result<Option<BTreeMap<TopicPartition, PartitionLeadership>>, AdminError> {
        let names: BTreeSet<&str> = partitions.iter().map(|partition| partition.topic.as_str()).collect();
        let limits = Limits { bytes: self.config().max_request_bytes, records: usize::MAX };
        let weigh = |name: &&str| Weight { bytes: name.len() + 2, records: 0 };
        let mut found = BTreeMap::new();
        for names in split(names, limits, weigh) {
            let mut from: Option<(String, i32)> = None;
            loop {
                let page = match self.page(broker, &names, from.as_ref()).await {
                    Err(AdminError::Unsupported { .. }) => return Ok(None),
                    other => other?,
                };
                keep(&page, partitions, &mut found)?;
                from = match page.next_cursor {
                    None => break,
                    Some(next) => {
                        Some(advanced(broker, from, (string(&next.topic_name), next.partition_index))?)
                    }
                };
            }
        }
        Ok(Some(found))
    }

    async fn page(
        &self,
        broker: i32,
        names: &[&str],
        from: Option<&(String, i32)>,
    ) -> Result<DescribeTopicPartitionsResponse, AdminError> {
        // What comes before the cursor was told by an earlier page.
        let left = names.iter().filter(|name| from.is_none_or(|(topic, _)| **name >= topic.as_str()));
        let topics = left.map(|name| TopicRequest::default().with_name(topic_name(*name)));
        let cursor = from.map(|(topic, index)| {
            Cursor::default().with_topic_name(topic_name(topic)).with_partition_index(*index)
        });
        let request = DescribeTopicPartitionsRequest::default()
            .with_topics(topics.collect())
            .with_response_partition_limit(PAGE)
            .with_cursor(cursor);
        self.call(CALL, Route::Node(broker), request, |_| Ok(())).await
    }
}

/// The place where the next page begins. Pages that come back to an earlier place would never end.
fn advanced(
    broker: i32,
    before: Option<(String, i32)>,
    next: (String, i32),
) -> Result<(String, i32), AdminError> {
    if before.is_none_or(|before| before < next) {
        return Ok(next);
    }
    let reason = format!("its next page of partitions begins before the last one, at {}-{}", next.0, next.1);
    Err(AdminError::Protocol { address: format!("node {broker}"), reason })
}

/// Keeps what was asked for of a page: nothing else that a node says takes memory.
fn keep(
    page: &DescribeTopicPartitionsResponse,
    asked: &BTreeSet<TopicPartition>,
    found: &mut BTreeMap<TopicPartition, PartitionLeadership>,
) -> Result<(), AdminError> {
    for topic in &page.topics {
        let name = topic.name.as_ref().map(|name| string(name)).unwrap_or_default();
        if ErrorCode(topic.error_code) == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION {
            continue;
        }
        check(topic.error_code, None).map_err(|error| {
            let error = KafkaError::new(error.code, format!("topic {name}"));
            AdminError::Api { call: CALL, error }
        })?;
        for partition in &topic.partitions {
            let key = TopicPartition::new(name.as_str(), partition.partition_index);
            if asked.contains(&key) {
                found.insert(key, leadership(partition));
            }
        }
    }
    Ok(())
}

fn leadership(found: &DescribeTopicPartitionsResponsePartition) -> PartitionLeadership {
    PartitionLeadership {
        partition: PartitionDescription {
            index: found.partition_index,
            leader: (found.leader_id.0 >= 0).then_some(found.leader_id.0),
            leader_epoch: found.leader_epoch,
            replicas: ids(&found.replica_nodes),
            isr: ids(&found.isr_nodes),
            offline: ids(&found.offline_replicas),
        },
        eligible: found.eligible_leader_replicas.as_deref().map(ids).unwrap_or_default(),
        last_known: found.last_known_elr.as_deref().map(ids).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;

    use super::*;

    #[test]
    fn pages_go_forward_and_nothing_is_kept_that_was_not_asked_for() {
        let place = |topic: &str, index| (topic.to_owned(), index);
        assert_eq!(advanced(0, None, place("a", 0)), Ok(place("a", 0)));
        assert_eq!(advanced(0, Some(place("a", 9)), place("a", 10)), Ok(place("a", 10)));
        for back in [place("b", 3), place("b", 2), place("a", 9)] {
            assert!(advanced(0, Some(place("b", 3)), back).is_err());
        }
        let partition =
            |index| DescribeTopicPartitionsResponsePartition::default().with_partition_index(index);
        let topic = |name: &str, code| {
            DescribeTopicPartitionsResponseTopic::default()
                .with_name(Some(topic_name(name)))
                .with_error_code(code)
                .with_partitions((0..100).map(partition).collect())
        };
        let page = |topics| DescribeTopicPartitionsResponse::default().with_topics(topics);
        let asked = BTreeSet::from([TopicPartition::new("a", 7)]);
        let mut found = BTreeMap::new();
        keep(&page(vec![topic("a", 0), topic("other", 0), topic("gone", 3)]), &asked, &mut found).unwrap();
        assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), asked);
        let refused = keep(&page(vec![topic("a", 29)]), &asked, &mut found).unwrap_err().to_string();
        assert!(refused.contains("topic a"), "{refused}");
    }
}
