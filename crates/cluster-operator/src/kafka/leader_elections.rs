//! What Kafka is asked about partitions without a leader, and the call that elects leaders. No policy.

use std::collections::{BTreeMap, BTreeSet};

use kafka_admin::{Admin, Election, KafkaError, PartitionDescription, TopicDescription, TopicPartition};
use planner::kafka::leaderless_view::{LeaderlessPartition, LeaderlessView, electable};

use super::call_error::{Error, call};
use super::up_to_date_topics::{least_behind, topics_of};

/// The most partitions in an answer; the others come with the next ones.
const MOST: usize = 500;

/// Partitions whose eligible leaders are asked for at a time.
const AT_A_TIME: usize = 2000;

/// Partitions that a line of the log names.
const NAMED: usize = 10;

/// Partitions without a leader that one of these brokers could lead, as a broker knows them that has taken in all that the controllers had
/// decided.
pub async fn look(admin: &Admin, brokers: &BTreeSet<i32>) -> Result<LeaderlessView, Error> {
    let cluster = admin.describe_cluster().await.map_err(call("describe the cluster"))?;
    let known = least_behind(admin, &cluster, &BTreeSet::new()).await?;
    let topics = topics_of(admin, known).await?;
    let mut view = LeaderlessView::default();
    for group in leaderless(&topics, brokers).chunks(AT_A_TIME) {
        let mut asked = BTreeSet::new();
        for (topic, one) in group {
            asked.insert(TopicPartition::new(*topic, one.index));
        }
        let told = match known {
            Some(id) => admin.describe_leaderships_of(id, &asked).await,
            None => Ok(None),
        };
        let told = told.map_err(call("ask for the eligible leaders of partitions"))?.unwrap_or_default();
        for (topic, one) in group {
            let key = TopicPartition::new(*topic, one.index);
            let found = told.get(&key);
            let (eligible, last_known) =
                found.map(|found| (&*found.eligible, &*found.last_known)).unwrap_or_default();
            let electable = electable(&one.isr, eligible, last_known);
            if electable.is_disjoint(brokers) {
                continue;
            }
            if view.partitions.len() == MOST {
                view.has_more = true;
                return Ok(view);
            }
            let offline = one.offline.iter().copied().collect();
            let TopicPartition { topic, partition } = key;
            view.partitions.push(LeaderlessPartition { topic, partition, electable, offline });
        }
    }
    Ok(view)
}

/// Partitions without a leader that have a replica on one of these brokers, first those that Kafka could elect a leader for now.
fn leaderless<'a>(
    topics: &'a BTreeMap<String, TopicDescription>,
    brokers: &BTreeSet<i32>,
) -> Vec<(&'a str, &'a PartitionDescription)> {
    let (mut found, mut offline) = (Vec::new(), Vec::new());
    for (name, topic) in topics {
        for partition in topic.partitions.iter().filter(|one| one.leader.is_none()) {
            let mut concerned = partition.replicas.iter().filter(|id| brokers.contains(id)).peekable();
            if concerned.peek().is_none() {
                continue;
            }
            let is_offline = concerned.all(|id| partition.offline.contains(id));
            (if is_offline { &mut offline } else { &mut found }).push((name.as_str(), partition));
        }
    }
    found.append(&mut offline);
    found
}

/// Has leaders elected. What Kafka refuses for a partition is looked at again.
pub(super) async fn elect(admin: &Admin, partitions: &BTreeMap<String, BTreeSet<i32>>) -> Result<(), Error> {
    let all = partitions.iter().flat_map(|(topic, partitions)| {
        partitions.iter().map(move |index| TopicPartition::new(topic.as_str(), *index))
    });
    let outcomes = admin.elect_leaders(Election::Preferred, Some(all.collect())).await;
    let outcomes = outcomes.map_err(call("elect leaders for partitions without one"))?;
    let (elected, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, outcome)| outcome.is_ok());
    let named = |all: &[(TopicPartition, Result<(), KafkaError>)]| -> Vec<String> {
        all.iter().take(NAMED).map(|(partition, _)| partition.to_string()).collect()
    };
    if !elected.is_empty() {
        let (count, first) = (elected.len(), named(&elected));
        tracing::info!(count, ?first, "partitions had no leader, and have one again");
    }
    if let Some((_, Err(error))) = refused.first() {
        let (count, first) = (refused.len(), named(&refused));
        tracing::warn!(count, ?first, ?error, "partitions have no leader, and Kafka elects none");
    }
    Ok(())
}
