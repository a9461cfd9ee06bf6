//! What Kafka is asked, and the calls that a plan wants made. No policy.

use std::collections::{BTreeMap, BTreeSet};

use futures::future;
use kafka_admin::{
    Admin, AdminError, ConfigEntry, ConfigResource, ConfigSelection, ErrorCode, FeatureUpdate,
    FeatureUpdateKind, KafkaError, Outcomes, TopicDescription,
};
use thiserror::Error;

use super::option_calls;
use planner::kafka::admin_call::AdminCall;
use planner::kafka::config::live::memory::OptionChange;
use planner::kafka::observed::KafkaView;
use planner::kafka::observed::QuorumView;
use planner::kafka::roll_order::RollKafka;
use planner::kafka::roll_order::RollPartition;
use planner::kafka::roll_order::RollQuorum;
use planner::kafka::roll_order::RollVoter;

/// `controller.quorum.fetch.timeout.ms` unless configured.
pub const DEFAULT_FETCH_TIMEOUT_MS: i64 = 2000;

/// Name of the option that bounds the in-sync replicas from below.
const MIN_ISR: &str = "min.insync.replicas";

/// What can go wrong with a call to Kafka.
#[derive(Debug, Error)]
pub enum Error {
    /// The call as a whole failed.
    #[error("cannot {action}: {source}")]
    Call {
        /// What was tried.
        action: String,
        /// What happened.
        source: AdminError,
    },
    /// Kafka refused one item.
    #[error("cannot {action}: {source}")]
    Refused {
        /// What was tried.
        action: String,
        /// What Kafka said.
        source: KafkaError,
    },
    /// An identifier of the plan is no Kafka uuid.
    #[error("cannot {action}: {id} is not a Kafka uuid")]
    NoUuid {
        /// What was tried.
        action: String,
        /// The identifier.
        id: String,
    },
}

pub(super) fn call(action: &str) -> impl FnOnce(AdminError) -> Error {
    let action = action.to_owned();
    move |source| Error::Call { action, source }
}

/// The cluster as it describes itself: three requests, and one more when it matters which brokers hold `replicas`.
pub async fn view(admin: &Admin, replicas: bool) -> Result<KafkaView, Error> {
    let (cluster, quorum, features) =
        future::join3(admin.describe_cluster(), admin.describe_quorum(), admin.describe_features()).await;
    let cluster = cluster.map_err(call("describe the cluster"))?;
    let brokers_with_replicas =
        if replicas { Some(brokers_with_replicas(&topics(admin).await?)) } else { None };
    let ids =
        |fenced: bool| cluster.nodes.values().filter(move |node| fenced || !node.fenced).map(|node| node.id);
    Ok(KafkaView {
        registered_brokers: ids(true).collect(),
        active_brokers: ids(false).collect(),
        quorum: quorum.ok().map(|quorum| QuorumView {
            leader: quorum.leader_id.unwrap_or(-1),
            voters: members(&quorum.voters),
            observers: members(&quorum.observers),
        }),
        metadata_level: features
            .ok()
            .and_then(|features| features.finalized.get("metadata.version").copied()),
        cluster_id: cluster.cluster_id,
        brokers_with_replicas,
        broker_configs: BTreeMap::new(),
    })
}

fn members(replicas: &[kafka_admin::QuorumReplica]) -> BTreeMap<i32, String> {
    replicas
        .iter()
        .map(|replica| (replica.id, replica.directory_id.map(kafka_admin::format_uuid).unwrap_or_default()))
        .collect()
}

/// Every topic of the cluster, internal ones too.
pub async fn topics(admin: &Admin) -> Result<BTreeMap<String, TopicDescription>, Error> {
    admin.list_topics().await.map_err(call("list the topics"))
}

/// Brokers that hold at least one replica.
pub fn brokers_with_replicas(topics: &BTreeMap<String, TopicDescription>) -> BTreeSet<i32> {
    let partitions = topics.values().flat_map(|topic| &topic.partitions);
    partitions.flat_map(|partition| partition.replicas.iter().copied()).collect()
}

/// What the safety of a restart depends on.
pub async fn roll_view(admin: &Admin, fetch_timeout_ms: i64) -> Result<RollKafka, Error> {
    let topics = topics(admin).await?;
    let resources: Vec<ConfigResource> = topics.keys().cloned().map(ConfigResource::Topic).collect();
    let select = ConfigSelection::Names(BTreeSet::from([MIN_ISR.to_owned()]));
    let (configs, quorum, cluster) = future::join3(
        admin.describe_configs(resources, select),
        admin.describe_quorum(),
        admin.describe_cluster(),
    )
    .await;
    let configs = configs.map_err(call("read min.insync.replicas of the topics"))?;
    let cluster = cluster.map_err(call("describe the cluster"))?;
    Ok(RollKafka {
        quorum: quorum.ok().and_then(|quorum| roll_quorum(&quorum, fetch_timeout_ms)),
        partitions: roll_partitions(&topics, configs)?,
        registered: cluster.nodes.into_keys().collect(),
    })
}

/// Every partition with what it needs. One of which that is not known could lose its last replica: then nothing is known.
fn roll_partitions(
    topics: &BTreeMap<String, TopicDescription>,
    mut configs: Outcomes<ConfigResource, BTreeMap<String, ConfigEntry>>,
) -> Result<Vec<RollPartition>, Error> {
    let mut partitions = Vec::new();
    for (name, topic) in topics {
        let refused =
            |source| Error::Refused { action: format!("read min.insync.replicas of topic {name}"), source };
        let entries = match configs.remove(&ConfigResource::Topic(name.clone())) {
            Some(Ok(entries)) => entries,
            // It was deleted between the two requests.
            Some(Err(error)) if error.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => continue,
            Some(Err(error)) => return Err(refused(error)),
            None => return Err(refused(KafkaError::new(ErrorCode::UNKNOWN_SERVER_ERROR, "no answer"))),
        };
        let value = entries.get(MIN_ISR).and_then(|entry| entry.value.as_deref());
        let min_isr = value.and_then(|value| value.parse().ok()).unwrap_or(1);
        partitions.extend(topic.partitions.iter().map(|partition| RollPartition {
            name: format!("{name}-{}", partition.index),
            replicas: partition.replicas.clone(),
            isr: partition.isr.clone(),
            min_isr,
        }));
    }
    Ok(partitions)
}

fn roll_quorum(quorum: &kafka_admin::Quorum, fetch_timeout_ms: i64) -> Option<RollQuorum> {
    let leader = quorum.leader_id.filter(|id| *id >= 0)?;
    let newest = quorum.voters.iter().find(|voter| voter.id == leader)?.last_caught_up_ms?;
    let voters = quorum.voters.iter().map(|voter| RollVoter {
        id: voter.id,
        lag_ms: voter
            .last_caught_up_ms
            .filter(|caught_up| *caught_up >= 0)
            .map(|caught_up| newest - caught_up),
    });
    Some(RollQuorum { leader, voters: voters.collect(), fetch_timeout_ms })
}

/// Makes one call. The answer holds the changes of options that Kafka refused, and why: those are not errors, the next
/// plan knows another way.
pub async fn make(admin: &Admin, wanted: &AdminCall) -> Result<BTreeMap<OptionChange, String>, Error> {
    match wanted {
        AdminCall::AlterBrokerConfig { broker, changes } => {
            return option_calls::alter(admin, *broker, changes).await;
        }
        AdminCall::UpdateMetadataVersion { version, level, downgrade } => {
            let kind = if *downgrade { FeatureUpdateKind::SafeDowngrade } else { FeatureUpdateKind::Upgrade };
            let update = FeatureUpdate { name: "metadata.version".to_owned(), level: *level, kind };
            let action = format!("set the metadata version to {version}");
            admin.update_features(vec![update], false).await.map_err(call(&action))?;
        }
        AdminCall::UnregisterBroker { broker } => {
            let action = format!("unregister broker {broker}");
            admin.unregister_broker(*broker).await.map_err(call(&action))?;
        }
        AdminCall::RemoveVoter { controller, directory_id } => {
            let action = format!("remove controller {controller} from the quorum");
            let directory = uuid(&action, directory_id)?;
            admin.remove_raft_voter(*controller, directory).await.map_err(call(&action))?;
        }
    }
    Ok(BTreeMap::new())
}

fn uuid(action: &str, id: &str) -> Result<kafka_admin::Uuid, Error> {
    kafka_admin::parse_uuid(id).ok_or_else(|| Error::NoUuid { action: action.to_owned(), id: id.to_owned() })
}

#[cfg(test)]
mod tests {
    use kafka_admin::PartitionDescription;

    use super::*;

    fn topics(names: &[&str]) -> BTreeMap<String, TopicDescription> {
        let partition = PartitionDescription {
            index: 0,
            leader: Some(0),
            leader_epoch: 0,
            replicas: vec![0, 1, 2],
            isr: vec![0, 1],
            offline: vec![],
        };
        let topic = |name: &&str| {
            let id = kafka_admin::Uuid::nil();
            let partitions = vec![partition.clone()];
            (
                (*name).to_owned(),
                TopicDescription { name: (*name).to_owned(), id, internal: false, partitions },
            )
        };
        names.iter().map(topic).collect()
    }

    fn minimum(value: &str) -> BTreeMap<String, ConfigEntry> {
        let source = kafka_admin::ConfigSource::DynamicTopic;
        let entry = ConfigEntry {
            value: Some(value.to_owned()),
            source,
            read_only: false,
            sensitive: false,
            kind: kafka_admin::ConfigKind::Unknown,
        };
        BTreeMap::from([(MIN_ISR.to_owned(), entry)])
    }

    #[test]
    fn a_topic_of_which_the_minimum_is_not_known_ends_the_look_and_a_deleted_one_does_not() {
        let topic = |name: &str| ConfigResource::Topic(name.to_owned());
        let failed = |code| Err(KafkaError::new(code, ""));
        let of = |other| {
            let mut configs = Outcomes::from([(topic("a"), Ok(minimum("2")))]);
            configs.extend(other);
            roll_partitions(&topics(&["a", "b"]), configs)
        };
        let known = of(Some((topic("b"), Ok(minimum("1"))))).unwrap();
        assert_eq!(known.iter().map(|partition| partition.min_isr).collect::<Vec<_>>(), [2, 1]);
        let deleted = of(Some((topic("b"), failed(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)))).unwrap();
        assert_eq!(deleted.len(), 1);
        assert!(of(Some((topic("b"), failed(ErrorCode::REQUEST_TIMED_OUT)))).is_err());
        assert!(of(None).is_err());
    }
}
