//! Nothing is smuggled into the files that Kafka and Log4j read: whatever a resource says, either it is refused or Java
//! reads back exactly what was meant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use crate::common::java_properties::load;
use crate::common::{World, condition, object};
use planner::kafka::observed::Observed;
use planner::kafka::plan::Plan;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Text with much of what means something in a properties file or in a list.
fn text() -> impl Strategy<Value = String> {
    let special = prop_oneof![
        Just(" "),
        Just("\n"),
        Just("\r\n"),
        Just("\t"),
        Just("\\"),
        Just("\\u006c"),
        Just("="),
        Just(":"),
        Just("#"),
        Just("!"),
        Just(";"),
        Just(","),
        Just("\0"),
        Just("\u{fc}"),
        Just("\u{1f600}"),
        Just("${strimzienv:HOME}"),
        Just("://"),
        Just("{nodeId}"),
        Just("}"),
        Just("User:"),
    ];
    let known = prop_oneof![
        Just("super.users"),
        Just("node.id"),
        Just("listener.name.replication-9091.ssl.client.auth"),
        Just("num.partitions"),
        Just("rootLogger.level"),
        Just("kafka.log"),
    ];
    let piece = prop_oneof![
        3 => special.prop_map(str::to_owned),
        2 => known.prop_map(str::to_owned),
        3 => "[A-Za-z0-9._-]{1,6}",
        1 => "\\PC{0,3}",
    ];
    proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// What a resource says; the parts that stand in lists and names are left out now and then, so that some are accepted.
#[derive(Debug, Clone)]
struct Said {
    options: BTreeMap<String, String>,
    super_users: Vec<String>,
    rack: Option<String>,
    class: Option<String>,
    host: Option<String>,
    template: Option<String>,
    listener: BTreeMap<String, String>,
    loggers: BTreeMap<String, String>,
    property: Option<(String, String)>,
}

fn said() -> impl Strategy<Value = Said> {
    let name = || prop_oneof![8 => "[a-z0-9._-]{1,12}", 1 => text()];
    let plain = || prop_oneof![8 => "[A-Za-z][A-Za-z0-9._-]{0,8}", 1 => text()];
    let map = move || proptest::collection::btree_map(name(), text(), 0..3);
    (
        map(),
        proptest::collection::vec(plain(), 0..3),
        proptest::option::of(plain()),
        proptest::option::of(plain()),
        proptest::option::of(plain()),
        proptest::option::of(plain()),
        map(),
        proptest::collection::btree_map(name(), plain(), 0..3),
        proptest::option::of((plain(), plain())),
    )
        .prop_map(|(options, super_users, rack, class, host, template, listener, loggers, property)| {
            Said { options, super_users, rack, class, host, template, listener, loggers, property }
        })
}

/// A cluster that has its keys already: making them takes longer than all the rest.
fn with_keys() -> World {
    static OBSERVED: OnceLock<Observed> = OnceLock::new();
    let mut world = World::load("dual-role.input.yaml");
    let observed = OBSERVED.get_or_init(|| {
        let mut world = World::load("dual-role.input.yaml");
        let plan = world.plan();
        world.apply(&plan);
        world.observed
    });
    world.observed = observed.clone();
    world
}

fn planned(said: &Said) -> Plan {
    let mut world = with_keys();
    world.kafka(|kafka| {
        let spec = &mut kafka["spec"]["kafka"];
        for (name, value) in &said.options {
            spec["config"][name.as_str()] = json!(value);
        }
        let kind = if said.class.is_some() { "custom" } else { "simple" };
        spec["authorization"] =
            json!({"type": kind, "superUsers": said.super_users, "authorizerClass": said.class});
        if let Some(variable) = &said.rack {
            spec["rack"] = json!({"type": "environment-variable", "envVarName": variable});
        }
        spec["listeners"][0]["authentication"] =
            json!({"type": "custom", "sasl": true, "listenerConfig": said.listener});
        spec["listeners"][0]["configuration"] = json!({
            "advertisedHostTemplate": said.template,
            "brokers": [{"broker": 0, "advertisedHost": said.host}],
        });
        spec["logging"] = json!({"type": "inline", "loggers": said.loggers});
        if let Some((name, value)) = &said.property {
            spec["jvmOptions"] = json!({"javaSystemProperties": [{"name": name, "value": value}]});
        }
    });
    world.plan()
}

fn file(plan: &Plan, key: &str) -> Vec<(String, String)> {
    load(object(plan, "ConfigMap", "my-dual-0")["data"][key].as_str().unwrap())
}

fn control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// What must be so of a file that is written at all.
fn check(said: &Said, plan: &Plan) -> Result<(), TestCaseError> {
    let lines = file(plan, "server.config");
    let read: BTreeMap<&str, &str> =
        lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    prop_assert_eq!(read.len(), lines.len(), "no line replaces another one");
    let plain = planned(&Said {
        options: BTreeMap::new(),
        super_users: Vec::new(),
        listener: BTreeMap::new(),
        ..said.clone()
    });
    let own = file(&plain, "server.config");
    for (name, value) in &own {
        let users = |text: &str| text.split(';').map(str::to_owned).collect::<Vec<_>>();
        if name == "super.users" {
            let mut wanted = users(value);
            let with_type = |user: &String| format!("User:{}", user.strip_prefix("User:").unwrap_or(user));
            wanted.extend(said.super_users.iter().map(with_type));
            prop_assert_eq!(users(read[name.as_str()]), wanted);
        } else if !said.options.contains_key(name) {
            prop_assert_eq!(read.get(name.as_str()), Some(&value.as_str()), "{}", name);
        }
    }
    for (name, value) in &said.options {
        prop_assert_eq!(read.get(name.as_str()), Some(&value.as_str()), "{:?}", name);
    }
    for (name, value) in &said.listener {
        let name = format!("listener.name.plain-9092.{name}");
        prop_assert_eq!(read.get(name.as_str()), Some(&value.as_str()), "{:?}", name);
    }
    prop_assert_eq!(
        lines.len(),
        own.len()
            + said.listener.len()
            + said.options.keys().filter(|name| !own.iter().any(|(own, _)| own == *name)).count()
    );
    prop_assert_eq!(read["advertised.listeners"].split(',').count(), 4);
    for part in read["advertised.listeners"].split(',') {
        prop_assert_eq!(part.matches("://").count(), 1, "{}", part);
        prop_assert!(!control(part) && !part.contains(' '));
    }
    if let Some(variable) = &said.rack {
        prop_assert_eq!(read["broker.rack"], format!("${{strimzienv:{variable}}}"));
        let is_plain = !control(variable) && !variable.contains(['$', '{', '}']);
        prop_assert!(is_plain, "{:?}", variable);
    }
    prop_assert!(said.class.as_ref().is_none_or(|class| !control(class)));
    let log4j = file(plan, "log4j2.properties");
    let names: BTreeSet<&String> = log4j.iter().map(|(name, _)| name).collect();
    prop_assert_eq!(names.len(), log4j.len(), "no line replaces another one");
    prop_assert_eq!(log4j.iter().filter(|(name, _)| name == "rootLogger.level").count(), 1);
    prop_assert!(log4j.iter().all(|(name, value)| !control(name) && !control(value)));
    let agent = object(plan, "ConfigMap", "my-dual-0")["data"]["agent.config"].as_str().unwrap().to_owned();
    let agent: Value = serde_json::from_str(&agent).unwrap();
    for property in agent["javaSystemProperties"].as_array().unwrap() {
        prop_assert!(!control(property["name"].as_str().unwrap()));
        prop_assert!(!control(property["value"].as_str().unwrap()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn java_reads_back_what_was_meant_or_the_resource_is_refused(said in said()) {
        let plan = planned(&said);
        if condition(&plan, "NotReady").is_some_and(|condition| condition["reason"] != "Creating") {
            prop_assert!(plan.apply.is_empty());
        } else {
            check(&said, &plan)?;
        }
    }
}

#[test]
fn odd_values_that_are_meant_go_through() {
    let listener = BTreeMap::from([(
        "plain.sasl.jaas.config".to_owned(),
        "org.example.Module required\n  a=\"b\\c\" d=\"\u{fc}\";".to_owned(),
    )]);
    let said = Said {
        options: BTreeMap::from([("my.plugin.text".to_owned(), "  two\nlines = \\ # \u{1f600}".to_owned())]),
        super_users: vec!["CN=J\u{fc}rgen M, O=x".to_owned(), "User:b".to_owned()],
        rack: Some("RACK_ID".to_owned()),
        class: None,
        host: Some("broker-0.example.com".to_owned()),
        template: Some("b{nodeId}.{nodePodName}.example.com".to_owned()),
        listener,
        loggers: BTreeMap::from([("kafka.network.RequestChannel$".to_owned(), "DEBUG".to_owned())]),
        property: Some(("a.b".to_owned(), "c d".to_owned())),
    };
    let plan = planned(&said);
    assert_eq!(condition(&plan, "NotReady").unwrap()["reason"], "Creating", "{:?}", plan.waiting_for);
    check(&said, &plan).unwrap();
}
