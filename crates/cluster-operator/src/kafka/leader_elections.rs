//! What Kafka is asked about partitions without a leader, and the call that elects leaders. No policy.

use std::collections::{BTreeMap, BTreeSet};

use kafka_admin::{Admin, Election, PartitionDescription, TopicPartition};
use planner::kafka::leaderless_view::{LeaderlessPartition, complete};

use super::call_error::{Error, call};
use super::drain_calls::{least_behind, topics_of};

/// Partitions of an answer.
const MOST: usize = 10_000;

/// Partitions without a leader of which one of these brokers could be it, as a broker knows them that has taken in all that the controllers
/// had decided.
pub async fn look(admin: &Admin, brokers: &BTreeSet<i32>) -> Result<Vec<LeaderlessPartition>, Error> {
    let cluster = admin.describe_cluster().await.map_err(call("describe the cluster"))?;
    let known = least_behind(admin, &cluster, &BTreeSet::new()).await?;
    let topics = topics_of(admin, known).await?;
    let mut leaderless: BTreeMap<TopicPartition, PartitionDescription> = BTreeMap::new();
    for (name, topic) in topics {
        let could_be = |one: &PartitionDescription| {
            one.leader.is_none() && one.replicas.iter().any(|id| brokers.contains(id))
        };
        let found = topic.partitions.into_iter().filter(could_be);
        leaderless.extend(found.map(|one| (TopicPartition::new(name.as_str(), one.index), one)));
    }
    if leaderless.is_empty() {
        return Ok(Vec::new());
    }
    let asked = leaderless.keys().cloned().collect();
    let told = match known {
        Some(id) => admin.describe_leaderships_of(id, &asked).await,
        None => Ok(None),
    };
    let mut told = told.map_err(call("ask for the eligible leaders of partitions"))?.unwrap_or_default();
    let view = leaderless.into_iter().filter_map(|(key, one)| {
        let found = told.remove(&key);
        let (eligible, last_known) =
            found.map(|found| (found.eligible, found.last_known)).unwrap_or_default();
        let complete = complete(&one.isr, &eligible, &last_known);
        let offline = one.offline.into_iter().collect();
        let view = LeaderlessPartition { topic: key.topic, partition: key.partition, complete, offline };
        (!view.complete.is_disjoint(brokers)).then_some(view)
    });
    Ok(view.take(MOST).collect())
}

/// Has leaders elected. What Kafka refuses for a partition is looked at again.
pub(super) async fn elect(admin: &Admin, partitions: &BTreeMap<String, BTreeSet<i32>>) -> Result<(), Error> {
    let all = partitions.iter().flat_map(|(topic, partitions)| {
        partitions.iter().map(move |index| TopicPartition::new(topic.as_str(), *index))
    });
    let outcomes = admin.elect_leaders(Election::Preferred, Some(all.collect())).await;
    for (partition, outcome) in outcomes.map_err(call("elect leaders for partitions without one"))? {
        match outcome {
            Ok(()) => tracing::info!(%partition, "the partition had no leader, and has one again"),
            Err(error) => {
                tracing::warn!(%partition, %error, "the partition has no leader, and Kafka elects none");
            }
        }
    }
    Ok(())
}
