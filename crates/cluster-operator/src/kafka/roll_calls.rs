//! What Kafka is asked before a pod restarts: how the quorum is, and which replicas are in sync. No policy.
//!
//! The quorum is described by its leader, whoever is asked. The partitions are asked of a broker that has taken in all of the metadata
//! that was committed when the leader answered: what another one remembers may be long past. Where no broker leads to the quorum, the controllers are asked themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future;
use jiff::Timestamp;
use kafka_admin::{
    Admin, AdminError, ConfigEntry, ConfigResource, ConfigSelection, ErrorCode, KafkaError, Outcomes,
    PartitionDescription, Quorum, TopicDescription, TopicPartition,
};
use operator_runtime::clock;
use tokio::time::{Instant, timeout_at};

use super::call_error::{Error, call, kind_of};
use super::silent_brokers::SilentOfCluster;
use planner::kafka::roll_view::{RollBrokers, RollKafka, RollPartition, RollQuorum, RollVoter};
use planner::silence::{Silence, SilenceKind};

/// Name of the option that bounds the in-sync replicas from below.
const MIN_ISR: &str = "min.insync.replicas";

/// After this long the controllers are asked too.
const PATIENCE: Duration = Duration::from_secs(3);

/// Longest time for the small question to one broker, how much of the metadata it knows: after that another one is asked.
const SILENT: Duration = Duration::from_secs(4);

/// Looks that are taken until a broker has told of the partitions.
const LOOKS: usize = 3;

/// A look that took longer than this is taken once more, with the options of the topics that it found.
const SLOW: Duration = Duration::from_secs(1);

/// Time for all looks. When it is over, the last one counts that came to its end.
const ALL_LOOKS: Duration = Duration::from_secs(25);

/// How long a broker is waited for that has not heard yet of what the controllers decided, and how often it is asked.
const CATCHES_UP: (Duration, u32) = (Duration::from_millis(100), 10);

/// `min.insync.replicas` of topics, as far as they were asked.
type Minima = BTreeMap<String, usize>;

/// What the safety of a restart depends on. `None`: no such node runs. A broker that does not answer is noted among the silent ones,
/// which are asked last.
pub async fn roll_view(
    brokers: Option<Admin>,
    controllers: Option<Admin>,
    silent: &SilentOfCluster,
) -> RollKafka {
    let mut look = Look {
        brokers: brokers.as_ref(),
        controllers: controllers.as_ref(),
        silent,
        minima: Minima::new(),
        found_silent: false,
    };
    let end = Instant::now() + ALL_LOOKS;
    let mut began = Instant::now();
    let mut view = look.take().await;
    for _ in 1..LOOKS {
        if view.brokers.is_ok() || !look.found_silent {
            break;
        }
        // Another broker may answer. What the quorum said before is old by now.
        began = Instant::now();
        match timeout_at(end, look.take()).await {
            Ok(next) => view = next,
            Err(_) => break,
        }
    }
    if view.brokers.is_ok() && began.elapsed() > SLOW {
        // The options of very many topics take time, in which replicas fall behind.
        let next = timeout_at(end, look.take()).await.ok();
        // A look that was not answered makes an earlier answer no worse.
        return next.filter(|next| next.brokers.is_ok()).unwrap_or(view);
    }
    view
}

/// Looks at one Kafka.
struct Look<'a> {
    brokers: Option<&'a Admin>,
    controllers: Option<&'a Admin>,
    silent: &'a SilentOfCluster,
    /// What earlier looks found out.
    minima: Minima,
    /// Whether the last look came to a broker that did not answer.
    found_silent: bool,
}

impl Look<'_> {
    async fn take(&mut self) -> RollKafka {
        self.found_silent = false;
        let (quorum, silence) = quorum(self.brokers, self.controllers).await;
        let committed = quorum.as_ref().ok().and_then(Option::as_ref).map_or(0, |(_, committed)| *committed);
        let quorum = quorum.map(|quorum| quorum.map(|(quorum, _)| quorum));
        let mut asked_at = Some(clock::now());
        let brokers = match (self.brokers, silence) {
            (None, _) => Err(nobody("broker")),
            // Nobody leads to a broker: asking for something else helps nothing.
            (_, Some(silence))
                if matches!(
                    silence.kind,
                    SilenceKind::Unreachable | SilenceKind::Tls | SilenceKind::OtherCluster
                ) =>
            {
                Err(silence)
            }
            (Some(admin), _) => {
                let known = quorum.as_ref().ok().and_then(Option::as_ref);
                let best = known.map(|quorum| followers(quorum, self.silent)).unwrap_or_default();
                match self.partitions(admin, &best, committed).await {
                    Ok((at, brokers)) => {
                        asked_at = Some(at);
                        Ok(brokers)
                    }
                    Err(error) => Err(error.into()),
                }
            }
        };
        RollKafka { asked_at, quorum, brokers }
    }

    /// Every partition as an up-to-date broker knows it, and when it was asked: a broker that has taken in all that the controllers had
    /// decided up to the offset `committed` of their log.
    async fn partitions(
        &mut self,
        admin: &Admin,
        best: &[i32],
        committed: i64,
    ) -> Result<(Timestamp, RollBrokers), Error> {
        let cluster = admin.describe_cluster().await.map_err(call("describe the cluster"))?;
        let told_by = best.iter().copied().find(|id| cluster.nodes.contains_key(id));
        let (asked_at, topics) = self.topics(admin, told_by, committed).await?;
        complete_minima(admin, &topics, &mut self.minima).await?;
        let active: BTreeSet<i32> =
            cluster.nodes.values().filter(|node| !node.fenced).map(|node| node.id).collect();
        let mut partitions = roll_partitions(&topics, &self.minima, &active);
        if let Some(broker) = told_by {
            add_eligible(admin, broker, &active, &mut partitions).await?;
        }
        let brokers = RollBrokers {
            partitions: partitions.into_values().collect(),
            registered: cluster.nodes.into_values().map(|node| (node.id, node.rack)).collect(),
            told_by,
        };
        Ok((asked_at, brokers))
    }

    /// All topics, and when they were asked for.
    async fn topics(
        &mut self,
        admin: &Admin,
        told_by: Option<i32>,
        committed: i64,
    ) -> Result<(Timestamp, Topics), Error> {
        let list = || call("list the topics");
        let Some(broker) = told_by else {
            // Which broker is behind is not known, so that it makes no difference who is asked.
            let asked_at = clock::now();
            return Ok((asked_at, admin.list_topics().await.map_err(list())?));
        };
        let told = async {
            up_to_date(&admin.within(SILENT), broker, committed).await?;
            // What a broker that is dead takes of the time before must not put off what mends it.
            let asked_at = clock::now();
            let topics = admin.list_topics_of(broker).await.map_err(list())?;
            Ok::<_, Error>((asked_at, topics))
        };
        let told = told.await;
        self.found_silent = told.is_err();
        if told.is_ok() {
            self.silent.answered(broker);
        } else {
            self.silent.note(broker);
        }
        told
    }
}

fn nobody(role: &str) -> Silence {
    Silence::new(SilenceKind::Nobody, format!("Kafka runs in no pod of a {role}"))
}

/// The quorum as any broker or, when none knows, a controller tells it, with the offset up to which its log is committed; and why the
/// brokers did not.
async fn quorum(
    brokers: Option<&Admin>,
    controllers: Option<&Admin>,
) -> (Result<Option<(RollQuorum, i64)>, Silence>, Option<Silence>) {
    let of_brokers = async {
        match brokers {
            Some(admin) => admin.describe_quorum().await.map_err(|error| silence(&error)),
            None => Err(nobody("broker")),
        }
    };
    let of_controllers = async {
        match controllers {
            Some(admin) => match admin.describe_quorum().await {
                Err(error) if is_leaderless(&error) => Ok(None),
                other => other.map(Some).map_err(|error| silence(&error)),
            },
            None => Err(nobody("controller")),
        }
    };
    tokio::pin!(of_brokers);
    let early = match tokio::time::timeout(PATIENCE, &mut of_brokers).await {
        Ok(Ok(quorum)) => return (roll_quorum(&quorum), None),
        Ok(Err(silence)) => Some(silence),
        Err(_) => None,
    };
    let of_brokers = async {
        match early {
            Some(silence) => Err(silence),
            None => of_brokers.await,
        }
    };
    match future::join(of_brokers, of_controllers).await {
        (Ok(quorum), _) => (roll_quorum(&quorum), None),
        (Err(brokers), Ok(Some(quorum))) => (roll_quorum(&quorum), Some(brokers)),
        (Err(brokers), Ok(None)) => (Ok(None), Some(brokers)),
        (Err(brokers), Err(controllers)) => (Err(together(&brokers, controllers)), Some(brokers)),
    }
}

fn silence(error: &AdminError) -> Silence {
    Silence::new(kind_of(error), format!("cannot describe the quorum: {error}"))
}

/// The silence of all. Certificates explain it only if nobody is silent for another reason.
fn together(brokers: &Silence, controllers: Silence) -> Silence {
    match (brokers.kind, controllers.kind) {
        (SilenceKind::Nobody, _) => controllers,
        (_, SilenceKind::Nobody) => brokers.clone(),
        (SilenceKind::Tls, other) | (other, SilenceKind::Tls) => Silence { kind: other, ..controllers },
        _ => controllers,
    }
}

/// Whether controllers answer that they have no leader.
fn is_leaderless(error: &AdminError) -> bool {
    error.kafka_error().is_some_and(|error| {
        matches!(error.code, ErrorCode::NOT_CONTROLLER | ErrorCode::NOT_LEADER_OR_FOLLOWER)
    })
}

/// Followers of the metadata, those that are least behind first, and silent ones last.
fn followers(quorum: &RollQuorum, silent: &SilentOfCluster) -> Vec<i32> {
    let mut known: Vec<(Option<Instant>, i64, i32)> = quorum
        .voters
        .iter()
        .chain(&quorum.observers)
        .filter_map(|node| node.lag_ms.map(|lag| (silent.since(node.id), lag, node.id)))
        .collect();
    known.sort_unstable();
    known.into_iter().map(|(_, _, id)| id).collect()
}

type Topics = BTreeMap<String, TopicDescription>;

/// Waits until a broker has heard of everything up to this offset of the metadata log. It may have fetched that and not have taken
/// it in yet: an overloaded broker still calls replicas in sync that left long ago.
pub(super) async fn up_to_date(admin: &Admin, broker: i32, committed: i64) -> Result<(), Error> {
    let (pause, times) = CATCHES_UP;
    let mut last = 0;
    for attempt in 0..times {
        if attempt > 0 {
            tokio::time::sleep(pause).await;
        }
        let known = admin.metadata_offset_of(broker).await;
        match known.map_err(call("ask how much of the metadata a broker knows"))? {
            // What is committed ends before this offset.
            Some(offset) if offset + 1 < committed => last = offset,
            Some(_) | None => return Ok(()),
        }
    }
    Err(Error::Behind { broker, known: last, committed })
}

/// Asks for `min.insync.replicas` of the topics of which it is not known yet.
async fn complete_minima(admin: &Admin, topics: &Topics, minima: &mut Minima) -> Result<(), Error> {
    let unknown = topics.keys().filter(|name| !minima.contains_key(*name)).cloned();
    let resources: Vec<ConfigResource> = unknown.map(ConfigResource::Topic).collect();
    if resources.is_empty() {
        return Ok(());
    }
    let select = ConfigSelection::Names(BTreeSet::from([MIN_ISR.to_owned()]));
    let configs = admin.describe_configs(resources.clone(), select).await;
    let configs = configs.map_err(call("read min.insync.replicas of the topics"))?;
    minima.extend(minima_of(&resources, configs)?);
    Ok(())
}

/// What Kafka said of the minima. A topic of which that is not known could lose its last replica: then nothing is known.
fn minima_of(
    resources: &[ConfigResource],
    mut configs: Outcomes<ConfigResource, BTreeMap<String, ConfigEntry>>,
) -> Result<Minima, Error> {
    let mut minima = Minima::new();
    for resource in resources {
        let ConfigResource::Topic(name) = resource else { continue };
        let refused =
            |source| Error::Refused { action: format!("read min.insync.replicas of topic {name}"), source };
        let entries = match configs.remove(resource) {
            Some(Ok(entries)) => entries,
            // It was deleted between the two requests.
            Some(Err(error)) if error.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => continue,
            Some(Err(error)) => return Err(refused(error)),
            None => return Err(refused(KafkaError::new(ErrorCode::UNKNOWN_SERVER_ERROR, "no answer"))),
        };
        let value = entries.get(MIN_ISR).and_then(|entry| entry.value.as_deref());
        minima.insert(name.clone(), value.and_then(|value| value.parse().ok()).unwrap_or(1));
    }
    Ok(minima)
}

/// Every partition of the topics of which the minimum is known: the others were deleted meanwhile. `active` are the brokers that are not fenced.
fn roll_partitions(
    topics: &Topics,
    minima: &Minima,
    active: &BTreeSet<i32>,
) -> BTreeMap<TopicPartition, RollPartition> {
    let known = topics.iter().filter_map(|(name, topic)| Some((name, topic, *minima.get(name)?)));
    let partitions = known.flat_map(|(name, topic, min_isr)| {
        topic.partitions.iter().map(move |partition| {
            let key = TopicPartition::new(name.as_str(), partition.index);
            let view = RollPartition {
                name: key.to_string(),
                leader: partition.leader,
                leader_epoch: partition.leader_epoch,
                replicas: partition.replicas.clone(),
                isr: partition.isr.clone(),
                offline: partition.offline.clone(),
                failed: failed(partition, active),
                min_isr,
                ..RollPartition::default()
            };
            (key, view)
        })
    });
    partitions.collect()
}

/// The brokers that run without the disk that has their replica: Kafka says of their replicas, as of those of fenced brokers, that they are
/// offline.
fn failed(partition: &PartitionDescription, active: &BTreeSet<i32>) -> Vec<i32> {
    partition.offline.iter().copied().filter(|id| active.contains(id)).collect()
}

/// Asks for the eligible leaders of the partitions that may have some: those of which fewer replicas are in sync than are needed.
async fn add_eligible(
    admin: &Admin,
    broker: i32,
    active: &BTreeSet<i32>,
    partitions: &mut BTreeMap<TopicPartition, RollPartition>,
) -> Result<(), Error> {
    let lacks =
        |one: &RollPartition| one.isr.is_empty() || one.isr.len() < one.min_isr.min(one.replicas.len());
    let asked: BTreeSet<TopicPartition> =
        partitions.iter().filter(|(_, one)| lacks(one)).map(|(key, _)| key.clone()).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let told = admin.describe_leaderships_of(broker, &asked).await;
    let told = told.map_err(call("ask for the eligible leaders of partitions"))?;
    for (key, found) in told.into_iter().flatten() {
        let Some(partition) = partitions.get_mut(&key) else { continue };
        // The later answer counts.
        partition.failed = failed(&found.partition, active);
        partition.offline = found.partition.offline;
        partition.leader = found.partition.leader;
        partition.leader_epoch = found.partition.leader_epoch;
        partition.replicas = found.partition.replicas;
        partition.isr = found.partition.isr;
        partition.eligible = found.eligible;
        partition.last_known = found.last_known;
    }
    Ok(())
}

/// A quorum with a leader that says how far the others are.
fn roll_quorum(quorum: &Quorum) -> Result<Option<(RollQuorum, i64)>, Silence> {
    let Some(leader) = quorum.leader_id.filter(|id| *id >= 0) else { return Ok(None) };
    let Some(newest) = quorum.leader_caught_up_ms() else {
        let why = format!("the leader {leader} of the quorum does not say how far it is");
        return Err(Silence::new(SilenceKind::Refused, why));
    };
    let follower =
        |node: &kafka_admin::QuorumReplica| RollVoter { id: node.id, lag_ms: node.behind_ms(newest) };
    let view = RollQuorum {
        leader,
        voters: quorum.voters.iter().map(follower).collect(),
        observers: quorum.observers.iter().map(follower).collect(),
        dynamic: quorum.voters.iter().any(|voter| voter.directory_id.is_some()),
    };
    Ok(Some((view, quorum.high_watermark)))
}

#[cfg(test)]
#[path = "roll_calls_tests.rs"]
mod tests;
