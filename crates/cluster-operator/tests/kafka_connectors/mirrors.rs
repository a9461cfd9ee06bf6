//! MirrorMaker 2 between two real Kafka clusters: records arrive, and a group goes on where it stood.

use std::path::Path;
use std::time::Duration;

use api::KafkaMirrorMaker2;
use api::common::connector::ConnectorState;
use cluster_operator::settings::Settings;
use kafka_admin::{Admin, AdminConfig, NewTopic};
use operator_runtime::env::Env;
use operator_runtime::program::Parts;
use serde_json::json;
use test_support::kafka::tools::{consume, produce};
use test_support::stand_in::PodReadyStandIn;
use test_support::{ConnectWorker, KafkaNode, KafkaOptions, wait};
use test_world::{DEADLINE, UnderTest, conditions};
use tokio::task::JoinHandle;

/// Records that are mirrored.
const RECORDS: usize = 10_000;
/// Records that come at the source when the group has moved.
const MORE: usize = 500;
/// Records that are at the target before, so that offsets are others there.
const BEFORE: usize = 7;
/// Records that come at the source when nothing is mirrored any more.
const LEFT: usize = 40;
/// A value that nobody may see.
const SECRET: &str = "hunter2-and-more";

struct MirrorOperator;

impl UnderTest for MirrorOperator {
    type Resource = KafkaMirrorMaker2;
    type Operator = JoinHandle<()>;

    fn start(env: &Env, parts: &Parts) -> JoinHandle<()> {
        let (settings, parts) = (Settings::from_env(env).unwrap(), parts.clone());
        tokio::spawn(async move {
            let Parts { client, metrics, health, shutdown } = parts;
            cluster_operator::operate(&settings, client, &health, &metrics, &shutdown).await.unwrap();
        })
    }

    async fn ended(operator: JoinHandle<()>) {
        operator.await.unwrap();
    }
}

async fn kafka() -> KafkaNode {
    let config = [("group.initial.rebalance.delay.ms", "0"), ("offsets.topic.num.partitions", "1")];
    let config = config.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let options =
        KafkaOptions { tls: false, authorizer: false, heap_mb: 320, config, ..KafkaOptions::default() };
    KafkaNode::start(options).await.unwrap()
}

fn admin(node: &KafkaNode) -> Admin {
    Admin::new(AdminConfig::brokers([node.bootstrap()])).unwrap()
}

/// Whether a file below a folder has this text.
fn is_written(folder: &Path, text: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return is_written(&path, text);
        }
        std::fs::read(path).unwrap_or_default().windows(text.len()).any(|window| window == text)
    })
}

fn record(number: usize) -> String {
    format!("order-{number:05}")
}

/// The status says how far the mirror is: with all records, and with a connector that is stopped while more come.
async fn told_of(world: &test_world::World<MirrorOperator>, from: &str) {
    let only = |found: &KafkaMirrorMaker2| {
        let mirrors = found.status.as_ref()?.mirrors.clone()?;
        mirrors.first().cloned().filter(|_| mirrors.len() == 1)
    };
    let whole = |found: &KafkaMirrorMaker2| {
        only(found).is_some_and(|mirror| {
            mirror.source_alias.as_deref() == Some("here")
                && mirror.lag == Some(0)
                && mirror.last_checkpoint.is_some()
        })
    };
    Box::pin(world.until("m", "has mirrored all", whole)).await;
    let mut found = world.resources.get("m").await.unwrap();
    let mirrors = found.spec.mirrors.as_mut().unwrap();
    mirrors[0].source_connector.as_mut().unwrap().state = Some(ConnectorState::Stopped);
    found.metadata.managed_fields = None;
    world.resources.replace("m", &kube::api::PostParams::default(), &found).await.unwrap();
    // Its tasks go on for a moment, and would mirror what comes.
    let stopped = |found: &KafkaMirrorMaker2| {
        let connectors = found.status.as_ref().and_then(|status| status.connectors.as_ref());
        let connectors = serde_json::to_value(connectors).unwrap();
        let is_so = |found: &serde_json::Value| {
            found["connector"]["state"] == "STOPPED" && found["tasks"] == json!([])
        };
        conditions::is_current(found) && connectors.as_array().is_some_and(|all| all.iter().any(is_so))
    };
    Box::pin(world.until("m", "has stopped", stopped)).await;
    produce(from, "orders", (0..LEFT).map(record).collect()).await.unwrap();
    let left = i64::try_from(LEFT).unwrap();
    Box::pin(world.until("m", "lags", |found| only(found).is_some_and(|mirror| mirror.lag == Some(left))))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_records_are_mirrored_and_a_group_goes_on_at_the_translated_offset() {
    let (source, target) = tokio::join!(kafka(), kafka());
    let bytes = "org.apache.kafka.connect.converters.ByteArrayConverter".to_owned();
    let converters =
        ["key.converter", "value.converter", "header.converter"].map(|name| (name, bytes.clone()));
    let worker = ConnectWorker::start_with(&target, "mirror", &converters).await.unwrap();
    std::fs::write(worker.folder().join("secret"), SECRET).unwrap();
    let made = admin(&source)
        .create_topics(vec![NewTopic::new("orders"), NewTopic::new("private")], false)
        .await
        .unwrap();
    assert!(made.values().all(Result::is_ok), "{made:?}");
    let made = admin(&target).create_topics(vec![NewTopic::new("here.orders")], false).await.unwrap();
    assert!(made.values().all(Result::is_ok), "{made:?}");
    let (from, to) = (source.bootstrap(), target.bootstrap());
    let before = (0..BEFORE).map(|number| format!("before-{number}")).collect();
    let (before, orders) = tokio::join!(
        produce(&to, "here.orders", before),
        produce(&from, "orders", (0..RECORDS).map(record).collect())
    );
    before.and(orders).unwrap();
    let read = consume(&from, "orders", "shop", RECORDS).await.unwrap();
    assert_eq!((read.len(), read.last()), (RECORDS, Some(&record(RECORDS - 1))));

    let mut world =
        test_world::World::<MirrorOperator>::new(test_world::shared_server().await, "mirrors").await;
    let _pods = PodReadyStandIn::start(&world.client);
    world.set("KASTELLAN_OPERATOR_IMAGE", "kastellan/operator:test");
    world.set("STRIMZI_LEADER_ELECTION_ENABLED", "false");
    world.set("KASTELLAN_CONNECT_ADDRESSES", &format!("*={}", worker.address()));
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "2000");
    world.set("KASTELLAN_MIRROR_LAG", "true");
    world.start_operator().await;
    let placeholder = format!("${{strimzidir:{}:secret}}", worker.folder().display());
    let jaas = format!("a.Module required password=\"{placeholder}\";");
    let resource = serde_json::from_value(json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaMirrorMaker2", "metadata": {"name": "m"},
        "spec": {"replicas": 1,
            "target": {"alias": "there", "bootstrapServers": to, "groupId": "mirror", "configStorageTopic": "c",
                "statusStorageTopic": "s", "offsetStorageTopic": "o"},
            "mirrors": [{
                "source": {"alias": "here", "bootstrapServers": from},
                "topicsPattern": "orders.*", "groupsPattern": "shop",
                // Kafka asks for no password; it is here to be seen nowhere.
                "sourceConnector": {"tasksMax": 2, "config": {"source.consumer.sasl.jaas.config": jaas, "replication.factor": 1, "offset-syncs.topic.replication.factor": 1,
                    "offset.lag.max": 0, "refresh.topics.interval.seconds": 2}},
                "checkpointConnector": {"config": {"checkpoints.topic.replication.factor": 1, "sync.group.offsets.enabled": true,
                    "sync.group.offsets.interval.seconds": 1, "emit.checkpoints.interval.seconds": 1,
                    "refresh.groups.interval.seconds": 2}}}]}}))
    .unwrap();
    world.resources.create(&kube::api::PostParams::default(), &resource).await.unwrap();
    let ready = |found: &KafkaMirrorMaker2| conditions::is_current(found) && conditions::is_ready(found);
    let found = Box::pin(world.until("m", "is ready", ready)).await;
    let connectors = found.status.unwrap().connectors.unwrap();
    assert_eq!(connectors.len(), 2);

    let there = admin(&target);
    let committed = || async {
        let mut groups = there.committed_offsets(target.id(), vec!["shop".to_owned()]).await.ok()?;
        let of_orders = groups.remove("shop")?.ok()?.into_iter().find(|(topic, _)| topic == "here.orders")?;
        let translated = i64::try_from(RECORDS + BEFORE).unwrap();
        (of_orders.1 == [(0, translated)]).then_some(())
    };
    let patience = DEADLINE.max(Duration::from_mins(1));
    wait::until(patience, "the offset of the group is mirrored", committed).await.unwrap();
    produce(&from, "orders", (RECORDS..RECORDS + MORE).map(record).collect()).await.unwrap();
    let rest = consume(&to, "here.orders", "shop", MORE).await.unwrap();
    let expected: Vec<String> = (RECORDS..RECORDS + MORE).map(record).collect();
    assert_eq!(rest, expected, "no record twice and none left out");
    let all = consume(&to, "here.orders", "audit", BEFORE + RECORDS + MORE).await.unwrap();
    let expected: Vec<String> = (0..RECORDS + MORE).map(record).collect();
    assert_eq!(all[BEFORE..], expected, "all records arrived, in their order");
    let topics = there.list_topics().await.unwrap();
    assert!(!topics.contains_key("here.private"), "{:?}", topics.keys());
    assert!(is_written(&target.log_dir(0), b"a.Module"), "Connect keeps its configurations there");
    assert!(!is_written(&target.log_dir(0), SECRET.as_bytes()), "the password is in no topic");
    told_of(&world, &from).await;
    let status = serde_json::to_string(&world.resources.get("m").await.unwrap()).unwrap();
    assert!(!status.contains(SECRET), "{status}");
}
