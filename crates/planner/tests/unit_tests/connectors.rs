//! Every transition of a connector.

use std::sync::Arc;

use api::common::connector::ConnectorState;
use api::conditions::Condition;
use api::{KafkaConnector, KafkaConnectorStatus};
use jiff::{SignedDuration, Timestamp};
use planner::completion::Observation;
use planner::kafka_connector::actual::{Actual, Part, State};
use planner::kafka_connector::asked::Annotation;
use planner::kafka_connector::call::ConnectorCall;
use planner::kafka_connector::observed::{
    Cluster, ConnectorAnswer, ConnectorNeed, ConnectorPlan, ObservedConnector, SeenInConnect,
};
use planner::kafka_connector::past::{FailureKind, Past};
use serde_json::{Value, json};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1000) + SignedDuration::from_secs(second)
}

pub(crate) fn part(word: &str, trace: Option<&str>) -> Part {
    Part {
        state: State::of(word),
        worker: "w:8083".to_owned(),
        trace: trace.map(ToOwned::to_owned),
        version: None,
    }
}

/// A connector of class `A` in this state, with tasks in these.
pub(crate) fn actual(word: &str, tasks: &[&str]) -> Actual {
    let trace = |word: &str| (word == "FAILED").then_some("java.lang.X: boom\n\tat y");
    let config = [("name", "a"), ("connector.class", "A"), ("k", "v")];
    Actual {
        config: config.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        type_: Some("source".to_owned()),
        connector: part(word, trace(word)),
        tasks: (0..).zip(tasks.iter().map(|word| part(word, trace(word)))).collect(),
    }
}

fn resource(spec: &Value, annotations: &Value) -> KafkaConnector {
    let mut whole = json!({"class": "A", "config": {"k": "v"}});
    for (name, value) in spec.as_object().unwrap() {
        whole[name] = value.clone();
    }
    serde_json::from_value(json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnector", "spec": whole,
        "metadata": {"name": "a", "namespace": "ns", "generation": 1, "annotations": annotations,
            "labels": {"strimzi.io/cluster": "c"}},
    }))
    .unwrap()
}

/// A connector on paper: passes are made over it, and what they call is noted.
pub(crate) struct World {
    pub observed: ObservedConnector,
    pub now: Timestamp,
}

impl World {
    pub(crate) fn new(spec: &Value) -> Self {
        Self::annotated(spec, &json!({}))
    }

    pub(crate) fn annotated(spec: &Value, annotations: &Value) -> Self {
        let observed = ObservedConnector {
            connector: Arc::new(resource(spec, annotations)),
            cluster: Cluster::Usable { name: "c".to_owned() },
            seen: SeenInConnect::Here(None),
            past: Past::default(),
            answered: Vec::new(),
            topics_wanted: false,
            topics: None,
        };
        Self { observed, now: at(0) }
    }

    pub(crate) fn sees(mut self, actual: Actual) -> Self {
        self.observed.seen = SeenInConnect::Here(Some(actual));
        self
    }

    pub(crate) fn after(&mut self, seconds: i64) -> &mut Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    pub(crate) fn plan(&mut self) -> ConnectorPlan {
        self.observed.prepare(self.now);
        self.observed.plan(self.now)
    }

    /// A pass whose status is written.
    pub(crate) fn pass(&mut self) -> ConnectorPlan {
        let plan = self.plan();
        if let Some(status) = &plan.status {
            Arc::make_mut(&mut self.observed.connector).status = Some(status.clone());
        }
        plan
    }

    /// The call of a pass.
    pub(crate) fn call(&mut self) -> Option<ConnectorCall> {
        self.pass().common.calls.into_iter().next().map(|doing| doing.call)
    }

    pub(crate) fn made(&mut self) {
        let plan = self.plan();
        self.observed.past.note_made(&plan.calls[0].call, self.now);
    }

    pub(crate) fn fails(&mut self, kind: FailureKind, why: &str) {
        let plan = self.plan();
        self.observed.past.note_failed(&plan.calls[0].call, kind, why.to_owned(), self.now);
    }

    /// Type, reason and message of the conditions.
    pub(crate) fn says(&mut self) -> Vec<(String, String, String)> {
        self.pass();
        self.conditions()
    }

    pub(crate) fn conditions(&self) -> Vec<(String, String, String)> {
        let conditions = self.observed.connector.status.as_ref().and_then(|status| status.conditions.clone());
        let text = |condition: Condition| {
            (condition.type_, condition.reason.unwrap_or_default(), condition.message.unwrap_or_default())
        };
        conditions.unwrap_or_default().into_iter().map(text).collect()
    }

    pub(crate) fn ready(&mut self) {
        assert_eq!(self.says(), [("Ready".to_owned(), String::new(), String::new())]);
    }

    /// The words of the one condition that says it is not ready.
    pub(crate) fn not_ready(&mut self, reason: &str) -> String {
        let says = self.says();
        assert_eq!((says[0].0.as_str(), says[0].1.as_str()), ("NotReady", reason), "{says:?}");
        says[0].2.clone()
    }
}

#[test]
fn a_connector_is_made_in_the_state_that_it_is_to_have() {
    for (spec, state) in [
        (json!({}), ConnectorState::Running),
        (json!({"state": "paused"}), ConnectorState::Paused),
        (json!({"pause": true}), ConnectorState::Paused),
        (json!({"state": "stopped"}), ConnectorState::Stopped),
    ] {
        let (mut world, config) = (World::new(&spec), actual("RUNNING", &[]).config);
        assert_eq!(world.call(), Some(ConnectorCall::Create { config, state }));
    }
}

#[test]
fn every_state_is_led_to_the_one_that_is_asked_for() {
    let extra =
        |word: &str, wanted: &str| World::new(&json!({"state": wanted})).sees(actual(word, &[])).call();
    let table = [
        ("RUNNING", "running", None),
        ("PAUSED", "running", Some(ConnectorCall::Resume)),
        ("STOPPED", "running", Some(ConnectorCall::Resume)),
        ("FAILED", "running", None),
        ("UNASSIGNED", "running", None),
        ("RESTARTING", "running", None),
        ("RUNNING", "paused", Some(ConnectorCall::Pause)),
        ("PAUSED", "paused", None),
        ("STOPPED", "paused", Some(ConnectorCall::Pause)),
        ("FAILED", "paused", None),
        ("UNASSIGNED", "paused", None),
        ("RUNNING", "stopped", Some(ConnectorCall::Stop)),
        ("PAUSED", "stopped", Some(ConnectorCall::Stop)),
        ("STOPPED", "stopped", None),
        ("FAILED", "stopped", Some(ConnectorCall::Stop)),
        ("UNASSIGNED", "stopped", None),
        ("DREAMING", "stopped", None),
    ];
    for (word, wanted, call) in table {
        assert_eq!(extra(word, wanted), call, "{word} to {wanted}");
    }
}

#[test]
fn options_are_written_when_they_differ_from_those_that_connect_has_and_only_then() {
    let call = |spec: &Value, change: fn(&mut Actual)| {
        let mut seen = actual("RUNNING", &["RUNNING"]);
        change(&mut seen);
        World::new(spec).sees(seen).call()
    };
    assert_eq!(call(&json!({}), |_| {}), None);
    let differs = [
        call(&json!({"class": "B"}), |_| {}),
        call(&json!({"tasksMax": 3}), |_| {}),
        call(&json!({"version": "1.0"}), |_| {}),
        call(&json!({"config": {"k": "w"}}), |_| {}),
        call(&json!({"config": {}}), |_| {}),
        call(&json!({}), |seen| drop(seen.config.insert("by.hand".to_owned(), "1".to_owned()))),
        // Options come before the state.
        call(&json!({"config": {"k": "w"}, "state": "stopped"}), |_| {}),
    ];
    for call in differs {
        assert!(matches!(call, Some(ConnectorCall::Configure { .. })), "{call:?}");
    }
    let same = |spec: Value, name: &'static str, value: &'static str| {
        let mut seen = actual("RUNNING", &["RUNNING"]);
        seen.config.insert(name.to_owned(), value.to_owned());
        World::new(&spec).sees(seen).call()
    };
    assert_eq!(same(json!({"tasksMax": 3}), "tasks.max", "3"), None);
    assert_eq!(same(json!({"version": "[1,2)"}), "connector.plugin.version", "[1,2)"), None);
    assert_eq!(same(json!({"config": {"k": "v", "n": 5}}), "n", "5"), None);
}

#[test]
fn what_was_done_is_given_time_to_show_and_is_then_done_again() {
    let mut world = World::new(&json!({"state": "paused"})).sees(actual("RUNNING", &["RUNNING"]));
    world.made();
    assert_eq!(world.after(1).call(), None);
    let soon = world.plan().look_again.unwrap().as_millis();
    assert!((100..2000).contains(&soon), "{soon}");
    assert_eq!(world.after(10).call(), Some(ConnectorCall::Pause));
}

#[test]
fn a_short_wait_is_not_told_and_a_long_one_is() {
    let mut world = World::new(&json!({})).sees(actual("UNASSIGNED", &[]));
    assert_eq!(world.pass().status, None);
    assert_eq!(world.after(2).pass().status, None);
    let words = world.after(2).not_ready("Creating");
    assert!(words.contains("UNASSIGNED"), "{words}");
    // One that was ready stays so through a rebalance, and not for ever.
    let mut world = World::new(&json!({})).sees(actual("RUNNING", &["RUNNING"]));
    world.ready();
    world.observed.seen = SeenInConnect::Here(Some(actual("UNASSIGNED", &["UNASSIGNED"])));
    world.after(60).pass();
    world.after(60).ready();
    world.after(600).not_ready("Creating");
}

#[test]
fn a_rebalance_is_waited_for_and_is_no_error() {
    let mut world = World::new(&json!({}));
    for _ in 0..5 {
        world.fails(FailureKind::Rebalancing, "rebalance");
        assert_eq!(world.call(), None);
        let says = world.conditions();
        assert!(says.iter().all(|(_, reason, _)| reason == "Creating"), "{says:?}");
        world.after(1);
        while world.plan().calls.is_empty() {
            world.after(1);
        }
    }
    let mut world = World::new(&json!({"config": {}})).sees(actual("RUNNING", &["RUNNING"]));
    world.observed.connector = Arc::new(KafkaConnector {
        status: Some(KafkaConnectorStatus {
            conditions: Some(vec![Condition::ready()]),
            observed_generation: Some(1),
            ..KafkaConnectorStatus::default()
        }),
        ..(*world.observed.connector).clone()
    });
    world.fails(FailureKind::Rebalancing, "rebalance");
    world.pass();
    world.after(5).pass();
    assert_eq!(world.conditions()[0].0, "Ready");
}

#[test]
fn a_connector_whose_start_hangs_is_waited_for_ever_more_rarely() {
    let mut world = World::new(&json!({}));
    for _ in 0..4 {
        world.fails(FailureKind::NotStarted, "exists");
        world.after(4).pass();
        let words = world.not_ready("Creating");
        assert!(words.contains("its start hangs"), "{words}");
        while world.plan().calls.is_empty() {
            world.after(1);
        }
        world.not_ready("Creating");
    }
    assert!(world.now >= at(5 + 10 + 20 + 40), "{}", world.now);
}

#[test]
fn what_connect_refuses_is_told_and_is_not_sent_again_and_again() {
    let mut world = World::new(&json!({"config": {"k": "${strimzidir:/x:y}"}}));
    world.fails(FailureKind::Refused, "2 error(s):\nInvalid value hunter2 for configuration k: no");
    let words = world.not_ready("ConnectRestException");
    assert!(words.contains("2 error(s)") && !words.contains("hunter2"), "{words}");
    assert_eq!(world.after(60).call(), None);
    // A corrected resource is sent at once.
    let mut corrected = resource(&json!({"config": {"k": "w"}}), &json!({}));
    corrected.metadata.generation = Some(2);
    world.observed.connector = Arc::new(corrected);
    assert!(matches!(world.call(), Some(ConnectorCall::Create { .. })));
    let mut world = World::new(&json!({}));
    world.fails(FailureKind::Refused, "no such class");
    assert!(
        matches!(world.after(120).call(), Some(ConnectorCall::Create { .. })),
        "the workers may have the class by now"
    );
    world.not_ready("ConnectRestException");
}

#[test]
fn a_failed_connector_or_task_makes_it_not_ready_with_the_first_lines_of_its_trace() {
    let mut world = World::new(&json!({})).sees(actual("FAILED", &[]));
    assert_eq!(world.not_ready("ConnectorFailed"), "the connector has failed: java.lang.X: boom");
    let mut world = World::new(&json!({})).sees(actual("RUNNING", &["RUNNING", "FAILED"]));
    assert_eq!(world.not_ready("ConnectorFailed"), "of 2 tasks have failed: 1; task 1: java.lang.X: boom");
    let status = world.observed.connector.status.clone().unwrap();
    assert_eq!(status.tasks_max, Some(2));
    assert_eq!(status.connector_status.unwrap()["tasks"][1]["state"], "FAILED");
    let mut world = World::new(&json!({"state": "paused"})).sees(actual("FAILED", &[]));
    assert!(world.not_ready("ConnectorFailed").ends_with("cannot be paused"));
}

#[test]
fn automatic_restarts_back_off_are_counted_and_are_forgotten() {
    let restart = ConnectorCall::Restart { include_tasks: true, only_failed: true, automatic: true };
    let mut world = World::new(&json!({"autoRestart": {"enabled": true, "maxRestarts": 3}}))
        .sees(actual("RUNNING", &["FAILED"]));
    let mut minutes = Vec::new();
    for count in 1..=3 {
        let mut waited = 0;
        while world.plan().calls.is_empty() {
            world.after(60);
            waited += 1;
        }
        minutes.push(waited);
        assert_eq!(world.call(), Some(restart.clone()));
        world.observed.past.note_made(&restart, world.now);
        let told = world.observed.connector.status.clone().unwrap().auto_restart.unwrap();
        assert_eq!((told.count, told.connector_name.as_deref()), (Some(count), Some("a")));
        assert!(told.last_restart_timestamp.unwrap().ends_with('Z'));
        let words = world.after(20).not_ready("ConnectorFailed");
        assert_eq!(words.contains("it is restarted at"), count < 3, "{words}");
    }
    assert_eq!(minutes, [0, 2, 6]);
    assert_eq!(world.after(6000).call(), None);
    assert!(world.not_ready("ConnectorFailed").contains("restarted 3 times"));
    // Somebody mends it: after the pause everything is forgotten.
    world.observed.seen = SeenInConnect::Here(Some(actual("RUNNING", &["RUNNING"])));
    world.ready();
    assert_eq!(world.observed.connector.status.clone().unwrap().auto_restart, None);
}

#[test]
fn a_restart_that_the_status_does_not_say_yet_is_not_made_twice() {
    let mut world = World::new(&json!({"autoRestart": {"enabled": true}})).sees(actual("FAILED", &[]));
    let plan = world.plan();
    world.observed.past.note_made(&plan.calls[0].call, world.now);
    world.observed.past.restarted = plan.calls[0].restarts.clone();
    assert_eq!(world.after(60).call(), None);
    assert!(matches!(world.after(61).call(), Some(ConnectorCall::Restart { .. })));
}

#[test]
fn annotations_are_answered_once_and_their_failure_is_a_warning() {
    let annotations = json!({"strimzi.io/restart": "includeTasks", "strimzi.io/restart-task": "0"});
    let mut world = World::annotated(&json!({}), &annotations).sees(actual("RUNNING", &["RUNNING"]));
    let plan = world.pass();
    let restart = ConnectorCall::Restart { include_tasks: true, only_failed: false, automatic: false };
    assert_eq!(plan.calls[0].call, restart);
    let annotation = Annotation { key: "strimzi.io/restart", value: "includeTasks".to_owned(), of: None };
    assert_eq!(plan.calls[0].answers.as_ref(), Some(&annotation));
    world.observed.past.note_made(&restart, world.now);
    world.observed.answered.push(annotation.clone());
    // It is still there: it is taken off, and the next one has its turn.
    let plan = world.after(60).pass();
    assert_eq!(plan.take_off, [annotation]);
    assert_eq!(plan.calls[0].call, ConnectorCall::RestartTask { task: 0 });
    world.observed.past.note_failed(
        &plan.calls[0].call,
        FailureKind::Missing,
        "no task 0".to_owned(),
        world.now,
    );
    let says = world.says();
    assert_eq!((says[0].0.as_str(), says[1].1.as_str()), ("Ready", "RestartConnectorTask"));
    assert!(world.plan().calls.is_empty());
    assert!(!world.after(10).plan().calls.is_empty(), "it is tried again");
}

#[test]
fn offsets_are_changed_only_while_the_connector_is_stopped() {
    let spec = |state: &str| {
        json!({"state": state, "listOffsets": {"toConfigMap": {"name": "l"}},
            "alterOffsets": {"fromConfigMap": {"name": "f"}}})
    };
    let world = |asked: &str, state: &str, word: &str| {
        let annotations = json!({"strimzi.io/connector-offsets": asked});
        World::annotated(&spec(state), &annotations).sees(actual(word, &[]))
    };
    assert_eq!(
        world("list", "running", "RUNNING").call(),
        Some(ConnectorCall::ListOffsets { config_map: "l".to_owned() })
    );
    assert_eq!(
        world("alter", "stopped", "STOPPED").call(),
        Some(ConnectorCall::AlterOffsets { config_map: "f".to_owned() })
    );
    assert_eq!(world("reset", "stopped", "STOPPED").call(), Some(ConnectorCall::ResetOffsets));
    // It is stopped first.
    assert_eq!(world("reset", "stopped", "RUNNING").call(), Some(ConnectorCall::Stop));
    for (asked, reason) in [("alter", "AlterOffsets"), ("reset", "ResetOffsets")] {
        let mut world = world(asked, "running", "RUNNING");
        assert_eq!(world.call(), None);
        let says = world.conditions();
        assert_eq!((says[0].0.as_str(), says[1].1.as_str()), ("Ready", reason), "{says:?}");
        assert!(says[1].2.contains("state: stopped"));
    }
}

#[test]
fn a_connector_without_a_usable_cluster_says_what_is_missing() {
    let says = |cluster: Cluster| {
        let mut world = World::new(&json!({}));
        world.observed.cluster = cluster;
        world.not_ready("NoSuchResourceException")
    };
    let name = || "c".to_owned();
    assert!(says(Cluster::Unnamed).contains("strimzi.io/cluster"));
    assert!(
        says(Cluster::Unknown { name: name(), exists: Some(false) }).contains("no KafkaConnect resource c")
    );
    assert!(says(Cluster::WithoutResources { name: name() }).contains("strimzi.io/use-connector-resources"));
    assert!(says(Cluster::WithoutWorkers { name: name() }).contains("0 replicas"));
    let mut world = World::new(&json!({}));
    world.observed.cluster = Cluster::Unknown { name: name(), exists: None };
    assert_eq!(world.plan().needs, [ConnectorNeed::ConnectNamed(name())]);
    world.observed.answer(ConnectorNeed::ConnectNamed(name()), ConnectorAnswer::Exists(true));
    assert_eq!(world.plan(), ConnectorPlan::default(), "another operator looks after it");
}

#[test]
fn a_connect_that_is_away_is_told_at_once_to_what_waits_for_it_and_later_to_what_was_ready() {
    let mut waiting = World::new(&json!({}));
    waiting.observed.seen = SeenInConnect::Away { since: at(0) };
    assert!(waiting.not_ready("ConnectTimeoutException").contains("KafkaConnect resource c"));
    let mut ready = World::new(&json!({})).sees(actual("RUNNING", &["RUNNING"]));
    ready.ready();
    ready.observed.seen = SeenInConnect::Away { since: at(0) };
    let plan = ready.after(10).pass();
    let again = plan.look_again.unwrap().as_secs();
    assert_eq!((plan.common.status, again, plan.waits_for_connect), (None, 20, true));
    ready.after(20).not_ready("ConnectTimeoutException");
    assert!(
        ready.observed.connector.status.as_ref().unwrap().connector_status.is_some(),
        "what was known stays"
    );
    ready.observed.seen = SeenInConnect::Here(Some(actual("RUNNING", &["RUNNING"])));
    ready.ready();
}

#[test]
fn what_cannot_be_carried_out_leaves_the_connector_as_it_is() {
    let mut world = World::new(&json!({"config": {"k": ["v"]}})).sees(actual("RUNNING", &["RUNNING"]));
    assert_eq!(world.call(), None);
    assert!(world.not_ready("InvalidResourceException").starts_with("spec.config.k: "));
    let paused = json!({"strimzi.io/pause-reconciliation": "true"});
    let mut world =
        World::annotated(&json!({"state": "stopped"}), &paused).sees(actual("RUNNING", &["RUNNING"]));
    assert_eq!(world.call(), None);
    assert_eq!(world.conditions()[0].0, "ReconciliationPaused");
}

#[test]
fn topics_are_asked_for_in_turn_and_are_kept_between() {
    let mut world = World::new(&json!({})).sees(actual("RUNNING", &["RUNNING"]));
    world.observed.topics_wanted = true;
    assert_eq!(world.plan().needs, [ConnectorNeed::Topics]);
    world.observed.answer(ConnectorNeed::Topics, ConnectorAnswer::Topics(Some(vec!["t".to_owned()])));
    world.ready();
    let topics = |world: &World| world.observed.connector.status.clone().unwrap().topics;
    assert_eq!(topics(&world), Some(vec!["t".to_owned()]));
    (world.observed.topics_wanted, world.observed.topics) = (false, None);
    world.ready();
    assert_eq!(topics(&world), Some(vec!["t".to_owned()]));
    world.observed.topics = Some(None);
    world.ready();
    assert_eq!(topics(&world), Some(vec!["t".to_owned()]), "an answer that did not come takes nothing away");
}

#[test]
fn a_settled_connector_is_not_looked_at_again_by_itself() {
    let mut world = World::new(&json!({})).sees(actual("RUNNING", &["RUNNING"]));
    world.pass();
    let plan = world.after(60).pass();
    assert_eq!((plan.look_again, plan.calls.len()), (None, 0));
    let before = world.observed.connector.status.clone();
    assert_eq!(world.after(1000).pass().status, before);
    // One without tasks may get some in a moment.
    let mut young = World::new(&json!({})).sees(actual("RUNNING", &[]));
    assert!(young.plan().look_again.is_some() && young.after(31).plan().look_again.is_none());
}
