//! Partitions: move replicas, elect leaders.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, ElectLeadersRequest, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
};

use crate::batch::Weight;
use crate::client::{Route, misrouted};
use crate::error::check;
use crate::values::{broker_ids, by_topic, ids, string, topic_name};
use crate::{Admin, AdminError, ErrorCode, Outcomes, TopicPartition};

/// A move of replicas under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassignment {
    /// Brokers with a replica now: old, new and staying ones.
    pub replicas: Vec<i32>,
    /// Brokers that get one.
    pub adding: Vec<i32>,
    /// Brokers that lose theirs.
    pub removing: Vec<i32>,
}

impl Reassignment {
    /// Brokers that have a replica once the move is done, in order.
    pub fn target(&self) -> Vec<i32> {
        self.replicas.iter().copied().filter(|id| !self.removing.contains(id)).collect()
    }
}

/// Kind of a leader election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Election {
    /// The first replica, if it is in sync.
    Preferred,
    /// Any replica, even if records are lost.
    Unclean,
}

fn weigh_partition(partition: &TopicPartition) -> Weight {
    Weight { bytes: partition.topic.len() + 20, records: 1 }
}

/// What the moves under way may take in memory, in bytes: some 90,000 partitions with three replicas. A topic that is named once in the
/// answer is named with each of its partitions afterwards, so that what is read says little of what it becomes.
const MOST_MEMORY: usize = 16 << 20;

/// Bytes that a move takes beside the name of its topic and the ids of its brokers.
const MOVE: usize = 128;

/// About how many bytes the moves take.
fn weight(answers: &[ListPartitionReassignmentsResponse]) -> usize {
    let of_topic = |topic: &OngoingTopicReassignment| {
        let ids = |partition: &OngoingPartitionReassignment| {
            partition.replicas.len() + partition.adding_replicas.len() + partition.removing_replicas.len()
        };
        let of_partition = |partition| topic.name.len() + MOVE + 4 * ids(partition);
        topic.partitions.iter().map(of_partition).sum::<usize>()
    };
    answers.iter().flat_map(|answer| &answer.topics).map(of_topic).sum()
}

fn bounded(
    answers: &[ListPartitionReassignmentsResponse],
) -> Result<BTreeMap<TopicPartition, Reassignment>, AdminError> {
    let weight = weight(answers);
    if weight > MOST_MEMORY {
        let reason = format!("the moves under way would take {weight} bytes, and {MOST_MEMORY} are allowed");
        return Err(AdminError::TooLong { address: "the active controller".to_owned(), reason });
    }
    let mut found = BTreeMap::new();
    for topic in answers.iter().flat_map(|answer| &answer.topics) {
        for partition in &topic.partitions {
            let reassignment = Reassignment {
                replicas: ids(&partition.replicas),
                adding: ids(&partition.adding_replicas),
                removing: ids(&partition.removing_replicas),
            };
            let name = TopicPartition::new(string(&topic.name), partition.partition_index);
            found.insert(name, reassignment);
        }
    }
    Ok(found)
}

impl Admin {
    /// Starts moves of replicas: the brokers of each partition, the preferred leader first; `None` cancels a move.
    /// Returns when Kafka has accepted them, not when they are done.
    pub async fn alter_partition_reassignments(
        &self,
        changes: BTreeMap<TopicPartition, Option<Vec<i32>>>,
    ) -> Result<Outcomes<TopicPartition>, AdminError> {
        self.reassign(changes, true).await
    }

    /// As [`Self::alter_partition_reassignments`]; Kafka refuses what would change the number of replicas of a partition, as it knows it
    /// by then (`INVALID_REPLICATION_FACTOR`).
    pub async fn move_partitions(
        &self,
        changes: BTreeMap<TopicPartition, Option<Vec<i32>>>,
    ) -> Result<Outcomes<TopicPartition>, AdminError> {
        self.reassign(changes, false).await
    }

    async fn reassign(
        &self,
        changes: BTreeMap<TopicPartition, Option<Vec<i32>>>,
        other_factors: bool,
    ) -> Result<Outcomes<TopicPartition>, AdminError> {
        let weigh = |(partition, replicas): &(TopicPartition, Option<Vec<i32>>)| Weight {
            bytes: partition.topic.len() + 20 + replicas.as_ref().map_or(0, |replicas| replicas.len() * 4),
            records: 1,
        };
        let alter = |changes: Vec<(TopicPartition, Option<Vec<i32>>)>| {
            let partition = |(index, replicas): (i32, Option<Vec<i32>>)| {
                ReassignablePartition::default()
                    .with_partition_index(index)
                    .with_replicas(replicas.map(|replicas| broker_ids(&replicas)))
            };
            let topics = by_topic(changes).into_iter().map(|(name, partitions)| {
                ReassignableTopic::default()
                    .with_name(topic_name(name))
                    .with_partitions(partitions.into_iter().map(partition).collect())
            });
            let request = AlterPartitionReassignmentsRequest::default()
                .with_timeout_ms(self.server_timeout_ms())
                .with_allow_replication_factor_change(other_factors)
                .with_topics(topics.collect());
            self.call("alter partition reassignments", Route::Controller, request, |answer| {
                check(answer.error_code, answer.error_message.as_ref())
            })
        };
        let answers = self.batched(changes, weigh, alter).await?;
        let mut outcomes = Outcomes::new();
        for topic in answers.iter().flat_map(|answer| &answer.responses) {
            for partition in &topic.partitions {
                let name = TopicPartition::new(string(&topic.name), partition.partition_index);
                outcomes.insert(name, check(partition.error_code, partition.error_message.as_ref()));
            }
        }
        Ok(outcomes)
    }

    /// The moves under way: of these partitions, or all.
    pub async fn list_partition_reassignments(
        &self,
        of: Option<Vec<TopicPartition>>,
    ) -> Result<BTreeMap<TopicPartition, Reassignment>, AdminError> {
        let list = |partitions: Option<Vec<TopicPartition>>| {
            let topics = partitions.map(|partitions| {
                let topics = by_topic(partitions.into_iter().map(|partition| (partition, ())));
                let topic = |(name, partitions): (String, Vec<(i32, ())>)| {
                    ListPartitionReassignmentsTopics::default()
                        .with_name(topic_name(name))
                        .with_partition_indexes(partitions.into_iter().map(|(index, ())| index).collect())
                };
                topics.into_iter().map(topic).collect()
            });
            let request = ListPartitionReassignmentsRequest::default()
                .with_timeout_ms(self.server_timeout_ms())
                .with_topics(topics);
            self.call("list partition reassignments", Route::Controller, request, |answer| {
                check(answer.error_code, answer.error_message.as_ref())
            })
        };
        let answers = match of {
            None => vec![list(None).await?],
            Some(partitions) => self.batched(partitions, weigh_partition, |group| list(Some(group))).await?,
        };
        bounded(&answers)
    }

    /// Elects leaders: of these partitions, or of all that need it. A partition that has the right leader already is a
    /// success.
    ///
    /// # Errors
    /// When the whole request failed, for instance because no controller answers: then it is not known of any partition whether
    /// its leader changed, and the same request may be made again. What failed for single partitions stands in the outcome, and
    /// the others have their leaders all the same.
    pub async fn elect_leaders(
        &self,
        kind: Election,
        of: Option<Vec<TopicPartition>>,
    ) -> Result<Outcomes<TopicPartition>, AdminError> {
        let elect = |partitions: Option<Vec<TopicPartition>>| {
            let topics = partitions.map(|partitions| {
                let topics = by_topic(partitions.into_iter().map(|partition| (partition, ())));
                let topic = |(name, partitions): (String, Vec<(i32, ())>)| {
                    TopicPartitions::default()
                        .with_topic(topic_name(name))
                        .with_partitions(partitions.into_iter().map(|(index, ())| index).collect())
                };
                topics.into_iter().map(topic).collect()
            });
            let request = ElectLeadersRequest::default()
                .with_election_type(match kind {
                    Election::Preferred => 0,
                    Election::Unclean => 1,
                })
                .with_topic_partitions(topics)
                .with_timeout_ms(self.server_timeout_ms());
            self.call("elect leaders", Route::Controller, request, |answer| {
                check(answer.error_code, None)?;
                let results =
                    answer.replica_election_results.iter().flat_map(|topic| &topic.partition_result);
                misrouted(results.map(|result| result.error_code))
            })
        };
        let asked: Option<BTreeSet<TopicPartition>> =
            of.as_ref().map(|partitions| partitions.iter().cloned().collect());
        let answers = match of {
            None => vec![elect(None).await?],
            Some(partitions) => self.batched(partitions, weigh_partition, |group| elect(Some(group))).await?,
        };
        let mut outcomes = Outcomes::new();
        for topic in answers.iter().flat_map(|answer| &answer.replica_election_results) {
            for partition in &topic.partition_result {
                let key = TopicPartition::new(string(&topic.topic), partition.partition_id);
                // Whoever answers with something else fills no memory with it.
                if asked.as_ref().is_some_and(|asked| !asked.contains(&key)) {
                    continue;
                }
                let outcome = match check(partition.error_code, partition.error_message.as_ref()) {
                    Err(error) if error.code == ErrorCode::ELECTION_NOT_NEEDED => Ok(()),
                    other => other,
                };
                outcomes.insert(key, outcome);
            }
        }
        Ok(outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_answer_that_becomes_long_is_refused() {
        let answer = |name: usize, partitions: usize| {
            let partition = |index| {
                let replicas = broker_ids(&[1, 2, 3, 4]);
                OngoingPartitionReassignment::default().with_partition_index(index).with_replicas(replicas)
            };
            let topic = OngoingTopicReassignment::default()
                .with_name(topic_name("n".repeat(name)))
                .with_partitions((0..partitions as i32).map(partition).collect());
            [ListPartitionReassignmentsResponse::default().with_topics(vec![topic])]
        };
        let refused = bounded(&answer(32_000, 8_000)).unwrap_err().to_string();
        assert!(
            refused.contains("active controller") && refused.contains("16777216 are allowed"),
            "{refused}"
        );
        let found = bounded(&answer(50, 50_000)).unwrap();
        assert_eq!((found.len(), found.values().next().unwrap().replicas.len()), (50_000, 4));
    }

    #[test]
    fn the_target_of_a_move_is_what_stays_and_what_comes() {
        let moving = Reassignment { replicas: vec![3, 1, 2], adding: vec![3], removing: vec![1] };
        assert_eq!(moving.target(), [3, 2]);
    }
}
