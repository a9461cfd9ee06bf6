//! Log directories: what lies where, how large it is, and moves between the disks of one broker.

use std::collections::BTreeMap;

use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use kafka_protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};

use crate::client::Route;
use crate::error::check;
use crate::values::{by_topic, string, text, topic_name};
use crate::{Admin, AdminError, KafkaError, Outcomes, TopicPartition};

/// A log directory of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDir {
    /// Path on the broker.
    pub path: String,
    /// Why it cannot be used, for example `KafkaStorageException` when it is offline.
    pub error: Option<KafkaError>,
    /// Size of the volume, bytes.
    pub total_bytes: Option<i64>,
    /// Free space on the volume, bytes.
    pub usable_bytes: Option<i64>,
    /// Replicas in it.
    pub replicas: BTreeMap<TopicPartition, LogDirReplica>,
}

/// A replica in a log directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogDirReplica {
    /// Size of its segments, bytes.
    pub size: i64,
    /// How many records it is behind: the high watermark or, for a future replica, the current one.
    pub offset_lag: i64,
    /// Whether it is being filled to replace the current one in another directory.
    pub future: bool,
}

/// What an answer about the log directories of one broker may take in memory, in bytes: some 50,000 replicas. A topic that is named once in
/// the answer is named with each of its partitions afterwards, so that what is read says little of what it becomes.
const MOST_MEMORY: usize = 8 << 20;

/// Bytes that a replica takes beside the name of its topic.
const REPLICA: usize = 96;

/// About how many bytes the directories take.
fn weight(results: &[DescribeLogDirsResult]) -> usize {
    let of_dir = |dir: &DescribeLogDirsResult| {
        let replicas = dir.topics.iter().map(|topic| topic.partitions.len() * (topic.name.len() + REPLICA));
        dir.log_dir.len() + REPLICA + replicas.sum::<usize>()
    };
    results.iter().map(of_dir).sum()
}

fn bounded(id: i32, results: &[DescribeLogDirsResult]) -> Result<Vec<LogDir>, AdminError> {
    let weight = weight(results);
    if weight > MOST_MEMORY {
        let reason = format!("its log directories would take {weight} bytes, and {MOST_MEMORY} are allowed");
        return Err(AdminError::TooLong { address: format!("node {id}"), reason });
    }
    Ok(results.iter().map(log_dir).collect())
}

/// The log directories in an answer to a question without topics.
fn without_replicas(id: i32, results: &[DescribeLogDirsResult]) -> Result<Vec<LogDir>, AdminError> {
    let dirs = bounded(id, results)?;
    if dirs.iter().any(|dir| !dir.replicas.is_empty()) {
        let reason = "it lists replicas that were not asked for".to_owned();
        return Err(AdminError::Protocol { address: format!("node {id}"), reason });
    }
    Ok(dirs)
}

fn log_dir(result: &DescribeLogDirsResult) -> LogDir {
    let mut replicas = BTreeMap::new();
    for topic in &result.topics {
        for partition in &topic.partitions {
            let replica = LogDirReplica {
                size: partition.partition_size,
                offset_lag: partition.offset_lag,
                future: partition.is_future_key,
            };
            replicas.insert(TopicPartition::new(string(&topic.name), partition.partition_index), replica);
        }
    }
    LogDir {
        path: string(&result.log_dir),
        error: check(result.error_code, None).err(),
        total_bytes: (result.total_bytes >= 0).then_some(result.total_bytes),
        usable_bytes: (result.usable_bytes >= 0).then_some(result.usable_bytes),
        replicas,
    }
}

impl Admin {
    /// The log directories of brokers, each asked itself. A broker that does not answer fails its own item only.
    pub async fn describe_log_dirs(
        &self,
        brokers: impl IntoIterator<Item = i32>,
    ) -> Result<BTreeMap<i32, Result<Vec<LogDir>, AdminError>>, AdminError> {
        let describe = |id: i32| async move {
            // No topics: all of them.
            let request = DescribeLogDirsRequest::default().with_topics(None);
            let answer = self
                .call("describe log dirs", Route::Node(id), request, |answer| check(answer.error_code, None))
                .await;
            (id, answer.and_then(|answer| bounded(id, &answer.results)))
        };
        Ok(futures::future::join_all(brokers.into_iter().map(describe)).await.into_iter().collect())
    }

    /// The log directories of a broker without what lies in them: a small answer, however many replicas there are.
    ///
    /// The broker is asked once, without a second attempt: it looks at each disk for the answer, and a disk that hangs holds one of the few
    /// threads that serve requests for as long.
    ///
    /// # Errors
    /// Why the broker did not tell within the time limit of the client.
    pub async fn describe_log_dirs_without_replicas(&self, broker: i32) -> Result<Vec<LogDir>, AdminError> {
        let request = DescribeLogDirsRequest::default().with_topics(Some(Vec::new()));
        let call = "describe log dirs";
        let answer = self.call_once(call, Route::Node(broker), request).await?;
        check(answer.error_code, None).map_err(|error| AdminError::Api { call, error })?;
        without_replicas(broker, &answer.results)
    }

    /// Moves replicas of one broker to other log directories of the same broker, given by their paths.
    pub async fn alter_replica_log_dirs(
        &self,
        broker: i32,
        moves: BTreeMap<TopicPartition, String>,
    ) -> Result<Outcomes<TopicPartition>, AdminError> {
        let mut paths: BTreeMap<String, Vec<(TopicPartition, ())>> = BTreeMap::new();
        for (partition, path) in moves {
            paths.entry(path).or_default().push((partition, ()));
        }
        let dirs = paths.into_iter().map(|(path, partitions)| {
            let topics = by_topic(partitions).into_iter().map(|(name, partitions)| {
                AlterReplicaLogDirTopic::default()
                    .with_name(topic_name(name))
                    .with_partitions(partitions.into_iter().map(|(index, ())| index).collect())
            });
            AlterReplicaLogDir::default().with_path(text(path)).with_topics(topics.collect())
        });
        let request = AlterReplicaLogDirsRequest::default().with_dirs(dirs.collect());
        let answer = self.call("alter replica log dirs", Route::Node(broker), request, |_| Ok(())).await?;
        let mut outcomes = Outcomes::new();
        for topic in &answer.results {
            for partition in &topic.partitions {
                let name = TopicPartition::new(string(&topic.topic_name), partition.partition_index);
                outcomes.insert(name, check(partition.error_code, None));
            }
        }
        Ok(outcomes)
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::describe_log_dirs_response::{
        DescribeLogDirsPartition, DescribeLogDirsTopic,
    };

    use super::*;

    #[test]
    fn a_short_answer_that_becomes_long_is_refused() {
        let answer = |name: usize, partitions: usize| {
            let topic = DescribeLogDirsTopic::default()
                .with_name(topic_name("n".repeat(name)))
                .with_partitions(vec![DescribeLogDirsPartition::default(); partitions]);
            [DescribeLogDirsResult::default().with_log_dir(text("/d".to_owned())).with_topics(vec![topic])]
        };
        let refused = bounded(3, &answer(32_000, 8_000)).unwrap_err().to_string();
        assert!(refused.contains("node 3") && refused.contains("8388608 are allowed"), "{refused}");
        assert_eq!(bounded(3, &answer(50, 20_000)).unwrap().len(), 1);
        let refused = without_replicas(3, &answer(50, 1)).unwrap_err().to_string();
        assert!(refused.contains("not asked for"), "{refused}");
        assert!(without_replicas(3, &answer(50, 0)).is_ok());
    }
}
