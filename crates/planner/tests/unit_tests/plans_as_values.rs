//! The plan of every kind can be printed as a value, and shows nothing of what Secrets hold. Of a Kafka, `secrecy.rs` shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use planner::completion::{Planned, complete};
use planner::kafka_connector::round::{Look, Names, ObservedRound as Round};
use planner::node_pool::{KafkaNamed, ObservedNodePool as Pool};
use planner::plan::Plan;
use planner::pod_set::plan as pod_set;
use serde_json::{Value, json};

use crate::common::bridge::Bridge;
use crate::common::connect::{Connect, certificate, secret};
use crate::common::mirror::Mirror;
use crate::common::reference;
use crate::connectors::World;
use crate::kafka_mirror_maker::Older;

const MARK: &str = "hunter2-of-the-database";

/// A plan as a value. What all plans have in common stands in it as in the plan of a Kafka.
fn printed(plan: &impl Planned) -> Value {
    let value = serde_json::to_value(plan).unwrap();
    let common = serde_json::to_value(Plan::<(), (), ()>::default()).unwrap();
    for field in common.as_object().unwrap().keys() {
        assert!(value.get(field).is_some(), "{field} is missing: {value}");
    }
    value
}

/// A Secret with a certificate, its key and a password, and what would betray them.
fn marked(name: &str) -> (Arc<k8s_openapi::api::core::v1::Secret>, Vec<String>) {
    let (certificate, key) = certificate();
    let made = secret(name, &[("password", MARK), ("user.crt", &certificate), ("user.key", &key)]);
    (made, vec![MARK.to_owned(), key.lines().nth(1).unwrap().to_owned()])
}

fn assert_hidden(plan: &Value, betrayals: &[String]) {
    let text = plan.to_string();
    for betrayal in betrayals {
        assert!(!text.contains(betrayal), "{betrayal} in {text}");
        assert!(!text.contains(&STANDARD.encode(betrayal)), "{betrayal} in base64 in {text}");
    }
}

/// Ways to authenticate with what the Secret has.
fn authentications(secret: &str) -> [Value; 2] {
    [
        json!({"type": "scram-sha-512", "username": "me",
            "passwordSecret": {"secretName": secret, "password": "password"}}),
        json!({"type": "tls",
            "certificateAndKey": {"secretName": secret, "certificate": "user.crt", "key": "user.key"}}),
    ]
}

fn spec_of(plan: &Value, kind: &str) -> Value {
    let objects = plan["apply"].as_array().unwrap();
    objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("{plan}"))["object"]["spec"]
        .clone()
}

#[test]
fn of_workers_and_of_bridges() {
    for authentication in authentications("own") {
        let (own, betrayals) = marked("own");
        let mut connect = Connect::new(&reference("connect.input.yaml"));
        connect.refer(Arc::clone(&own));
        connect.resource["spec"]["authentication"] = authentication.clone();
        let first = printed(&connect.plan());
        assert_hidden(&first, &betrayals);
        assert!(spec_of(&first, "StrimziPodSet")["pods"].is_array());
        assert_hidden(&printed(&connect.settle()), &betrayals);

        let mut bridge = Bridge::new(&reference("bridge.input.yaml"));
        bridge.refer(own);
        bridge.resource["spec"]["authentication"] = authentication;
        let first = printed(&bridge.plan());
        assert_hidden(&first, &betrayals);
        assert!(spec_of(&first, "Deployment")["template"].is_object());
        assert_hidden(&printed(&bridge.settle()), &betrayals);
    }
}

#[test]
fn of_a_mirror_and_its_connectors() {
    for authentication in authentications("own") {
        let (own, betrayals) = marked("own");
        let mut mirror = Mirror::new(&reference("mirror.input.yaml"));
        mirror.observed.referred_secrets.insert("own".to_owned(), own);
        mirror.resource["spec"]["mirrors"][0]["source"]["authentication"] = authentication;
        let mut calls = Vec::new();
        for _ in 0..6 {
            let plan = mirror.plan();
            let value = printed(&plan);
            assert_hidden(&value, &betrayals);
            calls.extend(value["calls"].as_array().unwrap().clone());
            mirror.apply(&plan);
            // From now on Connect can be asked, and has no connector yet.
            mirror.connectors();
        }
        let made = calls.iter().find(|call| call["Connector"]["name"] == "src->dst.MirrorSourceConnector");
        let made = &made.unwrap_or_else(|| panic!("{calls:?}"))["Connector"]["doing"]["call"]["Create"];
        assert_eq!(made["config"]["source.cluster.alias"], "src");
    }
}

#[test]
fn of_an_older_mirror() {
    for authentication in authentications("own") {
        let mut older = Older::new();
        older.resource["spec"]["consumer"]["authentication"] = authentication.clone();
        let value = printed(&older.plan());
        let source = &spec_of(&value, "KafkaMirrorMaker2")["mirrors"][0]["source"];
        assert_eq!(
            source["authentication"], authentication,
            "it refers to the Secret, which nobody reads for it"
        );
        assert_eq!(value["calls"], json!([]));
    }
}

#[test]
fn of_a_connector() {
    let mut world = World::new(&json!({"config": {"password": "${strimzisecrets:ns/own:password}"}}));
    let value = printed(&world.plan());
    let made = &value["calls"][0]["call"]["Create"];
    assert_eq!(made["config"]["password"], "${strimzisecrets:ns/own:password}");
    assert_eq!((&value["take_off"], &value["waits_for_connect"]), (&json!([]), &json!(false)));
}

#[test]
fn of_a_round_over_connectors() {
    let round = Round {
        look: Look::Here(BTreeMap::from([("undeclared".to_owned(), 1)])),
        absent: 0,
        declared: BTreeMap::new(),
        unreadable: BTreeSet::new(),
        left: BTreeSet::new(),
        names: Names::Needed,
        keeps_all: None,
        last_turn: None,
        interval: Duration::from_secs(30),
    };
    let plan = complete(round, Timestamp::UNIX_EPOCH, |_| Some(BTreeSet::new())).unwrap().1;
    let value = printed(&plan);
    assert_eq!(value["calls"], json!(["undeclared"]));
    assert_eq!((&value["is_complete"], &value["forget"]), (&json!(true), &json!([])));
}

#[test]
fn of_a_pod_set_and_of_a_node_pool() {
    let set = json!({"metadata": {"name": "s", "namespace": "ns", "uid": "u"}, "spec": {"selector": {}, "pods": [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "s-0", "namespace": "ns"}}]}});
    let set = serde_json::from_value(set).unwrap();
    let value = printed(&pod_set::plan(&set, &[]));
    assert_eq!(value["calls"][0]["Create"]["metadata"]["name"], "s-0");

    let pool = json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"},
        "spec": {"replicas": 1, "roles": ["broker"], "storage": {"type": "ephemeral"}}});
    let pool = Pool {
        pool: Arc::new(serde_json::from_value(pool).unwrap()),
        nobodys: None,
        exists: None,
        drains: false,
    };
    let plan = complete(pool, Timestamp::UNIX_EPOCH, |KafkaNamed(_)| false).unwrap().1;
    assert_eq!(printed(&plan)["needs"], json!([]));
}
