//! What Kafka is asked before a restart, of brokers on paper.

use std::net::SocketAddr;

use bytes::Bytes;
use jiff::SignedDuration;
use kafka_admin::{AdminConfig, PartitionDescription};
use kafka_protocol::messages::ApiKey;
use test_support::{BrokerStandIn, PaperCluster};
use tokio::net::TcpListener;

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
        ((*name).to_owned(), TopicDescription { name: (*name).to_owned(), id, internal: false, partitions })
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
        Ok::<_, Error>(roll_partitions(&topics(&["a", "b"]), &minima, &BTreeSet::new()))
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
    assert_eq!(followers(&view, &SilentOfCluster::default()), [3, 1, 0]);
    assert_eq!(view.observers[0].lag_ms, Some(8_000));
    assert_eq!(roll_quorum(&Quorum { leader_id: None, ..quorum.clone() }), Ok(None));
    assert!(roll_quorum(&Quorum { leader_id: Some(7), ..quorum }).is_err());
}

/// A cluster of two brokers on paper, which both are as far as can be, and what each of them does with a question.
async fn two_brokers(
    answer: impl Fn(i32, ApiKey, Bytes) -> Option<(Duration, Bytes)> + Clone + Send + Sync + 'static,
) -> (Vec<BrokerStandIn>, [SocketAddr; 2]) {
    let listeners =
        [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let paper = PaperCluster::at("paper", &addresses);
    let started = (0..).zip(listeners).map(|(id, listener)| {
        let (paper, answer) = (paper.clone(), answer.clone());
        BrokerStandIn::start(listener, move |key, version| answer(id, key, paper.answer(key, version)?))
    });
    (started.collect(), addresses)
}

/// A client as the operator has one, which asks this broker first.
fn client(first: SocketAddr) -> Admin {
    let config = AdminConfig::brokers([first.to_string()]);
    Admin::new(config.with_request_timeout(Duration::from_secs(10))).unwrap()
}

#[tokio::test]
async fn a_broker_that_does_not_answer_makes_no_answer_of_another_one_old() {
    // It is the active controller, which nobody is ahead of.
    let (_brokers, addresses) =
        two_brokers(|id, _, content| (id != 0).then_some((Duration::ZERO, content))).await;
    let (admin, silent) = (client(addresses[1]), SilentOfCluster::default());
    for (longest, what) in [(12, "a look that comes to it"), (2, "a look that knows of it")] {
        let began = Instant::now();
        let view = roll_view(Some(admin.clone()), None, &silent).await;
        let age = clock::now().duration_since(view.asked_at.unwrap());
        assert_eq!(view.brokers.as_ref().map(|brokers| brokers.told_by), Ok(Some(1)), "{what}");
        assert!(age < SignedDuration::from_secs(3), "{what}: {age:?} old");
        assert!(began.elapsed() < Duration::from_secs(longest), "{what}: {:?}", began.elapsed());
        assert!(silent.since(0).is_some() && silent.since(1).is_none());
    }
}

#[tokio::test]
async fn a_look_that_is_slow_comes_to_an_end() {
    // The list of the topics takes longer than a look should.
    let slow = |_, key: ApiKey, content| {
        let takes = if key == ApiKey::Metadata { Duration::from_millis(1500) } else { Duration::ZERO };
        Some((takes, content))
    };
    let (brokers, addresses) = two_brokers(slow).await;
    let view = roll_view(Some(client(addresses[1])), None, &SilentOfCluster::default()).await;
    assert_eq!(view.brokers.unwrap().partitions.len(), 1);
    let asked = |key| brokers.iter().flat_map(BrokerStandIn::asked).filter(|asked| *asked == key).count();
    assert_eq!((asked(ApiKey::Metadata), asked(ApiKey::DescribeConfigs)), (2, 1), "it is taken once more");
}
