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
            (id, answer.map(|answer| answer.results.iter().map(log_dir).collect()))
        };
        Ok(futures::future::join_all(brokers.into_iter().map(describe)).await.into_iter().collect())
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
