//! The disks of brokers on paper: a Kafka moves replicas between them as it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::common::{World, documents, object};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::log_dirs_view::{BrokerLogDirs, CORDONED, DirReplica, LogDirView, LogDirsView, Way};
use planner::kafka::need::SilenceKind;
use planner::kafka::observed::ConfigView;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

const RESOURCES: &str = "
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: a, namespace: s1, uid: pool-a, labels: {strimzi.io/cluster: my}}
spec:
  replicas: 1
  roles: [controller]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi}, {id: 1, type: persistent-claim, size: 1Gi}]}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: b, namespace: s1, uid: pool-b, labels: {strimzi.io/cluster: my}}
spec:
  replicas: 2
  roles: [broker]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi, deleteClaim: true}, {id: 1, type: persistent-claim, size: 1Gi, deleteClaim: true}]}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: my, namespace: s1, uid: kafka-uid, generation: 1}
spec:
  kafka:
    version: 4.3.1
    listeners:
      - {name: plain, port: 9092, type: internal, tls: false}
    config: {default.replication.factor: 1, min.insync.replicas: 1, offsets.topic.replication.factor: 1,
             transaction.state.log.replication.factor: 1, transaction.state.log.min.isr: 1}
";

/// Index of the pool of the brokers, which are nodes 1 and 2. Node 0 is the controller.
const B: usize = 1;

/// Bytes of every replica.
const SIZE: u64 = 5;

/// A cluster, and what is on its disks.
#[derive(Clone)]
pub(super) struct Disks {
    pub world: World,
    /// The volume of each replica, by broker and partition, and the volume that it moves to.
    replicas: BTreeMap<(i32, String), (i32, Option<i32>)>,
    /// The values of the option, by broker.
    pub cordoned: BTreeMap<i32, String>,
    pub rates: BTreeMap<i32, String>,
    /// Brokers that do not answer.
    pub silent: BTreeSet<i32>,
    /// Brokers and volumes that cannot be read.
    pub broken: BTreeSet<(i32, i32)>,
    /// Free bytes of every disk.
    pub usable: u64,
    /// Whether pods that may restart do not.
    pub no_restarts: bool,
}

impl Disks {
    pub(super) fn start() -> Self {
        static START: LazyLock<Disks> = LazyLock::new(|| {
            let mut world = World::new(documents(RESOURCES));
            world.settle();
            assert_eq!(world.observed.pods.keys().collect::<Vec<_>>(), ["my-a-0", "my-b-1", "my-b-2"]);
            Disks {
                world,
                replicas: BTreeMap::new(),
                cordoned: BTreeMap::new(),
                rates: BTreeMap::new(),
                silent: BTreeSet::new(),
                broken: BTreeSet::new(),
                usable: 1000,
                no_restarts: false,
            }
        });
        START.clone()
    }

    /// The pod of a broker has not been ready for a while, and Kafka ends again and again.
    pub(super) fn stop_being_ready(&mut self, broker: i32) {
        let pod = self.world.observed.pods.get_mut(&format!("my-b-{broker}")).unwrap();
        let status = std::sync::Arc::make_mut(pod).status.as_mut().unwrap();
        status.container_statuses = Some(vec![
            serde_json::from_value(json!({
                "name": "kafka", "image": "kafka", "imageID": "", "ready": false, "restartCount": 3,
            }))
            .unwrap(),
        ]);
        let ready = &mut status.conditions.as_mut().unwrap()[0];
        "False".clone_into(&mut ready.status);
        ready.last_transition_time =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(self.world.now));
        self.world.now += std::time::Duration::from_mins(6);
    }

    /// Whether the pod of a broker is ready.
    pub(super) fn set_ready(&mut self, broker: i32, ready: bool) {
        let pod = self.world.observed.pods.get_mut(&format!("my-b-{broker}")).unwrap();
        let status = std::sync::Arc::make_mut(pod).status.as_mut().unwrap();
        let text = if ready { "True" } else { "False" };
        text.clone_into(&mut status.conditions.as_mut().unwrap()[0].status);
    }

    pub(super) fn annotate(&mut self, all: &Value) {
        self.world.pool(B, |pool| pool["metadata"]["annotations"] = all.clone());
    }

    /// The brokers are to have these volumes.
    pub(super) fn ask(&mut self, ids: &[i32]) {
        let volume =
            |id: &i32| json!({"id": id, "type": "persistent-claim", "size": "1Gi", "deleteClaim": true});
        let all: Vec<Value> = ids.iter().map(volume).collect();
        self.world.pool(B, |pool| pool["spec"]["storage"]["volumes"] = json!(all));
    }

    /// A volume of the brokers is to hold the metadata log.
    pub(super) fn mark(&mut self, id: i32) {
        self.world.pool(B, |pool| mark(&mut pool["spec"]["storage"]["volumes"], id));
    }

    /// The controller is to have these volumes.
    pub(super) fn ask_controllers(&mut self, ids: &[i32], marked: Option<i32>) {
        let volume = |id: &i32| json!({"id": id, "type": "persistent-claim", "size": "1Gi"});
        let all: Vec<Value> = ids.iter().map(volume).collect();
        self.world.pool(0, |pool| {
            pool["spec"]["storage"]["volumes"] = json!(all);
            if let Some(id) = marked {
                mark(&mut pool["spec"]["storage"]["volumes"], id);
            }
        });
    }

    /// A replica lies on a volume of a broker.
    pub(super) fn put(&mut self, partition: &str, broker: i32, volume: i32) {
        self.replicas.insert((broker, partition.to_owned()), (volume, None));
    }

    /// So many replicas arrive.
    pub(super) fn arrive(&mut self, most: usize) {
        for (volume, to) in self.replicas.values_mut().filter(|(_, to)| to.is_some()).take(most) {
            *volume = to.take().unwrap();
        }
    }

    pub(super) fn moving(&self) -> usize {
        self.replicas.values().filter(|(_, to)| to.is_some()).count()
    }

    /// Replicas on a volume of a broker.
    pub(super) fn on(&self, broker: i32, volume: i32) -> usize {
        self.replicas.iter().filter(|((of, _), (on, _))| *of == broker && *on == volume).count()
    }

    fn pod(node: i32) -> String {
        if node == 0 { "my-a-0".to_owned() } else { format!("my-b-{node}") }
    }

    /// Ids of the volumes that the pod of a node has.
    pub(super) fn mounted(&self, node: i32) -> BTreeSet<i32> {
        let pod = serde_json::to_value(&*self.world.observed.pods[&Self::pod(node)]).unwrap();
        volumes_of(&pod)
    }

    /// Ids of the volumes of which a node has claims.
    pub(super) fn live_claims(&self, node: i32) -> BTreeSet<i32> {
        let end = format!("-{}", Self::pod(node));
        let names = self.world.observed.claims.keys().filter_map(|name| name.strip_suffix(&end));
        names.map(|name| name.strip_prefix("data-").unwrap().parse().unwrap()).collect()
    }

    /// The volume on which a node has its metadata log: what its configuration said when it was started.
    pub(super) fn metadata(&self, node: i32) -> i32 {
        let pod = &self.world.observed.pods[&Self::pod(node)];
        let all = pod.metadata.annotations.as_ref().unwrap();
        all["test/metadata"].parse().unwrap()
    }

    /// Notes in each pod with which configuration it starts.
    fn note_starts(&mut self) {
        let maps = &self.world.observed.config_maps;
        for (name, pod) in &mut self.world.observed.pods {
            let pod = std::sync::Arc::make_mut(pod);
            let all = pod.metadata.annotations.get_or_insert_default();
            if !all.contains_key("test/metadata") {
                let text = &maps[name].data.as_ref().unwrap()["server.config"];
                let line =
                    text.lines().find_map(|line| line.strip_prefix("metadata.log.dir=/var/lib/kafka/data-"));
                all.insert("test/metadata".to_owned(), line.unwrap().split('/').next().unwrap().to_owned());
            }
        }
    }

    fn view(&self) -> LogDirsView {
        let mut view = LogDirsView::default();
        for node in [1, 2] {
            if !self.world.observed.pods.contains_key(&Self::pod(node)) {
                continue;
            }
            if self.silent.contains(&node) {
                view.silent.insert(node, "no answer within 4000 ms".to_owned());
                continue;
            }
            let path = |volume: i32| format!("/var/lib/kafka/data-{volume}/kafka-log{node}");
            let mut dirs = BTreeMap::new();
            for volume in self.mounted(node) {
                let mut dir = LogDirView { usable: Some(self.usable), ..LogDirView::default() };
                if self.broken.contains(&(node, volume)) {
                    dir.error = Some("KafkaStorageException: disk error".to_owned());
                }
                for ((_, name), (on, to)) in self.replicas.iter().filter(|((of, _), _)| *of == node) {
                    let (topic, partition) = name.rsplit_once('-').unwrap();
                    let way = match to {
                        Some(to) if *on == volume => Way::To(path(*to)),
                        Some(to) if *to == volume => Way::From(path(*on)),
                        _ if *on == volume => Way::None,
                        _ => continue,
                    };
                    dir.count += 1;
                    dir.moving += usize::from(matches!(way, Way::To(_)));
                    let partition = partition.parse().unwrap();
                    dir.replicas.push(DirReplica { topic: topic.to_owned(), partition, size: SIZE, way });
                }
                dirs.insert(path(volume), dir);
            }
            let cordoned = self.cordoned.get(&node).map(String::as_str).unwrap_or_default();
            let broker = BrokerLogDirs {
                metadata: Some(path(self.metadata(node))),
                cordoned: Some(
                    cordoned.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect(),
                ),
                rate: self.rates.get(&node).cloned(),
                dirs,
            };
            view.brokers.insert(node, broker);
        }
        view
    }

    fn tell(&mut self) {
        self.note_starts();
        self.world.tell_options(&[]);
        let configs = &mut self.world.observed.view.as_mut().unwrap().broker_configs;
        for (node, value) in &self.cordoned {
            let value = Some(value.clone());
            let view = ConfigView { on_broker: value.clone(), value, ..ConfigView::default() };
            if let Some(of_node) = configs.get_mut(node) {
                of_node.insert(CORDONED.to_owned(), view);
            }
        }
        self.world.log_dirs = Ok(self.view());
    }

    /// A plan while the answer about the disks is on its way.
    pub(super) fn without_an_answer(&mut self) -> Plan {
        self.tell();
        let mut world = self.world.clone();
        world.log_dirs = Err(SilenceKind::UnderWay);
        world.plan()
    }

    /// One pass: brokers say what they have, the plan is carried out. No pod is to be, or comes back, without a volume that holds something.
    pub(super) fn pass(&mut self) -> Plan {
        self.tell();
        let plan = self.world.plan();
        self.check(&plan);
        self.world.apply(&plan);
        self.carry_out(&plan.calls);
        if !self.no_restarts {
            for pod in &plan.roll.now {
                self.world.restart(pod);
                self.note_starts();
            }
        }
        for ((broker, partition), (volume, _)) in &self.replicas {
            assert!(
                self.mounted(*broker).contains(volume),
                "{partition} was on volume {volume} of broker {broker}"
            );
            assert!(self.live_claims(*broker).contains(volume), "the claim with {partition} went");
        }
        self.world.now += std::time::Duration::from_secs(11);
        plan
    }

    /// The operator dies after it has written the objects.
    pub(super) fn half_a_pass(&mut self) {
        self.tell();
        let plan = self.world.plan();
        self.check(&plan);
        self.world.apply(&plan);
    }

    fn check(&self, plan: &Plan) {
        for ((broker, partition), (volume, _)) in &self.replicas {
            if self.silent.contains(broker) {
                continue;
            }
            assert!(volumes(plan, *broker).contains(volume), "{partition} is on volume {volume}, which goes");
        }
    }

    fn carry_out(&mut self, calls: &[AdminCall]) {
        // The broker hears of a change after the calls that follow it.
        let cordoned = self.cordoned.clone();
        for call in calls {
            match call {
                AdminCall::MoveReplicas { broker, rate, moves } => {
                    if let Some(rate) = rate {
                        self.rates.insert(*broker, rate.to_string());
                    }
                    for (topic, partitions) in moves {
                        for (partition, path) in partitions {
                            // INVALID_REPLICA_ASSIGNMENT, also for a replica that is there already.
                            let closed =
                                cordoned.get(broker).is_some_and(|all| all.split(',').any(|one| one == path));
                            assert!(
                                !closed,
                                "Kafka refuses to move {topic}-{partition} to the cordoned {path}"
                            );
                            let volume: i32 = path
                                .strip_prefix("/var/lib/kafka/data-")
                                .unwrap()
                                .split('/')
                                .next()
                                .unwrap()
                                .parse()
                                .unwrap();
                            let found =
                                self.replicas.get_mut(&(*broker, format!("{topic}-{partition}"))).unwrap();
                            found.1 = Some(volume).filter(|to| *to != found.0);
                        }
                    }
                }
                AdminCall::TakeOffThrottles { rates, .. } => {
                    self.rates.retain(|broker, _| !rates.contains_key(broker));
                }
                AdminCall::AlterBrokerConfig { broker: Some(broker), changes } => match &changes[CORDONED] {
                    Some(value) => drop(self.cordoned.insert(*broker, value.clone())),
                    None => drop(self.cordoned.remove(broker)),
                },
                _ => {}
            }
        }
    }

    /// Passes until nothing is left to do.
    pub(super) fn finish(&mut self) -> Plan {
        for _ in 0..40 {
            let plan = self.pass();
            let set = object(&plan, "StrimziPodSet", "my-b");
            let remembers = !set["metadata"]["annotations"]["kastellan.io/removed-volumes"].is_null();
            if plan.held.is_empty() && !remembers && plan.roll.wanted.is_empty() && plan.calls.is_empty() {
                return plan;
            }
            self.arrive(7);
        }
        panic!("it goes on and on: {:?}", self.replicas);
    }
}

fn mark(volumes: &mut Value, id: i32) {
    let found = volumes.as_array_mut().unwrap().iter_mut().find(|volume| volume["id"] == id);
    found.unwrap()["kraftMetadata"] = json!("shared");
}

fn volumes_of(pod: &Value) -> BTreeSet<i32> {
    let names =
        pod["spec"]["volumes"].as_array().unwrap().iter().filter_map(|volume| volume["name"].as_str());
    names.filter_map(|name| name.strip_prefix("data-")?.parse().ok()).collect()
}

/// Ids of the volumes of a planned pod of a broker.
pub(super) fn volumes(plan: &Plan, broker: i32) -> BTreeSet<i32> {
    let set = object(plan, "StrimziPodSet", "my-b");
    let name = format!("my-b-{broker}");
    volumes_of(
        set["spec"]["pods"].as_array().unwrap().iter().find(|pod| pod["metadata"]["name"] == name).unwrap(),
    )
}

/// Ids of the volumes of which a broker is to have claims.
pub(super) fn claims(plan: &Plan, broker: i32) -> BTreeSet<i32> {
    let end = format!("-my-b-{broker}");
    let all = plan.apply.iter().filter(|object| object.reference.kind == "PersistentVolumeClaim");
    let names = all.filter_map(|object| object.reference.name.strip_suffix(&end));
    names.map(|name| name.strip_prefix("data-").unwrap().parse().unwrap()).collect()
}
