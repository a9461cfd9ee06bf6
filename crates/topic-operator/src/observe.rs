//! Reads topics from Kafka, many with one request.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use kafka_admin::{
    Admin, AdminError, ConfigResource, ConfigSelection, ErrorCode, KafkaError, PartitionDescription,
    TopicPartition, format_uuid,
};

use rebalance::{Broker, PartitionState};

use crate::{
    config::{Config, Kinds},
    metrics::{Call, TopicMetrics},
    resource::TopicResource,
    topic::refusal,
};

/// What Kafka says about the topics that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// Each topic: as it is, or none when it does not exist, or Kafka's error.
    pub topics: HashMap<Box<str>, Result<Option<ObservedTopic>, KafkaError>>,
    /// Brokers that can take replicas; filled only when a replication factor differs.
    pub brokers: Vec<Broker>,
}

/// A topic as Kafka has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObservedTopic {
    /// Kafka's id, in its own 22-character form.
    pub id: Box<str>,
    /// The partitions, by number.
    pub partitions: Vec<PartitionState>,
    /// The configuration set on the topic itself.
    pub config: Config,
    /// How Kafka reads its values.
    pub kinds: Kinds,
}

impl ObservedTopic {
    /// True when a partition has another number of replicas than wanted, a running move not yet considered.
    pub(crate) fn replicas_differ(&self, wanted: Option<i32>) -> bool {
        wanted.is_some_and(|n| self.partitions.iter().any(|p| p.replicas.len() as i32 != n))
    }
}

/// Looks at the topics of these resources.
pub(crate) async fn observe(
    admin: &Admin,
    metrics: &TopicMetrics,
    resources: &[Arc<TopicResource>],
) -> Result<Observed, AdminError> {
    let mut out = Observed::default();
    if resources.is_empty() {
        return Ok(out);
    }
    let names = resources.iter().map(|r| r.topic_name.to_string());
    let described = metrics.time(Call::DescribeTopics, admin.describe_topics(names)).await?;
    let mut existing = Vec::new();
    for (name, result) in described {
        let seen = match result {
            Ok(topic) => {
                existing.push(ConfigResource::Topic(name.clone()));
                Ok(Some(ObservedTopic {
                    id: format_uuid(topic.id).into(),
                    partitions: topic.partitions.iter().map(partition).collect(),
                    config: Config::default(),
                    kinds: Kinds::new(),
                }))
            }
            Err(error) if error.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Ok(None),
            Err(error) => Err(error),
        };
        out.topics.insert(name.into(), seen);
    }
    if !existing.is_empty() {
        let call = admin.describe_configs(existing, ConfigSelection::Dynamic);
        for (resource, result) in metrics.time(Call::DescribeConfigs, call).await? {
            let ConfigResource::Topic(name) = resource else { continue };
            let Some(slot) = out.topics.get_mut(name.as_str()) else { continue };
            match result {
                Ok(entries) => {
                    if let Ok(Some(topic)) = slot {
                        topic.kinds =
                            entries.iter().map(|(key, entry)| (key.as_str().into(), entry.kind)).collect();
                        topic.config = Config::from_pairs(
                            entries.into_iter().map(|(key, entry)| (key, entry.value.unwrap_or_default())),
                        );
                    }
                }
                // Deleted between the two requests.
                Err(error) if error.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => *slot = Ok(None),
                Err(error) => *slot = Err(error),
            }
        }
    }
    observe_moves(admin, metrics, resources, &mut out).await?;
    Ok(out)
}

/// Where a replication factor differs or is being changed: running reassignments, and the brokers with their racks.
async fn observe_moves(
    admin: &Admin,
    metrics: &TopicMetrics,
    resources: &[Arc<TopicResource>],
    out: &mut Observed,
) -> Result<(), AdminError> {
    let mut partitions = Vec::new();
    for resource in resources {
        let Some(Ok(Some(topic))) = out.topics.get(&resource.topic_name) else { continue };
        if topic.replicas_differ(resource.replicas) || resource.status.replicas_change.is_some() {
            let name = resource.topic_name.to_string();
            partitions.extend(topic.partitions.iter().map(|p| TopicPartition::new(name.clone(), p.index)));
        }
    }
    if partitions.is_empty() {
        return Ok(());
    }
    let topics: BTreeSet<String> = partitions.iter().map(|p| p.topic.clone()).collect();
    let call = async {
        let moves = metrics
            .time(Call::ListReassignments, admin.list_partition_reassignments(Some(partitions)))
            .await?;
        Ok((moves, admin.describe_cluster().await?))
    };
    let (moves, cluster) = match call.await {
        Ok(found) => found,
        // A refusal is about these topics; the others of the batch go on.
        Err(AdminError::Api { error, .. }) => {
            let error = refusal("spec.replicas cannot be compared", "Describe", &error);
            for name in topics {
                out.topics.insert(name.into(), Err(error.clone()));
            }
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for (at, reassignment) in moves {
        if let Some(Ok(Some(topic))) = out.topics.get_mut(at.topic.as_str())
            && let Some(partition) = topic.partitions.iter_mut().find(|p| p.index == at.partition)
        {
            partition.replicas = reassignment.replicas;
            partition.adding = reassignment.adding;
            partition.removing = reassignment.removing;
        }
    }
    out.brokers = cluster
        .nodes
        .into_values()
        .filter(|node| !node.fenced)
        .map(|node| Broker { id: node.id, rack: node.rack })
        .collect();
    Ok(())
}

fn partition(seen: &PartitionDescription) -> PartitionState {
    PartitionState {
        index: seen.index,
        leader: seen.leader.unwrap_or(-1),
        replicas: seen.replicas.clone(),
        isr: seen.isr.clone(),
        adding: Vec::new(),
        removing: Vec::new(),
    }
}
