//! A broker of four is emptied before it leaves: real brokers, plans from what they say, and the calls of these plans.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cluster_operator::kafka::{drain_calls, kafka_calls, option_calls};
use kafka_admin::{Admin, AdminConfig, ConfigResource, ConfigSelection, NewTopic};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::drain_view::BROKER_RATES;
use planner::kafka::plan::Plan;
use serde_json::json;
use test_support::kafka::tools::{consume, produce};
use test_support::kafka::{KafkaCluster, KafkaOptions, Roles};
use test_support::wait;

use crate::paper;

/// How long a drain may take on a busy machine.
const DEADLINE: Duration = Duration::from_mins(3);

/// Records that must not be lost. Each is long, so that a partition takes more than one answer to be copied.
const RECORDS: usize = 1000;

const CORDON: &str = "cordoned.log.dirs";

/// Node 3 is the only one of pool `e`.
const LEAVING: i32 = 3;

const RESOURCES: &str = "
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: d, namespace: s1, uid: pool-d, labels: {strimzi.io/cluster: my}}
spec:
  replicas: 3
  roles: [controller, broker]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi, kraftMetadata: shared}]}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: e, namespace: s1, uid: pool-e, labels: {strimzi.io/cluster: my},
  annotations: {kastellan.io/drain-nodes: 'true'}}
spec:
  replicas: 1
  roles: [broker]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi}]}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: my, namespace: s1, uid: kafka-uid, generation: 1}
spec:
  kafka:
    version: 4.3.1
    listeners:
      - {name: plain, port: 9092, type: internal, tls: false}
    config: {log.cleaner.dedupe.buffer.size: 33554432, num.network.threads: 2, num.io.threads: 4}
";

struct Drained {
    paper: paper::World,
    admin: Admin,
    cluster: KafkaCluster,
}

impl Drained {
    async fn start() -> Self {
        let options = KafkaOptions { tls: false, authorizer: false, ..KafkaOptions::default() };
        let mut cluster = KafkaCluster::start(3, options).await.unwrap();
        cluster.add(Roles::Broker).await.unwrap();
        let admin = Admin::new(AdminConfig::brokers(cluster.bootstrap())).unwrap();
        let mut paper = paper::World::new(paper::documents(RESOURCES));
        paper.settle();
        assert!(paper.observed.pods.contains_key("my-e-3"), "{:?}", paper.observed.pods.keys());
        Self { paper, admin, cluster }
    }

    /// The cluster is to have so many nodes of pool `e`, which move with so many bytes per second.
    fn wish(&mut self, replicas: i32, rate: &str) {
        self.paper.pool(1, |pool| pool["spec"]["replicas"] = json!(replicas));
        self.paper.kafka(|kafka| kafka["metadata"]["annotations"] = json!({"kastellan.io/drain-rate": rate}));
    }

    /// One pass: asks the brokers, plans, carries out what the plan says of objects and tells Kafka.
    async fn pass(&mut self) -> Plan {
        let mut view = kafka_calls::view(&self.admin).await.unwrap();
        view.broker_configs =
            option_calls::broker_options(&self.admin, &view.active_brokers).await.unwrap_or_default();
        view.brokers_with_replicas = Some(kafka_calls::brokers_with_replicas(&self.admin).await.unwrap());
        self.paper.observed.view = Some(view);
        let look = drain_calls::look(&self.admin, &BTreeSet::from([LEAVING])).await;
        self.paper.drain = Some(look.unwrap());
        let plan = self.paper.plan();
        self.paper.apply(&plan);
        self.paper.observed.draining.clone_from(&plan.draining);
        for call in &plan.calls {
            match call {
                AdminCall::AlterBrokerConfig { .. }
                | AdminCall::MovePartitions { .. }
                | AdminCall::CancelMoves { .. }
                | AdminCall::TakeOffThrottles { .. } => {
                    assert_eq!(kafka_calls::make(&self.admin, call).await.unwrap(), BTreeMap::new());
                }
                _ => {}
            }
        }
        self.paper.now += Duration::from_secs(3);
        plan
    }

    /// Passes until a plan is right.
    async fn until(&mut self, what: &str, right: impl Fn(&Plan) -> bool) -> Plan {
        let end = tokio::time::Instant::now() + DEADLINE;
        loop {
            let plan = self.pass().await;
            if right(&plan) {
                return plan;
            }
            let said = paper::warning_with(&plan, "NodesDrain");
            assert!(tokio::time::Instant::now() < end, "not {what}: {said:?} {:?}", plan.calls);
            // What Kafka was told takes it a moment.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn topic(&self, name: &str, partitions: &[&[i32]]) {
        let assignments = (0..).zip(partitions).map(|(index, brokers)| (index, brokers.to_vec()));
        let topic = NewTopic { assignments: assignments.collect(), ..NewTopic::new(name) };
        self.admin.create_topics(vec![topic], false).await.unwrap().remove(name).unwrap().unwrap();
    }

    /// The brokers of each partition.
    async fn replicas(&self, topic: &str) -> Vec<Vec<i32>> {
        let topics = self.admin.list_topics().await.unwrap();
        topics[topic].partitions.iter().map(|partition| partition.replicas.clone()).collect()
    }

    /// What throttles anything, and what is cordoned.
    async fn traces(&self) -> Vec<String> {
        let brokers = (0..4).map(ConfigResource::Broker);
        let topics = self.admin.list_topics().await.unwrap().into_keys().map(ConfigResource::Topic);
        let all = self.admin.describe_configs(brokers.chain(topics), ConfigSelection::Dynamic).await.unwrap();
        let mut found = Vec::new();
        for (resource, entries) in all {
            let names = entries.unwrap().into_keys();
            let traces = names.filter(|name| name.contains("throttled") || name == CORDON);
            found.extend(traces.map(|name| format!("{resource:?} {name}")));
        }
        found
    }

    /// Waits until the brokers show these traces: what one of them was told, the others know a moment later.
    async fn shows(&self, what: &str, right: impl Fn(&[String]) -> bool) {
        let shown = || async { right(&self.traces().await).then_some(()) };
        if let Err(error) = wait::until(DEADLINE, what, shown).await {
            panic!("{error}: {:?}", self.traces().await);
        }
    }
}

fn lists(plan: &Plan, pod: &str) -> bool {
    let set = paper::object(plan, "StrimziPodSet", "my-e");
    set["spec"]["pods"].as_array().unwrap().iter().any(|one| one["metadata"]["name"] == pod)
}

/// How many partitions the plan moves.
fn moved(plan: &Plan) -> usize {
    let by_call = plan.calls.iter().map(|call| match call {
        AdminCall::MovePartitions { moves, .. } => moves.values().map(BTreeMap::len).sum::<usize>(),
        _ => 0,
    });
    by_call.sum()
}

fn remembers(plan: &Plan) -> bool {
    !paper::object(plan, "StrimziPodSet", "my-e")["metadata"]["annotations"]["kastellan.io/drained-nodes"]
        .is_null()
}

#[tokio::test]
async fn a_broker_is_emptied_with_every_record_kept_and_half_of_it_can_be_taken_back() {
    let mut drained = Drained::start().await;
    drained.topic("orders", &[&[3], &[3]]).await;
    drained.topic("copies", &[&[3, 0], &[1, 3]]).await;
    drained.topic("elsewhere", &[&[0, 1]]).await;
    let bootstrap = drained.cluster.nodes()[0].bootstrap();
    let record = |number: usize| format!("{number:05}-{}", "x".repeat(8_000));
    let lines: Vec<String> = (0..RECORDS).map(record).collect();
    produce(&bootstrap, "orders", lines.clone()).await.unwrap();
    drained.pass().await;
    assert_eq!(drained.traces().await, Vec::<String>::new());

    // With a byte per second nothing arrives.
    drained.wish(0, "1");
    let told = |plan: &Plan| plan.events.iter().any(|event| event.reason == "NodesDrainBegan");
    let plan = drained.until("begun", told).await;
    assert!(lists(&plan, "my-e-3"));
    assert_eq!(moved(&plan), 4);
    // Those of `copies`, which is empty, may have arrived already.
    let moving = drained.admin.list_partition_reassignments(None).await.unwrap();
    assert_eq!(moving.keys().filter(|partition| partition.topic == "orders").count(), 2, "{moving:?}");
    let options = drained.paper.observed.view.clone().unwrap().broker_configs;
    assert!(options.contains_key(&LEAVING));
    let expected = [
        format!("Broker(3) {CORDON}"),
        format!("Broker(3) {}", BROKER_RATES[0]),
        "Topic(\"orders\") follower.replication.throttled.replicas".to_owned(),
    ];
    drained
        .shows("the moves are throttled and the broker is cordoned", |traces| {
            expected.iter().all(|trace| traces.contains(trace))
        })
        .await;
    // A new topic keeps away from it.
    let late = NewTopic { partitions: Some(12), replication_factor: Some(1), ..NewTopic::new("late") };
    drained.admin.create_topics(vec![late], false).await.unwrap().remove("late").unwrap().unwrap();
    let of_late = || async {
        let topics = drained.admin.list_topics().await.ok()?;
        let partitions = &topics.get("late")?.partitions;
        (partitions.len() == 12).then(|| partitions.iter().flat_map(|one| one.replicas.clone()).collect())
    };
    let on: BTreeSet<i32> = wait::until(DEADLINE, "the new topic is there", of_late).await.unwrap();
    assert!(!on.contains(&LEAVING), "{on:?}");

    // The user takes it back.
    drained.wish(1, "1");
    let plan = drained.until("taken back", |plan| !remembers(plan)).await;
    assert!(plan.held.is_empty() && lists(&plan, "my-e-3"));
    assert!(drained.admin.list_partition_reassignments(None).await.unwrap().is_empty());
    drained.shows("nothing is left of the drain", <[String]>::is_empty).await;
    assert_eq!(drained.replicas("orders").await[0], [3]);

    // And wants it after all.
    drained.wish(0, "100Mi");
    drained.until("empty", |plan| !lists(plan, "my-e-3")).await;
    let all = drained.admin.list_topics().await.unwrap();
    let left: Vec<&String> = all
        .iter()
        .filter(|(_, topic)| topic.partitions.iter().any(|partition| partition.replicas.contains(&LEAVING)))
        .map(|(name, _)| name)
        .collect();
    assert!(left.is_empty(), "{left:?}");
    for (topic, factor) in [("orders", 1), ("copies", 2)] {
        assert!(drained.replicas(topic).await.iter().all(|brokers| brokers.len() == factor), "{topic}");
    }
    let cordon = [format!("Broker(3) {CORDON}")];
    drained.shows("the broker takes nothing new until it is gone", |traces| traces == cordon).await;
    drained.cluster.node(3).kill();
    let mut read = consume(&bootstrap, "orders", "auditor", RECORDS).await.unwrap();
    read.sort();
    assert_eq!(read.len(), RECORDS);
    assert!(read == lines, "other records than were written");
}
