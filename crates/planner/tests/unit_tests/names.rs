//! Names: what is too long or has wrong characters is refused before anything is made; what is accepted makes only names
//! that the API server accepts.

use crate::common::{World, condition};
use planner::kafka::plan::{Plan, plan};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A new cluster under this name, with a pool of this name and the given operators.
fn world(name: &str, pool: &str, operators: &[&str]) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        kafka["metadata"]["name"] = json!(name);
        kafka["spec"]["entityOperator"] = json!({});
        for operator in operators {
            kafka["spec"]["entityOperator"][*operator] = json!({});
        }
    });
    world.pool(0, |value| {
        value["metadata"]["name"] = json!(pool);
        value["metadata"]["labels"]["strimzi.io/cluster"] = json!(name);
    });
    world
}

/// What the status says; empty: the cluster is made.
fn refusal(world: &World) -> String {
    let plan = plan(&world.observed, world.now);
    if !plan.needs.is_empty() {
        return String::new();
    }
    assert!(plan.apply.is_empty(), "nothing is made before the names are known to be good");
    condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned()
}

const BOTH: &[&str] = &["topicOperator", "userOperator"];

#[test]
fn the_longest_name_that_every_object_can_have_is_accepted_and_no_longer_one() {
    for (operators, longest, example) in [
        (BOTH, 41, "-entity-topic-operator"),
        (&["topicOperator"], 41, "-entity-topic-operator"),
        (&["userOperator"], 42, "-entity-user-operator"),
        (&[], 47, "-kafka-bootstrap"),
    ] {
        assert_eq!(refusal(&world(&"c".repeat(longest), "p", operators)), "", "{operators:?}");
        for over in [1, 6] {
            let message = refusal(&world(&"c".repeat(longest + over), "p", operators));
            let too_many = format!("{} characters, {over} too many", longest + over);
            let allowed = format!("at most {longest} characters");
            for part in ["metadata.name: ", too_many.as_str(), example, allowed.as_str()] {
                assert!(message.contains(part), "{operators:?}: {message:?} does not say {part:?}");
            }
            assert!(!message.contains("KafkaNodePool"), "the pool is not to blame: {message}");
        }
    }
}

#[test]
fn the_longest_name_of_a_pool_leaves_room_for_the_ids_of_its_nodes() {
    // "my-" and "-2" stand around it.
    assert_eq!(refusal(&world("my", &"p".repeat(58), BOTH)), "");
    let message = refusal(&world("my", &"p".repeat(60), BOTH));
    for part in
        ["KafkaNodePool ppp", "60 characters, 2 too many", "strimzi.io/pod-name", "at most 58 characters"]
    {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
    // An id of three digits takes two characters more.
    let mut three_digits = world("my", &"p".repeat(58), BOTH);
    three_digits.pool(0, |pool| {
        pool["metadata"]["annotations"] = json!({"strimzi.io/next-node-ids": "[100-102]"});
    });
    assert!(refusal(&three_digits).contains("at most 56 characters"));
}

#[test]
fn a_dot_is_refused_with_a_name_that_would_do() {
    let message = refusal(&world("c27.dot", "a.b", BOTH));
    for part in [
        "metadata.name: \"c27.dot\" contains '.'",
        "c27.dot-kafka-bootstrap",
        "such as \"c27-dot\"",
        "KafkaNodePool a.b metadata.name: \"a.b\" contains '.'",
        "such as \"a-b\"",
    ] {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn a_bad_name_stands_beside_every_other_mistake() {
    let mut world = world(&"c".repeat(50), "p.q", BOTH);
    world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("9.9.9"));
    let message = refusal(&world);
    for part in ["metadata.name: \"ccc", "KafkaNodePool p.q metadata.name", "spec.kafka.version"] {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn a_digit_at_the_beginning_is_said_because_old_servers_refuse_it() {
    let mut world = world("27", "p", BOTH);
    let plan = world.plan();
    let message = condition(&plan, "Warning").unwrap()["message"].clone();
    let message = message.as_str().unwrap();
    assert!(message.contains("metadata.name") && message.contains("1.36"), "{message}");
}

/// Everything that the API server would say about names, labels and host names.
fn complaints(plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    for object in &plan.apply {
        let (kind, name) = (object.reference.kind.as_str(), object.reference.name.as_str());
        let proper = match kind {
            "Service" => api::limits::is_dns_label(name),
            "ClusterRoleBinding" => true,
            _ => api::limits::is_dns_name(name),
        };
        if !proper {
            found.push(format!("{kind} {name}"));
        }
        labels(&object.object, kind, &mut found);
    }
    found
}

/// Every map of labels, in metadata and selectors alike, and every host name.
fn labels(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| labels(item, at, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                let at = format!("{at}.{key}");
                match (key.as_str(), value) {
                    ("labels" | "matchLabels" | "selector", Value::Object(map)) => {
                        for (key, value) in map {
                            let wrong =
                                value.as_str().is_some_and(|value| !api::limits::is_label_value(value));
                            if wrong || value.is_string() && !api::limits::is_key(key) {
                                found.push(format!("{at}: {key}={value}"));
                            }
                        }
                    }
                    ("hostname" | "subdomain", Value::String(name)) if !api::limits::is_dns_label(name) => {
                        found.push(format!("{at}: {name}"));
                    }
                    _ => {}
                }
                labels(value, &at, found);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_cluster_is_refused_or_all_its_names_are_good(
        name in prop_oneof!["[a-z]([a-z0-9-]{36,46}[a-z0-9])?", "[a-z0-9]([a-z0-9.-]{0,40}[a-z0-9])?"],
        pool in prop_oneof!["[a-z]([a-z0-9-]{0,24}[a-z0-9])?", "[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?"],
        operators in proptest::sample::subsequence(BOTH.to_vec(), 0..=2),
    ) {
        let mut world = world(&name, &pool, &operators);
        let message = refusal(&world);
        if message.is_empty() {
            // Keys and certificates are made too: a common name that is too long fails here.
            let plan = world.plan();
            prop_assert_eq!(complaints(&plan), Vec::<String>::new());
        }
    }
}
