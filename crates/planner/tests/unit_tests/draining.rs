//! Nodes that are to leave are emptied first: what a plan tells Kafka, what it says, and that nothing is given up before.

mod deleted_pools;
mod kafka;
mod laws;
mod safety;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::common::{World, documents, kafka_status, object, pool_status, warning_with};
use kafka::Kafka;
use planner::kafka::admin_call::AdminCall;
use planner::kafka::drain_view::ThrottledReplicas;
use planner::kafka::observed::ConfigView;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

const RESOURCES: &str = "
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: c, namespace: s1, uid: pool-c, labels: {strimzi.io/cluster: my}}
spec:
  replicas: 1
  roles: [controller]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi, kraftMetadata: shared}]}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: b, namespace: s1, uid: pool-b, labels: {strimzi.io/cluster: my}}
spec:
  replicas: 4
  roles: [broker]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi, deleteClaim: true}]}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: a, namespace: s1, uid: pool-a, labels: {strimzi.io/cluster: my}}
spec:
  replicas: 1
  roles: [broker]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi, deleteClaim: true}]}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: my, namespace: s1, uid: kafka-uid, generation: 1}
spec:
  kafka:
    version: 4.3.1
    listeners:
      - {name: plain, port: 9092, type: internal, tls: false}
    config: {default.replication.factor: 2, min.insync.replicas: 1, offsets.topic.replication.factor: 2,
             transaction.state.log.replication.factor: 2, transaction.state.log.min.isr: 1}
";

/// Indexes of the pools. Broker 0 is in pool `a`, brokers 1 to 4 are in pool `b`, the controller is node 5.
const A: usize = 0;
const B: usize = 1;

/// A cluster and its partitions.
#[derive(Clone)]
struct Drained {
    world: World,
    kafka: Kafka,
}

impl Drained {
    fn start() -> Self {
        static START: LazyLock<Drained> = LazyLock::new(Drained::settled);
        START.clone()
    }

    fn settled() -> Self {
        let mut world = World::new(documents(RESOURCES));
        world.settle();
        let ids: Vec<_> = world.observed.pods.keys().cloned().collect();
        assert_eq!(ids, ["my-a-0", "my-b-1", "my-b-2", "my-b-3", "my-b-4", "my-c-5"]);
        Self { world, kafka: Kafka::default() }
    }

    fn annotate(&mut self, pool: usize, all: &Value) {
        self.world.pool(pool, |pool| pool["metadata"]["annotations"] = all.clone());
    }

    /// Takes brokers away from pool `b`, to be emptied first.
    fn scale_down(&mut self, replicas: i32) {
        self.annotate(B, &json!({"kastellan.io/drain-nodes": "true"}));
        self.world.pool(B, |pool| pool["spec"]["replicas"] = json!(replicas));
    }

    /// One pass: Kafka says how it is, the plan is carried out. No plan gives up a node with replicas, and nothing moves to where it should
    /// not.
    fn pass(&mut self) -> Plan {
        let told = self.kafka.told.len();
        let plan = self.plan();
        let staying: BTreeSet<i32> = (0..5).filter(|id| !Self::leaving(&plan).contains(id)).collect();
        for holder in self.kafka.holders() {
            assert!(listed(&plan).contains(&holder), "node {holder} holds replicas and is given up");
        }
        self.world.apply(&plan);
        self.world.observed.draining.clone_from(&plan.draining);
        self.kafka.carry_out(&plan);
        for (partition, brokers) in &self.kafka.told[told..] {
            let unique: BTreeSet<i32> = brokers.iter().copied().collect();
            assert_eq!(unique.len(), brokers.len(), "{partition}");
            assert!(unique.is_subset(&staying), "{partition} goes to {brokers:?}");
        }
        self.world.run_everything();
        let registered = &self.world.observed.view.as_ref().unwrap().registered_brokers;
        self.kafka.rates.retain(|broker, _| registered.contains(broker));
        self.world.now += std::time::Duration::from_secs(3);
        plan
    }

    fn plan(&mut self) -> Plan {
        let view = self.world.observed.view.as_mut().unwrap();
        view.brokers_with_replicas = Some(self.kafka.holders());
        view.active_brokers = &view.registered_brokers - &self.kafka.down;
        self.world.drain = Some(self.kafka.view(&view.registered_brokers));
        self.world.plan()
    }

    /// Nodes of which a plan says that they stay only for now.
    fn leaving(plan: &Plan) -> BTreeSet<i32> {
        let nodes = plan.held.iter().filter_map(|held| match &held.part {
            planner::findings::HeldPart::NodeRemoval { nodes, .. } => Some(nodes.clone()),
            _ => None,
        });
        nodes.flatten().collect()
    }

    /// Passes until nothing is left to do.
    fn finish(&mut self) -> Plan {
        for _ in 0..60 {
            let plan = self.pass();
            if plan.held.is_empty() && !self.kafka.is_moving() && !remembers(&plan) {
                return plan;
            }
            self.kafka.arrive(7);
        }
        panic!("it goes on and on: {:?}", self.kafka);
    }
}

/// Node ids in the planned pod sets.
fn listed(plan: &Plan) -> BTreeSet<i32> {
    let sets = plan.apply.iter().filter(|object| object.reference.kind == "StrimziPodSet");
    let pods = sets.flat_map(|set| set.object["spec"]["pods"].as_array().unwrap());
    pods.map(|pod| pod["metadata"]["name"].as_str().unwrap().rsplit_once('-').unwrap().1.parse().unwrap())
        .collect()
}

/// Whether a pod set remembers a drain.
fn remembers(plan: &Plan) -> bool {
    let sets = plan.apply.iter().filter(|object| object.reference.kind == "StrimziPodSet");
    let mut all = sets.map(|set| &set.object["metadata"]["annotations"]["kastellan.io/drained-nodes"]);
    all.any(|one| !one.is_null())
}

fn moves(plan: &Plan) -> usize {
    let of_call = |call: &AdminCall| match call {
        AdminCall::MovePartitions { moves, .. } => moves.values().map(std::collections::BTreeMap::len).sum(),
        _ => 0,
    };
    plan.calls.iter().map(of_call).sum()
}

fn events(plan: &Plan) -> Vec<&str> {
    plan.events.iter().map(|event| event.reason.as_str()).collect()
}

#[test]
fn without_the_annotation_a_node_with_replicas_stays_and_the_status_names_it() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[4, 1], &[1, 2]]);
    drained.world.pool(B, |pool| pool["spec"]["replicas"] = json!(3));
    let plan = drained.pass();
    let message = warning_with(&plan, "ScaleDownPreventionCheck").unwrap();
    assert!(
        message.contains("brokers 4 hold replicas") && message.contains("kastellan.io/drain-nodes"),
        "{message}"
    );
    assert_eq!((moves(&plan), warning_with(&plan, "NodesDrain")), (0, None));
    assert!(!remembers(&plan) && plan.draining.is_none());
}

#[test]
fn a_node_is_emptied_throttled_and_leaves_when_nothing_is_left_of_it() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[4, 1], &[1, 2], &[3, 4]]);
    drained.kafka.topic("alone", &[&[4]]);
    drained.scale_down(3);
    // The pod set remembers it before Kafka is told anything.
    let plan = drained.pass();
    let set = object(&plan, "StrimziPodSet", "my-b");
    let remembered = set["metadata"]["annotations"]["kastellan.io/drained-nodes"].as_str().unwrap();
    assert_eq!(remembered, r#"{"nodes":[4],"rates":[52428800]}"#);
    assert_eq!(moves(&plan), 0);

    let plan = drained.pass();
    assert_eq!((moves(&plan), events(&plan)), (3, vec!["NodesDrainBegan"]));
    let began = &plan.events[0].text;
    assert!(began.contains("off nodes 4") && began.contains("3 of node 4"), "{began}");
    assert_eq!(drained.kafka.throttled.keys().collect::<Vec<_>>(), ["alone", "orders"]);
    assert!(drained.kafka.throttled["alone"].leaders.contains("0:4"), "{:?}", drained.kafka.throttled);
    let rate = Some("52428800");
    let set = |broker: i32| {
        drained.kafka.rates[&broker].get("leader.replication.throttled.rate").map(String::as_str)
    };
    assert_eq!((set(4), set(3)), (rate, rate));
    assert!(drained.kafka.replicas("orders", 1) == [1, 2], "what is elsewhere stays");
    for status in [kafka_status(&plan), pool_status(&plan, "b")] {
        let conditions = status["conditions"].as_array().unwrap();
        let said = conditions.iter().find(|one| one["reason"] == "NodesDrain").unwrap();
        let message = said["message"].as_str().unwrap();
        assert!(message.contains("3 partitions are left on node 4; 3 are being moved"), "{message}");
    }
    assert!(plan.look_again.is_some());

    // One arrives; the status says since when all of it goes on.
    let begun = since(&drained.plan());
    drained.kafka.arrive(1);
    let plan = drained.pass();
    assert!(warning_with(&plan, "NodesDrain").unwrap().contains("2 partitions are left"));
    assert_eq!((since(&plan), events(&plan)), (begun, vec![]));

    drained.kafka.arrive(9);
    assert!(!drained.kafka.holders().contains(&4));
    let plan = drained.pass();
    assert!(listed(&plan).contains(&4), "what throttled the moves goes first");
    assert_eq!(events(&plan), ["NodesDrainEnded"]);
    assert!(plan.events[0].text.contains("nodes 4 hold no partition any more"), "{}", plan.events[0].text);
    assert!(drained.kafka.is_free(), "{:?}", drained.kafka);
    drained.pass();
    let plan = drained.pass();
    assert_eq!(listed(&plan), [0, 1, 2, 3, 5].into());
    assert_eq!(pool_status(&plan, "b")["nodeIds"], json!([1, 2, 3]));
    assert!(!remembers(&plan) && plan.held.is_empty() && warning_with(&plan, "NodesDrain").is_none());
}

fn since(plan: &Plan) -> Value {
    let status = kafka_status(plan);
    let conditions = status["conditions"].as_array().unwrap();
    conditions.iter().find(|one| one["reason"] == "NodesDrain").unwrap()["lastTransitionTime"].clone()
}

#[test]
fn partitions_move_in_batches_and_new_ones_are_moved_too() {
    let mut drained = Drained::start();
    drained.kafka.topic("many", &vec![&[4, 1][..]; 50]);
    drained.scale_down(3);
    drained.pass();
    assert_eq!(moves(&drained.pass()), 20);
    assert_eq!(moves(&drained.pass()), 0, "as many as there are at a time");
    drained.kafka.arrive(5);
    assert_eq!(moves(&drained.pass()), 5);
    drained.kafka.topic("new", &[&[4, 2]]);
    drained.finish();
    assert_eq!(drained.kafka.holders(), [0, 1, 2, 3].into());
    assert!(drained.kafka.is_free());
    let on = |id: i32| drained.kafka.partitions.values().filter(|one| one.replicas.contains(&id)).count();
    assert!(
        [0, 2, 3].iter().all(|id| (14..=20).contains(&on(*id))),
        "they are spread: {:?}",
        drained.kafka.partitions
    );
}

#[test]
fn a_drain_that_is_taken_back_ends_in_no_moves_and_no_throttles() {
    for replicas_again in [true, false] {
        let mut drained = Drained::start();
        drained.kafka.topic("orders", &[&[4, 1], &[2, 4], &[4, 3]]);
        drained.kafka.topic("others", &[&[1, 2]]);
        drained.scale_down(3);
        drained.pass();
        drained.pass();
        drained.kafka.arrive(1);
        // A tool moves a partition that has nothing to do with it.
        let foreign = drained.kafka.partitions.get_mut(&("others".to_owned(), 0)).unwrap();
        (foreign.adding, foreign.removing, foreign.replicas) = (vec![3], vec![2], vec![1, 3, 2]);
        if replicas_again {
            drained.world.pool(B, |pool| pool["spec"]["replicas"] = json!(4));
        } else {
            drained.annotate(B, &json!({}));
        }
        // A new process goes on with it.
        drained.world.observed.draining = None;
        let plan = drained.pass();
        let partitions = [("orders".to_owned(), BTreeSet::from([1, 2]))].into();
        assert_eq!(plan.calls[0], AdminCall::CancelMoves { partitions });
        assert_eq!(drained.kafka.replicas("orders", 1), [2, 4]);
        assert!(drained.kafka.replicas("others", 0).len() == 3, "what others move goes on");
        drained.pass();
        assert!(drained.kafka.throttled.is_empty(), "{:?}", drained.kafka.throttled);
        assert!(!drained.kafka.is_free(), "rates stay while anything moves");
        drained.kafka.arrive(1);
        let plan = drained.pass();
        assert_eq!(events(&plan), ["NodesDrainEnded"]);
        assert!(plan.events[0].text.contains("no partition is moved off nodes 4"), "{}", plan.events[0].text);
        assert!(drained.kafka.is_free(), "{:?}", drained.kafka.rates);
        let plan = drained.pass();
        assert!(!remembers(&plan) && plan.draining.is_none() || !remembers(&drained.pass()));
        assert_eq!(listed(&plan), [0, 1, 2, 3, 4, 5].into());
        assert_eq!(warning_with(&plan, "NodesDrain"), None);
    }
}

#[test]
fn what_cannot_move_is_named_and_everything_else_moves() {
    let mut drained = Drained::start();
    drained.kafka.topic("wide", &[&[0, 1, 2, 3, 4]]);
    drained.kafka.topic("orders", &[&[4, 1]]);
    drained.kafka.topic("lost", &[&[4]]);
    drained.kafka.partitions.get_mut(&("lost".to_owned(), 0)).unwrap().leader = -1;
    drained.scale_down(3);
    drained.pass();
    drained.pass();
    drained.kafka.arrive(9);
    let plan = drained.pass();
    let message = warning_with(&plan, "NodesDrain").unwrap();
    for part in [
        "more replicas than the 4 brokers that stay",
        "wide (5)",
        "nobody leads the partitions lost-0",
        "2 partitions are left on node 4",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(drained.kafka.replicas("wide", 0), [0, 1, 2, 3, 4]);
    assert!(!drained.kafka.replicas("orders", 0).contains(&4));
    // The user gives it fewer replicas; the lost one has a leader again.
    drained.kafka.topic("wide", &[&[1, 2, 4]]);
    drained.kafka.topic("lost", &[&[4]]);
    let plan = drained.finish();
    assert_eq!(listed(&plan), [0, 1, 2, 3, 5].into());
}

#[test]
fn nothing_goes_to_a_broker_that_is_down_or_leaves_and_the_status_says_what_is_waited_for() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[[4, 1, 2].as_slice(); 6]);
    drained.kafka.down = [0, 3].into();
    drained.scale_down(3);
    drained.pass();
    let plan = drained.pass();
    assert_eq!(moves(&plan), 0);
    let message = warning_with(&plan, "NodesDrain").unwrap();
    assert!(message.contains("brokers 0, 3 are down, and partitions wait for them"), "{message}");
    drained.kafka.down = [0].into();
    assert_eq!(moves(&drained.pass()), 6);
    // The broker that they go to goes down, for a long time.
    drained.kafka.down = [0, 3].into();
    drained.pass();
    drained.world.now += std::time::Duration::from_mins(15);
    let message = warning_with(&drained.pass(), "NodesDrain").unwrap();
    assert!(
        message.contains("brokers 3 are down") && message.contains("no partition has arrived since"),
        "{message}"
    );
    assert!(message.contains("orders-0 to 3"), "{message}");
    // It is to leave as well: they go elsewhere.
    drained.world.pool(B, |pool| pool["spec"]["replicas"] = json!(2));
    drained.kafka.down.clear();
    assert_eq!(moves(&drained.pass()), 6);
    let plan = drained.finish();
    assert_eq!(listed(&plan), [0, 1, 2, 5].into());
}

#[test]
fn throttles_of_others_stay_and_the_rate_can_be_changed() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[4, 1]]);
    drained.kafka.topic("theirs", &[&[4, 1]]);
    let theirs = ThrottledReplicas { leaders: "*".to_owned(), followers: "*".to_owned() };
    drained.kafka.throttled.insert("theirs".to_owned(), theirs.clone());
    let name = "leader.replication.throttled.rate".to_owned();
    drained.kafka.rates.entry(1).or_default().insert(name.clone(), "7".to_owned());
    drained
        .world
        .kafka(|kafka| kafka["metadata"]["annotations"] = json!({"kastellan.io/drain-rate": "10Mi"}));
    drained.scale_down(3);
    drained.pass();
    drained.pass();
    assert_eq!(drained.kafka.rates[&4][&name], "10485760");
    assert_eq!(drained.kafka.rates[&1][&name], "7");
    drained.world.kafka(|kafka| kafka["metadata"]["annotations"]["kastellan.io/drain-rate"] = json!("1Mi"));
    drained.pass();
    drained.pass();
    assert_eq!(drained.kafka.rates[&4][&name], "1048576");
    drained.world.kafka(|kafka| kafka["metadata"]["annotations"]["kastellan.io/drain-rate"] = json!("fast"));
    let warning = warning_with(&drained.plan(), "InvalidDrainRate").unwrap();
    assert!(warning.contains("\"fast\"") && warning.contains("100Mi"), "{warning}");
    drained.finish();
    assert_eq!(drained.kafka.throttled, [("theirs".to_owned(), theirs)].into());
    let left: Vec<_> = drained.kafka.rates.values().flat_map(|rates| rates.values()).collect();
    assert_eq!(left, ["7"]);
}

#[test]
fn a_broker_that_is_emptied_is_cordoned_and_one_that_comes_back_is_not() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[4, 1]]);
    drained.scale_down(3);
    drained.pass();
    drained.world.tell_options(&[]);
    let cordon = |broker: i32, value: Option<&str>| AdminCall::AlterBrokerConfig {
        broker: Some(broker),
        changes: [("cordoned.log.dirs".to_owned(), value.map(str::to_owned))].into(),
    };
    let plan = drained.plan();
    assert_eq!(plan.calls[0], cordon(4, Some("*")), "before anything moves");
    assert!(matches!(plan.calls[1], AdminCall::MovePartitions { .. }), "{:?}", plan.calls);
    drained.world.observed.view.as_mut().unwrap().metadata_level = Some(29);
    assert!(matches!(drained.plan().calls[0], AdminCall::MovePartitions { .. }), "Kafka would refuse it");
    drained.world.observed.view.as_mut().unwrap().metadata_level = Some(30);
    drained.world.pool(B, |pool| pool["spec"]["replicas"] = json!(4));
    let view =
        ConfigView { value: Some("*".to_owned()), on_broker: Some("*".to_owned()), ..ConfigView::default() };
    let configs = &mut drained.world.observed.view.as_mut().unwrap().broker_configs;
    configs.get_mut(&4).unwrap().insert("cordoned.log.dirs".to_owned(), view);
    let plan = drained.plan();
    assert!(plan.calls.contains(&cordon(4, None)), "{:?}", plan.calls);
    assert_eq!(warning_with(&plan, "ForeignBrokerConfiguration"), None);
}

#[test]
fn a_pool_that_is_deleted_waits_until_its_nodes_are_empty() {
    let finalizers = |plan: &Plan| -> Vec<Vec<String>> {
        // That of the controllers' pool is another story.
        let of_brokers =
            plan.finalizers.iter().filter(|change| ["a", "b"].contains(&change.object.name.as_str()));
        of_brokers.map(|change| change.finalizers.clone()).collect()
    };
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[0, 1]]);
    assert!(drained.pass().finalizers.is_empty());
    drained
        .world
        .kafka(|kafka| kafka["metadata"]["annotations"] = json!({"kastellan.io/drain-nodes": "true"}));
    drained.annotate(B, &json!({"kastellan.io/drain-nodes": "false"}));
    let plan = drained.pass();
    assert_eq!(
        finalizers(&plan),
        [["kastellan.io/drain-nodes"]],
        "pool a alone of those with brokers: the other one says no"
    );
    assert_eq!(plan.finalizers[0].object.name, "a");
    drained.world.pool(A, |pool| {
        pool["metadata"]["finalizers"] = json!(["kastellan.io/drain-nodes"]);
        pool["metadata"]["deletionTimestamp"] = json!("2026-06-01T12:00:00Z");
    });
    drained.pass();
    let plan = drained.pass();
    assert_eq!((moves(&plan), finalizers(&plan)), (1, vec![]));
    drained.kafka.arrive(1);
    let mut waited = 0;
    let plan = loop {
        let plan = drained.pass();
        if !finalizers(&plan).is_empty() {
            break plan;
        }
        waited += 1;
        assert!(waited < 10);
    };
    assert_eq!(finalizers(&plan), [Vec::<String>::new()]);
    assert!(!listed(&plan).contains(&0) && !drained.world.observed.pods.contains_key("my-a-0"));
    assert!(drained.kafka.is_free() && !drained.kafka.holders().contains(&0));
}

#[test]
fn while_kafka_does_not_say_how_far_it_is_nothing_is_given_up() {
    let mut drained = Drained::start();
    drained.kafka.topic("orders", &[&[4, 1]]);
    drained.scale_down(3);
    drained.pass();
    drained.pass();
    drained.kafka.arrive(1);
    drained.plan();
    drained.world.drain = None;
    let plan = drained.world.plan();
    assert!(remembers(&plan) && listed(&plan).contains(&4), "{:?}", listed(&plan));
    assert!(plan.calls.is_empty(), "{:?}", plan.calls);
    drained.world.observed.view.as_mut().unwrap().brokers_with_replicas = None;
    let plan = drained.world.plan();
    assert!(remembers(&plan) && listed(&plan).contains(&4));
    assert!(warning_with(&plan, "NodesDrain").unwrap().contains("Kafka has not said how far"));
}
