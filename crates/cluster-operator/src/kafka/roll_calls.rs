//! What Kafka is asked before a pod restarts: how the quorum is, and which replicas are in sync. No policy.
//!
//! The quorum is described by its leader, whoever is asked. The partitions are asked of a broker that has taken in all of the metadata
//! that was committed when the leader answered: what another one remembers may be long past. Where no broker leads to the quorum, the controllers are asked themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::future;
use kafka_admin::{
    Admin, AdminError, ConfigEntry, ConfigResource, ConfigSelection, ErrorCode, KafkaError, Outcomes, Quorum,
    TopicDescription, TopicPartition,
};
use operator_runtime::clock;

use super::call_error::{Error, call, kind_of};
use planner::kafka::roll_view::{RollBrokers, RollKafka, RollPartition, RollQuorum, RollVoter};
use planner::silence::{Silence, SilenceKind};

/// Name of the option that bounds the in-sync replicas from below.
const MIN_ISR: &str = "min.insync.replicas";

/// After this long the controllers are asked too.
const PATIENCE: Duration = Duration::from_secs(3);

/// Brokers that are asked for the partitions one after the other until one answers.
const TRIED: usize = 2;

/// A look that took longer than this is taken once more, with the options of the topics that it found.
const SLOW: Duration = Duration::from_secs(1);

/// How long a broker is waited for that has not heard yet of what the controllers decided, and how often it is asked.
const CATCHES_UP: (Duration, u32) = (Duration::from_millis(100), 10);

/// `min.insync.replicas` of topics, as far as they were asked.
type Minima = BTreeMap<String, usize>;

/// What the safety of a restart depends on. `None`: no such node runs.
pub async fn roll_view(brokers: Option<Admin>, controllers: Option<Admin>) -> RollKafka {
    let mut minima = Minima::new();
    let began = Instant::now();
    let view = look(brokers.as_ref(), controllers.as_ref(), &mut minima).await;
    if view.brokers.is_ok() && began.elapsed() > SLOW {
        // The options of very many topics take time, in which replicas fall behind.
        return look(brokers.as_ref(), controllers.as_ref(), &mut minima).await;
    }
    view
}

async fn look(brokers: Option<&Admin>, controllers: Option<&Admin>, minima: &mut Minima) -> RollKafka {
    let asked_at = Some(clock::now());
    let (quorum, silence) = quorum(brokers, controllers).await;
    let committed = quorum.as_ref().ok().and_then(Option::as_ref).map_or(0, |(_, committed)| *committed);
    let quorum = quorum.map(|quorum| quorum.map(|(quorum, _)| quorum));
    let brokers = match (brokers, silence) {
        (None, _) => Err(nobody("broker")),
        // Nobody leads to a broker: asking for something else helps nothing.
        (_, Some(silence)) if matches!(silence.kind, SilenceKind::Unreachable | SilenceKind::Tls) => {
            Err(silence)
        }
        (Some(admin), _) => {
            let best = quorum.as_ref().ok().and_then(Option::as_ref).map(followers).unwrap_or_default();
            partitions(admin, &best, committed, minima).await.map_err(Silence::from)
        }
    };
    RollKafka { asked_at, quorum, brokers }
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

/// Followers of the metadata, those that are least behind first.
fn followers(quorum: &RollQuorum) -> Vec<i32> {
    let mut known: Vec<(i64, i32)> = quorum
        .voters
        .iter()
        .chain(&quorum.observers)
        .filter_map(|node| node.lag_ms.map(|lag| (lag, node.id)))
        .collect();
    known.sort_unstable();
    known.into_iter().map(|(_, id)| id).collect()
}

/// Every partition as a broker that is not behind knows it: one that has heard of all that the controllers had decided up to the
/// offset `committed` of their log.
async fn partitions(
    admin: &Admin,
    best: &[i32],
    committed: i64,
    minima: &mut Minima,
) -> Result<RollBrokers, Error> {
    let cluster = admin.describe_cluster().await.map_err(call("describe the cluster"))?;
    let able = best.iter().copied().filter(|id| cluster.nodes.contains_key(id));
    let (told_by, topics) = topics(admin, able, committed).await?;
    complete_minima(admin, &topics, minima).await?;
    let mut partitions = roll_partitions(&topics, minima);
    if let Some(broker) = told_by {
        add_eligible(admin, broker, &mut partitions).await?;
    }
    Ok(RollBrokers {
        partitions: partitions.into_values().collect(),
        registered: cluster.nodes.into_values().map(|node| (node.id, node.rack)).collect(),
        told_by,
    })
}

type Topics = BTreeMap<String, TopicDescription>;

/// All topics, and who told of them.
async fn topics(
    admin: &Admin,
    best: impl Iterator<Item = i32>,
    committed: i64,
) -> Result<(Option<i32>, Topics), Error> {
    let list = || call("list the topics");
    let mut failure = None;
    for broker in best.take(TRIED) {
        let told = async {
            up_to_date(admin, broker, committed).await?;
            admin.list_topics_of(broker).await.map_err(list())
        };
        match told.await {
            Ok(topics) => return Ok((Some(broker), topics)),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) => Err(error),
        // Which broker is behind is not known, so that it makes no difference who is asked.
        None => Ok((None, admin.list_topics().await.map_err(list())?)),
    }
}

/// Waits until a broker has heard of everything up to this offset of the metadata log. It may have fetched that and not have taken
/// it in yet: an overloaded broker still calls replicas in sync that left long ago.
async fn up_to_date(admin: &Admin, broker: i32, committed: i64) -> Result<(), Error> {
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

/// Every partition of the topics of which the minimum is known: the others were deleted meanwhile.
fn roll_partitions(topics: &Topics, minima: &Minima) -> BTreeMap<TopicPartition, RollPartition> {
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
                min_isr,
                ..RollPartition::default()
            };
            (key, view)
        })
    });
    partitions.collect()
}

/// Asks for the eligible leaders of the partitions that may have some: those of which fewer replicas are in sync than are needed.
async fn add_eligible(
    admin: &Admin,
    broker: i32,
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
    let mut all = quorum.voters.iter().chain(&quorum.observers);
    let newest = all.find(|node| node.id == leader).and_then(|node| node.last_caught_up_ms);
    let Some(newest) = newest else {
        let why = format!("the leader {leader} of the quorum does not say how far it is");
        return Err(Silence::new(SilenceKind::Refused, why));
    };
    let follower = |node: &kafka_admin::QuorumReplica| RollVoter {
        id: node.id,
        lag_ms: node
            .last_caught_up_ms
            .filter(|caught_up| *caught_up >= 0)
            .map(|caught_up| newest - caught_up),
    };
    let view = RollQuorum {
        leader,
        voters: quorum.voters.iter().map(follower).collect(),
        observers: quorum.observers.iter().map(follower).collect(),
        dynamic: quorum.voters.iter().any(|voter| voter.directory_id.is_some()),
    };
    Ok(Some((view, quorum.high_watermark)))
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
            let minima = minima_of(&[topic("a"), topic("b")], configs)?;
            Ok::<_, Error>(roll_partitions(&topics(&["a", "b"]), &minima))
        };
        let known = of(Some((topic("b"), Ok(minimum("1"))))).unwrap();
        assert_eq!(known.values().map(|partition| partition.min_isr).collect::<Vec<_>>(), [2, 1]);
        let deleted = of(Some((topic("b"), failed(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)))).unwrap();
        assert_eq!(deleted.len(), 1);
        assert!(of(Some((topic("b"), failed(ErrorCode::REQUEST_TIMED_OUT)))).is_err());
        assert!(of(None).is_err());
    }

    fn replica(id: i32, caught_up: Option<i64>) -> kafka_admin::QuorumReplica {
        kafka_admin::QuorumReplica {
            id,
            directory_id: None,
            log_end_offset: 0,
            lag: 0,
            last_fetch_ms: None,
            last_caught_up_ms: caught_up,
        }
    }

    #[test]
    fn who_is_least_behind_is_asked_first() {
        let quorum = Quorum {
            leader_id: Some(3),
            leader_epoch: 1,
            high_watermark: 7,
            voters: vec![replica(3, Some(10_000))],
            observers: vec![replica(0, Some(2_000)), replica(1, Some(9_900)), replica(2, None)],
            endpoints: BTreeMap::new(),
        };
        let (view, committed) = roll_quorum(&quorum).unwrap().unwrap();
        assert_eq!(committed, 7);
        assert_eq!(followers(&view), [3, 1, 0]);
        assert_eq!(view.observers[0].lag_ms, Some(8_000));
        assert_eq!(roll_quorum(&Quorum { leader_id: None, ..quorum.clone() }), Ok(None));
        assert!(roll_quorum(&Quorum { leader_id: Some(7), ..quorum }).is_err());
    }
}
