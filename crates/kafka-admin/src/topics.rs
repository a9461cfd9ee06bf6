//! Topics: list, describe, create, delete, add partitions.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest, MetadataResponse,
};
use uuid::Uuid;

use crate::batch::Weight;
use crate::client::{Route, misrouted};
use crate::configs::{ConfigEntry, ConfigKind, ConfigSource};
use crate::error::check;
use crate::values::{broker_ids, ids, string, text, topic_name};
use crate::{Admin, AdminError, ErrorCode, Outcomes};

/// A topic as Kafka has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// Name.
    pub name: String,
    /// Id, new with each creation.
    pub id: Uuid,
    /// Whether Kafka made it for itself, as `__consumer_offsets`.
    pub internal: bool,
    /// All partitions, by number.
    pub partitions: Vec<PartitionDescription>,
}

impl TopicDescription {
    /// Replicas of the first partition; Kafka's tools call this the topic's replication factor.
    pub fn replication_factor(&self) -> usize {
        self.partitions.first().map_or(0, |partition| partition.replicas.len())
    }
}

/// A partition as Kafka has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionDescription {
    /// Number, from 0.
    pub index: i32,
    /// Broker that leads it, if one does.
    pub leader: Option<i32>,
    /// Grows with each election.
    pub leader_epoch: i32,
    /// Brokers that have a replica, the preferred leader first. While replicas move, old and new ones.
    pub replicas: Vec<i32>,
    /// Brokers whose replica is in sync.
    pub isr: Vec<i32>,
    /// Brokers whose replica is not there, because the broker or its disk is not.
    pub offline: Vec<i32>,
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewTopic {
    /// Name.
    pub name: String,
    /// Number of partitions; `None`: the broker's `num.partitions`. Not used with `assignments`.
    pub partitions: Option<i32>,
    /// Replicas of each partition; `None`: the broker's `default.replication.factor`. Not used with `assignments`.
    pub replication_factor: Option<i16>,
    /// Brokers of each partition, the preferred leader first. Empty: Kafka chooses.
    pub assignments: BTreeMap<i32, Vec<i32>>,
    /// Configuration that differs from the brokers' defaults.
    pub configs: BTreeMap<String, String>,
}

impl NewTopic {
    /// A topic with the brokers' defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// A topic that was created, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Id; nil when only validated.
    pub id: Uuid,
    /// Number of partitions; -1 if this client may not see it.
    pub partitions: i32,
    /// Replicas of each partition; -1 if this client may not see it.
    pub replication_factor: i16,
    /// Full configuration; empty if this client may not see it.
    pub configs: BTreeMap<String, ConfigEntry>,
}

/// A number of partitions to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartitions {
    /// Name of the topic.
    pub topic: String,
    /// How many there shall be in all.
    pub total_count: i32,
    /// Brokers of each additional partition. Empty: Kafka chooses.
    pub assignments: Vec<Vec<i32>>,
}

/// Partitions that a new topic is counted with when their number is left to the broker.
const USUAL_PARTITIONS: usize = 10;

fn describe(topic: &MetadataResponseTopic) -> TopicDescription {
    let partition = |found: &kafka_protocol::messages::metadata_response::MetadataResponsePartition| {
        PartitionDescription {
            index: found.partition_index,
            leader: (found.leader_id.0 >= 0).then_some(found.leader_id.0),
            leader_epoch: found.leader_epoch,
            replicas: ids(&found.replica_nodes),
            isr: ids(&found.isr_nodes),
            offline: ids(&found.offline_replicas),
        }
    };
    let mut partitions: Vec<_> = topic.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.index);
    TopicDescription {
        name: topic.name.as_ref().map(|name| string(name)).unwrap_or_default(),
        id: topic.topic_id,
        internal: topic.is_internal,
        partitions,
    }
}

/// The longest name of a topic, in bytes (`org.apache.kafka.common.internals.Topic`).
const LONGEST_NAME: usize = 249;

/// A topic that has just been created may lack its leaders for a moment; that is an answer like any other.
fn topic_error(code: i16) -> i16 {
    if ErrorCode(code) == ErrorCode::LEADER_NOT_AVAILABLE { 0 } else { code }
}

/// Refuses names that no topic of Kafka can have: whoever looks at partitions one by one may repeat them for each.
fn check_names(answer: &MetadataResponse) -> Result<(), AdminError> {
    let lengths = answer.topics.iter().filter_map(|topic| topic.name.as_ref().map(|name| name.len()));
    match lengths.max() {
        Some(longest) if longest > LONGEST_NAME => Err(AdminError::Protocol {
            address: "a broker".to_owned(),
            reason: format!(
                "it tells of a topic whose name has {longest} bytes; Kafka allows {LONGEST_NAME}"
            ),
        }),
        _ => Ok(()),
    }
}

impl Admin {
    async fn metadata(
        &self,
        route: Route,
        topics: Option<Vec<String>>,
    ) -> Result<MetadataResponse, AdminError> {
        let topic = |name| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let request = MetadataRequest::default()
            .with_topics(topics.map(|names: Vec<String>| names.into_iter().map(topic).collect()))
            .with_allow_auto_topic_creation(false);
        self.call("describe topics", route, request, |answer| check(answer.error_code, None)).await
    }

    /// All topics that this client may see, internal ones included. One request.
    pub async fn list_topics(&self) -> Result<BTreeMap<String, TopicDescription>, AdminError> {
        self.all_topics(Route::Any).await
    }

    /// As [`Self::list_topics`], as this broker knows them.
    pub async fn list_topics_of(
        &self,
        broker: i32,
    ) -> Result<BTreeMap<String, TopicDescription>, AdminError> {
        self.all_topics(Route::Node(broker)).await
    }

    async fn all_topics(&self, route: Route) -> Result<BTreeMap<String, TopicDescription>, AdminError> {
        let answer = self.metadata(route, None).await?;
        check_names(&answer)?;
        let found = answer.topics.iter().filter(|topic| topic_error(topic.error_code) == 0).map(describe);
        Ok(found.map(|topic| (topic.name.clone(), topic)).collect())
    }

    /// The topics with these names; a topic that does not exist has the error `UNKNOWN_TOPIC_OR_PARTITION`.
    pub async fn describe_topics(
        &self,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Outcomes<String, TopicDescription>, AdminError> {
        let names: BTreeSet<String> = names.into_iter().collect();
        let weigh = |name: &String| Weight { bytes: name.len() + 20, records: 1 };
        let asked = names.clone();
        let answers = self.batched(names, weigh, |names| self.metadata(Route::Any, Some(names))).await?;
        let mut outcomes = Outcomes::new();
        for topic in answers.iter().flat_map(|answer| &answer.topics) {
            // Whoever answers with something else fills no memory with it.
            let Some(name) = topic.name.as_ref().and_then(|name| asked.get(name.as_str())) else { continue };
            let outcome = check(topic_error(topic.error_code), None).map(|()| describe(topic));
            outcomes.insert(name.clone(), outcome);
        }
        Ok(outcomes)
    }

    /// Creates topics. With `validate_only` Kafka only says whether it would.
    pub async fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        validate_only: bool,
    ) -> Result<Outcomes<String, CreatedTopic>, AdminError> {
        let weigh = |topic: &NewTopic| {
            let partitions = match (topic.assignments.len(), topic.partitions) {
                (0, None) => USUAL_PARTITIONS,
                (0, Some(count)) => usize::try_from(count).unwrap_or(0),
                (assigned, _) => assigned,
            };
            let configs: usize = topic.configs.iter().map(|(key, value)| key.len() + value.len() + 10).sum();
            let assigned: usize = topic.assignments.values().map(|brokers| brokers.len() * 4 + 10).sum();
            Weight {
                bytes: topic.name.len() + configs + assigned + 30,
                records: 1 + partitions + topic.configs.len(),
            }
        };
        let create = |topics: Vec<NewTopic>| {
            let request = CreateTopicsRequest::default()
                .with_topics(topics.into_iter().map(creatable).collect())
                .with_timeout_ms(self.server_timeout_ms())
                .with_validate_only(validate_only);
            self.call("create topics", Route::Controller, request, |answer| {
                misrouted(answer.topics.iter().map(|topic| topic.error_code))
            })
        };
        let answers = self.batched(topics, weigh, create).await?;
        let mut outcomes = Outcomes::new();
        for topic in answers.iter().flat_map(|answer| &answer.topics) {
            let entry = |config: &kafka_protocol::messages::create_topics_response::CreatableTopicConfigs| {
                let entry = ConfigEntry {
                    value: config.value.as_ref().map(string),
                    source: ConfigSource::from_wire(config.config_source),
                    read_only: config.read_only,
                    sensitive: config.is_sensitive,
                    kind: ConfigKind::Unknown,
                };
                (string(&config.name), entry)
            };
            let created = || CreatedTopic {
                id: topic.topic_id,
                partitions: topic.num_partitions,
                replication_factor: topic.replication_factor,
                configs: topic.configs.iter().flatten().map(entry).collect(),
            };
            let outcome = check(topic.error_code, topic.error_message.as_ref()).map(|()| created());
            outcomes.insert(string(&topic.name), outcome);
        }
        Ok(outcomes)
    }

    /// Deletes topics.
    pub async fn delete_topics(
        &self,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Outcomes<String>, AdminError> {
        let names: BTreeSet<String> = names.into_iter().collect();
        let weigh = |name: &String| Weight { bytes: name.len() + 20, records: 1 };
        let delete = |names: Vec<String>| {
            let states =
                names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(topic_name(name))));
            let request = DeleteTopicsRequest::default()
                .with_topics(states.collect())
                .with_timeout_ms(self.server_timeout_ms());
            self.call("delete topics", Route::Controller, request, |answer| {
                misrouted(answer.responses.iter().map(|topic| topic.error_code))
            })
        };
        let answers = self.batched(names, weigh, delete).await?;
        let results = answers.iter().flat_map(|answer| &answer.responses).map(|topic| {
            let name = topic.name.as_ref().map(|name| string(name)).unwrap_or_default();
            (name, check(topic.error_code, topic.error_message.as_ref()))
        });
        Ok(results.collect())
    }

    /// Adds partitions to topics.
    pub async fn create_partitions(
        &self,
        topics: Vec<NewPartitions>,
        validate_only: bool,
    ) -> Result<Outcomes<String>, AdminError> {
        let weigh = |topic: &NewPartitions| {
            let assigned: usize = topic.assignments.iter().map(|brokers| brokers.len() * 4 + 5).sum();
            Weight {
                bytes: topic.topic.len() + assigned + 20,
                records: usize::try_from(topic.total_count).unwrap_or(0),
            }
        };
        let create = |topics: Vec<NewPartitions>| {
            let topic = |topic: NewPartitions| {
                let assignments = topic.assignments.iter().map(|brokers| {
                    CreatePartitionsAssignment::default().with_broker_ids(broker_ids(brokers))
                });
                let assignments: Vec<_> = assignments.collect();
                CreatePartitionsTopic::default()
                    .with_name(topic_name(topic.topic))
                    .with_count(topic.total_count)
                    .with_assignments((!assignments.is_empty()).then_some(assignments))
            };
            let request = CreatePartitionsRequest::default()
                .with_topics(topics.into_iter().map(topic).collect())
                .with_timeout_ms(self.server_timeout_ms())
                .with_validate_only(validate_only);
            self.call("create partitions", Route::Controller, request, |answer| {
                misrouted(answer.results.iter().map(|topic| topic.error_code))
            })
        };
        let answers = self.batched(topics, weigh, create).await?;
        let results = answers.iter().flat_map(|answer| &answer.results);
        Ok(results
            .map(|topic| (string(&topic.name), check(topic.error_code, topic.error_message.as_ref())))
            .collect())
    }
}

fn creatable(topic: NewTopic) -> CreatableTopic {
    let assigned = !topic.assignments.is_empty();
    let assignments = topic.assignments.into_iter().map(|(index, brokers)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(index)
            .with_broker_ids(broker_ids(&brokers))
    });
    let configs = topic.configs.into_iter().map(|(name, value)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    });
    CreatableTopic::default()
        .with_name(topic_name(topic.name))
        .with_num_partitions(topic.partitions.filter(|_| !assigned).unwrap_or(-1))
        .with_replication_factor(topic.replication_factor.filter(|_| !assigned).unwrap_or(-1))
        .with_assignments(assignments.collect())
        .with_configs(configs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_topic_can_have_is_refused() {
        let answer = |length: usize| {
            let topic = MetadataResponseTopic::default().with_name(Some(topic_name("n".repeat(length))));
            MetadataResponse::default().with_topics(vec![topic])
        };
        assert!(check_names(&answer(LONGEST_NAME)).is_ok());
        let refused = check_names(&answer(LONGEST_NAME + 1)).unwrap_err().to_string();
        assert!(refused.contains("250 bytes") && refused.contains("allows 249"), "{refused}");
    }
}
