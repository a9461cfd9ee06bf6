//! What Kafka is asked, and the calls that a plan wants made. No policy.

use std::collections::{BTreeMap, BTreeSet};

use futures::future;
use kafka_admin::{
    Admin, ConfigResource, ConfigSelection, ErrorCode, FeatureUpdate, FeatureUpdateKind, Features,
    QuotaEntity,
};

use super::call_error::{Error, call};
use super::{drain_calls, leader_elections, log_dir_calls, option_calls, up_to_date_topics};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::config::live::memory::OptionChange;
use planner::kafka::feature_view::{FeatureView, LONGEST_NAME, METADATA};
use planner::kafka::observed::KafkaView;
use planner::kafka::observed::{QuorumView, TieredTopics};

/// The cluster as it describes itself: three requests.
pub async fn view(admin: &Admin) -> Result<KafkaView, Error> {
    let (cluster, quorum, features) =
        future::join3(admin.describe_cluster(), admin.describe_quorum(), admin.describe_features()).await;
    let cluster = cluster.map_err(call("describe the cluster"))?;
    let ids =
        |fenced: bool| cluster.nodes.values().filter(move |node| fenced || !node.fenced).map(|node| node.id);
    let features = features.ok();
    Ok(KafkaView {
        registered_brokers: ids(true).collect(),
        active_brokers: ids(false).collect(),
        quorum: quorum.ok().map(|quorum| QuorumView {
            leader: quorum.leader_id.unwrap_or(-1),
            voters: members(&quorum.voters),
            observers: members(&quorum.observers),
            lag_ms: lags(&quorum),
        }),
        metadata_level: features.as_ref().and_then(|features| features.finalized.get(METADATA).copied()),
        features: features.map(other_features).unwrap_or_default(),
        cluster_id: cluster.cluster_id,
        brokers_with_replicas: None,
        broker_configs: BTreeMap::new(),
    })
}

/// Features besides the metadata version that are told of: Kafka has about ten.
const MOST_FEATURES: usize = 100;

/// The features besides the metadata version.
fn other_features(features: Features) -> BTreeMap<String, FeatureView> {
    let Features { finalized, supported, .. } = features;
    // A feature that is off has no finalized level.
    let names: BTreeSet<&String> = supported.keys().chain(finalized.keys()).collect();
    let others = names.into_iter().filter(|name| *name != METADATA && name.len() <= LONGEST_NAME);
    let view = |name: &String| FeatureView {
        level: finalized.get(name).copied().unwrap_or_default(),
        supported: supported.get(name).map(|(_, highest)| *highest),
    };
    others.take(MOST_FEATURES).map(|name| (name.clone(), view(name))).collect()
}

fn members(replicas: &[kafka_admin::QuorumReplica]) -> BTreeMap<i32, String> {
    replicas
        .iter()
        .map(|replica| (replica.id, replica.directory_id.map(kafka_admin::format_uuid).unwrap_or_default()))
        .collect()
}

/// By how many milliseconds each voter is behind the leader.
fn lags(quorum: &kafka_admin::Quorum) -> BTreeMap<i32, i64> {
    let Some(newest) = quorum.leader_caught_up_ms() else { return BTreeMap::new() };
    quorum.voters.iter().filter_map(|voter| Some((voter.id, voter.behind_ms(newest)?))).collect()
}

/// Brokers that hold at least one replica.
pub async fn brokers_with_replicas(admin: &Admin) -> Result<BTreeSet<i32>, Error> {
    let cluster = admin.describe_cluster().await.map_err(call("describe the cluster"))?;
    // A broker that is behind would call one empty that is not.
    let topics = up_to_date_topics::topics(admin, &cluster, &BTreeSet::new()).await?;
    let partitions = topics.values().flat_map(|topic| &topic.partitions);
    let mut brokers = BTreeSet::new();
    for broker in partitions.flat_map(|partition| partition.replicas.iter().copied()) {
        brokers.insert(broker);
        if brokers.len() > admin.config().max_nodes {
            return Err(Error::TooManyBrokers { most: admin.config().max_nodes });
        }
    }
    Ok(brokers)
}

/// Topics with remote storage.
pub async fn tiered_topics(admin: &Admin) -> Result<TieredTopics, Error> {
    let topics = admin.list_topics().await.map_err(call("list the topics"))?;
    let resources = topics.into_keys().map(ConfigResource::Topic);
    let select = ConfigSelection::Names(BTreeSet::from([TieredTopics::OPTION.to_owned()]));
    let action = "describe the options of topics";
    let described = admin.describe_configs(resources, select).await.map_err(call(action))?;
    let mut names = Vec::new();
    for (resource, entries) in described {
        let ConfigResource::Topic(name) = resource else { continue };
        match entries {
            Ok(entries) => {
                let is_on = entries.get(TieredTopics::OPTION).and_then(|entry| entry.value.as_deref())
                    == Some("true");
                names.extend(is_on.then_some(name));
            }
            // It went meanwhile.
            Err(error) if error.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {}
            Err(source) => return Err(Error::Refused { action: action.to_owned(), source }),
        }
    }
    Ok(TieredTopics::of(names))
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
            let update = FeatureUpdate { name: METADATA.to_owned(), level: *level, kind };
            let action = format!("set the metadata version to {version}");
            admin.update_features(vec![update], false).await.map_err(call(&action))?;
        }
        AdminCall::RaiseFeature { name, level } => {
            let kind = FeatureUpdateKind::Upgrade;
            let update = FeatureUpdate { name: name.clone(), level: *level, kind };
            let action = format!("raise {name} to {level}");
            // Kafka judges it before anything is written.
            for only_judged in [true, false] {
                admin.update_features(vec![update.clone()], only_judged).await.map_err(call(&action))?;
            }
        }
        AdminCall::AlterDefaultUserQuotas { changes } => {
            let values = changes.iter().map(|(name, rate)| (name.clone(), rate.map(|rate| rate.0))).collect();
            let changes = BTreeMap::from([(QuotaEntity::default_user(), values)]);
            let action = "set the default quotas of users";
            let outcomes = admin.alter_client_quotas(changes, false).await.map_err(call(action))?;
            for outcome in outcomes.into_values() {
                outcome.map_err(|source| Error::Refused { action: action.to_owned(), source })?;
            }
        }
        AdminCall::MovePartitions { throttled, rates, moves } => {
            drain_calls::move_partitions(admin, throttled, rates, moves).await?;
        }
        AdminCall::MoveReplicas { broker, rate, moves } => {
            log_dir_calls::move_replicas(admin, *broker, *rate, moves).await?;
        }
        AdminCall::ElectLeaders { partitions } => leader_elections::elect(admin, partitions).await?,
        AdminCall::CancelMoves { partitions } => drain_calls::cancel(admin, partitions).await?,
        AdminCall::TakeOffThrottles { topics, rates } => drain_calls::take_off(admin, topics, rates).await?,
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
