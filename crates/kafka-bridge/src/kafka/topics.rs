//! What Kafka says of topics and partitions, and new topics.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic as LibraryTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use serde::Serialize;

use crate::error::{ApiError, status_of};
use crate::kafka::said::Said;
use crate::kafka::waiting::{Work, blocking};
use crate::requests::{NewTopic, is_topic_name};

/// How long Kafka may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// One replica of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Replica {
    broker: i32,
    leader: bool,
    in_sync: bool,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Partition {
    #[serde(rename = "partition")]
    number: i32,
    leader: i32,
    replicas: Vec<Replica>,
}

/// One topic.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Topic {
    name: String,
    configs: std::collections::BTreeMap<String, String>,
    partitions: Vec<Partition>,
}

/// First and next offset of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Offsets {
    beginning_offset: i64,
    end_offset: i64,
}

/// Asks through one client.
#[allow(missing_debug_implementations, reason = "the client of the library has none")]
pub(crate) struct Topics(pub Arc<AdminClient<Said>>);

impl Topics {
    /// The names of all topics, in their order.
    pub(crate) async fn names(&self) -> Result<Vec<String>, ApiError> {
        let client = Arc::clone(&self.0);
        let metadata =
            blocking(Work::Questions, move || client.inner().fetch_metadata(None, PATIENCE)).await?;
        let metadata = metadata.map_err(|error| ApiError::kafka("list topics", &error))?;
        let mut names: Vec<String> = metadata.topics().iter().map(|topic| topic.name().to_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// The partitions of a topic, in their order.
    pub(crate) async fn partitions(&self, topic: &str) -> Result<Vec<Partition>, ApiError> {
        if !is_topic_name(topic) {
            return Err(no_topic());
        }
        let (client, name) = (Arc::clone(&self.0), topic.to_owned());
        let metadata =
            blocking(Work::Questions, move || client.inner().fetch_metadata(Some(&name), PATIENCE)).await?;
        let metadata =
            metadata.map_err(|error| ApiError::kafka(&format!("describe topic {topic}"), &error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic).ok_or_else(no_topic)?;
        if let Some(error) = found.error() {
            let code = RDKafkaErrorCode::from(error);
            if code == RDKafkaErrorCode::UnknownTopicOrPartition {
                return Err(no_topic());
            }
            return Err(ApiError::new(status_of(code), format!("describe topic {topic}: {code}")));
        }
        Ok(described(found))
    }

    /// A topic with its options.
    pub(crate) async fn topic(&self, topic: &str) -> Result<Topic, ApiError> {
        let partitions = self.partitions(topic).await?;
        let asked = [ResourceSpecifier::Topic(topic)];
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let described = self.0.describe_configs(&asked, &options).await;
        let action = || format!("describe the options of topic {topic}");
        let described = described.map_err(|error| ApiError::kafka(&action(), &error))?;
        let mut configs = std::collections::BTreeMap::new();
        for resource in described {
            let resource =
                resource.map_err(|code| ApiError::new(status_of(code), format!("{}: {code}", action())))?;
            for entry in resource.entries {
                if let Some(value) = entry.value {
                    configs.insert(entry.name, value);
                }
            }
        }
        Ok(Topic { name: topic.to_owned(), configs, partitions })
    }

    /// One partition.
    pub(crate) async fn partition(&self, topic: &str, partition: i32) -> Result<Partition, ApiError> {
        let mut partitions = self.partitions(topic).await?.into_iter();
        partitions.find(|found| found.number == partition).ok_or_else(no_partition)
    }

    /// First and next offset of a partition.
    pub(crate) async fn offsets(&self, topic: &str, partition: i32) -> Result<Offsets, ApiError> {
        self.partition(topic, partition).await?;
        let (client, name) = (Arc::clone(&self.0), topic.to_owned());
        let asked =
            blocking(Work::Questions, move || client.inner().fetch_watermarks(&name, partition, PATIENCE))
                .await?;
        let action = format!("list offsets of partition {partition} of topic {topic}");
        let (beginning_offset, end_offset) = asked.map_err(|error| ApiError::kafka(&action, &error))?;
        Ok(Offsets { beginning_offset, end_offset })
    }

    /// Makes a topic.
    pub(crate) async fn create(&self, new: &NewTopic) -> Result<(), ApiError> {
        let replication = TopicReplication::Fixed(new.replicas.unwrap_or(-1));
        let topic = LibraryTopic::new(&new.name, new.partitions.unwrap_or(-1), replication);
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        let action = format!("create topic {}", new.name);
        let created = self.0.create_topics([&topic], &options).await;
        let created = created.map_err(|error| match error {
            KafkaError::AdminOpCreation(reason) => ApiError::unprocessable(format!("{action}: {reason}")),
            other => ApiError::kafka(&action, &other),
        })?;
        for one in created {
            one.map_err(|(_, code)| ApiError::new(status_of(code), format!("{action}: {code}")))?;
        }
        Ok(())
    }
}

fn described(topic: &MetadataTopic) -> Vec<Partition> {
    let mut partitions: Vec<Partition> = topic
        .partitions()
        .iter()
        .map(|partition| {
            let replica = |broker: &i32| Replica {
                broker: *broker,
                leader: *broker == partition.leader(),
                in_sync: partition.isr().contains(broker),
            };
            Partition {
                number: partition.id(),
                leader: partition.leader(),
                replicas: partition.replicas().iter().map(replica).collect(),
            }
        })
        .collect();
    partitions.sort_by_key(|partition| partition.number);
    partitions
}

fn no_topic() -> ApiError {
    ApiError::not_found("The specified topic was not found.")
}

fn no_partition() -> ApiError {
    ApiError::not_found("The specified topic partition was not found.")
}
