//! Asks Kafka Connect and both clusters of a mirror how far it is. What is not answered is not known; nobody waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kafka_admin::{
    Admin, AdminConfig, AdminError, AnswerRoom, Budget, OffsetAt, Reach, Sasl, TlsConfig, TopicPartition,
};
use planner::clients::Mechanism;
use planner::clients::login::{INNER_PORTS, Login};
use planner::kafka_mirror_maker2::progress::{self, Asked, MOST_PARTITIONS, Partition, Progress};
use serde_json::Value;

use super::shares::Shares;
use crate::kafka_connector::apis::Api;

/// Longest time for a connection, for a request, and for all that is asked about one mirror.
const PATIENCE: (Duration, Duration, Duration) =
    (Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(20));
/// Longest answer of a cluster, in bytes, and nodes that it may have.
const LARGEST: (usize, usize) = (8 * 1024 * 1024, 1000);
/// Memory for one question to a source and to a target, connections included, without a part of the room that all share.
const OWN: (usize, usize) = (1024 * 1024, 512 * 1024);
/// The same of a source with such a part.
const WITH_ROOM: usize = 32 * 1024 * 1024;
/// Questions that may have a part of the room at a time.
const LARGE_AT_A_TIME: usize = 2;
/// About what a partition takes in memory, beside the name of its topic, in one of the lists that are compared.
const PARTITION: usize = 96;

/// The room for the sources with many partitions: with it and what each question has for itself, all questions together are bounded,
/// whatever the clusters answer. One namespace has one part of it at a time.
pub(super) fn shares() -> Shares {
    let part = WITH_ROOM - OWN.0;
    Shares::new(AnswerRoom::new(LARGE_AT_A_TIME * part), part)
}

/// The source or target cluster of a mirror, at an address that its author wrote.
struct Cluster(Admin);

impl Cluster {
    /// Reaches it as its resource says; `None`: that is not possible.
    fn reach(login: &Login, budget: &Budget) -> Option<Self> {
        // A cluster of which nothing is known says where its nodes are: it does not lead the operator to where others may not go.
        let inner = INNER_PORTS.into_iter().filter_map(|port| u16::try_from(port).ok());
        let mut config = AdminConfig::brokers(&login.addresses)
            .with_client_id("kastellan-mirror-lag")
            .with_connect_timeout(PATIENCE.0)
            .with_request_timeout(PATIENCE.1)
            .with_max_answer_bytes(LARGEST.0)
            .with_max_answer_memory(LARGEST.0 * 4)
            .with_budget(budget.clone())
            .with_max_nodes(LARGEST.1)
            .with_reach(Reach::not_on(inner));
        if let Some(tls) = &login.tls {
            let mut own = TlsConfig::new(&tls.trusted).with_verify_hostname(tls.verifies_hosts);
            if let Some((certificate, key)) = &tls.identity {
                own = own.with_identity(certificate, &key.0);
            }
            config = config.with_tls(own);
        }
        if let Some(password) = &login.password {
            let (username, secret) = (password.username.clone(), password.password.0.clone());
            config = config.with_sasl(match password.mechanism {
                Mechanism::Plain => Sasl::Plain { username, password: secret },
                Mechanism::ScramSha256 => Sasl::ScramSha256 { username, password: secret },
                Mechanism::ScramSha512 => Sasl::ScramSha512 { username, password: secret },
            });
        }
        Admin::new(config).ok().map(Self)
    }

    /// Where all partitions of topics begin and end; `None`: that is not known of each of them.
    async fn bounds(
        &self,
        topics: impl IntoIterator<Item = String>,
        budget: &Budget,
    ) -> Result<Option<[BTreeMap<Partition, i64>; 2]>, AdminError> {
        let mut of_leaders: BTreeMap<i32, Vec<TopicPartition>> = BTreeMap::new();
        let mut count = 0;
        for (_, topic) in self.0.describe_topics(topics).await? {
            // What is gone at the source has no lag.
            let Ok(topic) = topic else { continue };
            count += topic.partitions.len();
            if count > MOST_PARTITIONS {
                return Ok(None);
            }
            for partition in topic.partitions {
                let Some(leader) = partition.leader else { return Ok(None) };
                of_leaders.entry(leader).or_default().push(TopicPartition::new(&topic.name, partition.index));
            }
        }
        let listed = of_leaders.values().flatten().map(|one| one.topic.len() + PARTITION);
        // What is asked for, what is answered, and the two lists.
        if budget.take(4 * listed.sum::<usize>()).await.is_err() {
            return Ok(None);
        }
        let mut bounds = [BTreeMap::new(), BTreeMap::new()];
        // The end last: what is deleted or comes meanwhile makes no lag that was none.
        for (found, at) in bounds.iter_mut().zip([OffsetAt::Start, OffsetAt::End]) {
            for (leader, partitions) in &of_leaders {
                let wanted = partitions.iter().map(|partition| (partition.clone(), at)).collect();
                for (partition, listed) in self.0.list_offsets(*leader, wanted).await? {
                    let Some(offset) = listed.ok().and_then(|listed| listed.offset) else { return Ok(None) };
                    found.insert((partition.topic, partition.partition), offset);
                }
            }
        }
        Ok(Some(bounds))
    }

    /// The latest time of a record in the first partition of a topic.
    async fn newest(&self, topic: &str) -> Result<Option<Timestamp>, AdminError> {
        let Some(Ok(found)) = self.0.describe_topics([topic.to_owned()]).await?.remove(topic) else {
            return Ok(None);
        };
        let first = found.partitions.iter().find(|partition| partition.index == 0);
        let Some(leader) = first.and_then(|partition| partition.leader) else { return Ok(None) };
        let place = TopicPartition::new(topic, 0);
        let listed =
            self.0.list_offsets(leader, vec![(place.clone(), OffsetAt::Newest)]).await?.remove(&place);
        let millis = listed.and_then(Result::ok).and_then(|listed| listed.timestamp);
        Ok(millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
    }
}

/// Asks how far a mirror is.
pub(super) async fn ask(
    mirror: &Asked,
    api: Option<&Api>,
    target: Option<&Login>,
    room: &AnswerRoom,
) -> Progress {
    let lag = tokio::time::timeout(PATIENCE.2, lag(mirror, api, room));
    let checkpoint = tokio::time::timeout(PATIENCE.2, checkpoint(mirror, target));
    let (lag, last_checkpoint) = tokio::join!(lag, checkpoint);
    Progress { lag: lag.unwrap_or_default(), last_checkpoint: last_checkpoint.unwrap_or_default() }
}

/// What Connect says of how far a connector is.
async fn offsets_of(api: &Api, connector: &str) -> Option<Value> {
    match api.connect.offsets(connector).await {
        Ok(offsets) => Some(offsets),
        Err(error) => {
            tracing::debug!(connector, %error, "Kafka Connect does not say how far the mirror is");
            None
        }
    }
}

/// What its partitions take in a list, and the names of their topics in another one.
fn bytes_of(offsets: &Value) -> usize {
    let listed = offsets["offsets"].as_array().into_iter().flatten();
    listed.map(|one| 2 * (one["partition"]["topic"].as_str().map_or(0, str::len) + PARTITION)).sum()
}

async fn lag(mirror: &Asked, api: Option<&Api>, room: &AnswerRoom) -> Option<i64> {
    let (source, connector, api) = (mirror.source.as_ref()?, mirror.connector.as_ref()?, api?);
    let mut offsets = offsets_of(api, connector).await?;
    let budget = Budget::with_more(OWN.0, WITH_ROOM, room);
    let bytes = bytes_of(&offsets);
    let is_large = bytes > OWN.0;
    if is_large {
        // Nobody waits for room with what it is for in hand.
        offsets = Value::Null;
    }
    if let Err(spent) = budget.take(bytes).await {
        tracing::debug!(connector, %spent, "the mirror has too many partitions");
        return None;
    }
    if is_large {
        offsets = offsets_of(api, connector).await?;
        if bytes_of(&offsets) > bytes {
            return None;
        }
    }
    let mirrored = progress::mirrored(&offsets, &mirror.alias)?;
    drop(offsets);
    match Cluster::reach(source, &budget)?.bounds(progress::topics(&mirrored), &budget).await {
        Ok(bounds) => {
            let [begin, end] = bounds?;
            progress::lag(&mirrored, &begin, &end)
        }
        Err(error) => {
            tracing::debug!(connector, %error, "the source of a mirror does not say where its topics end");
            None
        }
    }
}

async fn checkpoint(mirror: &Asked, target: Option<&Login>) -> Option<Timestamp> {
    let topic = mirror.checkpoints.as_ref()?;
    // A client for each question: what a client takes is bounded as long as it is there.
    match Cluster::reach(target?, &Budget::new(OWN.1))?.newest(topic).await {
        Ok(newest) => newest,
        Err(error) => {
            tracing::debug!(topic, %error, "the target of a mirror does not say when there was a checkpoint");
            None
        }
    }
}
