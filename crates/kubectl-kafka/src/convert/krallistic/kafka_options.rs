//! `spec.kafkaOptions`: options of Kafka with names of their own.

use serde_json::Value;

use crate::convert::fields::Fields;
use crate::convert::notes::Notes;
use crate::convert::options::{Given, Options};

/// Every option by its name in the manifest, and its name in Kafka. `autoCreateTopics`, which its examples use, did nothing.
const NAMES: &[(&str, &str)] = &[
    ("autoCreateTopics", "auto.create.topics.enable"),
    ("autoCreateTopicsEnable", "auto.create.topics.enable"),
    ("autoLeaderRebalanceEnable", "auto.leader.rebalance.enable"),
    ("backgroudThreads", "background.threads"),
    ("backgroundThreads", "background.threads"),
    ("compressionType", "compression.type"),
    ("deleteTopicEnable", "delete.topic.enable"),
    ("leaderImbalanceCheckIntervalSeconds", "leader.imbalance.check.interval.seconds"),
    ("leaderImbalanceBrokerPercentage", "leader.imbalance.per.broker.percentage"),
    ("logFlushIntervalMessages", "log.flush.interval.messages"),
    ("logFlushIntervalMs", "log.flush.interval.ms"),
    ("logFlushOffsetCheckpointIntervalMs", "log.flush.offset.checkpoint.interval.ms"),
    ("LogFlushSchedulerIntervalMs", "log.flush.scheduler.interval.ms"),
    ("logFlushSchedulerIntervalMs", "log.flush.scheduler.interval.ms"),
    ("logRetentionBytes", "log.retention.bytes"),
    ("logRetentionHours", "log.retention.hours"),
    ("logRollHours", "log.roll.hours"),
    ("logRollJitterHours", "log.roll.jitter.hours"),
    ("logSegmentBytes", "log.segment.bytes"),
    ("logSegmentDeleteDelayMS", "log.segment.delete.delay.ms"),
    ("messagesMaxBytes", "message.max.bytes"),
    ("minInsyncReplicas", "min.insync.replicas"),
    ("numIOThreads", "num.io.threads"),
    ("numNetworkThreads", "num.network.threads"),
    ("numRecoveryThreadsPerDataDir", "num.recovery.threads.per.data.dir"),
    ("numReplicaFetchers", "num.replica.fetchers"),
    ("offsetMetadataMaxBytes", "offset.metadata.max.bytes"),
    ("offsetCommitTimeoutMs", "offsets.commit.timeout.ms"),
    ("offsetLoadBufferSize", "offsets.load.buffer.size"),
    ("offsetRetentionCheckIntervalMs", "offsets.retention.check.interval.ms"),
    ("offsetRetentionMinutes", "offsets.retention.minutes"),
    ("offsetTopicNumPartitions", "offsets.topic.num.partitions"),
    ("offsetTopicReplicationFactor", "offsets.topic.replication.factor"),
    ("offsetTopicSegmentsBytes", "offsets.topic.segment.bytes"),
    ("queuedMaxRequest", "queued.max.requests"),
    ("replicaFetchMinBytes", "replica.fetch.min.bytes"),
    ("replicaFetchWaitMaxMs", "replica.fetch.wait.max.ms"),
    ("replicaHighWatermarkCheckpointIntervalMs", "replica.high.watermark.checkpoint.interval.ms"),
    ("replicaLagTimeMaxMs", "replica.lag.time.max.ms"),
    ("replicaSocketReceiveBufferBytes", "replica.socket.receive.buffer.bytes"),
    ("replicaSocketTimeoutMs", "replica.socket.timeout.ms"),
    ("requestTimeoutMs", "request.timeout.ms"),
    ("uncleanLeaderElectionEnable", "unclean.leader.election.enable"),
    ("zookeeperConnectionTimeoutMs", "zookeeper.connection.timeout.ms"),
    ("zookeeperSessionTimeoutMs", "zookeeper.session.timeout.ms"),
];

/// Takes the options out of a spec, those of leader balance too, which have fields of their own there.
pub(super) fn take(spec: &mut Fields, notes: &mut Notes) -> Options {
    let mut options = Options::new();
    if let Some(ratio) = spec.take("leaderImbalanceRatio") {
        let path = spec.at("leaderImbalanceRatio");
        match ratio.as_f64().filter(|ratio| (0.0..=1.0).contains(ratio)) {
            Some(share) => {
                let value = format!("{:.0}", share * 100.0);
                options.insert("leader.imbalance.per.broker.percentage".to_owned(), Given { value, path });
            }
            None => notes.lost(path, &ratio, "is no share from 0 to 1, and was left out"),
        }
    }
    if let Some(value) = spec.number("leaderImbalanceInterval", notes) {
        let given = Given { value: value.to_string(), path: spec.at("leaderImbalanceInterval") };
        options.insert("leader.imbalance.check.interval.seconds".to_owned(), given);
    }
    let Some(mut raw) = spec.object("kafkaOptions", notes) else { return options };
    for (name, option) in NAMES {
        let path = raw.at(name);
        if let Some(value) = raw.text(name, notes) {
            if *name == "autoCreateTopics" {
                notes.changed(
                    &path,
                    &Value::from(value.as_str()),
                    "the former operator ignored it: it is carried out now",
                );
            }
            options.insert((*option).to_owned(), Given { value, path });
        }
    }
    raw.rest(notes);
    options
}
