//! What Kafka is asked, and the calls that a plan wants made. No policy.

use std::collections::{BTreeMap, BTreeSet};

use futures::future;
use kafka_admin::{Admin, AdminError, FeatureUpdate, FeatureUpdateKind, KafkaError, TopicDescription};
use thiserror::Error;

use super::option_calls;
use planner::kafka::admin_call::AdminCall;
use planner::kafka::config::live::memory::OptionChange;
use planner::kafka::need::{Silence, SilenceKind};
use planner::kafka::observed::KafkaView;
use planner::kafka::observed::QuorumView;

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

impl From<Error> for Silence {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Call { source, .. } => kind_of(source),
            Error::Refused { .. } | Error::NoUuid { .. } => SilenceKind::Refused,
        };
        Self::new(kind, error.to_string())
    }
}

/// What kind of silence a failed call is.
pub fn kind_of(error: &AdminError) -> SilenceKind {
    match error {
        AdminError::Connect { .. } => SilenceKind::Unreachable,
        AdminError::Tls { .. } => SilenceKind::Tls,
        AdminError::Timeout { last: Some(last), .. } => match kind_of(last) {
            SilenceKind::Refused => SilenceKind::Late,
            kind => kind,
        },
        AdminError::Disconnected { .. } | AdminError::Timeout { last: None, .. } => SilenceKind::Late,
        AdminError::Config(_)
        | AdminError::Authentication { .. }
        | AdminError::Protocol { .. }
        | AdminError::TooLong { .. }
        | AdminError::Unsupported { .. }
        | AdminError::UnknownNode(_)
        | AdminError::Api { .. } => SilenceKind::Refused,
    }
}

pub(super) fn call(action: &str) -> impl FnOnce(AdminError) -> Error {
    let action = action.to_owned();
    move |source| Error::Call { action, source }
}

/// The cluster as it describes itself: three requests.
pub async fn view(admin: &Admin) -> Result<KafkaView, Error> {
    let (cluster, quorum, features) =
        future::join3(admin.describe_cluster(), admin.describe_quorum(), admin.describe_features()).await;
    let cluster = cluster.map_err(call("describe the cluster"))?;
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
        brokers_with_replicas: None,
        broker_configs: BTreeMap::new(),
    })
}

fn members(replicas: &[kafka_admin::QuorumReplica]) -> BTreeMap<i32, String> {
    replicas
        .iter()
        .map(|replica| (replica.id, replica.directory_id.map(kafka_admin::format_uuid).unwrap_or_default()))
        .collect()
}

/// Brokers that hold at least one replica.
pub async fn brokers_with_replicas(admin: &Admin) -> Result<BTreeSet<i32>, Error> {
    let topics: BTreeMap<String, TopicDescription> =
        admin.list_topics().await.map_err(call("list the topics"))?;
    let partitions = topics.values().flat_map(|topic| &topic.partitions);
    Ok(partitions.flat_map(|partition| partition.replicas.iter().copied()).collect())
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
