//! MirrorMaker 2 as a user has it: records of one Kafka cluster arrive in another one, and a group of consumers that moves goes on there
//! where it stood, without a record twice and without one left out.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::KafkaMirrorMaker2;
use e2e::{Scenario, has_condition};

const MANIFEST: &str = r#"
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: a, labels: {strimzi.io/cluster: here}}
spec:
  replicas: 1
  roles: [controller, broker]
  storage: {type: ephemeral}
  jvmOptions: {"-Xmx": 256m}
  resources: {requests: {cpu: 50m, memory: 512Mi}}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: here}
spec:
  kafka:
    listeners:
      - {name: plain, port: 9092, type: internal, tls: false}
      - {name: scram, port: 9094, type: internal, tls: true, authentication: {type: scram-sha-512}}
    config: {offsets.topic.replication.factor: 1, default.replication.factor: 1, min.insync.replicas: 1}
  entityOperator: {userOperator: {}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaUser
metadata: {name: mirror, labels: {strimzi.io/cluster: here}}
spec: {authentication: {type: scram-sha-512}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: b, labels: {strimzi.io/cluster: there}}
spec:
  replicas: 1
  roles: [controller, broker]
  storage: {type: ephemeral}
  jvmOptions: {"-Xmx": 256m}
  resources: {requests: {cpu: 50m, memory: 512Mi}}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: there}
spec:
  kafka:
    listeners: [{name: plain, port: 9092, type: internal, tls: false}]
    config: {offsets.topic.replication.factor: 1, default.replication.factor: 1, min.insync.replicas: 1}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaMirrorMaker2
metadata: {name: m}
spec:
  replicas: 1
  target:
    alias: there
    bootstrapServers: there-kafka-bootstrap:9092
    groupId: mirror
    configStorageTopic: mirror-configs
    statusStorageTopic: mirror-statuses
    offsetStorageTopic: mirror-offsets
    config:
      config.storage.replication.factor: 1
      offset.storage.replication.factor: 1
      status.storage.replication.factor: 1
  mirrors:
    - source:
        alias: here
        bootstrapServers: here-kafka-bootstrap:9094
        tls: {trustedCertificates: [{secretName: here-cluster-ca-cert, pattern: "*.crt"}]}
        authentication: {type: scram-sha-512, username: mirror, passwordSecret: {secretName: mirror, password: password}}
      topicsPattern: orders
      groupsPattern: shop
      sourceConnector:
        config:
          replication.factor: 1
          offset-syncs.topic.replication.factor: 1
          offset.lag.max: 0
          refresh.topics.interval.seconds: 2
      checkpointConnector:
        config:
          checkpoints.topic.replication.factor: 1
          sync.group.offsets.enabled: true
          sync.group.offsets.interval.seconds: 1
          emit.checkpoints.interval.seconds: 1
          refresh.groups.interval.seconds: 2
  jvmOptions: {"-Xmx": 256m}
  resources: {requests: {cpu: 50m, memory: 512Mi}}
"#;

/// Records that are mirrored.
const RECORDS: usize = 10_000;
/// Records that come at the source when the group has moved.
const MORE: usize = 500;
/// Records that are in the topic of the target before, so that offsets are others there.
const BEFORE: usize = 7;

const SOURCE: &str = "here-a-0";
const TARGET: &str = "there-b-0";
const CONSOLE: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/// Writes records `order-<number>` to a topic, with Kafka's own tool.
async fn produce(scenario: &Scenario, pod: &str, topic: &str, numbers: (usize, usize)) -> Result<()> {
    let (first, end) = numbers;
    let line = format!(
        "for ((i = {first}; i < {end}; i++)); do echo order-$i; done | /opt/kafka/bin/kafka-run-class.sh \
         org.apache.kafka.tools.ConsoleProducer --bootstrap-server localhost:9092 --topic {topic}"
    );
    scenario.kubectl(&["exec", pod, "--container", "kafka", "--", "bash", "-c", &line]).await.map(drop)
}

/// Reads so many records of a topic as a member of the group.
async fn consume(scenario: &Scenario, pod: &str, topic: &str, count: usize) -> Result<Vec<String>> {
    let count = count.to_string();
    let arguments = [
        "--bootstrap-server",
        "localhost:9092",
        "--topic",
        topic,
        "--group",
        "shop",
        "--from-beginning",
        "--max-messages",
        &count,
        "--timeout-ms",
        "60000",
    ];
    let text = scenario.tool(pod, CONSOLE, &arguments).await?;
    Ok(text.lines().filter(|line| line.starts_with("order-")).map(ToOwned::to_owned).collect())
}

fn orders(first: usize, end: usize) -> Vec<String> {
    (first..end).map(|number| format!("order-{number}")).collect()
}

fn ready(found: Option<&KafkaMirrorMaker2>) -> bool {
    found.is_some_and(|found| {
        let status = found.status.as_ref();
        has_condition(status, "Ready")
            && status.and_then(|status| status.observed_generation) == found.metadata.generation
    })
}

#[tokio::test]
async fn a_group_of_consumers_goes_on_in_another_cluster_where_it_stood() -> Result<()> {
    let scenario = Scenario::new("e2e-mirror").await?;
    scenario.apply(MANIFEST).await?;
    let minutes = Duration::from_mins(5);
    let (here, there) =
        tokio::join!(scenario.until_ready("here", minutes), scenario.until_ready("there", minutes));
    here.and(there)?;
    scenario.stage("both Kafka clusters are ready");
    let (before, written) = tokio::join!(
        produce(&scenario, TARGET, "here.orders", (0, BEFORE)),
        produce(&scenario, SOURCE, "orders", (0, RECORDS))
    );
    before.and(written)?;
    let read = consume(&scenario, SOURCE, "orders", RECORDS).await?;
    ensure!(read == orders(0, RECORDS), "{} records were read at the source", read.len());
    scenario.stage("the group has read everything at the source");
    let found = scenario.until("m", "Ready", minutes, ready).await?.context("no resource")?;
    let connectors = found.status.and_then(|status| status.connectors).unwrap_or_default();
    assert_eq!(connectors.len(), 2, "{connectors:?}");
    scenario.stage("the mirror is ready");

    let translated = (BEFORE + RECORDS).to_string();
    // Each look takes as long as Kafka's tool takes to start.
    let is_there = async {
        loop {
            let arguments = ["--bootstrap-server", "localhost:9092", "--describe", "--group", "shop"];
            let text = scenario.tool(TARGET, GROUPS, &arguments).await.unwrap_or_default();
            // Group, topic, partition, and where the group stands.
            let mut lines = text.lines().map(|line| line.split_whitespace().skip(1));
            if lines
                .any(|mut words| words.next() == Some("here.orders") && words.nth(1) == Some(&*translated))
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(4), is_there)
        .await
        .context("the offset of the group was not translated")?;
    scenario.stage("the group has its translated offset at the target");
    produce(&scenario, SOURCE, "orders", (RECORDS, RECORDS + MORE)).await?;
    let rest = consume(&scenario, TARGET, "here.orders", MORE).await?;
    assert_eq!(rest, orders(RECORDS, RECORDS + MORE), "no record twice, and none left out");
    scenario.stage("the group went on at the target");
    scenario.remove().await
}
