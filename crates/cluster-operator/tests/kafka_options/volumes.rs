//! A volume of a real broker is emptied before it leaves: plans from what the broker says, and the calls of these plans.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cluster_operator::kafka::silent_brokers::SilentOfCluster;
use cluster_operator::kafka::{
    failed_log_dirs, kafka_calls, leader_elections, log_dir_calls, option_calls, roll_calls,
};
use futures::StreamExt as _;
use kafka_admin::{Admin, AdminConfig, ConfigResource, ConfigSelection, LogDir, NewTopic, TopicPartition};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::log_dirs_view::{
    BrokerLogDirs, CORDONED, FailedLogDirs, LogDirFailures, LogDirsView, RATE, Way,
};
use planner::kafka::plan::Plan;
use serde_json::{Value, json};
use test_support::kafka::tools::{consume, produce};
use test_support::kafka::{KafkaNode, KafkaOptions};
use test_support::wait;

use crate::paper;
use crate::world::user_lines;

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_mins(2);

/// Records that must not be lost.
const RECORDS: usize = 1000;

const POD: &str = "my-dual-0";

const RESOURCES: &str = "
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: dual, namespace: s1, uid: pool-uid, labels: {strimzi.io/cluster: my}}
spec:
  replicas: 1
  roles: [controller, broker]
  storage:
    type: jbod
    volumes:
      - {id: 0, type: persistent-claim, size: 1Gi, kraftMetadata: shared}
      - {id: 1, type: persistent-claim, size: 1Gi, deleteClaim: true}
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

struct Disks {
    paper: paper::World,
    admin: Admin,
    node: KafkaNode,
}

impl Disks {
    async fn start() -> Self {
        let mut paper = paper::World::new(paper::documents(RESOURCES));
        paper.settle();
        let mut options = KafkaOptions {
            tls: false,
            authorizer: false,
            log_dirs: 2,
            heap_mb: 400,
            ..KafkaOptions::default()
        };
        // Else there would be options to change.
        options.config = user_lines(&paper.plan());
        let node = KafkaNode::start(options).await.unwrap();
        let admin = Admin::new(AdminConfig::brokers([node.bootstrap()])).unwrap();
        Self { paper, admin, node }
    }

    /// The path that a plan knows, and where the directory lies here.
    fn paths(&self) -> [(String, String); 2] {
        [0, 1].map(|id| {
            (format!("/var/lib/kafka/data-{id}/kafka-log0"), self.node.log_dir(id).display().to_string())
        })
    }

    fn as_planned(&self, text: &str) -> String {
        self.paths().iter().fold(text.to_owned(), |text, (planned, real)| text.replace(real, planned))
    }

    fn as_it_is(&self, text: &str) -> String {
        self.paths().iter().fold(text.to_owned(), |text, (planned, real)| text.replace(planned, real))
    }

    /// The pool is to have these volumes.
    fn ask(&mut self, ids: &[i32]) {
        let volume = |id: &i32| match id {
            0 => json!({"id": 0, "type": "persistent-claim", "size": "1Gi", "kraftMetadata": "shared"}),
            id => json!({"id": id, "type": "persistent-claim", "size": "1Gi", "deleteClaim": true}),
        };
        let all: Vec<Value> = ids.iter().map(volume).collect();
        self.paper.pool(0, |pool| pool["spec"]["storage"]["volumes"] = json!(all));
    }

    /// The operator moves what is on volumes that leave, with so many bytes per second.
    fn drain(&mut self, rate: &str) {
        let all = json!({"kastellan.io/drain-volumes": "true", "kastellan.io/drain-rate": rate});
        self.paper.kafka(|kafka| kafka["metadata"]["annotations"] = all);
    }

    async fn look(&self) -> LogDirsView {
        let asked = BTreeMap::from([(0, self.paths().map(|(_, real)| real).into())]);
        let mut view = log_dir_calls::look(&self.admin, &asked).await;
        for broker in view.brokers.values_mut() {
            let BrokerLogDirs { metadata, cordoned, dirs, .. } = broker;
            *metadata = metadata.as_deref().map(|path| self.as_planned(path));
            *cordoned = cordoned.as_ref().map(|all| all.iter().map(|path| self.as_planned(path)).collect());
            let old = std::mem::take(dirs);
            for (path, mut dir) in old {
                for replica in &mut dir.replicas {
                    replica.way = match &replica.way {
                        Way::To(path) => Way::To(self.as_planned(path)),
                        Way::From(path) => Way::From(self.as_planned(path)),
                        Way::None => Way::None,
                    };
                }
                dirs.insert(self.as_planned(&path), dir);
            }
        }
        view
    }

    /// What the broker says of disks that it cannot use.
    async fn failed(&self) -> FailedLogDirs {
        let answers = failed_log_dirs::ask_brokers(&self.admin, vec![0]).collect::<Vec<_>>().await;
        let of_broker = |(id, dirs): (i32, Result<Vec<LogDir>, _>)| {
            let failed = failed_log_dirs::failed_paths(&dirs.unwrap());
            let paths = Some(failed.iter().map(|path| self.as_planned(path)).collect());
            (id, LogDirFailures { paths, is_silent: false })
        };
        answers.into_iter().map(of_broker).collect()
    }

    /// One pass: asks the broker, plans, carries out what the plan says of objects, and tells Kafka.
    async fn pass(&mut self) -> Plan {
        let mut view = kafka_calls::view(&self.admin).await.unwrap();
        view.broker_configs =
            option_calls::broker_options(&self.admin, &view.active_brokers).await.unwrap_or_default();
        for option in view.broker_configs.values_mut().filter_map(|options| options.get_mut(CORDONED)) {
            option.on_broker = option.on_broker.as_deref().map(|text| self.as_planned(text));
            option.value = option.value.as_deref().map(|text| self.as_planned(text));
        }
        self.paper.observed.view = Some(view);
        self.paper.log_dirs = Ok(self.look().await);
        self.paper.leaderless = leader_elections::look(&self.admin, &BTreeSet::from([0])).await.ok();
        self.paper.failed_log_dirs = Some(self.failed().await);
        let plan = self.paper.plan();
        self.paper.apply(&plan);
        for call in &plan.calls {
            let call = match call {
                AdminCall::AlterBrokerConfig { broker, changes } if changes.contains_key(CORDONED) => {
                    let changes = changes.iter().map(|(name, value)| {
                        (name.clone(), value.as_deref().map(|text| self.as_it_is(text)))
                    });
                    AdminCall::AlterBrokerConfig { broker: *broker, changes: changes.collect() }
                }
                AdminCall::MoveReplicas { broker, rate, moves } => {
                    let mut moves = moves.clone();
                    moves
                        .values_mut()
                        .flat_map(BTreeMap::values_mut)
                        .for_each(|path| *path = self.as_it_is(path));
                    AdminCall::MoveReplicas { broker: *broker, rate: *rate, moves }
                }
                AdminCall::TakeOffThrottles { .. } | AdminCall::ElectLeaders { .. } => call.clone(),
                _ => continue,
            };
            assert_eq!(kafka_calls::make(&self.admin, &call).await.unwrap(), BTreeMap::new());
        }
        self.paper.now += Duration::from_secs(11);
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
            let said = paper::warning_with(&plan, "VolumeRemoval");
            assert!(
                tokio::time::Instant::now() < end,
                "not {what}: {said:?} {:?} {:?}",
                plan.calls,
                self.paper.log_dirs
            );
            // What Kafka was told takes it a moment.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn dir(&self, index: usize) -> LogDir {
        let mut all = self.admin.describe_log_dirs([0]).await.unwrap().remove(&0).unwrap().unwrap();
        let path = self.node.log_dir(index).display().to_string();
        all.retain(|dir| dir.path == path);
        all.remove(0)
    }

    async fn topic(&self, name: &str, partitions: i32) {
        let topic =
            NewTopic { partitions: Some(partitions), replication_factor: Some(1), ..NewTopic::new(name) };
        self.admin.create_topics(vec![topic], false).await.unwrap().remove(name).unwrap().unwrap();
        let both = || async {
            let (one, two) = (self.dir(0).await, self.dir(1).await);
            let count =
                one.replicas.keys().chain(two.replicas.keys()).filter(|one| one.topic == name).count();
            (count == usize::try_from(partitions).unwrap()).then_some(())
        };
        wait::until(DEADLINE, "the topic is on the disks", both).await.unwrap();
    }

    /// What was set on the broker at run time.
    async fn set(&self) -> BTreeMap<String, Option<String>> {
        let broker = ConfigResource::Broker(0);
        let mut all = self.admin.describe_configs([broker.clone()], ConfigSelection::Dynamic).await.unwrap();
        let entries = all.remove(&broker).unwrap().unwrap();
        entries.into_iter().map(|(name, entry)| (name, entry.value)).collect()
    }

    /// Deletes the second disk, with whatever it holds, and starts the broker without it.
    async fn start_without_the_second(&mut self, plan: &Plan) {
        std::fs::remove_dir_all(self.node.log_dir(1)).unwrap();
        let first = self.node.log_dir(0).display().to_string();
        let mut options = user_lines(plan);
        options.push(("log.dirs".to_owned(), first));
        self.node.set_config(&options).unwrap();
        self.node.start_again().await.unwrap();
        self.paper.restart(POD);
    }

    /// Moves both partitions of a topic to a disk.
    async fn move_to(&self, index: usize, topic: &str) {
        let path = self.node.log_dir(index).display().to_string();
        let partitions = [0, 1].map(|number| TopicPartition::new(topic, number));
        let there: BTreeMap<_, _> = partitions.iter().map(|one| (one.clone(), path.clone())).collect();
        let arrived = || async {
            // A broker that has not heard yet that the disk is not cordoned any more refuses it.
            self.admin.alter_replica_log_dirs(0, there.clone()).await.unwrap();
            let dir = self.dir(index).await;
            let is_there = |one| dir.replicas.get(one).is_some_and(|replica| !replica.future);
            partitions.iter().all(is_there).then_some(())
        };
        wait::until(DEADLINE, "the topic is on the disk", arrived).await.unwrap();
    }

    /// Writes records, and returns them.
    async fn produce(&self, topic: &str) -> Vec<String> {
        let record = |number: usize| format!("{number:05}-{}", "x".repeat(8_000));
        let lines: Vec<String> = (0..RECORDS).map(record).collect();
        produce(&self.node.bootstrap(), topic, lines.clone()).await.unwrap();
        lines
    }

    /// Checks that exactly these records are there.
    async fn check(&self, topic: &str, lines: &[String]) {
        let mut read = consume(&self.node.bootstrap(), topic, "auditor", RECORDS).await.unwrap();
        read.sort();
        assert!(read == lines, "other records than were written: {}", read.len());
    }

    fn mounts(&self, volume: &str) -> bool {
        let pod = serde_json::to_value(&*self.paper.observed.pods[POD]).unwrap();
        pod["spec"]["volumes"].as_array().unwrap().iter().any(|one| one["name"] == volume)
    }
}

fn lists(plan: &Plan, volume: &str) -> bool {
    let set = paper::object(plan, "StrimziPodSet", "my-dual");
    set["spec"]["pods"][0]["spec"]["volumes"].as_array().unwrap().iter().any(|one| one["name"] == volume)
}

fn remembers(plan: &Plan) -> bool {
    !paper::object(plan, "StrimziPodSet", "my-dual")["metadata"]["annotations"]["kastellan.io/removed-volumes"].is_null()
}

/// Whether Kafka is told nothing about log directories or options.
fn tells_nothing(plan: &Plan) -> bool {
    let is_told = |call: &AdminCall| {
        matches!(
            call,
            AdminCall::MoveReplicas { .. }
                | AdminCall::TakeOffThrottles { .. }
                | AdminCall::AlterBrokerConfig { .. }
        )
    };
    !plan.calls.iter().any(is_told)
}

#[tokio::test]
async fn a_volume_is_emptied_with_every_record_kept_and_half_of_it_can_be_taken_back() {
    let mut disks = Disks::start().await;
    disks.topic("orders", 2).await;
    disks.move_to(1, "orders").await;
    let second = disks.node.log_dir(1).display().to_string();
    let lines = disks.produce("orders").await;

    // Nobody asked for moves: it stays.
    disks.ask(&[0]);
    for _ in 0..3 {
        let plan = disks.pass().await;
        assert!(lists(&plan, "data-1") && plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
        let said = paper::warning_with(&plan, "VolumeRemoval").unwrap();
        assert!(
            said.contains("2 replicas on node 0") && said.contains("kastellan.io/drain-volumes"),
            "{said}"
        );
    }
    assert_eq!(disks.set().await, BTreeMap::new());

    // With a byte per second nothing arrives, and nothing new comes.
    disks.drain("1");
    disks
        .until("begun", |plan| plan.calls.iter().any(|call| matches!(call, AdminCall::MoveReplicas { .. })))
        .await;
    disks.pass().await;
    let set = disks.set().await;
    assert_eq!((set[CORDONED].as_deref(), set[RATE].as_deref()), (Some(second.as_str()), Some("1")));
    assert!(disks.dir(0).await.replicas.iter().any(|(one, replica)| one.topic == "orders" && replica.future));
    disks.topic("late", 6).await;
    assert!(disks.dir(1).await.replicas.keys().all(|one| one.topic == "orders"), "the new topic keeps away");

    // The user puts the volume back.
    disks.ask(&[0, 1]);
    let plan = disks.until("taken back", |plan| !remembers(plan)).await;
    assert!(plan.held.is_empty() && lists(&plan, "data-1"));
    assert_eq!(disks.set().await, BTreeMap::new());
    assert_eq!(disks.dir(1).await.replicas.len(), 2);
    assert!(disks.dir(0).await.replicas.values().all(|replica| !replica.future));

    // And wants it to leave after all.
    disks.ask(&[0]);
    disks.drain("100Mi");
    let plan = disks.until("empty", |plan| !lists(plan, "data-1")).await;
    assert!(disks.dir(1).await.replicas.is_empty());
    assert!(plan.delete.is_empty() && disks.mounts("data-1"), "the claim stays as long as the pod");
    let pods: BTreeSet<&str> = plan.roll.wanted.iter().map(|restart| restart.pod.as_str()).collect();
    assert_eq!(pods, [POD].into());
    disks.node.stop().await.unwrap();
    disks.start_without_the_second(&plan).await;
    assert!(!disks.mounts("data-1"));
    let gone = |plan: &Plan| plan.delete.iter().any(|deletion| deletion.object.name == "data-1-my-dual-0");
    disks.until("without its claim", gone).await;
    let plan = disks.until("settled", |plan| !remembers(plan) && tells_nothing(plan)).await;
    assert!(plan.held.is_empty());
    assert_eq!(disks.set().await, BTreeMap::new(), "nothing throttles, and nothing is cordoned");
    disks.check("orders", &lines).await;
}

#[tokio::test]
async fn a_partition_whose_replica_kafka_looks_for_on_the_volume_that_left_gets_its_leader_again() {
    let mut disks = Disks::start().await;
    disks.topic("orders", 2).await;
    disks.move_to(0, "orders").await;
    let lines = disks.produce("orders").await;
    disks.ask(&[0]);
    let plan = disks.until("empty", |plan| !lists(plan, "data-1")).await;
    // As a broker leaves it that stops while it takes back its report of a move that is done: the controllers place the replicas on the
    // second disk, and they lie on the first one.
    let uncordon =
        AdminCall::AlterBrokerConfig { broker: Some(0), changes: [(CORDONED.to_owned(), None)].into() };
    kafka_calls::make(&disks.admin, &uncordon).await.unwrap();
    disks.move_to(1, "orders").await;
    disks.node.stop().await.unwrap();
    for number in 0..2 {
        let name = format!("orders-{number}");
        std::fs::rename(disks.node.log_dir(1).join(&name), disks.node.log_dir(0).join(&name)).unwrap();
    }
    disks.start_without_the_second(&plan).await;
    disks.until("settled", |plan| !remembers(plan) && tells_nothing(plan)).await;
    disks.check("orders", &lines).await;
}

#[tokio::test]
async fn a_disk_that_fails_while_its_broker_runs_on_is_told_of_and_used_again_after_a_restart() {
    let mut disks = Disks::start().await;
    // Each disk has some of its partitions, and Kafka writes checkpoint files there every few seconds, so that it notices the failure.
    disks.topic("orders", 6).await;
    let plan = disks.pass().await;
    assert!(paper::warning_with(&plan, "LostVolume").is_none());
    let second = disks.node.log_dir(1);
    let aside = second.with_extension("aside");
    std::fs::rename(&second, &aside).unwrap();
    std::fs::write(&second, "no directory").unwrap();
    let plan = disks.until("told of", |plan| paper::warning_with(plan, "LostVolume").is_some()).await;
    let said = paper::warning_with(&plan, "LostVolume").unwrap();
    let [_, (path, _)] = disks.paths();
    for part in [&*path, "claim data-1-my-dual-0", "strimzi.io/manual-rolling-update"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    // The broker tells its controller, and Kafka says so of the replicas there, which a restart takes nothing away from.
    let is_said = || async {
        let roll = roll_calls::roll_view(Some(disks.admin.clone()), None, &SilentOfCluster::default()).await;
        let partitions = roll.brokers.ok()?.partitions;
        let of_topic = partitions.iter().filter(|one| one.name.starts_with("orders-"));
        let failed = of_topic.filter(|one| one.is_failed_on(0)).count();
        (1..6).contains(&failed).then_some(())
    };
    wait::until(DEADLINE, "some replicas of the topic are on a failed disk", is_said).await.unwrap();
    // The disk works again.
    disks.node.stop().await.unwrap();
    std::fs::remove_file(&second).unwrap();
    std::fs::rename(&aside, &second).unwrap();
    disks.node.start_again().await.unwrap();
    disks.until("used again", |plan| paper::warning_with(plan, "LostVolume").is_none()).await;
    assert!(!disks.dir(1).await.replicas.is_empty());
}
