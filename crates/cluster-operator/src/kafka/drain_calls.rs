//! What Kafka is asked about partitions that are moved off nodes, and the calls that move them. No policy.

use std::collections::{BTreeMap, BTreeSet};

use kafka_admin::{
    Admin, AdminError, ConfigChange, ConfigResource, ConfigSelection, ConfigSource, ErrorCode, Reassignment,
    TopicDescription, TopicPartition,
};
use planner::kafka::drain_view::{DrainBroker, DrainView, PartitionState, ThrottledReplicas};

use super::call_error::{Error, call};
use super::up_to_date_topics::topics;

/// The options of a topic with its throttled replicas: those that are copied from, and those that are copied to.
const TOPIC_KEYS: [&str; 2] = planner::kafka::drain_view::TOPIC_KEYS;

/// Partitions that may be under way when nodes are emptied, whoever moves them: a name is repeated for each in memory.
const MOST_MOVES: usize = 20_000;

/// How far the partitions of these nodes are moved away.
pub async fn look(admin: &Admin, nodes: &BTreeSet<i32>) -> Result<DrainView, Error> {
    let cluster = admin.describe_cluster().await.map_err(call("describe the cluster"))?;
    // First: what begins or ends after this is seen in the partitions, and Kafka refuses a move that rests on both.
    let moving =
        admin.list_partition_reassignments(None).await.map_err(call("list the moves of partitions"))?;
    if moving.len() > MOST_MOVES {
        return Err(Error::TooManyMoves { most: MOST_MOVES });
    }
    let topics = topics(admin, &cluster, nodes).await?;
    let mut view = DrainView { throttled: throttled(admin, &topics).await?, ..DrainView::default() };
    let active: BTreeSet<i32> =
        cluster.nodes.values().filter(|node| !node.fenced).map(|node| node.id).collect();
    let mut rates = rates(admin, &active).await?;
    for node in cluster.nodes.values() {
        let rates = rates.remove(&node.id);
        let broker = DrainBroker {
            rack: node.rack.clone(),
            // No replica is moved to a broker that does not answer.
            active: rates.is_some(),
            rates: rates.unwrap_or_default(),
            ..DrainBroker::default()
        };
        view.brokers.insert(node.id, broker);
    }
    for (name, topic) in topics {
        let mut concerned = Vec::new();
        for partition in topic.partitions {
            for (at, broker) in partition.replicas.iter().enumerate() {
                let Some(broker) = view.brokers.get_mut(broker) else { continue };
                broker.replicas += 1;
                broker.leaders += usize::from(at == 0);
            }
            let key = TopicPartition::new(name.as_str(), partition.index);
            let (moving, is_on) = (moving.get(&key), |id: &i32| nodes.contains(id));
            if moving.is_some() || partition.replicas.iter().any(is_on) {
                concerned.push(state(partition, moving));
            }
        }
        if !concerned.is_empty() {
            view.partitions.insert(name, concerned);
        }
    }
    Ok(view)
}

fn state(partition: kafka_admin::PartitionDescription, moving: Option<&Reassignment>) -> PartitionState {
    PartitionState {
        index: partition.index,
        leader: partition.leader.unwrap_or(-1),
        replicas: moving.map_or(partition.replicas, |moving| moving.replicas.clone()),
        isr: partition.isr,
        adding: moving.map(|moving| moving.adding.clone()).unwrap_or_default(),
        removing: moving.map(|moving| moving.removing.clone()).unwrap_or_default(),
    }
}

/// The topics of which replicas are throttled.
async fn throttled(
    admin: &Admin,
    topics: &BTreeMap<String, TopicDescription>,
) -> Result<BTreeMap<String, ThrottledReplicas>, Error> {
    let select = ConfigSelection::Names(TOPIC_KEYS.map(str::to_owned).into());
    let resources = topics.keys().cloned().map(ConfigResource::Topic);
    let described = admin.describe_configs(resources, select).await;
    let mut found = BTreeMap::new();
    for (resource, entries) in described.map_err(call("describe the throttles of topics"))? {
        // A topic that cannot be described went meanwhile.
        let (ConfigResource::Topic(name), Ok(entries)) = (resource, entries) else { continue };
        let value = |key: &str| {
            let entry = entries.get(key).filter(|entry| entry.source == ConfigSource::DynamicTopic);
            entry.and_then(|entry| entry.value.clone()).unwrap_or_default()
        };
        let present = ThrottledReplicas { leaders: value(TOPIC_KEYS[0]), followers: value(TOPIC_KEYS[1]) };
        if present != ThrottledReplicas::default() {
            found.insert(name, present);
        }
    }
    Ok(found)
}

/// The rates that were set on each broker that answers.
async fn rates(
    admin: &Admin,
    brokers: &BTreeSet<i32>,
) -> Result<BTreeMap<i32, BTreeMap<String, String>>, Error> {
    let names = planner::kafka::drain_view::BROKER_RATES;
    let select = ConfigSelection::Names(names.map(str::to_owned).into());
    let resources = brokers.iter().copied().map(ConfigResource::Broker);
    let described = admin.describe_configs(resources, select).await;
    let mut found = BTreeMap::new();
    for (resource, entries) in described.map_err(call("describe the throttles of brokers"))? {
        let (ConfigResource::Broker(id), Ok(entries)) = (resource, entries) else { continue };
        let set = entries.into_iter().filter(|(_, entry)| entry.source == ConfigSource::DynamicBroker);
        found.insert(id, set.filter_map(|(name, entry)| Some((name, entry.value?))).collect());
    }
    Ok(found)
}

/// Moves partitions, behind their throttles. A topic that went meanwhile, or a partition that others move by now, is left to the next
/// look.
pub(super) async fn move_partitions(
    admin: &Admin,
    throttled: &BTreeMap<String, ThrottledReplicas>,
    rates: &BTreeMap<i32, BTreeMap<String, String>>,
    moves: &BTreeMap<String, BTreeMap<i32, Vec<i32>>>,
) -> Result<(), Error> {
    let of_topics = throttled.iter().map(|(name, replicas)| {
        let [from, to] = TOPIC_KEYS;
        let changes =
            vec![ConfigChange::set(from, &*replicas.leaders), ConfigChange::set(to, &*replicas.followers)];
        (ConfigResource::Topic(name.clone()), changes)
    });
    let of_brokers = rates.iter().map(|(id, rates)| {
        let changes = rates.iter().map(|(name, rate)| ConfigChange::set(name.as_str(), rate.as_str()));
        (ConfigResource::Broker(*id), changes.collect())
    });
    alter(admin, "throttle the moves of partitions", of_topics.chain(of_brokers).collect()).await?;
    let mut changes = BTreeMap::new();
    for (topic, partitions) in moves {
        for (index, brokers) in partitions {
            changes.insert(TopicPartition::new(topic.as_str(), *index), Some(brokers.clone()));
        }
    }
    reassign(admin, "move", changes).await
}

/// Ends moves.
pub(super) async fn cancel(admin: &Admin, partitions: &BTreeMap<String, BTreeSet<i32>>) -> Result<(), Error> {
    let all = partitions.iter().flat_map(|(topic, indexes)| {
        indexes.iter().map(move |index| (TopicPartition::new(topic.as_str(), *index), None))
    });
    reassign(admin, "no longer move", all.collect()).await
}

async fn reassign(
    admin: &Admin,
    what: &str,
    changes: BTreeMap<TopicPartition, Option<Vec<i32>>>,
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let action = format!("{what} partitions");
    for (partition, outcome) in admin.move_partitions(changes).await.map_err(call(&action))? {
        let Err(source) = outcome else { continue };
        let is_late = matches!(
            source.code,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                | ErrorCode::NO_REASSIGNMENT_IN_PROGRESS
                | ErrorCode::INVALID_REPLICATION_FACTOR
        );
        if !is_late {
            return Err(Error::Refused { action: format!("{what} partition {partition}"), source });
        }
        tracing::info!(%partition, error = %source, "the partition is not as it was a moment ago, and is looked at again");
    }
    Ok(())
}

/// Takes throttles off topics and brokers.
pub(super) async fn take_off(
    admin: &Admin,
    topics: &BTreeSet<String>,
    rates: &BTreeMap<i32, BTreeSet<String>>,
) -> Result<(), Error> {
    let of_topics = topics
        .iter()
        .map(|name| (ConfigResource::Topic(name.clone()), TOPIC_KEYS.map(ConfigChange::delete).to_vec()));
    let of_brokers = rates.iter().map(|(id, names)| {
        (
            ConfigResource::Broker(*id),
            names.iter().map(|name| ConfigChange::delete(name.as_str())).collect::<Vec<_>>(),
        )
    });
    alter(admin, "take the throttles of moved partitions off", of_topics.chain(of_brokers).collect()).await
}

async fn alter(
    admin: &Admin,
    action: &str,
    changes: BTreeMap<ConfigResource, Vec<ConfigChange>>,
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let outcomes: Result<_, AdminError> = admin.incremental_alter_configs(changes, false).await;
    for (resource, outcome) in outcomes.map_err(call(action))? {
        let Err(source) = outcome else { continue };
        if source.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION {
            continue;
        }
        return Err(Error::Refused { action: format!("{action} ({resource:?})"), source });
    }
    Ok(())
}
